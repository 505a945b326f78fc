import type { Anchor, Project, Reference } from './reference';
import type { EdgeKind } from './journal';
import type { Pause, Run } from './machine';
import { running } from './running';

/**
 * Model functions. Each is defined in the module that mirrors its upstream file and carries its upstream name;
 * those two *are* its reference. Calling one pushes a frame on the running thread and journals it.
 */

/** What a model function mirrors: an upstream project's code, or what has no source here: hardware, a guest's driver, a user's program. */
export type World = Project | 'hardware' | 'guest' | 'user';

/** The upstream file that a model module mirrors. */
export interface Home {
  readonly world: World;
  readonly path: string;
}

/** What is known of a model function apart from its behaviour. */
export interface FnInfo {
  readonly name: string;
  readonly home: Home;
  /** What the upstream function does, in our words. */
  readonly does: string;
}

/** A model function: call it with `yield*`. */
export interface Fn<A extends readonly unknown[] = never[], R = unknown> {
  (...args: A): Run<R>;
  readonly info: FnInfo;
  /** Calls it over an edge that is not a plain call. */
  readonly over: (link: Link, ...args: A) => Run<R>;
}

/** How one function reaches another, as far as source can show it. */
export interface Link {
  readonly kind: EdgeKind;
  /** The identifier in the caller that does it: an inline or macro that wraps the callee, or a pointer's name. */
  readonly token?: string;
  /** Behind which identifiers of the caller it stands, as an anchor's. */
  readonly after?: string;
  /** Where the pointer that is called through got its value. */
  readonly registration?: Registration;
}

/** A place in source where a function's address is stored: a table object or a function's body. */
export interface Registration {
  readonly world: World;
  readonly path: string;
  readonly symbol: string;
}

/** A function pointer: whom it reaches, and where that was stored. */
export interface Pointer<A extends readonly unknown[] = never[], R = unknown> {
  readonly target: Fn<A, R>;
  readonly registration: Registration;
}

const DIRECT: Link = { kind: 'call' };

/** Nothing that executes leads there: a thread's outermost function, or one that interrupts. */
export const ROOT: Link = { kind: 'root' };

/** The definitions of one upstream file. */
export interface Definitions {
  readonly home: Home;
  /**
   * Defines the model of an upstream function of this file.
   * @param does what the upstream function does, in a sentence or two for the reader who stands on it
   * @param body a named generator function; its name is the symbol
   */
  fn<A extends readonly unknown[], R>(does: string, body: (...args: A) => Run<R>): Fn<A, R>;
  /**
   * Defines a table of function pointers of this file: a `file_operations`, a `kvm_x86_ops`, an array of exit handlers.
   * @param symbol the table's name in source
   */
  ops<const T extends Readonly<Record<string, Fn<never[], unknown>>>>(symbol: string, table: T): OpsTable<T>;
}

/** A table of pointers, one per member. */
export type OpsTable<T> = { readonly [K in keyof T]: T[K] extends Fn<infer A, infer R> ? Pointer<A, R> : never };

const opened: Home[] = [];

/** The upstream files that the loaded models mirror. */
export const HOMES: readonly Home[] = opened;

/**
 * Opens the mirror of one upstream file.
 * @param world the project that the file belongs to
 * @param path its path in that project's tree, in the newest version that is modelled
 */
export function source(world: World, path: string): Definitions {
  const home: Home = { world, path };
  opened.push(home);
  return {
    home,
    fn: (does, body) => define({ name: body.name, home, does }, body),
    ops(symbol, table) {
      const registration: Registration = { world, path, symbol };
      const pointers = Object.entries(table).map(([member, target]) => [member, { target, registration }]);
      return Object.fromEntries(pointers) as OpsTable<typeof table>;
    },
  };
}

const defined = new Map<string, FnInfo[]>();

/** The functions of a name, in all files that are mirrored: a name is often a `static` one in several. */
export const functionsNamed = (name: string): readonly FnInfo[] => defined.get(name) ?? [];

/** Every function of the loaded models. */
export const allFunctions = (): readonly FnInfo[] => [...defined.values()].flat();

function define<A extends readonly unknown[], R>(info: FnInfo, body: (...args: A) => Run<R>): Fn<A, R> {
  defined.set(info.name, [...functionsNamed(info.name), info]);
  const fn = (...args: A): Run<R> => new Call(info, DIRECT, args, body(...args));
  return Object.assign(fn, { info, over: (link: Link, ...args: A) => new Call(info, link, args, body(...args)) });
}

/** A call of a model function: its body's coroutine between the steps that enter and leave. Not one itself, as every call makes one of these. */
class Call<R> implements Run<R> {
  private entered = false;

  constructor(
    private readonly info: FnInfo,
    private readonly link: Link,
    private readonly args: readonly unknown[],
    private readonly body: Run<R>,
  ) {}

  next(): IteratorResult<Pause, R> {
    if (!this.entered) {
      this.entered = true;
      running().enter(this.info, this.link, this.args);
    }
    const result = this.body.next();
    if (result.done) running().leave(result.value);
    return result;
  }

  return(value: R): IteratorResult<Pause, R> {
    return this.body.return(value);
  }

  throw(error: unknown): IteratorResult<Pause, R> {
    return this.body.throw(error);
  }

  [Symbol.iterator](): this {
    return this;
  }
}

/** Calls `target` through an inline function or macro that stands in the caller's source in its place. */
export function via<A extends readonly unknown[], R>(wrapper: string, target: Fn<A, R>): (...args: A) => Run<R> {
  return (...args) => target.over({ kind: 'call', token: wrapper }, ...args);
}

/**
 * Calls through a function pointer.
 * @param kind what carries the call: an ops table, an ioctl, a wait queue's callback …
 * @param token the identifier in the caller that dispatches
 */
export function through<A extends readonly unknown[], R>(kind: EdgeKind, token: string, to: Pointer<A, R>): (...args: A) => Run<R> {
  return (...args) => to.target.over({ kind, token, registration: to.registration }, ...args);
}

/** Reaches `target` over an edge that has no call in source: an interrupt vector, a VM exit. */
export function architecturally<A extends readonly unknown[], R>(kind: EdgeKind, target: Fn<A, R>): (...args: A) => Run<R> {
  return (...args) => target.over({ kind }, ...args);
}

/** Begins `target` in between what is executing: an interrupt, a signal. What is interrupted does not lead there; `causedBy` says what does. */
export function interrupting<A extends readonly unknown[], R>(target: Fn<A, R>): (...args: A) => Run<R> {
  return (...args) => target.over(ROOT, ...args);
}

/**
 * The same function with its first argument filled in when it is called: what container_of() is to a C callback.
 */
export function bound<T, A extends readonly unknown[], R>(fn: Fn<[T, ...A], R>, first: () => T): Fn<A, R> {
  const bare = (...args: A): Run<R> => fn(first(), ...args);
  return Object.assign(bare, { info: fn.info, over: (link: Link, ...args: A) => fn.over(link, first(), ...args) });
}

/** The same for a pointer: a callback with its private argument filled in when it is called. */
export function boundPointer<T, A extends readonly unknown[], R>(callback: Pointer<[T, ...A], R>, first: () => T): Pointer<A, R> {
  return { target: bound(callback.target, first), registration: callback.registration };
}

/** Takes a function's address inside the function that is executing, which thereby registers it. */
export function addressOf<A extends readonly unknown[], R>(target: Fn<A, R>): Pointer<A, R> {
  const here = running().here();
  return {
    target,
    registration: { world: here.home.world, path: here.home.path, symbol: here.name },
  };
}

/** The reference of a model function, or `undefined` for what has no source. */
export function referenceOf(fn: FnInfo, anchor?: Anchor): Reference | undefined {
  return locate({ world: fn.home.world, path: fn.home.path, symbol: fn.name }, anchor);
}

/** The reference of a place where a pointer is stored, or `undefined` for what has no source. */
export function locate(place: Registration, anchor?: Anchor): Reference | undefined {
  const { world, path, symbol } = place;
  if (world === 'hardware' || world === 'guest' || world === 'user') return undefined;
  return { project: world, path, symbol, ...(anchor ? { anchor } : {}) };
}
