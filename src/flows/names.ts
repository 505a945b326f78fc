import type { Cell, Component } from '../engine/cell';

/**
 * Names of cells: the same in every run of a flow, where numbers are not. `struct(instance).field` names one cell; the shorter
 * `struct.field`, `instance.field` and `field` name those of all instances that they fit. An instance that was allocated again, after it was
 * freed or beside the first, has a number behind its name: `struct(instance #2).field`.
 */

/** What has cells: a run, or a machine that still makes one. */
interface HasCells {
  readonly cells: readonly Cell[];
}

interface Index {
  readonly keys: readonly string[];
  /** The names with the number of the instance's life, whether there are several or not. */
  readonly numbered: readonly string[];
  readonly named: ReadonlyMap<string, readonly number[]>;
}

const indexes = new WeakMap<readonly Cell[], Index>();

/** The one name that tells a cell from all others. */
export const cellKey = ({ cells }: HasCells, cell: number): string => indexOf(cells).keys[cell] ?? `#${cell}`;

/** The cells that a name fits, in the order in which they were allocated. */
export const cellsNamed = ({ cells }: HasCells, name: string): readonly number[] => indexOf(cells).named.get(name) ?? [];

/** All names of a run's cells, each with those that it fits. */
export const cellNames = ({ cells }: HasCells): ReadonlyMap<string, readonly number[]> => indexOf(cells).named;

/** An instance's name; another of the same name and structure is another life of it, or its twin. */
export const instanceName = ({ struct, name }: Pick<Component, 'struct' | 'name'>): string => `${struct}(${name})`;

/** Of several lives of an instance, the cell of the one that is there at a step: the youngest that was allocated by then. */
export function living({ cells }: HasCells, lives: readonly number[], step: number): number | undefined {
  return lives.findLast((cell) => cells[cell]!.component.born <= step);
}

/** For each cell of one run the same of another, by its name and the life of its instance; -1 where that has none. */
export function sameCells(of: HasCells, other: HasCells): Int32Array {
  const theirs = new Map(indexOf(other.cells).numbered.map((name, id) => [name, id]));
  return Int32Array.from(indexOf(of.cells).numbered, (name) => theirs.get(name) ?? -1);
}

function indexOf(cells: readonly Cell[]): Index {
  const held = indexes.get(cells);
  // A machine that is still running allocates more.
  if (held?.keys.length === cells.length) return held;
  const made = makeIndex(cells);
  indexes.set(cells, made);
  return made;
}

function makeIndex(cells: readonly Cell[]): Index {
  const instances = new Map<string, Component[]>();
  for (const { component } of cells) {
    const lives = instances.get(instanceName(component)) ?? [];
    if (lives.at(-1) !== component) lives.push(component);
    instances.set(instanceName(component), lives);
  }
  const named = new Map<string, number[]>();
  const numbered: string[] = [];
  const keys = cells.map(({ id, component, name }) => {
    const { struct, name: instance } = component;
    const lives = instances.get(instanceName(component))!;
    const exact = `${struct}(${instance} #${lives.indexOf(component) + 1}).${name}`;
    const plain = `${instanceName(component)}.${name}`;
    for (const each of new Set([plain, exact, `${struct}.${name}`, `${instance}.${name}`, name])) {
      const ids = named.get(each);
      if (ids) ids.push(id);
      else named.set(each, [id]);
    }
    numbered.push(exact);
    return lives.length === 1 ? plain : exact;
  });
  return { keys, numbered, named };
}
