// @ts-check
/**
 * Finds what is to be translated: what code says with `t('…')`, and what models and flows say as data, which is translated where it is shown.
 * The build asks it for the panel's texts, the tests hold the bundles to it, and `npm run l10n` lists what is not translated yet.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from '@babel/parser';

/**
 * @typedef {{ readonly text: string, readonly file: string, readonly line: number }} Text A text and where it is said first.
 * @typedef {{ readonly type: string, readonly start: number, readonly loc: { readonly start: { readonly line: number } }, readonly [property: string]: unknown }} Node
 */

/** The arguments that are texts, by the function that takes them. @type {ReadonlyMap<string, readonly number[]>} */
const ARGUMENTS = new Map([
  ['fn', [0]],
  ['struct', [1]],
  ['means', [0]],
  ['bit', [2]],
  ['bitsOf', [3, 4]],
  ['at', [1]],
  ['atCall', [1]],
  ['atWrite', [2]],
  ['signal', [2]],
  ['thread', [1]],
]);

/** The properties that are texts, wherever an object has them. */
const PROPERTIES = new Set(['title', 'description', 'summary', 'prose', 'because', 'system', 'label', 'worlds', 'means', 'values']);

/** Folders of what is said as data. */
const DATA = ['src/models', 'src/flows'];

/** What is a name and nothing but: no sentence, and no word of a language. */
const NAME = /^$|^[^a-zA-Z]*$|^[\w.$>[\]()*:/-]*[_\d>.[\]()$:/][\w.$>[\]()*:/-]*$|^[A-Z0-9_ ,/-]+$/;

/**
 * Every text of the source files below a folder, each once, in the order of the files.
 *
 * @param {string} folder
 * @returns {readonly Text[]}
 */
export function textsBelow(folder) {
  /** @type {Map<string, Text>} */
  const texts = new Map();
  for (const file of sourcesBelow(folder))
    for (const text of textsOf(file, readFileSync(file, 'utf8'))) if (!texts.has(text.text)) texts.set(text.text, text);
  return [...texts.values()];
}

/**
 * The source files below a folder, sorted, with the folder before them.
 *
 * @param {string} folder
 * @returns {readonly string[]}
 */
export const sourcesBelow = (folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.posix.join(folder, file.replaceAll('\\', '/')))
    .toSorted();

/**
 * The texts of one source file, in its order.
 *
 * @param {string} file its path from the repository's root
 * @param {string} code
 * @returns {readonly Text[]}
 */
export function textsOf(file, code) {
  const isData = DATA.some((folder) => file.startsWith(`${folder}/`));
  return nodesOf(parseSource(code)).flatMap((node) =>
    [...said(node), ...(isData ? data(node) : [])].flatMap((expression) =>
      literals(expression).map(({ text, line }) => ({ text, file, line })),
    ),
  );
}

/** @param {string} code */
const parseSource = (code) => /** @type {object} */ (parse(code, { sourceType: 'module', plugins: ['typescript'] }));

/** The message of a call of `t`. @param {Node} node @returns {readonly unknown[]} */
const said = (node) => (calls(node) === 't' ? given(node).slice(0, 1) : []);

/** What a node of a model or a flow says as data. @param {Node} node @returns {readonly unknown[]} */
function data(node) {
  const called = calls(node);
  if (called !== undefined) return (ARGUMENTS.get(called) ?? []).map((index) => given(node)[index]).filter((expression) => !isName(expression));
  if (node.type !== 'ObjectProperty' || !PROPERTIES.has(nameOf(node['key']) ?? '')) return [];
  return [node['value']].filter((expression) => !isName(expression));
}

/** @param {unknown} expression */
const isName = (expression) => literals(expression).every(({ text }) => NAME.test(text));

/** The name of the function or method that a node calls. @param {Node} node */
function calls(node) {
  if (node.type !== 'CallExpression') return undefined;
  const callee = node['callee'];
  return nameOf(isNode(callee) && callee.type === 'MemberExpression' ? callee['property'] : callee);
}

/** @param {unknown} node */
function nameOf(node) {
  if (!isNode(node)) return undefined;
  return node.type === 'Identifier' ? String(node['name']) : node.type === 'StringLiteral' ? String(node['value']) : undefined;
}

/** @param {Node} call @returns {readonly unknown[]} */
const given = (call) => /** @type {readonly unknown[]} */ (call['arguments']);

/**
 * The texts that an expression may have as its value: those of its branches, of a list's elements, of a table's values.
 *
 * @param {unknown} node
 * @returns {readonly { readonly text: string, readonly line: number }[]}
 */
function literals(node) {
  if (!isNode(node)) return [];
  const line = node.loc.start.line;
  switch (node.type) {
    case 'StringLiteral':
      return [{ text: String(node['value']), line }];
    case 'TemplateLiteral': {
      const [only, ...more] = /** @type {readonly { readonly value: { readonly cooked: string } }[]} */ (node['quasis']);
      return more.length > 0 || only === undefined ? [] : [{ text: only.value.cooked, line }];
    }
    case 'BinaryExpression': {
      const [left] = literals(node['left']);
      const [right] = literals(node['right']);
      return node['operator'] === '+' && left && right ? [{ text: left.text + right.text, line }] : [];
    }
    case 'ConditionalExpression':
      return [...literals(node['consequent']), ...literals(node['alternate'])];
    case 'LogicalExpression':
      return [...literals(node['left']), ...literals(node['right'])];
    case 'ArrayExpression':
      return /** @type {readonly unknown[]} */ (node['elements']).flatMap(literals);
    case 'ObjectExpression':
      return /** @type {readonly Node[]} */ (node['properties']).flatMap((property) => literals(property['value']));
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return literals(node['expression']);
    default:
      return [];
  }
}

/** @param {object} parent @returns {readonly Node[]} */
const nodesOf = (parent) =>
  Object.values(parent)
    .flat()
    .filter(isNode)
    .flatMap((node) => [node, ...nodesOf(node)]);

/** @param {unknown} value @returns {value is Node} */
function isNode(value) {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'loc' in value;
}
