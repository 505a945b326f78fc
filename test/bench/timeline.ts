import type { Browser } from 'playwright-core';
import { positionView, runView } from '../../src/extension/views';
import { createSession } from '../../src/flows/session';
import type { ToWebview } from '../../src/webview/protocol';
import { openWebview, type Webview } from '../webview/harness';
import { startBrowser } from '../workbench/browser';
import { atMost, figure, type Figure } from './figure';
import { runOf } from './runs';

/** What a frame of the panel costs in a Chromium without a screen, and whether that grows with the length of a run. */

const ROUNDS = 7;

export async function* timelineFigures(): AsyncGenerator<Figure> {
  const browser = await startBrowser();
  try {
    const [short, long] = [await openPanel(browser, 1000), await openPanel(browser, 1_000_000)];
    const lengths = `in ${long.length} steps to ${short.length}`;
    const zooming = await ratios(
      () => long.panel.page.evaluate(zoom),
      () => short.panel.page.evaluate(zoom),
    );
    yield figure('timeline zoom', `a frame while zooming and moving ${lengths}`, '×', zooming, atMost(2));
    const scrolling = await ratios(
      () => long.panel.page.evaluate(scroll),
      () => short.panel.page.evaluate(scroll),
    );
    yield figure('sequence scroll', `a frame while scrolling ${lengths}`, '×', scrolling, atMost(2));
  } finally {
    await browser.close();
  }
}

/** The panel, at the middle of a run of about `steps` steps. */
async function openPanel(browser: Browser, steps: number): Promise<{ readonly panel: Webview; readonly length: number }> {
  const { flow, inputs } = runOf(steps);
  const session = createSession();
  session.explore(flow, inputs);
  const run = session.run;
  if (run === undefined) throw new Error('a session without a scheduler of its own runs a flow at once');
  const { length } = run.journal;
  session.seek(length >> 1);
  const panel = await openWebview(browser, { view: 'panel' });
  await panel.tell({ type: 'run', run: runView(run, session), position: positionView(session) } satisfies ToWebview);
  return { panel, length };
}

/** Measures in turns, so that whatever else the machine does meets both; the first of each only warms up. */
async function ratios(one: () => Promise<number>, other: () => Promise<number>): Promise<readonly number[]> {
  await one();
  await other();
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) samples.push((await one()) / (await other()));
  return samples;
}

/** Runs in the page: zooms in, moves and zooms out, and gives the milliseconds that its frames took to draw. */
async function zoom(): Promise<number> {
  const strip = document.querySelector('.timeline-strip')!;
  const canvas = strip.querySelector('canvas')!;
  const { left, top, width } = strip.getBoundingClientRect();
  const wheel = (deltaX: number, deltaY: number) =>
    strip.dispatchEvent(new WheelEvent('wheel', { deltaX, deltaY, clientX: left + width * 0.4, clientY: top + 5, cancelable: true }));
  const turns = [
    ...Array.from({ length: 25 }, () => [0, -180] as const),
    ...Array.from({ length: 20 }, () => [90, 0] as const),
    ...Array.from({ length: 25 }, () => [0, 180] as const),
  ];
  let spent = 0;
  for (const [deltaX, deltaY] of turns) {
    await new Promise<void>((resolve) => {
      let started = 0;
      requestAnimationFrame(() => (started = performance.now()));
      wheel(deltaX, deltaY);
      requestAnimationFrame(() => {
        // What was drawn has really been drawn once a pixel can be read.
        canvas.getContext('2d')!.getImageData(0, 0, 1, 1);
        spent += performance.now() - started;
        resolve();
      });
    });
  }
  return spent;
}

/** Runs in the page: scrolls through the sequence in small steps and in leaps. */
async function scroll(): Promise<number> {
  const scroller = document.querySelector('.scroller')!;
  let spent = 0;
  for (let turn = 0; turn < 60; turn++) {
    await new Promise<void>((resolve) => {
      let started: number | undefined;
      document.addEventListener('scroll', () => (started ??= performance.now()), { capture: true, once: true });
      const furthest = scroller.scrollHeight - scroller.clientHeight;
      scroller.scrollTop = turn % 10 === 0 ? (furthest * (turn + 1)) / 62 : scroller.scrollTop + 90;
      requestAnimationFrame(() => {
        scroller.getBoundingClientRect();
        if (started !== undefined) spent += performance.now() - started;
        resolve();
      });
    });
  }
  return spent;
}
