import type { Instance } from '../../../src/engine/cell';
import type { Element } from '../../../src/models/qemu/element';
import { wordOf } from './cell';

export type { Element } from '../../../src/models/qemu/element';

/** Elements without the engine: the words themselves, found once. Those of which a write changes only some bits are not among these chips'. */
export function element(instance: Instance, key: string, wmask?: number): Element {
  if (wmask !== undefined) throw new Error(`bare models have no write mask, which ${key} wants`);
  return wordOf(instance, key);
}

export const elements = (instance: Instance, count: number, name: (index: number) => string): readonly Element[] =>
  Array.from({ length: count }, (_, index) => wordOf(instance, name(index)));
