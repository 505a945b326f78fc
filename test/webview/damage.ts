import * as fc from 'fast-check';

/** Messages that were good until somebody put something else into them: what hostile input looks like behind the first check. */

/** Values that no field expects; as many as can cross between a page and its extension. */
const STRANGE: readonly ((old: unknown) => unknown)[] = [
  () => undefined,
  // oxlint-disable-next-line no-null
  () => null,
  () => Number.NaN,
  () => -1,
  () => -0,
  () => 0.5,
  () => 2 ** 53,
  () => Number.POSITIVE_INFINITY,
  () => 4_294_967_295,
  () => '',
  () => '<img src=x onerror="document.title=1"><script>document.title=1</script>',
  () => '__proto__',
  () => 'constructor',
  () => '\u202e\u0000\ud800',
  () => 'x'.repeat(100_000),
  () => true,
  () => [],
  () => Array.from({ length: 20_000 }, () => 0),
  () => Array.from({ length: 5 }),
  () => ({}),
  () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as unknown,
  // Much deeper, and the way into the test's browser hangs.
  () => nested(60),
  () => circular(),
  () => new Date(0),
  () => new Map([['length', 3]]),
  () => new Uint32Array(3),
  () => new Uint8Array(70_000).fill(255),
  () => new Float64Array([Number.NaN, -1, 1e300]),
  () => new ArrayBuffer(8),
  (old) => [old],
  (old) => ({ 0: old, length: 1 }),
  (old) => String(old).slice(0, 1000),
  (old) => (typeof old === 'number' ? old + 1 : old),
  (old) => (typeof old === 'number' ? old - 1 : old),
  (old) => (Array.isArray(old) ? old.slice(1) : old),
  (old) => (Array.isArray(old) ? [...(old as readonly unknown[]), ...(old as readonly unknown[])] : old),
  (old) => (Array.isArray(old) ? old.toReversed() : old),
  (old) => (isColumn(old) ? old.slice(1) : old),
  (old) => (isColumn(old) ? old.toReversed() : old),
  (old) => (isColumn(old) ? Array.from(old) : old),
];

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;
const isColumn = (value: unknown): value is Column => ArrayBuffer.isView(value) && !(value instanceof DataView);

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { type: value };
  return value;
}

function circular(): unknown {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

/** Where to put what: at each level of a message the path chooses a field, and stops early if there is none. */
const damages = fc.array(fc.record({ path: fc.array(fc.nat(10_000), { minLength: 1, maxLength: 8 }), what: fc.nat(STRANGE.length - 1) }), {
  minLength: 1,
  maxLength: 3,
});

/** One of the samples with one to three of its values, at any depth, exchanged. */
export const damaged = (samples: readonly object[]): fc.Arbitrary<unknown> =>
  fc.tuple(fc.constantFrom(...samples), damages).map(([sample, changes]) => {
    const message: unknown = structuredClone(sample);
    for (const { path, what } of changes) exchange(message, path, STRANGE[what]!);
    return message;
  });

function exchange(message: unknown, path: readonly number[], make: (old: unknown) => unknown): void {
  let holder = message;
  for (const [level, choice] of path.entries()) {
    if (typeof holder !== 'object' || holder === null) return;
    const keys = isColumn(holder) ? [choice % Math.max(1, holder.length)] : Object.keys(holder);
    const key = keys[choice % Math.max(1, keys.length)];
    if (key === undefined) return;
    const next: unknown = Reflect.get(holder, key);
    if (level < path.length - 1 && typeof next === 'object' && next !== null) {
      holder = next;
      continue;
    }
    const value = make(next);
    Reflect.set(holder, key, isColumn(holder) && typeof value !== 'number' ? 1e9 : value);
    return;
  }
}
