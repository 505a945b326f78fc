import { t } from '@vscode/l10n';
import { CATALOGUE, flowById } from '../catalogue';
import { chapterSteps, type ChapterStart, type Flow, type FlowRun } from '../flow';
import { flowShape, scenarioShape, type Expectation, type Moment, type Place, type ScenarioFile } from './format';
import { inOrder, meaning, readAs, readJson, type JsonFile, type Mistake, type Path } from './json';
import { problemOfAnchor, problemOfMoment, problemOfPlace, stepOf, type PlaceProblem } from './moments';

/** Scenarios: a run of a flow with what its author has to say about it, kept in a file. */

/** A scenario that has been read without a mistake: only a run can tell more. */
export interface Scenario {
  readonly flow: Flow;
  readonly content: ScenarioFile;
  readonly file: JsonFile;
}

/** What was read: a scenario, or the mistakes of its file, all of them, in their order. */
export type ReadScenario =
  { readonly kind: 'scenario'; readonly scenario: Scenario } | { readonly kind: 'malformed'; readonly mistakes: readonly Mistake[] };

/** Reads the text of a scenario file, from wherever it comes. Never throws. */
export function readScenario(text: string): ReadScenario {
  const file = readJson(text);
  const { value: content, mistakes } = readAs(scenarioShape, file);
  const flow = flowOf(file);
  const all = [
    ...mistakes,
    ...unknownFlow(file, flow),
    ...(flow === undefined ? [] : readAs(flowShape(flow), { ...file, mistakes: [] }).mistakes),
    ...(content === undefined ? [] : mistakenMeanings(file, content)),
  ];
  if (content !== undefined && flow !== undefined && all.length === 0) return { kind: 'scenario', scenario: { flow, content, file } };
  return { kind: 'malformed', mistakes: inOrder(all) };
}

/**
 * What only a run shows to be wrong in its scenario: steps to be looked at that it does not come to, and places on which neither it nor any other
 * run stands. Whether it comes to a place is no mistake, but for an expectation to say.
 */
export function mistakesInRun(run: FlowRun, { content, file }: Scenario): readonly Mistake[] {
  return inOrder([
    ...momentsIn(content).flatMap(({ path, what }) => mistakenMoment(run, file, path, what)),
    ...placesIn(content).flatMap(({ path, what }) => mistaken(file, path, problemOfAnchor(run, what))),
  ]);
}

/** A moment that a run does not come to, as a mistake at the property that says so. */
export const mistakenMoment = (run: FlowRun, file: JsonFile, path: Path, moment: Moment): readonly Mistake[] =>
  mistaken(file, path, problemOfMoment(run, moment));

const mistaken = (file: JsonFile, path: Path, problem: PlaceProblem | undefined): readonly Mistake[] =>
  problem === undefined ? [] : [meaning(file, [...path, problem.property], problem.message)];

/** The chapters that a scenario's author wrote, as far as a run comes to them, in the order in which they begin; or else the flow's own. */
export function chaptersOf(run: FlowRun, { content: { chapters } }: Scenario): readonly ChapterStart[] {
  if (chapters === undefined) return chapterSteps(run);
  const starts = chapters.flatMap(({ title, prose, at }): readonly ChapterStart[] => {
    const step = stepOf(run, at);
    return step === undefined || step < 0 ? [] : [{ chapter: { title, prose, starts: 'function' in at ? at.function : '' }, step }];
  });
  return starts.toSorted((a, b) => a.step - b.step);
}

/** The flow that a file names, whatever else is wrong in it. */
function flowOf({ value }: JsonFile): Flow | undefined {
  const id: unknown = typeof value === 'object' && value !== null && 'flow' in value ? value.flow : undefined;
  return typeof id === 'string' ? flowById(id) : undefined;
}

function unknownFlow(file: JsonFile, flow: Flow | undefined): readonly Mistake[] {
  const { value } = file;
  if (flow !== undefined || typeof value !== 'object' || value === null || !('flow' in value) || typeof value.flow !== 'string') return [];
  const expected = CATALOGUE.map(({ id }) => JSON.stringify(id)).join(', ');
  return [{ kind: 'shape', message: t('there is no such flow: expected one of {0}', expected), ...file.span(['flow']) }];
}

/** Something of a file, and where it stands. */
interface Placed<T> {
  readonly path: Path;
  readonly what: T;
}

/** The steps that a scenario names. */
function momentsIn({ stimuli = [], edits = [], chapters = [], notes = [], expectations = [] }: ScenarioFile): readonly Placed<Moment>[] {
  const moments = [
    ...stimuli.map(({ after }, index) => ({ path: ['stimuli', index, 'after'], what: after })),
    ...edits.map(({ after }, index) => ({ path: ['edits', index, 'after'], what: after })),
    ...chapters.map(({ at }, index) => ({ path: ['chapters', index, 'at'], what: at })),
    ...notes.map(({ at }, index) => ({ path: ['notes', index, 'at'], what: at })),
    ...expectations.map((each, index) => ({ path: ['expectations', index, 'at'], what: 'at' in each ? each.at : undefined })),
  ];
  return moments.flatMap(({ path, what }) => (what === undefined ? [] : [{ path, what }]));
}

/** The places that a scenario’s expectations are about. */
const placesIn = ({ expectations = [] }: ScenarioFile): readonly Placed<Place>[] =>
  expectations.flatMap((expectation, index): readonly Placed<Place>[] => {
    const path = ['expectations', index];
    switch (expectation.kind) {
      case 'reached':
      case 'never-reached':
        return [{ path, what: expectation }];
      case 'order':
        return expectation.places.map((place, each) => ({ path: [...path, 'places', each], what: place }));
      case 'value':
      case 'holds':
      case 'ending':
      case 'steps':
        return [];
    }
  });

/** What is wrong in a file of the right shape, whatever its run. */
function mistakenMeanings(file: JsonFile, content: ScenarioFile): readonly Mistake[] {
  const { chapters = [], expectations = [] } = content;
  return [
    ...[...momentsIn(content), ...placesIn(content)].flatMap(({ path, what }) =>
      'step' in what ? [] : mistaken(file, path, problemOfPlace(what)),
    ),
    ...chapters.flatMap(({ title }, index) =>
      chapters.findIndex((other) => other.title === title) === index
        ? []
        : [meaning(file, ['chapters', index, 'title'], t('another chapter is called “{0}”: expected a title of its own', title))],
    ),
    ...expectations.flatMap((expectation, index) => mistakenBounds(file, expectation, ['expectations', index])),
  ];
}

/** What is wrong in how often or how much is expected: nothing that cannot fail, and nothing that cannot hold. */
function mistakenBounds(file: JsonFile, expectation: Expectation, path: Path): readonly Mistake[] {
  if (expectation.kind !== 'reached' && expectation.kind !== 'steps') return [];
  const { kind, atLeast, atMost } = expectation;
  const isBounded = (atLeast ?? atMost) !== undefined;
  if (kind === 'steps' && !isBounded)
    return [meaning(file, path, t('expected “atLeast”, “atMost” or both: every run has some number of steps'))];
  if (kind === 'reached' && isBounded && expectation.times !== undefined)
    return [meaning(file, [...path, 'times'], t('expected “times”, or “atLeast” and “atMost”, not both'))];
  const least = atLeast ?? (kind === 'reached' ? 1 : 0);
  if (least <= (atMost ?? Infinity)) return [];
  return [meaning(file, [...path, 'atMost'], t('expected no less than “atLeast”, which is {0}', least))];
}
