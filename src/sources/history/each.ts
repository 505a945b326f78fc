import type { Fact } from '../history';

/** The same facts of several symbols, or of several anchors of one: `each(['f call a', 'f call b'], { until: '6.1', absent: '…' })`. */
export const each = (keys: readonly string[], ...facts: readonly Fact[]): Readonly<Record<string, readonly Fact[]>> =>
  Object.fromEntries(keys.map((key) => [key, facts]));
