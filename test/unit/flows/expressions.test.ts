import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { complete } from '../../../src/flows/completion';
import { compile, evaluate, printValue } from '../../../src/flows/expressions';
import { defaults, simulate } from '../../../src/flows/flow';
import { cellKey } from '../../../src/flows/names';
import { isProblem, parse, type Binary, type Expression } from '../../../src/flows/syntax';
import { vfio_intx } from '../../../src/flows/vfio-intx';

/** Expressions mean what C says, name what the views name, and survive whatever anybody types. */

const run = simulate(vfio_intx, { parameters: { ...defaults(vfio_intx), interrupts: 1 }, stimuli: [], seed: 0 });
const end = createCursor(run);
end.seek(run.journal.length - 1);

function said(text: string, cursor = end): string {
  const value = evaluate(run, cursor, text);
  return isProblem(value) ? `${value.problem} at ${value.offset}` : printValue(run, value);
}

type Tree =
  | bigint
  | { readonly operator: '!' | '~' | '-'; readonly of: Tree }
  | { readonly operator: Binary; readonly left: Tree; readonly right: Tree };

const LEVELS: readonly (readonly Binary[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const levelOf = (operator: Binary): number => LEVELS.findIndex((level) => level.includes(operator));
const UNARY = LEVELS.length;

const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(fc.nat(40), fc.nat(0xffff), fc.integer({ min: 0, max: 0xffffffff })).map(BigInt),
    fc.record({ operator: fc.constantFrom('!' as const, '~' as const, '-' as const), of: tie('tree') }, { noNullPrototype: true }),
    fc.record({ operator: fc.constantFrom(...LEVELS.flat()), left: tie('tree'), right: tie('tree') }, { noNullPrototype: true }),
  ),
})).tree;

/** As C needs it: parentheses only where the precedence is against the tree. */
function written(of: Tree, least = 0): string {
  if (typeof of === 'bigint') return of % 2n === 0n ? String(of) : `0x${of.toString(16)}`;
  const [own, text] =
    'of' in of
      ? [UNARY, `${of.operator} ${written(of.of, UNARY)}`]
      : [levelOf(of.operator), `${written(of.left, levelOf(of.operator))} ${of.operator} ${written(of.right, levelOf(of.operator) + 1)}`];
  return own < least ? `(${text})` : text;
}

/** The same tree, as it was read. */
function treeOf(expression: Expression): Tree {
  if (expression.kind === 'number') return BigInt(expression.value);
  if (expression.kind === 'unary') return { operator: expression.operator as '!', of: treeOf(expression.operand) };
  assert.ok(expression.kind === 'binary', expression.kind);
  return { operator: expression.operator, left: treeOf(expression.left), right: treeOf(expression.right) };
}

/** The value by arithmetic without bounds, or undefined where there is none within them. */
function valueOf(of: Tree): bigint | undefined {
  const safe = (value: bigint): bigint | undefined => (value > 2n ** 53n - 1n || value < 1n - 2n ** 53n ? undefined : value);
  const unsigned = (value: bigint): bigint | undefined => (value >= 0n ? value : value >= -(2n ** 31n) ? value + 2n ** 32n : undefined);
  if (typeof of === 'bigint') return of;
  if ('of' in of) {
    const value = valueOf(of.of);
    if (value === undefined) return undefined;
    if (of.operator === '!') return BigInt(value === 0n);
    if (of.operator === '-') return -value;
    const word = unsigned(value);
    return word === undefined || word >= 2n ** 32n ? undefined : 2n ** 32n - 1n - word;
  }
  const a = valueOf(of.left);
  if (a === undefined) return undefined;
  // Like C, it does not look at the right side if the left one decides.
  if (of.operator === '||' && a !== 0n) return 1n;
  if (of.operator === '&&' && a === 0n) return 0n;
  const b = valueOf(of.right);
  if (b === undefined) return undefined;
  const [x, y] = [unsigned(a), unsigned(b)];
  switch (of.operator) {
    case '||':
    case '&&':
      return BigInt(b !== 0n);
    case '==':
      return BigInt(a === b);
    case '!=':
      return BigInt(a !== b);
    case '<':
      return BigInt(a < b);
    case '<=':
      return BigInt(a <= b);
    case '>':
      return BigInt(a > b);
    case '>=':
      return BigInt(a >= b);
    case '+':
      return safe(a + b);
    case '-':
      return safe(a - b);
    case '*':
      return safe(a * b);
    case '/':
      return b === 0n ? undefined : a / b;
    case '%':
      return b === 0n ? undefined : a % b;
    case '<<':
      return x === undefined || b < 0n || b > 52n ? undefined : safe(x << b);
    case '>>':
      return x === undefined || b < 0n || b > 52n ? undefined : x >> b;
    case '&':
      return x === undefined || y === undefined ? undefined : x & y;
    case '|':
      return x === undefined || y === undefined ? undefined : x | y;
    case '^':
      return x === undefined || y === undefined ? undefined : x ^ y;
  }
}

test('an expression is read as C reads it', () => {
  fc.assert(
    fc.property(tree, (meant) => {
      const read = parse(written(meant));
      assert.ok(!isProblem(read), written(meant));
      assert.deepEqual(treeOf(read), meant);
    }),
    { numRuns: 1000 },
  );
});

test('its value is exact, or there is none', () => {
  fc.assert(
    fc.property(tree, (meant) => {
      const value = evaluate(run, end, written(meant));
      const exact = valueOf(meant);
      if (exact === undefined) assert.ok(isProblem(value), written(meant));
      else
        assert.ok(
          !isProblem(value) && Object.is(value.value, Number(exact)),
          `${written(meant)} is ${exact}, not ${JSON.stringify(value)}`,
        );
    }),
    { numRuns: 3000 },
  );
});

test('every cell is named by its key, and prints as a cell does', () => {
  for (const { id } of run.cells) {
    const value = evaluate(run, end, cellKey(run, id));
    assert.ok(!isProblem(value), cellKey(run, id));
    assert.deepEqual([value.cell, value.value], [id, end.value(id)]);
  }
});

test('names, constants and variables', () => {
  const raised = createCursor(run);
  let step = 0;
  while (
    !run.journal
      .writesOf(step)
      .some(
        (index, side) => side === 0 && index < run.journal.writesOf(step)[1] && run.cells[run.journal.write(index).cell]?.name === 'INTx',
      )
  )
    step++;
  raised.seek(step);
  const answers: readonly (readonly [string, string])[] = [
    ['pci_function.INTx', 'true'],
    ['INTx', 'true'],
    ['pci_function(00:03.0).PCI_STATUS', '0x0018 INTERRUPT | CAP_LIST'],
    ['pci_function.PCI_STATUS & INTERRUPT', '0x00000008'],
    ['pci_function.PCI_STATUS & INTERRUPT && !host_ioapic_pin.mask', 'true'],
    ['$step', String(step)],
    ['$thread == "device"', 'true'],
    ['$thread', 'device'],
    ['INTx ? 0x10 : 2', '0x10'],
    ['-1 & 0xff', '0xff'],
    ['vfio_pci_irq_ctx.masked == false', 'true'],
    ['kvm_kpic_state.irr', 'kvm_kpic_state.irr could be of kvm_kpic_state(master) or kvm_kpic_state(slave) at 0'],
    ['1 + kvm_kpic', 'there is no kvm_kpic in this run at 4'],
    ['host_ioapic_pin', 'host_ioapic_pin is a structure: it has mask or remote_irr at 0'],
    ['virqfd(unmask).eventfd.x', 'there is no virqfd(unmask).eventfd.x in this run at 0'],
    ['1 +', 'expected a value, but it ends here at 3'],
    ['(1', 'expected “)”, but it ends here at 2'],
    ['1 2', 'expected an operator, not “2” at 2'],
    ['1 ? 2', 'expected “:”, but it ends here at 5'],
    ['1 / (2 - 2)', 'cannot divide by 0 at 2'],
    ['9007199254740993', '9007199254740993 has more than 53 bits at 0'],
    ['INTx; 1', '“;” has no meaning here at 4'],
    ['$colour', 'there is no $colour, only $step, $thread, $result at 0'],
  ];
  for (const [text, answer] of answers) assert.equal(said(text, raised), answer, text);
  assert.match(said('"nobody" == $thread'), /^there is no thread “nobody”, only /);
});

test('a result is what was returned just before', () => {
  const cursor = createCursor(run);
  for (let n = 0; n < run.journal.length - 1; n++) {
    const { kind, result } = run.journal.step(n);
    if (kind !== 'return' || run.journal.kind(n + 1) === 'return') continue;
    cursor.seek(n + 1);
    if (result === undefined) assert.match(said('$result', cursor), /^no number was returned/);
    else assert.equal(said('$result', cursor), String(result));
  }
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2000 }),
  fc
    .array(
      fc.constantFrom(
        '(',
        ')',
        '!',
        '1',
        ' ',
        'irr',
        'kvm_kpic_state.',
        '[',
        ']',
        '?',
        ':',
        '$',
        '"',
        '&&',
        '<<',
        '.',
        '0x',
        '->',
        '~',
        '-',
        '%',
      ),
      { maxLength: 600 },
    )
    .map((parts) => parts.join('')),
  fc.nat(3000).map((length) => '('.repeat(length)),
  fc.nat(3000).map((length) => `${'1+'.repeat(length)}1`),
  fc.nat(3000).map((length) => `${'1?'.repeat(length)}1`),
  fc.nat(3000).map((length) => `a${'[a'.repeat(length)}`),
);

test('whatever is typed is an expression or a problem with its place in the text', () => {
  fc.assert(
    fc.property(hostile, fc.nat(), (text, offset) => {
      const formula = compile(run, text);
      const result = isProblem(formula) ? formula : formula.at(end);
      if (isProblem(result)) assert.ok(result.offset >= 0 && result.offset <= text.length && result.problem.length < 2000);
      else assert.ok(Number.isSafeInteger(result.value));
      assert.ok(Array.isArray(complete(run, text, offset % (text.length + 1))));
    }),
    { numRuns: 1000 },
  );
});

test('what completes a name is one', () => {
  const offered = (text: string): readonly string[] => complete(run, text, text.length).map((each) => each.text);
  assert.deepEqual(offered('1 + pci_func'), ['pci_function']);
  assert.deepEqual(offered('!pci_function.IN'), ['pci_function.INTx']);
  assert.deepEqual(offered('kvm_kpic'), ['kvm_kpic_state(master)', 'kvm_kpic_state(slave)']);
  assert.deepEqual(offered('kvm_kpic_state(master).ir'), ['kvm_kpic_state(master).irr', 'kvm_kpic_state(master).irq_base']);
  assert.deepEqual(offered('$s'), ['$step']);
  assert.ok(offered('1 & INT').includes('INTERRUPT'));
  for (const { id } of run.cells) {
    const key = cellKey(run, id);
    const half = key.slice(0, key.lastIndexOf(').') + 3);
    assert.ok(offered(half).includes(key), half);
  }
});
