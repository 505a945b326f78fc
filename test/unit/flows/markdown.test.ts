import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import MarkdownIt from 'markdown-it';
import { oneLine, plain, unmarked, withoutPictures } from '../../../src/flows/markdown';

const markdown = new MarkdownIt('default', { html: true, linkify: false });

/** What a reader sees of a paragraph, if there is nothing but text in it. */
function seen(text: string): string {
  const [, content] = /^<p>([^]*)<\/p>\n$/.exec(markdown.render(text)) ?? assert.fail(`no paragraph: ${markdown.render(text)}`);
  assert.doesNotMatch(content!, /</);
  return content!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

const PIECES = [
  ...[
    '*',
    '_',
    '**',
    '`',
    '~~',
    '<b>',
    '&lt;',
    '&',
    '[',
    ']',
    '](',
    '![',
    '(command:x?[1])',
    '>> rm',
    '> ',
    '# ',
    '- ',
    '+ ',
    '1. ',
    '23) ',
  ],
  ...[
    '===',
    '---',
    '|',
    '\\',
    '\n',
    '\n\n',
    '    ',
    '\t',
    '$(x)',
    'irqfd_wakeup',
    '_x_',
    'a',
    ' ',
    '.',
    '!',
    '[#3]',
    '[tour]',
    '<!--',
    '://',
    'é',
    '中',
    '{{HOME}}',
  ],
];

const texts = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string()), { minLength: 1, maxLength: 12 })
  .map((pieces) => pieces.join(''))
  // Control characters are nobody's text: Markdown replaces the first of them.
  .filter((text) => oneLine(text) !== '' && !/\p{Cc}/u.test(oneLine(text)));

test('text shows as what it is, whatever it holds', () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(seen(plain(text)), oneLine(text));
      assert.doesNotMatch(plain(text), /\{\{|\[|]/, 'CodeTour looks for these before it reads Markdown');
    }),
    { numRuns: 2000 },
  );
});

test('a title neither ends the link that CodeTour makes of it nor is anything but text in it', () => {
  fc.assert(
    fc.property(texts, (title) => {
      const html = markdown.renderInline(`[Next (§ ${unmarked(title)})](https://codetour.next)`);
      const [, label] = /^<a href="https:\/\/codetour\.next">Next \(§ ([^<]*)\)<\/a>$/.exec(html) ?? assert.fail(html);
      assert.equal(label!.replaceAll('&quot;', '"').normalize('NFKC'), oneLine(title).normalize('NFKC'));
    }),
    { numRuns: 2000 },
  );
});

test('identifiers stay as they are', () => assert.equal(plain('vfio_intx_handler ends it.'), 'vfio_intx_handler ends it.'));

test('no text of anybody’s shows a picture, however it is written; a link stays one', () => {
  const piece = fc.constantFrom('!', '![', '[', ']', '(', ')', '](http://a/b.png)', '[c]: http://a', '\\', '&#33;', '`', '\n', 'x');
  fc.assert(fc.property(fc.array(piece), (pieces) => assert.doesNotMatch(markdown.render(withoutPictures(pieces.join(''))), /<img/)));
  assert.match(markdown.render('![x](http://a/b.png)'), /<img/);
  assert.match(markdown.render(withoutPictures('![x](http://a/b.png)')), /!<a href="http:\/\/a\/b.png">x<\/a>/);
});
