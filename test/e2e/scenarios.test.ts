import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { eventually, type Workbench } from '../workbench/driver';
import type { MountedFolder } from '../workbench/folders';
import { ROOT } from '../workbench/paths';
import { endToEnd } from './workbench';

/** Walkthroughs that people keep: a scenario is opened, explored and corrected, and a note is found again. */

const scratch = mkdtempSync(path.join(os.tmpdir(), 'virtflow-scenarios-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const SCENARIO = 'intx-one-interrupt.virtflow.json';
const MALFORMED = 'meaning.virtflow.json';
const NO_SUCH_FLOW = 'no-such-flow.virtflow.json';
const FIXTURES = path.join(ROOT, 'test/fixtures/scenarios');

/** A folder with a good scenario and bad ones. */
function folder(name: string): MountedFolder {
  const root = path.join(scratch, name);
  mkdirSync(root);
  copyFileSync(path.join(FIXTURES, SCENARIO), path.join(root, SCENARIO));
  for (const bad of [MALFORMED, NO_SUCH_FLOW]) copyFileSync(path.join(FIXTURES, 'malformed', bad), path.join(root, bad));
  return { name, path: root };
}

/** The button in the title bar of the file that is open. */
const openButton = ({ page }: Workbench) => page.locator('.editor-actions .action-label[aria-label^="Open Scenario"]').first();

const panelIsReady = (workbench: Workbench): Promise<void> =>
  workbench.webview('panel').locator('body[data-state=ready]').waitFor({ state: 'attached' });

async function exploreFromTitle(workbench: Workbench, from: MountedFolder): Promise<void> {
  await workbench.openFile(workbench.pathOf(from, SCENARIO));
  await openButton(workbench).click();
  await panelIsReady(workbench);
}

/** The lens over the file that is open. */
const lens = ({ page }: Workbench) => page.locator('.codelens-decoration a', { hasText: 'Explore Scenario' });

/** Reloads the window as a person does, so that VS Code first writes down what it remembers. */
async function reload(workbench: Workbench): Promise<void> {
  const loaded = workbench.page.waitForEvent('load');
  await workbench.runCommand('Developer: Reload Window');
  await loaded;
}

const stepOf = async (workbench: Workbench): Promise<number> =>
  Number(await workbench.webview('panel').locator('body').getAttribute('data-step'));

const kept = folder('kept');

endToEnd(
  'a scenario opens from its file, shows its chapters, and runs again when it is saved',
  async (workbench) => {
    const { page } = workbench;
    await exploreFromTitle(workbench, kept);
    await workbench.openContainer('Virtflow');
    const rows = workbench.tree('Flows');
    await rows.filter({ hasText: 'One INTx, from the device' }).waitFor();
    const chapter = rows.filter({ hasText: 'The line opens again' });
    await chapter.waitFor();
    const first = await stepOf(workbench);
    assert.ok(first > 0, 'the walkthrough begins at its first chapter');
    await workbench.webview('panel').getByText('The guest handles it').first().waitFor();
    await chapter.click();
    await eventually(
      () => stepOf(workbench),
      (step) => step > first,
    );
    await page.locator('.review-widget', { hasText: 'irqfd_resampler_ack' }).waitFor();

    await workbench.openFile(workbench.pathOf(kept, SCENARIO));
    await page.keyboard.press('Control+End');
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('Control+H');
    await page.keyboard.type('The line opens again');
    await page.locator('.find-widget .replace-part textarea').fill('The line is open');
    await page.locator('.find-widget .replace-part textarea').press('Control+Alt+Enter');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+S');
    await rows.filter({ hasText: 'The line is open' }).waitFor();
  },
  { folders: [kept] },
);

const reloaded = folder('reloaded');

endToEnd(
  'after a reload the panel tells the run by its scenario, which runs again when its file is saved',
  async (workbench) => {
    const { page } = workbench;
    await exploreFromTitle(workbench, reloaded);
    await workbench.openContainer('Virtflow');
    const rows = workbench.tree('Flows');
    await rows.filter({ hasText: 'The line opens again' }).click();
    await page.locator('.review-widget', { hasText: 'irqfd_resampler_ack' }).waitFor();
    const stood = await stepOf(workbench);

    await reload(workbench);
    await rows.filter({ hasText: 'One INTx, from the device' }).waitFor();
    await rows.filter({ hasText: 'The line opens again' }).waitFor();
    await panelIsReady(workbench);
    await eventually(
      () => stepOf(workbench),
      (step) => step === stood,
    );
    await workbench.webview('panel').getByText('The guest handles it').first().waitFor();

    await workbench.runCommand('Virtflow: Add Chapter at This Step…');
    await page.locator('.quick-input-widget:visible input').first().fill('Where we left off');
    await page.keyboard.press('Enter');
    await rows.filter({ hasText: 'Where we left off' }).waitFor();
  },
  { folders: [reloaded] },
);

const changed = folder('changed');

endToEnd(
  'after a reload a scenario that has become malformed, or is gone, is told, and its run is there without it',
  async (workbench) => {
    const { page } = workbench;
    const file = path.join(changed.path, SCENARIO);
    // It was deleted when this was done in the other host.
    copyFileSync(path.join(FIXTURES, SCENARIO), file);
    const rows = workbench.tree('Flows');
    await exploreFromTitle(workbench, changed);
    await workbench.openContainer('Virtflow');
    await rows.filter({ hasText: 'One INTx, from the device' }).waitFor();
    const stood = await stepOf(workbench);

    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"function": "vfio_intx_handler"', '"function": "vfio_intx_handlr"'));
    await reload(workbench);
    await workbench.expectNotification('no flow knows a function “vfio_intx_handlr”');
    await panelIsReady(workbench);
    await eventually(
      () => stepOf(workbench),
      (step) => step === stood,
    );
    await rows.filter({ hasText: 'A worker drives the guest’s I/O APIC' }).waitFor();

    writeFileSync(file, text);
    // What is explored is what the editor holds, and it hears of the file a little later.
    await workbench.openFile(workbench.pathOf(changed, SCENARIO));
    await page.locator('.view-line', { hasText: /"at".*"vfio_intx_handler"/ }).waitFor();
    await exploreFromTitle(workbench, changed);
    await rows.filter({ hasText: 'One INTx, from the device' }).waitFor();
    rmSync(file);
    await reload(workbench);
    await workbench.expectNotification(`${SCENARIO} is gone, or cannot be read`);
    await panelIsReady(workbench);
    await rows.filter({ hasText: 'A worker drives the guest’s I/O APIC' }).waitFor();
  },
  { folders: [changed] },
);

const bad = folder('bad');

endToEnd(
  'what is wrong in a scenario is told at its place',
  async (workbench) => {
    const { page } = workbench;
    await workbench.openFile(workbench.pathOf(bad, SCENARIO));
    await lens(workbench).waitFor();
    // The editor loses the focus before VS Code has asked for its lens.
    await workbench.openFile(workbench.pathOf(bad, MALFORMED));
    await workbench.runCommand('Problems: Focus on Problems View');
    const problems = page.locator('.markers-panel');
    await problems.getByText('no flow knows a function “vfio_intx_handlr”').waitFor();
    await problems.getByText('another chapter is called “One”').waitFor();
    await lens(workbench).click();
    await workbench.expectNotification(`${MALFORMED}:6:57: no flow knows a function “vfio_intx_handlr”`);

    // By VS Code, which has the schema; by us in the web host, whose VS Code cannot hold JSON against one. By one of the two, in any case.
    await workbench.openFile(workbench.pathOf(bad, NO_SUCH_FLOW));
    // The other files' problems fill the view, and what is out of sight there is nowhere.
    await page.getByPlaceholder(/^Filter \(e\.g\. text/).fill(`**/${NO_SUCH_FLOW}`);
    const wrongFlow = problems.locator('.monaco-list-row').filter({ hasText: '[Ln 4, Col 11]' });
    await wrongFlow.waitFor();
    assert.equal(await wrongFlow.count(), 1);
  },
  { folders: [bad] },
);

async function writeNote(workbench: Workbench): Promise<void> {
  const { page } = workbench;
  await workbench.openContainer('Virtflow');
  await workbench.tree('Flows').filter({ hasText: 'VFIO INTx' }).first().click();
  await panelIsReady(workbench);
  await workbench.tree('Flows').filter({ hasText: 'A worker drives the guest’s I/O APIC' }).click();
  await page.locator('.review-widget', { hasText: 'irqfd_inject' }).waitFor();
  const thread = page.locator('.review-widget');
  await thread.locator('.review-thread-reply-button').click();
  await page.keyboard.type('Ask **Paolo** about this.');
  await thread.getByRole('button', { name: 'Add Note' }).click();
  await thread.locator('.review-comment', { hasText: 'Ask Paolo about this.' }).waitFor();
}

/** The panel comes back with its run, and the editor goes to its step. */
async function findNoteAgain(workbench: Workbench): Promise<void> {
  await reload(workbench);
  await workbench.page.locator('.review-widget .review-comment', { hasText: 'Ask Paolo about this.' }).waitFor();
}

const noted = folder('noted');

endToEnd(
  'a note is kept in a file of the workspace, and found again after a reload',
  async (workbench) => {
    await writeNote(workbench);
    const text = readFileSync(path.join(noted.path, '.vscode/virtflow-notes.json'), 'utf8');
    assert.deepEqual(JSON.parse(text), { version: 1, notes: [{ at: { function: 'irqfd_inject' }, text: 'Ask **Paolo** about this.' }] });
    await findNoteAgain(workbench);
    const thread = workbench.page.locator('.review-widget');
    const note = thread.locator('.review-comment', { hasText: 'Ask Paolo' });
    await note.hover();
    await note.getByRole('button', { name: 'Edit Note' }).click();
    await thread.locator('.edit-container .monaco-editor.focused').waitFor();
    await workbench.page.keyboard.press('Control+A');
    await workbench.page.keyboard.type('He has answered.');
    await workbench.page.keyboard.press('Control+Enter');
    const answered = thread.locator('.review-comment', { hasText: 'He has answered.' });
    await answered.hover();
    await answered.getByRole('button', { name: 'Delete Note' }).click();
    await answered.waitFor({ state: 'detached' });
    assert.deepEqual(JSON.parse(readFileSync(path.join(noted.path, '.vscode/virtflow-notes.json'), 'utf8')), { version: 1, notes: [] });
  },
  // Files that the web host writes go with its page.
  { folders: [noted], hosts: ['node'] },
);

endToEnd(
  'without a folder a note is remembered by VS Code, and found again after a reload',
  async (workbench) => {
    await writeNote(workbench);
    await findNoteAgain(workbench);
  },
  { folders: [] },
);

const saved = folder('saved');

endToEnd(
  'a run is saved as a scenario, and a fork of it back into its file',
  async (workbench) => {
    const { page } = workbench;
    await workbench.openContainer('Virtflow');
    await workbench.tree('Flows').filter({ hasText: 'VFIO INTx' }).first().click();
    await panelIsReady(workbench);
    await workbench.runCommand('Virtflow: Save Run as Scenario…');
    const input = page.locator('.quick-input-widget:visible input').first();
    await input.fill('Mine');
    await page.keyboard.press('Enter');
    await eventually(
      () => input.inputValue(),
      (value) => value.endsWith('mine.virtflow.json'),
    );
    await page.keyboard.press('Enter');
    await page.locator('.tab.active', { hasText: 'mine.virtflow.json' }).waitFor();
    await workbench.tree('Flows').filter({ hasText: 'Mine' }).waitFor();
    await workbench.runCommand('Virtflow: Inject Stimulus…');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'The device raises its line' }).click();
    await workbench.webview('panel').getByText('what if', { exact: false }).first().waitFor({ state: 'attached' });
    await workbench.runCommand('Virtflow: Save Run to Scenario');
    await workbench.openFile(workbench.pathOf(saved, 'mine.virtflow.json'));
    await page.locator('.editor-instance .view-line', { hasText: '"stimuli"' }).waitFor();
  },
  { folders: [saved] },
);
