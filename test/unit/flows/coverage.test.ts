import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { coverage, coveragePage } from '../../../src/flows/coverage';

const covered = coverage();
const entered = new Set([...covered.functions.values()].flatMap((names) => [...names.keys()]));

test('docs/coverage.md is what the models cover', () => {
  assert.equal(readFileSync('docs/coverage.md', 'utf8'), coveragePage(covered), 'make it anew: npm run coverage');
});

/** Function names of texts about these paths, old and new. */
const NAMES = JSON.parse(readFileSync('test/fixtures/names.json', 'utf8')) as Readonly<Record<string, readonly string[]>>;

for (const [text, names] of Object.entries(NAMES)) {
  test(`every function that ${text} names is entered, or known as history`, () => {
    const historical = new Set(covered.historical.map(({ name }) => name.name));
    const missing = names.filter((name) => !entered.has(name) && !covered.wrappers.has(name) && !historical.has(name));
    assert.deepEqual(missing, []);
  });
}

test('what does the work of a historical name is entered by some run', () => {
  for (const { name } of covered.historical)
    for (const today of name.today) assert.ok(entered.has(today) || covered.wrappers.has(today), `${name.name}: ${today}`);
});
