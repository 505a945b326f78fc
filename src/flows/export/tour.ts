import { t } from '@vscode/l10n';
import { describeReference, PROJECTS, type Project, type Whereabouts } from '../../engine/reference';
import type { Step } from '../../engine/journal';
import { annotation } from '../annotation';
import type { FlowRun } from '../flow';
import { plain, unmarked } from '../markdown';
import { referenceOfStep } from '../places';
import { introduction, leftOutText, stepTitle, storyTitle } from './prose';
import type { StepRange } from './range';
import type { Sources } from './sources';
import { storyOf, type Story, type StoryPart } from './story';
import { noteTexts, proseOf, type Told } from './told';

/**
 * A part of a run as a tour of CodeTour’s. A tour is kept in one tree, and its files are named from that tree’s root: what happens
 * in another tree, in hardware or in the guest’s driver is told without a file. CodeTour shows titles in its tree, and makes links of them: Markdown
 * that may run commands.
 */

/** One step of a tour: of what CodeTour’s schema allows, what is used here. */
interface TourStep {
  readonly title: string;
  readonly description: string;
  readonly file?: string;
  readonly pattern?: string;
  readonly line?: number;
}

const SCHEMA = 'https://aka.ms/codetour-schema';

/**
 * Writes a tour of one project’s tree.
 * @param project that in which most of the steps are, unless it is given
 */
export function* tour(run: FlowRun, range: StepRange, told: Told, sources: Sources, project?: Project): Generator<string> {
  const story = storyOf(run, range, told.chapters);
  const home = project ?? homeOf(story);
  const title = unmarked(storyTitle(run, range, told));
  const steps = [
    { title, description: opening(run, story, range, told) },
    ...story.parts.map((part) => tourStep(run, part, told, sources, home)),
  ];
  yield `${JSON.stringify({ $schema: SCHEMA, title, description: t(run.flow.summary), steps }, undefined, 2)}\n`;
}

/** The projects whose trees a story leads through, that with the most steps first. */
export function projectsOf({ parts }: Story): readonly Project[] {
  const counts = PROJECTS.map((project) => parts.filter((part) => part.kind === 'step' && part.step.site.fn.home.world === project).length);
  const count = (project: Project): number => counts[PROJECTS.indexOf(project)]!;
  return PROJECTS.filter((project) => count(project) > 0).toSorted((a, b) => count(b) - count(a));
}

const homeOf = (story: Story): Project | undefined => projectsOf(story)[0];

function opening(run: FlowRun, { leftOut }: Story, range: StepRange, told: Told): string {
  return [...introduction(run, range, told), ...(leftOut > 0 ? [plain(leftOutText(leftOut))] : [])].join('\n\n');
}

function tourStep(run: FlowRun, part: StoryPart, told: Told, sources: Sources, home: Project | undefined): TourStep {
  switch (part.kind) {
    case 'chapter':
      return { title: `§ ${unmarked(t(part.chapter.title))}`, description: proseOf(run, part.chapter) };
    case 'step':
      return standing(run, part.step, told, sources, home);
  }
}

function standing(run: FlowRun, step: Step, told: Told, sources: Sources, home: Project | undefined): TourStep {
  const title = stepTitle(step);
  const about = [annotation(run, step.n), ...noteTexts(run, step.n, told)].join('\n\n');
  const reference = referenceOfStep(step);
  if (reference === undefined) return { title: `${title} (${t(step.site.fn.home.world)})`, description: about };
  const whereabouts = sources(reference);
  const { find, page, path, remark } = whereabouts;
  const paragraphs = [about, ...(remark === undefined ? [] : [plain(remark)]), `[${plain(describeReference(reference))}](${page})`];
  const isHere = reference.project === home;
  return {
    title: isHere ? title : `${title} (${reference.project})`,
    description: paragraphs.join('\n\n'),
    ...(isHere ? place(path, find) : {}),
  };
}

function place(file: string, find: Whereabouts['find']): Pick<TourStep, 'file' | 'pattern' | 'line'> {
  switch (find.kind) {
    case 'pattern':
      return { file, pattern: find.pattern };
    case 'line':
      return { file, line: find.line };
    case 'missing':
      return {};
  }
}
