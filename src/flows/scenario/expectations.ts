import { NO_STEP } from '../../engine/journal';
import { createCursor } from '../../engine/timeline';
import { compile, printValue, type Formula } from '../expressions';
import type { FlowRun } from '../flow';
import { isProblem, parse } from '../syntax';
import type { Expectation, Moment, Place } from './format';
import { meaning, type JsonFile, type Mistake, type Path } from './json';
import { stepOf, stepsAt } from './moments';
import type { Scenario } from './scenario';

/** What a scenario expects of its run, held against it. */

/** An expectation and what became of it. */
export interface Verdict {
  readonly expectation: Expectation;
  /** Where it stands in the file. */
  readonly path: Path;
  readonly holds: boolean;
  /** What the run does, in words. */
  readonly found: string;
  /** What it should do. */
  readonly expected: string;
}

/** What the expectations come to, or the mistakes in those that cannot be judged in this run: names that it does not have. */
export type Judgement =
  | { readonly kind: 'judged'; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] };

/** Holds a run against its scenario's expectations. */
export function judge(run: FlowRun, { content, file }: Scenario): Judgement {
  const results = (content.expectations ?? []).map((expectation, index) => judgeOne(run, file, expectation, ['expectations', index]));
  const mistakes = results.filter((result) => 'message' in result);
  return mistakes.length > 0
    ? { kind: 'malformed', mistakes }
    : { kind: 'judged', verdicts: results.filter((result) => 'expectation' in result) };
}

function judgeOne(run: FlowRun, file: JsonFile, expectation: Expectation, path: Path): Verdict | Mistake {
  const verdict = (holds: boolean, found: string, expected: string): Verdict => ({ expectation, path, holds, expected, found });
  switch (expectation.kind) {
    case 'reached': {
      const { times, atLeast = times ?? 1, atMost = times ?? Infinity } = expectation;
      const reached = [...stepsAt(run, expectation)].length;
      const expected = `${placeText(expectation)} is reached ${rangeText(atLeast, atMost, 'time')}`;
      return verdict(reached >= atLeast && reached <= atMost, `it is reached ${rangeText(reached, reached, 'time')}`, expected);
    }
    case 'never-reached': {
      const [first] = stepsAt(run, expectation);
      return verdict(first === undefined, `it is, at step ${first}`, `${placeText(expectation)} is never reached`);
    }
    case 'order': {
      const missing = firstOutOfOrder(run, expectation.places);
      const found = missing === undefined ? '' : `${placeText(missing)} is not reached behind those before it`;
      return verdict(missing === undefined, found, `in this order: ${expectation.places.map(placeText).join(', ')}`);
    }
    case 'value': {
      const { of, is, at } = expectation;
      const [value, wanted] = [compile(run, of), parse(String(is))];
      if (isProblem(value)) return meaning(file, [...path, 'of'], value.problem, value.offset);
      const equal = isProblem(wanted) ? wanted : compile(run, `(${of}) == (${String(is)})`);
      if (isProblem(equal)) return meaning(file, [...path, 'is'], equal.problem);
      return verdict(...looked(run, equal, value, at), `${of} is ${String(is)}${momentText(at)}`);
    }
    case 'holds': {
      const { expression, at } = expectation;
      const value = compile(run, expression);
      if (isProblem(value)) return meaning(file, [...path, 'expression'], value.problem, value.offset);
      return verdict(...looked(run, value, value, at), `${expression}${momentText(at)}`);
    }
    case 'ending':
      return verdict(run.ending.kind === expectation.is, `it ends: ${run.ending.kind}`, `the run ends: ${expectation.is}`);
    case 'steps': {
      const { atLeast = 0, atMost = Infinity } = expectation;
      const { length } = run.journal;
      return verdict(length >= atLeast && length <= atMost, `it has ${length}`, `the run has ${rangeText(atLeast, atMost, 'step')}`);
    }
  }
}

/** The first of several places that the run does not reach behind the one before. */
function firstOutOfOrder(run: FlowRun, places: readonly Place[]): Place | undefined {
  let last = NO_STEP;
  for (const place of places) {
    const next = firstBehind(run, place, last);
    if (next === undefined) return place;
    last = next;
  }
  return undefined;
}

function firstBehind(run: FlowRun, place: Place, last: number): number | undefined {
  for (const step of stepsAt(run, place)) if (step > last) return step;
  return undefined;
}

/** Whether a formula is not 0 at a moment, and what there is to see instead of it. */
function looked(run: FlowRun, formula: Formula, shown: Formula, at: Moment | undefined): readonly [holds: boolean, found: string] {
  const step = at === undefined ? run.journal.length - 1 : stepOf(run, at);
  if (step === undefined) return [false, 'the run does not come there'];
  const cursor = createCursor(run);
  cursor.seek(step);
  const [result, value] = [formula.at(cursor), shown.at(cursor)];
  if (isProblem(result)) return [false, result.problem];
  return [result.value !== 0, `it is ${isProblem(value) ? value.problem : printValue(run, value)}`];
}

const placeText = ({ function: name, anchor }: Place): string => (anchor === undefined ? name : `${name} › ${anchor}`);

function momentText(at: Moment | undefined): string {
  if (at === undefined) return ' at the end';
  if ('step' in at) return ` at step ${at.step}`;
  return ` at ${placeText(at)}${at.occurrence === undefined ? '' : `, time ${at.occurrence}`}`;
}

/** `2 times`, `at least 1 time`, `1 to 3 times`. */
function rangeText(atLeast: number, atMost: number, noun: string): string {
  const nouns = (count: number): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
  if (atLeast === atMost) return nouns(atLeast);
  if (atMost === Infinity) return `at least ${nouns(atLeast)}`;
  return atLeast === 0 ? `at most ${nouns(atMost)}` : `${atLeast} to ${nouns(atMost)}`;
}
