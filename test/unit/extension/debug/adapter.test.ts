import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { stackAt } from '../../../../src/engine/timeline';
import { debugging, type Debugging } from './support';

/** The debug adapter through its protocol, as VS Code speaks it. */

const framesOf = async ({ client }: Debugging, threadId: number | undefined): Promise<readonly DebugProtocol.StackFrame[]> =>
  (await client.stackTraceRequest({ threadId: threadId ?? 0 })).body.stackFrames;

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

test('what is in the past says so', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  await debug.stop(() => debug.session.seek(700));
  const { body } = await debug.stop(() => debug.session.seek(650));
  assert.match(String(body['description']), /^Step 650 of \d+, in the past: 50 before the furthest$/);
});
