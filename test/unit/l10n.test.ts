import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isSaid, NAME_OF_THREAD, sourcesBelow, textsOf } from '../../l10n/texts.mjs';
import { allTexts, bundleOf, differences, LANGUAGES, missing, stale } from '../l10n/bundle';
import { spokenData } from '../l10n/data';
import { untranslated } from '../lint/texts';

const none: readonly string[] = [];

for (const language of LANGUAGES) {
  suite(`the texts in ${language}`, () => {
    const texts = allTexts();
    const bundle = bundleOf(language);

    // `npm run l10n` lists them.
    test('are all there', () => {
      const wanted = missing(texts, bundle);
      assert.equal(wanted.length, 0, `${wanted.length} of ${texts.length} are not translated`);
    });

    test('are of something that is still said', () => {
      assert.deepEqual(stale(texts, bundle), none);
    });

    test('keep placeholders, identifiers and Markdown', () => {
      const wrong = Object.entries(bundle).flatMap(([english, translated]) =>
        differences(english, translated).map((what) => `${english}: ${what}`),
      );
      assert.deepEqual(wrong, none);
    });

    test('stand in the order of the English ones, so that two changes seldom meet', () => {
      assert.deepEqual(Object.keys(bundle), Object.keys(bundle).toSorted());
    });
  });
}

suite('what is found', () => {
  const found = (code: string, file = 'src/extension/some.ts') => [...new Set(textsOf(file, code).map(({ text }) => text))];

  test('is what is said with t', () => {
    assert.deepEqual(found(`t('One'); t("{0} of {1}", a, b); t(yes ? 'Yes' : 'No'); t('a long ' + 'text'); l10n.t(\`whole\`);`), [
      'One',
      '{0} of {1}',
      'Yes',
      'No',
      'a long text',
      'whole',
    ]);
  });

  test('is not what t translates of the data', () => {
    assert.deepEqual(found(`t(fn.does); tt('No'); 't("neither")'`), none);
  });

  test('is what models and flows say as data, but no names', () => {
    const model = `const a = fn('Does it.', function* a() { at('masked', 'Now it is.'); at('irq'); });
      const b = struct('kvm_vcpu', 'A CPU.', { x: means('What it holds.', int()), y: register(8, [bit(0, 'ENABLE', 'Lets it.')]) });`;
    assert.deepEqual(found(model, 'src/models/linux/some.ts'), ['Does it.', 'Now it is.', 'A CPU.', 'What it holds.', 'Lets it.']);
    const flow = `flow({ id: 'x', title: 'A way', parts: [{ title: 'kvm_ioapic', because: 'It waits.' }], wires: [{ label: 'KVM_IRQFD' }, { label: 'runs' }] });`;
    assert.deepEqual(found(flow, 'src/flows/some.ts'), ['A way', 'It waits.', 'runs']);
    assert.deepEqual(found(model), none);
  });
});

/** A field’s or a structure’s name, perhaps with that of the instance. */
const IS_INSTANCE = /^\w+( (\d+|master|slave))?$/;

test('whatever flows and their runs say is found', () => {
  const found = new Set(allTexts().map(({ text }) => text));
  assert.deepEqual(
    [...spokenData()].filter(
      (text) => isSaid(text) && !IS_INSTANCE.test(text) && !found.has(text) && !found.has(text.replace(NAME_OF_THREAD, '{0}')),
    ),
    none,
  );
});

suite('a translation that differs from the English text', () => {
  const cases: readonly (readonly [english: string, translated: string])[] = [
    ['Step {0} of {1}', '第 {0} 步'],
    ['Step {0}', '第 {0} 步，共 {1} 步'],
    ['Writes `masked`.', '写入 `屏蔽`。'],
    ['Writes `masked`.', '写入 masked。'],
    ['**Mind** this', '注意'],
    ['[Step](command:virtflow.step)', '[单步](command:virtflow.stepBack)'],
    ['$(warning) No', '不'],
    ['One\n\nTwo', '一二'],
    ['One', ' '],
  ];
  for (const [english, translated] of cases)
    test(`${english} → ${translated}`, () => assert.equal(differences(english, translated).length, 1));

  test('not one that keeps what is to be kept, in another order', () => {
    assert.deepEqual(differences('**{0}** writes `masked` of {1}', '{1} 的 `masked` 由 **{0}** 写入'), none);
  });
});

test('the manifest’s texts are in package.nls.json, and each is in every language', () => {
  const placeholders = [...readFileSync('package.json', 'utf8').matchAll(/%([\w.-]+)%/g)].map(([, key]) => key!);
  const english = Object.keys(JSON.parse(readFileSync('package.nls.json', 'utf8')) as object);
  assert.deepEqual([...new Set(placeholders)].toSorted(), english.toSorted());
  for (const language of LANGUAGES) {
    const texts = JSON.parse(readFileSync(`package.nls.${language}.json`, 'utf8')) as Record<string, string>;
    assert.deepEqual(Object.keys(texts), english);
  }
});

suite('what people read goes through t', () => {
  for (const folder of ['src/extension', 'src/webview', 'src/cli'])
    test(`in ${folder}`, () => {
      assert.deepEqual(
        sourcesBelow(folder).flatMap((file) => untranslated(file, readFileSync(file, 'utf8'))),
        none,
      );
    });

  const found = (code: string): number => untranslated('src/webview/some.ts', code).length;

  for (const code of [
    `const item = { label: 'Whole Run' };`,
    `item.tooltip = yes ? 'A tree' : count;`,
    'const f = () => { throw new ParameterError(`--seed is "${seed}"`); };',
    `h('span', { class: 'name' }, 'This run');`,
    `void vscode.window.showInformationMessage('Virtflow: nothing.');`,
    `const TITLES = { all: t('All') };`,
  ])
    test(`not so: ${code}`, () => assert.equal(found(code), 1));

  for (const code of [
    `const f = () => ({ label: t('Whole Run'), title: run.title, description: '' });`,
    `h('span', { class: 'some name' }, icon('chevron'), '→');`,
    `const f = () => t({ message: 'Step', comment: 'noun' });`,
    `comments.createCommentController('virtflow', 'Virtflow'); const item = { label: 'Linux', title: '$(repo) ' };`,
  ])
    test(`so: ${code}`, () => assert.equal(found(code), 0));
});
