import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The languages that there are translations for, by what POSIX calls them. */
const LANGUAGES: readonly (readonly [locale: RegExp, language: string])[] = [[/^zh(_(CN|SG|Hans))?(\.|@|$)/, 'zh-cn']];

/** The translations for the terminal's language, which the environment names as POSIX has it; none for English and for what is not known. */
export function translations({ LC_ALL, LC_MESSAGES, LANG }: NodeJS.ProcessEnv): Record<string, string> {
  const locale = LC_ALL || LC_MESSAGES || LANG || '';
  const language = LANGUAGES.find(([pattern]) => pattern.test(locale))?.[1];
  if (language === undefined) return {};
  return JSON.parse(readFileSync(join(__dirname, `../l10n/bundle.l10n.${language}.json`), 'utf8')) as Record<string, string>;
}
