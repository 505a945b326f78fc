import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { stepsBetween, wholeRun } from '../../../../src/flows/export/range';
import { sequenceOf } from '../../../../src/flows/export/sequence';
import { svg, SVG_THEMES } from '../../../../src/flows/export/svg';
import type { FlowRun } from '../../../../src/flows/flow';
import { startBrowser } from '../../../workbench/browser';
import { nameOf, rangesOf, RUNS } from './runs';

/** The drawing as a browser takes it: as XML of its own, with nothing to fetch and nothing to run. */
describe('svg', () => {
  let browser: Browser;
  let page: Page;
  before(async () => {
    browser = await startBrowser();
    page = await browser.newPage();
  });
  after(() => browser.close());

  interface Seen {
    readonly problem: string | undefined;
    readonly title: string | undefined;
    readonly description: string;
    readonly foreign: readonly string[];
    /** How far the rightmost text reaches beyond the drawing, in pixels. */
    readonly overflow: number;
    readonly lines: number;
    readonly invalid: number;
  }

  function see(text: string): Promise<Seen> {
    return page.evaluate((source) => {
      const parsed = new DOMParser().parseFromString(source, 'image/svg+xml');
      const problem = parsed.querySelector('parsererror')?.textContent ?? undefined;
      const root = document.importNode(parsed.documentElement, true) as unknown as SVGSVGElement;
      document.body.replaceChildren(root);
      const width = root.viewBox.baseVal?.width ?? 0;
      const texts = [...root.querySelectorAll('text')].map((one) => one.getBBox());
      const known = ['svg', 'title', 'desc', 'style', 'rect', 'path', 'circle', 'g', 'text', 'tspan'];
      return {
        problem,
        title: root.querySelector('title')?.textContent ?? undefined,
        description: root.querySelector('desc')?.textContent ?? '',
        foreign: [...root.querySelectorAll('*')].flatMap(({ localName, attributes }) => [
          ...(known.includes(localName) ? [] : [localName]),
          ...[...attributes].map(({ name }) => name).filter((name) => name.startsWith('on') || name.includes('href')),
        ]),
        overflow: Math.max(0, ...texts.map(({ x, width: own }) => x + own - width)),
        lines: root.querySelectorAll('.function').length,
        invalid: [...root.querySelectorAll('path')].filter(({ attributes }) =>
          /NaN|undefined/.test(attributes.getNamedItem('d')?.value ?? ''),
        ).length,
      };
    }, text);
  }

  for (const run of RUNS) {
    test(`${nameOf(run)} is well-formed, whole in words, and inside of its frame`, async () => {
      for (const range of rangesOf(run)) {
        const { parts } = sequenceOf(run, range, 160);
        const stays = parts.flatMap((part) => (part.kind === 'repeat' ? part.stays : part.kind === 'stay' ? [part] : []));
        const seen = await see([...svg(run, range)].join(''));
        assert.equal(seen.problem, undefined);
        assert.deepEqual(seen.foreign, []);
        assert.equal(seen.overflow, 0);
        assert.equal(seen.invalid, 0);
        assert.equal(
          seen.lines,
          stays.reduce((sum, { lines }) => sum + lines.length, 0),
        );
        for (const { lines } of stays)
          for (const { step, symbol } of lines) assert.match(seen.description, new RegExp(`\\b${step} (↩ )?${symbol}`));
      }
    });
  }

  test('texts stay texts', async () => {
    const [run] = RUNS;
    const title = `<script>document.title=1</script>&amp;"'\u0000\u0007\ud800\u202e]]>-->`;
    const spoiled: FlowRun = { ...run!, flow: { ...run!.flow, title }, threads: run!.threads.map((thread) => ({ ...thread, title })) };
    const seen = await see([...svg(spoiled, wholeRun(spoiled))].join(''));
    assert.equal(seen.problem, undefined);
    assert.deepEqual(seen.foreign, []);
    assert.match(seen.title ?? '', /^<script>document\.title=1<\/script>&amp;"'\ufffd+/);
  });

  test('it follows the reader’s theme, or has its own', () => {
    const [run] = RUNS;
    const texts = SVG_THEMES.map((theme) => [...svg(run!, stepsBetween(run!, 0, 50), theme)].join(''));
    assert.deepEqual(
      texts.map((text) => text.includes('prefers-color-scheme')),
      [true, false, false],
    );
    assert.equal(new Set(texts).size, 3);
  });
});
