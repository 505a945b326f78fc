// @ts-check
/**
 * Runs the tests, stage after stage, stops at the first stage that fails and ends with `N passed, N failed`.
 *
 *     node test/run.mjs                  all stages of ALL
 *     node test/run.mjs build unit cell  only these stages; other words choose test files by a part of their name
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {{ passed: number, failed: number }} Count Tests that passed and failed; a failing tool counts as one failed test. */
/** @typedef {(names: readonly string[]) => Promise<Count>} Stage */

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = path.join(root, 'node_modules', '.bin');

/** @type {Count} */
const NOTHING = { passed: 0, failed: 0 };

/** Each project sees as little of its surroundings as it may use: tsconfig.pure.json neither the DOM nor Node. */
const TYPE_PROJECTS = ['tsconfig.json', 'tsconfig.pure.json', 'src/extension/tsconfig.json', 'src/webview/tsconfig.json'];

/** @type {Readonly<Record<string, Stage>>} */
const STAGES = {
  build: () => tool(process.execPath, ['esbuild.mjs']),
  types: () => inOrder(TYPE_PROJECTS.filter(hasSources), (project) => tool(path.join(bin, 'tsc'), ['-p', project])),
  lint: () => tool(path.join(bin, 'oxlint'), ['--type-aware', '--deny-warnings', '--quiet']),
  unit: (names) => nodeTests('test/unit', names),
  host: () => inOrder(['web', 'node'], (host) => testRun(['dist/test/host/run.mjs', host])),
  desktop: () => testRun(['dist/test/desktop/run.mjs']),
  // One at a time: each test has a whole VS Code and a browser to itself.
  e2e: (names) => nodeTests('test/e2e', names, ['--test-concurrency=1']),
  package: (names) => nodeTests('test/package', names),
};
const ALL = ['build', 'types', 'lint', 'unit', 'host', 'e2e', 'package'];

await main();

async function main() {
  const words = process.argv.slice(2);
  const chosen = words.filter((word) => word in STAGES);
  const names = words.filter((word) => !(word in STAGES));
  const { passed, failed } = await inOrder(chosen.length > 0 ? chosen : ALL, async (stage) => {
    const started = Date.now();
    console.log(`\n── ${stage}`);
    const count = (await STAGES[stage]?.(names)) ?? NOTHING;
    console.log(`── ${stage}: ${count.failed === 0 ? 'ok' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return count;
  });
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/**
 * Does one thing after another until one fails; the sum of their counts.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => Promise<Count>} work
 */
async function inOrder(items, work) {
  let sum = NOTHING;
  for (const item of items) {
    const count = await work(item);
    sum = { passed: sum.passed + count.passed, failed: sum.failed + count.failed };
    if (sum.failed > 0) break;
  }
  return sum;
}

/** Whether there is anything to check yet: tsc takes an empty project for a mistake. @param {string} project */
function hasSources(project) {
  const folder = path.join(root, path.dirname(project));
  return project.startsWith('tsconfig') || readdirSync(folder).some((file) => file.endsWith('.ts'));
}

/**
 * `node --test` on the bundles of the *.test.ts files below a folder. The sources are listed, not dist/, which may hold deleted ones.
 *
 * @param {string} folder
 * @param {readonly string[]} names
 * @param {readonly string[]} [options]
 */
async function nodeTests(folder, names, options = []) {
  const files = readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && (names.length === 0 || names.some((name) => file.includes(name))))
    .toSorted()
    .map((file) => path.join('dist', folder, file.replace(/\.ts$/, '.mjs')));
  if (files.length === 0) {
    console.log(`no ${names.join(' or ')} tests in ${folder}`);
    return NOTHING;
  }
  return testRun(['--enable-source-maps', '--test', '--test-reporter=spec', ...options, ...files]);
}

/** Runs a tool that passes or fails as a whole. @param {string} command @param {readonly string[]} args @returns {Promise<Count>} */
async function tool(command, args) {
  const { code } = await run(command, args);
  return { passed: 0, failed: code === 0 ? 0 : 1 };
}

/** Runs tests under Node and reads the totals that they print. @param {readonly string[]} args @returns {Promise<Count>} */
async function testRun(args) {
  const { code, output } = await run(process.execPath, args);
  const passed = total(output, 'pass');
  const failed = total(output, 'fail');
  // Died before its tests could fail (or be counted): that is a failure too.
  return { passed, failed: code === 0 ? failed : Math.max(failed, 1) };
}

/** The last `pass N` or `fail N` line, as node:test writes it; our own runners write the same. @param {string} output @param {string} word */
function total(output, word) {
  return Number([...output.matchAll(new RegExp(`^ℹ ${word} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0);
}

/**
 * Runs a program in the repository's root and shows what it prints while it runs.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<{ readonly code: number, readonly output: string }>}
 */
function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    const output = /** @type {Buffer[]} */ ([]);
    child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
      output.push(chunk);
      process.stdout.write(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(output).toString() }));
  });
}
