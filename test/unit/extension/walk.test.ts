import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import * as fc from 'fast-check';
import { NO_STEP } from '../../../src/engine/journal';
import type { Run } from '../../../src/engine/timeline';
import { chainOf, type Chain } from '../../../src/extension/chain';
import { createDebugAdapter } from '../../../src/extension/debug/adapter';
import { positionView } from '../../../src/extension/views';
import { CATALOGUE } from '../../../src/flows/catalogue';
import type { Flow, FlowRun } from '../../../src/flows/flow';
import { cellKey } from '../../../src/flows/names';
import { createSession, type Session } from '../../../src/flows/session';
import { valueText } from '../../../src/flows/text';

/**
 * A random walk through every flow, by whoever moves: the debugger and its breakpoints, the panel, the trees; forth and back, through forks
 * and home again. Wherever it comes, the state is the one that a straight replay has there, and all views show that step.
 */

const WALKS = 5;
const MOVES = 2500;
/** At so many moves the views are read; the state is looked at after each. */
const VIEWED = 40;

type Move =
  | { readonly kind: 'debugger'; readonly request: string }
  | { readonly kind: 'session'; readonly move: 'step' | 'stepBack' | 'runToNextContext' | 'restart' | 'returnToBase' | 'keepFork' }
  | { readonly kind: 'seek' | 'inject' | 'edit' | 'parameter' | 'dataBreakpoint' | 'functionBreakpoint'; readonly choice: number };

const request = fc.constantFrom('next', 'stepIn', 'stepOut', 'stepBack', 'reverseNext', 'reverseStepOut');
const choice = fc.nat();
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 500, arbitrary: fc.record({ kind: fc.constant('debugger' as const), request }) },
  { weight: 60, arbitrary: fc.record({ kind: fc.constant('debugger' as const), request: fc.constantFrom('continue', 'reverseContinue') }) },
  {
    weight: 350,
    arbitrary: fc.record({ kind: fc.constant('session' as const), move: fc.constantFrom('step', 'stepBack', 'runToNextContext') }),
  },
  { weight: 60, arbitrary: fc.record({ kind: fc.constant('seek' as const), choice }) },
  { weight: 20, arbitrary: fc.record({ kind: fc.constantFrom('dataBreakpoint', 'functionBreakpoint'), choice }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('inject', 'edit', 'parameter'), choice }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('session' as const), move: fc.constantFrom('returnToBase', 'keepFork', 'restart') }),
  },
);

for (const flow of CATALOGUE) {
  test(`a walk through ${flow.id}: the same states, and all views on the same step`, { timeout: 300_000 }, async () => {
    const walk = fc.array(move, { minLength: MOVES, maxLength: MOVES, size: 'max' });
    await fc.assert(
      fc.asyncProperty(walk, (moves) => goFor(flow, moves)),
      { numRuns: WALKS, endOnFailure: true },
    );
  });
}

async function goFor(flow: Flow, moves: readonly Move[]): Promise<void> {
  const session = createSession();
  session.explore(flow);
  const debug = await attach(session);
  const known = knowledge();
  for (const [index, each] of moves.entries()) {
    const before = session.run;
    await make(each, session, debug);
    assert.equal(debug.stoppedOn(), session.run!.journal.thread(session.position), 'the debugger stopped on that thread');
    assert.equal(known.hashOf(session), known.of(session.run!).hashes[session.position], `the state after ${JSON.stringify(each)}`);
    if (session.run !== before && session.base !== undefined) assertParted(session, known);
    if (session.run !== before || index % VIEWED === 0) await assertViewsAgree(session, debug, known.of(session.run!).chain);
  }
}

async function make(each: Move, session: Session, debug: Debugger): Promise<void> {
  const { flow, journal, cells } = session.run!;
  switch (each.kind) {
    case 'debugger':
      await debug.ask(each.request, { threadId: journal.thread(session.position) + 1 });
      return;
    case 'session':
      session[each.move]();
      break;
    case 'seek':
      session.seek(each.choice % journal.length);
      break;
    case 'inject': {
      const stimulus = flow.stimuli[each.choice % flow.stimuli.length];
      if (stimulus) session.inject(stimulus.name);
      break;
    }
    case 'edit': {
      const there = cells.filter(({ component, type }) => component.born <= session.position && type.kind === 'bool');
      const cell = there[each.choice % there.length];
      if (cell) session.edit(cell.id, 1 - session.cursor!.value(cell.id));
      break;
    }
    case 'parameter': {
      const spec = flow.parameters.filter(({ kind }) => kind === 'boolean')[each.choice % 3];
      if (spec) session.setParameters({ [spec.name]: session.run!.inputs.parameters[spec.name] !== true });
      break;
    }
    case 'dataBreakpoint': {
      const there = cells.filter(({ component }) => component.born <= session.position);
      const name = cellKey(session.run!, there[each.choice % there.length]!.id);
      const { dataId } = (await debug.ask('dataBreakpointInfo', { name })) as DebugProtocol.DataBreakpointInfoResponse['body'];
      await debug.ask('setDataBreakpoints', { breakpoints: [{ dataId }] });
      return;
    }
    case 'functionBreakpoint': {
      const { name } = journal.step(each.choice % journal.length).site.fn;
      await debug.ask('setFunctionBreakpoints', { breakpoints: [{ name, hitCondition: '% 2' }] });
      return;
    }
  }
  // Whatever it did to the session, the debugger has looked at by the time that it has answered.
  await debug.ask('threads');
}

/** A fork is its base up to where they part: the same steps, the same changes of state. */
function assertParted(session: Session, known: Knowledge): void {
  const { run, step } = session.base!;
  const [base, fork] = [known.of(run), known.of(session.run!)];
  const changed = (hashes: Uint32Array, n: number): number => (hashes[n]! - hashes[0]!) >>> 0;
  for (let n = 0; n <= step; n++) {
    assert.equal(changed(fork.hashes, n), changed(base.hashes, n));
    assert.equal(session.run!.journal.thread(n), run.journal.thread(n));
  }
}

async function assertViewsAgree(session: Session, debug: Debugger, chain: Chain): Promise<void> {
  const { run, position } = session;
  const { journal, components, cells } = run!;
  const step = journal.step(position);
  const panel = positionView(session);
  assert.equal(panel.step, position);
  assert.equal(panel.here.symbol, step.site.fn.name);
  for (const { id } of cells) assert.equal(panel.state.values[id], session.cursor!.value(id));

  const shown = chain.shown(position);
  assert.equal(journal.step(shown.step).site.fn.name, panel.here.symbol);
  assert.ok(chain.children(chain.parent(shown)).includes(shown), 'the tree has the step below its function');

  const threadId = step.thread + 1;
  const { stackFrames } = (await debug.ask('stackTrace', { threadId })) as DebugProtocol.StackTraceResponse['body'];
  assert.deepEqual(
    stackFrames.map(({ name }) => name),
    panel.stack.map(({ symbol }) => symbol),
  );
  const { scopes } = (await debug.ask('scopes', { frameId: stackFrames[0]!.id })) as DebugProtocol.ScopesResponse['body'];
  const open = async (reference: number): Promise<readonly DebugProtocol.Variable[]> =>
    ((await debug.ask('variables', { variablesReference: reference })) as DebugProtocol.VariablesResponse['body']).variables;
  const component = components.filter(({ born, cells: own }) => born <= position && own.length > 0)[position % 7];
  if (component === undefined) return;
  const structs = await open(scopes.find(({ name }) => name === 'Interrupt State')!.variablesReference);
  const struct = structs.find(({ name }) => name === component.struct);
  assert.ok(struct, `no ${component.struct} in the debugger`);
  const rows = await open(struct.variablesReference);
  const own =
    struct.type === component.struct
      ? rows
      : await open(rows.find(({ evaluateName }) => evaluateName?.startsWith(keyOf(run!, component.id)))!.variablesReference);
  for (const { name, value } of own) {
    const cell = component.cells.find((candidate) => candidate.name === name)!;
    const text = valueText(run!, cell, panel.state.values[cell.id]!);
    assert.ok(value === text || value.startsWith(`${text} (was `), `${name} is ${value} in the debugger and ${text} in the panel`);
  }
}

const keyOf = (run: FlowRun, component: number): string => {
  const [cell] = run.components[component]!.cells;
  return cellKey(run, cell!.id).slice(0, -cell!.name.length - 1);
};

interface Debugger {
  /** Sends a request, and gives the body of the answer once it is there. */
  ask(command: string, args?: object): Promise<unknown>;
  /** The thread that it was last heard to have stopped on. */
  stoppedOn(): number;
}

/** A debugger of the session, spoken to in its protocol. */
async function attach(session: Session): Promise<Debugger> {
  const places = { locate: none, find: none, fileOf: none, onDidChange: () => () => undefined };
  const adapter = createDebugAdapter({ session, places });
  const waiting = new Map<number, (response: DebugProtocol.Response) => void>();
  let seq = 0;
  let stopped = NO_STEP;
  adapter.onDidSendMessage((message) => {
    const { type, event, body, request_seq } = message as DebugProtocol.Event & DebugProtocol.Response & { body?: { threadId?: number } };
    if (type === 'response') waiting.get(request_seq)?.(message as DebugProtocol.Response);
    else if (event === 'stopped') stopped = (body?.threadId ?? 0) - 1;
  });
  const ask = async (command: string, args: object = {}): Promise<unknown> => {
    const response = await new Promise<DebugProtocol.Response>((resolve) => {
      waiting.set(++seq, resolve);
      adapter.handleMessage({ type: 'request', seq, command, arguments: args } as DebugProtocol.Request);
    });
    waiting.delete(response.request_seq);
    assert.ok(response.success, `${command}: ${response.message}`);
    return response.body as unknown;
  };
  await ask('initialize');
  await ask('attach');
  await ask('configurationDone');
  return { ask, stoppedOn: () => stopped };
}

const none = (): Promise<undefined> => Promise.resolve(undefined);

interface Known {
  /** A number for the whole state after each step, from a straight replay. */
  readonly hashes: Uint32Array;
  readonly chain: Chain;
}

interface Knowledge {
  of(run: FlowRun): Known;
  hashOf(session: Session): number;
}

function knowledge(): Knowledge {
  const known = new WeakMap<FlowRun, Known>();
  return {
    of(run) {
      const held = known.get(run) ?? { hashes: replay(run), chain: chainOf(run) };
      known.set(run, held);
      return held;
    },
    hashOf: ({ run, cursor }) => run!.cells.reduce((sum, { id }) => (sum + mixed(id, cursor!.value(id))) >>> 0, 0),
  };
}

function replay({ journal, cells }: Run): Uint32Array {
  const values = cells.map(({ initial }) => initial);
  let hash = values.reduce((sum, value, id) => (sum + mixed(id, value)) >>> 0, 0);
  return Uint32Array.from({ length: journal.length }, (_, n) => {
    const [first, end] = journal.writesOf(n);
    for (let index = first; index < end; index++) {
      const { cell, new: value } = journal.write(index);
      hash = (hash - mixed(cell, values[cell]!) + mixed(cell, value)) >>> 0;
      values[cell] = value;
    }
    return hash;
  });
}

/** A cell and its value as one well-mixed number. */
function mixed(cell: number, value: number): number {
  let hash = Math.imul(cell + 1, 0x9e3779b1) ^ Math.imul(value | 0, 0x85ebca6b) ^ Math.floor(value / 2 ** 32);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
