import { source as engineSource, type Definitions, type Fn, type Link, type Pointer, type Registration } from '../../../src/engine/fn';
import type { Run } from '../../../src/engine/machine';

export * from '../../../src/engine/fn';

/** `source` for models without the engine: a model function is its body. */
export function source(...[world, path]: Parameters<typeof engineSource>): Definitions {
  const { home } = engineSource(world, path);
  return {
    home,
    fn: <A extends readonly unknown[], R>(does: string, body: (...args: A) => Run<R>): Fn<A, R> =>
      Object.assign(body, {
        info: { name: body.name, home, does },
        over: (_link: Link, ...args: A) => body(...args),
      }),
    ops(symbol, table) {
      const registration: Registration = { world, path, symbol };
      return Object.fromEntries(Object.entries(table).map(([member, target]) => [member, { target, registration }])) as never;
    },
  };
}

/** Calls of all kinds are calls, and a pointer needs no more than whom it reaches. */
export const via = <F>(_wrapper: string, target: F): F => target;
export const architecturally = <F>(_kind: string, target: F): F => target;
export const interrupting = <F>(target: F): F => target;
export const through = <A extends readonly unknown[], R>(_kind: string, _token: string, to: Pointer<A, R>): Fn<A, R> => to.target;

const NOWHERE: Registration = { world: 'hardware', path: '', symbol: '' };

export const addressOf = <A extends readonly unknown[], R>(target: Fn<A, R>): Pointer<A, R> => ({ target, registration: NOWHERE });

export const bound = <T, A extends readonly unknown[], R>(target: Fn<[T, ...A], R>, first: () => T): Fn<A, R> =>
  Object.assign((...args: A) => target(first(), ...args), {
    info: target.info,
    over: (_link: Link, ...args: A) => target(first(), ...args),
  });

export const boundPointer = <T, A extends readonly unknown[], R>(callback: Pointer<[T, ...A], R>, first: () => T): Pointer<A, R> => ({
  target: bound(callback.target, first),
  registration: callback.registration,
});
