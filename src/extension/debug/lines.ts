import type { FnInfo } from '../../engine/fn';
import type { Reference } from '../../engine/reference';
import type { FlowRun } from '../../flows/flow';
import { sitesOf } from '../../flows/sites';
import { pathsOf } from '../../sources/history';
import { referencesIn } from '../../sources/links';
import type { Place, Places, StandFile } from './places';

/** Where steps can stand in a file of source: what a breakpoint on a line means. */

/** A line that a step can stand on. */
export interface Spot {
  readonly line: number;
  /** The line on which its function begins. */
  readonly begins: number;
  /** The site that steps of this run stand on there; undefined if only other runs do. */
  readonly site: string | undefined;
}

/** The spots of a file: of the run, and of what is known of all flows. Empty for a file that no flow passes. */
export async function spotsIn(run: FlowRun, places: Places, file: StandFile): Promise<readonly Spot[]> {
  const spots: Spot[] = [];
  const add = (place: Place | undefined, definition: Place | undefined, site: string | undefined): void => {
    if (place?.path === file.path) spots.push({ line: place.line, begins: definition?.line ?? place.line, site });
  };
  for (const { key, fn, anchor, reference } of sitesOf(run))
    if (mayBeIn(file, fn, reference)) add(await places.locate({ fn, anchor }), await places.locate({ fn, anchor: undefined }), key);
  if (file.kind === 'outline') return spots;
  for (const reference of referencesIn(file.project, file.inTree)) {
    const { project, path, symbol } = reference;
    add(await places.find(reference), await places.find({ project, path, symbol }), undefined);
  }
  return spots;
}

/** Whether a function was in a file in any version: only then it is worth looking for there. */
function mayBeIn(file: StandFile, { home }: FnInfo, reference: Reference | undefined): boolean {
  switch (file.kind) {
    case 'outline':
      return home.world === file.world && home.path === file.inTree;
    case 'tree':
      return reference?.project === file.project && pathsOf(file.project, reference.path).includes(file.inTree);
  }
}

/** What a line means: the spots on it, else those on the next line of the same function that has any. Those of the run come first. */
export function spotsFor(line: number, spots: readonly Spot[]): readonly Spot[] {
  const begins = Math.max(...spots.map((spot) => spot.begins).filter((first) => first <= line));
  const candidates = spots.filter((spot) => spot.line === line || (spot.begins === begins && spot.line > line));
  const onLine = candidates.filter((spot) => spot.line === line);
  if (onLine.length > 0) return onLine.some(({ site }) => site !== undefined) ? onLine.filter(({ site }) => site !== undefined) : onLine;
  const ofRun = candidates.filter(({ site }) => site !== undefined);
  const nearest = ofRun.length > 0 ? ofRun : candidates;
  const next = Math.min(...nearest.map((spot) => spot.line));
  return nearest.filter((spot) => spot.line === next);
}
