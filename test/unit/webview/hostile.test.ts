import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Browser } from 'playwright-core';
import { parseToHost, parseToWebview, type ToHost, type ToWebview } from '../../../src/webview/protocol';
import { damaged } from '../../webview/damage';
import { openWebview, outlineAt, runAt } from '../../webview/harness';
import { createSample } from '../../webview/sample';
import { startBrowser } from '../../workbench/browser';

/** Messages are hostile input on both sides: whatever comes is understood or refused with a reason; nothing throws, hangs or runs. */

const sample = createSample(1);
const position = sample.positionAt(3);

/** One of each kind: a kind that is added to the protocol and not here does not compile. */
const TO_HOST: { readonly [T in ToHost['type']]: Extract<ToHost, { readonly type: T }> } = {
  ready: { type: 'ready' },
  command: { type: 'command', command: 'step' },
  seek: { type: 'seek', step: 3 },
  setParameter: { type: 'setParameter', name: 'irqchip', value: 'split' },
  inject: { type: 'inject', stimulus: 'raise' },
  history: { type: 'history', component: 1, cell: 'irr' },
  edit: { type: 'edit', cell: 3, value: 1 },
  compare: { type: 'compare' },
  compareState: { type: 'compareState' },
  revealStep: { type: 'revealStep', step: 3 },
};
const TO_WEBVIEW: { readonly [T in ToWebview['type']]: Extract<ToWebview, { readonly type: T }> } = {
  run: { type: 'run', run: sample.run, position },
  outline: { type: 'outline', run: sample.outline, position },
  position: { type: 'position', position },
  playing: { type: 'playing', playing: true },
  history: { type: 'history', history: sample.history(0, 'PCI_COMMAND') },
  comparison: {
    type: 'comparison',
    chosen: false,
    comparison: {
      title: 'Original run',
      lanes: sample.run.lanes,
      steps: sample.run.steps,
      differences: Uint32Array.of(3, 4, 3, 5),
      otherwise: Uint32Array.of(2),
    },
  },
  stateComparison: {
    type: 'stateComparison',
    state: { step: 3, other: 3, same: true, count: 1, cells: [{ name: 'kvm_kpic_state(master).irr', a: '0x01', b: '0x00' }] },
  },
  empty: { type: 'empty' },
};

/** Longer than any reason needs to be: what was sent is not sent on. */
const LONGEST_PROBLEM = 400;

const cases = [
  { side: 'the extension', parse: parseToHost, samples: Object.values(TO_HOST), numRuns: 5000 },
  { side: 'a webview', parse: parseToWebview, samples: Object.values(TO_WEBVIEW), numRuns: 3000 },
] as const;

for (const { side, parse, samples, numRuns } of cases) {
  test(`${side} understands a damaged message or says why not`, () => {
    const outcomes = { understood: 0, refused: 0 };
    fc.assert(
      fc.property(damaged(samples), (message) => {
        const parsed = parse(message);
        if (parsed.type === 'malformed') {
          outcomes.refused++;
          assert.ok(parsed.problem.length > 0 && parsed.problem.length < LONGEST_PROBLEM);
        } else {
          outcomes.understood++;
          assert.deepEqual(parse(parsed), parsed);
        }
        assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
      }),
      { numRuns },
    );
    // Otherwise one of both was never tried.
    assert.ok(outcomes.understood > numRuns / 100 && outcomes.refused > numRuns / 10, JSON.stringify(outcomes));
  });
}

test('what a webview asks of the extension is small, whatever it sends', () => {
  fc.assert(
    fc.property(damaged(Object.values(TO_HOST)), (message) => {
      assert.ok(JSON.stringify(parseToHost(message)).length < 1000);
    }),
    { numRuns: 3000 },
  );
});

describe('the webview itself', () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  for (const view of ['panel', 'state'] as const) {
    test(`the ${view} survives damaged messages: nothing runs, nothing throws, and the next good one is shown`, async () => {
      const webview = await openWebview(browser, { view });
      const messages = fc.sample(damaged(Object.values(TO_WEBVIEW)), { numRuns: 150, seed: 4 });
      const begin = view === 'panel' ? runAt : outlineAt;
      await webview.tell(begin(sample, 3));
      for (const message of messages) await webview.tell(message);
      assert.equal(await webview.page.title(), 'Virtflow');
      assert.equal(await webview.page.locator('img, script:not([src], #texts), iframe, a').count(), 0);
      await webview.tell(begin(sample, 5));
      assert.equal(await webview.page.locator('body').getAttribute('data-step'), '5');
      const thrown = webview.complaints.filter((complaint) => !/^Virtflow: .* (ignored|does not begin)/.test(complaint));
      assert.deepEqual(thrown, []);
      await webview.close();
    });
  }

  const memories: readonly object[] = [
    { tab: 'nothing', detail: 7, returns: 'yes', scroll: Number.NaN, stack: [] },
    { detail: '__proto__', tab: 'x'.repeat(100_000), experiment: {}, flow: { toString: 'no' } },
    JSON.parse('{"__proto__":{"detail":"contexts"},"scroll":-5}') as object,
    Array.from({ length: 1000 }, () => 'x'),
  ];
  for (const [index, memory] of memories.entries()) {
    test(`a panel that remembers nonsense (${index}) is a fresh one`, async () => {
      const webview = await openWebview(browser, { view: 'panel', memory });
      await webview.tell(runAt(sample, 3));
      assert.ok(await webview.page.locator('.row').first().isVisible());
      assert.deepEqual(webview.complaints, []);
      await webview.close();
    });
  }
});
