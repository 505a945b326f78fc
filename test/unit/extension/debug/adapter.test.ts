import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { stackAt } from '../../../../src/engine/timeline';
import { cellKey } from '../../../../src/flows/names';
import { debugging, TREE, type Debugging } from './support';

/** The debug adapter through its protocol, as VS Code speaks it. */

/** Part of an `eventfd.c` in code of our own: names and calls are upstream's, the rest is not. */
const EVENTFD = `/* ours */
static int
irqfd_wakeup(int wait)
{
	int flags = 0;

	if (flags)
		return 0;
	eventfd_ctx_do_read(wait);
	if (kvm_arch_set_irq_inatomic(wait))
		schedule_work(wait);
	return 1;
}

static void irqfd_inject(int work)
{
	if (!resampler)
		kvm_set_irq(work);
	else
		kvm_set_irq(work);
}

int nobody_models_this(void)
{
	return 42;
}
`;
const PATH = 'virt/kvm/eventfd.c';
const FILE = { path: `${TREE}/${PATH}` };
const lineOf = (text: string): number => EVENTFD.split('\n').findIndex((line) => line.includes(text)) + 1;

const framesOf = async ({ client }: Debugging, threadId: number | undefined): Promise<readonly DebugProtocol.StackFrame[]> =>
  (await client.stackTraceRequest({ threadId: threadId ?? 0 })).body.stackFrames;

async function variablesOf(
  { client }: Debugging,
  threadId: number | undefined,
  ...path: readonly string[]
): Promise<DebugProtocol.Variable[]> {
  const [top] = (await client.stackTraceRequest({ threadId: threadId ?? 0 })).body.stackFrames;
  let rows: readonly { readonly name: string; readonly variablesReference: number }[] = (await client.scopesRequest({ frameId: top!.id }))
    .body.scopes;
  let found: DebugProtocol.Variable[] = [];
  for (const name of path) {
    const row = rows.find((each) => each.name === name);
    assert.ok(row, `no ${name} among ${rows.map((each) => each.name).join(', ')}`);
    rows = found = (await client.variablesRequest({ variablesReference: row.variablesReference })).body.variables;
  }
  return found;
}

test('a launch stops at the entry, on the session’s step', async () => {
  await using debug = await debugging();
  const { body } = await debug.launch({ flow: 'vfio-intx' });
  assert.equal(body.reason, 'entry');
  assert.equal(debug.session.run?.flow.id, 'vfio-intx');
  assert.equal(debug.session.position, 0);
  const [top] = await framesOf(debug, body.threadId);
  assert.equal(top?.name, 'qemu_init_subsystems');
});

test('who steps elsewhere is followed: the client hears of the stop, and sees that step', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  const { body } = await debug.stop(() => debug.session.seek(700));
  assert.equal(body.reason, 'goto');
  const run = debug.session.run!;
  assert.equal(body.threadId, run.journal.thread(700) + 1);
  assert.deepEqual(
    (await framesOf(debug, body.threadId)).map(({ name }) => name),
    stackAt(run, 700).map(({ enter }) => enter.site.fn.name),
  );
});

test('what is in the past says so, and so does the end', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.stop(() => debug.session.seek(700));
  const past = await debug.stop(() => debug.client.stepBackRequest({ threadId: 1 }));
  assert.match(String(past.body['description']), /^69\d of \d+, in the past$/);
  assert.match(past.body.text ?? '', /the furthest was 700$/);
  const end = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.match(String(end.body['description']), /^step \d+ of \d+$/);
});

test('a breakpoint is verified where a step can stand, moved to the next such line, and refused with a reason', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  const lines = [lineOf('schedule_work'), lineOf('int flags'), lineOf('irqfd_wakeup'), lineOf('return 42')];
  const { body } = await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: lines.map((line) => ({ line })) });
  const [work, moved, definition, nowhere] = body.breakpoints;
  assert.deepEqual([work?.verified, work?.line], [true, lineOf('schedule_work')]);
  assert.deepEqual([moved?.verified, moved?.line], [true, lineOf('eventfd_ctx_do_read')]);
  assert.deepEqual([definition?.verified, definition?.line], [true, lineOf('irqfd_wakeup')]);
  assert.equal(nowhere?.verified, false);
  assert.match(nowhere?.message ?? '', /No step of any flow/);

  const elsewhere = await debug.client.setBreakpointsRequest({ source: { path: '/home/me/notes.c' }, breakpoints: [{ line: 3 }] });
  assert.match(elsewhere.body.breakpoints[0]?.message ?? '', /Set Source Folder/);
});

test('breakpoints of a file that was edited meanwhile are held against its lines as they are now', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  const line = lineOf('schedule_work');
  await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: [{ line }] });
  debug.edit(PATH, `/* two\n * lines more */\n${EVENTFD}`);
  const { body } = await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: [{ line: line + 2 }] });
  const [moved] = body.breakpoints;
  assert.deepEqual([moved?.verified, moved?.line, moved?.message], [true, line + 2, undefined]);
  const hit = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.deepEqual(hit.body.hitBreakpointIds, [moved?.id]);
  const frames = await framesOf(debug, hit.body.threadId);
  assert.equal(frames.find(({ name }) => name === 'irqfd_wakeup')?.line, line + 2);
});

test('one runs to a breakpoint and back to it, and the frames of all threads stand on lines', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  const set = await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: [{ line: lineOf('irqfd_inject') }] });
  const first = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.equal(first.body.reason, 'breakpoint');
  assert.deepEqual(first.body.hitBreakpointIds, [set.body.breakpoints[0]?.id]);
  const [top] = await framesOf(debug, first.body.threadId);
  assert.deepEqual([top?.name, top?.source?.path, top?.line], ['irqfd_inject', FILE.path, lineOf('irqfd_inject')]);
  const { position } = debug.session;
  await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.ok(debug.session.position > position);
  await debug.stop(() => debug.client.reverseContinueRequest({ threadId: 1 }));
  assert.equal(debug.session.position, position);
});

test('a call’s line in the caller is a place to stop too', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: [{ line: lineOf('eventfd_ctx_do_read') }] });
  const { body } = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  const [top, caller] = await framesOf(debug, body.threadId);
  assert.equal(top?.name, 'eventfd_ctx_do_read');
  assert.deepEqual([caller?.name, caller?.line], ['irqfd_wakeup', lineOf('eventfd_ctx_do_read')]);
});

test('a step over a call stops at a breakpoint inside of it', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'vfio_send_intx_eventfd' }, { name: 'irqfd_wakeup' }] });
  await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  const outer = debug.session.position;
  const threadId = debug.session.run!.journal.thread(outer) + 1;
  let reason = 'step';
  while (reason === 'step') reason = (await debug.stop(() => debug.client.nextRequest({ threadId }))).body.reason;
  assert.equal(reason, 'function breakpoint');
  const { run, position } = debug.session;
  assert.equal(run?.journal.step(position).site.fn.name, 'irqfd_wakeup');
  assert.ok(stackAt(run, position).some(({ enter }) => enter.n === outer));
});

test('function breakpoints, conditions and hit counts', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  const { body } = await debug.client.setFunctionBreakpointsRequest({
    breakpoints: [
      { name: 'irqfd_inject', hitCondition: '2' },
      { name: 'no_such_function' },
      { name: 'irqfd_inject', condition: 'colour == 3' },
    ],
  });
  assert.deepEqual(
    body.breakpoints.map(({ verified }) => verified),
    [true, false, false],
  );
  assert.match(body.breakpoints[1]?.message ?? '', /no_such_function/);
  assert.match(body.breakpoints[2]?.message ?? '', /colour/);
  const second = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.equal(second.body.reason, 'function breakpoint');
  await debug.client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'irqfd_inject' }] });
  await debug.stop(() => debug.client.reverseContinueRequest({ threadId: 1 }));
  const { run, position } = debug.session;
  assert.equal(run?.journal.step(position).site.fn.name, 'irqfd_inject');
});

test('a data breakpoint on one bit stops where that bit changes, both ways', async () => {
  await using debug = await debugging();
  const { body } = await debug.launch({ flow: 'vfio-intx' });
  const pci = await variablesOf(debug, body.threadId, 'Interrupt State', 'pci_function');
  const command = pci.find(({ name }) => name === 'PCI_COMMAND')!;
  const info = await debug.client.dataBreakpointInfoRequest({
    variablesReference: command.variablesReference,
    name: 'INTX_DISABLE',
  });
  assert.ok(info.body.canPersist);
  const set = await debug.client.setDataBreakpointsRequest({ breakpoints: [{ dataId: info.body.dataId! }] });
  assert.equal(set.body.breakpoints[0]?.verified, true);
  const bit = (): number => {
    const { run, cursor } = debug.session;
    const cell = run!.cells.find(({ name, component }) => component.struct === 'pci_function' && name === 'PCI_COMMAND')!;
    return (cursor!.value(cell.id) >>> 10) & 1;
  };
  const was = bit();
  const changed = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.equal(changed.body.reason, 'data breakpoint');
  assert.notEqual(bit(), was);
  const at = debug.session.position;
  await debug.stop(() => debug.session.seek(debug.session.run!.journal.length - 1));
  for (let i = 0; i < 50 && debug.session.position !== at; i++) {
    const { reason } = (await debug.stop(() => debug.client.reverseContinueRequest({ threadId: 1 }))).body;
    assert.equal(reason, 'data breakpoint');
  }
  assert.equal(debug.session.position, at);
});

test('expressions are evaluated, completed, and refused in words', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.stop(() => debug.session.seek(700));
  const evaluate = async (expression: string, context = 'watch') => (await debug.client.evaluateRequest({ expression, context })).body;
  assert.match((await evaluate('pci_function.PCI_COMMAND')).result, /^0x[0-9a-f]{4}/);
  assert.match((await evaluate('pci_function.PCI_COMMAND & 0xff')).result, /^0x/);
  assert.ok((await evaluate('kvm_kpic_state(master)')).variablesReference > 0);
  await assert.rejects(evaluate('kvm_kpic_state.isr'), /master.*slave/);
  await assert.rejects(evaluate('1 +'), Error);
  const { targets } = (await debug.client.completionsRequest({ text: 'pci_function.PCI_C', column: 19 })).body;
  assert.deepEqual(
    targets.map(({ label }) => label),
    ['pci_function.PCI_COMMAND'],
  );
});

test('a logpoint says what it is asked for as the run passes, and does not stop it', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  const said: string[] = [];
  debug.client.on('output', (event: DebugProtocol.OutputEvent) => said.push(event.body.output));
  await debug.client.setBreakpointsRequest({
    source: FILE,
    breakpoints: [{ line: lineOf('irqfd_inject'), logMessage: 'step {$step} by {$thread}' }],
  });
  const { body } = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  assert.equal(body.reason, 'step');
  const { run } = debug.session;
  const passed = Array.from({ length: run!.journal.length }, (_, step) => step).filter(
    (step) => run!.journal.kind(step) === 'enter' && run!.journal.step(step).site.fn.name === 'irqfd_inject',
  );
  assert.ok(passed.length > 0);
  assert.deepEqual(
    said,
    passed.map((step) => `step ${step} by ${run!.threads[run!.journal.thread(step)]?.title}\n`),
  );
});

test('one jumps to the steps that come to a line', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  const lines = (await debug.client.send('breakpointLocations', {
    source: FILE,
    line: 1,
    endLine: 99,
  })) as DebugProtocol.BreakpointLocationsResponse;
  assert.ok(lines.body.breakpoints.some(({ line }) => line === lineOf('irqfd_inject')));
  const { targets } = (await debug.client.gotoTargetsRequest({ source: FILE, line: lineOf('irqfd_inject') })).body;
  assert.equal(targets.length, 1);
  await debug.stop(() => debug.client.gotoRequest({ threadId: 1, targetId: targets[0]!.id }));
  const { run, position } = debug.session;
  assert.equal(run?.journal.step(position).site.fn.name, 'irqfd_inject');
});

test('C under the mouse is the field of what the function has at hand', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'eventfd_ctx_do_read' }] });
  const { body } = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  const [top] = await framesOf(debug, body.threadId);
  const over = (expression: string) => debug.client.evaluateRequest({ expression, context: 'hover', frameId: top!.id });
  assert.match((await over('ctx->count')).body.result, /^\d+/);
  await assert.rejects(over('ctx->nothing'), Error);
});

test('setting a variable is a what-if: another run from there on, which says so, and the way back', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  const { body } = await debug.stop(() => debug.session.seek(700));
  const original = debug.session.run;
  const scope = await variablesOf(debug, body.threadId, 'Interrupt State');
  const pci = scope.find(({ name }) => name === 'pci_function')!;
  const said = debug.client.waitForEvent('output');
  let answer: DebugProtocol.SetVariableResponse | undefined;
  const stopped = await debug.stop(async () => {
    answer = await debug.client.setVariableRequest({ variablesReference: pci.variablesReference, name: 'INTx', value: 'true' });
  });
  assert.match(answer?.body.value ?? '', /^true/);
  assert.match(((await said) as DebugProtocol.OutputEvent).body.output, /What if/);
  assert.match(stopped.body.text ?? '', /what-if/);
  assert.notEqual(debug.session.run, original);
  assert.equal(debug.session.base?.run, original);
  await debug.stop(() => debug.session.returnToBase());
  assert.equal(debug.session.run, original);
  assert.equal(debug.session.position, 700);
});

test('a frame shows what its function was called with, each structure as it is now', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'irqfd_inject' }] });
  const { body } = await debug.stop(() => debug.client.continueRequest({ threadId: 1 }));
  const [irqfd] = await variablesOf(debug, body.threadId, 'Arguments');
  assert.equal(irqfd?.name, 'argument 1, kvm_kernel_irqfd');
  const fields = await variablesOf(debug, body.threadId, 'Arguments', irqfd.name);
  assert.ok(fields.some(({ name, value }) => name === 'gsi' && Number(value) > 0));
});

test('what was shown at the last stop stays true of it; what is older is gone, and says so', async () => {
  await using debug = await debugging();
  const { body } = await debug.launch({ flow: 'vfio-intx' });
  const [top] = await framesOf(debug, body.threadId);
  const { scopes } = (await debug.client.scopesRequest({ frameId: top!.id })).body;
  const show = async () =>
    (await debug.client.variablesRequest({ variablesReference: scopes[0]!.variablesReference })).body.variables.map(({ value }) => value);
  const shown = await show();
  await debug.stop(() => debug.client.stepInRequest({ threadId: 1 }));
  assert.deepEqual(await show(), shown);
  await debug.stop(() => debug.client.stepInRequest({ threadId: 1 }));
  await assert.rejects(show(), /no variable \d+ at this step/);
  await assert.rejects(debug.client.scopesRequest({ frameId: top!.id }), /no frame \d+ at this step/);
});

test('the debugger never disagrees with the session: position, threads, frames and values after any walk', async () => {
  await using debug = await debugging({ [PATH]: EVENTFD });
  await debug.launch({ flow: 'vfio-intx' });
  await debug.client.setBreakpointsRequest({ source: FILE, breakpoints: [{ line: lineOf('schedule_work') }] });
  const request = (command: string) =>
    fc.constant(() => debug.client.send(command, { threadId: 1 + debug.session.run!.journal.thread(debug.session.position) }));
  const move = fc.oneof(
    ...['next', 'stepIn', 'stepOut', 'stepBack', 'continue', 'reverseContinue', 'reverseNext', 'reverseStepOut'].map(request),
    fc.nat(1649).map((step) => () => debug.session.seek(step === debug.session.position ? step + 1 : step)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 12 }), async (walk) => {
      for (const go of walk) {
        const { body } = await debug.stop(go);
        const { run, position, cursor } = debug.session;
        assert.ok(run && cursor);
        assert.equal(body.threadId, run.journal.thread(position) + 1);
        assert.match(body.text ?? '', new RegExp(`^Step ${position} of`));
        assert.deepEqual(
          (await framesOf(debug, body.threadId)).map(({ name }) => name),
          stackAt(run, position).map(({ enter }) => enter.site.fn.name),
        );
        const { threads } = (await debug.client.threadsRequest()).body;
        for (const { id } of threads) {
          let last = position;
          while (last >= 0 && run.journal.thread(last) !== id - 1) last--;
          const isWaiting: boolean =
            last < 0 || (last !== position && run.journal.kind(last) === 'return' && run.journal.depth(last) === 0);
          assert.deepEqual(
            (await framesOf(debug, id)).map(({ name }) => name),
            isWaiting ? [] : stackAt(run, last).map(({ enter }) => enter.site.fn.name),
          );
        }
        const cell = run.cells[position % run.cells.length]!;
        if (cell.component.born > position) continue;
        const shown = (await debug.client.evaluateRequest({ expression: `${cellKey(run, cell.id)} + 0` })).body.result;
        assert.equal(Number(shown.split(' ')[0]), cursor.value(cell.id), `${cellKey(run, cell.id)} is ${shown}`);
      }
    }),
    { numRuns: 15 },
  );
});
