/**
 * Everything that the extension and its webviews say to each other, both ways. Nothing else crosses the line.
 * A message from the other side is checked by `parse…` where it arrives; what does not fit is dropped and reported.
 */

/** One execution context: a lane of the sequence. */
export interface Lane {
  readonly index: number;
  readonly title: string;
  /** `device`, `hardirq`, `kworker`, `qemu`, `vcpu`, `guest`: chooses the lane's colour and icon. */
  readonly context: string;
}

export const STEP_KINDS = ['enter', 'at', 'return', 'signal'] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** One step as views show it. */
export interface StepView {
  readonly n: number;
  readonly kind: StepKind;
  /** Index into the lanes. */
  readonly lane: number;
  readonly depth: number;
  readonly symbol: string;
  /** The identifier it stands on, for `at` and `signal`. */
  readonly anchor?: string;
  /** How it was reached, where that is not a plain call: `ioctl`, `eventfd`, `vmexit` … */
  readonly edge?: string;
  /** The step in another lane that brought it about. */
  readonly cause?: number;
  /** `linux`, `qemu`, `acrn` or `hardware`. */
  readonly world: string;
  /** Whether it wrote any state. */
  readonly writes: boolean;
}

/** The part of a step that all steps on the same place share. */
export type SiteView = Pick<StepView, 'symbol' | 'anchor' | 'world'>;

/**
 * All steps of a run, a column for each property and an entry for each step: a million of them cross the line as seven arrays.
 * `stepAt` in steps.ts makes a `StepView` of an entry.
 */
export interface StepColumns {
  readonly length: number;
  /** Indexes into `STEP_KINDS`. */
  readonly kinds: Uint8Array;
  readonly lanes: Uint16Array;
  readonly depths: Uint16Array;
  /** Indexes into `siteTable`. */
  readonly sites: Uint32Array;
  /** Indexes into `edgeTable`, whose first entry stands for a plain call and for none. */
  readonly edges: Uint8Array;
  /** Steps, or -1. */
  readonly causes: Int32Array;
  /** 1 where a step wrote any state. */
  readonly writes: Uint8Array;
  readonly siteTable: readonly SiteView[];
  readonly edgeTable: readonly string[];
}

/** A parameter of the flow and its value in this run. */
export type ParameterView = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
} & (
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'choice'; readonly value: string; readonly choices: readonly { readonly value: string; readonly title: string }[] }
  | { readonly kind: 'number'; readonly value: number; readonly minimum: number; readonly maximum: number }
);

/** Something that a reader may do to the run at the current step. */
export interface StimulusView {
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

/** A chapter of the flow, and the step at which it begins in this run. */
export interface ChapterView {
  readonly title: string;
  readonly step: number;
}

/** A part of the topology: a device, an eventfd, a pin, a vCPU. */
export interface TopologyPartView {
  /** Upstream's name for it. */
  readonly title: string;
  /** `device`, `pin`, `eventfd`, `controller` …: chooses the icon. */
  readonly kind: string;
  /** Index into the topology's worlds. */
  readonly world: number;
  /** The structure that it stands for, and the file that it is modelled in. */
  readonly struct?: string;
  readonly file?: string;
  /** The names of the cells that it shows. */
  readonly cells: readonly string[];
}

/** What carries a signal from one part to another; `from` and `to` are indexes into the parts. */
export interface TopologyWireView {
  readonly from: number;
  readonly to: number;
  /** `line`, `eventfd`, `ioctl`, `vmexit` … */
  readonly kind: string;
  readonly label: string;
}

/** The parts of a run and the wires between them. */
export interface TopologyView {
  /** `hardware`, `host`, `kvm`, `qemu`, `guest` …: each has a colour and holds the parts that name it. */
  readonly worlds: readonly { readonly id: string; readonly title: string }[];
  readonly parts: readonly TopologyPartView[];
  readonly wires: readonly TopologyWireView[];
}

/** A part of the topology at the current position. */
export interface PartStateView {
  /** Whether it exists already. */
  readonly there: boolean;
  /** The components that it stands for, by their index in the run's. */
  readonly components: readonly number[];
  /** Index into the part's cells, and the value as people read it. */
  readonly cells: readonly { readonly cell: number; readonly value: string; readonly changed: boolean }[];
  /** Why a signal does not get past it. */
  readonly blocked: readonly string[];
  /** The last step that wrote its state. */
  readonly writtenAt?: number;
}

/** The topology at the current position. */
export interface TopologyStateView {
  /** The wires that the signal has passed, the newest last, with the last step that passed each. */
  readonly way: readonly { readonly wire: number; readonly step: number }[];
  /** The part that the step stands in. */
  readonly active?: number;
  /** One for each part. */
  readonly parts: readonly PartStateView[];
}

/** How a run differs from the one that it was forked from. */
export interface ForkView {
  /** The last step up to which both are the same; undefined if they differ from the start. */
  readonly step?: number;
  /** What was changed, each in a few words: `pic(master).isr = 0x00`. */
  readonly changes: readonly string[];
  /** How it ends, where that is not by coming to rest. */
  readonly ending?: string;
}

/** A run without its steps: all that the side bar gets to know. */
export interface RunOutline {
  readonly flow: string;
  readonly title: string;
  /** The preset that this run is, and what it shows, in Markdown's most common marks. */
  readonly preset?: { readonly title: string; readonly prose: string };
  readonly lanes: readonly Lane[];
  /** The number of steps. */
  readonly length: number;
  readonly parameters: readonly ParameterView[];
  readonly stimuli: readonly StimulusView[];
  /** The stimuli that were injected, by title, and the step at which each took effect. */
  readonly injected: readonly { readonly title: string; readonly at: number }[];
  /** What the run is a fork of. */
  readonly fork?: ForkView;
  readonly chapters: readonly ChapterView[];
  readonly topology: TopologyView;
  /** Everything that has state, by number. */
  readonly components: readonly ComponentView[];
  /** What cells are of. */
  readonly types: readonly CellType[];
}

/** A run, as the panel first gets to know it: once. What moves is a position. */
export interface RunView extends RunOutline {
  readonly steps: StepColumns;
}

/** How a cell's number is read and shown. */
export type CellType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int' }
  | { readonly kind: 'hex'; readonly bits: number }
  | { readonly kind: 'bits'; readonly bits: number; readonly fields: readonly BitFieldView[] }
  /** 32 vectors of a wide register: bit 0 stands for vector `first`. */
  | { readonly kind: 'vectors'; readonly first: number }
  | { readonly kind: 'enum'; readonly names: readonly { readonly value: number; readonly name: string }[] }
  /** 0 is NULL, anything else one more than the index of a component. */
  | { readonly kind: 'pointer' };

/** A bit of a word, or several side by side, that has a name. */
export interface BitFieldView {
  readonly name: string;
  /** Its lowest bit. */
  readonly low: number;
  readonly width: number;
  /** What it says, in a sentence. */
  readonly means?: string;
  /** What its values are called; an empty name is none. */
  readonly values?: readonly string[];
}

/** One cell of a structure, as it is throughout the run. */
export interface CellView {
  readonly name: string;
  /** Index into the run's types. */
  readonly type: number;
  /** What it holds, in a sentence. */
  readonly means?: string;
  /** Whether the run writes it at all. */
  readonly touched: boolean;
}

/** A structure instance, as it is throughout the run. Its index is its number. */
export interface ComponentView {
  readonly struct: string;
  readonly name: string;
  readonly doc: string;
  /** The step before which there is no such instance; 0 when it was there from the start. */
  readonly born: number;
  /** The number of its first cell; its other cells have the numbers that follow. */
  readonly first: number;
  readonly cells: readonly CellView[];
}

/** All cells' values at a position, by their numbers. */
export interface StateView {
  readonly values: Float64Array;
  /** The step that wrote each last; -1: none did. */
  readonly writers: Int32Array;
  /** What the current step changed, and what stood there before. */
  readonly changes: readonly { readonly cell: number; readonly was: number }[];
}

/** A hand-over between execution contexts: `cause` brought `step` about. */
export interface HandoverView {
  readonly cause: number;
  readonly step: number;
  /** The lane of `cause`, and the function that it is in. */
  readonly lane: number;
  readonly symbol: string;
  /** How `step` was reached. */
  readonly edge?: string;
}

/** Where a run stands. */
export interface PositionView {
  readonly step: number;
  /** The step itself. */
  readonly here: StepView;
  /** How the signal got here: the latest hand-overs that led to the step, the last one first. */
  readonly way: readonly HandoverView[];
  /** A reference for people, `linux:virt/kvm/eventfd.c irqfd_wakeup › schedule_work`, or undefined for hardware. */
  readonly reference?: string;
  /** What the function does, and what this step is about. */
  readonly does: string;
  readonly note?: string;
  /** What readers have noted here. */
  readonly notes?: readonly string[];
  /** What the function returned, on a `return` step. */
  readonly result?: string;
  /** The call stack of the step's thread, innermost first. */
  readonly stack: readonly { readonly step: number; readonly symbol: string }[];
  readonly topology: TopologyStateView;
  readonly state: StateView;
}

/** A place that steps stand on, in the thread that they ran on. */
export interface PlaceView {
  readonly symbol: string;
  readonly anchor?: string;
  /** `linux:virt/kvm/eventfd.c irqfd_wakeup › schedule_work`, or undefined for hardware. */
  readonly reference?: string;
  readonly thread: string;
  readonly context: string;
}

/** Every write to one cell in the run, first to last. */
export interface HistoryView {
  /** The component's `id`. */
  readonly component: number;
  /** The cell's `name`. */
  readonly cell: string;
  /** The steps that wrote it, in order. */
  readonly steps: Uint32Array;
  /** What each wrote, as an index into `texts`. */
  readonly values: Uint32Array;
  /** Each different value once, as people read it. */
  readonly texts: readonly string[];
  /** The same values as numbers. */
  readonly numbers: readonly number[];
  /** What it was before the first of `steps`, as people read it, and as a number. */
  readonly initial: string;
  readonly before: number;
  /** Where each stood, as an index into `places`. */
  readonly writers: Uint32Array;
  readonly places: readonly PlaceView[];
  /** Whether there are more writes than a message holds: then these are the last ones. */
  readonly truncated: boolean;
}

/** Another run beside this one. */
export interface ComparisonView {
  /** Which run that is. */
  readonly title: string;
  readonly lanes: readonly Lane[];
  readonly steps: StepColumns;
  /**
   * Where the two go different ways, in order, four numbers each: in place of steps `[0, 1)` of this run the other has its steps `[2, 3)`.
   * Everywhere else each step of one is one of the other.
   */
  readonly differences: Uint32Array;
  /** The steps of this run that the other does too, but writing something else. */
  readonly otherwise: Uint32Array;
}

/** What differs in state between two runs, where each of them stands. */
export interface StateComparisonView {
  /** The step of this run, and the step of the other that stands beside it. */
  readonly step: number;
  readonly other: number;
  /** Whether both do the same there; else the other's is the nearest one before. */
  readonly same: boolean;
  /** How many cells differ: `cells` has the first of them. */
  readonly count: number;
  /** By name, the value in this run and in the other; a run that does not have the cell there has none. */
  readonly cells: readonly { readonly name: string; readonly a?: string; readonly b?: string }[];
}

/** From the extension to a webview. */
export type ToWebview =
  | { readonly type: 'run'; readonly run: RunView; readonly position: PositionView }
  /** The same for the side bar. */
  | { readonly type: 'outline'; readonly run: RunOutline; readonly position: PositionView }
  | { readonly type: 'position'; readonly position: PositionView }
  | { readonly type: 'playing'; readonly playing: boolean }
  /** The answer to a `history`. */
  | { readonly type: 'history'; readonly history: HistoryView }
  /** The answer to `compare`, also without being asked when the reader has chosen a run; without one there is nothing to compare with. */
  | { readonly type: 'comparison'; readonly comparison?: ComparisonView; readonly chosen: boolean }
  /** The answer to `compareState`. */
  | { readonly type: 'stateComparison'; readonly state: StateComparisonView }
  /** There is no run: invite the reader to start one. */
  | { readonly type: 'empty' };

export const PANEL_COMMANDS = [
  'step',
  'stepBack',
  'runToNextContext',
  'restart',
  'revealSource',
  'togglePlay',
  'exploreFlow',
  'openPanel',
  'returnToBase',
  'keepFork',
  'compareWith',
  'compareWithBase',
] as const;
export type PanelCommand = (typeof PANEL_COMMANDS)[number];

/** From a webview to the extension. */
export type ToHost =
  | { readonly type: 'ready' }
  | { readonly type: 'command'; readonly command: PanelCommand }
  | { readonly type: 'seek'; readonly step: number }
  /** Opens the source of a step without going there. */
  | { readonly type: 'revealStep'; readonly step: number }
  | { readonly type: 'setParameter'; readonly name: string; readonly value: string | number | boolean }
  | { readonly type: 'inject'; readonly stimulus: string }
  /** Asks for every write to a cell; a cell that the run does not have gets no answer. */
  | { readonly type: 'history'; readonly component: number; readonly cell: string }
  /** What if a cell, by its number, were another value after this step? */
  | { readonly type: 'edit'; readonly cell: number; readonly value: number }
  /** Asks for the run beside this one, and for what differs in state at the position. */
  | { readonly type: 'compare' }
  | { readonly type: 'compareState' };

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

const NAME = /^[\w.-]{1,64}$/;
/** Names of cells: `redirtbl[23].fields.trig_mode`. */
const LONGEST_NAME = 256;

/**
 * Reads a message that a webview sent.
 * @returns the message rebuilt from its known fields only, or what was wrong with it
 */
export function parseToHost(message: unknown): ToHost | { readonly type: 'malformed'; readonly problem: string } {
  const malformed = (problem: string) => ({ type: 'malformed', problem }) as const;
  if (!isObject(message)) return malformed('a message must be an object');
  switch (message['type']) {
    case 'ready':
      return { type: 'ready' };
    case 'command': {
      const command = PANEL_COMMANDS.find((known) => known === message['command']);
      return command ? { type: 'command', command } : malformed('command.command must be one of ' + PANEL_COMMANDS.join(', '));
    }
    case 'seek':
    case 'revealStep': {
      const { type, step } = message;
      return typeof step === 'number' && Number.isSafeInteger(step) && step >= 0
        ? { type, step }
        : malformed(`${type}.step must be a whole number from 0`);
    }
    case 'setParameter': {
      const { name, value } = message;
      if (typeof name !== 'string' || !NAME.test(name)) return malformed('setParameter.name must be a short identifier');
      if (
        typeof value === 'boolean' ||
        (typeof value === 'number' && Number.isFinite(value)) ||
        (typeof value === 'string' && value.length <= 64)
      ) {
        return { type: 'setParameter', name, value };
      }
      return malformed('setParameter.value must be a boolean, a number or a short string');
    }
    case 'inject': {
      const stimulus = message['stimulus'];
      return typeof stimulus === 'string' && NAME.test(stimulus)
        ? { type: 'inject', stimulus }
        : malformed('inject.stimulus must be a short identifier');
    }
    case 'history': {
      const { component, cell } = message;
      return whole(component) && typeof cell === 'string' && cell.length <= LONGEST_NAME
        ? { type: 'history', component: Number(component), cell }
        : malformed('history must name a component by its number and a cell by its name');
    }
    case 'compare':
    case 'compareState':
      return { type: message['type'] };
    case 'edit': {
      const { cell, value } = message;
      return whole(cell) && typeof value === 'number' && Number.isSafeInteger(value)
        ? { type: 'edit', cell: Number(cell), value }
        : malformed('edit must name a cell by its number and a whole number for it');
    }
    default:
      return malformed(
        'message.type must be one of ready, command, seek, revealStep, setParameter, inject, history, edit, compare, compareState',
      );
  }
}

/**
 * Reads a message that claims to come from the extension. All of it is checked, down to the numbers that point from
 * one part to another, so that a view need not ask again; texts are data that a view only ever shows as text.
 * @returns the message with its known fields, or what was wrong with it
 */
export function parseToWebview(message: unknown): ToWebview | { readonly type: 'malformed'; readonly problem: string } {
  const malformed = (problem: string) => ({ type: 'malformed', problem }) as const;
  if (!isObject(message)) return malformed('a message must be an object');
  switch (message['type']) {
    case 'empty':
      return { type: 'empty' };
    case 'playing':
      return typeof message['playing'] === 'boolean'
        ? { type: 'playing', playing: message['playing'] }
        : malformed('playing.playing must be true or false');
    case 'position':
      return isPosition(message['position'])
        ? { type: 'position', position: message['position'] }
        : malformed('position.position is not a position');
    case 'run': {
      const { run, position } = message;
      if (!isRun(run)) return malformed('run.run is not a run');
      if (!isPosition(position)) return malformed('run.position is not a position');
      return isPositionIn(run, position) ? { type: 'run', run, position } : malformed('run.position is not a position in run.run');
    }
    case 'outline': {
      const { run, position } = message;
      if (!isOutline(run)) return malformed('outline.run is not a run');
      if (!isPosition(position)) return malformed('outline.position is not a position');
      return isPositionIn(run, position)
        ? { type: 'outline', run, position }
        : malformed('outline.position is not a position in outline.run');
    }
    case 'history':
      return isHistory(message['history'])
        ? { type: 'history', history: message['history'] }
        : malformed('history.history is not the history of a cell');
    case 'comparison': {
      const { comparison, chosen } = message;
      if (!flag(chosen)) return malformed('comparison.chosen must be true or false');
      if (comparison === undefined) return { type: 'comparison', chosen: chosen === true };
      return isComparison(comparison)
        ? { type: 'comparison', comparison, chosen: chosen === true }
        : malformed('comparison.comparison is not a comparison');
    }
    case 'stateComparison':
      return isStateComparison(message['state'])
        ? { type: 'stateComparison', state: message['state'] }
        : malformed('stateComparison.state is not a comparison of state');
    default:
      return malformed('message.type must be one of run, outline, position, playing, history, comparison, stateComparison, empty');
  }
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const number: Check = (value) => Number.isFinite(value);
const whole: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

/** A check for each field of `T`: a field that is added above and not here does not compile. */
function shape<T>(checks: { readonly [K in keyof T]-?: Check }): (value: unknown) => value is T {
  const fields = Object.entries<Check>(checks);
  return (value): value is T => isObject(value) && fields.every(([name, check]) => check(value[name]));
}

const isTopologyState = shape<TopologyStateView>({
  way: listOf(shape<TopologyStateView['way'][number]>({ wire: whole, step: whole })),
  active: optional(whole),
  parts: listOf(
    shape<PartStateView>({
      there: flag,
      components: listOf(whole),
      cells: listOf(shape<PartStateView['cells'][number]>({ cell: whole, value: text, changed: flag })),
      blocked: listOf(text),
      writtenAt: optional(whole),
    }),
  ),
});

const isTopologyShape = shape<TopologyView>({
  worlds: listOf(shape<TopologyView['worlds'][number]>({ id: text, title: text })),
  parts: listOf(
    shape<TopologyPartView>({ title: text, kind: text, world: whole, struct: optional(text), file: optional(text), cells: listOf(text) }),
  ),
  wires: listOf(shape<TopologyWireView>({ from: whole, to: whole, kind: text, label: text })),
});

/** Parts name worlds, and wires parts, that exist. */
function isTopology(value: unknown): value is TopologyView {
  if (!isTopologyShape(value)) return false;
  const { worlds, parts, wires } = value;
  return parts.every(({ world }) => world < worlds.length) && wires.every(({ from, to }) => from < parts.length && to < parts.length);
}

const isStep = shape<StepView>({
  n: whole,
  kind: (value) => STEP_KINDS.some((kind) => kind === value),
  lane: whole,
  depth: whole,
  symbol: text,
  anchor: optional(text),
  edge: optional(text),
  cause: optional(whole),
  world: text,
  writes: flag,
});

const hasFieldsOfPosition = shape<PositionView>({
  step: whole,
  here: isStep,
  way: listOf(shape<HandoverView>({ cause: whole, step: whole, lane: whole, symbol: text, edge: optional(text) })),
  reference: optional(text),
  does: text,
  note: optional(text),
  notes: optional(listOf(text)),
  result: optional(text),
  topology: isTopologyState,
  stack: listOf(shape<PositionView['stack'][number]>({ step: whole, symbol: text })),
  state: shape<StateView>({
    values: (value) => value instanceof Float64Array,
    writers: (value) => value instanceof Int32Array,
    changes: listOf(shape<StateView['changes'][number]>({ cell: whole, was: number })),
  }),
});

const isOutlineOfHistory = shape<HistoryView>({
  component: whole,
  cell: text,
  steps: (value) => value instanceof Uint32Array,
  values: (value) => value instanceof Uint32Array,
  texts: listOf(text),
  numbers: listOf(number),
  initial: text,
  before: number,
  writers: (value) => value instanceof Uint32Array,
  places: listOf(shape<PlaceView>({ symbol: text, anchor: optional(text), reference: optional(text), thread: text, context: text })),
  truncated: flag,
});

/** Steps rise, and each value is one of the texts. */
function isHistory(value: unknown): value is HistoryView {
  if (!isOutlineOfHistory(value)) return false;
  const { steps, values, texts, numbers, writers, places } = value;
  return (
    steps.length === values.length &&
    steps.length === writers.length &&
    texts.length === numbers.length &&
    writers.every((writer) => writer < places.length) &&
    values.every((text) => text < texts.length) &&
    steps.every((step, index) => index === 0 || step >= (steps[index - 1] ?? 0))
  );
}

/** The way goes back in time from the step that the position names. */
function isPosition(value: unknown): value is PositionView {
  if (!hasFieldsOfPosition(value)) return false;
  const { step, here, way } = value;
  return here.n === step && way.every((hop, index) => hop.cause < hop.step && hop.step <= (way[index - 1]?.cause ?? step));
}

/** Whether a position is one of a run: it names only steps, lanes, parts and wires that the run has. */
export function isPositionIn(
  { length, lanes, components, topology: { parts, wires } }: RunOutline,
  { step, here, way, state: { values, writers, changes }, topology: state }: PositionView,
): boolean {
  const last = components.at(-1);
  const count = last === undefined ? 0 : last.first + last.cells.length;
  return (
    step < length &&
    values.length === count &&
    writers.length === count &&
    changes.every(({ cell }) => cell < count) &&
    here.lane < lanes.length &&
    way.every(({ lane }) => lane < lanes.length) &&
    state.parts.length === parts.length &&
    state.parts.every(({ cells }, index) => cells.every(({ cell }) => cell < (parts[index]?.cells.length ?? 0))) &&
    state.parts.every((part) => part.components.every((component) => component < components.length)) &&
    state.way.every(({ wire }) => wire < wires.length) &&
    (state.active === undefined || state.active < parts.length)
  );
}

const isBitField = shape<BitFieldView>({
  name: text,
  low: (value) => whole(value) && Number(value) < 32,
  width: (value) => whole(value) && Number(value) >= 1 && Number(value) <= 32,
  means: optional(text),
  values: optional(listOf(text)),
});

function isCellType(value: unknown): boolean {
  if (!isObject(value)) return false;
  switch (value['kind']) {
    case 'bool':
    case 'int':
    case 'pointer':
      return true;
    case 'hex':
      return isWidth(value['bits']);
    case 'bits':
      return isWidth(value['bits']) && listOf(isBitField)(value['fields']);
    case 'vectors':
      return whole(value['first']);
    case 'enum':
      return listOf(shape<{ value: number; name: string }>({ value: number, name: text }))(value['names']);
    default:
      return false;
  }
}

const isWidth: Check = (value) => value === 8 || value === 16 || value === 32;

const OUTLINE: { readonly [K in keyof RunOutline]-?: Check } = {
  flow: text,
  title: text,
  preset: optional(shape<NonNullable<RunView['preset']>>({ title: text, prose: text })),
  lanes: listOf(shape<Lane>({ index: whole, title: text, context: text })),
  length: whole,
  parameters: listOf(isParameter),
  stimuli: listOf(shape<StimulusView>({ name: text, title: text, description: text })),
  injected: listOf(shape<RunView['injected'][number]>({ title: text, at: whole })),
  fork: optional(shape<ForkView>({ step: optional(whole), changes: listOf(text), ending: optional(text) })),
  chapters: listOf(shape<ChapterView>({ title: text, step: whole })),
  topology: isTopology,
  components: listOf(
    shape<ComponentView>({
      struct: text,
      name: text,
      doc: text,
      born: whole,
      first: whole,
      cells: listOf(shape<CellView>({ name: text, type: whole, means: optional(text), touched: flag })),
    }),
  ),
  types: listOf(isCellType),
};
const hasFieldsOfOutline = shape<RunOutline>(OUTLINE);
const hasFieldsOfRun = shape<RunView>({ ...OUTLINE, steps: isStepColumns });

/** Lanes stand at the index that they name, and the numbers of cells follow one another. */
function isInOrder({ lanes, components, types }: RunOutline): boolean {
  let cell = 0;
  return (
    lanes.every(({ index }, position) => index === position) &&
    components.every(({ first, cells }) => first === cell && (cell += cells.length) >= 0 && cells.every(({ type }) => type < types.length))
  );
}

const isOutline = (value: unknown): value is RunOutline => hasFieldsOfOutline(value) && isInOrder(value);

const isRun = (value: unknown): value is RunView =>
  hasFieldsOfRun(value) && isInOrder(value) && value.length === value.steps.length && allBelow(value.steps.lanes, value.lanes.length);

/** Columns of equal length, whose entries point into their tables, and to steps before them. */
function isStepColumns(value: unknown): boolean {
  if (!hasFieldsOfStepColumns(value)) return false;
  const { length, kinds, lanes, depths, sites, edges, causes, writes, siteTable, edgeTable } = value;
  return (
    [kinds, lanes, depths, sites, edges, causes, writes].every((column) => column.length === length) &&
    allBelow(kinds, STEP_KINDS.length) &&
    allBelow(sites, siteTable.length) &&
    allBelow(edges, edgeTable.length) &&
    pointBack(causes)
  );
}

const hasFieldsOfStepColumns = shape<StepColumns>({
  length: whole,
  kinds: (value) => value instanceof Uint8Array,
  lanes: (value) => value instanceof Uint16Array,
  depths: (value) => value instanceof Uint16Array,
  sites: (value) => value instanceof Uint32Array,
  edges: (value) => value instanceof Uint8Array,
  causes: (value) => value instanceof Int32Array,
  writes: (value) => value instanceof Uint8Array,
  siteTable: listOf(shape<SiteView>({ symbol: text, anchor: optional(text), world: text })),
  edgeTable: listOf(text),
});

const hasFieldsOfComparison = shape<ComparisonView>({
  title: text,
  lanes: listOf(shape<Lane>({ index: whole, title: text, context: text })),
  steps: isStepColumns,
  differences: (value) => value instanceof Uint32Array,
  otherwise: (value) => value instanceof Uint32Array,
});

/** The other run is whole, and differences follow one another. */
function isComparison(value: unknown): value is ComparisonView {
  if (!hasFieldsOfComparison(value)) return false;
  const { lanes, steps, differences, otherwise } = value;
  if (!allBelow(steps.lanes, lanes.length) || differences.length % 4 !== 0) return false;
  let [a, b] = [0, 0];
  for (let at = 0; at < differences.length; at += 4) {
    const [fromA = 0, toA = 0, fromB = 0, toB = 0] = differences.subarray(at, at + 4);
    if (fromA < a || fromA - a !== fromB - b || toA < fromA || toB < fromB || toB > steps.length) return false;
    [a, b] = [toA, toB];
  }
  return otherwise.every((step, index) => index === 0 || step > (otherwise[index - 1] ?? 0));
}

/** Whether a comparison is one of this run: both have as many steps behind the last difference. */
export function isComparisonOf({ length }: RunOutline, { steps, differences, otherwise }: ComparisonView): boolean {
  const [, a = 0, , b = 0] = differences.subarray(-4);
  return a <= length && length - a === steps.length - b && (otherwise.at(-1) ?? -1) < length;
}

const isStateComparison = shape<StateComparisonView>({
  step: whole,
  other: whole,
  same: flag,
  count: whole,
  cells: listOf(shape<StateComparisonView['cells'][number]>({ name: text, a: optional(text), b: optional(text) })),
});

// Plain loops: a callback for each of a million entries would be felt.

function allBelow(column: Uint8Array | Uint16Array | Uint32Array, limit: number): boolean {
  for (let n = 0; n < column.length; n++) if (column[n]! >= limit) return false;
  return true;
}

function pointBack(causes: Int32Array): boolean {
  for (let n = 0; n < causes.length; n++) if (causes[n]! < -1 || causes[n]! >= n) return false;
  return true;
}

function isParameter(value: unknown): boolean {
  if (!isObject(value) || ![value['name'], value['title'], value['description']].every(text)) return false;
  switch (value['kind']) {
    case 'boolean':
      return flag(value['value']);
    case 'choice':
      return text(value['value']) && listOf(shape<{ value: string; title: string }>({ value: text, title: text }))(value['choices']);
    case 'number':
      return [value['value'], value['minimum'], value['maximum']].every(number);
    default:
      return false;
  }
}
