/** The kinds of execution context: views show each in its own colour and place, from the device inwards. */
export const CONTEXT_KINDS = ['device', 'hardirq', 'kworker', 'qemu', 'vcpu', 'guest', 'other'] as const;
export type ContextKind = (typeof CONTEXT_KINDS)[number];

const KINDS: ReadonlyMap<string, ContextKind> = new Map([
  ['device', 'device'],
  ['outside', 'device'],
  ['hardirq', 'hardirq'],
  ['softirq', 'hardirq'],
  ['kworker', 'kworker'],
  ['kthread', 'kworker'],
  ['qemu', 'qemu'],
  ['acrn-dm', 'qemu'],
  ['process', 'qemu'],
  ['vcpu', 'vcpu'],
  ['hypervisor', 'vcpu'],
  ['guest', 'guest'],
]);

/** The kind of a thread's context: programs beside QEMU are of its kind, a hypervisor of a vCPU's. */
export const contextKind = (context: string): ContextKind => KINDS.get(context) ?? 'other';

/** Threads in the order of the lanes, from the device inwards; those of a kind stay in theirs. */
export const inLaneOrder = <T extends { readonly context: string }>(threads: readonly T[]): readonly T[] =>
  threads.toSorted((a, b) => CONTEXT_KINDS.indexOf(contextKind(a.context)) - CONTEXT_KINDS.indexOf(contextKind(b.context)));
