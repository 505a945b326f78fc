import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CATALOGUE } from '../../../../src/flows/catalogue';
import type { Flow, ParameterSpec } from '../../../../src/flows/flow';
import { readPlace, writePlace, type Place } from '../../../../src/flows/export/link';

/** Links are one text, made and read here; what is read may come from anybody. */

const value = (spec: ParameterSpec): fc.Arbitrary<string | number | boolean> => {
  switch (spec.kind) {
    case 'boolean':
      return fc.boolean();
    case 'choice':
      return fc.constantFrom(...spec.choices.map((choice) => choice.value));
    case 'number':
      return fc.integer({ min: spec.minimum, max: spec.maximum });
  }
};

const number = fc.nat(999_999_999);

const plain = { noNullPrototype: true } as const;

const placeIn = (flow: Flow): fc.Arbitrary<Place> => {
  const parameters = fc.record(Object.fromEntries(flow.parameters.map((spec) => [spec.name, value(spec)])), plain);
  const stimulus = fc.record({ at: number, name: fc.constantFrom(...flow.stimuli.map(({ name }) => name)) }, plain);
  const edit = fc.record({ at: number, cell: fc.string({ unit: 'binary', maxLength: 40 }), value: fc.maxSafeInteger() }, plain);
  return fc
    .record({
      parameters,
      stimuli: fc.array(stimulus, { maxLength: 20 }),
      edits: fc.array(edit, { maxLength: 5 }),
      seed: number,
      step: number,
    })
    .map(({ step, edits, ...inputs }) => ({ flow, inputs: edits.length === 0 ? inputs : { ...inputs, edits }, step }));
};
const places = fc.oneof(...CATALOGUE.map(placeIn));

test('a place that was written is read back', () => {
  fc.assert(
    fc.property(places, (place) => {
      const text = writePlace(place);
      assert.deepEqual(readPlace(text), { kind: 'place', ...place });
      // No layer of URIs between here and there changes any of it.
      assert.equal(decodeURIComponent(text), text);
      assert.equal(new URL(`vscode://a.b/step?${text}`).search.slice(1), text);
    }),
    { numRuns: 500 },
  );
});

/** Texts with the words of a link in them, and links with a part changed. */
const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .array(
      fc.oneof(fc.constantFrom('&', '=', '~', '@', 'v=1', 'flow=pic', 'set.', '__proto__', 'inject=', 'step=', '%', '~41~'), fc.string()),
    )
    .map((parts) => parts.join('')),
  fc.tuple(places, fc.nat(), fc.nat(5), fc.string({ maxLength: 5 })).map(([place, at, drop, insert]) => {
    const text = writePlace(place);
    const start = at % (text.length + 1);
    return text.slice(0, start) + insert + text.slice(start + drop);
  }),
);

test('whatever text comes, it is a place that can be written, or there is a reason', () => {
  fc.assert(
    fc.property(noise, (text) => {
      const found = readPlace(text);
      if (found.kind === 'malformed') {
        assert.ok(found.problem.length > 5 && found.problem.length < 400, found.problem);
      } else {
        const { kind, ...place } = found;
        assert.equal(kind, 'place');
        assert.deepEqual(readPlace(writePlace(place)), found);
      }
    }),
    { numRuns: 5000 },
  );
});

const REFUSED: Readonly<Record<string, RegExp>> = {
  '': /NAME=VALUE/,
  'flow=pic&step=1': /another version/,
  'v=2&flow=pic': /another version/,
  'v=1&flow=nothing': /no flow "nothing"/,
  'v=1&flow=pic&flow=ioapic': /flow twice/,
  'v=1&flow=pic&step=-1': /step is "-1"/,
  'v=1&flow=pic&step=1e3': /step is "1e3"/,
  'v=1&flow=pic&set.__proto__=1': /no name of a parameter/,
  'v=1&flow=pic&set.constructor=1': /no parameter "constructor"/,
  [`v=1&flow=pic&set.qemu=${'7'.repeat(1000)}`]: /more than 64/,
  'v=1&flow=pic&inject=x@1': /no stimulus "x"/,
  'v=1&flow=pic&inject=x': /step of stimulus x/,
  'v=1&flow=pic&edit=irr@1@0.5': /value of cell irr is no whole number/,
  'v=1&flow=pic&edit=irr@1@9999999999999999': /value of cell irr/,
  'v=1&flow=pic&edit=irr@x@1': /step of cell irr is "x"/,
  'v=1&flow=pic&script=1': /does not know/,
  'v=1&flow=p~69~': /no flow "pi"/,
  'v=1&flow=p~': /not written as/,
  [`v=1&flow=${'x'.repeat(20_000)}`]: /longer than/,
  [`v=1&flow=pic${'&inject=raise@1'.repeat(1000)}`]: /more than|no stimulus/,
};

for (const [text, problem] of Object.entries(REFUSED)) {
  test(`"${text.slice(0, 40)}" is refused, and says why`, () => {
    const found = readPlace(text);
    assert.equal(found.kind, 'malformed');
    if (found.kind === 'malformed') assert.match(found.problem, problem);
  });
}
