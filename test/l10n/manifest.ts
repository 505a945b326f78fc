import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../workbench/paths';

const read = (file: string): unknown => JSON.parse(readFileSync(path.join(ROOT, file), 'utf8'));

/** The manifest as VS Code has it in a language; English unless another one is given. */
export function manifest(language?: string): unknown {
  const texts = read(language === undefined ? 'package.nls.json' : `package.nls.${language}.json`) as Readonly<Record<string, string>>;
  const spoken = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replace(/^%([\w.-]+)%$/, (_, key: string) => texts[key] ?? `%${key}%`);
    if (Array.isArray(value)) return value.map(spoken);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, spoken(inside)]));
  };
  return spoken(read('package.json'));
}
