import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor, type Cursor } from '../../../src/engine/timeline';
import { goOn, problemOf, type Stop } from '../../../src/flows/breakpoints';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { evaluate } from '../../../src/flows/expressions';
import { defaults, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellKey } from '../../../src/flows/names';
import type { Direction } from '../../../src/flows/navigate';
import { sitesOf, type Place } from '../../../src/flows/sites';
import { isProblem } from '../../../src/flows/syntax';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** Stops, held to what they say of every single step, in every flow and both ways. */

interface Sample {
  readonly run: FlowRun;
  readonly cursor: Cursor;
  readonly places: readonly Place[];
  /** Cells that are written at all. */
  readonly written: readonly number[];
}

const samples: readonly Sample[] = CATALOGUE.map((flow) => {
  const run = simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 });
  const written = run.cells.map(({ id }) => id).filter((id) => run.journal.writesTo(id, run.journal.length).count > 0);
  return { run, cursor: createCursor(run), places: sitesOf(run), written };
});

const conditions = fc.record(
  {
    condition: fc.constantFrom('1', '$step % 3', '$step > 700', '$step % 2 == 0 && $thread != 0', '1 / ($step % 4)', '0'),
    hitCondition: fc.constantFrom('1', '2', '>= 3', '< 4', '% 2', ' %3 ', '== 5', '> 1'),
  },
  { requiredKeys: [] },
);

/** A stop of a run that is chosen later: its places and cells are numbers. */
const stops = fc.array(
  fc
    .tuple(
      fc.oneof(
        fc.record({ kind: fc.constant('site' as const), places: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }) }),
        fc.record({ kind: fc.constant('function' as const), place: fc.nat() }),
        fc.record(
          { kind: fc.constant('cell' as const), cell: fc.nat(), mask: fc.constantFrom(1, 4, 0xff), becomes: fc.constantFrom(0, 1, 4) },
          { requiredKeys: ['kind', 'cell'] },
        ),
      ),
      conditions,
    )
    .map(([where, when]) => ({ ...where, ...when })),
  { minLength: 1, maxLength: 4 },
);
type Chosen = (typeof stops extends fc.Arbitrary<(infer T)[]> ? T : never) & object;

function stopIn({ run, places, written }: Sample, chosen: Chosen): Stop {
  const placeAt = (index: number): Place => places[index % places.length]!;
  switch (chosen.kind) {
    case 'site': {
      const { places: indexes, ...rest } = chosen;
      return { ...rest, sites: new Set(indexes.map((index) => placeAt(index).key)) };
    }
    case 'function': {
      const { place, ...rest } = chosen;
      return { ...rest, name: placeAt(place).fn.name };
    }
    case 'cell':
      return { ...chosen, cell: cellKey(run, written[chosen.cell % written.length]!) };
  }
}

/** Every step at which a stop stops, by asking each. */
function stepsOf(run: FlowRun, stop: Stop): readonly number[] {
  const { journal } = run;
  const before = createCursor(run);
  const after = createCursor(run);
  let hits = 0;
  return Array.from({ length: journal.length }, (_, n) => n).filter((n) => {
    before.seek(n - 1);
    after.seek(n);
    if (!isThere(n)) return false;
    const condition = evaluate(run, after, stop.condition ?? '1');
    if (isProblem(condition) || condition.value === 0) return false;
    hits++;
    const [, operator = '==', number] = /^\s*(\D*?)\s*(\d+)\s*$/.exec(stop.hitCondition ?? '>= 1') ?? [];
    const said = evaluate(run, after, operator === '%' ? `${hits} % ${number} == 0` : `${hits} ${operator || '=='} ${number}`);
    return !isProblem(said) && said.value === 1;
  });

  function isThere(n: number): boolean {
    const { kind, site, parent, link } = journal.step(n);
    if (kind === 'return') return false;
    switch (stop.kind) {
      case 'function':
        return kind === 'enter' && site.fn.name === stop.name;
      case 'site': {
        const anchor =
          site.anchor === undefined
            ? ''
            : ` ${site.anchor.as} ${site.anchor.token}${site.anchor.after === undefined ? '' : ` after ${site.anchor.after}`}`;
        const own = `${site.fn.home.world}:${site.fn.home.path} ${site.fn.name}${anchor}`;
        if (stop.sites.has(own)) return true;
        if (kind !== 'enter' || parent === -1) return false;
        const caller = journal.step(parent).site.fn;
        const call = link?.kind === 'call' ? `call ${link.token ?? site.fn.name}` : `name ${link?.token}`;
        const after = link?.after === undefined ? '' : ` after ${link.after}`;
        return stop.sites.has(`${caller.home.world}:${caller.home.path} ${caller.name} ${call}${after}`);
      }
      case 'cell': {
        const cell = run.cells.findIndex(({ id }) => cellKey(run, id) === stop.cell);
        const [was, is] = [before.value(cell), after.value(cell)].map((value) =>
          stop.mask === undefined ? value : (value & stop.mask) >>> 0,
        );
        return was !== is && (stop.becomes === undefined || is === stop.becomes);
      }
    }
  }
}

/** Where going on halts, from one end to the other. */
function haltsOf({ run, cursor }: Sample, all: readonly Stop[], direction: Direction): readonly { step: number; hit: readonly Stop[] }[] {
  const halts: { step: number; hit: readonly Stop[] }[] = [];
  for (let at = direction === 1 ? -1 : run.journal.length; ;) {
    const { step, hit } = goOn(run, cursor, at, direction, all);
    if (hit.length === 0) return halts;
    halts.push({ step, hit });
    at = step;
  }
}

test('going on and going back stop at exactly the steps that the stops are of', () => {
  fc.assert(
    fc.property(fc.nat(samples.length - 1), stops, (index, chosen) => {
      const sample = samples[index]!;
      const stopsHere = chosen.map((each) => stopIn(sample, each));
      const expected = new Map<number, Stop[]>();
      for (const stop of stopsHere) for (const step of stepsOf(sample.run, stop)) expected.set(step, [...(expected.get(step) ?? []), stop]);
      const forward = [...expected].toSorted(([a], [b]) => a - b).map(([step, hit]) => ({ step, hit }));
      assert.deepEqual(haltsOf(sample, stopsHere, 1), forward);
      assert.deepEqual(haltsOf(sample, stopsHere, -1), forward.toReversed());
    }),
    { numRuns: 60 },
  );
});

test('going on begins anywhere, and ends at the next stop or at the end', () => {
  fc.assert(
    fc.property(fc.nat(samples.length - 1), fc.nat(), fc.constantFrom<Direction>(1, -1), fc.nat(), (index, choice, direction, where) => {
      const { run, cursor, written } = samples[index]!;
      const stop: Stop = { kind: 'cell', cell: cellKey(run, written[choice % written.length]!), hitCondition: '% 2' };
      const from = where % run.journal.length;
      const steps = stepsOf(run, stop);
      const next = direction === 1 ? steps.find((step) => step > from) : steps.findLast((step) => step < from);
      const halt = goOn(run, cursor, from, direction, [stop]);
      if (next !== undefined) return assert.deepEqual(halt, { step: next, hit: [stop], messages: [] });
      assert.deepEqual(halt.hit, []);
      const others = Array.from({ length: run.journal.length }, (_, n) => n).filter((n) => run.journal.kind(n) !== 'return');
      assert.equal(halt.step, direction === -1 ? 0 : Math.max(from, others.at(-1)!));
    }),
    { numRuns: 60 },
  );
});

test('going on to a step stops there at the latest, and at a stop there', () => {
  fc.assert(
    fc.property(fc.nat(samples.length - 1), stops, fc.nat(), fc.nat(), (index, chosen, a, b) => {
      const sample = samples[index]!;
      const { run, cursor } = sample;
      const [from, until] = [a % run.journal.length, b % run.journal.length];
      const direction = until < from ? -1 : 1;
      const stopsHere = chosen.map((each) => stopIn(sample, each));
      const whole = goOn(run, cursor, from, direction, stopsHere);
      const part = goOn(run, cursor, from, direction, stopsHere, until);
      const isBeyond = (whole.step - until) * direction > 0 || whole.hit.length === 0;
      assert.deepEqual([part.step, part.hit], isBeyond ? [until, []] : [whole.step, whole.hit]);
    }),
    { numRuns: 200 },
  );
});

test('a log point says what it says at every hit, in the order of the way, and does not stop', () => {
  const [{ run, cursor }] = [samples[CATALOGUE.indexOf(vfio_intx)]!];
  const log: Stop = { kind: 'cell', cell: 'pci_function.INTx', logMessage: 'line {INTx} at {$step}, {colour}{' };
  const steps = stepsOf(run, { kind: 'cell', cell: 'pci_function(00:03.0).INTx' });
  assert.ok(steps.length >= 4);
  const { messages, hit } = goOn(run, cursor, -1, 1, [log]);
  assert.deepEqual(hit, []);
  assert.deepEqual(
    messages.map(({ text }) => text),
    steps.map((step, index) => `line ${index % 2 === 0} at ${step}, ‹there is no colour in this run›{`),
  );
  assert.deepEqual(
    goOn(run, cursor, run.journal.length, -1, [log]).messages.map(({ step }) => step),
    steps.toReversed(),
  );
});

test('a stop that cannot work says why', () => {
  const { run } = samples[CATALOGUE.indexOf(vfio_intx)]!;
  const problems: readonly (readonly [Stop, RegExp | undefined])[] = [
    [{ kind: 'function', name: 'vfio_intx_handler', condition: 'pci_function.INTx', hitCondition: '5' }, undefined],
    [{ kind: 'function', name: 'vfio_intx_handle' }, /^this run does not call vfio_intx_handle$/],
    [{ kind: 'function', name: 'vfio_intx_handler', condition: '1 +' }, /^expected a value, but it ends here$/],
    [{ kind: 'function', name: 'vfio_intx_handler', logMessage: '{colour}' }, /^there is no colour in this run$/],
    [{ kind: 'function', name: 'vfio_intx_handler', hitCondition: '% 0' }, /is no hit count/],
    [{ kind: 'function', name: 'vfio_intx_handler', hitCondition: 'often' }, /is no hit count/],
    [{ kind: 'site', sites: new Set(['linux:nowhere.c nothing']) }, /^this run does not come here$/],
    [{ kind: 'cell', cell: 'pci_function.colour' }, /^there is no pci_function.colour in this run$/],
    [{ kind: 'cell', cell: 'pci_function.INTx', mask: 1, becomes: 1 }, undefined],
  ];
  for (const [stop, why] of problems) {
    const problem = problemOf(run, stop);
    if (why === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? '', why);
  }
});
