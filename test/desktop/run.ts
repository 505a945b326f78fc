/**
 * Runs the host suites in VS Code for the desktop: the one that the environment's VSCODE_EXECUTABLE names, else the one that
 * @vscode/test-electron downloads. Where there is no desktop, dist/test/workbench/code-shim.mjs can stand in for it.
 */
import path from 'node:path';
import { runTests } from '@vscode/test-electron';
import { WELCOME } from '../workbench/folders';
import { ROOT } from '../workbench/paths';

const executable = process.env['VSCODE_EXECUTABLE'];

process.exitCode = await runTests({
  ...(executable ? { vscodeExecutablePath: path.resolve(executable) } : {}),
  extensionDevelopmentPath: ROOT,
  extensionTestsPath: path.join(ROOT, 'dist/test/host/node/index.js'),
  launchArgs: WELCOME.map((folder) => folder.path),
}).catch((error: unknown) => {
  console.error(error);
  return 1;
});
