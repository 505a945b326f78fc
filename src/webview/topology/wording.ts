import type { PartStateView, TopologyStateView, TopologyView } from '../protocol';
import { shortName } from './layout';

/** The topology in words: for screen readers, for tooltips, and for who would rather read. */

type PartView = TopologyView['parts'][number];

/** A part and how it stands. */
export function partWords(part: PartView, state: PartStateView, is: { readonly reached: boolean; readonly active: boolean }): string {
  if (!state.there) return `${part.title}: not there yet`;
  return [
    part.title,
    ...state.cells.map(({ cell, value, changed }) => `${shortName(part.cells[cell] ?? '')} ${value}${changed ? ', changed' : ''}`),
    ...(is.active ? ['the current step is here'] : is.reached ? ['passed'] : []),
    ...state.blocked.map((reason) => `blocked: ${reason}`),
  ].join('. ');
}

/** A wire, and the last step that passed it. */
export function wireWords({ parts, wires }: TopologyView, index: number, step: number | undefined): string {
  const wire = wires[index];
  if (!wire) return '';
  const carrier = wire.label === wire.kind ? wire.kind : `${wire.label}, ${wire.kind}`;
  const ends = `${parts[wire.from]?.title} → ${parts[wire.to]?.title}`;
  return step === undefined ? `${ends} (${carrier})` : `${ends} (${carrier}), passed at step ${step}`;
}

/** What blocks, part by part. */
export const blockedWords = (
  { parts }: TopologyView,
  state: TopologyStateView,
): readonly { readonly part: number; readonly text: string }[] =>
  state.parts.flatMap(({ blocked }, part) => blocked.map((reason) => ({ part, text: `${parts[part]?.title}: ${reason}` })));
