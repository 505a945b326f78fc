import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scanAssembly } from '../../../src/sources/assembly';
import { isWordAt } from '../../../src/sources/lexer';
import { scanC } from '../../../src/sources/scanner';
import { names } from './support';

/** Each C text, and what it defines. */
const DEFINES: readonly (readonly [title: string, text: string, ...expected: string[]])[] = [
  ['a function', 'int f(void)\n{\n\treturn 0;\n}\n', 'function f'],
  ['a static inline function', 'static inline struct a *f(int x) { return g(x); }', 'function f'],
  ['a signature over several lines', 'static long\nf(struct a *a,\n  int (*b)(int),\n  void *c)\n{\n}', 'function f'],
  ['attributes around the name', 'static int __must_check __printf(1, 2) f(int x) __releases(l) NO_X {}', 'function f'],
  ['an attribute before the type', '__attribute__((format(a, 1, 2))) void f(int x) {}', 'function f'],
  ['a type that looks like an attribute', 'static __poll_t f(struct file *file) {}', 'function f'],
  ['a macro that defines what it names', 'DEFINE_ENTRY(f)\n{\n}', 'function f'],
  ['such a macro behind one without semicolon', 'EXPORT_X(a)\nDEFINE_ENTRY(f) {}', 'function f'],
  ['a system call', 'SYSCALL_DEFINE3(f, unsigned int, fd, char *, p) {}', 'function f'],
  ['a macro that spells the name', 'static int FNAME(f)(struct a *a) {}', 'function f'],
  ['a name in parentheses', 'int (f)(int a) {}', 'function f'],
  ['a function that returns a function pointer', 'static int (*f(int a))(int) {}', 'function f'],
  ['a function without a type', 'f(a) {}', 'function f'],
  ['a function in capitals', 'static inline void F_OP(int a) {}', 'function F_OP'],
  ['a struct as the return type', 'struct a f(void) {}', 'function f'],
  ['no prototype', 'int f(void);\nstatic int g(int a) __must_check;'],
  ['no type', 'struct a { int b; };\nenum c { D = 1 };\ntypedef int (*h)(int);'],
  ['a function behind a macro without semicolon', 'module_init(a)\nMODULE_X("b")\nstatic int f(void) {}', 'function f'],
  ['a struct behind a macro without semicolon', 'DECLARE_X(a, b)\nstruct c { int d; };\nint f(void) {}', 'function f'],
  ['a macro with statements as arguments', 'TRACE_X(a, B( if (c) { d; } ), e);\nint f(void) {}', 'function f'],
  ['functions under extern "C"', 'extern "C" {\nint f(void) {}\n}\nint g(void) {}', 'function f', 'function g'],
  ['an initialized struct', 'static const struct a_ops f = {\n .b = c,\n};', 'object f'],
  ['an array of function pointers', 'static int (*const f[])(struct a *b) = {\n [C] = d,\n};', 'object f'],
  ['an initialized array with an attribute', 'static struct a f[N + 1] __initdata = { { 1 }, };', 'object f'],
  ['an aligned object', 'static struct a f __aligned(8) = { 0 };', 'object f'],
  ['a per-CPU object', 'static DEFINE_PER_CPU(struct a, f) = { 1 };', 'object f'],
  ['a per-CPU array', 'static DEFINE_PER_CPU(struct a, f[N]) = { 1 };', 'object f'],
  ['an object of an unnamed struct', 'static struct { int a; } f = { 1 };', 'object f'],
  ['an object with a statement expression', 'int f = ({ a; b; });\nint g(void) {}', 'object f', 'function g'],
  ['a work item', 'static void g(struct work_struct *w);\nstatic DECLARE_WORK(f, g);\nint h(void) {}', 'object f', 'function h'],
  ['no object without initializer', 'static int f;\nextern struct a b[];'],
  ['macros with and without parameters', '#define f(a, b) g(a)\n# define h (1)', 'macro f', 'macro h'],
  ['a macro inside a function', 'int f(void) {\n#define g 1\n}', 'macro g', 'function f'],
  ['nothing in comments', '/* int f(void) {} */ // int g(void) {}\nint h(void) {}', 'function h'],
  ['nothing in a continued comment', '// a \\\nint f(void) {}\nint g(void) {}', 'function g'],
  ['nothing in strings', 'char *f = "}{ int g(void) {}";\nint h(void) { return \'{\'; }', 'object f', 'function h'],
  ['braces behind escaped quotes', 'int f(void) { g("\\"}", \'\\\'\', "\\\\"); }\nint h(void) {}', 'function f', 'function h'],
  ['a directive over several lines', '#define f(a) \\\n  do { \\\n  } while (0)\nint g(void) {}', 'macro f', 'function g'],
  ['a directive with a comment over lines', '#define f /* {\n { */ 1\nint g(void) {}', 'macro f', 'function g'],
  ['an apostrophe in a directive', "#error don't {\nint f(void) {}", 'function f'],
  ['Windows line ends', 'int f(int a,\\\r\n int b)\r\n{\r\n}\r\n#define g \\\r\n 1\r\n', 'function f', 'macro g'],
];

describe('scanC finds', () => {
  for (const [title, text, ...expected] of DEFINES) {
    it(title, () => assert.deepEqual(names(scanC(text)), expected));
  }
});

describe('isWordAt', () => {
  const text = `f(a) { g(a); /* g */ h("g", 'g'); // g\n#if g\n g\\\n(a) }`;
  for (const [title, offset, expected] of [
    ['a word of code', text.indexOf('g(a)'), true],
    ['a comment', text.indexOf('/* g') + 3, false],
    ['a string', text.indexOf('"g') + 1, false],
    ['a character', text.indexOf("'g") + 1, false],
    ['a comment to the end of the line', text.indexOf('// g') + 3, false],
    ['a preprocessor line', text.indexOf('#if g') + 4, false],
    ['code behind it', text.indexOf('\n g') + 2, true],
    ['a sign', text.indexOf('{'), false],
    ['the end', text.length, false],
  ] as const) {
    it(`says of ${title}: ${expected}`, () => assert.equal(isWordAt(text, offset), expected));
  }
});

describe('scanC and conditionals', () => {
  it('counts braces of alternative branches once', () => {
    const text = 'int f(int x) {\n#ifdef A\n if (x) {\n#elif B\n while (x) {\n#else\n for (;;) {\n#endif\n }\n}\nint g(void) {}';
    assert.deepEqual(names(scanC(text)), ['function f', 'function g']);
  });

  it('follows braces of one condition that is asked twice', () => {
    const text = 'int f(int x) {\n#ifdef A\n if (x) {\n#endif\n x++;\n#ifdef A\n }\n#endif\n}\nint g(void) {}';
    assert.deepEqual(names(scanC(text)), ['function f', 'function g']);
  });

  it('lets the first branch count where branches leave different braces open', () => {
    const text = 'int f(void) {\n#ifdef A\n if (x) {\n#else\n y();\n#endif\n z();\n#ifdef A\n }\n#endif\n}\nint g(void) {}';
    const [f, g] = scanC(text);
    assert.equal(f?.body?.end, text.indexOf('\nint g'));
    assert.equal(g?.name, 'g');
  });

  it('knows both ends of a function that ends in either branch', () => {
    const text = 'int f(void) {\n#ifdef A\n a(); }\n#else\n b(); }\n#endif\nint g(void) {}';
    assert.deepEqual(names(scanC(text)), ['function f', 'function f', 'function g']);
  });

  it('reads alternative signatures', () => {
    const text = '#ifdef A\nint f(int a)\n#else\nint f(void)\n#endif\n{ g(); }\nint h(void) {}';
    assert.deepEqual(names(scanC(text)), ['function f', 'function h']);
  });

  it('finds what only the #else branch defines', () => {
    assert.deepEqual(names(scanC('#ifdef A\nint f(void);\n#else\nint f(void) {}\n#endif')), ['function f']);
  });

  it('leaves out #if 0, with what is nested in it, and takes its #else', () => {
    const text = "#if 0\nint f(void) { it isn't\n#ifdef A\n}\n#else\n{\n#endif\n#else\nint g(void) {\n#endif\n}\nint h(void) {}";
    assert.deepEqual(names(scanC(text)), ['function g', 'function h']);
  });

  it('takes an #if around nothing but a brace of #if 0 for what it is', () => {
    assert.deepEqual(names(scanC('int f(void) {\n#if 0\n{\n#endif\n}\nint g(void) {}')), ['function f', 'function g']);
  });

  it('survives #else and #endif without #if', () => {
    assert.deepEqual(names(scanC('#endif\n#else\nint f(void) {}\n#endif')), ['function f']);
  });
});

describe('scanC says where', () => {
  it('the name and the body are', () => {
    const text = 'static int f(int a)\n{\n\treturn a;\n}\n';
    const [definition] = scanC(text);
    assert.equal(definition?.nameStart, text.indexOf('f('));
    assert.deepEqual(definition?.body, { start: text.indexOf('{'), end: text.indexOf('}') + 1 });
  });

  it('an initializer ends', () => {
    const text = 'int f = ({ a; b; }), h;\nint g(void) {}';
    assert.equal(scanC(text)[0]?.body?.end, text.indexOf('\n'));
  });

  it('a macro is replaced', () => {
    const text = '#define f(a, b) g(a, \\\n  b)\n';
    const body = scanC(text)[0]?.body;
    assert.equal(body && text.slice(body.start, body.end), ' g(a, \\\n  b)');
  });

  it('but does not know the end of what never ends', () => {
    const [definition] = scanC('int f(void) { if (x) {');
    assert.equal(definition?.name, 'f');
    assert.equal(definition?.body, undefined);
  });
});

describe('scanAssembly', () => {
  const text = '/* a */\nSYM_FUNC_START(f)\n\tcall g\nSYM_INNER_LABEL(h, SYM_L_GLOBAL)\n\tRET\nSYM_FUNC_END(f)\nSYM_CODE_START(k)\n';

  it('finds routines and labels', () => {
    assert.deepEqual(names(scanAssembly(text)), ['routine f', 'routine h', 'routine k']);
  });

  it('knows a body only up to an end', () => {
    const [f, h, k] = scanAssembly(text);
    assert.ok(f?.body && text.slice(f.body.start, f.body.end).includes('call g'));
    assert.ok(h?.body && !text.slice(h.body.start, h.body.end).includes('call g'));
    assert.equal(k?.body, undefined);
  });
});
