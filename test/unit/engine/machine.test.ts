import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { int, struct } from '../../../src/engine/cell';
import { interrupting, source } from '../../../src/engine/fn';
import { NO_STEP } from '../../../src/engine/journal';
import { createMachine } from '../../../src/engine/machine';
import { acquire, Mutex, release } from '../../../src/engine/mutex';
import { running } from '../../../src/engine/running';
import { at, behind, causedBy, preempt, resumedBy, signal, sleep, until } from '../../../src/engine/steps';
import { complete, type Run } from '../../../src/engine/timeline';
import { machineOf } from './machines';

const { fn } = source('linux', 'kernel/test.c');
const Counter = struct('counter', 'A number.', { count: int() });
const options = { parameters: {}, stimuli: [], seed: 0, stepLimit: 10_000, timeLimit: 10_000, recording: true };

const names = ({ journal }: Run): string[] =>
  Array.from({ length: journal.length }, (_, n) => journal.step(n)).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));

test('the same seed gives the same journal, whatever the seed', () => {
  const program = Array.from({ length: 60 }, (_, i) => ({ thread: i % 3, cell: i % 5, value: i, depth: i % 4 }));
  const dump = ({ journal }: Run): string => JSON.stringify(Array.from({ length: journal.length }, (_, n) => journal.step(n)));
  fc.assert(
    fc.property(fc.nat(1_000_000), (seed) => assert.equal(dump(machineOf(program, seed)), dump(machineOf(program, seed)))),
    { numRuns: 40 },
  );
  const orders = new Set(Array.from({ length: 20 }, (_, seed) => dump(machineOf(program, seed))));
  assert.ok(orders.size > 5, 'seeds explore different orders');
});

test('seed 0 runs the most urgent thread that is ready', () => {
  const first = fn('', function* first() {});
  const second = fn('', function* second() {});
  const run = complete(
    createMachine(options, () => {
      running().thread('late', 'late', 'test', 2, second);
      running().thread('soon', 'soon', 'test', 1, first);
    }),
  );
  assert.deepEqual(names(run), ['first', 'second']);
});

test('a thread gives way at a preemption point once somebody more urgent can run', () => {
  const urgent = fn('', function* urgent() {});
  const lazy = fn('', function* lazy(counter: ReturnType<typeof Counter>) {
    counter.count = 1;
    yield* preempt();
    counter.count = 2;
  });
  let seen = 0;
  complete(
    createMachine(options, () => {
      const counter = Counter('the');
      running().thread('lazy', 'lazy', 'test', 2, () => lazy(counter));
      running().thread('urgent', 'urgent', 'test', 1, function* () {
        yield* until(() => counter.count > 0);
        seen = counter.count;
        yield* urgent();
      });
    }),
  );
  assert.equal(seen, 1);
});

test('who interrupts is below what it interrupts, but comes from what it names; only a function that executes is resumed', () => {
  let raisedAt = NO_STEP;
  const raise = fn('', function* raise() {
    raisedAt = signal('line', 'wire');
  });
  const handler = fn('', function* handler() {});
  const work = fn('', function* work() {
    yield* until(() => raisedAt !== NO_STEP);
    causedBy(raisedAt);
    yield* interrupting(handler)();
    resumedBy(raisedAt);
    at('rest');
  });
  const next = fn('', function* next() {});
  const { journal } = complete(
    createMachine(options, () => {
      running().thread('worker', '', 'test', 1, function* () {
        yield* work();
        resumedBy(raisedAt);
        yield* next();
      });
      running().thread('device', '', 'test', 2, raise);
    }),
  );
  const steps = Array.from({ length: journal.length }, (_, n) => journal.step(n));
  const entering = (name: string) => steps.find(({ kind, site }) => kind === 'enter' && site.fn.name === name)!;
  assert.deepEqual([entering('handler').edge, entering('handler').depth, entering('handler').cause], ['root', 1, raisedAt]);
  assert.equal(entering('handler').parent, entering('work').n);
  assert.equal(steps.find(({ site }) => site.anchor?.token === 'rest')?.cause, raisedAt);
  assert.equal(entering('next').cause, NO_STEP);
});

test('time passes only while every thread waits', () => {
  const times: number[] = [];
  const tick = fn('', function* tick() {
    times.push(running().now);
  });
  complete(
    createMachine(options, () => {
      for (const delay of [30, 10, 20]) {
        running().thread(`t${delay}`, '', 'test', 1, function* () {
          yield* sleep(delay);
          yield* tick();
        });
      }
    }),
  );
  assert.deepEqual(times, [10, 20, 30]);
});

test('a timer that re-arms itself for ever ends the run at the time limit', () => {
  const tick = fn('', function* tick() {});
  const run = complete(
    createMachine({ ...options, timeLimit: 95 }, () =>
      running().thread('clock', '', 'test', 1, function* () {
        for (;;) {
          yield* sleep(10);
          yield* tick();
        }
      }),
    ),
  );
  assert.deepEqual(run.ending, { kind: 'time', milliseconds: 90 });
  assert.equal(names(run).length, 9);
});

test('a mutex keeps the second taker out until it is released, under every schedule', () => {
  fc.assert(
    fc.property(fc.nat(1000), (seed) => {
      let inside = 0;
      const critical = fn('', function* critical(mutex: Mutex) {
        yield* acquire(mutex, 'lock');
        inside++;
        assert.equal(inside, 1);
        yield* preempt();
        inside--;
        release(mutex, 'unlock');
      });
      const run = complete(
        createMachine({ ...options, seed }, () => {
          const mutex = Mutex('m');
          for (const id of ['a', 'b', 'c']) running().thread(id, id, 'test', 1, () => critical(mutex));
        }),
      );
      assert.equal(run.ending.kind, 'idle');
    }),
    { numRuns: 50 },
  );
});

test('a model that never ends is stopped at the limit', () => {
  const spin = fn('', function* spin() {
    for (;;) {
      running().at({ token: 'x', as: 'name' }, undefined);
      yield* preempt();
    }
  });
  const run = complete(createMachine({ ...options, stepLimit: 500 }, () => running().thread('spin', '', 'test', 1, spin)));
  assert.deepEqual(run.ending.kind, 'limit');
  assert.ok(run.journal.length < 600);
});

test('a model that never ends and never gives way fails loudly', () => {
  const stuck = fn('', function* stuck() {
    for (;;) running().at({ token: 'x', as: 'name' }, undefined);
  });
  const machine = createMachine({ ...options, stepLimit: 10 }, () => running().thread('stuck', '', 'test', 1, stuck));
  assert.throws(() => machine.run(), /without a preemption point/);
});

test('without recording the same happens and nothing is kept', () => {
  const bump = fn('', function* bump(counter: ReturnType<typeof Counter>) {
    for (let i = 0; i < 10; i++) counter.count += 1;
  });
  let counter: ReturnType<typeof Counter> | undefined;
  const machine = createMachine({ ...options, recording: false }, () => {
    const made = Counter('the');
    counter = made;
    running().thread('t', '', 'test', 1, () => bump(made));
  });
  machine.run();
  assert.equal(counter?.count, 10);
  assert.equal(machine.journal.length, 0);
});

test('model code outside of a run says so', () => {
  assert.throws(() => Counter('nowhere'), /outside of a run/);
});

test('what is done by hand is done at its very step; a model that cannot go on from there ends the run, one by itself fails loudly', () => {
  const count = fn('Counts, and cannot count past ten.', function* count(counter: ReturnType<typeof Counter>) {
    for (;;) {
      at('limit');
      if (counter.count > 10) throw new Error(`cannot count past ${counter.count}`);
      counter.count++;
    }
  });
  const put = fn('Puts a number there.', function* put(counter: ReturnType<typeof Counter>, value: number) {
    counter.count = value;
  });
  const run = (...hands: readonly { readonly at: number; readonly value: number }[]): Run => {
    let counter: ReturnType<typeof Counter> | undefined;
    const thread = { id: 'hand', title: 'hand', context: 'test' };
    const interventions = hands.map(({ at, value }) => ({ at, thread, body: () => put(counter!, value) }));
    const machine = createMachine({ ...options, interventions }, () => {
      counter = Counter('the');
      running().thread('t', 't', 'test', 0, () => count(counter!));
    });
    return complete(machine);
  };
  assert.throws(() => run(), /cannot count past 11/);
  const { ending, journal, cells } = run({ at: 5, value: 0 }, { at: 10, value: 40 });
  assert.deepEqual(ending, { kind: 'fault', problem: 'cannot count past 40' });
  const writes = journal.writesTo(cells[0]!.id, journal.length);
  const written = Array.from({ length: writes.count }, (_, index) => writes.at(index)).map(({ step, new: value }) => `${step}: ${value}`);
  assert.deepEqual(written, ['1: 1', '2: 2', '3: 3', '4: 4', '6: 0', '8: 1', '9: 2', '11: 40']);
});

test('what a function says of a place holds for what comes next in it, a step, a write or a call, and for nothing else', () => {
  const callee = fn('', function* callee() {
    at('inside');
  });
  const caller = fn('', function* caller() {
    const counter = Counter('counter');
    behind('first');
    at('step');
    behind('second');
    counter.count = 1;
    behind('third');
    yield* callee();
    at('last');
  });
  const { journal } = complete(createMachine(options, () => running().thread('only', 'only', 'test', 1, caller)));
  const places = Array.from({ length: journal.length }, (_, n) => journal.step(n)).map(({ site, link }) => [
    site.anchor?.token ?? site.fn.name,
    site.anchor?.after ?? link?.after,
  ]);
  assert.deepEqual(
    places.filter(([, after]) => after !== undefined),
    [
      ['step', 'first'],
      ['count', 'second'],
      ['callee', 'third'],
    ],
  );
});

test('a function that says where something stands and does nothing is a defect of its model', () => {
  const idle = fn('', function* idle() {
    behind('something');
  });
  assert.throws(() => complete(createMachine(options, () => running().thread('only', 'only', 'test', 1, idle))), /idle ended/);
});
