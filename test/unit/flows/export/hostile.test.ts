import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import MarkdownIt from 'markdown-it';
import { FORMATS, type Format } from '../../../../src/flows/export/formats';
import { wholeRun } from '../../../../src/flows/export/range';
import { locateAll } from '../../../../src/flows/export/sources';
import type { Told } from '../../../../src/flows/export/told';
import { defaults, simulate } from '../../../../src/flows/flow';
import { requireFlow } from '../../../../src/flows/catalogue';
import { oneLine } from '../../../../src/flows/markdown';
import { stepOf } from '../../../../src/flows/scenario/moments';
import { versionNear } from '../../../../src/sources/links';
import { whereaboutsOf } from '../../../../src/sources/whereabouts';

/** What the author of a scenario writes is text in every export: none of it is markup, and none of it is lost. */

const HOSTILE = [
  'x](command:workbench.action.closeWindow) [y',
  'a\n>> rm -rf ~\n```sh\nreboot\n```\n# b\n- c\n1. d\n---\n| e |',
  '<script>alert(1)</script> <img src=x onerror=alert(1)> <!-- --> ]]> </svg>',
  '`a` **b** _c_ ~~d~~ "e" \'f\' \\ & &amp; $(zap) {{HOME}} [#3] ![i](j)',
  'end; %%{init: {}}%% T0->>T1: g #35; <br/>',
];

const TITLE = '# <u>[of all](command:workbench.action.quit)</u>\n- `x` {{HOME}}';

const run = simulate(requireFlow('vfio-intx'), { parameters: defaults(requireFlow('vfio-intx')), stimuli: [], seed: 0 });
const PLACES = ['vfio_intx_handler', 'eventfd_signal', 'irqfd_wakeup', 'irqfd_inject', 'edu_irq_handler'];
const told: Told = {
  title: TITLE,
  summary: HOSTILE.join('\n'),
  chapters: HOSTILE.map((text, index) => ({
    chapter: { title: text, prose: text, starts: '' },
    step: stepOf(run, { function: PLACES[index]! })!,
  })).toSorted((a, b) => a.step - b.step),
  notes: HOSTILE.map((text, index) => ({ at: { function: PLACES[index]!, occurrence: 1 }, text })),
};

async function exported(id: Format['id']): Promise<string> {
  const format = FORMATS.find((one) => one.id === id)!;
  const sources = await locateAll(format.references(run, wholeRun(run), told), (reference) =>
    whereaboutsOf(reference, versionNear(reference.project, run.inputs.parameters[reference.project]), undefined),
  );
  return [...format.write(run, wholeRun(run), told, sources)].join('');
}

const unescaped = (html: string): string =>
  html.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

const markdown = new MarkdownIt('default', { html: true, linkify: false });

test('a page of Markdown has them as text', async () => {
  const html = markdown.render(await exported('markdown'));
  const tags = new Set([...html.matchAll(/<\/?([a-z]\w*)/g)].map(([, tag]) => tag));
  assert.deepEqual(tags, new Set(['a', 'code', 'h1', 'h2', 'li', 'p', 'strong', 'ul']));
  for (const [, target] of html.matchAll(/<a href="([^"]*)"/g)) assert.match(target!, /^(https|vscode):\/\//);
  const text = unescaped(html.replaceAll(/<[^>]*>/g, ''));
  // As a heading, as prose, as a note and in what the whole is about.
  for (const each of HOSTILE) assert.equal(text.split(oneLine(each)).length, 5, each);
  assert.ok(text.startsWith(`${oneLine(TITLE)}\n`), text.slice(0, 100));
});

test('a tour has them as text, where it shows titles in its tree as where it makes links of them', async () => {
  const schema = JSON.parse(readFileSync('test/fixtures/codetour/schema.json', 'utf8')) as object;
  const tour = JSON.parse(await exported('tour')) as {
    readonly title: string;
    readonly steps: readonly { readonly title: string; readonly description: string }[];
  };
  const validate = new Ajv({ strict: false }).compile({ ...schema, $schema: undefined });
  assert.ok(validate(tour), JSON.stringify(validate.errors));
  for (const { title, description } of tour.steps) {
    const links = [...markdown.renderInline(`[Next (${title})](https://codetour.next)`).matchAll(/<(?!\/)([a-z]+)/g)];
    assert.deepEqual(
      links.map(([, tag]) => tag),
      ['a'],
      title,
    );
    assert.doesNotMatch(title, /\n/);
    assert.doesNotMatch(description, /\]\(command:|^>> |^```|\[#|\{\{/m);
  }
  assert.equal(tour.steps[0]!.title, tour.title);
  assert.equal(tour.title.normalize('NFKC'), oneLine(TITLE).normalize('NFKC'));
  const text = unescaped(
    tour.steps
      .map(({ description }) => markdown.render(description))
      .join('')
      .replaceAll(/<[^>]*>/g, ''),
  );
  for (const each of HOSTILE) {
    assert.equal(text.split(oneLine(each)).length, 4, each);
    assert.ok(
      tour.steps.some(({ title }) => title.normalize('NFKC') === `§ ${oneLine(each)}`.normalize('NFKC')),
      each,
    );
  }
});

test('a Mermaid diagram has the titles in notes of their own', async () => {
  const notes = (await exported('mermaid')).split('\n').flatMap((line) => /^ {2}Note over \w+,\w+: § (.*)$/.exec(line)?.[1] ?? []);
  // As Mermaid turns codes back.
  const shown = notes.map((note) => note.replaceAll(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code))));
  for (const each of HOSTILE) assert.ok(shown.includes(each.replaceAll(/\n+/g, ' ')), each);
  for (const note of notes) assert.doesNotMatch(note.replaceAll(/#\d+;/g, ''), /[;<>%#{}"`]/);
});
