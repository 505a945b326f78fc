import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, suite, test, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { requireFlow } from '../../../src/flows/catalogue';
import { createSession, type Session } from '../../../src/flows/session';
import { THEMES, type WebviewOptions } from '../../webview/harness';
import { openReal, type RealWebview } from '../../webview/real';
import { startBrowser } from '../../workbench/browser';

/** The views are for everybody: axe-core finds nothing in any theme, the keyboard reaches and leaves everything, nothing moves unasked. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A fork, in the middle of its way: every tab has something to show. */
function exploring(): Session {
  const session = createSession();
  session.explore(requireFlow('vfio-intx'));
  session.setParameters({ interrupts: 1 });
  const { journal } = session.run!;
  session.seek(Array.from({ length: journal.length }, (_, n) => n).findLast((n) => journal.step(n).site.anchor?.token === 'masked') ?? 0);
  return session;
}

interface Scene extends WebviewOptions {
  readonly title: string;
  /** What is done before one looks. */
  readonly prepare?: (webview: RealWebview) => Promise<void>;
}

const tab = (id: string, more: object = {}): Scene => ({ title: `panel, ${id}`, view: 'panel', memory: { tab: id, ...more } });

const SCENES: readonly Scene[] = [
  tab('sequence'),
  tab('topology'),
  { ...tab('topology', { topologyText: true }), title: 'panel, topology as text' },
  tab('compare'),
  { ...tab('sequence', { shownState: 'all', stack: true }), title: 'panel, all state' },
  { ...tab('sequence'), title: 'panel, narrow', width: 720 },
  { title: 'side bar', view: 'state', width: 320, height: 800 },
];

suite('accessibility', () => {
  let browser: Browser;
  const session = exploring();
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  async function look(scene: Scene, act: (webview: RealWebview) => Promise<void>): Promise<void> {
    const webview = await openReal(browser, scene, session);
    try {
      await webview.show();
      await act(webview);
    } finally {
      await webview.close();
    }
  }

  for (const theme of THEMES) {
    for (const scene of SCENES) {
      test(`axe-core: ${scene.title}, ${theme}`, { timeout: 60_000 }, (context) =>
        look({ ...scene, theme }, ({ page }) => check(context, page)),
      );
    }
    for (const view of ['panel', 'state'] as const) {
      test(`axe-core: ${view} without a run, ${theme}`, { timeout: 60_000 }, (context) =>
        look({ title: view, view, theme }, async ({ page, tell }) => {
          await tell({ type: 'empty' });
          await check(context, page);
        }),
      );
    }
  }

  for (const scene of SCENES) {
    test(`keyboard: ${scene.title}`, { timeout: 60_000 }, () =>
      look(scene, async ({ page }) => {
        const wanted = await controls(page);
        const stops = await walk(page, wanted.length * 3 + 50);
        assert.deepEqual(
          stops.filter(({ visible }) => !visible).map(({ name }) => name),
          [],
          'the focus is invisible',
        );
        const reached = new Set(stops.map(({ name }) => name));
        assert.deepEqual(
          wanted.filter((name) => !reached.has(name)),
          [],
          'controls that Tab does not reach',
        );
        assert.ok(wanted.length > 5, `${wanted.length} controls`);
      }),
    );
    test(`reduced motion: ${scene.title}`, () =>
      look(scene, async ({ page, tell }) => {
        await tell({ type: 'playing', playing: true });
        assert.equal(await page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === 'running').length), 0);
      }));
  }
});

/** Runs axe-core, says how it went, and fails with what it found. */
async function check(context: TestContext, page: Page): Promise<void> {
  await page.evaluate(axe);
  const { passes, violations } = await page.evaluate(async () => {
    interface Rule {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }
    const { axe: checker } = globalThis as unknown as { axe: { run(): Promise<{ passes: Rule[]; violations: Rule[] }> } };
    const found = await checker.run();
    return {
      passes: found.passes.length,
      violations: found.violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`)),
    };
  });
  context.diagnostic(`${passes} rules passed, ${violations.length} violations`);
  assert.deepEqual(violations, []);
  assert.ok(passes > 10);
}

/** Numbers everything that a person could operate and Tab should reach; a number is an element's name. */
function controls(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const selector =
      'button, input, select, textarea, summary, a[href], [tabindex="0"], vscode-button, vscode-checkbox, vscode-dropdown, vscode-text-field';
    const found = [...document.querySelectorAll<HTMLElement>(selector)].filter(
      (element) =>
        element.checkVisibility() &&
        (element.tabIndex >= 0 || element.localName.startsWith('vscode-')) &&
        element.getAttribute('tabindex') !== '-1',
    );
    found.forEach(
      (element, index) =>
        (element.dataset['control'] =
          `${index} ${element.localName} ${element.getAttribute('aria-label') ?? element.textContent.slice(0, 30)}`),
    );
    return found.map((element) => element.dataset['control'] ?? '');
  });
}

interface Stop {
  readonly name: string;
  /** Whether one sees that it has the focus. */
  readonly visible: boolean;
}

/** Presses Tab until the focus has left the page twice: it need not start at the top, but has been everywhere then. */
async function walk(page: Page, most: number): Promise<readonly Stop[]> {
  const stops: Stop[] = [];
  let left = 0;
  for (let press = 0; press < most; press++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate((): Stop | undefined => {
      const { activeElement: host } = document;
      if (host === null || host === document.body) return undefined;
      let inner: Element = host;
      while (inner.shadowRoot?.activeElement) inner = inner.shadowRoot.activeElement;
      const shows = (element: Element, part?: string): boolean => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element, part);
        return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      };
      const around = [
        ...(inner.closest('.root, .control') ? [inner.closest('.root, .control')!] : []),
        ...(host.shadowRoot?.querySelectorAll('.root, .control, .selected-value') ?? []),
      ];
      const focusBorder = getComputedStyle(document.body).getPropertyValue('--vscode-focusBorder').trim();
      const probe = document.createElement('i');
      probe.style.color = focusBorder;
      document.body.append(probe);
      const { color } = getComputedStyle(probe);
      probe.remove();
      const active = document.getElementById(host.getAttribute('aria-activedescendant') ?? '');
      const visible = [host, inner, ...around, ...(active ? [active] : [])].some(
        (element) => shows(element) || getComputedStyle(element).borderColor === color,
      );
      return { name: (host as HTMLElement).dataset['control'] ?? host.outerHTML.slice(0, 80), visible };
    });
    if (stop !== undefined) stops.push(stop);
    else if (++left === 2) return stops;
  }
  return assert.fail(`Tab is caught: after ${most} times it is at ${stops.at(-1)?.name}`);
}
