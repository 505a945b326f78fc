import { scanC, type Definition } from '../../../src/sources/scanner';

/** A C text with places in it that are followed through changes: offsets, ascending or not, of what must stay what it is. */
export interface Marked {
  readonly text: string;
  readonly marks: readonly number[];
}

/** Gives a number from 0 up to, but not including, its argument. */
export type Pick = (below: number) => number;

/** Changes that people make to a file without touching what it does to anybody who is named in `keep`. */
export const HARMLESS: readonly ((marked: Marked, pick: Pick, keep: ReadonlySet<string>) => Marked)[] = [
  insertLines,
  indentAnew,
  endLines,
  move,
  renameOther,
];

interface Change {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const COMMENTS = ['/* } else { goto out; */', '// "', '/*\n * eventfd_signal(ctx, 1);\n */', ''];
const DECLARATIONS = [
  'static int zz_noise(int zz_a)\n{\n\tif (zz_a) {\n\t\tzz_call();\n\t}\n\treturn zz_a;\n}\n',
  '#define ZZ_NOISE(x) zz_call(x)',
  'struct zz_noise { int zz_a; };',
];
const STATEMENTS = ['\tzz_call(zz_a);', '\tif (zz_a) {\n\t\tzz_b->zz_c = "}";\n\t}'];

/** Comments anywhere, statements behind statements, declarations between definitions. */
function insertLines(marked: Marked, pick: Pick): Marked {
  const { text } = marked;
  const ends = lineEnds(text);
  const definitions = scanC(text);
  const changes: Change[] = [];
  for (let i = 0; i < 8; i++) {
    const end = ends[pick(ends.length)];
    if (end === undefined || !mayStandBehind(text, end)) continue;
    const inside = definitions.find(({ body }) => body && body.start < end && end < body.end);
    const lines =
      inside === undefined ? [...COMMENTS, ...DECLARATIONS] : isStatement(text, end, inside) ? [...COMMENTS, ...STATEMENTS] : COMMENTS;
    const isFree = inside !== undefined || isBetween(text, end, definitions);
    changes.push({ at: end, remove: 0, insert: `\n${(isFree ? lines : COMMENTS)[pick((isFree ? lines : COMMENTS).length)]}` });
  }
  return apply(marked, changes);
}

/** Another amount of blanks before lines, of another kind. */
function indentAnew(marked: Marked, pick: Pick): Marked {
  const changes: Change[] = [];
  for (const { index, 0: found } of marked.text.matchAll(/(?<=\n)[ \t]+(?=\S)/g)) {
    if (pick(3) > 0)
      changes.push({ at: index, remove: found.length, insert: pick(2) > 0 ? ' '.repeat(1 + pick(12)) : '\t'.repeat(1 + pick(3)) });
  }
  return apply(marked, changes);
}

/** Lines that end as on Windows. */
function endLines(marked: Marked): Marked {
  return apply(
    marked,
    [...marked.text.matchAll(/(?<!\r)\n/g)].map(({ index }) => ({ at: index, remove: 1, insert: '\r\n' })),
  );
}

/** A function to behind another one. Only such as have their name to themselves, and stand under no `#if`. */
function move(marked: Marked, pick: Pick): Marked {
  const { text } = marked;
  const definitions = scanC(text);
  const movable = definitions.filter((one) => isWhole(text, one) && definitions.every((other) => other === one || other.name !== one.name));
  const [one, other] = [movable[pick(movable.length)], movable[pick(movable.length)]];
  if (one === undefined || other === undefined || one === other) return marked;
  const [start, end] = [startOf(text, one), one.body!.end];
  const [target] = [other.body!.end];
  const part = `\n\n${text.slice(start, end)}`;
  const moved = marked.marks.map((mark) => (mark >= start && mark < end ? mark - start + 2 : undefined));
  const without = apply(marked, [
    { at: start, remove: end - start, insert: '' },
    { at: target, remove: 0, insert: part },
  ]);
  const pasted = target > start ? target - (end - start) : target;
  return { text: without.text, marks: without.marks.map((mark, i) => (moved[i] === undefined ? mark : pasted + moved[i])) };
}

/** A function of which nobody speaks gets another name, wherever it stands. */
function renameOther(marked: Marked, pick: Pick, keep: ReadonlySet<string>): Marked {
  const others = scanC(marked.text).filter(({ name, kind }) => kind === 'function' && !keep.has(name));
  const other = others[pick(others.length)];
  return other === undefined ? marked : rename(marked, other.name, `zz_${pick(1000)}`);
}

/** Every occurrence of a name as another. */
export function rename(marked: Marked, name: string, to: string): Marked {
  const found = [...marked.text.matchAll(new RegExp(`(?<![\\w$])${name}(?![\\w$])`, 'g'))];
  return apply(
    marked,
    found.map(({ index }) => ({ at: index, remove: name.length, insert: to })),
  );
}

/** Without any definition of this name; undefined where a macro makes one, `DEFINE_IDTENTRY(name)`, which nothing short of the macro's arguments would tell. */
export function remove(marked: Marked, name: string): Marked | undefined {
  const { text } = marked;
  const definitions = scanC(text).filter((definition) => definition.name === name && definition.body !== undefined);
  if (definitions.some(({ nameStart }) => text.slice(text.lastIndexOf('\n', nameStart), nameStart).includes('('))) return undefined;
  return apply(
    marked,
    definitions.map(({ nameStart, body }) => ({ at: nameStart, remove: body!.end - nameStart, insert: 'zz_gone;' })),
  );
}

function apply({ text, marks }: Marked, changes: readonly Change[]): Marked {
  const inOrder = changes.toSorted((a, b) => a.at - b.at).filter(({ at }, i, all) => i === 0 || at >= all[i - 1]!.at + all[i - 1]!.remove);
  let changed = '';
  let read = 0;
  for (const { at, remove: length, insert } of inOrder) {
    changed += text.slice(read, at) + insert;
    read = at + length;
  }
  const shift = (mark: number): number =>
    inOrder.reduce(
      (sum, { at, remove: length, insert }) => (at < mark || (at === mark && length === 0) ? sum + insert.length - length : sum),
      mark,
    );
  return { text: changed + text.slice(read), marks: marks.map(shift) };
}

const lineEnds = (text: string): readonly number[] => [...text.matchAll(/(?<![\\\r])\n/g)].map(({ index }) => index);

/** Not in a macro that goes on, in a comment, or in a string that does. */
function mayStandBehind(text: string, end: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', end - 1) + 1, end);
  const comment = text.lastIndexOf('/*', end);
  return !line.includes('#') && !line.endsWith('\\') && (comment < 0 || text.indexOf('*/', comment) < end);
}

/** Behind a statement in the outermost block of a function. */
function isStatement(text: string, end: number, { kind, body }: Definition): boolean {
  if (kind !== 'function' || text[end - 1] !== ';') return false;
  const before = text.slice(body!.start, end);
  return count(before, '(') === count(before, ')') && !before.includes('#') && !/["'\\]/.test(before);
}

/** A blank line, at file level, that follows a definition and stands under no `#if`. */
const isBetween = (text: string, end: number, definitions: readonly Definition[]): boolean =>
  text[end - 1] === '\n' &&
  definitions.some((one) => one.kind === 'function' && one.body?.end === end - 1) &&
  conditionsBefore(text, end) === 0;

/** A function that has blank lines around it and no directive in it or over it. */
function isWhole(text: string, definition: Definition): boolean {
  const { kind, body, nameStart } = definition;
  if (kind !== 'function' || body === undefined) return false;
  const start = startOf(text, definition);
  const stands = text.slice(body.end, body.end + 2) === '\n\n' && !/[;{}]/.test(text.slice(start, nameStart));
  return stands && !/^[ \t]*#/m.test(text.slice(start, body.end)) && conditionsBefore(text, start) === 0;
}

/** Behind the blank line before a definition. */
const startOf = (text: string, { nameStart }: Definition): number => text.lastIndexOf('\n\n', nameStart) + 2;

function conditionsBefore(text: string, end: number): number {
  const before = text.slice(0, end);
  return [...before.matchAll(/^[ \t]*#[ \t]*if/gm)].length - [...before.matchAll(/^[ \t]*#[ \t]*endif/gm)].length;
}

const count = (text: string, sign: string): number => text.split(sign).length - 1;
