import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { HistoryView, ToHost } from '../../../src/webview/protocol';
import { moveTo, openWebview, runAt, type Webview, type WebviewOptions } from '../../webview/harness';
import { createSample } from '../../webview/sample';
import { startBrowser } from '../../workbench/browser';

const sample = createSample(3);
const last = sample.run.length - 1;

suite('the timeline', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  function view(name: string, play: (webview: Webview) => Promise<void>, options: Partial<WebviewOptions> = {}): void {
    test(name, { timeout: 60_000 }, async () => {
      const webview = await openWebview(browser, { view: 'panel', ...options });
      try {
        await play(webview);
        assert.deepEqual(webview.complaints, []);
      } finally {
        await webview.close();
      }
    });
  }

  view('is a slider that says where it stands', async ({ page, tell }) => {
    await tell(runAt(sample, 190));
    const slider = page.getByRole('slider', { name: 'Position in the run' });
    assert.equal(await slider.getAttribute('aria-valuenow'), '190');
    assert.equal(await slider.getAttribute('aria-valuemax'), String(last));
    assert.match((await slider.getAttribute('aria-valuetext')) ?? '', /^step 190, Host hard-IRQ, irqfd_wakeup/);
    await tell(moveTo(sample, 0));
    assert.equal(await slider.getAttribute('aria-valuenow'), '0');
    const words = (await page.locator('#timeline-words').textContent()) ?? '';
    const inHandler = sample.steps.filter(({ lane }) => lane === 1).length;
    assert.match(words, new RegExp(`${last + 1} steps.*Host hard-IRQ: ${inHandler},`));
  });

  view('the keyboard seeks, zooms, moves the view and shows all again', async ({ page, sent, tell }) => {
    await tell(runAt(sample, 100));
    await page.getByRole('slider').focus();
    await heard(page);
    const before = sent.length;
    // Without an answer in between: each key starts from where the last one led.
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft', 'Home', 'End', 'Enter', ' ']) await page.keyboard.press(key);
    await heard(page);
    assert.deepEqual(sent.slice(before), [
      ...[101, 102, 101, 0, last].map((step): ToHost => ({ type: 'seek', step })),
      { type: 'command', command: 'revealSource' },
      { type: 'command', command: 'togglePlay' },
    ]);
    await page.keyboard.press('+');
    await page.keyboard.press('+');
    const zoomed = await stretch(page);
    assert.ok(zoomed.first > 0 && zoomed.first < 100 && zoomed.last > 100 && zoomed.last < last, JSON.stringify(zoomed));
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('-');
    await page.keyboard.press('0');
    assert.deepEqual(await stretch(page), { first: 0, last });
  });

  view('a click seeks, a drag along the whole run scrubs, a drag of a part moves it', async ({ page, sent, tell }) => {
    await tell(runAt(sample, 100));
    const box = (await page.locator('.timeline-strip').boundingBox())!;
    const at = (part: number) => [box.x + box.width * part, box.y + box.height - 20] as const;
    const middle = Math.floor((last + 1) / 2);
    await page.mouse.click(...at(0.5));
    await heard(page);
    assert.deepEqual(sent.at(-1), { type: 'seek', step: middle });
    await page.mouse.move(...at(0.5));
    await page.mouse.down();
    await page.mouse.move(...at(0.75), { steps: 4 });
    await page.mouse.up();
    await heard(page);
    const scrubbed = sent.at(-1);
    assert.ok(scrubbed?.type === 'seek' && Math.abs(scrubbed.step - last * 0.75) < 6, JSON.stringify(scrubbed));
    for (let turn = 0; turn < 4; turn++) await page.mouse.wheel(0, -300);
    await heard(page);
    const before = sent.length;
    await page.mouse.down();
    await page.mouse.move(...at(0.25), { steps: 4 });
    await page.mouse.up();
    await heard(page);
    assert.equal(sent.length, before, 'a drag of the view does not seek');
    await page.mouse.click(...at(0.5));
    await heard(page);
    const clicked = sent.at(-1);
    assert.ok(clicked?.type === 'seek' && clicked.step > last * 0.75, 'the view moved to what was on the right');
  });

  view('the position stays in sight when a part of the run is', async ({ page, tell }) => {
    await tell(runAt(sample, 5));
    await page.getByRole('slider').focus();
    for (let turn = 0; turn < 6; turn++) await page.keyboard.press('+');
    await tell(moveTo(sample, 400));
    await page.keyboard.press('+');
    const { first, last: end } = await stretch(page);
    assert.ok(first <= 400 && end >= 400, `${first} to ${end}`);
  });

  view('chapters and injected stimuli can be gone to', async ({ page, sent, tell }) => {
    await tell(runAt(sample, 5));
    const { chapters, injected } = sample.run;
    for (const { title } of chapters) await page.getByRole('button', { name: title, exact: true }).click();
    await heard(page);
    assert.deepEqual(
      sent.slice(1),
      chapters.map(({ step }) => ({ type: 'seek', step })),
    );
    await page.getByRole('button', { name: 'injected at step' }).click();
    await heard(page);
    assert.deepEqual(sent.at(-1), { type: 'seek', step: injected[0]?.at });
  });

  view('find goes from match to match, and asks who wrote a cell', async ({ page, sent, tell }) => {
    await tell(runAt(sample, 100));
    await page.keyboard.press('Control+f');
    const field = page.getByRole('textbox', { name: 'Find function or cell' });
    await field.fill('vfio_intx_handler');
    const entered = sample.steps.filter(({ kind, symbol }) => kind === 'enter' && symbol === 'vfio_intx_handler').map(({ n }) => n);
    assert.equal(await page.locator('.timeline-find .count').innerText(), String(entered.length));
    await heard(page);
    const before = sent.length;
    await field.press('Enter');
    await field.press('Shift+Enter');
    const next = entered.find((n) => n > 100);
    const previous = entered.findLast((n) => n < (next ?? 0)) ?? entered.at(-1);
    await heard(page);
    assert.deepEqual(
      sent.slice(before),
      [next, previous].map((step) => ({ type: 'seek', step })),
    );
    await field.fill('irq_ctx.masked');
    await heard(page);
    const asked = sent.at(-1);
    assert.ok(asked?.type === 'history' && asked.cell === 'masked', JSON.stringify(asked));
    await tell({ type: 'history', history: historyOf(asked.component, [120, 130, 150]) });
    assert.equal(await page.locator('.timeline-find .count').innerText(), '3');
    await field.press('Enter');
    await heard(page);
    assert.deepEqual(sent.at(-1), { type: 'seek', step: 120 });
    await field.press('Escape');
    assert.equal(await page.locator('.timeline-find').isVisible(), false);
  });

  view('past is lit, future is dim, and both follow the theme', async ({ page, tell }) => {
    await tell(runAt(sample, last));
    const lit = await litness(page);
    await tell(moveTo(sample, 0));
    const dim = await litness(page);
    assert.ok(lit.alpha > 1.8 * dim.alpha, `${lit.alpha} and ${dim.alpha}`);
    await page.evaluate(() => document.documentElement.style.setProperty('--vscode-charts-red', 'rgb(1, 2, 250)'));
    await page.waitForTimeout(100);
    await tell(moveTo(sample, last));
    assert.ok((await litness(page)).blue > lit.blue);
  });

  view('a run of a million steps opens, seeks, zooms and scrolls to its end', async ({ page, tell, sent }) => {
    page.setDefaultTimeout(30_000);
    const long = createSample(7500);
    assert.ok(long.run.length > 1_000_000);
    await tell(runAt(long, 500_000));
    assert.equal(await page.getByRole('slider').getAttribute('aria-valuenow'), '500000');
    await page.getByRole('slider').focus();
    for (let turn = 0; turn < 30; turn++) await page.keyboard.press('+');
    const { first, last: end } = await stretch(page);
    assert.ok(end - first < 30 && first <= 500_000 && end >= 500_000, `${first} to ${end}`);
    await page.locator('.scroller').evaluate((scroller) => (scroller.scrollTop = scroller.scrollHeight));
    await page.waitForTimeout(100);
    const shown = long.steps.findLast(({ kind }) => kind !== 'return')!.n;
    assert.equal(await page.locator('.row .number').last().innerText(), String(shown));
    await page.locator('.row').last().click();
    await heard(page);
    assert.deepEqual(sent.at(-1), { type: 'seek', step: shown });
    assert.ok((await page.locator('.row').count()) < 80);
  });

  view('the tabs are walked with arrows, and the chosen one is remembered', async ({ page, tell }) => {
    await tell(runAt(sample, 100));
    const tabs = page.getByRole('tab');
    const ids = await tabs.evaluateAll((all) => all.map(({ id }) => id));
    await tabs.first().focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.evaluate(() => document.activeElement?.id), ids[1]);
    assert.equal(await tabs.nth(1).getAttribute('aria-selected'), 'true');
    assert.equal(await page.locator('.sequence').isVisible(), false);
    await tell(moveTo(sample, 300));
    await page.keyboard.press('Home');
    assert.match(await page.locator('.row[aria-selected=true]').innerText(), /^\s*(29\d|300)\s/);
  });
});

/** Waits until the extension has heard what the page said until now. */
const heard = (page: Page): Promise<void> =>
  page.evaluate(() => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))));

/** The stretch that the view says it shows. */
async function stretch(page: Page): Promise<{ readonly first: number; readonly last: number }> {
  const words = (await page.locator('.timeline > [aria-live]').textContent()) ?? '';
  const [, first, last] = /steps (\d+) to (\d+)/.exec(words) ?? [];
  return { first: Number(first), last: Number(last) };
}

function historyOf(component: number, steps: readonly number[]): HistoryView {
  return {
    component,
    cell: 'masked',
    steps: Uint32Array.from(steps),
    values: new Uint32Array(steps.length),
    texts: ['true'],
    numbers: [1],
    initial: 'false',
    before: 0,
    writers: new Uint32Array(steps.length),
    places: [{ symbol: 'vfio_intx_handler', thread: 'host hard-IRQ', context: 'hardirq' }],
    truncated: false,
  };
}

/** How strongly the band of the host's interrupt is painted, and how blue. */
function litness(page: Page): Promise<{ readonly alpha: number; readonly blue: number }> {
  return page.locator('.timeline-strip canvas').evaluate((canvas) => {
    const { width } = canvas as HTMLCanvasElement;
    // A copy: a canvas that is read from more than once complains.
    const context = new OffscreenCanvas(width, (canvas as HTMLCanvasElement).height).getContext('2d')!;
    context.drawImage(canvas as HTMLCanvasElement, 0, 0);
    const { data } = context.getImageData(20, 17 + 14, width - 40, 1);
    let [alpha, blue] = [0, 0];
    for (let at = 0; at < data.length; at += 4) [alpha, blue] = [alpha + data[at + 3]!, blue + data[at + 2]!];
    return { alpha, blue };
  });
}
