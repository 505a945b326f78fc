import * as vscode from 'vscode';
import { equal, ok, until } from './assert';

/** The debugger as VS Code itself starts and drives it, without any `launch.json`. */

const configuration = (attributes: object): vscode.DebugConfiguration => ({
  type: 'virtflow',
  request: 'launch',
  name: 'a flow',
  ...attributes,
});

const active = () => (vscode.debug.activeDebugSession?.type === 'virtflow' ? vscode.debug.activeDebugSession : undefined);

interface Shown {
  readonly stackFrames: readonly { readonly name: string; readonly line: number; readonly source?: { readonly path: string } }[];
}

async function start(given: vscode.DebugConfiguration): Promise<vscode.DebugSession> {
  ok(await vscode.debug.startDebugging(undefined, given), 'the debugger did not start');
  return until('a debug session', active);
}

async function stop(): Promise<void> {
  await vscode.debug.stopDebugging();
  await until('the end of the debug session', () => active() === undefined);
}

/** The frame on top of the stack that VS Code shows. */
async function topFrame(debug: vscode.DebugSession): Promise<Shown['stackFrames'][number]> {
  const threadId = await until('a stopped thread', () => vscode.debug.activeStackItem?.threadId);
  const { stackFrames } = (await debug.customRequest('stackTrace', { threadId })) as Shown;
  ok(stackFrames[0], 'no frame');
  return stackFrames[0];
}

suite('the debugger', () => {
  test('a launch stands on the outline while there is no tree, steps, and leaves the run when it ends', async function () {
    this.timeout(30_000);
    const debug = await start(configuration({ flow: 'vfio-intx' }));
    const entry = await topFrame(debug);
    equal(entry.name, 'qemu_init_subsystems');
    ok(entry.source?.path.startsWith('virtflow-outline:'), `its source is ${entry.source?.path}`);
    await vscode.commands.executeCommand('workbench.action.debug.stepInto');
    await until('another line', async () => (await topFrame(debug)).line !== entry.line || undefined);
    await stop();
    await vscode.commands.executeCommand('virtflow.copyLink');
    equal(new URLSearchParams(vscode.Uri.parse(await vscode.env.clipboard.readText()).query).get('flow'), 'vfio-intx');
  });

  test('a breakpoint that was set on an outline before is met, and back again', async function () {
    this.timeout(30_000);
    await vscode.commands.executeCommand('virtflow.exploreFlow', 'vfio-intx');
    const uri = vscode.Uri.parse('virtflow-outline:/linux/virt/kvm/eventfd.c');
    const text = (await vscode.workspace.openTextDocument(uri)).getText().split('\n');
    const line = text.findIndex((each) => each.startsWith('irqfd_inject('));
    const breakpoint = new vscode.SourceBreakpoint(new vscode.Location(uri, new vscode.Position(line, 0)));
    vscode.debug.addBreakpoints([breakpoint]);
    const debug = await start(configuration({ flow: 'vfio-intx', stopOnEntry: false }));
    await until('the breakpoint', async () => (await topFrame(debug)).name === 'irqfd_inject' || undefined);
    await vscode.commands.executeCommand('virtflow.reverseStepOut');
    await until('the caller', async () => (await topFrame(debug)).name === 'process_one_work' || undefined);
    vscode.debug.removeBreakpoints([breakpoint]);
    await stop();
  });

  test('a configuration that is wrong does not start', async function () {
    this.timeout(30_000);
    for (const wrong of [{}, { flow: 'nope' }, { flow: 'vfio-intx', parameters: { colour: 'red' } }])
      equal(await vscode.debug.startDebugging(undefined, configuration(wrong)), false);
    equal(active(), undefined);
  });
});
