import { allTexts, bundleOf, differences, LANGUAGES, missing, stale } from './bundle';

/** `npm run l10n`: what is not translated yet, by file, as lines for the bundle; and translations that nothing says any more, or that differ. */

const texts = allTexts();
let left = 0;
for (const language of LANGUAGES) {
  const bundle = bundleOf(language);
  const wanted = missing(texts, bundle);
  const unused = stale(texts, bundle);
  const wrong = Object.entries(bundle).flatMap(([english, translated]) =>
    differences(english, translated).map((what) => `${english}\n  ${what}`),
  );
  left += wanted.length + unused.length + wrong.length;
  console.log(`${language}: ${texts.length - wanted.length} of ${texts.length} texts are translated`);
  for (const [index, { text, file }] of wanted.entries()) {
    if (file !== wanted[index - 1]?.file) console.log(`\n${file}`);
    console.log(`  ${JSON.stringify(text)}: "",`);
  }
  for (const text of unused) console.log(`\nnothing says any more: ${JSON.stringify(text)}`);
  for (const what of wrong) console.log(`\n${what}`);
}
process.exitCode = left === 0 ? 0 : 1;
