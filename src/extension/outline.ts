import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { World } from '../engine/fn';
import type { Site } from '../engine/journal';
import type { Case } from '../flows/cases';
import { readPlace, writePlace } from '../flows/export/link';
import { simulate, type FlowRun } from '../flows/flow';
import { outlineKey, outlineOf, type Outline } from '../flows/outline';
import type { Session } from '../flows/session';

/** Outlines as documents: what a step opens while the reader has no source tree. */

export const OUTLINE_SCHEME = 'virtflow-outline';

type Place = Pick<Site, 'fn' | 'anchor'>;

export interface Outlines extends vscode.Disposable {
  /** The outline that a place stands in, and its line: that of the session's run, or if it does not pass there, of the run of `otherwise`. */
  find(place: Place, otherwise?: Case): { readonly uri: vscode.Uri; readonly line: number } | undefined;
}

/** As many as there are flows, or a few more: an engineer follows calls from flow to flow. */
const MOST_RUNS = 12;

function runFor(query: string): FlowRun | undefined {
  const place = readPlace(query);
  return place.kind === 'malformed' ? undefined : simulate(place.flow, place.inputs);
}

/** Serves `virtflow-outline:/WORLD/PATH` from the session's run, and with a query, which is that of a link, from the run that it names. */
export function registerOutlines(session: Session): Outlines {
  const changed = new vscode.EventEmitter<vscode.Uri>();
  const cache = new WeakMap<FlowRun, Map<string, Outline>>();
  const open = new Set<string>();
  /** The runs that queries name, the one that was asked for last behind. */
  const others = new Map<string, FlowRun>();

  const uriOf = (world: World, path: string, query: string): vscode.Uri =>
    vscode.Uri.from({ scheme: OUTLINE_SCHEME, path: `/${world}/${path}`, query });

  function runOf(query: string): FlowRun | undefined {
    if (query === '') return session.run;
    const run = others.get(query) ?? runFor(query);
    others.delete(query);
    if (run) others.set(query, run);
    if (others.size > MOST_RUNS) others.delete(others.keys().next().value!);
    return run;
  }

  function outline(run: FlowRun, world: World, path: string): Outline {
    const outlines = cache.get(run) ?? new Map<string, Outline>();
    cache.set(run, outlines);
    const key = `${world}/${path}`;
    let found = outlines.get(key);
    if (found === undefined) outlines.set(key, (found = outlineOf(run, world, path)));
    return found;
  }

  function findIn(query: string, { fn: { name, home }, anchor }: Place): ReturnType<Outlines['find']> {
    const run = runOf(query);
    const line = run && outline(run, home.world, home.path).lines.get(outlineKey(name, anchor));
    return line === undefined ? undefined : { uri: uriOf(home.world, home.path, query), line };
  }

  const provider = vscode.workspace.registerTextDocumentContentProvider(OUTLINE_SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent(uri) {
      const [, world = '', ...path] = uri.path.split('/');
      open.add(uri.toString());
      const run = runOf(uri.query);
      if (run === undefined) return t('There is no run that passes here. Choose “Virtflow: Explore Flow…” first.\n');
      return outline(run, world as World, path.join('/')).text;
    },
  });
  const stop = session.onDidChange((change) => {
    if (change === 'run') open.forEach((uri) => changed.fire(vscode.Uri.parse(uri)));
  });

  return {
    find: (place, otherwise) =>
      findIn('', place) ?? (otherwise && findIn(writePlace({ flow: otherwise.flow, inputs: otherwise.inputs, step: 0 }), place)),
    dispose() {
      stop();
      provider.dispose();
      changed.dispose();
    },
  };
}
