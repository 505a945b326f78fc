import { applyEdits, modify, type FormattingOptions } from 'jsonc-parser';
import { endedBefore, otherwise, type ChapterStart, type FlowRun, type Inputs } from '../flow';
import { scenarioShape, VERSION, type Moment, type Note, type ScenarioFile } from './format';
import { readJson, type Path } from './json';
import { momentOf, stepOf } from './moments';
import type { Scenario } from './scenario';

/** Writing scenarios: a run as a new one, and changes of one that is there, which leave everything else in its file as it is. */

/** What is told of a run besides what determines it. */
export interface Telling {
  readonly title: string;
  readonly chapters: readonly ChapterStart[];
  readonly notes: readonly Note[];
  /** The scenario that the run is of, or that it is a fork of. */
  readonly scenario: Scenario | undefined;
}

/** The text of a run's scenario: reading it gives the same inputs back. */
export function scenarioText(run: FlowRun, { title, chapters, notes, scenario }: Telling): string {
  const content: ScenarioFile = {
    version: VERSION,
    title,
    ...(scenario?.content.description === undefined ? {} : { description: scenario.content.description }),
    flow: run.flow.id,
    ...determinants(run),
    chapters: chapters.map(({ chapter, step }) => ({ title: chapter.title, prose: chapter.prose, at: momentOf(run, step) })),
    ...(notes.length === 0 ? {} : { notes }),
    expectations: scenario?.content.expectations ?? [{ kind: 'ending', is: run.ending.kind }],
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** A scenario's text with what determines its run taken from another one, such as a fork of it. */
export function withInputsOf(text: string, run: FlowRun): string {
  const wanted: Record<string, unknown> = determinants(run);
  const value = readJson(text).value as Readonly<Record<string, unknown>>;
  return ['parameters', 'stimuli', 'edits', 'seed'].reduce(
    (now, name) => (JSON.stringify(value[name]) === JSON.stringify(wanted[name]) ? now : changed(now, [name], wanted[name])),
    text,
  );
}

/** A part of a walkthrough that begins at a step of the run that is told. */
export interface NewChapter {
  readonly title: string;
  readonly prose: string;
  readonly step: number;
}

/** A scenario's text with one more chapter, behind those that begin before it. */
export function withChapter(
  text: string,
  run: FlowRun,
  { content: { chapters = [] } }: Scenario,
  { title, prose, step }: NewChapter,
): string {
  const index = chapters.filter(({ at }) => (stepOf(run, at) ?? Infinity) <= step).length;
  return changed(text, ['chapters', index], { title, prose, at: momentOf(run, step) }, true);
}

/**
 * A text with a value of it changed, added where an array ends, or taken away if it is undefined; comments and layout stay.
 * @param isInsertion puts it before what an array has there, instead of into its place
 */
export function changed(text: string, path: Path, value: unknown, isInsertion = false): string {
  const options = {
    formattingOptions: layoutOf(text),
    isArrayInsertion: isInsertion,
    getInsertionIndex: (names: string[]) => indexIn(names, path[0]),
  };
  return applyEdits(text, modify(text, [...path], value, options));
}

/** Where a property of a file goes: behind those that the format has before it. */
function indexIn(names: readonly string[], name: unknown): number {
  const order = Object.keys(scenarioShape.shape);
  return names.findLastIndex((each) => order.indexOf(each) < order.indexOf(String(name))) + 1;
}

/** How a text is laid out, as its first indented line has it. */
function layoutOf(text: string): FormattingOptions {
  const [, indent = '  '] = /^([ \t]+)\S/m.exec(text) ?? [];
  return { insertSpaces: !indent.startsWith('\t'), tabSize: indent.length, eol: text.includes('\r\n') ? '\r\n' : '\n' };
}

/** What determines a run, as a scenario says it: only what is not by default. */
function determinants(run: FlowRun): Partial<Pick<ScenarioFile, 'parameters' | 'stimuli' | 'edits' | 'seed'>> {
  const { flow, inputs } = run;
  const { stimuli, edits = [], seed } = inputs;
  const parameters = Object.fromEntries(otherwise(flow, inputs.parameters).map(({ name }) => [name, inputs.parameters[name]]));
  const stimuliBefore = stimuli.map(({ at }, index) => ({
    stimuli: stimuli.slice(0, index),
    edits: edits.filter((edit) => edit.at <= at),
  }));
  const editsBefore = edits.map(({ at }, index) => ({ stimuli: stimuli.filter((each) => each.at < at), edits: edits.slice(0, index) }));
  return {
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(stimuli.length === 0 ? {} : { stimuli: stimuli.map(({ at, name }, n) => ({ name, ...whenOf(run, at, stimuliBefore[n]!) })) }),
    ...(edits.length === 0 ? {} : { edits: edits.map(({ at, cell, value }, n) => ({ cell, value, ...whenOf(run, at, editsBefore[n]!) })) }),
    ...(seed === 0 ? {} : { seed }),
  };
}

/** When something happened that was to happen before step `at`: after a step, or, where the run had no more by then, when all had come to rest. */
function whenOf(run: FlowRun, at: number, earlier: Pick<Inputs, 'stimuli' | 'edits'>): { readonly after?: Moment } {
  return endedBefore(run.flow, { ...run.inputs, ...earlier }, at) ? {} : { after: momentOf(run, at - 1) };
}
