import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Locator } from 'playwright-core';
import { eventually, type Workbench } from '../workbench/driver';
import { endToEnd } from './workbench';

/** A debug session as a person has it: breakpoints in the gutter, the toolbar, the call stack, variables, the console. */

const EVENTFD = 'virt/kvm/eventfd.c';
const box = mkdtempSync(path.join(os.tmpdir(), 'virtflow-debug-'));
after(() => rmSync(box, { recursive: true, force: true }));

/** A real kernel tree where `.ci/run` has put one, else one that shows itself as Linux 6.12.1, with functions in code of our own. */
function kernel(): string {
  const real = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'virtflow-sources/linux-6.12');
  return existsSync(path.join(real, EVENTFD)) ? real : standIn();
}

function standIn(): string {
  const root = path.join(box, 'linux');
  mkdirSync(path.join(root, path.dirname(EVENTFD)), { recursive: true });
  writeFileSync(path.join(root, 'Makefile'), 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n');
  writeFileSync(
    path.join(root, EVENTFD),
    `/* ours */\n\nstatic void\nirqfd_inject(int *irqfd)\n{\n\tint unused = 0;\n\n\tif (irqfd->resampler)\n\t\tkvm_set_irq(irqfd, unused);\n}\n`,
  );
  return root;
}

const linux = { name: 'linux', path: kernel() };

/** The line on which `irqfd_inject` looks at its resampler; lines count from 1. */
const LINE = ((): number => {
  const lines = readFileSync(path.join(linux.path, EVENTFD), 'utf8').split('\n');
  const begins = lines.findIndex((line) => line.startsWith('irqfd_inject('));
  return lines.findIndex((line, index) => index > begins && line.includes('->resampler')) + 1;
})();

const stepOf = async (workbench: Workbench): Promise<number> =>
  Number(await workbench.webview('panel').locator('body').getAttribute('data-step'));

/** Presses a button of the debug toolbar, or a key, until the session has moved. */
async function move(workbench: Workbench, press: () => Promise<void>): Promise<number> {
  const before = await stepOf(workbench);
  await press();
  return eventually(
    () => stepOf(workbench),
    (step) => step !== before,
  );
}

const toolbar = ({ page }: Workbench, title: string): Locator =>
  page.locator(`.debug-toolbar .action-label`).and(page.getByRole('button', { name: new RegExp(`^${title}( \\(|$)`) }));
const press = (workbench: Workbench, title: string) => () => toolbar(workbench, title).click();
const variable = ({ page }: Workbench, name: string): Locator =>
  page.locator('.debug-variables .monaco-list-row, .monaco-list-row.debug-variables').filter({ hasText: new RegExp(`^\\s*${name}`) });
const stoppedThread = ({ page }: Workbench): Locator => page.locator('.debug-call-stack .thread', { hasText: /\d+ of \d+/i });

const topFrame = ({ page }: Workbench): Promise<string> => page.locator('.debug-call-stack .stack-frame').first().innerText();

async function open(row: Locator): Promise<void> {
  await row.first().waitFor();
  if ((await row.first().getAttribute('aria-expanded')) === 'false') await row.first().locator('.monaco-tl-twistie').click();
}

endToEnd(
  'a flow is debugged in real source: breakpoint, variables, back over a hand-over, a bit’s breakpoint in reverse, evaluate, what if',
  async (workbench) => {
    const { page } = workbench;
    await workbench.openContainer('Virtflow');
    await page.locator('.sidebar .monaco-list-row', { hasText: 'VFIO INTx' }).first().click();
    await workbench.webview('panel').locator('body[data-state=ready]').waitFor({ state: 'attached' });

    await workbench.openFile(workbench.pathOf(linux, EVENTFD));
    await page.keyboard.press('Control+g');
    await page.keyboard.type(`${LINE}`);
    await page.keyboard.press('Enter');
    await page.keyboard.press('F9');
    await page.locator('.codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified').first().waitFor();

    await workbench.runCommand('Virtflow: Debug This Flow');
    await page.locator('.debug-toolbar').waitFor();
    await workbench.openContainer('Run and Debug');
    await stoppedThread(workbench).waitFor();
    await workbench.screenshot('debug-entry');

    await move(workbench, press(workbench, 'Continue'));
    await page.locator('.debug-top-stack-frame-line').first().waitFor();
    await eventually(
      () => topFrame(workbench),
      (text) => text.includes('irqfd_inject'),
    );
    const stopped = await stepOf(workbench);
    await workbench.screenshot('debug-breakpoint');

    // Variables: what the function was called with, and the state, down to single bits.
    await variable(workbench, 'argument 1, kvm_kernel_irqfd').waitFor();
    await open(variable(workbench, 'Interrupt State'));
    await open(variable(workbench, 'pci_function'));
    await open(variable(workbench, 'PCI_COMMAND'));
    await variable(workbench, 'INTX_DISABLE').first().waitFor();
    await workbench.screenshot('debug-variables');
    await variable(workbench, 'INTX_DISABLE').first().click({ button: 'right' });
    await page.locator('.context-view .action-menu-item', { hasText: 'Break on Value Change' }).hover();
    await page.keyboard.press('Enter');
    await page.locator('.debug-breakpoints .breakpoint', { hasText: 'INTX_DISABLE' }).waitFor();

    // Back over the hand-over: from the worker to the interrupt handler that queued it.
    const worker = await stoppedThread(workbench).innerText();
    for (let i = 0; i < 10 && (await stoppedThread(workbench).innerText()).split('\n')[0] === worker.split('\n')[0]; i++)
      await move(workbench, press(workbench, 'Step Back'));
    assert.match(await stoppedThread(workbench).innerText(), /host hard-IRQ/);
    assert.match(await stoppedThread(workbench).innerText(), /in the past/i);
    await workbench.screenshot('debug-back');

    // The bit's breakpoint in reverse: where the host masked the device.
    const masked = await move(workbench, press(workbench, 'Reverse'));
    assert.ok(masked < stopped);
    await eventually(
      () => topFrame(workbench),
      (text) => text.includes('write_command'),
    );
    await workbench.screenshot('debug-data');

    // The console: a value, and a what-if.
    await page.locator('.repl-input-wrapper .view-lines').click();
    await page.keyboard.type('pci_function.PCI_COMMAND & 0x400');
    await page.keyboard.press('Enter');
    await page.locator('.repl .monaco-list-row', { hasText: /^0x0400/ }).waitFor();
    await page.keyboard.type('pci_function.INTx = true');
    await page.keyboard.press('Enter');
    await page.locator('.repl .monaco-list-row', { hasText: 'What if' }).waitFor();
    await stoppedThread(workbench).filter({ hasText: 'You' }).waitFor();
    await workbench.screenshot('debug-what-if');
    await press(workbench, 'Return to Original Run')();
    await eventually(
      () => stepOf(workbench),
      (step) => step === masked,
    );
  },
  { folders: [linux] },
);
