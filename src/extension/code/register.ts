import * as vscode from 'vscode';
import type { Place } from '../../flows/scenario/format';
import type { Session } from '../../flows/session';
import type { Outlines } from '../outline';
import type { SourceTrees } from '../sourceTrees';
import { createLocate, registerCallHierarchy } from './callHierarchy';
import { exploreVisit, goToFlowStep, goToPlace } from './goToStep';
import { createHierarchyView, isNode } from './hierarchyView';
import { registerHover } from './hover';
import { createKnownCode } from './known';
import { registerLens } from './lens';
import { registerStatus, showSourceTrees } from './status';

/** The way from code to flow, in the reader's own files. */
export interface Code extends vscode.Disposable {
  /** Each says whether the session stands where it led. */
  goToFlowStep(keys: readonly unknown[]): Promise<boolean>;
  /** Undefined if no flow comes there. */
  goToPlace(place: Place): Promise<boolean | undefined>;
  goToNode(node: unknown): Promise<boolean>;
  readonly hierarchy: ReturnType<typeof createHierarchyView>;
  showSourceTrees(): Promise<void>;
}

export function registerCode(session: Session, sources: SourceTrees, outlines: Outlines): Code {
  const code = createKnownCode(sources);
  const locate = createLocate(code, outlines);
  const hierarchy = createHierarchyView(session, code, locate);
  const registered = vscode.Disposable.from(
    hierarchy,
    registerLens(session, sources, code),
    registerHover(session, code),
    registerCallHierarchy(code, locate),
    registerStatus(sources, code),
  );
  return {
    goToFlowStep: (keys) => goToFlowStep(session, code, keys),
    goToPlace: (place) => goToPlace(session, code, place),
    async goToNode(node) {
      const [visit] = isNode(node) ? (node.edge ?? node.known).visits : [];
      return visit !== undefined && exploreVisit(session, visit);
    },
    hierarchy,
    showSourceTrees: () => showSourceTrees(sources, code),
    dispose: () => registered.dispose(),
  };
}
