/** Assertions that work in a web worker too, where node:assert does not. */

export function ok(value: unknown, message: string): asserts value {
  if (!value) throw new Error(message);
}

/** Compares plain data by its content. */
export function equal<T>(actual: T, expected: T): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  ok(found === wanted, `expected ${wanted}, got ${found}`);
}

/** Waits, at most `timeout` milliseconds, until `find` finds something. */
export async function until<T>(what: string, find: () => T | undefined | Promise<T | undefined>, timeout = 10_000): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    ok(Date.now() < deadline, `no ${what} within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
