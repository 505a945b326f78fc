import type { Instance } from '../../../src/engine/cell';
import type { Element } from '../../../src/models/qemu/element';
import { elementOf, type Held } from './cell';

export type { Element } from '../../../src/models/qemu/element';

/** Elements without the engine: the fields themselves, found once. All of them are words, or written only with what fits. */
class FieldElement implements Element {
  constructor(
    private readonly cell: Held<number>,
    private readonly wmask: number,
  ) {}
  get value(): number {
    return this.cell.value;
  }
  set value(value: number) {
    this.cell.value = ((this.cell.value & ~this.wmask) | (value & this.wmask)) >>> 0;
  }
}

export const element = (instance: Instance, key: string, wmask = 0xffffffff): Element =>
  new FieldElement(elementOf(instance, key), wmask | 0);

export const elements = (instance: Instance, count: number, name: (index: number) => string): readonly Element[] =>
  Array.from({ length: count }, (_, index) => element(instance, name(index)));
