import * as vscode from 'vscode';
import type { World } from '../engine/fn';
import type { Site } from '../engine/journal';
import { outlineKey, outlineOf, type Outline } from '../flows/outline';
import type { Session } from '../flows/session';

/** Outlines as documents: what a step opens while the reader has no source tree. */

export const OUTLINE_SCHEME = 'virtflow-outline';

export interface Outlines extends vscode.Disposable {
  /** The outline that a step stands in, and its line. */
  find(site: Site): { readonly uri: vscode.Uri; readonly line: number } | undefined;
}

/** Serves `virtflow-outline:/WORLD/PATH` from the session's run. */
export function registerOutlines(session: Session): Outlines {
  const changed = new vscode.EventEmitter<vscode.Uri>();
  const cache = new Map<string, Outline>();
  const open = new Set<string>();

  const uriOf = (world: World, path: string): vscode.Uri => vscode.Uri.from({ scheme: OUTLINE_SCHEME, path: `/${world}/${path}` });

  function outline(world: World, path: string): Outline | undefined {
    const { run } = session;
    if (run === undefined) return undefined;
    const key = `${world}/${path}`;
    let found = cache.get(key);
    if (found === undefined) cache.set(key, (found = outlineOf(run, world, path)));
    return found;
  }

  const provider = vscode.workspace.registerTextDocumentContentProvider(OUTLINE_SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent(uri) {
      const [, world = '', ...path] = uri.path.split('/');
      open.add(uri.toString());
      return outline(world as World, path.join('/'))?.text ?? 'There is no run that passes here. Choose “Virtflow: Explore Flow…” first.\n';
    },
  });
  const stop = session.onDidChange((change) => {
    if (change !== 'run') return;
    cache.clear();
    open.forEach((uri) => changed.fire(vscode.Uri.parse(uri)));
  });

  return {
    find({ fn: { name, home }, anchor }) {
      const line = outline(home.world, home.path)?.lines.get(outlineKey(name, anchor));
      return line === undefined ? undefined : { uri: uriOf(home.world, home.path), line };
    },
    dispose() {
      stop();
      provider.dispose();
      changed.dispose();
    },
  };
}
