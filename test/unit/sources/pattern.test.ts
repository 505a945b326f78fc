import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Anchor } from '../../../src/engine/reference';
import { lineFound, patternFor, patternOf } from '../../../src/sources/pattern';

const TEXT = `/* wake() in a comment: wake( */
static int wake(struct a *b);
#define other(x) wake(x)
static int
wake_all(struct a *b)
{
	if (wake(b)) {
		b->state = 1;
	}
	return 0;
}

static int wake(struct a *b)
	__releases(b->lock)
{
	/* state = 3 */
	if (b->state == 2)
		go(b);
	b->state = 2;
	go(b); set_bit(1, &b->flags);
	return wake_all(b);
}

void __attribute__((weak)) hook(void)
{
	go(0);
}
static struct wake_data data = {
	.table = 0,
};
static const struct ops table[] = {
	.go = wake,
};
DEFINE_ENTRY(entry)
{
	go(1);
}
`;

/** The line, from 0, that holds this text. */
const lineOf = (piece: string): number => TEXT.slice(0, TEXT.indexOf(piece)).split('\n').length - 1;

const found = (symbol: string, anchor?: Anchor, text = TEXT): number | undefined => lineFound(patternOf(symbol, anchor), text);

describe('a pattern of names finds', () => {
  it('a definition, not a declaration, a call or a longer name', () => {
    assert.equal(found('wake'), lineOf('static int wake(struct a *b)\n\t__rel'));
    assert.equal(found('wake_all'), lineOf('wake_all(struct a *b)\n{'));
    assert.equal(found('hook'), lineOf('void __attribute__'));
    assert.equal(found('entry'), lineOf('DEFINE_ENTRY'));
    assert.equal(found('other'), lineOf('#define other'));
    assert.equal(found('table'), lineOf('static const struct ops'));
    assert.equal(found('nothing'), undefined);
  });

  it('an identifier as the anchor says, inside its function', () => {
    assert.equal(found('wake', { token: 'go', as: 'call' }), lineOf('\t\tgo(b)'));
    assert.equal(found('wake', { token: 'state', as: 'name' }), lineOf('if (b->state'));
    assert.equal(found('wake', { token: 'state', as: 'write' }), lineOf('b->state = 2'));
    assert.equal(found('wake_all', { token: 'state', as: 'write' }), lineOf('b->state = 1'));
    assert.equal(found('wake', { token: 'go', as: 'call', after: 'state state' }), lineOf('\t\tgo(b)'));
    assert.equal(found('wake', { token: 'go', as: 'call', after: 'go' }), lineOf('go(b); set_bit'));
    assert.equal(found('wake', { token: 'flags', as: 'name', after: 'go go' }), lineOf('go(b); set_bit'));
    assert.equal(found('entry', { token: 'go', as: 'call' }), lineOf('go(1)'));
    assert.equal(found('table', { token: 'wake', as: 'name' }), lineOf('\t.go = wake'));
    assert.equal(found('hook', { token: 'wake', as: 'call' }), undefined);
  });

  it('the same when lines come and go, and blanks change', () => {
    const anchor: Anchor = { token: 'go', as: 'call', after: 'go' };
    for (const text of [
      `\n\n${TEXT}`,
      TEXT.replaceAll('\t', '    '),
      TEXT.replaceAll('\n', '\r\n'),
      TEXT.replace('\tgo(b); set', '\n\n\tgo (b); set'),
    ]) {
      const line = text.slice(0, text.search(/go ?\(b\); set_bit/)).split('\n').length - 1;
      assert.equal(found('wake', anchor, text), line);
    }
  });
});

describe('a pattern for a line', () => {
  it('says what stands there where names do not tell, and nothing else', () => {
    const anchor: Anchor = { token: 'flags', as: 'write' };
    const line = lineOf('go(b); set_bit');
    assert.equal(found('wake', anchor), undefined);
    assert.equal(lineFound(patternFor('wake', anchor, TEXT, line)!, TEXT), line);
  });

  it('is taken literally', () => {
    const text = 'int f(void)\n{\n\ta[1] = (b + c) * d ? x.y : $z | {0};\n}\n';
    const pattern = patternFor('f', { token: 'd', as: 'write', after: 'nothing' }, text, 2)!;
    assert.equal(lineFound(pattern, text), 2);
    assert.equal(lineFound(pattern, text.replace('x.y', 'xyy')), undefined);
    assert.equal(lineFound(pattern, text.replace('(b + c)', '(b   +\tc)')), 2);
  });

  it('is none where nothing tells the line from others', () => {
    assert.equal(patternFor('f', { token: 'g', as: 'call', after: 'h' }, 'int f(void)\n{\n\ti();\n\ti();\n}\n', 3), undefined);
  });
});
