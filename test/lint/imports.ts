import path from 'node:path';
import { parse } from '@babel/parser';

/** What the files of one folder below src/ may import besides each other. */
interface Layer {
  /** Folders, or single modules, below src/. */
  readonly modules: readonly string[];
  readonly packages: RegExp;
}

const NO_PACKAGE = /^$/;
/** What translates texts. Models say theirs as data, which is translated where it is shown. */
const TEXTS = /^@vscode\/l10n$/;

/** Imports go one way: engine <- models <- flows <- extension and cli. */
const LAYERS: Readonly<Record<string, Layer>> = {
  engine: { modules: [], packages: NO_PACKAGE },
  models: { modules: ['engine'], packages: NO_PACKAGE },
  flows: { modules: ['engine', 'models'], packages: /^(@vscode\/l10n|jsonc-parser|zod\/mini)$/ },
  sources: { modules: ['engine/reference'], packages: TEXTS },
  trace: { modules: ['engine', 'models', 'flows'], packages: TEXTS },
  extension: {
    modules: ['engine', 'models', 'flows', 'sources', 'trace', 'webview'],
    packages: /^(vscode|@vscode\/l10n|texts:src\/webview|@vscode\/debugprotocol|@vscode\/debugadapter\/lib\/.*)$/,
  },
  cli: { modules: ['engine', 'models', 'flows', 'sources', 'trace'], packages: /^(node:|@vscode\/l10n$)/ },
  webview: { modules: [], packages: /^@vscode\/(webview-ui-toolkit|codicons|l10n)(\/|$)/ },
};

/**
 * The imports of a file below src/ that its folder may not have, one line each: type imports, re-exports, `import()` and
 * `require()` count like any other. `file` is its path from the repository's root.
 */
export function forbiddenImports(file: string, code: string): readonly string[] {
  const name = file.split('/')[1] ?? '';
  const layer = LAYERS[name];
  if (!layer) return [`${file}: src/${name} is none of the folders that test/lint/imports.ts knows`];
  const imports = importsOf(code);
  if (imports === undefined) return [`${file}: does not parse`];
  return imports
    .filter((target) => !mayImport(name, layer, file, target))
    .map((target) => `${file}: may not import ${target ?? 'a name made at run time'}`);
}

function mayImport(name: string, layer: Layer, file: string, target: string | undefined): boolean {
  if (target === undefined) return false;
  if (!target.startsWith('.')) return layer.packages.test(target);
  const module = path.posix.join(path.posix.dirname(file), target);
  return [name, ...layer.modules].some((allowed) => module === `src/${allowed}` || module.startsWith(`src/${allowed}/`));
}

/** All names that a module imports; an undefined one where it is not a literal. Undefined when the code has syntax errors. */
function importsOf(code: string): readonly (string | undefined)[] | undefined {
  try {
    const file: object = parse(code, { sourceType: 'module', plugins: ['typescript'], createImportExpressions: true });
    return [...nodesOf(file)].flatMap(importedBy).map((source) => (typeof source.value === 'string' ? source.value : undefined));
  } catch {
    return undefined;
  }
}

interface Node {
  readonly type: string;
  readonly [property: string]: unknown;
}

/** The expressions that name the modules that this very node imports. */
function importedBy(node: Node): readonly Node[] {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
      return [node['source']].filter(isNode);
    case 'TSImportType':
      return [node['argument']].filter(isNode);
    case 'TSExternalModuleReference':
      return [node['expression']].filter(isNode);
    case 'CallExpression': {
      const { callee, arguments: given } = node;
      return isNode(callee) && callee['name'] === 'require' && Array.isArray(given) ? given.slice(0, 1).filter(isNode) : [];
    }
    default:
      return [];
  }
}

function* nodesOf(parent: object): Generator<Node> {
  for (const child of Object.values(parent).flat()) {
    if (!isNode(child)) continue;
    yield child;
    yield* nodesOf(child);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
