import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createArguments } from '../../../src/flows/arguments';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { defaults, simulate, type FlowRun } from '../../../src/flows/flow';
import { createSession } from '../../../src/flows/session';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** Arguments are found by making the run again: it must be the same run. */

const callsOf = ({ journal }: FlowRun, symbol: string): readonly number[] =>
  Array.from({ length: journal.length }, (_, step) => step).filter(
    (step) => journal.kind(step) === 'enter' && journal.step(step).site.fn.name === symbol,
  );

/** Such a function writes first to the very structure that it is given. */
function writesWhatItIsGiven(run: FlowRun, symbol: string): number {
  const found = createArguments(run);
  let checked = 0;
  for (const call of callsOf(run, symbol).slice(-3)) {
    const [first] = found.at(call);
    assert.equal(first?.kind, 'component');
    for (let step = call + 1; run.journal.parent(step) === call && run.journal.kind(step) === 'at'; step++) {
      const [write, end] = run.journal.writesOf(step);
      if (write === end) continue;
      assert.equal(run.cells[run.journal.write(write).cell]?.component.id, first.component, `${symbol} at ${call}`);
      checked++;
    }
  }
  return checked;
}

test('who writes to what it is given is given what it writes to, in every flow', () => {
  const symbols = ['eventfd_ctx_do_read', 'eventfd_ctx_fileget', 'event_notifier_init', 'aio_notify', 'write_command', 'ioapic_set_irq'];
  const counts = CATALOGUE.flatMap((flow) => {
    const run = simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
    return symbols.map((symbol) => writesWhatItIsGiven(run, symbol));
  });
  assert.ok(counts.reduce((sum, count) => sum + count) > 30, `only ${counts.join(' ')}`);
});

test('numbers are those that the caller had: kvm_set_irq raises the GSI of the irqfd', () => {
  const run = simulate(vfio_intx, { parameters: defaults(vfio_intx), stimuli: [], seed: 0 });
  const gsi = run.cells.find(({ name, component }) => component.struct === 'kvm_kernel_irqfd' && name === 'gsi')!;
  const set = run.journal.writesTo(gsi.id, run.journal.length);
  const [call] = callsOf(run, 'kvm_set_irq').filter((step) => run.journal.step(run.journal.parent(step)).site.fn.name === 'irqfd_inject');
  const numbers = createArguments(run)
    .at(call!)
    .flatMap((argument) => (argument.kind === 'value' ? [argument.value] : []));
  assert.ok(numbers.includes(set.at(0).new), numbers.join(', '));
});

test('what is given is there already, also in a fork', () => {
  const session = createSession();
  session.explore(vfio_intx);
  session.seek(700);
  session.edit('pci_function.INTx', 1);
  const run = session.run!;
  const found = createArguments(run);
  const calls = Array.from({ length: run.journal.length }, (_, step) => step).filter((step) => run.journal.kind(step) === 'enter');
  fc.assert(
    fc.property(fc.nat(calls.length - 1), (index) => {
      const call = calls[index]!;
      for (const argument of found.at(call))
        if (argument.kind === 'component' && argument.component !== undefined)
          assert.ok(run.components[argument.component]!.born <= call, `${run.components[argument.component]?.struct} at ${call}`);
    }),
    { numRuns: 25 },
  );
});
