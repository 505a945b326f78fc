import type { RunOutline, StepColumns } from '../protocol';
import { firstNotBefore } from '../search';
import { KIND } from '../steps';

/** What was looked for in a run, and where it is. */

/** Shorter texts are in everything. */
const SHORTEST = 2;

/** Cells that a text may name at once; each costs a question to the extension. */
const MOST_CELLS = 8;

/** The text as it is compared, or undefined where it is too short to look for. */
export function needleOf(text: string): string | undefined {
  const needle = text.trim().toLowerCase();
  return needle.length >= SHORTEST ? needle : undefined;
}

/** The steps that enter a function, or stand on an identifier, whose name contains `needle`. */
export function findSteps({ length, kinds, sites, siteTable }: StepColumns, needle: string): Uint32Array {
  const contains = (text: string | undefined): boolean => text?.toLowerCase().includes(needle) === true;
  const bySymbol = siteTable.map(({ symbol }) => contains(symbol));
  const byAnchor = siteTable.map(({ anchor }) => contains(anchor));
  const found = new Uint32Array(length);
  let count = 0;
  for (let n = 0; n < length; n++) {
    const kind = kinds[n];
    if (kind === KIND.enter ? bySymbol[sites[n]!] : kind !== KIND.return && byAnchor[sites[n]!]) found[count++] = n;
  }
  return found.slice(0, count);
}

/** The cells whose `struct.cell` contains `needle`, among those that the run writes at all. */
export function findCells({ components }: RunOutline, needle: string): readonly { readonly component: number; readonly cell: string }[] {
  return components
    .flatMap(({ struct, cells }, component) =>
      cells.map(({ name, touched }) => ({ component, cell: name, touched, text: `${struct}.${name}`.toLowerCase() })),
    )
    .filter(({ touched, text }) => touched && text.includes(needle))
    .slice(0, MOST_CELLS)
    .map(({ component, cell }) => ({ component, cell }));
}

/** Rising numbers of several lists as one, each once. */
export function union(lists: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(lists.reduce((sum, { length }) => sum + length, 0));
  let used = 0;
  for (const list of lists) {
    all.set(list, used);
    used += list.length;
  }
  all.sort();
  return all.filter((value, index) => index === 0 || value !== all[index - 1]);
}

/** The next of the rising `steps` after `from` in a direction, round the ends; undefined when there are none. */
export function nextMatch(steps: Uint32Array, from: number, direction: 1 | -1): number | undefined {
  if (steps.length === 0) return undefined;
  const index = direction === 1 ? firstNotBefore(steps, from + 1) : firstNotBefore(steps, from) - 1;
  return steps[(index + steps.length) % steps.length];
}
