import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { forbiddenImports } from '../lint/imports';

const none: readonly string[] = [];

test('every import goes one way', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.posix.join('src', file.replaceAll('\\', '/')));
  assert.ok(files.length > 0);
  assert.deepEqual(
    files.flatMap((file) => forbiddenImports(file, readFileSync(file, 'utf8'))),
    none,
  );
});

const FORBIDDEN: readonly (readonly [file: string, code: string])[] = [
  ['src/engine/machine.ts', `import { flow } from '../flows/intx';`],
  ['src/engine/machine.ts', `import type { Flow } from '../flows/intx';`],
  ['src/engine/machine.ts', `export * from '../models/linux/fs/eventfd';`],
  ['src/engine/machine.ts', `export { type Flow } from '../flows/intx';`],
  ['src/engine/machine.ts', `const later = import('../models/linux/fs/eventfd');`],
  ['src/engine/machine.ts', `const now = require('node:fs');`],
  ['src/engine/machine.ts', `let flow: import('../flows/intx').Flow;`],
  ['src/engine/machine.ts', `import fs = require('node:fs');`],
  ['src/engine/machine.ts', `import 'vscode';`],
  ['src/engine/machine.ts', `import { readFileSync } from 'node:fs';`],
  ['src/engine/machine.ts', `import { readFileSync } from 'fs';`],
  ['src/engine/machine.ts', `import { helper } from '../../test/helper';`],
  ['src/engine/machine.ts', 'const name = "x"; const what = import(name);'],
  ['src/models/linux/fs/eventfd.ts', `import { flow } from '../../../flows/intx';`],
  ['src/flows/intx.ts', `import { resolve } from '../sources/resolver';`],
  ['src/sources/resolver.ts', `import { cell } from '../engine/cell';`],
  ['src/sources/resolver.ts', `import { eventfd_signal } from '../models/linux/fs/eventfd';`],
  ['src/trace/parse.ts', `import * as vscode from 'vscode';`],
  ['src/extension/main.ts', `import { main } from '../cli/main';`],
  ['src/extension/main.ts', `import { readFileSync } from 'node:fs';`],
  ['src/cli/main.ts', `import * as vscode from 'vscode';`],
  ['src/cli/main.ts', `import { activate } from '../extension/main';`],
  ['src/webview/main.ts', `import { Journal } from '../engine/journal';`],
  ['src/webview/main.ts', `import type { Session } from '../extension/session';`],
  ['src/misc/thing.ts', `export const thing = 1;`],
];

for (const [file, code] of FORBIDDEN) {
  test(`${file} may not say: ${code}`, () => {
    assert.equal(forbiddenImports(file, code).length, 1);
  });
}

test('what the rules allow', () => {
  const allowed = (file: string, code: string) => assert.deepEqual(forbiddenImports(file, code), none);
  allowed('src/engine/machine.ts', `import { cell } from './cell'; export { type Cell } from './cell';`);
  allowed('src/models/linux/fs/eventfd.ts', `import { cell } from '../../../engine/cell'; import { wait } from '../kernel/sched/wait';`);
  allowed('src/flows/intx.ts', `import '../models/linux/fs/eventfd'; import { journal } from '../engine/journal';`);
  allowed('src/sources/resolver.ts', `import type { Reference } from '../engine/reference'; import { scan } from './scanner';`);
  allowed(
    'src/extension/main.ts',
    `import * as vscode from 'vscode'; import { flow } from '../flows/intx'; import { parse } from '../webview/protocol';`,
  );
  allowed('src/cli/main.ts', `import { readFileSync } from 'node:fs'; import { flow } from '../flows/intx';`);
  allowed('src/webview/main.ts', `import { provideVSCodeDesignSystem } from '@vscode/webview-ui-toolkit'; import './protocol';`);
  allowed('src/engine/machine.ts', `// import 'vscode'\nconst text = "import 'vscode'";`);
});

test('a file that does not parse is reported, not passed over', () => {
  assert.equal(forbiddenImports('src/engine/machine.ts', `import { from`).length, 1);
});
