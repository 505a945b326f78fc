import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { openPromise } from 'yauzl';
import { NODE_MODULES, ROOT } from '../workbench/paths';

/** All that may be in the package. */
const ALLOWED: readonly RegExp[] = [
  /^\[Content_Types\]\.xml$/,
  /^extension\.vsixmanifest$/,
  /^extension\/package(\.nls(\.zh-cn)?)?\.json$/,
  /^extension\/l10n\/bundle\.l10n\.zh-cn\.json$/,
  /^extension\/(readme|changelog)\.md$/i,
  /^extension\/license(\.txt)?$/i,
  /^extension\/docs\/vfio-intx\.png$/,
  /^extension\/media\/[\w/-]+\.(svg|png|md)$/,
  /^extension\/schemas\/virtflow(-notes)?\.schema\.json$/,
  /^extension\/dist\/extension\.js$/,
  /^extension\/dist\/webview\/panel\.(js|css)$/,
  /^extension\/dist\/webview\/codicon(-\w+)?\.ttf$/,
];

/** All that must be. */
const REQUIRED: readonly RegExp[] = [
  /package\.json$/,
  /package\.nls\.zh-cn\.json$/,
  /bundle\.l10n\.zh-cn\.json$/,
  /license/i,
  /dist\/extension\.js$/,
];

/** A quarter of it is the Chinese texts, a fifth the facts and lines of fifteen upstream versions. */
const LARGEST = 1.1 * 1024 * 1024;

suite('the package', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'virtflow-package-'));
  const file = path.join(folder, 'virtflow.vsix');
  let entries: ReadonlyMap<string, Buffer> = new Map();

  before(async () => {
    const vsce = path.join(NODE_MODULES, '@vscode/vsce/vsce');
    execFileSync(
      process.execPath,
      [vsce, 'package', '--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links', '--out', file],
      { cwd: ROOT },
    );
    entries = await readZip(file);
  });
  after(() => rmSync(folder, { recursive: true }));

  test('has nothing in it that does not belong there', () => {
    assert.deepEqual(
      [...entries.keys()].filter((name) => !ALLOWED.some((pattern) => pattern.test(name))),
      [],
    );
  });

  test('has everything that it needs', () => {
    assert.deepEqual(
      REQUIRED.filter((pattern) => ![...entries.keys()].some((name) => pattern.test(name))),
      [],
    );
  });

  test('is small', () => {
    const { size } = statSync(file);
    assert.ok(size <= LARGEST, `${size} bytes`);
  });

  test('has no source maps', () => {
    for (const [name, content] of entries) {
      if (name.endsWith('.js')) assert.doesNotMatch(content.toString(), /sourceMappingURL/, name);
    }
  });

  test('has no translations in its code, which everybody loads', () => {
    for (const [name, content] of entries) if (name.endsWith('.js')) assert.doesNotMatch(content.toString(), /\p{Script=Han}/u, name);
  });

  test('keeps the names of functions, which models go by', () => {
    const bundle = entries.get('extension/dist/extension.js')?.toString() ?? '';
    assert.match(bundle, /"irqfd_wakeup"/);
  });
});

async function readZip(file: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = new Map<string, Buffer>();
  const zip = await openPromise(file);
  for await (const entry of zip.eachEntry()) {
    const chunks: Buffer[] = [];
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
    entries.set(entry.fileName, Buffer.concat(chunks));
  }
  return entries;
}
