import type { DebugProtocol } from '@vscode/debugprotocol';
import { createCursor } from '../../engine/timeline';
import type { FlowRun } from '../../flows/flow';
import type { Session } from '../../flows/session';
import { ArgumentError, optionalWhole, whole, type Arguments } from './arguments';
import { createStacks, type Frame, type Stacks } from './frames';
import { createHandles } from './handles';
import { isRunOf, readLaunch, type Launch } from './launch';
import type { Place, Places } from './places';
import { RequestServer } from './server';
import { rowsOf, scopesOf, type Moment, type Node, type Row } from './variables';

/**
 * The debug adapter: the session as debugger clients see it. It has no position of its own: a request moves the session, and whoever
 * moves that, the client hears of it as a stop.
 */

export interface DebugParts {
  readonly session: Session;
  readonly places: Places;
}

/** Makes an adapter for one debug session. It follows the extension's session from launch to disconnect, and leaves the run behind. */
export function createDebugAdapter({ session, places }: DebugParts): RequestServer {
  const frames = createHandles<Frame>('frame');
  const nodes = createHandles<Node>('variable');
  let launch: Launch | undefined;
  let stacks: { readonly run: FlowRun; readonly of: Stacks } | undefined;
  /** What the next move is for; a move that nobody here asked for is somebody's else, in the panel or a tree. */
  let reason: DebugProtocol.StoppedEvent['body']['reason'] | undefined;
  /** The furthest step that was reached in this run. */
  let furthest = 0;
  let configured = false;
  let unfollow: (() => void) | undefined;

  function current(): FlowRun {
    if (session.run === undefined) throw new ArgumentError('there is no run yet: launch a flow first');
    return session.run;
  }

  const moment = (): Moment => ({ run: current(), cursor: session.cursor ?? createCursor(current()) });

  function stacksOf(run: FlowRun): Stacks {
    if (stacks?.run !== run) stacks = { run, of: createStacks(run) };
    return stacks.of;
  }

  function follow(): void {
    unfollow?.();
    unfollow = session.onDidChange((change) => {
      if (change === 'run') furthest = session.position;
      if (configured) stopped();
    });
  }

  /** Tells the client where the session stands. What it was told before is of the past. */
  function stopped(): void {
    const run = current();
    const { position } = session;
    frames.clear();
    nodes.clear();
    furthest = Math.max(furthest, position);
    server.announce('stopped', {
      reason: reason ?? 'goto',
      description: descriptionOf(run, position, furthest),
      threadId: threadId(run.journal.thread(position)),
      allThreadsStopped: true,
    } satisfies DebugProtocol.StoppedEvent['body']);
    reason = undefined;
  }

  /** Moves the session; where it cannot move, the client hears that it has stopped again. */
  function go(why: NonNullable<typeof reason>, target: number | undefined): void {
    reason = why;
    const before = session.position;
    if (target !== undefined) session.seek(target);
    if (session.position === before) stopped();
  }

  async function begin(asked: Launch): Promise<void> {
    launch = asked;
    if (session.run === undefined || !isRunOf(asked, session.run)) session.explore(asked.flow, asked.inputs);
    furthest = session.position;
    follow();
  }

  async function frameOf(frame: Frame): Promise<DebugProtocol.StackFrame> {
    const place = await places.locate(frame.stand);
    const id = frames.add(frame);
    const name = frame.stand.fn.name;
    if (place === undefined) return { id, name, line: 0, column: 0, presentationHint: 'subtle' };
    return { id, name, source: sourceOf(place), line: place.line, column: 1, ...(place.outline ? { presentationHint: 'subtle' } : {}) };
  }

  const variable = ({ name, value, type, inside, kind }: Row): DebugProtocol.Variable => ({
    name,
    value,
    variablesReference: inside ? nodes.add(inside) : 0,
    ...(type ? { type } : {}),
    ...(kind ? { presentationHint: { kind } } : {}),
  });

  const server = new RequestServer({
    initialize: (): DebugProtocol.Capabilities => ({
      supportsConfigurationDoneRequest: true,
      supportsStepBack: true,
      supportsRestartRequest: true,
      supportsTerminateRequest: true,
      supportsDelayedStackTraceLoading: true,
    }),
    async launch(args) {
      await begin(readLaunch(args));
      server.announce('initialized');
    },
    attach() {
      const { flow, inputs } = current();
      follow();
      launch = { flow, inputs, stopOnEntry: true };
      server.announce('initialized');
    },
    configurationDone() {
      configured = true;
      if (launch?.stopOnEntry === false) return go('step', current().journal.length - 1);
      reason = 'entry';
      stopped();
    },
    restart: () => go('entry', 0),
    terminate: () => server.announce('terminated'),
    disconnect: () => unfollow?.(),
    pause: () => go('pause', undefined),

    continue(): DebugProtocol.ContinueResponse['body'] {
      go('step', current().journal.length - 1);
      return { allThreadsContinued: true };
    },
    reverseContinue: () => go('step', 0),

    threads: (): DebugProtocol.ThreadsResponse['body'] => ({
      threads: stacksOf(current()).threads.map(({ index, title }) => ({ id: threadId(index), name: title })),
    }),
    async stackTrace(args): Promise<DebugProtocol.StackTraceResponse['body']> {
      const all = stacksOf(current()).at(session.position, threadOf(args));
      const start = optionalWhole(args, 'startFrame') ?? 0;
      const levels = optionalWhole(args, 'levels') || all.length;
      const stackFrames: DebugProtocol.StackFrame[] = [];
      for (const frame of all.slice(start, start + levels)) stackFrames.push(await frameOf(frame));
      return { stackFrames, totalFrames: all.length };
    },
    scopes: (args): DebugProtocol.ScopesResponse['body'] => ({
      scopes: scopesOf(moment(), frames.get(whole(args, 'frameId'))).map(({ name, inside }) => ({
        name,
        variablesReference: nodes.add(inside),
        expensive: false,
      })),
    }),
    variables(args): DebugProtocol.VariablesResponse['body'] {
      const rows = rowsOf(moment(), nodes.get(whole(args, 'variablesReference')));
      const start = optionalWhole(args, 'start') ?? 0;
      const count = optionalWhole(args, 'count') || rows.length;
      return { variables: rows.slice(start, start + count).map(variable) };
    },
  });
  return server;
}

/** Clients take 0 for no thread. */
const threadId = (index: number): number => index + 1;

const threadOf = (args: Arguments): number => whole(args, 'threadId') - 1;

const sourceOf = ({ path, outline }: Place): DebugProtocol.Source => ({
  name: path.slice(path.lastIndexOf('/') + 1),
  path,
  ...(outline ? { origin: 'outline: no source tree holds it' } : {}),
});

/** Where one stands, and whether one has been further. */
function descriptionOf({ journal }: FlowRun, position: number, furthest: number): string {
  const where = `Step ${position} of ${journal.length - 1}`;
  if (position < furthest) return `${where}, in the past: ${furthest - position} before the furthest`;
  return position === journal.length - 1 ? `${where}, the end of the run` : where;
}
