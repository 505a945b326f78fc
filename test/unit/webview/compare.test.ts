import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import type { ComparisonView, StateComparisonView } from '../../../src/webview/protocol';
import { columnsOf } from '../../webview/columns';
import { moveTo, openWebview, runAt, THEMES, type Webview, type WebviewOptions } from '../../webview/harness';
import { createSample } from '../../webview/sample';
import { startBrowser } from '../../workbench/browser';

const sample = createSample(3);
const { steps } = sample;
const panel = { view: 'panel', memory: { tab: 'compare' } } as const;

/** The other run has five steps that this one has not, one that this one has and the other has not, and writes something else once. */
const FORKED = 200;
const AGAIN = 205;
const OTHERWISE = 230;
const other = [...steps.slice(0, FORKED), ...steps.slice(FORKED + 1, AGAIN), ...steps.slice(FORKED - 5, FORKED), ...steps.slice(AGAIN)].map(
  ({ cause: _, ...step }, n) => ({ ...step, n }),
);
const comparison: ComparisonView = {
  title: 'Original run',
  lanes: sample.outline.lanes,
  steps: columnsOf(other),
  differences: Uint32Array.of(FORKED, FORKED + 1, FORKED, FORKED, AGAIN, AGAIN, AGAIN - 1, AGAIN + 4),
  otherwise: Uint32Array.of(OTHERWISE),
};
const state: StateComparisonView = {
  step: FORKED,
  other: FORKED - 1,
  same: false,
  count: 2,
  cells: [
    { name: 'vfio_pci_irq_ctx(INTx).masked', a: 'true', b: 'false' },
    { name: 'virqfd(unmask).eventfd', b: '&intx.unmask' },
  ],
};

suite('two runs side by side', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  function view(name: string, options: WebviewOptions, play: (webview: Webview) => Promise<void>, expected?: RegExp): void {
    test(name, { timeout: 60_000 }, async () => {
      const webview = await openWebview(browser, options);
      try {
        await play(webview);
        assert.deepEqual(
          webview.complaints.filter((complaint) => !expected?.test(complaint)),
          [],
        );
      } finally {
        await webview.close();
      }
    });
  }

  async function showBoth({ sent, tell }: Webview): Promise<void> {
    await tell(runAt(sample, FORKED));
    assert.deepEqual(sent.slice(-1), [{ type: 'compare' }]);
    await tell({ type: 'comparison', comparison, chosen: false });
    assert.deepEqual(sent.slice(-1), [{ type: 'compareState' }]);
    await tell({ type: 'stateComparison', state });
  }

  view('without another run there is a way to choose one', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, FORKED));
    await tell({ type: 'comparison', chosen: false });
    assert.match(await page.locator('.compare').innerText(), /No run stands beside this one\./);
    await page.locator('.compare').getByRole('button', { name: 'Compare With…' }).click();
    assert.deepEqual(sent.at(-1), { type: 'command', command: 'compareWith' });
  });

  view('what is alike is folded, what differs is said in words', panel, async (webview) => {
    const { page } = webview;
    await showBoth(webview);
    assert.match(
      await page.locator('.compare-summary').innerText(),
      /^The same up to step 199 · 2 places where they go different ways · 1 step writes another value · 9\d % in common$/,
    );
    const labels = await page.locator('.compare-row').evaluateAll((rows) => rows.map((row) => row.getAttribute('aria-label') ?? ''));
    assert.ok(
      labels.some((label) => /^196 steps in common, folded$/.test(label)),
      labels.join('\n'),
    );
    assert.equal(labels.filter((label) => label.startsWith('only in this run, this run: step 200, ')).length, 1);
    assert.equal(labels.filter((label) => /^only in the other run, Original run: step 20\d, /.test(label)).length, 5);
    assert.ok(
      labels.some((label) => label.startsWith('the same again, this run: step 201, ')),
      labels.join('\n'),
    );
    assert.equal(labels.filter((label) => /^writes another value, this run: step 230, .*, Original run: step 234, /.test(label)).length, 1);
  });

  view('the keyboard jumps from difference to difference, opens a fold and goes to a step', panel, async (webview) => {
    const { page, sent } = webview;
    await showBoth(webview);
    const active = () => page.locator('.compare-row.active').getAttribute('aria-label');
    await page.locator('.compare-rows').focus();
    assert.equal(
      await page.locator('.compare-rows').getAttribute('aria-activedescendant'),
      await page.locator('.compare-row.active').getAttribute('id'),
    );
    await page.keyboard.press('n');
    assert.match((await active()) ?? '', /^only in the other run/);
    await page.keyboard.press('n');
    assert.match((await active()) ?? '', /^writes another value/);
    assert.deepEqual(sent.at(-1), { type: 'seek', step: OTHERWISE });
    await page.keyboard.press('p');
    await page.keyboard.press('p');
    assert.deepEqual(sent.at(-1), { type: 'seek', step: FORKED });
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    assert.deepEqual(sent.at(-1), { type: 'seek', step: FORKED - 1 });
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    assert.match((await active()) ?? '', /folded$/);
    const before = Number(await page.locator('.compare-row').first().getAttribute('aria-setsize'));
    await page.keyboard.press('Enter');
    assert.equal(Number(await page.locator('.compare-row').first().getAttribute('aria-setsize')), before + 195);
  });

  view('the position is in sight wherever it is', panel, async (webview) => {
    const { page, tell } = webview;
    await showBoth(webview);
    for (const step of [0, 100, steps.length - 1, OTHERWISE]) {
      await tell(moveTo(sample, step));
      assert.match(
        (await page.locator('.compare-row[aria-current=step]').getAttribute('aria-label')) ?? '',
        new RegExp(`this run: step ${step},`),
      );
    }
  });

  view('what differs in state is a table', panel, async (webview) => {
    const { page } = webview;
    await showBoth(webview);
    assert.match(await page.locator('.state-table h2').innerText(), /^2 cells differ at step 200 and the nearest before, 199$/);
    assert.deepEqual(await page.getByRole('row').nth(2).locator('td').allInnerTexts(), ['not there', '&intx.unmask']);
  });

  view('a run that was just chosen is shown, whatever tab was', { view: 'panel' }, async ({ page, tell }) => {
    await tell(runAt(sample, FORKED));
    assert.equal(await page.locator('.compare').isVisible(), false);
    await tell({ type: 'comparison', comparison, chosen: true });
    assert.equal(await page.getByRole('tab', { name: 'Compare' }).getAttribute('aria-selected'), 'true');
  });

  view(
    'a comparison of another run is refused',
    panel,
    async ({ page, tell }) => {
      await tell(runAt(createSample(1), 5));
      await tell({ type: 'comparison', comparison, chosen: false });
      assert.equal(await page.locator('.compare-row').count(), 0);
    },
    /a comparison of another run was ignored/,
  );

  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const theme of THEMES) {
    view(`is accessible in ${theme}`, { ...panel, theme }, async (webview) => {
      const { page, tell } = webview;
      await page.evaluate(axe);
      await showBoth(webview);
      assert.deepEqual(await violations(), []);
      await tell({ type: 'comparison', chosen: false });
      assert.deepEqual(await violations(), []);

      function violations(): Promise<readonly string[]> {
        return page.evaluate(async () => {
          const { axe: checker } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
          };
          const { violations: found } = await checker.run();
          return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
        });
      }
    });
  }
});
