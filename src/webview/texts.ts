import { config } from '@vscode/l10n';

/** Takes the translations that the page came with: from here on `t` speaks the reader's language. What is no table of texts is left alone. */
export function takeTexts(): void {
  const texts = parse(document.getElementById('texts')?.textContent ?? '{}');
  if (texts === undefined) console.warn('Virtflow: the page’s translations are malformed and were ignored');
  else config({ contents: texts });
}

function parse(json: string): Record<string, string> | undefined {
  try {
    const texts: unknown = JSON.parse(json);
    return isTable(texts) ? texts : undefined;
  } catch {
    return undefined;
  }
}

const isTable = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((text) => typeof text === 'string');
