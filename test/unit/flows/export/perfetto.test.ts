import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perfetto, type TraceEvent } from '../../../../src/flows/export/perfetto';
import { stepsBetween } from '../../../../src/flows/export/range';
import { nameOf, rangesOf, RUNS } from './runs';

/** The laws of Chrome's trace events, as its readers need them. */

interface Slice {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

const key = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;

/** The slices of each thread: what begins ends, innermost first, and time does not go back. */
function slicesOf(events: readonly TraceEvent[]): ReadonlyMap<string, readonly Slice[]> {
  const open = new Map<string, TraceEvent[]>();
  const slices = new Map<string, Slice[]>();
  const latest = new Map<string, number>();
  for (const event of events) {
    if (event.ph !== 'B' && event.ph !== 'E') continue;
    const thread = key(event);
    assert.ok(event.ts! >= (latest.get(thread) ?? 0), 'time goes back');
    latest.set(thread, event.ts!);
    const frames = open.get(thread) ?? [];
    open.set(thread, frames);
    if (event.ph === 'B') {
      frames.push(event);
      continue;
    }
    const begun = frames.pop();
    assert.ok(begun, `${thread} ends what did not begin`);
    slices.set(thread, [...(slices.get(thread) ?? []), { name: begun.name!, begin: begun.ts!, end: event.ts! }]);
  }
  for (const [thread, frames] of open) assert.deepEqual(frames, [], `${thread} does not end everything`);
  return slices;
}

for (const run of RUNS) {
  test(`${nameOf(run)} becomes a trace whose slices nest and whose flows meet slices`, () => {
    for (const range of rangesOf(run).filter((one) => one.end - one.first < 2500)) {
      const { traceEvents } = JSON.parse([...perfetto(run, range)].join('')) as { readonly traceEvents: readonly TraceEvent[] };
      const slices = slicesOf(traceEvents);
      const within = (event: TraceEvent) => slices.get(key(event))?.some(({ begin, end }) => begin <= event.ts! && event.ts! <= end);
      const flows = new Map<number, string>();
      for (const event of traceEvents) {
        if (event.ph !== 'M') assert.ok(event.ts! >= range.first && event.ts! <= range.end);
        if (event.ph === 's' || event.ph === 'f') flows.set(event.id!, (flows.get(event.id!) ?? '') + event.ph);
        if (event.ph === 's' || event.ph === 'f' || event.s === 't') assert.ok(within(event), JSON.stringify(event));
      }
      const steps = Array.from({ length: range.end - range.first }, (_, n) => run.journal.step(range.first + n));
      assert.equal(flows.size, steps.filter(({ cause }) => cause >= range.first).length);
      assert.deepEqual([...new Set(flows.values())], flows.size === 0 ? [] : ['sf']);
      const entered = [...slices.values()].flat().filter(({ begin, end }) => begin > range.first && begin < end).length;
      assert.equal(entered, steps.filter(({ kind, n }) => kind === 'enter' && n > range.first).length);
      const written = steps.reduce((sum, { n }) => sum + (run.journal.writesOf(n)[1] > run.journal.writesOf(n)[0] ? 1 : 0), 0);
      assert.equal(traceEvents.filter(({ cat }) => cat === 'write').length, written);
    }
  });
}

test('a range that begins inside of functions begins with them', () => {
  const run = RUNS.find(({ flow }) => flow.id === 'vfio-intx')!;
  const at = Array.from({ length: run.journal.length }, (_, n) => n).find((n) => run.journal.step(n).site.fn.name === 'irqfd_inject')!;
  const { traceEvents } = JSON.parse([...perfetto(run, stepsBetween(run, at + 1, at + 5))].join('')) as {
    readonly traceEvents: readonly TraceEvent[];
  };
  assert.ok(traceEvents.some(({ ph, name, ts }) => ph === 'B' && name === 'irqfd_inject' && ts === at + 1));
});
