import type { Adapter } from './adapter';
import { kvm } from './kvm';
import { qemu } from './qemu';
import type { Scenario } from './recording';

/** The implementations whose recordings can be replayed, by the `source` that a scenario names; KVM's name none. */
const ADAPTERS: ReadonlyMap<unknown, Adapter> = new Map([
  [undefined, kvm],
  ['qemu-7.2-tcg', qemu],
]);

/** The adapter for a scenario, or undefined if its source is not known. */
export const adapterFor = ({ source }: Scenario): Adapter | undefined => ADAPTERS.get(source);
