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
 * @typedef {ReadonlyMap<string, unknown>} Constants
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
  ['part', [1]],
  ['object', [1]],
  ['lineDevice', [1]],
]);

/** Those that are titles of threads. @type {ReadonlyMap<string, number>} */
const THREADS = new Map([
  ['thread', 1],
  ['hypervisor_thread', 1],
  ['device_thread', 2],
  ['hrtimer_context', 3],
]);

/** The properties that are texts, wherever an object has them. */
const PROPERTIES = new Set([
  'title',
  'description',
  'summary',
  'prose',
  'because',
  'system',
  'label',
  'worlds',
  'means',
  'values',
  'absent',
  'nowhere',
]);

/** Lists whose elements are texts. */
const LISTS = new Set(['EDGE_KINDS']);

/** A sentence: wherever models and flows have one, it is for people. */
const SENTENCE = /^[A-Z0-9“`].* .*[.?!]$/s;

/** What a thread's title ends in, where it has a name or a number: `titleText` in src/flows/text.ts translates the rest. */
export const NAME_OF_THREAD = /(?<=: )[\w-]+(?: \d+)?$|\d+$|(?<=\()[^()]*(?=\)$)/;

/** Folders of what is said as data. */
const DATA = ['src/engine', 'src/models', 'src/flows', 'src/sources/history'];

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
  const nodes = nodesOf(parse(code, { sourceType: 'module', plugins: ['typescript'] }));
  const constants = constantsOf(nodes);
  return nodes.flatMap((node) =>
    [...said(node, constants), ...(isData ? data(node, constants) : [])]
      .filter(Boolean)
      .map((text) => ({ text, file, line: node.loc.start.line })),
  );
}

/** The values of constants, by name: a text may be made of them. @param {readonly Node[]} nodes @returns {Constants} */
const constantsOf = (nodes) =>
  new Map(nodes.flatMap((node) => (node.type === 'VariableDeclarator' ? [[nameOf(node['id']) ?? '', node['init']]] : [])));

/** What a call of `t` says. @param {Node} node @param {Constants} constants @returns {readonly string[]} */
function said(node, constants) {
  if (calls(node) !== 't') return [];
  const [message] = given(node);
  if (!isNode(message) || message.type !== 'ObjectExpression') return literals(message, constants);
  // `{ message, comment }`: one word with two meanings has two entries, as VS Code has it.
  const properties = /** @type {readonly Node[]} */ (message['properties']);
  const [said, comment] = ['message', 'comment'].map(
    (name) => literals(properties.find(({ key }) => nameOf(key) === name)?.['value'], constants)[0],
  );
  return [`${said}/${comment}`];
}

/** What a node of a model or a flow says as data. @param {Node} node @param {Constants} constants @returns {readonly string[]} */
function data(node, constants) {
  const called = calls(node);
  if (called !== undefined) {
    const thread = THREADS.get(called);
    const titles =
      thread === undefined ? [] : literals(given(node)[thread], constants, '{0}').map((title) => title.replace(NAME_OF_THREAD, '{0}'));
    return [...titles, ...(ARGUMENTS.get(called) ?? []).flatMap((index) => literals(given(node)[index], constants))].filter(isSaid);
  }
  // A sentence that several files need is one of its own: who imports it cannot be followed.
  if (node.type === 'ExportNamedDeclaration' && isNode(node['declaration'])) {
    const declared = /** @type {readonly Node[]} */ (node['declaration']['declarations'] ?? []);
    return declared
      .map(({ init }) => init)
      .filter((init) => isNode(init) && init.type.endsWith('Literal'))
      .flatMap((init) => literals(init, constants))
      .filter(isSaid);
  }
  if (node.type === 'VariableDeclarator' && LISTS.has(nameOf(node['id']) ?? '')) return literals(node['init'], constants).filter(isSaid);
  if (node.type === 'ObjectProperty' && PROPERTIES.has(nameOf(node['key']) ?? '')) return literals(node['value'], constants).filter(isSaid);
  return node.type.endsWith('Literal') ? literals(node, new Map()).filter((text) => SENTENCE.test(text)) : [];
}

/** Whether a text is more than a name. @param {string} text */
export const isSaid = (text) => !NAME.test(text);

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
 * @param {Constants} constants
 * @param {string} [hole] what stands for a value that is only known at run time; without, a text that has one is none
 * @returns {readonly string[]}
 */
function literals(node, constants, hole) {
  if (!isNode(node)) return [];
  /** @param {unknown} part */
  const inside = (part) => literals(part, constants, hole);
  /** @param {readonly unknown[]} parts */
  const joined = (parts) => {
    const texts = parts.map((part) => (typeof part === 'string' ? part : (inside(part)[0] ?? hole)));
    return texts.includes(undefined) ? [] : [texts.join('')];
  };
  switch (node.type) {
    case 'StringLiteral':
      return [String(node['value'])];
    case 'TemplateLiteral': {
      const quasis = /** @type {readonly { readonly value: { readonly cooked: string } }[]} */ (node['quasis']);
      const expressions = /** @type {readonly unknown[]} */ (node['expressions']);
      return joined(quasis.flatMap(({ value }, index) => [value.cooked, ...expressions.slice(index, index + 1)]));
    }
    case 'BinaryExpression':
      return node['operator'] === '+' ? joined([node['left'], node['right']]) : [];
    case 'Identifier': {
      const name = String(node['name']);
      return literals(constants.get(name), new Map([...constants].filter(([other]) => other !== name)), hole);
    }
    case 'ConditionalExpression':
      return [...inside(node['consequent']), ...inside(node['alternate'])];
    case 'LogicalExpression':
      return [...inside(node['left']), ...inside(node['right'])];
    case 'ArrayExpression':
      return /** @type {readonly unknown[]} */ (node['elements']).flatMap(inside);
    case 'ObjectExpression':
      return /** @type {readonly Node[]} */ (node['properties']).flatMap((property) => inside(property['value']));
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return inside(node['expression']);
    default:
      return [];
  }
}

/** All nodes below one, but for what only the documentation says. @param {object} parent @returns {readonly Node[]} */
const nodesOf = (parent) =>
  Object.values(parent)
    .flat()
    .filter(isNode)
    .filter((node) => nameOf(node['key']) !== 'historical')
    .flatMap((node) => [node, ...nodesOf(node)]);

/** @param {unknown} value @returns {value is Node} */
function isNode(value) {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' && 'loc' in value;
}
