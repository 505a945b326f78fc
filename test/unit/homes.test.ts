import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** One function, one home: a model lives in the module that mirrors its upstream file, under its upstream name. */

const modules = readdirSync('src/models', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

test('every module opens the mirror of the upstream file that its own path names', () => {
  let opened = 0;
  for (const file of modules) {
    for (const [, world, path] of readFileSync(`src/models/${file}`, 'utf8').matchAll(/\bsource\('(\w+)', '([^']+)'/g)) {
      assert.equal(file, `${world}/${path?.replace(/\.[chS]$/, '')}.ts`);
      opened++;
    }
  }
  assert.ok(opened > 50, `${opened} modules open a file`);
});

test('every model function is kept under its own name', () => {
  let functions = 0;
  for (const file of modules) {
    for (const [, kept, own] of readFileSync(`src/models/${file}`, 'utf8').matchAll(
      /\bconst (\w+)(?:: \w+)? = fn\(\s*(?:'[^']*'|`[^`]*`),\s*function\* (\w+)/g,
    )) {
      assert.equal(kept, own, file);
      functions++;
    }
  }
  assert.ok(functions > 250, `${functions} functions`);
});
