import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { positionView, runView } from '../../../src/extension/views';
import { topologyView } from '../../../src/extension/topologyView';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { defaults, simulate } from '../../../src/flows/flow';
import { createSession, type Session } from '../../../src/flows/session';
import { layOutTopology, type Box, type Measures } from '../../../src/webview/topology/layout';
import { openWebview, THEMES, type Webview, type WebviewOptions } from '../../webview/harness';
import { startBrowser } from '../../workbench/browser';

/** About as wide as texts are in the panel. */
const MEASURES: Measures = { title: (text) => text.length * 7.3, cell: (text) => text.length * 6.7, label: (text) => text.length * 5.8 };

const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

function pairs<T>(values: readonly T[]): readonly (readonly [T, T])[] {
  return values.flatMap((a, index) => values.slice(index + 1).map((b) => [a, b] as const));
}

for (const flow of CATALOGUE) {
  test(`the layout of ${flow.id} covers no part with another, no label with a label, and no part with a label`, () => {
    const topology = topologyView(simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 }));
    for (const rows of [3, 5, 9]) {
      const { parts, worlds, wires, width, height } = layOutTopology(topology, MEASURES, rows);
      const labels = wires.map(({ label }) => label);
      for (const boxes of [parts, worlds, labels]) assert.ok(!pairs<Box>(boxes).some(([a, b]) => overlap(a, b)), `${rows} rows`);
      assert.ok(!labels.some((label) => parts.some((part) => overlap(label, part))), `a label covers a part with ${rows} rows`);
      for (const { x, y, width: w, height: h } of [...parts, ...worlds]) assert.ok(x >= 0 && y >= 0 && x + w <= width && y + h <= height);
      for (const [index, { points }] of wires.entries()) {
        const { from, to } = topology.wires[index]!;
        for (const [point, part] of [
          [points[0]!, parts[from]!],
          [points.at(-1)!, parts[to]!],
        ] as const)
          assert.ok(overlap({ x: point.x - 1, y: point.y - 1, width: 2, height: 2 }, part), `wire ${index} ends at its parts`);
      }
    }
  });
}

suite('the topology in the panel', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  const open = (options: Partial<WebviewOptions> = {}) =>
    openWebview(browser, { view: 'panel', memory: { tab: 'topology', experiment: false }, ...options });

  test('axe finds nothing to complain about, in four themes, as a picture and as text', async () => {
    for (const theme of THEMES) {
      for (const topologyText of [false, true]) {
        const view = await open({ theme, memory: { tab: 'topology', topologyText } });
        await show(view, inHandler());
        assert.deepEqual(await axe(view.page), [], `${theme}, as ${topologyText ? 'text' : 'a picture'}`);
        assert.deepEqual(view.complaints, []);
        await view.close();
      }
    }
  });

  test('lights the way, marks the newest hop and the current part, and says what blocks', async () => {
    const view = await open();
    const session = inHandler();
    await show(view, session);
    const { topology } = positionView(session);
    assert.equal(await view.page.locator('.wire.lit').count(), topology.way.length);
    assert.equal(await view.page.locator('.wire.newest').count(), 1);
    assert.equal(await view.page.locator('.part.active .part-title').innerText(), 'edu_driver');
    assert.equal(await view.page.locator('.part.blocks').count(), topology.parts.filter(({ blocked }) => blocked.length > 0).length);
    const reasons = await view.page.locator('.reasons li').allInnerTexts();
    assert.ok(
      reasons.some((reason) => reason.includes('Remote IRR is set')),
      reasons.join('\n'),
    );
    await view.close();
  });

  test('follows the run, and shows a part that is not there yet as absent', async () => {
    const view = await open();
    const session = inHandler();
    session.seek(10);
    await show(view, session);
    const absent = view.page.locator('.part.absent', { hasText: 'kvm_kernel_irqfd' });
    assert.equal(await absent.count(), 1);
    session.seek(1000);
    await view.tell({ type: 'position', position: positionView(session) });
    assert.equal(await absent.count(), 0);
    await view.close();
  });

  test('is whole by keyboard: one part is in the tab order, arrows move, Enter selects, the last step here is a button', async () => {
    const view = await open();
    await show(view, inHandler());
    assert.equal(await view.page.locator('.part[tabindex="0"]').count(), 1);
    await view.page.locator('.part[tabindex="0"]').focus();
    const focused = () => view.page.evaluate(() => document.activeElement?.querySelector('.part-title')?.textContent);
    assert.equal(await focused(), 'edu_driver');
    await view.page.keyboard.press('ArrowUp');
    assert.equal(await focused(), 'guest CPU');
    await view.page.keyboard.press('Home');
    assert.equal(await focused(), 'PCI function');
    await view.page.keyboard.press('Enter');
    assert.equal(await view.page.locator('.part[aria-pressed="true"] .part-title').innerText(), 'PCI function');
    assert.equal(await view.page.locator('.inspected strong').innerText(), 'PCI function');
    const before = view.sent.length;
    await view.page.locator('.inspected .origin').last().press('Enter');
    assert.equal(view.sent[before]?.type, 'seek');
    await view.close();
  });

  test('zooms by keys and buttons, and fits again', async () => {
    const view = await open();
    await show(view, inHandler());
    const width = async () => (await view.page.locator('.plane').boundingBox())?.width ?? 0;
    const fitted = await width();
    await view.page.locator('.part[tabindex="0"]').focus();
    await view.page.keyboard.press('+');
    assert.ok((await width()) > fitted * 1.1);
    await view.page.getByRole('button', { name: 'Fit' }).click();
    assert.ok(Math.abs((await width()) - fitted) < 1);
    await view.close();
  });

  test('says the way in words, in order, for who cannot see it', async () => {
    const view = await open();
    const session = inHandler();
    await show(view, session);
    const items = await view.page.locator('.way-list li').allTextContents();
    assert.equal(items.length, positionView(session).topology.way.length);
    assert.match(items[0] ?? '', /^PCI function → Host I\/O APIC pin \(INTx, line\), passed at step \d+$/);
    await view.page.locator('vscode-checkbox', { hasText: 'As text' }).click();
    assert.equal(await view.page.locator('.topology-view').isVisible(), false);
    await view.page.locator('.way-list button').first().click();
    assert.equal(view.sent.at(-1)?.type, 'seek');
    await view.close();
  });

  test('every flow is drawn without a complaint, wide and narrow', async () => {
    for (const [width, height] of [
      [1400, 900],
      [560, 900],
    ] as const) {
      const view = await open({ width, height });
      for (const flow of CATALOGUE) {
        const session = createSession();
        session.explore(flow);
        session.seek(Math.floor(session.run!.journal.length * 0.8));
        await show(view, session);
        assert.equal(await view.page.locator('.part').count(), positionView(session).topology.parts.length, flow.id);
      }
      assert.deepEqual(view.complaints, []);
      await view.close();
    }
  });
});

/** A session that stands where the guest's handler begins. */
function inHandler(): Session {
  const session = createSession();
  session.explore(requireFlow('vfio-intx'));
  const { journal } = session.run!;
  let step = 0;
  while (!(journal.kind(step) === 'enter' && journal.step(step).site.fn.name === 'edu_irq_handler')) step++;
  session.seek(step);
  return session;
}

const show = (view: Webview, session: Session): Promise<void> =>
  view.tell({ type: 'run', run: runView(session.run!, session), position: positionView(session) });

/** The rules that are broken, with where. */
async function axe(page: Page): Promise<readonly string[]> {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  });
}
