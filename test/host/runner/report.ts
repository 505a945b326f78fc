/** The start of each line that is meant for the person who runs the tests: VS Code logs a lot beside. */
export const REPORT = '[virtflow tests] ';

/**
 * Runs what was declared and tells how it went, in node:test's words, so that test/run.mjs counts all tests alike.
 *
 * @throws when a test failed, which is how VS Code learns it
 */
export function runAndReport(mocha: Pick<Mocha, 'run'>): Promise<void> {
  const say = (line: string) => console.log(REPORT + line);
  let passed = 0;
  return new Promise((resolve, reject) => {
    const runner = mocha.run((failed) => {
      say(`ℹ pass ${passed}`);
      say(`ℹ fail ${failed}`);
      if (failed === 0) resolve();
      else reject(new Error(`${failed} tests failed`));
    });
    runner.on('pass', (test) => {
      passed += 1;
      say(`✔ ${test.fullTitle()} (${test.duration ?? 0} ms)`);
    });
    runner.on('fail', (test, error: Error) => say(`✖ ${test.fullTitle()}\n${error.stack ?? error.message}`));
  });
}
