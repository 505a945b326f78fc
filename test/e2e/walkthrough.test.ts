import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { requireFlow } from '../../src/flows/catalogue';
import { defaults, simulate } from '../../src/flows/flow';
import { stepsAt } from '../../src/flows/scenario/moments';
import { eventually, type Workbench } from '../workbench/driver';
import { endToEnd } from './workbench';

/** The main job, as a person does it: explore a flow, step through it, with a source tree and without one. */

const trees = mkdtempSync(path.join(os.tmpdir(), 'virtflow-e2e-'));
after(() => rmSync(trees, { recursive: true, force: true }));

/** A tree that shows itself as Linux 6.12.1 and has one function of the flow, in code of our own. */
function smallKernel(): string {
  const root = path.join(trees, 'linux');
  const file = path.join(root, 'drivers/vfio/pci/vfio_pci_intrs.c');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(path.join(root, 'Makefile'), 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n');
  writeFileSync(
    file,
    '/* ours */\n\n\nint vfio_intx_handler(int n)\n{\n\tint masked = pci_2_3 + n;\n\n\tmasked = vfio_send_intx_eventfd(n);\n\treturn masked;\n}\n',
  );
  return root;
}

async function explore(workbench: Workbench): Promise<void> {
  await workbench.openContainer('Virtflow');
  await workbench.page.locator('.sidebar .monaco-list-row', { hasText: 'VFIO INTx' }).first().click();
  await workbench.webview('panel').locator('body[data-state=ready]').waitFor({ state: 'attached' });
}

const stepOf = async (workbench: Workbench): Promise<number> =>
  Number(await workbench.webview('panel').locator('body').getAttribute('data-step'));
const activeTab = async ({ page }: Workbench): Promise<string> =>
  (await page.locator('.editor-group-container .tab.active').first().innerText()).replaceAll(/\s/g, '');

/** Runs a command until the panel has moved. */
async function move(workbench: Workbench, command: string): Promise<number> {
  const before = await stepOf(workbench);
  await workbench.runCommand(command);
  return eventually(
    () => stepOf(workbench),
    (step) => step !== before,
  );
}

endToEnd('without a tree a flow opens on its outline, with the annotation, and steps both ways', async (workbench) => {
  await explore(workbench);
  assert.equal(await stepOf(workbench), 0);
  await eventually(
    () => activeTab(workbench),
    (tab) => tab.includes('runstate.c'),
  );
  await workbench.page.locator('.review-widget', { hasText: 'qemu_init_subsystems' }).waitFor();
  const first = await move(workbench, 'Virtflow: Step');
  const second = await move(workbench, 'Virtflow: Step');
  assert.ok(first > 0 && second > first);
  assert.equal(await move(workbench, 'Virtflow: Step Back'), first);
  const elsewhere = await move(workbench, 'Virtflow: Run to Next Context');
  assert.ok(elsewhere > second);
  assert.equal(await move(workbench, 'Virtflow: Restart'), 0);
});

endToEnd(
  'with a tree a step opens the real file at the real line',
  async (workbench) => {
    await explore(workbench);
    await workbench.page.locator('.sidebar .monaco-list-row', { hasText: 'The device raises its line' }).click();
    await eventually(
      () => stepOf(workbench),
      (step) => step > 100,
    );
    // The panel says where a step is at once; the editor follows when the file is open.
    const handler = workbench.webview('panel').getByText('linux:drivers/vfio/pci/vfio_pci_intrs.c vfio_intx_handler');
    for (let i = 0; i < 40 && (await handler.count()) === 0; i++) await move(workbench, 'Virtflow: Step');
    const line = workbench.page.locator('.editor-instance .view-line', { hasText: 'int vfio_intx_handler(int n)' });
    await line.waitFor();
    await workbench.page.locator('.review-widget', { hasText: 'vfio_intx_handler' }).waitFor();
    await move(workbench, 'Virtflow: Step');
    await workbench.page.locator('.review-widget', { hasText: 'pci_2_3' }).waitFor();
  },
  { folders: [{ name: 'linux', path: smallKernel() }] },
);

endToEnd('a parameter set in the panel changes the run; a stimulus leaves the past and changes the future', async (workbench) => {
  await explore(workbench);
  const panel = workbench.webview('panel');
  const total = async (): Promise<string> =>
    (await panel.locator('body').innerText()).match(/step\s+\d+\s+of\s+([\d\s ]+)/)?.[1]?.replaceAll(/\D/g, '') ?? '';
  const before = await total();
  assert.notEqual(before, '');
  await workbench.runCommand('Virtflow: Set Parameters…');
  await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: 'INTx through KVM' }).click();
  await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: 'off' }).first().click();
  const off = await eventually(total, (now) => now !== before);
  await workbench.runCommand('Virtflow: Inject Stimulus…');
  await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: 'The device raises its line' }).click();
  await eventually(total, (now) => now !== off);
});

endToEnd(
  'a workspace folder that links to itself is no kernel, and nothing hangs',
  async (workbench) => {
    await explore(workbench);
    await eventually(
      () => activeTab(workbench),
      (tab) => tab.includes('runstate.c'),
    );
  },
  { folders: [{ name: 'loop', path: loop() }] },
);

function loop(): string {
  const root = path.join(trees, 'loop');
  mkdirSync(root);
  symlinkSync(root, path.join(root, 'again'));
  symlinkSync('Makefile', path.join(root, 'Makefile'));
  return root;
}

const vfio_intx = requireFlow('vfio-intx');

endToEnd('the call chain goes along to a step far away', async (workbench) => {
  const { page } = workbench;
  await workbench.openContainer('Virtflow');
  await page.locator('.sidebar .monaco-list-row', { hasText: 'VFIO INTx' }).first().click();
  await workbench.webview('panel').locator('body[data-state=ready]').waitFor({ state: 'attached' });
  const chain = page.locator('.pane', { has: page.locator('.pane-header[aria-label*="Call Chain"]') });
  const run = simulate(vfio_intx, { parameters: defaults(vfio_intx), stimuli: [], seed: 0 });
  const near = [...stepsAt(run, { function: 'vfio_device_fops_read' })].at(0);
  const far = [...stepsAt(run, { function: 'vcpu_enter_guest', anchor: 'KVM_REQ_EVENT' })].at(-1);
  for (const [step, label] of [
    [near, 'vfio_device_fops_read'],
    [far, 'KVM_REQ_EVENT'],
  ]) {
    await workbench.runCommand('Virtflow: Go to Step…');
    const input = page.locator('.quick-input-widget input[type=text]');
    await input.fill(String(step));
    await page.keyboard.press('Enter');
    await chain.getByText(`Step ${step} of`).waitFor();
    await chain
      .locator('.monaco-list-row.selected')
      .filter({ hasText: String(label) })
      .waitFor();
  }
});
