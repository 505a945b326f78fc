import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import MarkdownIt from 'markdown-it';
import { plain } from '../../../src/flows/markdown';

const markdown = new MarkdownIt('default', { html: true, linkify: false });

/** What a reader sees of a paragraph, if there is nothing but text in it. */
function seen(text: string): string {
  const [, content] = /^<p>([^]*)<\/p>\n$/.exec(markdown.render(text)) ?? assert.fail(`no paragraph: ${markdown.render(text)}`);
  assert.doesNotMatch(content!, /</);
  return content!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

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
  ],
];

test('text shows as what it is, whatever it holds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...PIECES), fc.string()), { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join('')),
      (text) => {
        // Control characters are nobody's text: Markdown replaces the first of them.
        fc.pre(oneLine(text) !== '' && !/\p{Cc}/u.test(oneLine(text)));
        assert.equal(seen(plain(text)), oneLine(text));
      },
    ),
    { numRuns: 2000 },
  );
});

test('identifiers stay as they are', () => assert.equal(plain('vfio_intx_handler ends it.'), 'vfio_intx_handler ends it.'));
