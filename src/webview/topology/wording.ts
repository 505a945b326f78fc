import { t } from '@vscode/l10n';
import type { PartStateView, TopologyStateView, TopologyView } from '../protocol';
import { shortName } from './layout';

/** The topology in words: for screen readers, for tooltips, and for who would rather read. */

type PartView = TopologyView['parts'][number];

/** A part and how it stands. */
export function partWords(part: PartView, state: PartStateView, is: { readonly reached: boolean; readonly active: boolean }): string {
  if (!state.there) return t('{0}: not there yet', part.title);
  return [
    part.title,
    ...state.cells.map(({ cell, value, changed }) =>
      changed ? t('{0}, changed', `${shortName(part.cells[cell] ?? '')} ${value}`) : `${shortName(part.cells[cell] ?? '')} ${value}`,
    ),
    ...(is.active ? [t('the current step is here')] : is.reached ? [t('passed')] : []),
    ...state.blocked.map((reason) => t('blocked: {0}', reason)),
  ].join('. ');
}

/** A wire, and the last step that passed it. */
export function wireWords({ parts, wires }: TopologyView, index: number, step: number | undefined): string {
  const wire = wires[index];
  if (!wire) return '';
  const carrier = wire.label === wire.kind ? wire.kind : `${wire.label}, ${wire.kind}`;
  const ends = `${parts[wire.from]?.title} → ${parts[wire.to]?.title}`;
  return step === undefined ? `${ends} (${carrier})` : t('{0}, passed at step {1}', `${ends} (${carrier})`, step);
}

/** What blocks, part by part. */
export const blockedWords = (
  { parts }: TopologyView,
  state: TopologyStateView,
): readonly { readonly part: number; readonly text: string }[] =>
  state.parts.flatMap(({ blocked }, part) => blocked.map((reason) => ({ part, text: `${parts[part]?.title}: ${reason}` })));
