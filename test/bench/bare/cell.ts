import type { Field, Instance, Struct } from '../../../src/engine/cell';

export * from '../../../src/engine/cell';

/**
 * Structures without the engine: a cell is a field that holds what the models read, as wide as C has it. Each structure is a class of its own,
 * as it is to a compiler: accessors that all structures shared would look every field up anew.
 */

/** An element of an array of words: a field that is reached by an index as well. What it holds fits a small integer, which is fast. */
export class Word {
  private held: number;

  constructor(initial: number) {
    this.held = initial | 0;
  }
  get value(): number {
    return this.held >>> 0;
  }
  set value(value: number) {
    this.held = value | 0;
  }
}

const WORDS = Symbol('words');

/** The element that a structure's key names. */
export const wordOf = (instance: Instance, key: string): Word =>
  (instance as unknown as Readonly<Record<typeof WORDS, ReadonlyMap<string, Word>>>)[WORDS].get(key)!;

type Fields = Readonly<Record<string, Pick<Field<never>, 'type'>>>;

/** `struct` for models without the engine. */
export function struct<F extends Fields>(_name: string, _doc: string, fields: F) {
  const all = Object.entries(fields as unknown as Readonly<Record<string, Field<unknown>>>);
  const words = all.filter(([key, { initial }]) => key.includes('[') && typeof initial === 'number');
  const members = all.map(([key, field], n) =>
    accessors(JSON.stringify(key), words.some(([word]) => word === key) ? `this.field${n}.value` : `this.field${n}`, field),
  );
  const assignments = all.map((_, n) => `this.field${n} = fields[${n}];`);
  // oxlint-disable-next-line typescript/no-implied-eval -- the code is made of the names of cells, here
  const Structure = new Function(`return class { constructor(fields) { ${assignments.join(' ')} } ${members.join(' ')} }`)() as new (
    fields: readonly unknown[],
  ) => Struct<F>;
  return (_instance: string, initial: Readonly<Record<string, unknown>> = {}): Struct<F> => {
    const first = ([key, field]: (typeof all)[number]): unknown => initial[key] ?? field.initial;
    const elements = new Map(words.map((word) => [word[0], new Word(first(word) as number)]));
    const instance = new Structure(all.map((each) => elements.get(each[0]) ?? first(each)));
    return Object.assign(instance, { [WORDS]: elements });
  };
}

function accessors(key: string, place: string, { type }: Field<unknown>): string {
  const bits = 'bits' in type ? type.bits : undefined;
  const held = bits === undefined ? 'value' : bits === 32 ? 'value | 0' : `value & ${(1 << bits) - 1}`;
  return `get ${key}() { return ${bits === 32 ? `${place} >>> 0` : place}; } set ${key}(value) { ${place} = ${held}; }`;
}
