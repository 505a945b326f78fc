import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { findAnchor } from '../../../src/sources/anchor';
import { scanAssembly } from '../../../src/sources/assembly';
import type { Text } from '../../../src/sources/lexer';
import { scanC } from '../../../src/sources/scanner';

/** A file as tokens; the function meant is `target`, the anchors meant are marked by their place in it. */
const TARGET = tokensOf(
  'static int target ( struct a * ctx , int level ) { if ( level ) { ctx -> masked = true ; signal ( ctx ) ; } return 0 ; }',
);

const UNRELATED = [
  'static void other ( int signal ) { signal ( 1 ) ; masked = 2 ; target ( 3 ) ; }',
  'int target ( struct a * ctx , int level ) ;',
  'struct b { int target ; struct { int masked ; } c ; } ;',
  'static const struct ops table = { . op = target , } ;',
  'static int ( * const handlers [ ] ) ( int a ) = { [ SIGNAL ] = target , } ;',
  'DEFINE_ENTRY ( entry ) { target ( ) ; }',
  'module_init ( entry )',
].map(tokensOf);

const gap = fc.constantFrom(
  ...[' ', '  ', '\n', '\n\n\t', ' \\\n ', '/* } target( { " */', "// signal( ' {\n"],
  ...['\n#if X\n#endif\n', '\n#if 0\n } target(\n#endif\n'],
);

const program = fc
  .record({ before: fc.array(fc.constantFrom(...UNRELATED)), after: fc.array(fc.constantFrom(...UNRELATED)) })
  .map(({ before, after }) => ({ tokens: [...before.flat(), ...TARGET, ...after.flat()], first: before.flat().length }));

describe('what a reference finds does not change with', () => {
  it('comments, blanks, line breaks, dead branches and unrelated declarations', () => {
    fc.assert(
      fc.property(program, fc.array(gap, { minLength: 1, maxLength: 30 }), ({ tokens, first }, gaps) => {
        const { text, starts } = render(tokens, gaps);
        const definition = scanC(text).find(({ name, kind }) => name === 'target' && kind === 'function');
        assert.ok(definition?.body);
        assert.equal(definition.nameStart, starts[first + TARGET.indexOf('target')]);
        const call = findAnchor(text, definition.body, { token: 'signal', as: 'call' });
        assert.equal(call?.start, starts[first + TARGET.indexOf('signal')]);
        const write = findAnchor(text, definition.body, { token: 'masked', as: 'write' });
        assert.equal(write?.start, starts[first + TARGET.indexOf('masked')]);
      }),
    );
  });

  function render(tokens: readonly string[], gaps: readonly string[]): { text: string; starts: readonly number[] } {
    const starts: number[] = [];
    let text = '';
    tokens.forEach((token, i) => {
      starts.push(text.length);
      text += token + (gaps[i % gaps.length] ?? ' ');
    });
    return { text, starts };
  }
});

describe('hostile text', () => {
  const PIECES = [
    ...['{', '}', '(', ')', '[', ']', '"', "'", '\\', '\\\n', '\n', '\r\n', '/*', '*/', '//', ';', ',', '=', '++', '->', '*'],
    ...[' ', 'a', 'B', '__c', 'extern', 'struct', 'int f(void) {', 'SYM_FUNC_START(a)', 'SYM_FUNC_END(a)', 'é', '\0', '#'],
    ...['\n#if 0\n', '\n#if A\n', '\n#else\n', '\n#endif\n', '\n#define d(', '\n#define d '],
  ];
  const hostile = fc.oneof(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 400 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary', maxLength: 400 }),
  );

  it('never makes the scanner throw or leave the text', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const { name, nameStart, body } of [...scanC(text), ...scanAssembly(text)]) {
          assert.equal(text.slice(nameStart, nameStart + name.length), name);
          if (body) assert.ok(nameStart <= body.start && body.start <= body.end && body.end <= text.length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('costs no more than its length allows', () => {
    fc.assert(
      fc.property(hostile, (text) => assert.ok(cost(text) <= 30 * (text.length + 10))),
      { numRuns: 1000 },
    );
  });

  it('costs twice as much when it is twice as long', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 4 }), (pieces) => {
        const piece = pieces.join('');
        assert.ok(cost(piece.repeat(400)) <= 2.5 * cost(piece.repeat(200)) + 500);
      }),
      { numRuns: 300 },
    );
  });

  /** How many characters all readings together look at. */
  function cost(text: string): number {
    let reads = 0;
    const counted: Text = {
      length: text.length,
      charCodeAt: (at) => {
        reads++;
        return text.charCodeAt(at);
      },
      slice: (start, end) => {
        const part = text.slice(start, end);
        reads += part.length;
        return part;
      },
    };
    scanC(counted);
    scanAssembly(counted);
    const body = { start: 0, end: text.length };
    for (const as of ['name', 'call', 'write'] as const) findAnchor(counted, body, { token: 'nowhere', as });
    return reads;
  }
});

function tokensOf(text: string): readonly string[] {
  return text.split(' ');
}
