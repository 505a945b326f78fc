/** What VS Code runs in a web worker: mocha's browser build and all suites. */
import 'mocha/mocha';
import { runAndReport } from './report';

export async function run(): Promise<void> {
  mocha.setup({ ui: 'tdd', reporter: Mocha.reporters.Base, timeout: 20_000 });
  await import('glob:../*.test.ts');
  await runAndReport(mocha);
}
