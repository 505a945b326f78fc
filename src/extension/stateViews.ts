import { t } from '@vscode/l10n';
import type { CellType } from '../engine/cell';
import { NO_STEP } from '../engine/journal';
import { describeReference } from '../engine/reference';
import { lastWrite } from '../engine/timeline';
import { contextKind } from '../flows/contexts';
import type { FlowRun } from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import type { Session } from '../flows/session';
import { threadTitle, valueText, writesOf } from '../flows/text';
import type { CellType as CellTypeView, ComponentView, HistoryView, PlaceView, RunOutline, StateView } from '../webview/protocol';

/** What the webviews get to see of a run's state: what there is, once; its values, at each position; the history of one cell, when asked. */

/** All cells' values where a session stands. The session must have a run. */
export function stateView({ run, cursor, position }: Session): StateView {
  const { cells } = run!;
  const values = new Float64Array(cells.length);
  const writers = new Int32Array(cells.length);
  for (const { id } of cells) {
    values[id] = cursor!.value(id);
    writers[id] = lastWrite(run!, id, position)?.step ?? NO_STEP;
  }
  // A step may write a cell more than once: what it was before the first time counts.
  const before = new Map(
    writesOf(run!, position)
      .toReversed()
      .map((write) => [write.cell, write.old]),
  );
  const changes = [...before].filter(([cell, was]) => was !== values[cell]).map(([cell, was]) => ({ cell, was }));
  return { values, writers, changes };
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
  const writers = new Uint32Array(steps.length);
  const known = new Map<number, number>();
  const places = new Map<string, { readonly index: number; readonly view: PlaceView }>();
  for (let index = 0; index < steps.length; index++) {
    const write = writes.at(first + index);
    const value = known.get(write.new) ?? known.size;
    known.set(write.new, value);
    const key = `${run.journal.siteId(write.step)} ${run.journal.thread(write.step)}`;
    const place = places.get(key) ?? { index: places.size, view: placeView(run, write.step) };
    places.set(key, place);
    steps[index] = write.step;
    values[index] = value;
    writers[index] = place.index;
  }
  const numbers = [...known.keys()];
  const texts = numbers.map((value) => valueText(run, cell, value));
  const before = steps.length > 0 ? writes.at(first).old : cell.initial;
  return {
    component,
    cell: name,
    steps,
    values,
    texts,
    numbers,
    initial: valueText(run, cell, before),
    before,
    writers,
    places: [...places.values()].map(({ view }) => view),
    truncated: first > 0,
  };
}

function placeView({ journal, threads }: FlowRun, n: number): PlaceView {
  const step = journal.step(n);
  const thread = threads[step.thread]!;
  const reference = referenceOfStep(step);
  return {
    symbol: step.site.fn.name,
    ...(step.site.anchor ? { anchor: step.site.anchor.token } : {}),
    ...(reference ? { reference: describeReference(reference) } : {}),
    thread: threadTitle(thread),
    context: contextKind(thread.context),
  };
}

/** The structure instances of a run, and the types of their cells, each once. */
export function componentViews({ components, cells, journal }: FlowRun): Pick<RunOutline, 'components' | 'types'> {
  const types = [...new Set(cells.map(({ type }) => type))];
  const indexes = new Map(types.map((type, index) => [type, index]));
  let first = 0;
  return {
    types: types.map(typeView),
    components: components.map(({ struct, name, doc, born, cells: own }): ComponentView => ({
      struct,
      name,
      doc: t(doc),
      born: Math.max(0, born),
      first: (first += own.length) - own.length,
      cells: own.map((cell) => ({
        name: cell.name,
        type: indexes.get(cell.type) ?? 0,
        ...(cell.means ? { means: t(cell.means) } : {}),
        touched: journal.writesTo(cell.id, journal.length - 1).count > 0,
      })),
    })),
  };
}

function typeView(type: CellType): CellTypeView {
  switch (type.kind) {
    case 'bool':
    case 'int':
    case 'pointer':
      return { kind: type.kind };
    case 'hex':
      return { kind: 'hex', bits: type.bits };
    case 'vectors':
      return { kind: 'vectors', first: type.first };
    case 'enum':
      return { kind: 'enum', names: [...type.names].map(([value, name]) => ({ value, name })) };
    case 'bits':
      return {
        kind: 'bits',
        bits: type.bits,
        fields: type.fields.map(({ values, means, ...field }) => ({
          ...field,
          ...(means === undefined ? {} : { means: t(means) }),
          ...(values ? { values: values.map((name) => (name === undefined ? '' : t(name))) } : {}),
        })),
      };
  }
}
