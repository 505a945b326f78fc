import { t } from '@vscode/l10n';
import type { Write } from '../engine/journal';
import type { Cursor } from '../engine/timeline';
import { compile, printValue } from './expressions';
import type { FlowRun } from './flow';
import { cellsNamed } from './names';
import { stepIn, type Direction } from './navigate';
import { sitesOf, standing, type Place } from './sites';
import { isProblem } from './syntax';

/**
 * Breakpoints. What they stop at is a set of steps of the run, whichever way one goes: back stops at the same steps as on does, and
 * stands after the write there as on does. Hits are counted from the run's beginning, so that they do not depend on the way either.
 */

/** Where to stop. */
export type Stop = {
  /** Stops only where this expression is not 0. */
  readonly condition?: string;
  /** Stops only at some hits, as the debug adapter protocol has it: `5` (at the fifth), `>= 5`, `< 5`, `% 2` (at every second). */
  readonly hitCondition?: string;
  /** Does not stop, but says this; expressions in braces are evaluated. */
  readonly logMessage?: string;
} & (
  | {
      readonly kind: 'site';
      /** Places by their keys: see `sites.ts`. */
      readonly sites: ReadonlySet<string>;
    }
  | { readonly kind: 'function'; readonly name: string }
  | {
      readonly kind: 'cell';
      /** The cell's name: see `names.ts`. A name of several stops at each. */
      readonly cell: string;
      /** Only these bits are looked at. */
      readonly mask?: number;
      /** Stops when the bits become this; otherwise whenever they change. */
      readonly becomes?: number;
    }
);

/** A message that a stop gave as the run passed it. */
export interface Message<S extends Stop> {
  readonly step: number;
  readonly stop: S;
  readonly text: string;
}

/** Where going on came to an end. */
export interface Halt<S extends Stop> {
  readonly step: number;
  /** What stopped there: nothing at the end of the run, or at its beginning. */
  readonly hit: readonly S[];
  /** In the order in which they were passed; no more than MAX_MESSAGES. */
  readonly messages: readonly Message<S>[];
}

export const MAX_MESSAGES = 10_000;

/**
 * Goes on (or back) from a step to the next one at which something stops, or else to the last (first) one that one can stand on. The step
 * `from` itself does not stop. Stops of cells ask the journal for the cell's own writes; those of places look at each step once.
 * @param cursor evaluates expressions and is moved for that
 * @param until goes no further than to this step; what stops there, stops
 */
export function goOn<S extends Stop>(
  run: FlowRun,
  cursor: Cursor,
  from: number,
  direction: Direction,
  stops: readonly S[],
  until = endOf(run, from, direction),
): Halt<S> {
  const armed = stops.flatMap((stop) => arm(run, cursor, stop) ?? []);
  const messages: Message<S>[] = [];
  const hits = hitsBefore(run, direction === 1 ? from : from - 1, armed);
  for (const { step, reached } of candidates(run, from, direction, armed, until)) {
    const hit = reached.filter((each) => each.holds(step) && each.isTheHit(count(hits, each, direction)));
    for (const { stop, message } of hit) if (message && messages.length < MAX_MESSAGES) messages.push({ step, stop, text: message(step) });
    const halting = hit.filter(({ message }) => message === undefined).map(({ stop }) => stop);
    if (halting.length > 0) return { step, hit: halting, messages };
  }
  return { step: until, hit: [], messages };
}

/** The last step that one can stand on, or the first. */
const endOf = (run: FlowRun, from: number, direction: Direction): number =>
  direction === 1 ? Math.max(from, stepIn(run, run.journal.length, -1) ?? 0) : 0;

/** Why a stop cannot stop in this run, or undefined if it may. */
export function problemOf(run: FlowRun, { condition, hitCondition, logMessage, ...where }: Stop): string | undefined {
  for (const text of [condition, ...(logMessage === undefined ? [] : [...logMessage.matchAll(BRACES)].map((match) => match[1]))]) {
    const formula = text === undefined ? undefined : compile(run, text);
    if (formula && isProblem(formula)) return formula.problem;
  }
  if (hitCondition !== undefined && hitTest(hitCondition) === undefined)
    return t('“{0}” is no hit count: expected 5, >= 5 or % 2', hitCondition);
  switch (where.kind) {
    case 'site':
      return sitesOf(run).some(({ key }) => where.sites.has(key)) ? undefined : t('this run does not come here');
    case 'function':
      return run.journal.sites.some(({ fn }) => fn.name === where.name) ? undefined : t('this run does not call {0}', where.name);
    case 'cell':
      return cellsNamed(run, where.cell).length > 0 ? undefined : t('there is no {0} in this run', where.cell);
  }
}

/** A stop, ready for a run. */
interface Armed<S extends Stop> {
  readonly stop: S;
  readonly holds: (step: number) => boolean;
  readonly isTheHit: (hit: number) => boolean;
  readonly message: ((step: number) => string) | undefined;
}

/** Makes a stop ready; one that cannot work here never stops. */
function arm<S extends Stop>(run: FlowRun, cursor: Cursor, stop: S): Armed<S> | undefined {
  const { condition = '1', hitCondition, logMessage } = stop;
  const formula = compile(run, condition);
  const isTheHit = hitCondition === undefined ? () => true : hitTest(hitCondition);
  if (isProblem(formula) || isTheHit === undefined) return undefined;
  return {
    stop,
    isTheHit,
    holds(step) {
      if (stop.condition === undefined) return true;
      cursor.seek(step);
      const result = formula.at(cursor);
      return !isProblem(result) && result.value !== 0;
    },
    message: logMessage === undefined ? undefined : template(run, cursor, logMessage),
  };
}

const BRACES = /\{([^{}]*)\}/g;

/** A message with its expressions replaced by their values, and by their problems where they have none. */
function template(run: FlowRun, cursor: Cursor, message: string): (step: number) => string {
  const formulas = new Map([...message.matchAll(BRACES)].map(([, text = '']) => [text, compile(run, text)]));
  return (step) => {
    cursor.seek(step);
    return message.replaceAll(BRACES, (_, text: string) => {
      const formula = formulas.get(text)!;
      const value = isProblem(formula) ? formula : formula.at(cursor);
      return isProblem(value) ? `‹${value.problem}›` : printValue(run, value);
    });
  };
}

const HIT_TESTS: ReadonlyMap<string, (hit: number, number: number) => boolean> = new Map([
  ['==', (hit, number) => hit === number],
  ['=', (hit, number) => hit === number],
  ['>', (hit, number) => hit > number],
  ['>=', (hit, number) => hit >= number],
  ['<', (hit, number) => hit < number],
  ['<=', (hit, number) => hit <= number],
  ['%', (hit, number) => hit % number === 0],
]);

/** Which hits a hit condition means, or undefined if it is none. */
function hitTest(text: string): ((hit: number) => boolean) | undefined {
  const [, operator = '==', digits = ''] = /^\s*(==?|>=?|<=?|%)?\s*(\d{1,9})\s*$/.exec(text) ?? [];
  const number = Number(digits);
  const test = HIT_TESTS.get(operator);
  if (test === undefined || digits === '' || (operator === '%' && number === 0)) return undefined;
  return (hit) => test(hit, number);
}

/** How often each stop that counts was hit up to a step: only those need to look back. */
function hitsBefore<S extends Stop>(run: FlowRun, step: number, armed: readonly Armed<S>[]): Map<Armed<S>, number> {
  const hits = new Map(armed.filter(({ stop }) => stop.hitCondition !== undefined).map((each) => [each, 0]));
  if (hits.size === 0) return hits;
  for (const candidate of candidates(run, -1, 1, [...hits.keys()], step)) {
    for (const each of candidate.reached) if (each.holds(candidate.step)) hits.set(each, hits.get(each)! + 1);
  }
  return hits;
}

/** The number of the hit at which one stands now, going on or back. */
function count<S extends Stop>(hits: Map<Armed<S>, number>, each: Armed<S>, direction: Direction): number {
  const before = hits.get(each) ?? 0;
  hits.set(each, before + direction);
  return direction === 1 ? before + 1 : before;
}

/** A step at which stops are reached, whatever their conditions say. */
interface Candidate<S extends Stop> {
  readonly step: number;
  readonly reached: readonly Armed<S>[];
}

/** All steps beyond `from`, up to and including `until`, at which some stop is reached, in their order. */
function* candidates<S extends Stop>(
  run: FlowRun,
  from: number,
  direction: Direction,
  armed: readonly Armed<S>[],
  until: number,
): Generator<Candidate<S>> {
  const ways = [wayOfPlaces(run, direction, armed, until), ...armed.flatMap((each) => wayOfCell(run, direction, each))];
  const upcoming = ways.map((next) => next(from));
  for (;;) {
    const steps = upcoming.flatMap((each) => each?.step ?? []);
    if (steps.length === 0) return;
    const step = direction === 1 ? Math.min(...steps) : Math.max(...steps);
    if ((step - until) * direction > 0) return;
    const reached = upcoming.flatMap((each) => (each?.step === step ? each.reached : []));
    yield { step, reached: armed.filter((each) => reached.includes(each)) };
    for (const [index, next] of ways.entries()) if (upcoming[index]?.step === step) upcoming[index] = next(step);
  }
}

/** Finds the next candidate beyond a step. */
type Way<S extends Stop> = (step: number) => Candidate<S> | undefined;

/** One look at each step, for all stops of places and functions together. */
function wayOfPlaces<S extends Stop>(run: FlowRun, direction: Direction, all: readonly Armed<S>[], until: number): Way<S> {
  const armed = all.filter(({ stop }) => stop.kind !== 'cell');
  const { at, places } = standing(run);
  const reached = places.map((here) => armed.filter(({ stop }) => standsOn(stop, here)));
  return (from) => {
    if (armed.length === 0) return undefined;
    for (let step = from + direction; (until - step) * direction >= 0; step += direction) {
      const here = reached[at[step]!]!;
      if (here.length > 0) return { step, reached: here };
    }
    return undefined;
  };
}

function standsOn(stop: Stop, places: readonly Place[]): boolean {
  switch (stop.kind) {
    case 'site':
      return places.some(({ key }) => stop.sites.has(key));
    case 'function':
      return places[0]?.fn.name === stop.name && places[0].anchor === undefined;
    case 'cell':
      return false;
  }
}

/** The writes to a cell that a stop is of, from the cell's own list. */
function wayOfCell<S extends Stop>(run: FlowRun, direction: Direction, armed: Armed<S>): readonly Way<S>[] {
  const { stop } = armed;
  if (stop.kind !== 'cell') return [];
  const { mask, becomes } = stop;
  const bits = (value: number): number => (mask === undefined ? value : (value & mask) >>> 0);
  const isMeant = (old: number, value: number): boolean => bits(old) !== bits(value) && (becomes === undefined || bits(value) === becomes);
  return cellsNamed(run, stop.cell).map((cell) => (from) => {
    const { journal } = run;
    const writes = journal.writesTo(cell, journal.length);
    let index = journal.writesTo(cell, direction === 1 ? from : from - 1).count - (direction === 1 ? 0 : 1);
    for (; index >= 0 && index < writes.count; index += direction) {
      const { step } = writes.at(index);
      const { old, new: value } = writesInStep(writes, index);
      if (isMeant(old, value)) return { step, reached: [armed] };
    }
    return undefined;
  });
}

/** What a step made of a cell, which it may have written more than once. */
function writesInStep(writes: { readonly count: number; at(index: number): Write }, index: number): Pick<Write, 'old' | 'new'> {
  const { step } = writes.at(index);
  let first = index;
  let last = index;
  while (first > 0 && writes.at(first - 1).step === step) first--;
  while (last + 1 < writes.count && writes.at(last + 1).step === step) last++;
  return { old: writes.at(first).old, new: writes.at(last).new };
}
