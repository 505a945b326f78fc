import { t } from '@vscode/l10n';

const VERSION = /^v?(\d+(?:\.\d+)*)(-unstable)?(?:-rc(\d+))?(?![\d.])/;

/** Whether a text is a version and nothing else. */
export const isVersion = (text: string): boolean => VERSION.exec(text)?.[0] === text;

/**
 * Orders two versions: negative if `a` is older, 0 if they are the same release. Missing parts count as 0
 * (6.12 is 6.12.0), a release candidate stands before its release and what becomes one (3.4-unstable) before that;
 * other suffixes do not count.
 * Throws on what is no version.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  for (let i = 0; i < Math.max(left.parts.length, right.parts.length); i++) {
    const difference = (left.parts[i] ?? 0) - (right.parts[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.candidate === right.candidate ? 0 : left.candidate - right.candidate;
}

function parse(version: string): { readonly parts: readonly number[]; readonly candidate: number } {
  const [, numbers, unstable, candidate] = VERSION.exec(version) ?? [];
  if (numbers === undefined) throw new Error(t("'{0}' is no version: expected numbers such as 6.1.192 or 6.12-rc3", version));
  return {
    parts: numbers.split('.').map(Number),
    candidate: unstable !== undefined ? -1 : candidate !== undefined ? Number(candidate) : Infinity,
  };
}
