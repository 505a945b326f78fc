import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { referenceOf } from '../../../../src/engine/fn';
import { createDebugAdapter } from '../../../../src/extension/debug/adapter';
import type { Place, Places } from '../../../../src/extension/debug/places';
import { createSession, type Session } from '../../../../src/flows/session';
import { createResolver, type Resolver } from '../../../../src/sources/resolver';
import type { Reference } from '../../../../src/engine/reference';
import { LINUX, memoryFiles } from '../../sources/support';

/** A debugger at work over a socket, as a client of the debug protocol sees it, with the session that it drives. */
export interface Debugging extends AsyncDisposable {
  readonly client: DebugClient;
  readonly session: Session;
  /** Launches a flow and stops at its entry. */
  launch(configuration: Readonly<Record<string, unknown>>): Promise<DebugProtocol.StoppedEvent>;
  /** Gives a file of the tree another text, as its editor does. */
  edit(path: string, text: string): void;
  /** Does something and gives the stop that it leads to. */
  stop(action: () => unknown): Promise<DebugProtocol.StoppedEvent>;
}

/** Where a tree of the tests is, for the debugger and its client. */
export const TREE = '/tree/linux';

/** Starts a debugger whose reader has a Linux tree with these files, and nothing else. */
export async function debugging(files: Readonly<Record<string, string>> = {}): Promise<Debugging> {
  const session = createSession();
  const texts: Record<string, string> = { ...files };
  const resolver = createResolver(LINUX, memoryFiles(texts));
  const adapter = createDebugAdapter({ session, places: placesIn(resolver) });
  const listener = createServer((socket) => adapter.start(socket, socket)).listen(0);
  await once(listener, 'listening');
  const client = new DebugClient('node', '', 'virtflow');
  await client.start((listener.address() as AddressInfo).port);

  async function stop(action: () => unknown): Promise<DebugProtocol.StoppedEvent> {
    const stopped = client.waitForEvent('stopped');
    await action();
    return (await stopped) as DebugProtocol.StoppedEvent;
  }
  return {
    client,
    session,
    edit(path, text) {
      texts[path] = text;
      resolver.invalidate(path);
    },
    stop,
    async launch(configuration) {
      const initialized = client.waitForEvent('initialized');
      await client.initializeRequest();
      await client.launchRequest(configuration);
      await initialized;
      return stop(() => client.configurationDoneRequest());
    },
    async [Symbol.asyncDispose]() {
      await client.stop();
      listener.close();
    },
  };
}

/** Frames find their lines in the tree alone: there are no outlines here. */
function placesIn(resolver: Resolver): Places {
  async function find(reference: Reference): Promise<Place | undefined> {
    if (reference.project !== 'linux') return undefined;
    const found = await resolver.resolve(reference);
    return found.kind === 'found' ? { path: `${TREE}/${found.path}`, line: found.line + 1, outline: false } : undefined;
  }
  return {
    find,
    async locate({ fn, anchor }) {
      const reference = referenceOf(fn, anchor);
      return reference && find(reference);
    },
    async fileOf(path) {
      return path.startsWith(`${TREE}/`) ? { kind: 'tree', path, project: 'linux', inTree: path.slice(TREE.length + 1) } : undefined;
    },
    onDidChange: () => () => undefined,
  };
}
