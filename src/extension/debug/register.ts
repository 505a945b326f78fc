import * as vscode from 'vscode';
import type { World } from '../../engine/fn';
import type { Session } from '../../flows/session';
import { locate } from '../locate';
import { OUTLINE_SCHEME, type Outlines } from '../outline';
import type { SourceTrees } from '../sourceTrees';
import { createDebugAdapter } from './adapter';
import { DEBUG_TYPE, registerConfigurations } from './configuration';
import type { Places } from './places';

/** The debugger in VS Code: its adapters run inside the extension, on the desktop and in a browser alike. */
export function registerDebugger(session: Session, sources: SourceTrees, outlines: Outlines): vscode.Disposable {
  const places = createPlaces(sources, outlines);
  return vscode.Disposable.from(
    registerConfigurations(session),
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor: () => new vscode.DebugAdapterInlineImplementation(createDebugAdapter({ session, places })),
    }),
  );
}

/** Files as the debug protocol spells them. */
const pathOf = (uri: vscode.Uri): string => (uri.scheme === 'file' ? uri.fsPath : uri.toString());

/** What has but one letter before its colon is a drive. */
const uriOf = (path: string): vscode.Uri => (/^[a-z][a-z0-9+.-]+:/i.test(path) ? vscode.Uri.parse(path) : vscode.Uri.file(path));

function createPlaces(sources: SourceTrees, outlines: Outlines): Places {
  return {
    async find(reference) {
      const real = await sources.resolve(reference);
      return real?.resolution.kind === 'found' ? { path: pathOf(real.uri), line: real.resolution.line + 1, outline: false } : undefined;
    },
    async locate(stand) {
      const target = await locate(sources, outlines, stand);
      return target && { path: pathOf(target.uri), line: target.line + 1, outline: target.uri.scheme === OUTLINE_SCHEME };
    },
    async fileOf(path) {
      const uri = uriOf(path);
      if (uri.scheme === OUTLINE_SCHEME) {
        const [, world = '', ...inTree] = uri.path.split('/');
        return { kind: 'outline', path: pathOf(uri), world: world as World, inTree: inTree.join('/') };
      }
      const file = await sources.fileOf(uri);
      return file && { kind: 'tree', path: pathOf(uri), project: file.tree.project, inTree: file.path };
    },
    onDidChange(listener) {
      const subscription = sources.onDidChange(listener);
      return () => subscription.dispose();
    },
  };
}
