import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Cell } from '../../../src/engine/cell';
import type { FlowRun } from '../../../src/flows/flow';
import { readScenario } from '../../../src/flows/scenario/scenario';
import { createSession, type Change, type Session } from '../../../src/flows/session';
import { outlineKey, outlineOf, type Outline } from '../../../src/flows/outline';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** One object that every view shares: what it says after any sequence of moves is what its run says of that step. */

function begun(parameters: Readonly<Record<string, unknown>> = {}): Session {
  const session = createSession();
  session.explore(vfio_intx, { parameters });
  return session;
}

const stateOf = (session: Session): number[] => (session.run?.cells ?? []).map(({ id }) => session.cursor?.value(id) ?? NaN);

test('step and step back are each other’s inverse, and pass over returns', () => {
  const session = begun({ interrupts: 1 });
  const visited = [session.position];
  while (session.step()) visited.push(session.position);
  assert.ok(visited.every((step) => session.run?.journal.kind(step) !== 'return'));
  for (const step of visited.toReversed().slice(1)) {
    assert.ok(session.stepBack());
    assert.equal(session.position, step);
  }
  assert.ok(!session.stepBack());
});

test('run to next context stops where another thread runs, every time', () => {
  const session = begun();
  for (;;) {
    const before = session.run!.journal.thread(session.position);
    if (!session.runToNextContext()) break;
    assert.notEqual(session.run!.journal.thread(session.position), before);
  }
});

test('after any walk the state is that of the position', () => {
  const fresh = begun();
  const moves = fc.array(fc.oneof(fc.constantFrom('step', 'stepBack', 'runToNextContext', 'restart'), fc.nat(2000)), { maxLength: 60 });
  fc.assert(
    fc.property(moves, (walk) => {
      const session = begun();
      for (const move of walk) {
        if (typeof move === 'number') session.seek(move);
        else session[move as 'step']();
      }
      fresh.restart();
      fresh.seek(session.position);
      assert.deepEqual(stateOf(session), stateOf(fresh));
    }),
    { numRuns: 40 },
  );
});

test('listeners hear of every change once, and of nothing after they leave', () => {
  const session = createSession();
  const heard: Change[] = [];
  const leave = session.onDidChange((change) => heard.push(change));
  session.explore(vfio_intx);
  session.step();
  session.seek(session.position);
  session.setParameters({ interrupts: 1 });
  leave();
  session.step();
  assert.deepEqual(heard, ['run', 'position', 'run']);
});

test('a stimulus keeps the position and the past, and drops what was injected later', () => {
  const session = begun({ interrupts: 1 });
  session.seek(700);
  session.inject('raise');
  assert.equal(session.position, 700);
  session.seek(400);
  session.inject('lower');
  assert.deepEqual(session.run?.inputs.stimuli, [{ at: 401, name: 'lower' }]);
});

const isWritable = ({ type }: Cell): boolean => type.kind !== 'enum' && type.kind !== 'pointer';

test('an edit changes one cell at one step: before it the fork is its base, at it that cell alone differs', () => {
  const length = begun({ interrupts: 1 }).run!.journal.length;
  fc.assert(
    fc.property(fc.nat(length - 1), fc.nat(), (position, choice) => {
      const session = begun({ interrupts: 1 });
      session.seek(position);
      const base = session.run!;
      // What is allocated later is another matter in each run.
      const known = base.cells.filter(({ component }) => component.born <= position);
      const state = (): number[] => stateOf(session).slice(0, known.length);
      const before = state();
      const cells = known.filter(isWritable);
      const cell = cells[choice % cells.length]!;
      const value = before[cell.id] === 0 ? 1 : 0;
      session.edit(cell.id, value);

      const fork = session.run!;
      assert.deepEqual(session.base, { run: base, step: position });
      assert.equal(session.position, position + 2);
      assert.equal(fork.threads[fork.journal.thread(session.position)]?.id, 'reader');
      assert.deepEqual(
        state(),
        before.map((was, id) => (id === cell.id ? value : was)),
      );
      session.seek(position);
      assert.deepEqual(state(), before);
      for (let n = 0; n <= position; n++) assert.deepEqual(fork.journal.step(n), base.journal.step(n));
      assert.deepEqual(fork.journal.writesOf(position), base.journal.writesOf(position));

      const again = createSession();
      again.explore(fork.flow, fork.inputs);
      assert.equal(again.run!.journal.length, fork.journal.length, 'its inputs determine it');

      session.returnToBase();
      assert.equal(session.run, base);
      assert.equal(session.base, undefined);
      assert.equal(session.position, position);
    }),
    { numRuns: 40 },
  );
});

test('the model goes on from what was set: an interrupt that is masked by hand does not come', () => {
  const session = begun({ interrupts: 1, 'guest-irq': 'split' });
  const handled = ({ journal }: FlowRun): boolean =>
    Array.from({ length: journal.length }, (_, n) => journal.step(n)).some(({ site }) => site.fn.name === 'edu_irq_handler');
  const { journal } = session.run!;
  assert.ok(handled(session.run!));
  let raise = 0;
  while (journal.step(raise).site.fn.name !== 'raise_cause') raise++;
  session.seek(raise);
  session.edit('pci_function.PCI_COMMAND', 0x406);
  assert.ok(!handled(session.run!));
});

test('however often it is forked, the base is the run that was explored', () => {
  const session = begun({ interrupts: 1 });
  const explored = session.run;
  session.seek(700);
  session.inject('raise');
  session.seek(900);
  session.edit('pci_function.INTx', 0);
  assert.deepEqual(session.base, { run: explored, step: 700 });
  session.seek(300);
  session.inject('lower');
  assert.deepEqual(session.base, { run: explored, step: 300 });
  assert.deepEqual(session.run?.inputs.edits, []);
  session.setParameters({ interrupts: 2 });
  assert.deepEqual(session.base, { run: explored, step: -1 });
  session.keepFork();
  assert.equal(session.base, undefined);
});

test('a value that does not fit is refused and changes nothing', () => {
  const session = begun();
  session.seek(100);
  const { run } = session;
  const refused: readonly (readonly [string, number, RegExp])[] = [
    ['kvm_kpic_state(master).irr', 256, /cannot be 256: expected a number of 8 bits/],
    ['kvm_kpic_state(master).irr', 0.5, /expected a number of 8 bits/],
    ['kvm_kpic_state.irr', 1, /could be of kvm_kpic_state\(master\), kvm_kpic_state\(slave\)/],
    ['kvm_kpic_state(master).colour', 1, /there is no kvm_kpic_state\(master\).colour/],
    ['virqfd(unmask).eventfd', 1, /there is no virqfd\(unmask\).eventfd yet at step 101/],
  ];
  for (const [cell, value, why] of refused) assert.throws(() => session.edit(cell, value), why);
  assert.equal(session.run, run);
});

test('what a flow does not have is refused and changes nothing', () => {
  const session = begun();
  const { run } = session;
  assert.throws(() => session.setParameters({ colour: 'red' }), /has no parameter "colour"/);
  assert.throws(() => session.inject('explode'), /has no stimulus "explode"/);
  assert.equal(session.run, run);
});

test('every step of a run has its line in an outline', () => {
  const { run } = begun({ 'kvm-intx': false });
  assert.ok(run);
  const outlines = new Map<string, Outline>();
  for (let n = 0; n < run.journal.length; n++) {
    const { fn, anchor } = run.journal.step(n).site;
    const key = `${fn.home.world} ${fn.home.path}`;
    const outline = outlines.get(key) ?? outlineOf(run, fn.home.world, fn.home.path);
    outlines.set(key, outline);
    const line = outline.lines.get(outlineKey(fn.name, anchor));
    assert.notEqual(line, undefined, `${fn.name} ${anchor?.token}`);
    assert.ok(outline.text.split('\n')[line!]?.includes(anchor?.token ?? fn.name));
  }
});

const SCENARIO = JSON.stringify({
  version: 1,
  title: 'A test',
  flow: 'vfio-intx',
  parameters: { interrupts: 1 },
  chapters: [
    { title: 'The end', prose: '…', at: { function: 'irqfd_resampler_ack' } },
    { title: 'The guest', prose: '…', at: { function: 'edu_irq_handler' } },
  ],
});

test('a scenario tells of its run, and of every fork of it, until another run is explored', () => {
  const read = readScenario(SCENARIO);
  assert.ok(read.kind === 'scenario');
  const { scenario } = read;
  const session = createSession();
  session.explore(scenario.flow, { parameters: { interrupts: 1 } }, 0, scenario);
  const titles = (): readonly string[] => session.chapters.map(({ chapter }) => chapter.title);
  assert.deepEqual(titles(), ['The guest', 'The end']);
  session.seek(session.chapters[0]!.step);
  session.inject('raise');
  assert.equal(session.scenario, scenario);
  assert.deepEqual(titles(), ['The guest', 'The end']);
  session.returnToBase();
  assert.equal(session.scenario, scenario);
  session.setParameters({ 'kvm-intx': false });
  assert.deepEqual(titles(), ['The guest'], 'without KVM’s irqfd nothing is resampled');
  session.explore(scenario.flow);
  assert.equal(session.scenario, undefined);
  assert.ok(session.chapters.length > 2);
});
