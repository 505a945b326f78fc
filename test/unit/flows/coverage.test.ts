import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { printAnchors } from '../../../src/flows/anchors';
import { casesOf } from '../../../src/flows/cases';
import { coverage, coveragePage } from '../../../src/flows/coverage';
import { knowFunctions } from '../../../src/flows/functions';

const covered = coverage();
const entered = new Set([...covered.functions.values()].flatMap((names) => [...names.keys()]));

test('docs/coverage.md is what the models cover', () => {
  assert.equal(readFileSync('docs/coverage.md', 'utf8'), coveragePage(covered), 'make it anew: npm run coverage');
});

test('src/flows/anchors.json has every identifier that some run stands on', () => {
  assert.equal(readFileSync('src/flows/anchors.json', 'utf8'), printAnchors(covered.anchors), 'make it anew: npm run coverage');
});

test('the editor knows every function that some run enters', async () => {
  const known = await knowFunctions(casesOf(), () => Promise.resolve());
  const names = new Set([...known.values()].map(({ fn: { home, name } }) => `${home.world} ${home.path} ${name}`));
  const all = [...covered.functions].flatMap(([home, entries]) => [...entries.keys()].map((name) => `${home} ${name}`));
  assert.deepEqual(
    all.filter((one) => !names.has(one)),
    [],
    'make the further cases anew: npm run cases',
  );
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
