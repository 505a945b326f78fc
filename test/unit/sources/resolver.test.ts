import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reference } from '../../../src/engine/reference';
import type { SourceFiles } from '../../../src/sources/files';
import type { History } from '../../../src/sources/history';
import { createResolver, type Missing, type Resolution } from '../../../src/sources/resolver';
import { LINUX, memoryFiles } from './support';

const TEXT = `/* handler( */
static int other(void);

static int handler(int irq, void *id)
{
	spin_lock(id);
	return 0;
}
`;
const HANDLER: Reference = { project: 'linux', path: 'a.c', symbol: 'handler' };

describe('a resolver finds', () => {
  it('a definition, counting from 0', async () => {
    assert.deepEqual(await resolve({ 'a.c': TEXT }, HANDLER), {
      kind: 'found',
      path: 'a.c',
      symbol: 'handler',
      anchor: undefined,
      standing: { kind: 'own' },
      confidence: 'checked',
      line: 3,
      column: 11,
      length: 7,
      definitionLine: 3,
      definitionColumn: 11,
      endLine: 7,
    });
  });

  it('an anchor', async () => {
    const resolution = await resolve({ 'a.c': TEXT }, { ...HANDLER, anchor: { token: 'spin_lock', as: 'call' } });
    assert.ok(resolution.kind === 'found');
    const { line, column, length, definitionLine } = resolution;
    assert.deepEqual({ line, column, length, definitionLine }, { line: 5, column: 1, length: 9, definitionLine: 3 });
  });

  it('the definition with the anchor, if there are several', async () => {
    const text = '#ifdef A\nint f(void) { a(); }\n#else\nint f(void) { b(); }\n#endif';
    assert.equal(place(await resolve({ 'a.c': text }, { ...HANDLER, symbol: 'f', anchor: { token: 'b', as: 'call' } })), 'a.c:3 f');
  });

  it('the first of several definitions', async () => {
    assert.equal(place(await resolve({ 'a.c': '\nint handler(void) { {}\n}\nint handler(int a) {}' }, HANDLER)), 'a.c:1 handler');
  });

  it('a function before a macro of the same name', async () => {
    assert.equal(place(await resolve({ 'a.c': '#define handler handler\nint handler(void) {}' }, HANDLER)), 'a.c:1 handler');
  });

  it('a routine in assembly', async () => {
    const reference: Reference = { project: 'linux', path: 'entry.S', symbol: 'enter' };
    assert.equal(place(await resolve({ 'entry.S': '\nSYM_FUNC_START(enter)\nSYM_FUNC_END(enter)' }, reference)), 'entry.S:1 enter');
  });
});

describe('a resolver follows upstream’s history', () => {
  const reference: Reference = { ...HANDLER, path: 'new.c', symbol: 'fresh' };
  const history: History = {
    checked: ['5.10', '6.1.192', '6.12'],
    names: {},
    files: {
      'new.c': {
        fresh: [
          { until: '5.10', path: 'oldest.c', symbol: 'oldest' },
          { until: '6.2', path: 'old.c' },
          { until: '6.12', symbol: 'stale' },
        ],
      },
    },
  };
  const texts = {
    'oldest.c': 'int oldest(void) {}',
    'old.c': '\nint fresh(void) {}',
    'new.c': '\n\nint stale(void) {}\nint fresh(void) {}',
  };
  const cases: readonly (readonly [version: string, expected: string])[] = [
    ['5.4', 'oldest.c:0 oldest'],
    ['5.10', 'old.c:1 fresh'],
    ['6.1.192', 'old.c:1 fresh'],
    ['6.12', 'new.c:3 fresh'],
  ];
  const resolveIn = (version: string, files: Record<string, string>) =>
    createResolver({ project: 'linux', version }, memoryFiles(files), history).resolve(reference);

  for (const [version, expected] of cases) {
    it(`in ${version}`, async () => {
      const resolution = await resolveIn(version, texts);
      assert.equal(place(resolution), expected);
      assert.ok(resolution.kind === 'found');
      assert.equal(resolution.standing.kind, expected === 'new.c:3 fresh' ? 'own' : 'other');
      assert.equal(resolution.confidence, version === '5.4' ? 'inferred' : 'checked');
    });
  }

  it('but under its own name first, where a tree is ahead of its version', async () => {
    const behind = texts['new.c'].replace('fresh', 'other');
    assert.equal(place(await resolveIn('6.2', { 'new.c': behind })), 'new.c:2 stale');
    assert.equal(place(await resolveIn('6.2', { 'new.c': texts['new.c'] })), 'new.c:3 fresh');
  });

  it('and between checked versions to what holds for their neighbours', async () => {
    assert.equal(place(await resolveIn('6.5', { 'new.c': texts['new.c'].replace('stale', 'other') })), 'new.c:3 fresh');
    assert.equal(place(await resolveIn('6.5', { 'old.c': texts['old.c'] })), 'old.c:1 fresh');
  });

  it('and in another release of a checked series too', async () => {
    assert.equal(place(await resolveIn('6.1.200', { 'new.c': texts['new.c'] })), 'new.c:3 fresh');
  });

  it('but in a checked one to nothing else', async () => {
    const result = await resolveIn('6.1.192', { 'new.c': 'int fresh(void) {}', 'oldest.c': 'int fresh(void) {}' });
    assert.ok(result.kind === 'missing');
    assert.equal(result.reason, 'no-file');
    assert.match(result.message, /there is no old\.c/);
  });
});

describe('a resolver says what is missing:', () => {
  it('the file', async () => {
    const result = await misses({}, HANDLER);
    assert.equal(result.reason, 'no-file');
    assert.match(result.message, /linux:a\.c handler: there is no a\.c/);
  });

  it('a file that is refused', async () => {
    const result = await misses({ 'a.c': '\0' }, HANDLER);
    assert.equal(result.reason, 'refused');
    assert.match(result.message, /binary/);
  });

  it('a renamed function, by its name, whatever else is called alike', async () => {
    const text = 'int handler_v2(void) {}\nint handler(void);\nint x(void) { handler(); }\nint my_handler(void) {}';
    const result = await misses({ 'a.c': text }, HANDLER);
    assert.equal(result.reason, 'no-symbol');
    assert.match(result.message, /a\.c does not define handler$/);
  });

  it('the anchor, and where the function is', async () => {
    const result = await misses({ 'a.c': TEXT }, { ...HANDLER, anchor: { token: 'other', as: 'call' } });
    assert.equal(result.reason, 'no-anchor');
    assert.equal(result.definitionLine, 3);
    assert.match(result.message, /handler in a\.c does not contain a call of other/);
  });

  it('the end of a function whose braces do not balance', async () => {
    const text = 'int handler(void) { if (x) {\n}\nint later(void) { go(); }';
    const inside = await misses({ 'a.c': text }, { ...HANDLER, anchor: { token: 'go', as: 'call' } });
    assert.match(inside.message, /the end of handler was not found in a\.c: its braces do not balance/);
    const behind = await misses({ 'a.c': text }, { ...HANDLER, symbol: 'later' });
    assert.match(behind.message, /a\.c does not define later, as far as it can be read: the braces of handler do not balance/);
  });
});

describe('a resolver reads', () => {
  it('each file once, whoever asks', async () => {
    const files = memoryFiles({ 'a.c': TEXT });
    const resolver = createResolver(LINUX, files);
    await Promise.all([resolver.resolve(HANDLER), resolver.resolve({ ...HANDLER, symbol: 'other' }), resolver.resolve(HANDLER)]);
    await resolver.resolve(HANDLER);
    assert.deepEqual(files.reads, ['a.c']);
  });

  it('a file again after it was invalidated', async () => {
    const texts: Record<string, string> = { 'a.c': TEXT, 'b.c': TEXT };
    const files = memoryFiles(texts);
    const resolver = createResolver(LINUX, files);
    const both = [HANDLER, { ...HANDLER, path: 'b.c' }];
    await Promise.all(both.map(resolver.resolve));
    texts['a.c'] = `\n${TEXT}`;
    resolver.invalidate('a.c');
    assert.deepEqual((await Promise.all(both.map(resolver.resolve))).map(place), ['a.c:4 handler', 'b.c:3 handler']);
    resolver.invalidate();
    await Promise.all(both.map(resolver.resolve));
    assert.deepEqual(files.reads, ['a.c', 'b.c', 'a.c', 'a.c', 'b.c']);
  });

  it('and survives files that reject', async () => {
    const files: SourceFiles = { stat: () => Promise.reject(new Error('gone away')), read: () => assert.fail() };
    const resolution = await createResolver(LINUX, files).resolve(HANDLER);
    assert.ok(resolution.kind === 'missing');
    assert.match(resolution.message, /gone away/);
  });
});

function resolve(texts: Record<string, string>, reference: Reference): Promise<Resolution> {
  return createResolver(LINUX, memoryFiles(texts)).resolve(reference);
}

async function misses(texts: Record<string, string>, reference: Reference): Promise<Missing> {
  const resolution = await resolve(texts, reference);
  assert.ok(resolution.kind === 'missing', place(resolution));
  return resolution;
}

function place(resolution: Resolution): string {
  if (resolution.kind === 'missing') return resolution.message;
  return `${resolution.path}:${resolution.line} ${resolution.symbol}`;
}
