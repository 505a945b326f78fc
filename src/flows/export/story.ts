import type { Step } from '../../engine/journal';
import type { Reference } from '../../engine/reference';
import { chapterSteps, type Chapter, type FlowRun } from '../flow';
import { referenceOfStep } from '../places';
import { siteKey } from '../sites';
import type { StepRange } from './range';
import { ranksOf, spansOf, thresholdOf } from './ranks';

/**
 * A part of a run as somebody would tell it: each place once, when it is first reached, with the chapters between. Where that is
 * too much to read, the inner functions are left out.
 */
export interface Story {
  readonly parts: readonly StoryPart[];
  /** How many places there was no room for. */
  readonly leftOut: number;
}

export type StoryPart = { readonly kind: 'chapter'; readonly chapter: Chapter } | { readonly kind: 'step'; readonly step: Step };

/** Nobody reads on for longer than this. */
export const MOST_STEPS = 200;

/** Tells a part of a run in up to `most` steps. Hand-overs stay even if they are more. */
export function storyOf(run: FlowRun, range: StepRange, starts = chapterSteps(run), most = MOST_STEPS): Story {
  const chapters = new Map(starts.map(({ chapter, step }) => [step, chapter]));
  const firsts = firstVisits(run, range);
  const kept = firsts.length <= most ? firsts : outermost(run, range, chapters, firsts, most);
  const told = new Set(kept);
  const parts: StoryPart[] = [];
  for (let n = range.first; n < range.end; n++) {
    const chapter = chapters.get(n);
    if (chapter !== undefined) parts.push({ kind: 'chapter', chapter });
    if (told.has(n)) parts.push({ kind: 'step', step: run.journal.step(n) });
  }
  return { parts, leftOut: firsts.length - kept.length };
}

/** Every reference that a story names. */
export const referencesOf = ({ parts }: Story): readonly Reference[] =>
  parts.flatMap((part) => (part.kind === 'step' ? (referenceOfStep(part.step) ?? []) : []));

/** The steps of a range that are the first at their place. */
function firstVisits({ journal }: FlowRun, { first, end }: StepRange): readonly number[] {
  const keys = journal.sites.map(({ fn, anchor }) => siteKey(fn, anchor));
  const visited = new Set<string>();
  const firsts: number[] = [];
  for (let n = first; n < end; n++) {
    const key = keys[journal.siteId(n)]!;
    if (journal.kind(n) === 'return' || visited.has(key)) continue;
    visited.add(key);
    firsts.push(n);
  }
  return firsts;
}

function outermost(
  run: FlowRun,
  range: StepRange,
  chapters: ReadonlyMap<number, Chapter>,
  steps: readonly number[],
  most: number,
): readonly number[] {
  const ranks = ranksOf(run, range, [...spansOf(run, range, chapters)]);
  const rankOf = (n: number): number => ranks[n - range.first]!;
  const threshold = thresholdOf(steps.map(rankOf), most);
  return steps.filter((n) => rankOf(n) <= threshold);
}
