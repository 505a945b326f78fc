import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { vfio_intx } from '../../../src/flows/vfio-intx';
import { align } from '../../../src/trace/align';
import { alignBest } from '../../../src/trace/fit';

/** A run, written down as a tracer would have, is lined up with itself; what is then changed in the text is found. */

const simulated = (parameters: Readonly<Record<string, unknown>> = {}): FlowRun =>
  simulate(vfio_intx, { parameters: resolveParameters(vfio_intx, { interrupts: 1, ...parameters }), stimuli: [], seed: 0 });

interface Call {
  readonly name: string;
  readonly depth: number;
  readonly line: string;
}

/** The kernel's calls of a run as function_graph text, one line each: all are leaves, and nest by their indentation. */
function recorded({ journal, threads }: FlowRun): readonly Call[] {
  const calls: Call[] = [];
  const depths = new Map<number, number>();
  for (let n = 0; n < journal.length; n++) {
    const { kind, parent, site, thread } = journal.step(n);
    const { context } = threads[thread]!;
    if (kind !== 'enter' || context === 'guest' || context === 'device') continue;
    const depth = depths.get(parent) ?? 0;
    const kernel = site.fn.home.world === 'linux';
    depths.set(n, kernel ? depth + 1 : depth);
    if (!kernel) continue;
    const task = context === 'kworker' ? `kworker-${thread + 1}` : `qemu-${thread + 1}`;
    const flags = context === 'hardirq' ? 'd.h1.' : '.....';
    const line = `  ${n}.000001 |   0)  ${task}   |  ${flags} |               |  ${'  '.repeat(depth)}${site.fn.name}() {`;
    calls.push({ name: site.fn.name, depth, line });
  }
  return calls;
}

const aligned = (run: FlowRun, lines: readonly string[]) => align([{ run, from: 0 }], [], () => lines);

test('a run agrees with itself, whatever its parameters', () => {
  const parameters = fc.record({
    'kvm-intx': fc.boolean(),
    disintx: fc.boolean(),
    'pending-at-eoi': fc.boolean(),
    linux: fc.constantFrom('6.1', '6.12'),
    lapic: fc.constantFrom('vmx-apicv', 'vmx-xapic', 'svm-x2apic'),
  });
  fc.assert(
    fc.property(parameters, (given) => {
      const run = simulated(given);
      const { score, matched, onlyInRun, onlyInTrace, breaks } = aligned(
        run,
        recorded(run).map(({ line }) => line),
      );
      assert.deepEqual([score, onlyInRun.first, onlyInTrace.first, breaks.first], [1, [], [], []]);
      assert.ok(matched > 50);
    }),
    { numRuns: 20 },
  );
});

test('a call that the recording lacks is only in the run, and one that it has more only in the trace', () => {
  // Twice, so that both sides know each function even without the one call.
  const run = simulated({ interrupts: 2 });
  const calls = recorded(run);
  const gone = calls.findIndex(({ name }) => name === 'kvm_arch_set_irq_inatomic');
  const without = aligned(
    run,
    calls.filter((_, index) => index !== gone).map(({ line }) => line),
  );
  assert.ok(without.score < 1 && without.score > 0.9, String(without.score));
  assert.deepEqual(
    without.onlyInRun.first.map(({ name }) => name),
    ['kvm_arch_set_irq_inatomic'],
  );

  const more = calls.findIndex(({ name }) => name === 'vfio_intx_handler') + 1;
  const extra = calls[more]!.line.replace(`${calls[more]!.name}()`, 'eventfd_ctx_do_read()');
  const withMore = aligned(
    run,
    [...calls.slice(0, more), { line: extra }, ...calls.slice(more)].map(({ line }) => line),
  );
  assert.ok(withMore.score < 1 && withMore.score > 0.9, String(withMore.score));
  assert.deepEqual(
    withMore.onlyInTrace.first.map(({ name }) => name),
    ['eventfd_ctx_do_read'],
  );
});

test('how often a loop goes round makes no difference', () => {
  const run = simulated();
  const lines = recorded(run).flatMap(({ name, line }) => (name === 'kvm_irq_map_gsi' ? [line, line, line] : [line]));
  assert.equal(aligned(run, lines).score, 1);
});

test('what a function that the flow does not know makes for somebody else is not compared', () => {
  const run = simulated();
  const calls = recorded(run);
  const at = calls.findIndex(({ name }) => name === 'kvm_set_irq') + 1;
  const { depth, line } = calls[at]!;
  const below = (name: string, by: number): string => line.replace(/\| +\w+\(\) \{$/, `|  ${'  '.repeat(depth + by)}${name}() {`);
  const detour = (stranger: string): number => {
    const lines = calls.map((each) => each.line);
    return aligned(run, [...lines.slice(0, at), below(stranger, 0), below('eventfd_ctx_fdget', 1), ...lines.slice(at)]).onlyInTrace.count;
  };
  assert.equal(detour('somebody_else'), 0);
  assert.ok(detour('kvm_irq_map_gsi') > 0, 'below a function of the flow the same call is a difference');
});

test('calls in another order do not agree', () => {
  const run = simulated();
  const { score } = aligned(
    run,
    recorded(run)
      .toReversed()
      .map(({ line }) => line),
  );
  assert.ok(score < 0.7, `${score}`);
});

test('what is not set is chosen to fit', () => {
  const run = simulated({ lapic: 'svm-x2apic', linux: '6.1', 'kvm-intx': false });
  const lines = recorded(run).map(({ line }) => line);
  const { parameters, alignment } = alignBest(vfio_intx, { interrupts: 1 }, () => lines);
  assert.deepEqual([parameters['lapic'], parameters['kvm-intx'], alignment.score], ['svm-x2apic', false, 1]);
});

test('any text is aligned or passed over: nothing throws, the score is a part of one', () => {
  const run = simulated();
  const calls = recorded(run);
  const line = fc.oneof(fc.string(), fc.constantFrom(...calls.map((call) => call.line)));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 200 }), (lines) => {
      const { score, skipped } = aligned(run, lines);
      assert.ok(score >= 0 && score <= 1 && skipped.count <= lines.length);
    }),
  );
});

test('of a long recording that nothing agrees with, only the beginning of the differences is kept', () => {
  const run = simulated();
  const lines = function* (): Generator<string> {
    const call = recorded(run).find(({ name }) => name === 'vfio_intx_handler')!.line;
    for (let n = 0; n < 50_000; n++) yield n % 3 === 0 ? 'what a disk full of something else looks like' : call;
  };
  const { onlyInTrace, skipped, matched } = align([{ run, from: 0 }], [], lines);
  assert.ok(onlyInTrace.count + matched > 30_000 && onlyInTrace.first.length <= 1_000);
  assert.equal(skipped.count, 16_667);
  assert.equal(skipped.first.length, 1_000);
});
