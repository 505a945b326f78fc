import type { Cell } from '../engine/cell';
import { describeReference } from '../engine/reference';
import { lastWrite, stackAt } from '../engine/timeline';
import { contextKind } from '../flows/contexts';
import { presetOf, type FlowRun, type ParameterSpec } from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import type { Session } from '../flows/session';
import { resultText, valueText, writesOf } from '../flows/text';
import type { CellView, ComponentView, HistoryView, ParameterView, PositionView, RunOutline, RunView } from '../webview/protocol';
import { lanesOf, stepColumns, stepView, wayView } from './stepViews';
import { topologyStateView, topologyView } from './topologyView';

/** What the webviews get to see of a session. */

/** A run, whole: sent once to the panel, when it begins. */
export const runView = (run: FlowRun, chapters: Session['chapters']): RunView => ({
  ...outlineView(run, chapters),
  steps: stepColumns(run),
});

/** A run without its steps, for the side bar. */
export function outlineView(run: FlowRun, chapters: Session['chapters']): RunOutline {
  const { flow, inputs, journal } = run;
  const preset = presetOf(run);
  return {
    flow: flow.id,
    title: flow.title,
    ...(preset ? { preset: { title: preset.title, prose: preset.prose } } : {}),
    lanes: lanesOf(run).threads.map(({ title, context }, index) => ({ index, title, context: contextKind(context) })),
    length: journal.length,
    parameters: flow.parameters.map((spec) => parameterView(spec, inputs.parameters[spec.name])),
    stimuli: flow.stimuli.map(({ name, title, description }) => ({ name, title, description })),
    injected: inputs.stimuli.map(({ at, name }) => ({ at, title: flow.stimuli.find((stimulus) => stimulus.name === name)?.title ?? name })),
    chapters: chapters.map(({ chapter, step }) => ({ title: chapter.title, step })),
    topology: topologyView(run),
  };
}

function parameterView(spec: ParameterSpec, value: unknown): ParameterView {
  const { name, title, description } = spec;
  switch (spec.kind) {
    case 'boolean':
      return { kind: 'boolean', name, title, description, value: value === true };
    case 'choice':
      return { kind: 'choice', name, title, description, value: String(value), choices: spec.choices };
    case 'number':
      return { kind: 'number', name, title, description, value: Number(value), minimum: spec.minimum, maximum: spec.maximum };
  }
}

/** Where a session stands: sent after every move. The session must have a run. */
export function positionView(session: Session): PositionView {
  const run = session.run!;
  const { position } = session;
  const step = run.journal.step(position);
  const reference = referenceOfStep(step);
  const result = step.kind === 'return' ? resultText(step) : undefined;
  const changed = new Map(writesOf(run, position).map((write) => [write.cell, write.old]));
  return {
    step: position,
    here: stepView(run, position),
    way: wayView(run, position),
    ...(reference ? { reference: describeReference(reference) } : {}),
    does: step.site.fn.does,
    ...(step.site.note ? { note: step.site.note } : {}),
    ...(result ? { result } : {}),
    topology: topologyStateView(run, session.cursor!),
    stack: stackAt(run, position).map((frame) => ({ step: frame.enter.n, symbol: frame.enter.site.fn.name })),
    components: run.components.flatMap((component): ComponentView[] => {
      if (component.born > position || component.cells.length === 0) return [];
      const cells = component.cells.flatMap((cell) => cellView(session, cell, changed));
      const { id, struct, name, doc } = component;
      return [{ id, struct, name, doc, cells, changed: component.cells.some((cell) => changed.has(cell.id)) }];
    }),
  };
}

/** The most writes that a history holds. */
const HISTORY_LIMIT = 100_000;

/** Every write to a cell, or undefined if the run has no such cell. */
export function historyView(run: FlowRun, component: number, name: string): HistoryView | undefined {
  const cell = run.components[component]?.cells.find((candidate) => candidate.name === name);
  if (cell === undefined) return undefined;
  const writes = run.journal.writesTo(cell.id, run.journal.length - 1);
  const first = Math.max(0, writes.count - HISTORY_LIMIT);
  const steps = new Uint32Array(writes.count - first);
  const values = new Uint32Array(steps.length);
  const known = new Map<number, number>();
  for (let index = 0; index < steps.length; index++) {
    const write = writes.at(first + index);
    const value = known.get(write.new) ?? known.size;
    known.set(write.new, value);
    steps[index] = write.step;
    values[index] = value;
  }
  const texts = [...known.keys()].map((value) => valueText(run, cell, value));
  const initial = valueText(run, cell, steps.length > 0 ? writes.at(first).old : cell.initial);
  return { component, cell: name, steps, values, texts, initial, truncated: first > 0 };
}

/** One word of a wide register: shown only once it has held something. */
const WIDE = /\[\d+\]$/;

function cellView(session: Session, cell: Cell, changed: ReadonlyMap<number, number>): CellView[] {
  const run = session.run!;
  const value = session.cursor!.value(cell.id);
  const written = lastWrite(run, cell.id, session.position);
  if (written === undefined && value === 0 && WIDE.test(cell.name)) return [];
  const was = changed.get(cell.id);
  return [
    {
      name: cell.name,
      value: valueText(run, cell, value),
      ...(was === undefined ? {} : { was: valueText(run, cell, was) }),
      ...(cell.type.kind === 'bits' ? { bits: bitsOf(cell.type.names, value, was ?? value) } : {}),
      ...(written ? { writtenAt: written.step } : {}),
    },
  ];
}

function bitsOf(names: readonly (string | undefined)[], value: number, was: number): NonNullable<CellView['bits']> {
  const bits = names.flatMap((name, bit) =>
    name === undefined ? [] : [{ name, set: ((value >>> bit) & 1) === 1, changed: (((value ^ was) >>> bit) & 1) === 1 }],
  );
  return bits.reverse();
}
