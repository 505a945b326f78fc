import { t } from '@vscode/l10n';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { BitField, Cell, CellType, Component } from '../../engine/cell';
import { NO_STEP } from '../../engine/journal';
import { lastWrite, type Cursor } from '../../engine/timeline';
import type { Arguments } from '../../flows/arguments';
import type { FlowRun } from '../../flows/flow';
import { cellKey } from '../../flows/names';
import { edgeTitle, resultText, threadTitle, valueText, writesOf } from '../../flows/text';
import type { Frame } from './frames';

/** What the Variables view shows of a run at a position: scopes, components, cells, bits. Nothing is made before it is asked for. */

/** What can be opened to see what is in it. */
export type Node =
  | { readonly kind: 'arguments'; readonly frame: Frame }
  | { readonly kind: 'step'; readonly frame: Frame }
  | { readonly kind: 'components'; readonly components: readonly Component[] }
  /** All components, those of one structure under its name. */
  | { readonly kind: 'state' }
  | { readonly kind: 'struct'; readonly components: readonly Component[] }
  | { readonly kind: 'component'; readonly component: Component }
  | { readonly kind: 'bits'; readonly cell: Cell };

/** One row. `target` is what a data breakpoint or a what-if on it means. */
export interface Row {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  readonly inside?: Node;
  readonly target?: Target;
  /** The expression that has this value. */
  readonly evaluateName?: string;
  readonly kind?: DebugProtocol.VariablePresentationHint['kind'];
}

/** A cell, or a part of it that has a name. */
export interface Target {
  readonly cell: Cell;
  readonly field?: BitField;
}

/** A run, and the state at the position in it. */
export interface Moment {
  readonly run: FlowRun;
  readonly cursor: Cursor;
  readonly arguments: Arguments;
}

export interface Scope {
  readonly name: string;
  readonly inside: Node;
  /** Whether a client should not look into it unasked. */
  readonly expensive: boolean;
}

/** Finding arguments takes as long as the run up to the call: a moment up to here. */
const SOON = 100_000;

/** The scopes of a frame, in the order in which they are shown. */
export const scopesOf = (run: FlowRun, frame: Frame): readonly Scope[] => [
  { name: t('Arguments'), inside: { kind: 'arguments', frame }, expensive: frame.enter > SOON },
  { name: t('At Hand'), inside: { kind: 'components', components: componentsAtHand(run, frame) }, expensive: false },
  { name: t('Interrupt State'), inside: { kind: 'state' }, expensive: false },
  { name: t({ message: 'Step', comment: 'noun' }), inside: { kind: 'step', frame }, expensive: false },
];

/** The rows inside a node. */
export function rowsOf(moment: Moment, node: Node): readonly Row[] {
  switch (node.kind) {
    case 'arguments':
      return argumentRows(moment, node.frame);
    case 'step':
      return stepRows(moment.run, node.frame);
    case 'components':
      return node.components.map((component) => componentRow(moment, component, `${component.struct} ${component.name}`));
    case 'state':
      return [...byStruct(present(moment))].map(([struct, components]) => structRow(moment, struct, components));
    case 'struct':
      return node.components.map((component) => componentRow(moment, component, instanceIn(moment.run, component)));
    case 'component':
      return node.component.cells.flatMap((cell) => (isBlank(moment, cell) ? [] : [cellRow(moment, cell)]));
    case 'bits':
      return bitRows(moment, node.cell);
  }
}

/** Models take what they need of what upstream's functions take, so an argument goes by its structure's name, or by its place. */
function argumentRows(moment: Moment, { enter, at }: Frame): readonly Row[] {
  const { run } = moment;
  const given = moment.arguments.at(enter).map((argument, index): Row => {
    const place = t('argument {0}', index + 1);
    switch (argument.kind) {
      case 'value':
        return { name: place, value: String(argument.value), kind: 'data' };
      case 'function':
        return { name: place, value: `&${argument.symbol}`, kind: 'method' };
      case 'component': {
        const component = argument.component === undefined ? undefined : run.components[argument.component];
        return component ? componentRow(moment, component, `${place}, ${component.struct}`) : { name: place, value: 'NULL', kind: 'data' };
      }
      case 'components': {
        const components = argument.components.flatMap((id) => run.components[id] ?? []);
        const value = components.map(({ struct }) => struct).join(', ');
        return { name: place, value, inside: { kind: 'components', components }, kind: 'class' };
      }
    }
  });
  const result = resultText(run.journal.step(at));
  return result === undefined ? given : [...given, { name: t('result'), value: result, kind: 'data' }];
}

/** What the journal knows of the step that a frame stands at. */
function stepRows({ journal, threads }: FlowRun, { at }: Frame): readonly Row[] {
  const step = journal.step(at);
  const brought = step.cause === NO_STEP ? undefined : journal.step(step.cause);
  const rows: readonly (Row | undefined)[] = [
    { name: t('step'), value: String(at), kind: 'virtual' },
    step.edge === 'none' ? undefined : { name: t('reached by'), value: edgeTitle(step.edge), kind: 'virtual' },
    brought && {
      name: t('caused by'),
      value: t('step {0}: {1}, {2}', brought.n, brought.site.fn.name, threadTitle(threads[brought.thread]!)),
      kind: 'virtual',
    },
    step.site.note === undefined ? undefined : { name: t('note'), value: t(step.site.note), kind: 'virtual' },
  ];
  return rows.filter((row) => row !== undefined);
}

/** Frames may go on for as long as the run; what they do further away than this from where they stand is not looked at. */
const REACH = 2048;

/** The components that a frame's own function writes: nearest to where it stands first, what is still to come included. */
export function componentsAtHand({ journal, cells }: FlowRun, { enter, at }: Frame): readonly Component[] {
  const distances = new Map<Component, number>();
  const look = (n: number): void => {
    if (journal.parent(n) !== enter || journal.kind(n) === 'enter') return;
    const [first, end] = journal.writesOf(n);
    for (let index = first; index < end; index++) {
      const { component } = cells[journal.write(index).cell]!;
      distances.set(component, Math.min(distances.get(component) ?? Infinity, Math.abs(n - at)));
    }
  };
  for (let n = at; n > enter && n > at - REACH; n--) look(n);
  for (let n = at + 1; n < journal.length && n < at + REACH; n++) {
    look(n);
    if (journal.kind(n) === 'return' && journal.parent(n) === enter) break;
  }
  return [...distances].toSorted(([, a], [, b]) => a - b).map(([component]) => component);
}

const present = ({ run, cursor }: Moment): readonly Component[] =>
  run.components.filter(({ born, cells }) => born <= cursor.position && cells.length > 0);

function byStruct(components: readonly Component[]): ReadonlyMap<string, readonly Component[]> {
  const groups = new Map<string, Component[]>();
  for (const component of components) {
    const group = groups.get(component.struct);
    if (group) group.push(component);
    else groups.set(component.struct, [component]);
  }
  return groups;
}

export function structRow(moment: Moment, struct: string, components: readonly Component[]): Row {
  const [only, ...others] = components;
  if (only !== undefined && others.length === 0) return componentRow(moment, only, struct);
  const value = components.map(({ name }) => name).join(', ');
  return { name: struct, value: marked(moment, value, components), inside: { kind: 'struct', components }, kind: 'class' };
}

export function componentRow(moment: Moment, component: Component, name: string): Row {
  return {
    name,
    value: marked(moment, component.name, [component]),
    type: component.struct,
    inside: { kind: 'component', component },
    evaluateName: componentKey(moment.run, component),
    kind: 'class',
  };
}

/** The name that tells a component from all others: `struct(instance)`. */
export function componentKey(run: FlowRun, { struct, name, cells }: Component): string {
  const [cell] = cells;
  return cell === undefined ? `${struct}(${name})` : cellKey(run, cell.id).slice(0, -`.${cell.name}`.length);
}

const instanceIn = (run: FlowRun, component: Component): string => componentKey(run, component).slice(component.struct.length + 1, -1);

/** What the step at the position writes shows at every level above it. */
function marked({ run, cursor }: Moment, value: string, components: readonly Component[]): string {
  const changed = writesOf(run, cursor.position).some(
    (write) => write.old !== write.new && components.includes(run.cells[write.cell]!.component),
  );
  return changed ? t('{0} (changed)', value) : value;
}

/** A row for a cell; where the step at the position has written it, with what it was. */
export function cellRow(moment: Moment, cell: Cell): Row {
  const { run, cursor } = moment;
  const value = cursor.value(cell.id);
  const old = oldValue(moment, cell);
  const inside = insideOf(run, cell, value);
  return {
    name: cell.name,
    value: was(valueText(run, cell, value), old === value || old === undefined ? undefined : valueText(run, cell, old)),
    type: typeText(cell.type),
    target: { cell },
    evaluateName: cellKey(run, cell.id),
    kind: 'property',
    ...(inside ? { inside } : {}),
  };
}

function insideOf(run: FlowRun, cell: Cell, value: number): Node | undefined {
  switch (cell.type.kind) {
    case 'hex':
    case 'bits':
    case 'vectors':
      return { kind: 'bits', cell };
    case 'pointer': {
      const component = run.components[value - 1];
      return component && { kind: 'component', component };
    }
    case 'bool':
    case 'int':
    case 'enum':
      return undefined;
  }
}

/** The bits of a word, lowest first: those with names; of a word without, each one; of a set of vectors, those in it. */
function bitRows(moment: Moment, cell: Cell): readonly Row[] {
  const value = moment.cursor.value(cell.id);
  const old = oldValue(moment, cell) ?? value;
  return fieldsOf(cell.type).flatMap((field): Row[] => {
    const now = fieldValue(value, field);
    const before = fieldValue(old, field);
    if (cell.type.kind === 'vectors' && now === 0 && before === 0) return [];
    const shown = (n: number): string => t(field.values?.[n] ?? String(n));
    const text = was(shown(now), before === now ? undefined : shown(before));
    const evaluateName = `(${cellKey(moment.run, cell.id)} & 0x${maskOf(field).toString(16)}) >> ${field.low}`;
    return [{ name: field.name, value: text, target: { cell, field }, evaluateName, kind: 'property' }];
  });
}

/** The parts of a word that have a name. */
export function fieldsOf(type: CellType): readonly BitField[] {
  const bits = (count: number, nameOf: (bit: number) => string): BitField[] =>
    Array.from({ length: count }, (_, low) => ({ name: nameOf(low), low, width: 1 }));
  switch (type.kind) {
    case 'bits':
      return type.fields.toSorted((a, b) => a.low - b.low);
    case 'hex':
      return bits(type.bits, (bit) => t('bit {0}', bit));
    case 'vectors':
      return bits(type.bits, (bit) => t('vector {0}', type.first + bit));
    case 'bool':
    case 'int':
    case 'enum':
    case 'pointer':
      return [];
  }
}

/** The bits of a word that a field takes. */
export const maskOf = ({ low, width }: BitField): number => ((2 ** width - 1) << low) >>> 0;

const fieldValue = (value: number, field: BitField): number => (value & maskOf(field)) >>> field.low;

const was = (now: string, before: string | undefined): string => (before === undefined ? now : t('{0} (was {1})', now, before));

/** What the cell held before the step at the position, if that wrote it. */
const oldValue = ({ run, cursor }: Moment, cell: Cell): number | undefined =>
  writesOf(run, cursor.position).find((write) => write.cell === cell.id)?.old;

/** One word of a wide register that never held anything. */
const isBlank = ({ run, cursor }: Moment, cell: Cell): boolean =>
  /\[\d+\]$/.test(cell.name) && cursor.value(cell.id) === 0 && lastWrite(run, cell.id, cursor.position) === undefined;

/** A cell's type, as C would say it. */
export function typeText(type: CellType): string {
  switch (type.kind) {
    case 'bool':
      return 'bool';
    case 'int':
      return 'int';
    case 'hex':
    case 'bits':
    case 'vectors':
      return `u${type.bits}`;
    case 'enum':
      return 'enum';
    case 'pointer':
      return 'pointer';
  }
}
