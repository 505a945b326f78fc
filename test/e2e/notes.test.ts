import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Locator } from 'playwright-core';
import { eventually, type Workbench } from '../workbench/driver';
import { endToEnd } from './workbench';

/** Notes as a person uses them: written on a step, seen beside their line from elsewhere, and gone to from wherever one is. */

const EVENTFD = 'virt/kvm/eventfd.c';
const root = mkdtempSync(path.join(os.tmpdir(), 'virtflow-notes-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** A tree that shows itself as Linux 6.12.1, with functions in code of our own. */
const files: Readonly<Record<string, string>> = {
  Makefile: 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n',
  [EVENTFD]:
    '/* ours */\n\nstatic void\nirqfd_inject(struct work_struct *work)\n{\n\tkvm_set_irq(work);\n}\n\nstatic int\nirqfd_wakeup(void *wait)\n{\n\tschedule_work(wait);\n}\n',
};
for (const [file, text] of Object.entries(files)) {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}
const linux = { name: 'linux', path: root };

const thread = ({ page }: Workbench): Locator => page.locator('.review-widget:visible');
const glyphs = ({ page }: Workbench): Locator => page.locator('.margin-view-overlays > div:has(.comment-thread)');

/** The numbers of the lines of the editor that have threads of comments. */
const threadLines = (workbench: Workbench): Promise<readonly string[]> => glyphs(workbench).locator('.line-numbers').allInnerTexts();

const untilThreadsOn = (workbench: Workbench, ...lines: readonly string[]) =>
  eventually(
    () => threadLines(workbench),
    (found) => found.join() === lines.join(),
  );

/** The thread of the step that the session stands on. */
const stepThread = (workbench: Workbench): Locator => thread(workbench).filter({ hasText: /Step \d+ of \d+/ });

async function explore(workbench: Workbench, flow: string): Promise<void> {
  // When its container is there, VS Code knows the commands too.
  await workbench.openContainer('Virtflow');
  await workbench.runCommand('Virtflow: Explore Flow…');
  await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: flow }).first().click();
  await stepThread(workbench).filter({ hasText: 'Step 0 of' }).waitFor();
}

async function writeNote(workbench: Workbench, on: string, text: string): Promise<void> {
  const own = thread(workbench).filter({ hasText: on });
  await own.locator('.review-thread-reply-button').click();
  await workbench.page.keyboard.type(text);
  await own.getByRole('button', { name: 'Add Note' }).click();
  await own.locator('.review-comment', { hasText: text }).waitFor();
}

/** To a step that is in another file, until that is shown. */
async function goAway(workbench: Workbench): Promise<void> {
  await workbench.runCommand('Virtflow: Restart');
  await stepThread(workbench).filter({ hasText: 'Step 0 of' }).waitFor();
}

async function goToNote(workbench: Workbench, text: string): Promise<void> {
  await workbench.runCommand('Virtflow: Go to Note…');
  await workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).click();
}

endToEnd(
  'a note is seen beside its line from other steps, follows the line, and goes when it is deleted',
  async (workbench) => {
    const { page } = workbench;
    await explore(workbench, 'VFIO INTx');
    await workbench.tree('Flows').filter({ hasText: 'A worker drives the guest’s I/O APIC' }).click();
    await thread(workbench).filter({ hasText: 'irqfd_inject' }).waitFor();
    await untilThreadsOn(workbench, '4');
    await writeNote(workbench, 'irqfd_inject', 'Ask Paolo about this.');
    // The step's own thread shows it: there is no second one.
    await untilThreadsOn(workbench, '4');
    await workbench.screenshot(`note-on-step-${workbench.host}`);

    await goAway(workbench);
    await workbench.openFile(workbench.pathOf(linux, EVENTFD));
    await untilThreadsOn(workbench, '4');
    await glyphs(workbench).locator('.comment-thread').first().click();
    const note = thread(workbench).locator('.review-comment', { hasText: 'Ask Paolo about this.' });
    await note.waitFor();
    await workbench.screenshot(`note-elsewhere-${workbench.host}`);
    await workbench.runCommand('Comments: Focus on Comments View');
    await page.locator('.comments-panel', { hasText: 'Ask Paolo about this.' }).waitFor();
    await workbench.screenshot(`notes-in-comments-view-${workbench.host}`);
    await page.keyboard.press('Control+J');
    await thread(workbench).getByRole('button', { name: 'Go to This Step' }).click();
    await stepThread(workbench).getByRole('button', { name: 'Step Back' }).waitFor();

    // Typing above it, unsaved, and coming back to the file.
    await goAway(workbench);
    await workbench.openFile(workbench.pathOf(linux, EVENTFD));
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('/* more */\n');
    await untilThreadsOn(workbench, '5');
    await workbench.openFile(workbench.pathOf(linux, 'Makefile'));
    await workbench.openFile(workbench.pathOf(linux, EVENTFD));
    await untilThreadsOn(workbench, '5');

    // What is open stays open.
    await glyphs(workbench).locator('.comment-thread').first().click();
    await note.waitFor();
    await page.locator('.view-line', { hasText: 'ours' }).click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('/* and more */\n');
    await untilThreadsOn(workbench, '6');
    await note.waitFor();

    // What was typed into a note is dropped by Cancel, and kept by Save.
    await note.hover();
    await note.getByRole('button', { name: 'Edit Note' }).click();
    await thread(workbench).locator('.edit-container .monaco-editor.focused').waitFor();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('Nothing.');
    await thread(workbench).getByRole('button', { name: 'Cancel' }).click();
    await note.waitFor();
    assert.equal(await thread(workbench).locator('.edit-container').count(), 0);
    await note.hover();
    await note.getByRole('button', { name: 'Delete Note' }).click();
    await untilThreadsOn(workbench);
  },
  { folders: [linux] },
);

/** The text of the lines of the editor that have threads of comments; VS Code draws both at the same height. */
async function threadTexts(workbench: Workbench): Promise<readonly string[]> {
  const topOf = (line: Locator): Promise<string> => line.evaluate((element) => element.style.top);
  const tops = new Set(await Promise.all((await glyphs(workbench).all()).map(topOf)));
  const lines = await workbench.page.locator('.editor-instance .view-lines > .view-line').all();
  const texts: string[] = [];
  for (const line of lines) if (tops.has(await topOf(line))) texts.push(await line.innerText());
  return texts;
}

const untilThreadOnInject = (workbench: Workbench) =>
  eventually(
    () => threadTexts(workbench),
    ([text, ...others]) => others.length === 0 && text?.startsWith('irqfd_inject(') === true,
  );

endToEnd(
  'Go to Note leads to a note in whatever run comes there, or into one that does; its thread follows, and is there after a reload',
  async (workbench) => {
    const { page } = workbench;
    const noteOnStep = stepThread(workbench).filter({ hasText: 'Ask Paolo about this.' });
    await explore(workbench, 'VFIO INTx');
    await workbench.tree('Flows').filter({ hasText: 'A worker drives the guest’s I/O APIC' }).click();
    await thread(workbench).filter({ hasText: 'irqfd_inject' }).waitFor();
    await writeNote(workbench, 'irqfd_inject', 'Ask Paolo about this.');
    await goAway(workbench);
    await goToNote(workbench, 'Ask Paolo');
    await noteOnStep.waitFor();
    await workbench.runCommand('View: Keep Editor');

    // Another run makes another outline of the file.
    await explore(workbench, 'mdev and mtty');
    await page.locator('.tab', { hasText: 'eventfd.c' }).click();
    await untilThreadOnInject(workbench);
    await goToNote(workbench, 'irqfd_inject');
    await noteOnStep.waitFor();
    await untilThreadOnInject(workbench);

    // Posted interrupts go past the worker: the note leads into a flow that has it.
    await explore(workbench, 'VFIO MSI');
    await workbench.runCommand('Virtflow: Go to Note…');
    const row = page.locator('.quick-input-list .monaco-list-row', { hasText: 'Ask Paolo' });
    await row.filter({ hasText: 'this run does not come to irqfd_inject' }).waitFor();
    await workbench.screenshot(`go-to-note-${workbench.host}`);
    await row.click();
    await page.locator('.quick-input-widget', { hasText: 'Go to Flow Step' }).waitFor();
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'INTx' }).first().click();
    await noteOnStep.waitFor();
    await goAway(workbench);

    const loaded = page.waitForEvent('load');
    await workbench.runCommand('Developer: Reload Window');
    await loaded;
    await stepThread(workbench).filter({ hasText: 'Step 0 of' }).waitFor();
    await goToNote(workbench, 'Ask Paolo');
    await noteOnStep.waitFor();
    await untilThreadOnInject(workbench);
  },
  { folders: [] },
);
