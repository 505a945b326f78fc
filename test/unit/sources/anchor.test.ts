import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Anchor } from '../../../src/engine/reference';
import { findAnchor } from '../../../src/sources/anchor';

/** Each body marks the expected occurrence of `x` with '@' before it; without a mark none is expected. */
const CASES: Readonly<Record<Anchor['as'], readonly string[]>> = {
  name: [
    ...['{ @x; x = 1; }', '{ xx; x1; _x; y->@x(); }', '{ /* x */ "x"; \'x\'; // x\n @x; }', '{\n#ifdef x\n#endif\n y; }', '{ }'],
    ...['{ int x; y(@x); }', '{ struct y *x, z; @x = 1; }', '{ u8 y, *x; @x = 1; }', '{ static long x[2]; y(@x); }'],
    ...['{ int (*x)(void); y = @x(); }', '{ struct x *y; y(@x); }', '{ y(); struct x z = y->@x; }'],
    ...['{ int @x = y(); z(x); }', '{ return @x; }', '{ y(*@x); x = 1; }', '{ y = a, @x; }', '{ @x, y }', '{ y, @x, z }'],
    ...['{ if (y) @x; x = 1; }', '{ else @x; x(); }', '{ int @x; }'],
  ],
  call: [
    '{ x; y(x); @x(1); x(2); }',
    '{ wrap(x)(1); @x (2); }',
    '{ a->@x(1); }',
    '{ /* x( */ "x("; }',
    '{ x /* now */; @x /* now */ (1); }',
    '{\n#if 0\n x(1);\n#else\n @x(2);\n#endif\n}',
    ' y(a), @x(b)',
  ],
  write: [
    '{ y(x); @x = 1; }',
    '{ if (x == 1 || x <= 2 || x != 3) @x |= 2; }',
    '{ a.x; a->@x &= ~1; }',
    '{ y[x] = 1; @x[x] = 2; }',
    '{ f(x); @x[i][j].irr = 2; }',
    '{ z = x; @x->bits.irr <<= 1; }',
    '{ f(x); @x++; }',
    '{ f(x); --@x; }',
    '{ f(x); ++a->b->@x; }',
    '{ y++; f(@x); }',
    '{ y = @x; z = x; }',
    '{ __set_bit(1, &v->@x); }',
    '{ .@x = true }',
    '{ y = x - 1; f(x[1]); @x -= 1; }',
    '{ struct y *x = z->x; z->@x = 0; }',
    '{ x = y(); z->@x = x; }',
    '{ @x = 1; y(z->x[i]); x = 2; }',
    '{ int x; y(&z->@x); }',
  ],
};

describe('findAnchor', () => {
  for (const as of ['name', 'call', 'write'] as const) {
    for (const marked of CASES[as]) {
      it(`${as}: ${marked.replaceAll('\n', '⏎')}`, () => {
        const expected = marked.indexOf('@');
        const text = marked.replace('@', '');
        const found = findAnchor(text, { start: 0, end: text.length }, { token: 'x', as });
        assert.deepEqual(found, expected < 0 ? undefined : { start: expected, end: expected + 1 });
      });
    }
  }

  it('looks at the body alone', () => {
    const text = 'x(); { y(); } x();';
    assert.equal(findAnchor(text, { start: 5, end: 13 }, { token: 'x', as: 'call' }), undefined);
  });
});

it('an anchor behind another identifier is the first occurrence after that one, or none', () => {
  const text = '{ if (a) x = 1; else if (check(b)) x = 2; y = x; }';
  const body = { start: 0, end: text.length };
  const at = (after: string) => findAnchor(text, body, { token: 'x', as: 'write', after })?.start;
  assert.equal(at('a'), text.indexOf('x = 1'));
  assert.equal(at('check'), text.indexOf('x = 2'));
  assert.equal(at('nowhere'), undefined);
});

it('an anchor behind several identifiers passes them in turn', () => {
  const text = '{ x = last; x = last; x = 3; }';
  const body = { start: 0, end: text.length };
  const at = (after: string) => findAnchor(text, body, { token: 'x', as: 'write', after })?.start;
  assert.equal(at('last'), text.indexOf('x = last; x = 3'));
  assert.equal(at('last last'), text.indexOf('x = 3'));
  assert.equal(at('last last last'), undefined);
});
