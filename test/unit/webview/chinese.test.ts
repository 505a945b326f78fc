import { config } from '@vscode/l10n';
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { CATALOGUE } from '../../../src/flows/catalogue';
import type { Flow } from '../../../src/flows/flow';
import { createSession, type Session } from '../../../src/flows/session';
import { bundleOf } from '../../l10n/bundle';
import type { WebviewOptions } from '../../webview/harness';
import { openReal } from '../../webview/real';
import { startBrowser } from '../../workbench/browser';

/** Both views in Chinese, of real runs of every flow: nothing stays English, nothing is cut off. */

const texts = bundleOf('zh-cn');
// What the extension does when it begins: models' and flows' texts are translated on their way to the panel.
config({ contents: { ...texts } });
const translation = { language: 'zh-cn', texts };

const none: readonly string[] = [];

/** Three words in a row that are no names: a sentence that somebody forgot. */
const ENGLISH = /(?<![\w:`./-])[a-z]{2,} [a-z]{2,} [a-z]{2,}(?![\w:`./(-])/;

suite('in Chinese', () => {
  let browser: Browser;
  before(async () => (browser = await startBrowser()));
  after(() => browser.close());

  for (const flow of CATALOGUE)
    test(`the panel shows ${flow.id}`, { timeout: 60_000 }, async () => {
      const session = explored(flow);
      const webview = await openReal(browser, { view: 'panel', translation }, session);
      // Instances have names, as `mutex(group_lock of the container)`: expressions and links say them too.
      const names = session.run!.components.map(({ name }) => name).toSorted((a, b) => b.length - a.length);
      const isEnglish = (text: string): boolean =>
        ENGLISH.test(names.reduce((rest, name) => rest.replaceAll(name, ''), text).replaceAll(/“[^”]*”/g, ''));
      try {
        await webview.show();
        for (const tab of await webview.page.getByRole('tab').all()) {
          await tab.click();
          await webview.settle();
          assert.deepEqual((await said(webview.page)).filter(isEnglish), none);
          assert.deepEqual(await cutOff(webview.page), none);
        }
        assert.deepEqual(webview.complaints, none);
      } finally {
        await webview.close();
      }
    });

  const small: readonly WebviewOptions[] = [
    { view: 'state', width: 300, height: 800, translation },
    { view: 'panel', width: 640, height: 700, translation },
  ];
  for (const options of small)
    test(`the ${options.view} is ${options.width} pixels wide`, { timeout: 60_000 }, async () => {
      const webview = await openReal(browser, options, explored(CATALOGUE[0]!));
      try {
        await webview.show();
        assert.deepEqual(await cutOff(webview.page), none);
      } finally {
        await webview.close();
      }
    });

  test('a table of texts that is none is passed over', { timeout: 60_000 }, async () => {
    const webview = await openReal(
      browser,
      { view: 'panel', translation: { language: 'zh-cn', texts: { Sequence: 7 } as unknown as Record<string, string> } },
      explored(CATALOGUE[0]!),
    );
    try {
      await webview.show();
      assert.equal(await webview.page.getByRole('tab').first().textContent(), 'Sequence');
      assert.deepEqual(webview.complaints, ['Virtflow: the page’s translations are malformed and were ignored']);
    } finally {
      await webview.close();
    }
  });
});

/** A run in its middle, where something waits. */
function explored(flow: Flow): Session {
  const session = createSession();
  session.explore(flow);
  session.seek(Math.floor(session.run!.journal.length / 2));
  return session;
}

/** What a page says: its texts, and the labels and tooltips of its elements. */
const said = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (node instanceof Element) {
        if (node.tagName === 'SCRIPT') continue;
        found.push(node.getAttribute('aria-label') ?? '', node.getAttribute('title') ?? '', node.getAttribute('placeholder') ?? '');
      } else if (node.parentElement?.tagName !== 'SCRIPT') found.push(node.textContent ?? '');
    }
    return found.filter((text) => text.trim() !== '');
  });

/** The texts of controls and headings that do not fit into them, and the page itself where it scrolls sideways. */
const cutOff = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const tight = [...document.querySelectorAll<HTMLElement>('h1, h2, button.tab, vscode-button, summary')].filter(
      (element) =>
        element.clientWidth > 2 && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).textOverflow !== 'ellipsis',
    );
    const { scrollWidth, clientWidth } = document.documentElement;
    return [
      ...tight.map((element) => element.innerText || element.title),
      ...(scrollWidth > clientWidth ? [`${scrollWidth} > ${clientWidth}`] : []),
    ];
  });
