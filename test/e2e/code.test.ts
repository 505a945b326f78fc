import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Locator } from 'playwright-core';
import { eventually, type Workbench } from '../workbench/driver';
import { endToEnd } from './workbench';

/** From code to flow, as a person goes: a lens over a function, the call hierarchy to the guest, into the flow, and back. */

const INTRS = 'drivers/vfio/pci/vfio_pci_intrs.c';
const EVENTFD = 'virt/kvm/eventfd.c';
const box = mkdtempSync(path.join(os.tmpdir(), 'virtflow-code-'));
after(() => rmSync(box, { recursive: true, force: true }));

/** A real kernel tree where `.ci/run` has put one, else one that shows itself as Linux 6.12.1, with functions in code of our own. */
function kernel(): string {
  const real = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'virtflow-sources/linux-6.12');
  return [INTRS, EVENTFD].every((file) => existsSync(path.join(real, file))) ? real : standIn();
}

function standIn(): string {
  const root = path.join(box, 'linux');
  const write = (file: string, text: string): void => {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  write('Makefile', 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n');
  write(INTRS, `/* ours */\n\nstatic irqreturn_t vfio_msihandler(int irq, void *arg)\n{\n\teventfd_signal(arg);\n\treturn 0;\n}\n`);
  write(EVENTFD, `/* ours */\n\nstatic int\nirqfd_wakeup(void *wait)\n{\n\treturn kvm_arch_set_irq_inatomic(wait);\n}\n`);
  return root;
}

const linux = { name: 'linux', path: kernel() };

/** The line of a file on which a function's name is defined; lines count from 1. */
function lineOf(file: string, name: string): number {
  const lines = readFileSync(path.join(linux.path, file), 'utf8').split('\n');
  return lines.findIndex((line) => new RegExp(`^(static [\\w ]+ \\*?)?${name}\\(.*[^;]$`).test(line)) + 1;
}

/** The functions between the host's handler and the guest's, as Linux 6.12 has them with posted interrupts. */
const WAY = [
  'eventfd_signal',
  'eventfd_signal_mask',
  '__wake_up_locked_key',
  '__wake_up_common',
  'irqfd_wakeup',
  'kvm_arch_set_irq_inatomic',
  'kvm_irq_delivery_to_apic_fast',
  'kvm_apic_set_irq',
  '__apic_accept_irq',
  'vmx_deliver_interrupt',
  'vmx_deliver_posted_interrupt',
  'kvm_vcpu_trigger_posted_interrupt',
  'post_interrupt',
  'process_posted_interrupts',
  'accept_vector',
  'common_interrupt',
  'call_irq_handler',
  'handle_irq',
  'generic_handle_irq_desc',
  'handle_edge_irq',
  'handle_irq_event',
  'handle_irq_event_percpu',
  '__handle_irq_event_percpu',
  'edu_msi_handler',
];

const lens = ({ page }: Workbench, text: RegExp): Locator => page.locator('.codelens-decoration a:visible').filter({ hasText: text });
const activeTab = ({ page }: Workbench): Locator => page.locator('.editor-group-container.active .tab.active');
const hierarchy = ({ page }: Workbench): Locator => page.locator('.part.panel .monaco-list-row');
const focused = (workbench: Workbench): Locator => hierarchy(workbench).and(workbench.page.locator('.focused'));
const focusedName = async (workbench: Workbench): Promise<string> =>
  (
    await focused(workbench)
      .locator('.label-name')
      .first()
      .innerText({ timeout: 1000 })
      .catch(() => '')
  ).trim();

async function goToLine({ page }: Workbench, line: number): Promise<void> {
  await page.keyboard.press('Control+g');
  await page.keyboard.type(`${line}`);
  await page.keyboard.press('Enter');
}

/** Moves the focus to the next row, unless it is on the last. */
async function goDown(workbench: Workbench): Promise<boolean> {
  const before = await focused(workbench).getAttribute('data-index');
  await workbench.page.keyboard.press('ArrowDown');
  return eventually(
    () => focused(workbench).getAttribute('data-index'),
    (index) => index !== before,
  ).then(
    () => true,
    () => false,
  );
}

/** Opens the node that has the focus, and goes down among its children to the one of that name. */
async function descend(workbench: Workbench, to: string): Promise<void> {
  const { page } = workbench;
  const from = await focusedName(workbench);
  if ((await focused(workbench).getAttribute('aria-expanded')) === 'false') await page.keyboard.press('ArrowRight');
  await focused(workbench).and(page.locator('[aria-expanded=true]')).waitFor();
  await eventually(
    async () => {
      await page.keyboard.press('ArrowRight');
      return focusedName(workbench);
    },
    (name) => name !== from,
  );
  while ((await focusedName(workbench)) !== to && (await goDown(workbench)));
  assert.equal(await focusedName(workbench), to, `below ${from}`);
}

endToEnd(
  'from code to flow: a lens, a hover, the call hierarchy from vfio_msihandler to the guest’s handler, a step of a flow, and back',
  async (workbench) => {
    const { page } = workbench;
    await workbench.openFile(workbench.pathOf(linux, INTRS));
    const line = lineOf(INTRS, 'vfio_msihandler');
    await goToLine(workbench, line);
    await lens(workbench, /flows? pass(es)? here · \d+ steps?/)
      .first()
      .waitFor();
    await workbench.screenshot('code-lens');

    // What the function does in the flows.
    await page.keyboard.press('Home');
    await page
      .locator('.view-line span', { hasText: /^vfio_msihandler$/ })
      .first()
      .click();
    await workbench.runCommand('Show or Focus Hover');
    await page.locator('.monaco-hover', { hasText: '__handle_irq_event_percpu' }).getByText('vfio_msihandler').first().waitFor();
    await workbench.screenshot('code-hover');
    await page.keyboard.press('Escape');

    // Callees, over the eventfd and into the guest.
    await workbench.runCommand('Virtflow: Show Interrupt Call Hierarchy');
    const rows = hierarchy(workbench);
    await rows.filter({ hasText: 'vfio_msihandler' }).first().click();
    await eventually(
      () => focusedName(workbench),
      (name) => name === 'vfio_msihandler',
    );
    for (const name of WAY) {
      await descend(workbench, name);
      if (name !== 'irqfd_wakeup') continue;
      assert.match(await focused(workbench).innerText(), /eventfd/);
      await page.keyboard.press('Enter');
      await activeTab(workbench).filter({ hasText: 'eventfd.c' }).waitFor();
    }
    await workbench.screenshot('code-hierarchy');
    // The guest's driver has no source: an outline shows what the model does.
    await page.keyboard.press('Enter');
    await page.locator('.view-line', { hasText: /^edu_msi_handler\(\)/ }).waitFor();

    // Which trees there are, and how much of the flows is found in them.
    await workbench.runCommand('Virtflow: Show Source Trees');
    const trees = page.locator('.quick-input-list .monaco-list-row');
    await trees.filter({ hasText: /Linux 6\.12.*\d+ of \d+ references found/s }).waitFor();
    await trees.filter({ hasText: /QEMU.*no tree/s }).waitFor();
    await workbench.screenshot('code-trees');
    await page.keyboard.press('Escape');

    // Into the flow, from the menu at the host's handler, and back to where the reader was.
    await workbench.openFile(workbench.pathOf(linux, INTRS));
    await goToLine(workbench, line);
    await page
      .locator('.view-line span', { hasText: /^vfio_msihandler$/ })
      .first()
      .click({ button: 'right' });
    await page.locator('.context-view .action-menu-item', { hasText: 'Go to Flow Step' }).hover();
    await page.keyboard.press('Enter');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Through the host' }).click();
    await workbench.webview('panel').locator('body[data-state=ready]').waitFor({ state: 'attached' });
    await page.locator('.review-widget, .comment-thread', { hasText: 'vfio_msihandler' }).first().waitFor();
    await workbench.screenshot('code-step');
    await activeTab(workbench).filter({ hasText: 'vfio_pci_intrs.c' }).waitFor();

    // A step leads elsewhere; VS Code leads back.
    await workbench.runCommand('Virtflow: Step');
    await activeTab(workbench).filter({ hasText: 'eventfd.h' }).waitFor();
    await workbench.runCommand('Go Back');
    await activeTab(workbench).filter({ hasText: 'vfio_pci_intrs.c' }).waitFor();
  },
  { folders: [linux] },
);
