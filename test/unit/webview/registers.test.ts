import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { moveTo, openWebview, runAt, THEMES, type Webview, type WebviewOptions } from '../../webview/harness';
import { createSample } from '../../webview/sample';
import { startBrowser } from '../../workbench/browser';

const sample = createSample(3);
const { steps, outline } = sample;
/** The device is masked in the second interrupt; its redirection entry gets its remote IRR a little later. */
const MASKED = steps.findIndex(({ n, anchor, lane }) => n > 150 && anchor === 'masked' && lane === 1);
const ACCEPTED = steps.findIndex(({ n, anchor }) => n > MASKED && anchor === 'apic_set_vector');
const DELIVERED = steps.findIndex(({ n, anchor }) => n > ACCEPTED && anchor === 'remote_irr');
const panel = { view: 'panel' } as const;

suite('the registers', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  function view(name: string, options: WebviewOptions, play: (webview: Webview) => Promise<void>): void {
    test(name, { timeout: 60_000 }, async () => {
      const webview = await openWebview(browser, options);
      try {
        await play(webview);
        assert.deepEqual(webview.complaints, []);
      } finally {
        await webview.close();
      }
    });
  }

  view('bits stand below their word, with what the step changed marked by a sign', panel, async ({ page, tell }) => {
    await tell(runAt(sample, DELIVERED));
    const entry = page.locator('.cell', { hasText: 'redirtbl[21]' });
    assert.deepEqual(await entry.locator('.bit').allInnerTexts(), [
      'MASKED',
      'LEVEL',
      '▲ REMOTE_IRR',
      'LOW',
      'delivery mode Fixed',
      'vector 0x41',
    ]);
    assert.equal(await entry.locator('.bit.changed').getAttribute('aria-label'), 'REMOTE_IRR set, changed by this step');
    assert.match(await entry.locator('.value').innerText(), /0x00008041\s*→\s*now\s*0x0000c041/);
  });

  view('a wide register is the vectors that are set in it', panel, async ({ page, tell }) => {
    await tell(runAt(sample, ACCEPTED));
    const requested = page.locator('.cell', { has: page.getByText('IRR', { exact: true }) });
    assert.equal(
      await requested
        .locator('.value')
        .innerText()
        .then((text) => text.replaceAll(/\s+/g, ' ')),
      'was none→ now 1 vector',
    );
    assert.deepEqual(await requested.locator('.bit').allInnerTexts(), ['▲ 0x41']);
    await tell(moveTo(sample, 0));
    assert.equal(await requested.locator('.bit').count(), 0);
  });

  view('the keyboard reaches every bit, and there learns what it means', panel, async ({ page, tell }) => {
    await tell(runAt(sample, DELIVERED));
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    await page.locator('[role=tree] [tabindex="0"]').focus();
    assert.match((await focused()) ?? '', /^pci_dev /);
    await page.keyboard.press('End');
    await page.locator('.cell', { hasText: 'redirtbl[21]' }).focus();
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    assert.equal(await focused(), 'REMOTE_IRR set, changed by this step');
    const meaning = page.getByRole('tooltip');
    assert.match(await meaning.innerText(), /bit 14 of redirtbl\[21\]\s+A level was accepted and its EOI is due\./);
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-describedby')), 'meaning');
    await page.keyboard.press('Escape');
    assert.equal(await meaning.count(), 0);
    await page.keyboard.press('ArrowUp');
    assert.match((await focused()) ?? '', /^redirtbl\[21\]: 0x0000c041, was 0x00008041, written at step \d+$/);
    await page.keyboard.press('ArrowLeft');
    assert.match((await focused()) ?? '', /^kvm_ioapic VM 1, changed by this step$/);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.locator('.component[aria-expanded=false]').count(), 1);
    await page.keyboard.press('ArrowDown');
    assert.match((await focused()) ?? '', /^kvm_lapic /);
  });

  view('the pointer learns it too, by resting there', panel, async ({ page, tell }) => {
    await tell(runAt(sample, DELIVERED));
    await page.locator('.bit', { hasText: 'LEVEL' }).hover();
    await page.getByRole('tooltip').waitFor();
    assert.match(await page.getByRole('tooltip').innerText(), /Level-triggered; clear: edge\./);
  });

  view('what is pinned stands first, and stays pinned in the next run', panel, async ({ page, tell }) => {
    await tell(runAt(sample, MASKED));
    const first = () => page.locator('.component:visible .struct').first().textContent();
    assert.equal(await first(), 'pci_dev');
    await page.locator('.component', { hasText: 'kvm_lapic' }).hover();
    await page.locator('.component', { hasText: 'kvm_lapic' }).getByRole('button', { name: 'Pin to the Top' }).click();
    assert.equal(await first(), 'kvm_lapic');
    await tell(runAt(sample, 0));
    assert.equal(await first(), 'kvm_lapic');
    await page.locator('.component', { hasText: 'kvm_lapic' }).getByRole('button', { name: 'Unpin' }).click();
    assert.equal(await first(), 'pci_dev');
  });

  view('a step touches only what differs', panel, async ({ page, tell }) => {
    await tell(runAt(sample, MASKED));
    await page.evaluate(() => {
      const seen = new Set<string>();
      Object.assign(globalThis, { seen });
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const cell = (target instanceof Element ? target : target.parentElement)?.closest('.cell');
          if (cell) seen.add(cell.querySelector('.cell-name')?.textContent ?? '');
        }
      }).observe(document.querySelector('[role=tree]')!, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    const next = steps.findIndex(({ n, writes }) => n > MASKED && writes);
    await tell(moveTo(sample, next));
    assert.deepEqual(await page.evaluate(() => [...(globalThis as unknown as { seen: Set<string> }).seen]), ['masked', 'count']);
  });

  /** Answers what a view asked for, as the extension does. */
  async function answer({ sent, tell }: Webview): Promise<void> {
    const asked = sent.findLast((message) => message.type === 'history');
    assert.ok(asked?.type === 'history');
    await tell({ type: 'history', history: sample.history(asked.component, asked.cell) });
  }

  const wroteMasked = steps.filter(({ anchor }) => anchor === 'masked').map(({ n }) => n);

  view('who wrote this: the last writes, each a click away, and the history', panel, async (webview) => {
    const { page, sent, tell } = webview;
    await tell(runAt(sample, MASKED));
    await page
      .locator('.cell', { has: page.getByText('masked', { exact: true }) })
      .locator('.cell-name')
      .click();
    await answer(webview);
    const answerTo = page.getByRole('region', { name: 'Who wrote this?' });
    assert.match(await answerTo.getByRole('heading').innerText(), /^Who wrote vfio_pci_irq_ctx\(INTx\)\.masked\?$/);
    assert.match(await answerTo.innerText(), /3 of 6 writes so far/);
    assert.match((await page.locator('[aria-selected=true].cell').getAttribute('aria-label')) ?? '', /^masked: true/);
    const rows = answerTo.locator('.writes-near li');
    assert.deepEqual(await rows.locator('.number').allInnerTexts(), [wroteMasked[3], wroteMasked[2], wroteMasked[1]].map(String));
    assert.deepEqual(await rows.locator('.when').allInnerTexts(), ['next', 'now', 'before']);
    assert.deepEqual(await rows.locator('.change').allInnerTexts(), ['true→false', 'false→true', 'true→false']);
    const before = sent.length;
    await rows.last().getByRole('button').first().click();
    await rows.getByRole('button', { name: 'Open linux:drivers/vfio/pci/vfio_pci_intrs.c vfio_intx_handler › masked' }).click();
    await answerTo.getByRole('slider').focus();
    for (const key of ['ArrowLeft', 'ArrowRight', 'Home', 'End']) await page.keyboard.press(key);
    const seeks = [wroteMasked[1], wroteMasked[3], wroteMasked[0], wroteMasked[5]].map((step) => ({ type: 'seek', step }));
    assert.deepEqual(sent.slice(before), [{ type: 'seek', step: wroteMasked[1] }, { type: 'revealStep', step: MASKED }, ...seeks]);
    await page.keyboard.press('Escape');
    assert.equal(await answerTo.count(), 0);
    assert.equal(await page.locator('[aria-selected=true].cell').count(), 0);
    assert.match((await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) ?? '', /^masked/);
  });

  view('of a bit only the writes count that changed it', panel, async (webview) => {
    const { page, tell } = webview;
    await tell(runAt(sample, DELIVERED));
    await page.locator('.bit', { hasText: 'REMOTE_IRR' }).click();
    await answer(webview);
    const answerTo = page.getByRole('region', { name: 'Who wrote this?' });
    assert.match(await answerTo.getByRole('heading').innerText(), /redirtbl\[21\] REMOTE_IRR\?$/);
    assert.equal(await answerTo.getByRole('slider').getAttribute('aria-valuetext'), `write 3 of 6: step ${DELIVERED}, clear → set`);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('.bit', { hasText: 'vector' }).click();
    await answer(webview);
    assert.match(await answerTo.innerText(), /Nothing in this run changes it\./);
  });

  view('the answer follows the position, and asks again in another run', panel, async (webview) => {
    const { page, sent, tell } = webview;
    await tell(runAt(sample, MASKED));
    await page
      .locator('.cell', { has: page.getByText('masked', { exact: true }) })
      .locator('.cell-name')
      .click();
    await answer(webview);
    await tell(moveTo(sample, 0));
    assert.match(await page.getByRole('region', { name: 'Who wrote this?' }).innerText(), /6 writes in this run, none of them yet/);
    const before = sent.length;
    await tell(runAt(sample, MASKED));
    assert.deepEqual(sent.slice(before), [{ type: 'history', component: 2, cell: 'masked' }]);
    await tell(
      runAt({ ...sample, run: { ...sample.run, components: sample.run.components.map((one) => ({ ...one, name: 'other' })) } }, 0),
    );
    assert.equal(await page.getByRole('region', { name: 'Who wrote this?' }).count(), 0);
  });

  view('what if: a bit is flipped, a number typed, a name chosen; what does not fit is refused', panel, async ({ page, sent, tell }) => {
    await tell(runAt(sample, DELIVERED));
    const numberOf = (struct: string, name: string) => {
      const component = outline.components.find((one) => one.struct === struct)!;
      return component.first + component.cells.findIndex((cell) => cell.name === name);
    };
    const cell = (name: string) => page.locator('.cell', { has: page.getByText(name, { exact: true }) });
    const edits = () => sent.filter(({ type }) => type === 'edit');
    await page.locator('.bit', { hasText: 'REMOTE_IRR' }).dblclick();
    assert.deepEqual(edits().at(-1), { type: 'edit', cell: numberOf('kvm_ioapic', 'redirtbl[21]'), value: 0x8041 });
    await cell('irr').focus();
    await page.keyboard.press('F2');
    const field = page.getByRole('textbox', { name: 'New value of irr' });
    for (const wrong of ['0x100000000', 'x', '']) {
      await field.fill(wrong);
      await page.keyboard.press('Enter');
      assert.notEqual(await page.getByRole('alert').innerText(), '');
    }
    await field.fill('0x10');
    await page.keyboard.press('Enter');
    assert.deepEqual(edits().at(-1), { type: 'edit', cell: numberOf('kvm_ioapic', 'irr'), value: 16 });
    await cell('masked').focus();
    await page.keyboard.press('F2');
    await page.getByRole('combobox', { name: 'New value of masked' }).selectOption('false');
    await page.keyboard.press('Enter');
    assert.deepEqual(edits().at(-1), { type: 'edit', cell: numberOf('vfio_pci_irq_ctx', 'masked'), value: 0 });
    const count = edits().length;
    await page.keyboard.press('F2');
    await page.keyboard.press('Escape');
    assert.match((await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))) ?? '', /^masked/);
    assert.equal(edits().length, count);
  });

  view('a fork says so, and how to get back', panel, async ({ page, sent, tell }) => {
    const strip = page.getByRole('region', { name: 'What if' });
    await tell(runAt(sample, MASKED));
    assert.equal(await strip.count(), 0);
    const fork = { step: MASKED, changes: ['vfio_pci_irq_ctx(INTx).masked = false'], ending: 'stops at the limit.' };
    await tell({ type: 'run', run: { ...sample.run, fork }, position: sample.positionAt(MASKED) });
    assert.match(await strip.innerText(), new RegExp(`Another run from step ${MASKED} on, which stops at the limit.\\s+vfio_pci_irq_ctx\\(INTx\\)\\.masked = false`));
    await strip.getByRole('button', { name: 'Return to Original Run' }).click();
    await strip.getByRole('button', { name: 'Compare' }).click();
    await strip.getByRole('button', { name: 'Keep' }).click();
    assert.deepEqual(sent.slice(-3), [
      { type: 'command', command: 'returnToBase' },
      { type: 'command', command: 'compareWithBase' },
      { type: 'command', command: 'keepFork' },
    ]);
  });

  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const theme of THEMES) {
    for (const options of [panel, { view: 'state', width: 320, height: 900 }] as const) {
      view(`${options.view} with an answer and an editor open is accessible in ${theme}`, { ...options, theme }, async (webview) => {
        const { page, tell } = webview;
        await page.evaluate(axe);
        const message = options.view === 'panel' ? { type: 'run', run: sample.run } : { type: 'outline', run: outline };
        const fork = { step: DELIVERED, changes: ['kvm_ioapic(VM 1).irr = 0x10'] };
        await tell({ ...message, run: { ...message.run, fork }, position: sample.positionAt(DELIVERED) });
        await page.locator('.bit', { hasText: 'REMOTE_IRR' }).click();
        await answer(webview);
        await page.keyboard.press('ArrowRight');
        assert.deepEqual(await violations(page), []);
        await page.locator('.cell', { has: page.getByText('irr', { exact: true }) }).focus();
        await page.keyboard.press('F2');
        assert.deepEqual(await violations(page), []);
      });
    }
  }
});

function violations(page: Page): Promise<readonly string[]> {
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
    };
    const { violations: found } = await checker.run();
    return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
  });
}
