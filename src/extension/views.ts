import { t } from '@vscode/l10n';
import { describeReference } from '../engine/reference';
import { stackAt } from '../engine/timeline';
import { contextKind } from '../flows/contexts';
import { presetOf, type FlowRun, type ParameterSpec } from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import type { Note } from '../flows/scenario/format';
import { allNotes, notesOn } from '../flows/scenario/notes';
import type { Session } from '../flows/session';
import { resultText, threadTitle } from '../flows/text';
import type { ParameterView, PositionView, RunOutline, RunView } from '../webview/protocol';
import { componentViews, stateView } from './stateViews';
import { forkView } from './forkView';
import { lanesOf, stepColumns, stepView, wayView } from './stepViews';
import { topologyStateView, topologyView } from './topologyView';

/** What the webviews get to see of a session. */

/** A run, whole: sent once to the panel, when it begins. */
export const runView = (run: FlowRun, session: Pick<Session, 'chapters' | 'base' | 'scenario'>): RunView => ({
  ...outlineView(run, session),
  steps: stepColumns(run),
});

/** A run without its steps, for the side bar. */
export function outlineView(run: FlowRun, { chapters, base, scenario }: Pick<Session, 'chapters' | 'base' | 'scenario'>): RunOutline {
  const { flow, inputs, journal } = run;
  const told = scenario ? { title: scenario.content.title, prose: scenario.content.description ?? '' } : presetOf(run);
  return {
    flow: flow.id,
    title: t(flow.title),
    ...(told ? { preset: { title: t(told.title), prose: t(told.prose) } } : {}),
    lanes: lanesOf(run).threads.map((thread, index) => ({ index, title: threadTitle(thread), context: contextKind(thread.context) })),
    length: journal.length,
    parameters: flow.parameters.map((spec) => parameterView(spec, inputs.parameters[spec.name])),
    stimuli: flow.stimuli.map(({ name, title, description }) => ({ name, title: t(title), description: t(description) })),
    injected: inputs.stimuli.map(({ at, name }) => ({
      at,
      title: t(flow.stimuli.find((stimulus) => stimulus.name === name)?.title ?? name),
    })),
    ...(base ? { fork: forkView(run, base) } : {}),
    chapters: chapters.map(({ chapter, step }) => ({ title: t(chapter.title), step })),
    topology: topologyView(run),
    ...componentViews(run),
  };
}

function parameterView(spec: ParameterSpec, value: unknown): ParameterView {
  const { name } = spec;
  const [title, description] = [t(spec.title), t(spec.description)];
  switch (spec.kind) {
    case 'boolean':
      return { kind: 'boolean', name, title, description, value: value === true };
    case 'choice':
      return {
        kind: 'choice',
        name,
        title,
        description,
        value: String(value),
        choices: spec.choices.map((choice) => ({ ...choice, title: t(choice.title) })),
      };
    case 'number':
      return { kind: 'number', name, title, description, value: Number(value), minimum: spec.minimum, maximum: spec.maximum };
  }
}

/** Where a session stands, with what a reader has noted there: sent after every move. The session must have a run. */
export function positionView(session: Session, own: readonly Note[] = []): PositionView {
  const run = session.run!;
  const { position } = session;
  const step = run.journal.step(position);
  const reference = referenceOfStep(step);
  const notes = notesOn(run, position, allNotes(session.scenario, own));
  const result = step.kind === 'return' ? resultText(step) : undefined;
  return {
    step: position,
    here: stepView(run, position),
    way: wayView(run, position),
    ...(reference ? { reference: describeReference(reference) } : {}),
    does: t(step.site.fn.does),
    ...(step.site.note ? { note: t(step.site.note) } : {}),
    ...(notes.length > 0 ? { notes: notes.map(({ text }) => text) } : {}),
    ...(result ? { result } : {}),
    topology: topologyStateView(run, session.cursor!),
    stack: stackAt(run, position).map((frame) => ({ step: frame.enter.n, symbol: frame.enter.site.fn.name })),
    state: stateView(session),
  };
}
