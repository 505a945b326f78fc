import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Browser, Locator } from 'playwright-core';
import type { PositionView, RunView } from '../../../src/webview/protocol';
import { layOut } from '../../../src/webview/sequence/layout';
import { moveTo, openWebview, outlineAt, runAt, type Webview, type WebviewOptions } from '../../webview/harness';
import { createSample, type Sample } from '../../webview/sample';
import { startBrowser } from '../../workbench/browser';
import { ROOT } from '../../workbench/paths';

const sample = createSample(3);
const { steps } = sample;
const LANES = sample.run.lanes.length;
/** The handler masks the interrupt: the second time, well into the run. */
const MASKED = steps.findIndex(({ n, anchor, lane }) => n > 150 && anchor === 'masked' && lane === 1);

suite('the webviews', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  /** Declares a test that has a webview of its own and in which nothing may be complained about that it does not expect. */
  function view(name: string, options: WebviewOptions, play: (webview: Webview) => Promise<void>, expected: readonly RegExp[] = []): void {
    test(name, { timeout: 60_000 }, async () => {
      const webview = await openWebview(browser, options);
      try {
        await play(webview);
        assert.deepEqual(
          webview.complaints.filter((complaint) => !expected.some((pattern) => pattern.test(complaint))),
          [],
        );
      } finally {
        await webview.close();
      }
    });
  }

  const panel = { view: 'panel' } as const;
  const state = { view: 'state', width: 320, height: 800 } as const;

  view('says that it is ready, and is once something was shown', panel, async ({ page, sent, tell }) => {
    assert.deepEqual(sent, [{ type: 'ready' }]);
    assert.equal(await page.locator('body[data-state]').count(), 0);
    await tell(runAt(sample, MASKED));
    assert.equal(await page.locator('body').getAttribute('data-state'), 'ready');
    assert.equal(await page.locator('body').getAttribute('data-step'), String(MASKED));
  });

  view('keeps the name of a lane within it, also one long word', { ...panel, width: 500, height: 700 }, async ({ page, tell }) => {
    const lanes = sample.run.lanes.map((lane) => ({ ...lane, title: 'administratorsandothers' }));
    await tell(runAt({ ...sample, run: { ...sample.run, lanes } }, MASKED));
    const lane = page.locator('.lane').first();
    const [within, name] = [await lane.boundingBox(), await lane.locator('span').boundingBox()];
    assert.ok(name!.x + name!.width <= within!.x + within!.width + 1, `${name!.width} wide in ${within!.width}`);
  });

  view('shows where the run stands and what changed', panel, async ({ page, tell }) => {
    await tell(runAt(sample, MASKED));
    assert.equal(await page.locator('h1').innerText(), sample.run.title);
    assert.equal(await page.locator('.position').innerText(), `step ${MASKED} of ${steps.length - 1}`);
    assert.match(await page.locator('.row[aria-selected=true]').innerText(), /vfio_intx_handler\s*masked/);
    assert.match(await page.locator('.cell.changed').innerText(), /masked\s*was\s*false\s*→\s*now\s*true/);
    assert.deepEqual(await page.locator('.way .stop').allInnerTexts(), ['PCI function', 'Host hard-IRQ']);
    assert.deepEqual(await page.locator('.notes li').allInnerTexts(), ['Is this the same with **MSI**?']);
    assert.equal(
      await page.locator('[role=status]').textContent(),
      `Step ${MASKED}, Host hard-IRQ, vfio_intx_handler, writes masked: false → true`,
    );
  });

  view('the keyboard walks through the sequence', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, MASKED));
    await page.locator('.rows').focus();
    const before = sent.length;
    // Without an answer in between: each key starts from where the last one led.
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp', 'Home', 'End', 'Enter', ' ']) await page.keyboard.press(key);
    const shown = steps.filter(({ kind }) => kind !== 'return').map(({ n }) => n);
    const row = shown.indexOf(MASKED);
    const seeks = [shown[row + 1], shown[row + 2], shown[row + 1], 0, shown.at(-1)].map((step) => ({ type: 'seek', step }));
    assert.deepEqual(sent.slice(before), [
      ...seeks,
      { type: 'command', command: 'revealSource' },
      { type: 'command', command: 'togglePlay' },
    ]);
    assert.equal(
      await page.locator('.rows').getAttribute('aria-activedescendant'),
      await page.locator('.row[aria-selected=true]').getAttribute('id'),
    );
  });

  view('the sequence follows the position', panel, async ({ page, tell }) => {
    await tell(runAt(sample, 0));
    for (const step of [5, 60, steps.length - 1, 200, 201, 0]) {
      await tell(moveTo(sample, step));
      assert.ok(await isInSight(page.locator('.row[aria-selected=true]'), page.locator('.scroller')), `step ${step} is out of sight`);
    }
  });

  view('a hidden return is told on the row of its function', panel, async ({ page, tell }) => {
    const returning = steps.findIndex(({ n, kind }) => n > 60 && kind === 'return');
    await tell(runAt(sample, returning));
    assert.match(await page.locator('.row[aria-selected=true]').innerText(), new RegExp(`returns from ${steps[returning]?.symbol ?? '?'}`));
    await page.locator('vscode-checkbox', { hasText: 'Returns' }).click();
    assert.match(await page.locator('.row[aria-selected=true]').innerText(), new RegExp(`↩\\s*${steps[returning]?.symbol ?? '?'}`));
  });

  view('every control says what it is for', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, MASKED));
    const before = sent.length;
    const titles = ['Restart', 'Step Back', 'Play', 'Step', 'Run to Next Context', 'Reveal Source'];
    for (const name of titles) await page.getByRole('button', { name, exact: true }).first().click();
    const commands = ['restart', 'stepBack', 'togglePlay', 'step', 'runToNextContext', 'revealSource'];
    assert.deepEqual(
      sent.slice(before),
      commands.map((command) => ({ type: 'command', command })),
    );
    await tell({ type: 'playing', playing: true });
    assert.equal(await page.getByRole('button', { name: 'Pause', exact: true }).count(), 1);
  });

  view('at the ends of a run there is nowhere to go', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, steps.length - 1));
    const before = sent.length;
    await page.getByRole('button', { name: 'Step', exact: true }).first().click({ force: true });
    assert.equal(sent.length, before);
  });

  view('parameters and stimuli go to the extension, nonsense does not', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, MASKED));
    const before = sent.length;
    await page.locator('vscode-checkbox', { hasText: 'Posted interrupts' }).click();
    await page.getByRole('combobox', { name: 'Interrupt controller' }).click();
    await page.getByRole('option', { name: 'Split' }).click();
    for (const given of ['24', 'x', '', '7.5', '9']) {
      await page.getByRole('textbox', { name: 'GSI' }).fill(given);
      await page.keyboard.press('Enter');
    }
    await page.getByRole('button', { name: 'Guest sets DisINTx' }).click();
    assert.deepEqual(sent.slice(before), [
      { type: 'setParameter', name: 'apicv', value: true },
      { type: 'setParameter', name: 'irqchip', value: 'split' },
      { type: 'setParameter', name: 'gsi', value: 9 },
      { type: 'inject', stimulus: 'disintx' },
    ]);
  });

  view('steps that are named can be gone to', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, MASKED));
    const before = sent.length;
    await page.locator('.cell', { hasText: 'irq_type' }).locator('.origin').click();
    await page.getByRole('button', { name: 'Set up', exact: true }).click();
    await page.locator('.way button').first().click();
    await page.locator('.stack summary').click();
    await page.locator('.stack li').last().getByRole('button').click();
    const written = steps.findIndex(({ anchor }) => anchor === 'irq_type');
    const raised = steps.findLastIndex(({ n, anchor }) => n < MASKED && anchor === 'INTA#');
    const entered = steps.findLastIndex(({ n, symbol }) => n < MASKED && symbol === 'common_interrupt');
    assert.deepEqual(
      sent.slice(before),
      [written, 0, raised, entered].map((step) => ({ type: 'seek', step })),
    );
  });

  view('the state can be narrowed down', panel, async ({ page, tell }) => {
    await tell(runAt(sample, MASKED));
    const names = page.locator('.cell:visible .cell-name');
    await page.getByRole('textbox', { name: 'Filter' }).fill('eventfd_ctx INTX');
    assert.deepEqual(await page.locator('.nothing').innerText(), 'No state matches the filter.');
    await page.getByRole('textbox', { name: 'Filter' }).fill('remote_irr');
    assert.deepEqual(await names.allInnerTexts(), ['redirtbl[21]']);
    await page.getByRole('textbox', { name: 'Filter' }).fill('');
    await page.getByRole('combobox', { name: 'Shown state' }).click();
    await page.getByRole('option', { name: 'Changed' }).click();
    assert.deepEqual(await names.allInnerTexts(), ['masked']);
    await tell(moveTo(sample, MASKED + 1));
    assert.deepEqual(await page.locator('.nothing').innerText(), 'This step changes no state.');
  });

  view(
    'what was chosen survives being hidden',
    { ...panel, memory: { detail: 'contexts', returns: true, shownState: 'changed', experiment: false, scroll: 'x' } },
    async ({ page, tell }) => {
      await tell(runAt(sample, MASKED));
      assert.equal(await page.locator('.parameters').isVisible(), false);
      assert.deepEqual(await page.locator('.cell:visible .cell-name').allInnerTexts(), ['masked']);
      assert.equal(
        await page.locator('.row').first().getAttribute('aria-setsize'),
        String(layOut(sample.run.steps, LANES, 'contexts', true).rows.length),
      );
    },
  );

  view('a long run has few elements, wherever one scrolls', panel, async ({ page, tell }) => {
    const long = createSample(190);
    assert.ok(long.run.length > 20_000);
    await tell(runAt(long, 0));
    for (const part of [0, 0.5, 1]) {
      await page.locator('.scroller').evaluate((scroller, at) => (scroller.scrollTop = scroller.scrollHeight * at), part);
      await page.waitForTimeout(50);
      const rows = await page.locator('.row').count();
      assert.ok(rows > 15 && rows < 80, `${rows} rows`);
    }
    await tell(moveTo(long, 12_345));
    assert.ok(await isInSight(page.locator('.row[aria-selected=true]'), page.locator('.scroller')));
  });

  view('hostile texts are texts', panel, async ({ page, tell }) => {
    const markup = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
    const hostile = spoiled(sample, [markup, 'y'.repeat(10_000), '\u202Egpj.evil\u2066', '\0\u0007', 'a\nb'.repeat(50)]);
    await tell(runAt(hostile, MASKED));
    assert.equal(await page.title(), 'Virtflow');
    assert.equal(await page.locator('#nothing, img, script:not([src], #texts), iframe, a').count(), 0);
    assert.equal(await page.locator('h1').textContent(), markup);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0);
    for (const symbol of await page.locator('.row .symbol').all())
      assert.equal(await symbol.evaluate((element) => getComputedStyle(element).unicodeBidi), 'isolate');
  });

  const ignored = /^Virtflow: (a message was ignored|a position beyond|this view does not begin)/;
  view(
    'malformed messages change nothing',
    panel,
    async ({ page, complaints, tell }) => {
      await tell(runAt(sample, MASKED));
      const before = await page.locator('body').innerHTML();
      const malformed = [
        undefined,
        1,
        'run',
        [],
        {},
        { type: 'explode' },
        { type: 'run' },
        { type: 'position', position: { step: -1 } },
        { type: 'run', run: { ...sample.run, steps: [1, 2, 3] }, position: sample.positionAt(0) },
        outlineAt(sample, 0),
        { type: 'position', position: { ...sample.positionAt(0), step: 1e9 } },
      ];
      for (const message of malformed) await tell(message);
      assert.equal(await page.locator('body').innerHTML(), before);
      assert.equal(complaints.filter((complaint) => ignored.test(complaint)).length, malformed.length);
    },
    [ignored],
  );

  view('without a run there is an invitation', state, async ({ page, sent, tell }) => {
    await tell({ type: 'empty' });
    assert.equal(await page.locator('body').getAttribute('data-state'), 'ready');
    await page.getByRole('button', { name: 'Explore a Flow' }).click();
    assert.deepEqual(sent.at(-1), { type: 'command', command: 'exploreFlow' });
    await tell(outlineAt(sample, MASKED));
    await tell({ type: 'empty' });
    assert.equal(await page.locator('.component').count(), 0);
    await tell(outlineAt(sample, MASKED));
    assert.equal(await page.locator('.cell.changed').count(), 1);
  });

  view('the side bar has the state and can open the panel', state, async ({ page, sent, tell }) => {
    await tell(outlineAt(sample, MASKED));
    assert.equal(await page.locator('.sequence').count(), 0);
    assert.ok(await isInSight(page.locator('.cell.changed'), page.locator('.registers')));
    await page.getByRole('button', { name: 'Open Panel' }).click();
    assert.deepEqual(sent.at(-1), { type: 'command', command: 'openPanel' });
  });

  test('the script is small', () => {
    assert.ok(statSync(path.join(ROOT, 'dist/webview/panel.js')).size < 220 * 1024);
  });
});

async function isInSight(element: Locator, container: Locator): Promise<boolean> {
  const [inner, outer] = await Promise.all([element.boundingBox(), container.boundingBox()]);
  return inner !== null && outer !== null && inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height;
}

/** The sample with other texts wherever a text stands. */
function spoiled({ outline, run, steps: rows, positionAt, history }: Sample, texts: readonly string[]): Sample {
  let next = 0;
  const text = () => texts[next++ % texts.length] ?? '';
  const bad = <T extends object>(part: T, ...keys: readonly (keyof T)[]): T => ({
    ...part,
    ...Object.fromEntries(keys.map((key) => [key, text()])),
  });
  const badRun: RunView = {
    ...bad(run, 'title'),
    lanes: run.lanes.map((lane) => bad(lane, 'title', 'context')),
    steps: {
      ...run.steps,
      siteTable: run.steps.siteTable.map((site) => bad(site, 'symbol', 'anchor', 'world')),
      edgeTable: run.steps.edgeTable.map(text),
    },
    parameters: run.parameters.map((parameter) => bad(parameter, 'title', 'description')),
    stimuli: run.stimuli.map((stimulus) => bad(stimulus, 'title', 'description')),
    injected: run.injected.map((injection) => bad(injection, 'title')),
    chapters: run.chapters.map((chapter) => bad(chapter, 'title')),
    components: run.components.map((component) => ({
      ...bad(component, 'struct', 'name', 'doc'),
      cells: component.cells.map((cell) => bad(cell, 'name', 'means')),
    })),
    types: run.types.map((type) =>
      type.kind === 'bits' ? { ...type, fields: type.fields.map((field) => bad(field, 'name', 'means')) } : type,
    ),
  };
  const badPosition = (position: PositionView): PositionView => ({
    ...bad(position, 'reference', 'does', 'note', 'result'),
    ...(position.notes ? { notes: position.notes.map((note) => bad({ note }, 'note').note) } : {}),
    here: bad(position.here, 'symbol', 'anchor', 'edge', 'world'),
    way: position.way.map((hop) => bad(hop, 'symbol', 'edge')),
    stack: position.stack.map((frame) => bad(frame, 'symbol')),
  });
  return { outline, run: badRun, steps: rows, positionAt: (step) => badPosition(positionAt(step)), history };
}
