import type { Field, Instance, Struct } from '../../../src/engine/cell';

export * from '../../../src/engine/cell';

/**
 * Structures without the engine: a cell is a field that holds what the models read, as wide as C has it. Each structure is a class of its own,
 * as it is to a compiler: accessors that all structures shared would look every field up anew.
 */

/** An element of an array: a field that is reached by an index as well. */
export interface Held<V = unknown> {
  value: V;
}

const ELEMENTS = Symbol('elements');

/** The element that a structure's key names. */
export const elementOf = (instance: Instance, key: string): Held<number> =>
  (instance as unknown as Readonly<Record<typeof ELEMENTS, ReadonlyMap<string, Held<number>>>>)[ELEMENTS].get(key)!;

type Fields = Readonly<Record<string, Pick<Field<never>, 'type'>>>;

/** `struct` for models without the engine. */
export function struct<F extends Fields>(_name: string, _doc: string, fields: F) {
  const all = Object.entries(fields as unknown as Readonly<Record<string, Field<unknown>>>);
  const members = all.map(([key, { type }], n) => {
    const name = JSON.stringify(key);
    const place = isElement(key) ? `this.field${n}.value` : `this.field${n}`;
    const value = 'bits' in type ? `(value & ${type.bits === 32 ? -1 : (1 << type.bits) - 1}) >>> 0` : 'value';
    return `get ${name}() { return ${place}; } set ${name}(value) { ${place} = ${value}; }`;
  });
  const assignments = all.map((_, n) => `this.field${n} = fields[${n}];`);
  // oxlint-disable-next-line typescript/no-implied-eval -- the code is made of the names of cells, here
  const Structure = new Function(`return class { constructor(fields) { ${assignments.join(' ')} } ${members.join(' ')} }`)() as new (
    fields: readonly unknown[],
  ) => Struct<F>;
  return (_instance: string, initial: Readonly<Record<string, unknown>> = {}): Struct<F> => {
    const held = all.map(([key, field]) => {
      const value = initial[key] ?? field.initial;
      return isElement(key) ? { value } : value;
    });
    return Object.assign(new Structure(held), { [ELEMENTS]: new Map(all.map(([key], n) => [key, held[n]])) });
  };
}

const isElement = (key: string): boolean => key.includes('[');
