// @ts-check
/**
 * Builds everything into dist/:
 *
 *     node esbuild.mjs                the extension, the panel, the command line and all tests, with source maps
 *     node esbuild.mjs --watch        the same, again at every change
 *     node esbuild.mjs --production   only what ships, smaller and without source maps
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { sourcesBelow, textsBelow } from './l10n/texts.mjs';

const production = process.argv.includes('--production');
const watching = process.argv.includes('--watch');

/** Models are known by `Function.name` at run time: those names are kept, whatever becomes of identifiers. */
const common = /** @satisfies {esbuild.BuildOptions} */ ({
  bundle: true,
  outdir: 'dist',
  target: 'es2022',
  keepNames: true,
  sourcemap: !production,
  minifySyntax: production,
  minifyIdentifiers: production,
  minifyWhitespace: production,
  metafile: true,
  logLevel: 'warning',
  plugins: [textImports()],
});

/** @typedef {Omit<esbuild.BuildOptions, 'entryPoints'> & { entryPoints: Readonly<Record<string, string>> }} Bundle Entry points by output name. */

/** @type {readonly Bundle[]} */
const product = [
  {
    // One bundle for both hosts: what runs in a web worker runs in Node too.
    entryPoints: { extension: 'src/extension/main.ts' },
    platform: 'browser',
    format: 'cjs',
    external: ['vscode'],
    alias: { events: './src/extension/debug/events.ts' },
  },
  {
    entryPoints: { 'webview/panel': 'src/webview/main.ts' },
    platform: 'browser',
    format: 'iife',
    minify: true,
    // Nothing here asks for the name of a function, and each name kept costs a call.
    keepNames: false,
    // Codicons come in as `import '@vscode/codicons/dist/codicon.css'`: panel.css and its font, beside panel.js.
    loader: { '.ttf': 'file' },
    assetNames: 'webview/[name]',
  },
  {
    entryPoints: { cli: 'src/cli/main.ts' },
    platform: 'node',
    // Of jsonc-parser, the form that can be bundled.
    mainFields: ['module', 'main'],
    format: 'cjs',
    banner: { js: '#!/usr/bin/env node' },
  },
];

/** @type {readonly Bundle[]} */
const tests = [
  {
    entryPoints: byOutputName([
      ...filesBelow('test', '.test.ts').filter((file) => !file.startsWith('test/host/')),
      'test/host/run.ts',
      'test/bench/main.ts',
      'test/calls/main.ts',
      'test/conform/main.ts',
      'test/desktop/run.ts',
      'test/l10n/main.ts',
      'test/webview/shots.ts',
      'test/workbench/start.ts',
      'test/workbench/code-shim.ts',
    ]),
    outdir: 'dist/test',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    packages: 'external',
  },
  {
    entryPoints: { 'bench/bare/chips': 'test/bench/bare/chips.ts' },
    // Nobody asks for the name of a function without an engine.
    keepNames: false,
    outdir: 'dist/test',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    plugins: [textImports(), bareModels()],
  },
  {
    entryPoints: { 'node/index': 'test/host/runner/node.ts' },
    outdir: 'dist/test/host',
    platform: 'node',
    format: 'cjs',
    external: ['vscode', 'mocha'],
    plugins: [textImports(), globImports()],
  },
  {
    entryPoints: { 'web/index': 'test/host/runner/web.ts' },
    outdir: 'dist/test/host',
    platform: 'browser',
    format: 'cjs',
    external: ['vscode'],
    define: { global: 'globalThis' },
    plugins: [textImports(), globImports()],
  },
  {
    entryPoints: { extension: 'test/workbench/mount/extension.ts', package: 'test/workbench/mount/package.json' },
    outdir: 'dist/test/workbench/mount',
    loader: { '.json': 'copy' },
    platform: 'browser',
    format: 'cjs',
    external: ['vscode'],
  },
];

await main().catch((error) => {
  // esbuild has told already what is wrong in the sources.
  if (!('errors' in error)) throw error;
  process.exitCode = 1;
});

async function main() {
  if (production) {
    const outputs = ['dist/extension.js', 'dist/extension.js.map', 'dist/webview', 'dist/cli.js', 'dist/cli.js.map'];
    for (const output of outputs) rmSync(output, { recursive: true, force: true });
  }
  const started = Date.now();
  const bundles = (production ? product : [...product, ...tests]).map(onlyWritten).filter((bundle) => bundle !== undefined);
  if (watching) {
    for (const bundle of bundles) await (await esbuild.context({ ...bundle, logLevel: 'info' })).watch();
    return;
  }
  const results = await Promise.all(bundles.map((bundle) => esbuild.build(bundle)));
  for (const executable of ['dist/cli.js', 'dist/test/workbench/code-shim.mjs']) {
    if (existsSync(executable)) chmodSync(executable, 0o755);
  }
  if (production) for (const { metafile } of results) printSizes(metafile);
  console.log(`built in ${Date.now() - started} ms`);
}

/**
 * The bundle with the common options, without the entry points that nobody has written yet.
 *
 * @param {Bundle} bundle
 */
function onlyWritten(bundle) {
  const entries = Object.entries(bundle.entryPoints);
  const written = entries.filter(([, file]) => existsSync(file));
  for (const [, file] of entries) {
    if (!existsSync(file)) console.log(`note: ${file} does not exist yet: skipped`);
  }
  return written.length === 0 ? undefined : { ...common, ...bundle, entryPoints: Object.fromEntries(written) };
}

/** @param {esbuild.Metafile | undefined} metafile */
function printSizes(metafile) {
  for (const [file, { bytes }] of Object.entries(metafile?.outputs ?? {})) {
    console.log(`${(bytes / 1024).toFixed(1).padStart(8)} KB  ${file}`);
  }
}

/**
 * `import 'glob:../*.test.ts'` imports every matching file of that folder and those below it, so no list of suites is kept by hand.
 *
 * @returns {esbuild.Plugin}
 */
function globImports() {
  return {
    name: 'glob imports',
    setup(build) {
      build.onResolve({ filter: /^glob:/ }, ({ path: pattern, resolveDir }) => {
        const folder = path.resolve(resolveDir, path.dirname(pattern.slice('glob:'.length)));
        return { namespace: 'glob', path: path.join(folder, path.basename(pattern)) };
      });
      build.onLoad({ filter: /.*/, namespace: 'glob' }, ({ path: pattern }) => {
        const folder = path.dirname(pattern);
        const files = filesBelow(folder, path.basename(pattern).replace('*', ''));
        return {
          contents: files.map((file) => `import ${JSON.stringify(file)};`).join('\n'),
          resolveDir: folder,
          watchFiles: files,
          watchDirs: [folder],
        };
      });
    },
  };
}

/**
 * `import { texts } from 'texts:src/webview'` imports what that folder's code says with `t('…')`: a page gets the translations of its own texts.
 *
 * @returns {esbuild.Plugin}
 */
function textImports() {
  return {
    name: 'text imports',
    setup(build) {
      build.onResolve({ filter: /^texts:/ }, ({ path: name }) => ({ namespace: 'texts', path: name.slice('texts:'.length) }));
      build.onLoad({ filter: /.*/, namespace: 'texts' }, ({ path: folder }) => ({
        contents: `export const texts = ${JSON.stringify(textsBelow(folder).map(({ text }) => text))};`,
        watchFiles: sourcesBelow(folder).map((file) => path.resolve(file)),
      }));
    },
  };
}

/**
 * The models without the engine, to measure them alone: coroutines become plain functions, which is the same as long as none of them waits, and
 * the modules of test/bench/bare stand for those of the engine: calls without frames, structures without a journal.
 *
 * @returns {esbuild.Plugin}
 */
function bareModels() {
  return {
    name: 'bare models',
    setup(build) {
      const bare = path.resolve('test/bench/bare');
      const replaced = new Map(
        ['src/engine/fn', 'src/engine/cell', 'src/engine/steps', 'src/models/qemu/element'].map((module) => [
          path.resolve(module),
          path.join(bare, `${path.basename(module)}.ts`),
        ]),
      );
      build.onResolve({ filter: /^\./ }, ({ path: module, resolveDir }) => {
        const instead = resolveDir === bare ? undefined : replaced.get(path.resolve(resolveDir, module));
        return instead === undefined ? undefined : { path: instead };
      });
      build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => ({
        contents: readFileSync(file, 'utf8')
          .replaceAll(/\bfunction\s*\*/g, 'function ')
          .replaceAll(/^(\s*)\*(\w+\()/gm, '$1$2')
          .replaceAll(/\byield\s*\*\s*/g, '')
          .replaceAll(/\byield (?=\{)/g, 'throw '),
        loader: 'ts',
      }));
    },
  };
}

/**
 * `{ 'unit/cell.test': 'test/unit/cell.test.ts' }`
 *
 * @param {readonly string[]} files
 */
function byOutputName(files) {
  return Object.fromEntries(files.map((file) => [file.replace(/^test\/|\.ts$/g, ''), file]));
}

/**
 * Paths of the files below `folder` that end in `suffix`, sorted.
 *
 * @param {string} folder
 * @param {string} suffix
 */
function filesBelow(folder, suffix) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(suffix))
    .map((file) => path.posix.join(folder.replaceAll('\\', '/'), file.replaceAll('\\', '/')))
    .toSorted();
}
