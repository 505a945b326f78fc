import type * as vscode from 'vscode';
import { referenceOf } from '../engine/fn';
import type { Site } from '../engine/journal';
import type { Outlines } from './outline';
import type { Resolved, SourceTrees } from './sourceTrees';

/** A line to stand on. */
export interface Target {
  readonly uri: vscode.Uri;
  readonly line: number;
  /** What the reader's tree says of the place, if there is one. */
  readonly real: Resolved | undefined;
}

/** Where a place is: in the reader's tree, else in the outline; hardware and the guest's driver have nothing but an outline. */
export async function locate(sources: SourceTrees, outlines: Outlines, place: Pick<Site, 'fn' | 'anchor'>): Promise<Target | undefined> {
  const reference = referenceOf(place.fn, place.anchor);
  const real = reference && (await sources.resolve(reference));
  if (real?.resolution.kind === 'found') return { uri: real.uri, line: real.resolution.line, real };
  const outline = outlines.find(place);
  return outline && { ...outline, real };
}
