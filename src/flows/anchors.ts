import { functionsNamed, type FnInfo } from '../engine/fn';
import { anchorOfKey, type Anchor } from '../engine/reference';
import committed from './anchors.json';

/**
 * The identifiers that steps stand on in each function. A function’s body says so only by running, and to run it in every way that there is takes too
 * long for somebody who asks: `coverage` does, and what it found is committed.
 */

/** By home, `linux virt/kvm/eventfd.c`, and name: the keys of the anchors. */
export type AnchorIndex = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const INDEX: AnchorIndex = committed;

/** What tells a function’s file from all others. */
export const homeKey = ({ home: { world, path } }: FnInfo): string => `${world} ${path}`;

/** The anchors in the functions of a name, in one file or in all that have one. */
export const anchorsIn = (name: string, file?: string): readonly Anchor[] =>
  functionsNamed(name)
    .filter(({ home }) => file === undefined || home.path === file)
    .flatMap((fn) => INDEX[homeKey(fn)]?.[name] ?? [])
    .map(anchorOfKey);

/** The index as it is committed: a function in a line, everything in the order of the alphabet. */
export function printAnchors(anchors: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>): string {
  const homes = sorted(anchors).map(([home, names]) => {
    const lines = sorted(names).map(([name, keys]) => `  ${JSON.stringify(name)}: ${JSON.stringify([...keys].toSorted())}`);
    return ` ${JSON.stringify(home)}: {\n${lines.join(',\n')}\n }`;
  });
  return `{\n${homes.join(',\n')}\n}\n`;
}

const sorted = <T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
