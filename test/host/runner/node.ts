/** What VS Code runs in a Node process: mocha and all suites. */
import Mocha from 'mocha';
import { runAndReport } from './report';

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'tdd', reporter: Mocha.reporters.Base, timeout: 20_000 });
  // Puts suite() and test() where the suites, which are one bundle and not files to load, find them.
  mocha.suite.emit('pre-require', globalThis, 'suites', mocha);
  await import('glob:../*.test.ts');
  await runAndReport(mocha);
}
