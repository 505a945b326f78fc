import { t } from '@vscode/l10n';
import { NO_STEP } from '../../engine/journal';
import { createCursor } from '../../engine/timeline';
import { compile, printValue, type Formula } from '../expressions';
import type { FlowRun } from '../flow';
import { isProblem, parse } from '../syntax';
import type { Expectation, Moment, Place } from './format';
import { inOrder, meaning, type JsonFile, type Mistake, type Path } from './json';
import { placeText, stepOf, stepsAt } from './moments';
import { mistakesInRun, type Scenario } from './scenario';

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

/** What the expectations come to, or what this run shows to be wrong in the file: steps that it does not have, and names that mean nothing. */
export type Judgement =
  | { readonly kind: 'judged'; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] };

/** Holds a run against its scenario. */
export function judge(run: FlowRun, scenario: Scenario): Judgement {
  const { content, file } = scenario;
  const results = (content.expectations ?? []).map((expectation, index) => judgeOne(run, file, expectation, ['expectations', index]));
  const mistakes = inOrder([...mistakesInRun(run, scenario), ...results.filter((result) => 'message' in result)]);
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
      const expected = t('{0} is reached {1}×', placeText(expectation), rangeText(atLeast, atMost));
      return verdict(reached >= atLeast && reached <= atMost, t('it is reached {0}×', reached), expected);
    }
    case 'never-reached': {
      const [first] = stepsAt(run, expectation);
      const found = first === undefined ? '' : t('it is, at step {0}', first);
      return verdict(first === undefined, found, t('{0} is never reached', placeText(expectation)));
    }
    case 'order': {
      const missing = firstOutOfOrder(run, expectation.places);
      const found = missing === undefined ? '' : t('{0} is not reached behind those before it', placeText(missing));
      return verdict(missing === undefined, found, t('in this order: {0}', expectation.places.map(placeText).join(', ')));
    }
    case 'value': {
      const { of, is, at } = expectation;
      const [value, wanted] = [compile(run, of), parse(String(is))];
      if (isProblem(value)) return meaning(file, [...path, 'of'], value.problem, value.offset);
      const equal = isProblem(wanted) ? wanted : compile(run, `(${of}) == (${String(is)})`);
      if (isProblem(equal)) return meaning(file, [...path, 'is'], equal.problem);
      return verdict(...looked(run, equal, value, at), atMoment(t('{0} is {1}', of, String(is)), at));
    }
    case 'holds': {
      const { expression, at } = expectation;
      const value = compile(run, expression);
      if (isProblem(value)) return meaning(file, [...path, 'expression'], value.problem, value.offset);
      return verdict(...looked(run, value, value, at), atMoment(expression, at));
    }
    case 'ending':
      return verdict(run.ending.kind === expectation.is, t('it ends: {0}', run.ending.kind), t('the run ends: {0}', expectation.is));
    case 'steps': {
      const { atLeast = 0, atMost = Infinity } = expectation;
      const { length } = run.journal;
      return verdict(
        length >= atLeast && length <= atMost,
        t('it has {0}', length),
        t('the run has {0} steps', rangeText(atLeast, atMost)),
      );
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
  const cursor = createCursor(run);
  // Where the run does not come there, that is a mistake of the file already.
  cursor.seek(at === undefined ? run.journal.length - 1 : (stepOf(run, at) ?? NO_STEP));
  const [result, value] = [formula.at(cursor), shown.at(cursor)];
  if (isProblem(result)) return [false, result.problem];
  return [result.value !== 0, isProblem(value) ? value.problem : t('it is {0}', printValue(run, value))];
}

/** Something that holds at a moment, or else at the end. */
function atMoment(what: string, at: Moment | undefined): string {
  if (at === undefined) return t('{0} at the end', what);
  if ('step' in at) return t('{0} at step {1}', what, at.step);
  return at.occurrence === undefined ? t('{0} at {1}', what, placeText(at)) : t('{0} at {1}, time {2}', what, placeText(at), at.occurrence);
}

/** `2`, `at least 1`, `1 to 3`. */
function rangeText(atLeast: number, atMost: number): string {
  if (atLeast === atMost) return String(atLeast);
  if (atMost === Infinity) return t('at least {0}', atLeast);
  return atLeast === 0 ? t('at most {0}', atMost) : t('{0} to {1}', atLeast, atMost);
}
