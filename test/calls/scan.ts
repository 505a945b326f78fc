import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from '@babel/parser';

/** What the models' own source says of who reaches whom, for functions that no run passes. Functions are told by `functionKey`. */

/** That one is called by another, or that its address is held by a table or function of this name. */
export type Mention = { readonly of: string; readonly by: string } | { readonly of: string; readonly storedIn: string };

const MODELS = 'src/models';

interface Node {
  readonly type: string;
  readonly [property: string]: unknown;
}

/** What a module declares at its top: a model function, a table of pointers, or whatever else. */
type Declaration =
  | { readonly kind: 'function'; readonly key: string; readonly node: Node }
  | { readonly kind: 'table'; readonly symbol: string; readonly node: Node }
  | { readonly kind: 'other'; readonly node: Node };

interface Module {
  readonly declarations: ReadonlyMap<string, Declaration>;
  /** By local name, the module and the name there. */
  readonly imports: ReadonlyMap<string, readonly [file: string, name: string]>;
}

/** How an expression names another declaration: calls it, or takes its address. */
interface Naming {
  readonly to: Declaration;
  readonly calls: boolean;
}

/** Everything that the models' source says of who names whom, each once. */
export function mentionsInModels(): readonly Mention[] {
  const modules = new Map(
    readdirSync(MODELS, { recursive: true, encoding: 'utf8' })
      .map((file) => path.posix.join(MODELS, file.replaceAll('\\', '/')))
      .filter((file) => file.endsWith('.ts'))
      .toSorted()
      .map((file) => [file, readModule(file)]),
  );
  const namings = new Map<Declaration, readonly Naming[]>();
  for (const module of modules.values())
    for (const declaration of module.declarations.values()) namings.set(declaration, namedBy(declaration, module, modules));
  const found = [...namings.keys()].flatMap((declaration) => mentionsOf(declaration, namings));
  return [...new Map(found.map((mention) => [JSON.stringify(mention), mention])).values()];
}

function mentionsOf(declaration: Declaration, namings: ReadonlyMap<Declaration, readonly Naming[]>): readonly Mention[] {
  switch (declaration.kind) {
    case 'table':
      return reached(declaration, namings).flatMap(({ to }) =>
        to.kind === 'function' ? [{ of: to.key, storedIn: declaration.symbol }] : [],
      );
    case 'function':
      return reached(declaration, namings).flatMap(({ to, calls }): readonly Mention[] => {
        if (to.kind !== 'function') return [];
        return [calls ? { of: to.key, by: declaration.key } : { of: to.key, storedIn: declaration.key.split(' ')[1]! }];
      });
    case 'other':
      return [];
  }
}

/** What a function names, also by way of helpers that are no model functions. */
function reached(from: Declaration, namings: ReadonlyMap<Declaration, readonly Naming[]>): readonly Naming[] {
  const seen = new Set([from]);
  const found: Naming[] = [];
  for (const declaration of seen)
    for (const naming of namings.get(declaration)!) {
      if (naming.to.kind === 'other') seen.add(naming.to);
      else if (naming.to !== from) found.push(naming);
    }
  return found;
}

function readModule(file: string): Module {
  const { body } = parse(readFileSync(file, 'utf8'), { sourceType: 'module', plugins: ['typescript'] }).program as unknown as {
    readonly body: readonly Node[];
  };
  const declarators = body.map((node) => (isNode(node['declaration']) ? node['declaration'] : node)).flatMap(declaratorsOf);
  const homes = new Map(declarators.flatMap(({ id, init }) => homesOf(id, init)));
  return {
    declarations: new Map(
      declarators.flatMap(({ id, init }) => (id.type === 'Identifier' ? [[nameOf(id), declarationOf(nameOf(id), init, homes)]] : [])),
    ),
    imports: new Map(body.flatMap((node) => importsOf(file, node))),
  };
}

/** What a statement declares: constants by their values, functions by themselves. */
function declaratorsOf(node: Node): readonly { readonly id: Node; readonly init: Node }[] {
  if (node.type === 'FunctionDeclaration') return [{ id: node['id'] as Node, init: node }];
  if (node.type !== 'VariableDeclaration') return [];
  return (node['declarations'] as readonly Node[]).flatMap(({ id, init }) => (isNode(id) && isNode(init) ? [{ id, init }] : []));
}

/** `const { fn } = source('linux', …)` and `const header = source('linux', …)`: the prefix of a key, by the name that `fn` has. */
function homesOf(id: Node, init: Node): readonly (readonly [string, string])[] {
  if (calledName(init) !== 'source') return [];
  const [world, home] = (init['arguments'] as readonly Node[]).map(({ value }) => value);
  return [[id.type === 'Identifier' ? nameOf(id) : 'fn', `${String(world)}:${String(home)}`]];
}

function declarationOf(name: string, init: Node, homes: ReadonlyMap<string, string>): Declaration {
  const callee = init.type === 'CallExpression' ? (init['callee'] as Node) : undefined;
  const [home, member] =
    callee?.type === 'MemberExpression' ? [nameOf(callee['object']), nameOf(callee['property'])] : ['fn', nameOf(callee)];
  const known = homes.get(home);
  if (member === 'fn' && known !== undefined) return { kind: 'function', key: `${known} ${name}`, node: init };
  if (member === 'ops') return { kind: 'table', symbol: String((init['arguments'] as readonly Node[])[0]?.['value']), node: init };
  return { kind: 'other', node: init };
}

function importsOf(file: string, node: Node): readonly (readonly [string, readonly [string, string]])[] {
  const from = isNode(node['source']) ? String(node['source']['value']) : '';
  if (node.type !== 'ImportDeclaration' || !from.startsWith('.') || node['importKind'] === 'type') return [];
  const target = `${path.posix.join(path.posix.dirname(file), from)}.ts`;
  return (node['specifiers'] as readonly Node[]).flatMap(({ type, local, imported }) =>
    type === 'ImportSpecifier' ? [[nameOf(local), [target, nameOf(imported)]] as const] : [],
  );
}

/** The declarations that one names, whatever shadows their names left out. */
function namedBy({ node }: Declaration, module: Module, modules: ReadonlyMap<string, Module>): readonly Naming[] {
  const shadows = new Set(bindingsIn(node));
  const find = (name: string): Declaration | undefined => {
    if (shadows.has(name)) return undefined;
    const [file, own] = module.imports.get(name) ?? [];
    return file === undefined ? module.declarations.get(name) : modules.get(file)?.declarations.get(own!);
  };
  return namesIn(node).flatMap(({ name, calls }) => {
    const to = find(name);
    return to === undefined ? [] : [{ to, calls }];
  });
}

/** What a node's functions take as parameters and declare. */
const bindingsIn = (node: Node): readonly string[] =>
  [...nodesOf(node)].flatMap((each) => {
    const bound = [
      ...(Array.isArray(each['params']) ? (each['params'] as readonly unknown[]) : []),
      ...(each.type === 'VariableDeclarator' ? [each['id']] : []),
    ];
    return bound.filter(isNode).flatMap(boundBy);
  });

function boundBy(pattern: Node): readonly string[] {
  if (pattern.type === 'Identifier') return [nameOf(pattern)];
  return [...nodesOf(pattern)].flatMap((each) =>
    each.type === 'ObjectProperty' && isNode(each['value']) ? boundBy(each['value']) : each.type === 'Identifier' ? [nameOf(each)] : [],
  );
}

interface Name {
  readonly name: string;
  readonly calls: boolean;
}

/** The names in an expression that may be those of declarations. */
function namesIn(node: Node): readonly Name[] {
  switch (node.type) {
    case 'Identifier':
      return [{ name: nameOf(node), calls: false }];
    case 'CallExpression':
      return namesInCall(node);
    case 'MemberExpression':
      return [...(node['computed'] === true ? childrenOf(node) : [node['object']].filter(isNode))].flatMap(namesIn);
    case 'ObjectProperty':
    case 'ObjectMethod':
      return childrenOf({ ...node, key: node['computed'] === true ? node['key'] : undefined }).flatMap(namesIn);
    default:
      return node.type.startsWith('TS') && node.type !== 'TSNonNullExpression' && node.type !== 'TSAsExpression'
        ? []
        : childrenOf(node).flatMap(namesIn);
  }
}

/** `via(wrapper, callee)` and `architecturally(kind, callee)` call too. */
function namesInCall(node: Node): readonly Name[] {
  const given = node['arguments'] as readonly Node[];
  const wrapped = ['via', 'architecturally'].includes(calledName(node)) ? given[1] : undefined;
  if (wrapped?.type === 'Identifier') return [{ name: nameOf(wrapped), calls: true }, ...given.slice(2).flatMap(namesIn)];
  const callee = node['callee'] as Node;
  const own = callee.type === 'Identifier' ? [{ name: nameOf(callee), calls: true }] : namesIn(callee);
  return [...own, ...given.flatMap(namesIn)];
}

const calledName = (node: Node): string => (node.type === 'CallExpression' ? nameOf(node['callee']) : '');

const nameOf = (node: unknown): string => (isNode(node) && node.type === 'Identifier' ? String(node['name']) : '');

function* nodesOf(parent: Node): Generator<Node> {
  for (const child of childrenOf(parent)) {
    yield child;
    yield* nodesOf(child);
  }
}

const childrenOf = (parent: Node): readonly Node[] => Object.values(parent).flat().filter(isNode);

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
