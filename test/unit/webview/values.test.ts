import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { bit, bitsOf, formatValue as formatInEngine, register, vectors, type CellType as EngineType } from '../../../src/engine/cell';
import type { BitFieldView, CellType } from '../../../src/webview/protocol';
import type { ShownState } from '../../../src/webview/host';
import { wantedBy } from '../../../src/webview/registers/wanted';
import { createSample } from '../../webview/sample';
import { bitsSet, fieldText, fieldValue, formatValue, readTyped, rowsOf, withField } from '../../../src/webview/registers/values';

const { outline } = createSample(1);
const word = fc.integer({ min: 0, max: 0xffffffff });
const field: fc.Arbitrary<BitFieldView> = fc
  .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 1, max: 32 }))
  .filter(([low, width]) => low + width <= 32)
  .map(([low, width]) => ({ name: 'field', low, width }));

test('a field that was put into a word is read from it, and all other bits stay', () => {
  fc.assert(
    fc.property(word, field, word, (held, of, given) => {
      const value = given % 2 ** of.width;
      const changed = withField(held, of, value);
      assert.equal(fieldValue(changed, of), value);
      assert.equal(withField(changed, of, fieldValue(held, of)), held);
      assert.ok(changed >= 0 && changed <= 0xffffffff);
    }),
  );
});

test('the bits that are set make up the word', () => {
  fc.assert(
    fc.property(word, (held) =>
      assert.equal(
        bitsSet(held).reduce((sum, low) => sum + 2 ** low, 0),
        held,
      ),
    ),
  );
});

test('what is shown can be typed again', () => {
  const types = fc.constantFrom<CellType>(
    { kind: 'int' },
    { kind: 'hex', bits: 32 },
    { kind: 'bits', bits: 32, fields: [] },
    { kind: 'vectors', first: 0 },
  );
  fc.assert(fc.property(types, word, (type, value) => assert.deepEqual(readTyped(type, formatValue(type, value, [])), { value })));
  const boolean: CellType = { kind: 'bool' };
  for (const value of [0, 1]) assert.deepEqual(readTyped(boolean, formatValue(boolean, value, [])), { value });
  const mode: CellType = { kind: 'enum', names: [{ value: 7, name: 'APIC_DM_EXTINT' }] };
  assert.deepEqual(readTyped(mode, ' APIC_DM_EXTINT '), { value: 7 });
});

test('what cannot be a value says why', () => {
  const wrong: readonly (readonly [CellType, string])[] = [
    [{ kind: 'bool' }, '2'],
    [{ kind: 'int' }, '1.5'],
    [{ kind: 'int' }, ''],
    [{ kind: 'hex', bits: 8 }, '0x100'],
    [{ kind: 'hex', bits: 8 }, '-1'],
    [{ kind: 'bits', bits: 16, fields: [] }, '65536'],
    [{ kind: 'enum', names: [{ value: 0, name: 'EDGE' }] }, 'LEVEL'],
    [{ kind: 'pointer' }, '0'],
    [{ kind: 'int' }, '1e400'],
  ];
  for (const [type, text] of wrong) assert.ok('problem' in readTyped(type, text), `${type.kind} ${text}`);
});

test('numbers look as everywhere else', () => {
  const engine: readonly EngineType[] = [{ kind: 'bool' }, { kind: 'int' }, { kind: 'hex', bits: 8 }, vectors(2).type];
  for (const type of engine)
    for (const value of [0, 1, 0x26])
      assert.equal(
        formatValue(type as CellType, value, []),
        formatInEngine(type, value, () => ''),
      );
});

test('a register keeps its fields in order, whatever order they were told in', () => {
  const { type } = register(8, [bit(7, 'high'), bitsOf(3, 0, 'low', 'Four bits.', ['zero', undefined, 'two'])]);
  assert.ok(type.kind === 'bits');
  assert.deepEqual(
    type.fields.map(({ name }) => name),
    ['low', 'high'],
  );
  assert.deepEqual(type.names.indexOf('high'), 7);
  const [low] = type.fields;
  const shown: BitFieldView = { ...low!, values: ['zero', '', 'two'] };
  assert.deepEqual(
    [0, 1, 2].map((value) => fieldText(shown, value)),
    ['zero', '0x1', 'two'],
  );
});

test('the words of a wide register are one line', () => {
  const types: readonly CellType[] = [{ kind: 'int' }, { kind: 'vectors', first: 0 }];
  const cell = (name: string, type: number) => ({ name, type, touched: true });
  const cells = [cell('id', 0), cell('irr[0]', 1), cell('irr[1]', 1), cell('isr[0]', 1), cell('isr[1]', 1), cell('count[0]', 0)];
  const rows = rowsOf({ struct: 's', name: 'n', doc: '', born: 0, first: 10, cells }, types);
  assert.deepEqual(rows, [
    { name: 'id', from: 0, to: 1 },
    { name: 'irr', from: 1, to: 3 },
    { name: 'isr', from: 3, to: 5 },
    { name: 'count[0]', from: 5, to: 6 },
  ]);
});

test('a filter finds structures, instances, cells and bits, among what is to be shown', () => {
  const fields = [{ name: 'REMOTE_IRR', low: 14, width: 1 }];
  const types: readonly CellType[] = [{ kind: 'int' }, { kind: 'bits', bits: 32, fields }];
  const cells = [
    { name: 'id', type: 0, touched: false },
    { name: 'redirtbl[21]', type: 1, touched: true },
  ];
  const component = { struct: 'kvm_ioapic', name: 'VM 1', doc: '', born: 0, first: 0, cells };
  const rows = rowsOf(component, types);
  const found = (filter: string, shown: ShownState, written = false) =>
    rows.filter((row) => wantedBy({ ...outline, types }, filter, shown)(component, row, written)).map(({ name }) => name);
  assert.deepEqual(found('', 'all'), ['id', 'redirtbl[21]']);
  assert.deepEqual(found('', 'touched'), ['redirtbl[21]']);
  assert.deepEqual(found('', 'changed'), []);
  assert.deepEqual(found(' Remote ', 'all'), ['redirtbl[21]']);
  assert.deepEqual(found('vm 1', 'all', true), ['id', 'redirtbl[21]']);
  assert.deepEqual(found('KVM_IO', 'touched'), ['redirtbl[21]']);
  assert.deepEqual(found('isr', 'all'), []);
});
