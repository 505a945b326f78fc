import { readFileSync } from 'node:fs';
import path from 'node:path';
import { textsBelow, type Text } from '../../l10n/texts.mjs';
import { ROOT } from '../workbench/paths';

/** Translations, and what is to be said of them. */

/** English text to its translation. */
export type Bundle = Readonly<Record<string, string>>;

export const LANGUAGES = ['zh-cn'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Everything that is to be translated. The tests run in the repository's root. */
export const allTexts = (): readonly Text[] => textsBelow('src');

/** The translations into a language, as VS Code reads them. */
export const bundleOf = (language: Language): Bundle =>
  JSON.parse(readFileSync(path.join(ROOT, `l10n/bundle.l10n.${language}.json`), 'utf8')) as Bundle;

/** The texts without a translation. */
export const missing = (texts: readonly Text[], bundle: Bundle): readonly Text[] =>
  texts.filter(({ text }) => !Object.hasOwn(bundle, text));

/** The translations of what nothing says any more. */
export function stale(texts: readonly Text[], bundle: Bundle): readonly string[] {
  const said = new Set(texts.map(({ text }) => text));
  return Object.keys(bundle).filter((text) => !said.has(text));
}

/** What every translation has to keep, by what people call it: placeholders, code, emphasis, icons, links, the commands behind them. */
const KEPT: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['placeholders', /\{\w+\}/g],
  ['code', /`[^`]*`/g],
  ['bold text', /\*\*/g],
  ['icons', /\$\([\w~-]+\)/g],
  ['targets of links', /\]\([^)]*\)/g],
  ['paragraphs', /\n\n/g],
  ['list items', /^ *(?:[-*]|\d+\.) /gm],
];

/** Names that stand in a text without backquotes: symbols, numbers, abbreviations. A translation may say one more often. */
const NAMES = /\b[A-Za-z]\w*_\w+|\b0x[\da-fA-F]+|\b[A-Z][A-Z\d]{2,}\b/g;

/** What a translation has more, or less, of than the English text: empty for one that keeps everything. */
export function differences(english: string, translated: string): readonly string[] {
  if (translated.trim() === '') return ['is empty'];
  const lost = (english.match(NAMES) ?? []).filter((name) => !translated.includes(name));
  const other = KEPT.flatMap(([name, pattern]) => {
    const [before, after] = [english, translated].map((text) => (text.match(pattern) ?? []).toSorted().join(' '));
    return before === after ? [] : [`${name}: ${after || 'none'}, expected ${before || 'none'}`];
  });
  return lost.length === 0 ? other : [`names: ${lost.join(', ')} missing`, ...other];
}
