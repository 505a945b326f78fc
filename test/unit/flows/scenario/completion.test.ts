import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { suggestionsAt } from '../../../../src/flows/scenario/completion';
import { readScenario } from '../../../../src/flows/scenario/scenario';

/** Suggests at the `|` of a text. */
function at(marked: string, from: 'models' | 'schema' = 'schema') {
  const text = marked.replace('|', '');
  const { offset, length, suggestions } = suggestionsAt(text, marked.indexOf('|'), from);
  return { replaced: text.slice(offset, offset + length), texts: suggestions.map((each) => each.text), suggestions };
}

test('the properties of a scenario that it has not yet', () => {
  const { texts, replaced } = at('{ "version": 1, "fl|" }');
  assert.equal(replaced, '"fl"');
  assert.ok(texts.includes('"flow": ') && texts.includes('"chapters": '));
  assert.ok(!texts.includes('"version": '), 'it has one');
});

test('a property that has its colon gets no other', () => {
  assert.ok(at('{ "fl|": "pic" }').texts.includes('"flow"'));
});

test('the flows, with their titles', () => {
  const { suggestions } = at('{ "flow": | }');
  assert.deepEqual(
    suggestions.find(({ text }) => text === '"vfio-intx"'),
    { kind: 'value', text: '"vfio-intx"', detail: 'VFIO INTx' },
  );
});

test('the parameters of this flow and of no other, and their values', () => {
  const { texts } = at('{ "flow": "vfio-intx", "parameters": { | } }');
  assert.ok(texts.includes('"kvm-intx": ') && !texts.includes('"base": '), texts.join(' '));
  assert.deepEqual(at('{ "flow": "vfio-intx", "parameters": { "kvm-intx": | } }').texts, ['true', 'false']);
  assert.ok(at('{ "flow": "vfio-intx", "parameters": { "guest-irq": "|" } }').texts.includes('"ioapic"'));
});

test('the stimuli of the flow', () => {
  assert.ok(at('{ "flow": "vfio-intx", "stimuli": [{ "name": "|" }] }').texts.includes('"raise"'));
});

test('the kinds of expectations, and what belongs to one', () => {
  assert.ok(at('{ "expectations": [{ "kind": "|" }] }').texts.includes('"never-reached"'));
  const { texts } = at('{ "expectations": [{ "kind": "ending", "|" }] }');
  assert.deepEqual(texts.toSorted(), ['"because": ', '"is": ']);
  assert.ok(at('{ "expectations": [{ "kind": "ending", "is": "|" }] }').texts.includes('"idle"'));
});

test('functions, the files of one and the identifiers in it, whoever reads the schema', () => {
  for (const from of ['models', 'schema'] as const) {
    const { suggestions } = at('{ "chapters": [{ "at": { "function": "vfio|" } }] }', from);
    assert.match(suggestions.find(({ text }) => text === '"vfio_intx_handler"')?.detail ?? '', /interrupt handler/);
    assert.ok(at('{ "notes": [{ "at": { "function": "irqfd_wakeup", "anchor": "|" } }] }', from).texts.includes('"schedule_work"'));
    assert.deepEqual(at('{ "notes": [{ "at": { "function": "irqfd_wakeup", "file": | } }] }', from).texts, ['"virt/kvm/eventfd.c"']);
  }
});

test('where another one reads the schema, what it lists is left to that one', () => {
  assert.deepEqual(at('{ | }', 'models').texts, []);
  assert.deepEqual(at('{ "flow": "|" }', 'models').texts, []);
});

test('what is suggested for the flow is no mistake there', () => {
  const { texts } = at('{ "version": 1, "title": "x", "flow": | }');
  assert.ok(texts.length > 0);
  for (const text of texts) assert.equal(readScenario(`{ "version": 1, "title": "x", "flow": ${text} }`).kind, 'scenario');
});

test('any text gets an answer, within the text', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '"flow"',
    '"at"',
    '"function"',
    '"vfio-intx"',
    ' ',
    '\n',
    '1',
    'tru',
    '/*',
    '\\',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(), (pieces, n) => {
      const text = pieces.join('');
      const cursor = n % (text.length + 1);
      const { offset, length } = suggestionsAt(text, cursor, 'schema');
      assert.ok(offset >= 0 && offset <= cursor && offset + length <= text.length);
    }),
  );
});
