import type { World } from '../../engine/fn';
import type { Project, Reference } from '../../engine/reference';
import type { Stand } from './frames';

/** A line of a file. Paths are the client's: those on disk as such, others as URIs. Lines count from 1. */
export interface Place {
  readonly path: string;
  readonly line: number;
  /** In an outline of ours, as no tree of the reader's holds it. */
  readonly outline: boolean;
}

/** A file that stands may be in: of a tree of the reader's, or an outline. */
export type StandFile = {
  /** As `Place` spells it. */
  readonly path: string;
  /** Its path in the tree. */
  readonly inTree: string;
} & ({ readonly kind: 'tree'; readonly project: Project } | { readonly kind: 'outline'; readonly world: World });

/** The extension's source trees and outlines, as the debugger asks them. */
export interface Places {
  /** Where a stand is: in the reader's tree, else in the outline, else nowhere. */
  locate(stand: Stand): Promise<Place | undefined>;
  /** Where a reference is in the reader's tree. */
  find(reference: Reference): Promise<Place | undefined>;
  /** Which file of a tree or outline the client means; undefined if it is in none of them. */
  fileOf(path: string): Promise<StandFile | undefined>;
  /** Calls `listener` when places may be elsewhere: another tree, another outline. The result stops that. */
  onDidChange(listener: () => void): () => void;
}
