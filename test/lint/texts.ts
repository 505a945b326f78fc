import { parse } from '@babel/parser';

/** What people would read in one language only: as far as code alone shows it. */

/** Properties that hold what people read, of VS Code's objects and of elements. */
const PROPERTIES: ReadonlySet<string> = new Set([
  'title',
  'label',
  'description',
  'detail',
  'placeHolder',
  'prompt',
  'tooltip',
  'message',
  'openLabel',
  'saveLabel',
  'textContent',
  'placeholder',
  'aria-label',
]);

/** Functions of whose arguments people read those from one up to another. */
const FUNCTIONS: ReadonlyMap<string, readonly [from: number, to?: number]> = new Map([
  ['setText', [1, 2]],
  // Behind the tag and the attributes stand the children.
  ['h', [2]],
  ['textButton', [0, 1]],
  ['showError', [1, 2]],
  ['showErrorMessage', [0]],
  ['showWarningMessage', [0]],
  ['showInformationMessage', [0]],
  ['setStatusBarMessage', [0, 1]],
]);

/** What is called the same in every language; `everything` is a value that a webview remembers, and no text. */
const NAMES: ReadonlySet<string> = new Set(['Virtflow', 'Linux', 'QEMU', 'ACRN', 'KVM', 'MB', 'everything']);

interface Node {
  readonly type: string;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [property: string]: unknown;
}

/**
 * The texts of a file that do not go through `t`, and the calls of `t` that run while the file loads, before there are translations:
 * one line each. `file` is its path from the repository's root.
 */
export function untranslated(file: string, code: string): readonly string[] {
  const found: string[] = [];
  const say = (node: Node, what: string): void => void found.push(`${file}:${node.loc.start.line}: ${what}`);
  const visit = (node: Node, inFunction: boolean): void => {
    const isTranslated = calledName(node) === 't';
    if (isTranslated && !inFunction) say(node, 't is called while the module loads');
    for (const text of readBy(node).flatMap(textsIn)) say(node, `“${text}” does not go through t`);
    const inside = inFunction || /Function|Method|^ClassProperty/.test(node.type);
    const children = isTranslated ? (node['arguments'] as readonly Node[]).slice(1) : childrenOf(node);
    for (const child of children) visit(child, inside);
  };
  for (const node of childrenOf(parse(code, { sourceType: 'module', plugins: ['typescript'] }))) visit(node, false);
  return found;
}

/** The expressions whose values people read because of where they stand. */
function readBy(node: Node): readonly unknown[] {
  switch (node.type) {
    case 'ObjectProperty':
      return PROPERTIES.has(nameOf(node['key'])) ? [node['value']] : [];
    case 'AssignmentExpression':
      return PROPERTIES.has(nameOf((node['left'] as Node)['property'])) ? [node['right']] : [];
    case 'CallExpression': {
      const range = FUNCTIONS.get(calledName(node));
      return range === undefined ? [] : (node['arguments'] as readonly unknown[]).slice(...range);
    }
    case 'NewExpression':
      return nameOf(node['callee']).endsWith('Error') ? (node['arguments'] as readonly unknown[]).slice(0, 1) : [];
    default:
      return [];
  }
}

/** The sentences and words that an expression may have as its value. */
function textsIn(value: unknown): readonly string[] {
  if (!isNode(value)) return [];
  switch (value.type) {
    case 'StringLiteral':
      return [String(value['value'])].filter(isText);
    case 'TemplateLiteral':
      return (value['quasis'] as readonly { readonly value: { readonly cooked: string } }[])
        .map((part) => part.value.cooked)
        .filter(isText);
    case 'ConditionalExpression':
      return [...textsIn(value['consequent']), ...textsIn(value['alternate'])];
    case 'LogicalExpression':
      return textsIn(value['right']);
    default:
      return [];
  }
}

function isText(text: string): boolean {
  const words = text.replaceAll(/\$\([\w~-]+\)|[:\s]+$/g, '').trim();
  return /[A-Za-z]{2}/.test(words) && !NAMES.has(words);
}

const calledName = (node: Node): string => {
  if (node.type !== 'CallExpression') return '';
  const callee = node['callee'] as Node;
  return nameOf(callee.type === 'MemberExpression' ? callee['property'] : callee);
};

const nameOf = (node: unknown): string => (isNode(node) ? String(node['name'] ?? node['value'] ?? '') : '');

const childrenOf = (parent: object): readonly Node[] => Object.values(parent).flat().filter(isNode);

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'loc' in value;
