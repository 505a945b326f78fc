import type { Anchor } from '../engine/reference';

/**
 * Regular expressions that find the line of a reference in whatever version of its file: for programs that search the whole
 * text with the flag `m` and go to the line on which the first match begins, as CodeTour does. They say what a reference says,
 * a function and an identifier in it, and so hold no line of anybody's source.
 */

/** Up to here no function has ended: closing braces of functions stand in the first column. */
const WITHIN = String.raw`(?:(?!^\})[^])*?`;
/** The line is no comment, as far as can be told from its beginning. */
const CODE = String.raw`^(?![ \t]*(?:/[/*]|\*[ \t/]|\*$))`;

/** Finds the line on which a function is defined, or the first one in it on which the identifier stands as the anchor says. */
export function patternOf(symbol: string, anchor: Anchor | undefined): string {
  const definition = definitionOf(symbol);
  if (anchor === undefined) return `^(?:${definition}|[ \\t]*#[ \\t]*define[ \\t]+${symbol}\\b|\\w+\\(${symbol}\\)$)`;
  const passed = (anchor.after?.split(' ') ?? []).map((word) => `${WITHIN}\\b${word}\\b`).join('');
  return `${CODE}.*${occurrenceOf(anchor)}(?<=^${definition}${passed}${WITHIN}\\b${anchor.token})`;
}

/**
 * Up to the brace that opens the body of a function or the initializer of an object. Before the name stand words, not the parentheses of a
 * statement that calls it, or a macro that makes a function of its argument.
 */
const definitionOf = (symbol: string): string =>
  String.raw`[ \t]*(?:(?:[A-Za-z_](?:[^\n(){};=#]|\(\([^\n()]*\)\))*[ \t*])?${symbol}\b\s*(?:\(|[^;{}()=]*=)|[A-Z_0-9]+\(\s*${symbol}\b)[^;{}]*\{`;

function occurrenceOf({ token, as }: Anchor): string {
  switch (as) {
    case 'name':
      return `\\b${token}\\b`;
    case 'call':
      return `\\b${token}\\b(?=\\s*\\()`;
    case 'write':
      return String.raw`(?:\b${token}\b(?=(?:\[[^\]\n]*\]|(?:\.|->)\w+)*\s*(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--))|(?:\+\+|--)[\w.>-]*\b${token}\b)`;
  }
}

/** The line by what stands on it in this text. */
function patternOfLine(line: string): string {
  const content = line.trim().split(/\s+/).map(escape).join('\\s+');
  return `^[ \\t]*${content}[ \\t\\r]*$`;
}

/** The same inside a function: other lines may look like it. */
const patternOfLineIn = (symbol: string, line: string): string => `${patternOfLine(line)}(?<=^${definitionOf(symbol)}${WITHIN})`;

/**
 * A pattern of which it was tried that it finds a line in a text; `undefined` if none does, as in the replacement of a macro.
 * @param line counts from 0
 */
export function patternFor(symbol: string, anchor: Anchor | undefined, text: string, line: number): string | undefined {
  const content = text.split('\n')[line] ?? '';
  // What is nowhere assigned to is written through a call.
  const written = anchor?.as === 'write' ? [patternOf(symbol, { ...anchor, as: 'name' })] : [];
  const patterns = [patternOf(symbol, anchor), ...written, patternOfLineIn(symbol, content), patternOfLine(content)];
  return patterns.find((pattern) => lineFound(pattern, text) === line);
}

/** The line, from 0, on which the first match of a pattern begins. */
export function lineFound(pattern: string, text: string): number | undefined {
  const at = new RegExp(pattern, 'm').exec(text)?.index;
  return at === undefined ? undefined : text.slice(0, at).split('\n').length - 1;
}

const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
