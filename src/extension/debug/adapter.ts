import { t } from '@vscode/l10n';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { NO_STEP } from '../../engine/journal';
import { createCursor, type Cursor } from '../../engine/timeline';
import { createArguments, type Arguments } from '../../flows/arguments';
import { goOn } from '../../flows/breakpoints';
import { complete, type Completion } from '../../flows/completion';
import { STEPS_TO_EDIT } from '../../flows/edits';
import type { FlowRun } from '../../flows/flow';
import { cellKey, cellsNamed } from '../../flows/names';
import { stepIn, stepOut, stepOver, type Direction } from '../../flows/navigate';
import type { Base, Session } from '../../flows/session';
import { endingText, threadTitle, valueText } from '../../flows/text';
import { ArgumentError, optionalWhole, record, records, text, whole, type Attributes } from './attributes';
import { createBreakpoints, dataIdOf, type Armed } from './breakpoints';
import { assignmentIn, newValue, rowOfSource, rowOfText } from './expressions';
import { createStacks, type Frame, type Stacks } from './frames';
import { createHandles } from './handles';
import { isRunOf, readLaunch, type Launch } from './launch';
import type { Place, Places } from './places';
import { RequestServer } from './server';
import { componentsAtHand, maskOf, rowsOf, scopesOf, type Moment, type Node, type Row, type Target } from './variables';

/**
 * The debug adapter: the session as clients of the debug protocol see it. It has no position of its own: a request moves the session, and
 * whoever moves that, the client hears of it as a stop.
 */

export interface DebugParts {
  readonly session: Session;
  readonly places: Places;
}

type Stopped = DebugProtocol.StoppedEvent['body'];

/** Why the session is where it is. */
type Reason = Pick<Stopped, 'reason' | 'hitBreakpointIds'>;

/** A step of a run: what the client was shown at a stop stays true of it, wherever the session stands. */
interface Instant {
  readonly run: FlowRun;
  readonly position: number;
}

/** What is made of a run once, and holds as long as it. */
interface Known {
  readonly run: FlowRun;
  readonly stacks: Stacks;
  /** Looks ahead, and back, without moving the session. */
  readonly scout: Cursor;
  readonly arguments: Arguments;
}

const know = (run: FlowRun): Known => ({
  run,
  stacks: createStacks(run),
  scout: createCursor(run),
  arguments: createArguments(run),
});

const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsStepBack: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsBreakpointLocationsRequest: true,
  supportsDataBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ['.', '$', '('],
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsGotoTargetsRequest: true,
};

/** Makes an adapter for one debug session, which follows the extension's session from launch to disconnect and leaves the run behind. */
export function createDebugAdapter({ session, places }: DebugParts): RequestServer {
  const frames = createHandles<Instant & { readonly frame: Frame }>(t('frame'));
  const nodes = createHandles<Instant & { readonly node: Node }>(t('variable'));
  const breakpoints = createBreakpoints(places);
  const following: (() => void)[] = [];
  let known: Known | undefined;
  let launched: Launch | undefined;
  let configured = false;
  /** What the next move is for; one that nobody asked for here is somebody’s in the panel or in a tree. */
  let why: Reason | undefined;
  /** The furthest step that was reached in this run. */
  let furthest = 0;

  function current(): Known {
    const { run } = session;
    if (run === undefined) throw new ArgumentError(t('there is no run yet: launch a flow first'));
    if (known?.run !== run) known = know(run);
    return known;
  }

  const now = (): Instant => ({ run: current().run, position: session.position });

  /** The state at an instant, to be read at once: the cursor goes elsewhere for the next one. */
  function momentOf({ run, position }: Instant): Moment {
    const { scout: cursor, arguments: given } = known?.run === run ? known : know(run);
    cursor.seek(position);
    return { run, cursor, arguments: given };
  }

  function follow(): void {
    furthest = session.position;
    following.push(
      session.onDidChange((change) => {
        if (change === 'run') begun();
        if (configured) stopped();
      }),
      places.onDidChange(() => {
        review();
        if (configured) stopped();
      }),
    );
  }

  /** Waits for the run that was asked for, if that takes long. @throws Error if there will be none */
  async function arrival(): Promise<void> {
    const outcome = await session.work?.outcome;
    switch (outcome?.kind) {
      case 'cancelled':
        throw new Error(t('the run was cancelled'));
      case 'failed':
        throw outcome.error;
      case 'finished':
      case undefined:
    }
  }

  async function explore({ flow, inputs }: Launch): Promise<void> {
    session.explore(flow, inputs);
    await arrival();
  }

  /** Another run: what was reached in the other one counts no more, and breakpoints may come out otherwise. */
  function begun(): void {
    furthest = session.position;
    review();
    if (session.base) say(forkText(session, session.base));
  }

  function review(): void {
    server.inTurn(async () => {
      for (const breakpoint of await breakpoints.review(current().run)) server.announce('breakpoint', { reason: 'changed', breakpoint });
    });
  }

  /** Tells the client where the session stands. What it was told before is of the past. */
  function stopped(): void {
    const { run } = current();
    const { position } = session;
    frames.renew();
    nodes.renew();
    furthest = Math.max(furthest, position);
    const thread = threadId(run.journal.thread(position));
    if (why === undefined) server.announce('continued', { threadId: thread, allThreadsContinued: true });
    server.announce('stopped', {
      ...(why ?? { reason: 'goto' }),
      ...whereText(session, furthest),
      threadId: thread,
      allThreadsStopped: true,
    } satisfies Stopped);
    why = undefined;
  }

  const say = (output: string): void => server.announce('output', { category: 'console', output: `${output}\n` });

  /** Stands on a step; where the session stands there already, the client hears that it has stopped again. */
  function stand(reason: Reason, step: number): void {
    why = reason;
    const before = session.position;
    session.seek(step);
    if (session.position === before) stopped();
  }

  /** Goes on, or back, to a step or to the breakpoint before it; without a step, to where the run ends or begins. */
  function go(direction: Direction, target?: number): void {
    const { run, scout } = current();
    const { step, hit, messages } = goOn(run, scout, session.position, direction, breakpoints.stops, target);
    for (const message of messages) say(message.text);
    const [first] = hit;
    stand(first ? { reason: reasonOf(first), hitBreakpointIds: hit.map(({ id }) => id) } : { reason: 'step' }, step);
  }

  /** Steps in the thread that the client names; where that leads nowhere, to whatever is next. */
  function step(find: typeof stepOver, direction: Direction, args: Attributes): void {
    const { run, stacks } = current();
    const thread = args['threadId'] === undefined ? run.journal.thread(session.position) : threadOf(args);
    const from = stacks.lastStep(session.position, thread) ?? session.position;
    go(direction, find(run, from, direction) ?? stepIn(run, session.position, direction) ?? session.position);
  }

  async function frameShown(frame: Frame): Promise<DebugProtocol.StackFrame> {
    const place = await places.locate(frame.stand);
    const { name } = frame.stand.fn;
    const id = frames.add({ ...now(), frame });
    if (place === undefined) return { id, name, line: 0, column: 0, presentationHint: 'subtle' };
    return { id, name, source: sourceOf(place), line: place.line, column: 1 };
  }

  const valueShown = (
    { value, type, inside }: Row,
    at: Instant,
  ): { readonly value: string; readonly type?: string; readonly variablesReference: number } => ({
    value,
    ...(type ? { type } : {}),
    variablesReference: inside ? nodes.add({ ...at, node: inside }) : 0,
  });

  const variableShown = (row: Row, at: Instant): DebugProtocol.Variable => ({
    name: row.name,
    ...valueShown(row, at),
    ...(row.evaluateName ? { evaluateName: row.evaluateName } : {}),
    ...(row.kind ? { presentationHint: { kind: row.kind } } : {}),
  });

  /** The row of a name among those that the client was shown. */
  function rowAt(args: Attributes): Row {
    const name = text(args, 'name');
    const { node, ...at } = nodes.get(whole(args, 'variablesReference'));
    const row = rowsOf(momentOf(at), node).find((each) => each.name === name);
    if (row === undefined) throw new ArgumentError(t('there is no "{0}" here', name.slice(0, 60)));
    return row;
  }

  const rowNow = (expression: string): Row => rowOfText(momentOf(now()), expression);

  /** An expression's value, in a frame's own terms where it is source that the mouse is over. */
  function rowOf(expression: string, args: Attributes): Row {
    const id = optionalWhole(args, 'frameId');
    if (args['context'] !== 'hover' || id === undefined) return rowNow(expression);
    const { frame, ...at } = frames.get(id);
    return rowOfSource(momentOf(at), componentsAtHand(at.run, frame), expression);
  }

  /** Forks the run by another value; what the client is shown is the cell as it is there. */
  async function change({ name, target }: Row, value: string): Promise<ReturnType<typeof valueShown>> {
    if (target === undefined) throw new ArgumentError(t('{0} cannot be set: only cells and their bits can', name));
    const key = cellKey(current().run, target.cell.id);
    session.edit(target.cell.id, newValue(momentOf(now()), target, value));
    await arrival();
    return valueShown(rowNow(key), now());
  }

  /** The steps of this run that come to a line: the next one and the one before, from where the session stands. */
  async function targetsOn(path: string, line: number): Promise<DebugProtocol.GotoTarget[]> {
    const { run, scout } = current();
    const sites = await breakpoints.sitesOn(path, line, run);
    const { position } = session;
    return ([1, -1] as const).flatMap((direction): DebugProtocol.GotoTarget[] => {
      const { step: target, hit } = goOn(run, scout, position, direction, [{ kind: 'site', sites }]);
      const way = direction === 1 ? t('the next time') : t('the time before');
      return hit.length === 0 ? [] : [{ id: target, label: t('Step {0}, {1}', target, way), line }];
    });
  }

  const server = new RequestServer({
    initialize: () => CAPABILITIES,
    async launch(args) {
      launched = readLaunch(args);
      if (session.run === undefined || !isRunOf(launched, session.run)) await explore(launched);
      follow();
      server.announce('initialized');
    },
    attach() {
      current();
      follow();
      server.announce('initialized');
    },
    configurationDone() {
      const stops = launched?.stopOnEntry ?? true;
      if (!stops) session.seek(0);
      configured = true;
      if (stops) stand({ reason: 'entry' }, session.position);
      else go(1);
    },
    async restart() {
      if (launched && !isRunOf(launched, current().run)) await explore(launched);
      stand({ reason: 'entry' }, 0);
    },
    terminate: () => server.announce('terminated'),
    disconnect: () => following.splice(0).forEach((stop) => stop()),
    pause: () => stand({ reason: 'pause' }, session.position),

    continue: (): DebugProtocol.ContinueResponse['body'] => (go(1), { allThreadsContinued: true }),
    reverseContinue: () => go(-1),
    next: (args) => step(stepOver, 1, args),
    stepIn: () => go(1, stepIn(current().run, session.position, 1) ?? session.position),
    stepOut: (args) => step(stepOut, 1, args),
    stepBack: () => go(-1, stepIn(current().run, session.position, -1) ?? session.position),
    // The protocol knows one way to step back: these are our own, for our own commands.
    reverseNext: (args) => step(stepOver, -1, args),
    reverseStepOut: (args) => step(stepOut, -1, args),
    gotoTargets: async (args): Promise<DebugProtocol.GotoTargetsResponse['body']> => ({
      targets: await targetsOn(text(record(args, 'source'), 'path'), whole(args, 'line')),
    }),
    goto: (args) => stand({ reason: 'goto' }, whole(args, 'targetId')),

    threads: (): DebugProtocol.ThreadsResponse['body'] => ({
      threads: current().stacks.threads.map((thread) => ({ id: threadId(thread.index), name: threadTitle(thread) })),
    }),
    async stackTrace(args): Promise<DebugProtocol.StackTraceResponse['body']> {
      const all = current().stacks.at(session.position, threadOf(args));
      const start = optionalWhole(args, 'startFrame') ?? 0;
      const levels = optionalWhole(args, 'levels') || all.length;
      const stackFrames: DebugProtocol.StackFrame[] = [];
      for (const frame of all.slice(start, start + levels)) stackFrames.push(await frameShown(frame));
      return { stackFrames, totalFrames: all.length };
    },
    scopes(args): DebugProtocol.ScopesResponse['body'] {
      const { frame, ...at } = frames.get(whole(args, 'frameId'));
      return {
        scopes: scopesOf(at.run, frame).map(({ name, inside, expensive }) => ({
          name,
          variablesReference: nodes.add({ ...at, node: inside }),
          expensive,
        })),
      };
    },
    variables(args): DebugProtocol.VariablesResponse['body'] {
      const { node, ...at } = nodes.get(whole(args, 'variablesReference'));
      const rows = rowsOf(momentOf(at), node);
      const start = optionalWhole(args, 'start') ?? 0;
      const count = optionalWhole(args, 'count') || rows.length;
      return { variables: rows.slice(start, start + count).map((row) => variableShown(row, at)) };
    },

    async evaluate(args): Promise<DebugProtocol.EvaluateResponse['body']> {
      const expression = text(args, 'expression');
      const assignment = args['context'] === 'repl' ? assignmentIn(expression) : undefined;
      const { value, ...others } = assignment
        ? await change(rowNow(assignment.target), assignment.value)
        : valueShown(rowOf(expression, args), now());
      return { result: value, ...others };
    },
    completions: (args): DebugProtocol.CompletionsResponse['body'] => ({
      targets: complete(current().run, text(args, 'text'), whole(args, 'column') - 1).map(completionShown),
    }),
    setVariable: (args): Promise<DebugProtocol.SetVariableResponse['body']> => change(rowAt(args), text(args, 'value')),
    setExpression: (args): Promise<DebugProtocol.SetExpressionResponse['body']> =>
      change(rowNow(text(args, 'expression')), text(args, 'value')),

    async setBreakpoints(args): Promise<DebugProtocol.SetBreakpointsResponse['body']> {
      const path = text(record(args, 'source'), 'path');
      return { breakpoints: await breakpoints.setLines(path, records(args, 'breakpoints'), current().run) };
    },
    setFunctionBreakpoints: async (args): Promise<DebugProtocol.SetFunctionBreakpointsResponse['body']> => ({
      breakpoints: await breakpoints.setFunctions(records(args, 'breakpoints'), current().run),
    }),
    dataBreakpointInfo(args): DebugProtocol.DataBreakpointInfoResponse['body'] {
      const { run } = current();
      const { name, target } = optionalWhole(args, 'variablesReference') ? rowAt(args) : rowNow(text(args, 'name'));
      // The protocol says so, and has no other word for it.
      // oxlint-disable-next-line unicorn/no-null
      if (target === undefined) return { dataId: null, description: t('{0} is no cell: only cells and their bits are written', name) };
      return {
        dataId: dataIdOf(cellKey(run, target.cell.id), target.field && maskOf(target.field)),
        description: describe(run, target),
        accessTypes: ['write'],
        canPersist: true,
      };
    },
    setDataBreakpoints: async (args): Promise<DebugProtocol.SetDataBreakpointsResponse['body']> => ({
      breakpoints: await breakpoints.setData(records(args, 'breakpoints'), current().run),
    }),
    async breakpointLocations(args): Promise<DebugProtocol.BreakpointLocationsResponse['body']> {
      const first = whole(args, 'line');
      const lines = await breakpoints.locations(
        text(record(args, 'source'), 'path'),
        first,
        optionalWhole(args, 'endLine') ?? first,
        current().run,
      );
      return { breakpoints: lines.map((line) => ({ line })) };
    },
  });
  return server;
}

/** Clients take 0 for no thread. */
const threadId = (index: number): number => index + 1;

const threadOf = (args: Attributes): number => whole(args, 'threadId') - 1;

const sourceOf = ({ path, outline }: Place): DebugProtocol.Source => ({
  name: path.slice(path.lastIndexOf('/') + 1),
  path,
  ...(outline ? { origin: t('an outline, as no source tree holds it') } : {}),
});

/** Where one stands, short enough for a label beside the thread's name, and in a sentence. */
function whereText({ run, position, base }: Session, furthest: number): Pick<Stopped, 'description' | 'text'> {
  const last = (run?.journal.length ?? 1) - 1;
  const past = position < furthest;
  const where = base ? t('Step {0} of {1} of a what-if', position, last) : t('Step {0} of {1}', position, last);
  const text = past
    ? t('{0}, in the past: the furthest was {1}', where, furthest)
    : position === last
      ? t('{0}, the end of the run', where)
      : where;
  return { description: past ? t('{0} of {1}, in the past', position, last) : t('step {0} of {1}', position, last), text };
}

/** What a fork is, for whoever is at the console. */
function forkText({ run, position }: Session, { step }: Base): string {
  const edit = run?.inputs.edits?.find(({ at }) => at === position - STEPS_TO_EDIT);
  const cell = edit && run?.cells[cellsNamed(run, edit.cell)[0] ?? NO_STEP];
  const where = step === NO_STEP ? t('from the start') : t('behind step {0}', step);
  const what =
    run && edit && cell
      ? t('What if: you set {0} to {1}, and this is another run {2}.', edit.cell, valueText(run, cell, edit.value), where)
      : t('What if: this is another run {0}.', where);
  const fault = run?.ending.kind === 'fault' ? [t('It {0}', endingText(run))] : [];
  return [what, t('“Virtflow: Return to Original Run” goes back.'), ...fault].join(' ');
}

function reasonOf(stop: Armed): string {
  switch (stop.kind) {
    case 'site':
      return 'breakpoint';
    case 'function':
      return 'function breakpoint';
    case 'cell':
      return 'data breakpoint';
  }
}

const describe = (run: FlowRun, { cell, field }: Target): string => cellKey(run, cell.id) + (field ? ` ${field.name}` : '');

const COMPLETION_TYPES: Readonly<Record<Completion['kind'], DebugProtocol.CompletionItemType>> = {
  component: 'class',
  cell: 'field',
  constant: 'value',
  variable: 'variable',
};

const completionShown = ({ text: label, kind, detail, start, length }: Completion): DebugProtocol.CompletionItem => ({
  label,
  detail,
  start,
  length,
  type: COMPLETION_TYPES[kind],
});
