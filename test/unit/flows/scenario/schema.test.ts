import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { CATALOGUE } from '../../../../src/flows/catalogue';
import { readJson } from '../../../../src/flows/scenario/json';
import { readScenario } from '../../../../src/flows/scenario/scenario';
import { notesSchema, scenarioSchema } from '../../../../src/flows/scenario/schema';

/** The schemas that editors have: they say what the reader says, as far as a schema can. */

const folder = 'test/fixtures/scenarios';
const schemas = { 'schemas/virtflow.schema.json': scenarioSchema(CATALOGUE), 'schemas/virtflow-notes.schema.json': notesSchema() };

for (const [file, schema] of Object.entries(schemas))
  test(`${file} is what the catalogue and the format make (else: npm run schema)`, () => {
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(schema)));
  });

// What VS Code adds to JSON schema.
const ajv = new Ajv({ allErrors: true, keywords: ['enumDescriptions', 'allowTrailingCommas'] });
const validate = ajv.compile(scenarioSchema(CATALOGUE));

const scenariosIn = (path: string): readonly string[] =>
  readdirSync(path)
    .filter((file) => file.endsWith('.json'))
    .map((file) => readFileSync(`${path}/${file}`, 'utf8'));

test('the scenarios of the repository are valid', () => {
  for (const text of scenariosIn(folder)) assert.ok(validate(readJson(text).value), ajv.errorsText(validate.errors));
});

/** Whether the reader finds something wrong that a schema can tell. */
function isMisshapen(text: string): boolean {
  const read = readScenario(text);
  return read.kind === 'malformed' && read.mistakes.some(({ kind }) => kind === 'shape');
}

test('of malformed files the schema finds those that are misshapen', () => {
  const texts = scenariosIn(`${folder}/malformed`).filter((text) => readJson(text).mistakes.length === 0);
  for (const text of texts) assert.equal(!validate(readJson(text).value), isMisshapen(text), text.slice(0, 60));
  assert.ok(texts.some(isMisshapen) && !texts.every(isMisshapen));
});

/** A scenario with something in it replaced, added or taken away. */
const changed = fc
  .tuple(
    fc.constantFrom(...scenariosIn(folder)),
    fc.array(fc.nat(), { maxLength: 6 }),
    fc.constantFrom('function', 'step', 'kind', 'at', 'times', 'flow', 'is', 'of', 'interrupts', 'name', 'strange'),
    fc.oneof(
      fc.constantFrom('pic', 'vfio-intx', 'raise', 'reached', 'idle', 'disintx', { step: 3 }, { function: 'edu_probe' }, [{ name: 'eoi' }]),
      fc.jsonValue(),
      fc.constant(undefined),
    ),
  )
  .map(([text, way, name, value]) => {
    const root = readJson(text).value as Record<string, unknown>;
    let at: Record<string, unknown> | unknown[] = root;
    for (const turn of way) {
      const inner: unknown = Object.values(at)[turn % Math.max(1, Object.keys(at).length)];
      if (typeof inner !== 'object' || inner === null) break;
      at = inner as Record<string, unknown>;
    }
    if (Array.isArray(at)) at.push(value ?? 0);
    else at[name] = value;
    return JSON.stringify(root);
  });

test('schema and reader agree, whatever is changed in a scenario', () => {
  const seen = { good: 0, bad: 0 };
  fc.assert(
    fc.property(changed, (text) => {
      const valid = validate(JSON.parse(text));
      seen[valid ? 'good' : 'bad']++;
      assert.equal(isMisshapen(text), !valid, `${text}\n${ajv.errorsText(validate.errors)}`);
    }),
    { numRuns: 2000 },
  );
  assert.ok(seen.good > 50 && seen.bad > 50, `${seen.good} good, ${seen.bad} bad`);
});
