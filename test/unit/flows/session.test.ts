import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createSession, type Change, type Session } from '../../../src/flows/session';
import { outlineKey, outlineOf, type Outline } from '../../../src/flows/outline';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** One object that every view shares: what it says after any sequence of moves is what its run says of that step. */

function begun(parameters: Readonly<Record<string, unknown>> = {}): Session {
  const session = createSession();
  session.explore(vfio_intx, parameters);
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
