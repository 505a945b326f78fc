import type { EdgeKind } from '../engine/journal';
import type { Parameters } from '../engine/machine';

/**
 * A flow's topology: the parts that a signal may pass, and the wires between them. A declaration only says what stands for what:
 * a part for structure instances and code, a wire for functions and writes. What is drawn, lit, shown and blocked at a step is
 * read from the run.
 */

/** Where a part is: the clusters of the picture. */
export const PART_WORLDS = ['hardware', 'host', 'kvm', 'hypervisor', 'qemu', 'user', 'guest'] as const;
export type PartWorld = (typeof PART_WORLDS)[number];

/** What a part is, for its icon. */
export const PART_KINDS = [
  'device',
  'pin',
  'irq',
  'driver',
  'eventfd',
  'irqfd',
  'route',
  'controller',
  'cpu',
  'loop',
  'worker',
  'object',
  'queue',
] as const;
export type PartKind = (typeof PART_KINDS)[number];

/**
 * Something that blocks a signal at a part: an expression over cells, and why, in a sentence. `cell` gives the value of a cell of
 * the part's instances, NaN where there is none.
 */
export interface Block {
  readonly when: (cell: ReadCell) => boolean;
  readonly because: string;
}

/** Reads a cell by its name. */
export type ReadCell = (name: string) => number;

/** What a part shows of its state: a cell by its name, or something that several cells say together. */
export type Shown =
  | string
  | {
      readonly name: string;
      /** What the names of the cells that it is made of begin with. */
      readonly cells: string;
      readonly text: (cell: ReadCell) => string;
    };

/** A part. It is drawn in runs whose parameters it is meant for, and that have what it stands for. */
export interface PartSpec {
  readonly id: string;
  /** Upstream's name for it. */
  readonly title: string;
  readonly kind: PartKind;
  readonly world: PartWorld;
  /**
   * The structure instances that it stands for: `kvm_ioapic`, `eventfd_ctx(intx.interrupt)`, `kvm_ioapic_pin(pin *)`. Of several
   * that fit one of these, it shows the one that was written or allocated last. Without any it stands for its code.
   */
  readonly of?: readonly string[];
  /** Further instances whose cells `shows` and `blocked` read. */
  readonly reads?: readonly string[];
  /** Functions and files in which the run stands in this part. */
  readonly code?: readonly string[];
  readonly shows?: readonly Shown[];
  readonly blocked?: readonly Block[];
  readonly given?: (parameters: Parameters) => boolean;
}

/**
 * A step that shows that a signal passed a wire. A function may be given with its world or file: `qemu:kvm_set_irq`. With a
 * `thread` only its steps count.
 */
export type Mark = { readonly thread?: string } & MarkedStep;

type MarkedStep =
  /** A function is entered; `under`: somewhere below another one. */
  | { readonly kind: 'enter'; readonly fn: string; readonly under?: string }
  /** A function hands over to another context. */
  | { readonly kind: 'signal'; readonly edge: EdgeKind; readonly fn: string; readonly under?: string }
  /** A cell of a part is written, in a function or anywhere; a name that ends in `*` is the beginning of several. */
  | { readonly kind: 'write'; readonly part: string; readonly cell: string; readonly fn?: string; readonly under?: string };

/** A wire. It is drawn where both of its parts are. */
export interface WireSpec {
  readonly from: string;
  readonly to: string;
  /** What carries the signal; the label unless there is another. */
  readonly kind: EdgeKind;
  readonly label?: string;
  /** Any of these steps lights it, as long as the step is on the way of the current signal. */
  readonly passed?: readonly Mark[];
  /** For a relation between objects: lit while this pointer of `from` points to what `to` stands for. */
  readonly holds?: string;
  readonly given?: (parameters: Parameters) => boolean;
}

/** What a flow declares. */
export interface Topology {
  readonly parts: readonly PartSpec[];
  readonly wires: readonly WireSpec[];
  /** Other titles of worlds than the usual ones. */
  readonly worlds?: Partial<Readonly<Record<PartWorld, string>>>;
}

/** A function is entered, directly or somewhere below `under`. */
export const entering = (fn: string, under?: string): Mark => ({ kind: 'enter', fn, ...(under === undefined ? {} : { under }) });

/** A function hands over to another context. */
export const handing = (edge: EdgeKind, fn: string, under?: string): Mark => ({
  kind: 'signal',
  edge,
  fn,
  ...(under === undefined ? {} : { under }),
});

/** A cell of a part is written, in `fn`, or anywhere; somewhere below `under`, or anywhere. */
export const writing = (part: string, cell: string, fn?: string, under?: string): Mark => ({
  kind: 'write',
  part,
  cell,
  ...(fn === undefined ? {} : { fn }),
  ...(under === undefined ? {} : { under }),
});

/** A mark that only counts on one thread. */
export const onThread = (thread: string, mark: Mark): Mark => ({ ...mark, thread });
