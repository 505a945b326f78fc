import { source as engineSource, type Definitions, type Fn, type Link, type Registration } from '../../../src/engine/fn';
import type { Run } from '../../../src/engine/machine';

export * from '../../../src/engine/fn';

/** `source` for models without the engine: a model function is its body. */
export function source(...[world, path, formerly]: Parameters<typeof engineSource>): Definitions {
  const { home } = engineSource(world, path, formerly);
  return {
    home,
    fn: <A extends readonly unknown[], R>(does: string, body: (...args: A) => Run<R>): Fn<A, R> =>
      Object.assign(body, {
        info: { name: body.name, home, does, formerly: [] },
        over: (_link: Link, ...args: A) => body(...args),
      }),
    ops(symbol, table) {
      const registration: Registration = { world, path, symbol, formerly: [] };
      return Object.fromEntries(Object.entries(table).map(([member, target]) => [member, { target, registration }])) as never;
    },
  };
}
