import { t } from '@vscode/l10n';
import { anchorKey, anchorOfKey, describeReference, type Project, type Reference } from '../engine/reference';
import { historyOf, placesOf } from './history';
import type { LineIndex } from './lineIndex';
import committedLines from './lines.json';
import { compareVersions } from './versions';

/**
 * An upstream page. `line`: at the very line that the reference means, counted from 1. `definition`: at the
 * symbol's definition, as the index does not know the anchor. `file`: at no line, as it does not know the symbol.
 */
export type WebLink =
  | { readonly kind: 'line'; readonly url: string; readonly line: number }
  | { readonly kind: 'definition'; readonly url: string; readonly line: number; readonly message: string }
  | { readonly kind: 'file'; readonly url: string; readonly message: string };

const LINES: LineIndex = committedLines;

/** The versions of a project that the index knows, oldest first. */
export function upstreamVersions(project: Project, index = LINES): readonly string[] {
  return Object.keys(index[project] ?? {}).toSorted(compareVersions);
}

/** The version that web links lead to beside what models a series (6.12): one of that series, else the newest that the index knows. */
export function versionNear(project: Project, series: unknown, index = LINES): string {
  const known = upstreamVersions(project, index);
  const ofSeries = typeof series === 'string' ? known.find((version) => version === series || version.startsWith(`${series}.`)) : undefined;
  return ofSeries ?? known.at(-1) ?? String(series ?? '');
}

/** Every reference that is known of a file in any version: its symbols, and the identifiers in them. */
export function referencesIn(project: Project, path: string, index = LINES): readonly Reference[] {
  const symbols = new Map<string, Set<string>>();
  for (const version of Object.values(index[project] ?? {}))
    for (const [symbol, { anchors = {} }] of Object.entries(version[path] ?? {}))
      symbols.set(symbol, new Set([...(symbols.get(symbol) ?? []), ...Object.keys(anchors)]));
  return [...symbols].flatMap(([symbol, anchors]) => [
    { project, path, symbol },
    ...[...anchors].map((key) => ({ project, path, symbol, anchor: anchorOfKey(key) })),
  ]);
}

/**
 * The upstream page of a reference in a version (spelled as the tag, without its 'v'). Works without any tree;
 * a version that the index does not know gives a link to the file alone.
 */
export function webLink(reference: Reference, version: string, index = LINES, history = historyOf(reference.project)): WebLink {
  const { project } = reference;
  const places = placesOf(reference, version, history);
  const lines = index[project]?.[version];
  const known = places.find(({ path, symbol }) => lines?.[path]?.[symbol]);
  const entry = known && lines?.[known.path]?.[known.symbol];
  if (known === undefined || entry === undefined) {
    const message = t('no line is known for {0} in {1} {2}', describeReference(reference), project, version);
    return { kind: 'file', url: pageOf(project, version, places[0]?.path ?? reference.path), message };
  }

  const { anchor } = known;
  const page = pageOf(project, version, known.path);
  if (anchor === undefined) return { kind: 'line', url: `${page}#L${entry.line}`, line: entry.line };
  const line = entry.anchors?.[anchorKey(anchor)];
  if (line !== undefined) return { kind: 'line', url: `${page}#L${line}`, line };
  const message = t('no line is known for {0} in {1} in {2} {3}', anchor.token, known.symbol, project, version);
  return { kind: 'definition', url: `${page}#L${entry.line}`, line: entry.line, message };
}

function pageOf(project: Project, version: string, path: string): string {
  // ACRN's tree calls itself unstable between releases, when it has no tag.
  const tag = version.endsWith('-unstable') ? 'master' : encodeURIComponent(`v${version}`);
  const file = path.split('/').map(encodeURIComponent).join('/');
  switch (project) {
    case 'linux':
      return `https://elixir.bootlin.com/linux/${tag}/source/${file}`;
    case 'qemu':
      return `https://gitlab.com/qemu-project/qemu/-/blob/${tag}/${file}`;
    case 'acrn':
      return `https://github.com/projectacrn/acrn-hypervisor/blob/${tag}/${file}`;
  }
}
