/**
 * Where a step stands in upstream source. A model function's reference is made of its own name and of the
 * path of the module that it lives in; nothing here is ever a line number.
 */

/** An upstream tree that models mirror and that readers may have at hand. */
export type Project = 'linux' | 'qemu' | 'acrn';

export const PROJECTS: readonly Project[] = ['linux', 'qemu', 'acrn'];

/**
 * An identifier inside a function's body. `as` says what it does there, and so which occurrence is meant:
 * the first one that is called (`call`), assigned to (`write`), or simply stands there (`name`).
 */
export interface Anchor {
  readonly token: string;
  readonly as: 'call' | 'write' | 'name';
  /**
   * Only occurrences behind the first one of this identifier are meant: where a body does the same in two branches. Several identifiers, with
   * spaces between, are passed in turn.
   */
  readonly after?: string;
}

/** What tells one anchor of a function from another. */
export const anchorKey = ({ as, token, after }: Anchor): string =>
  after === undefined ? `${as} ${token}` : `${as} ${token} after ${after}`;

/** The anchor that a key was made of. */
export function anchorOfKey(key: string): Anchor {
  const [, as, token, after] = /^(call|write|name) (\S+)(?: after (.+))?$/.exec(key) ?? [];
  if (as === undefined || token === undefined) throw new Error(`“${key}” is no key of an anchor`);
  return { token, as: as as Anchor['as'], ...(after === undefined ? {} : { after }) };
}

/** A place in upstream source: a symbol in a file, and optionally an identifier inside the symbol's body. */
export interface Reference {
  readonly project: Project;
  readonly path: string;
  readonly symbol: string;
  readonly anchor?: Anchor;
}

/** One line that names a reference for people: `linux:virt/kvm/eventfd.c irqfd_wakeup › schedule_work`. */
export function describeReference(reference: Reference): string {
  const place = `${reference.project}:${reference.path} ${reference.symbol}`;
  return reference.anchor ? `${place} › ${reference.anchor.token}` : place;
}

/** What tells one reference from all others. */
export const referenceKey = ({ project, path, symbol, anchor }: Reference): string =>
  `${project}:${path} ${symbol}${anchor === undefined ? '' : ` ${anchorKey(anchor)}`}`;

/** Where a reference stands, for texts that are read without Virtflow. */
export interface Whereabouts {
  /** Upstream's page of it. */
  readonly page: string;
  readonly path: string;
  readonly find: Find;
  /** What readers should know of the place, or of why there is none. */
  readonly remark?: string;
}

/** How the line is found in the file. */
export type Find =
  | { readonly kind: 'pattern'; readonly pattern: string }
  /** Counted from 1: nothing that is written there tells the line from others. */
  | { readonly kind: 'line'; readonly line: number }
  /** The tree, or the version, does not hold it. */
  | { readonly kind: 'missing' };

/** `caller` calls `callee` by name, or calls the macro or inline function `via`, which does. */
export interface DirectEdge {
  readonly kind: 'direct';
  readonly caller: Reference;
  readonly callee: string;
  readonly via?: string;
}

/** `caller` calls what the pointer `dispatch` holds; `callee` got there where `registration` names it. */
export interface IndirectEdge {
  readonly kind: 'indirect';
  readonly caller: Reference;
  readonly dispatch: string;
  readonly callee: Reference;
  readonly registration: StoredAt;
}

/** The function, table or macro that stores a function's address, and the identifier that stands for it there. */
export interface StoredAt {
  readonly reference: Reference;
  readonly token: string;
}

export type SourceEdge = DirectEdge | IndirectEdge;

/** What models claim about upstream sources. */
export interface Claims {
  readonly references: readonly Reference[];
  readonly edges: readonly SourceEdge[];
}
