import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { WELCOME, workspaceFile, type MountedFolder } from '../folders';
import { NODE_MODULES, ROOT, VSCODE } from '../paths';
import { folderTree, mountedTree, type FileTree } from './files';
import { workbenchPage, workbenchProgram } from './page';

export interface WebServerOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly folders?: readonly MountedFolder[];
  /** Path below the repository of a bundle that exports `run()`: the workbench runs it and exits. */
  readonly tests?: string;
}

export interface RunningServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves VS Code for the web with the extension of this repository in it: static files and a read-only view of some folders.
 * Only this machine can reach it, and no page of another site can, by whatever name.
 *
 * @throws when the port is taken or when code-server's build is not the one expected
 */
export async function serveWeb(options: WebServerOptions = {}): Promise<RunningServer> {
  const routes = workbenchRoutes(options.folders ?? WELCOME, await workbenchProgram(), options.tests);
  const server = http.createServer((request, response) => {
    answer(request, routes)
      // Why a file cannot be read is nobody's business: the reason would name places outside of the served folders.
      .catch(() => text(404, 'no such file\n'))
      .then((reply) => send(reply, request, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a request is answered with. Streams come with their length, so nothing is held in memory. */
interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Awaited<ReturnType<FileTree['open']>>;
}

interface Request {
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The first route whose prefix fits answers; `rest` is the path behind the prefix. */
interface Route {
  readonly prefix: string;
  answer(rest: string, request: Request): Promise<Reply>;
}

async function answer(request: http.IncomingMessage, routes: readonly Route[]): Promise<Reply> {
  const host = request.headers.host ?? '';
  // A foreign site can make its own name point here (DNS rebinding), but then that name stands in the header.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) return text(403, 'this server answers to 127.0.0.1 and localhost only\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'this server is read-only\n');
  const url = new URL(request.url ?? '/', 'http://localhost');
  const parsed: Request = { host, path: decodeURIComponent(url.pathname), query: url.searchParams };
  const route = routes.find(({ prefix }) => (prefix.endsWith('/') ? parsed.path.startsWith(prefix) : parsed.path === prefix));
  if (!route) return text(404, `nothing is served at ${parsed.path}\n`);
  return route.answer(parsed.path.slice(route.prefix.length), parsed);
}

function workbenchRoutes(folders: readonly MountedFolder[], program: string, tests: string | undefined): readonly Route[] {
  const [only, ...others] = folders;
  const workspace = only && others.length === 0 ? { folder: `/${only.name}` } : { file: WORKSPACE_FILE };
  const page = async (_: string, { host }: Request) => html(await workbenchPage({ host, workspace, tests }));
  return [
    {
      prefix: '/vscode/out/vs/code/browser/workbench/workbench.js',
      answer: async () => ({ status: 200, type: JAVASCRIPT, body: program }),
    },
    builtinExtensions('/vscode/extensions/', folderTree(path.join(VSCODE, 'extensions'))),
    staticFiles('/vscode/node_modules/', NODE_MODULES),
    staticFiles('/vscode/', VSCODE),
    staticFiles('/extension/dist/', path.join(ROOT, 'dist')),
    staticFiles('/extension/media/', path.join(ROOT, 'media')),
    staticFiles('/extension/l10n/', path.join(ROOT, 'l10n')),
    ...['package.json', 'package.nls.json', 'package.nls.zh-cn.json', 'README.md'].map((file) => ({
      prefix: `/extension/${file}`,
      answer: () => serveFile(folderTree(ROOT), file),
    })),
    staticFiles('/mount-extension/', path.join(ROOT, 'dist/test/workbench/mount')),
    {
      prefix: `/mount${WORKSPACE_FILE}`,
      answer: (_, { query }) =>
        serveWorkspaceFile(
          workspaceFile(folders, ({ name }) => `mount:/${name}`),
          query,
        ),
    },
    mountedFiles('/mount/', mountedTree(folders)),
    { prefix: '/callback', answer: () => serveFile(folderTree(VSCODE), 'out/vs/code/browser/workbench/callback.html') },
    { prefix: '/', answer: async (rest, request) => (rest === '' ? page(rest, request) : text(404, `nothing is served at /${rest}\n`)) },
  ];
}

const WORKSPACE_FILE = '/virtflow.code-workspace';

const JAVASCRIPT = 'text/javascript; charset=utf-8';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': JAVASCRIPT,
  '.mjs': JAVASCRIPT,
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ttf': 'font/ttf',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.mp3': 'audio/mpeg',
};

function staticFiles(prefix: string, folder: string): Route {
  const tree = folderTree(folder);
  return { prefix, answer: (rest) => serveFile(tree, rest) };
}

/**
 * VS Code's built-in extensions. code-server ships them without their bundles for the web: the Node bundle of the reference
 * view, from which the call hierarchy comes, needs nothing of Node; an empty one keeps the others from being reported.
 */
function builtinExtensions(prefix: string, tree: FileTree): Route {
  return {
    prefix,
    answer: (rest) => {
      if (rest === 'references-view/dist/browser/extension.js') return serveFile(tree, 'references-view/dist/extension.js');
      const missing: Reply = { status: 200, type: JAVASCRIPT, body: 'exports.activate = () => {};' };
      return serveFile(tree, rest).catch((error: unknown) => {
        if (/\/dist\/browser\/\w+\.js$/.test(rest)) return missing;
        throw error;
      });
    },
  };
}

/** The mounted folders, as the file system provider in `../mount` asks for them: `?stat`, `?readdir` or the bytes. */
function mountedFiles(prefix: string, tree: FileTree): Route {
  return {
    prefix,
    answer: async (rest, { query }) => {
      if (query.has('stat')) return json(await tree.stat(rest));
      if (query.has('readdir')) return json(await tree.readDirectory(rest));
      return { status: 200, type: 'application/octet-stream', body: await tree.open(rest) };
    },
  };
}

async function serveFile(tree: FileTree, file: string): Promise<Reply> {
  return { status: 200, type: TYPES[path.extname(file)] ?? 'application/octet-stream', body: await tree.open(file) };
}

async function serveWorkspaceFile(content: string, query: URLSearchParams): Promise<Reply> {
  if (query.has('stat')) return json({ type: 1, ctime: 0, mtime: 0, size: content.length });
  return { status: 200, type: 'application/json', body: content };
}

async function send({ status, type, body }: Reply, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': typeof body === 'string' ? Buffer.byteLength(body) : body.size,
    'Cache-Control': 'no-cache',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  });
  if (typeof body === 'string') {
    response.end(body);
  } else if (request.method === 'HEAD') {
    body.stream.destroy();
    response.end();
  } else {
    await pipeline(body.stream, response);
  }
}

const html = (body: string): Reply => ({ status: 200, type: 'text/html; charset=utf-8', body });
const json = (value: unknown): Reply => ({ status: 200, type: 'application/json', body: JSON.stringify(value) });
const text = (status: number, body: string): Reply => ({ status, type: 'text/plain; charset=utf-8', body });
