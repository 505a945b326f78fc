import type { MountedFolder } from './folders';
import { serveNode } from './node/server';
import { serveWeb, type RunningServer } from './web/server';

/** Where the extension runs: in a web worker (VS Code for the web) or in a Node process (as on the desktop). */
export type Host = 'web' | 'node';

export const HOSTS: readonly Host[] = ['web', 'node'];

/** A VS Code with the extension in that kind of host. Undefined where this machine cannot run it. */
export function serve(host: Host, folders?: readonly MountedFolder[]): Promise<RunningServer | undefined> {
  const options = folders ? { folders } : {};
  switch (host) {
    case 'web':
      return serveWeb(options);
    case 'node':
      return serveNode(options);
  }
}
