import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { VSCODE } from '../paths';
import { QUIET_SETTINGS } from '../settings';

/** Which workspace the page opens and whether it runs tests instead of waiting for a person. */
export interface PageOptions {
  /** The page's own `host:port`, from which everything is loaded. */
  readonly host: string;
  /** Path of a folder in the mounted file system, or of a .code-workspace file. */
  readonly workspace: { readonly folder: string } | { readonly file: string };
  /** Path below the extension of a bundle that exports `run()`. */
  readonly tests: string | undefined;
}

/** The workbench's start page: VS Code's own template with our configuration. */
export async function workbenchPage(options: PageOptions): Promise<string> {
  const template = await readFile(path.join(VSCODE, 'out/vs/code/browser/workbench/workbench.html'), 'utf8');
  const values: Readonly<Record<string, string>> = {
    WORKBENCH_WEB_CONFIGURATION: JSON.stringify(configuration(options)).replaceAll('&', '&amp;').replaceAll('"', '&quot;'),
    WORKBENCH_WEB_BASE_URL: '/vscode',
    WORKBENCH_NLS_URL: '/vscode/out/nls.messages.js',
    WORKBENCH_NLS_FALLBACK_URL: '/vscode/out/nls.messages.js',
  };
  return template.replaceAll(/\{\{([A-Z_]+)\}\}/g, (_, name: string) => values[name] ?? '');
}

/**
 * The workbench's program. code-server's build expects its own server behind it; two edits give back the serverless
 * behaviour of VS Code for the web. A third takes back that the language features of JSON have a build for browsers: code-server ships none.
 *
 * @throws when an edit does not fit exactly once, so that a new version of code-server is noticed.
 */
export async function workbenchProgram(): Promise<string> {
  const edits = [
    ['{...JSON.parse(o),remoteAuthority:location.host}', '{...JSON.parse(o)}'],
    ['P.file(this.userDataPath).with({scheme:J.vscodeRemote})', 'P.file(this.userDataPath).with({scheme:J.vscodeUserData})'],
    [',browser:"./client/dist/browser/jsonClientMain"', ''],
  ] as const;
  let program = await readFile(path.join(VSCODE, 'out/vs/code/browser/workbench/workbench.js'), 'utf8');
  for (const [original, edited] of edits) {
    const [before, after, ...more] = program.split(original);
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`this version of code-server needs another edit: expected exactly once in workbench.js: ${original}`);
    }
    program = before + edited + after;
  }
  return program;
}

function configuration({ host, workspace, tests }: PageOptions): object {
  const served = (at: string) => ({ scheme: 'http', authority: host, path: at });
  const mounted = (at: string) => ({ scheme: 'mount', authority: '', path: at });
  return {
    ...('folder' in workspace ? { folderUri: mounted(workspace.folder) } : { workspaceUri: mounted(workspace.file) }),
    additionalBuiltinExtensions: [served('/mount-extension')],
    developmentOptions: {
      extensions: [served('/extension')],
      ...(tests === undefined ? {} : { extensionTestsPath: served(`/extension/${tests}`) }),
    },
    configurationDefaults: QUIET_SETTINGS,
    enableWorkspaceTrust: false,
    webviewEndpoint: 'vscode/out/vs/workbench/contrib/webview/browser/pre',
    callbackRoute: '/callback',
    userDataPath: '/',
    // code-server's own; it throws without the first three.
    serverBasePath: '/',
    isEnabledFileDownloads: true,
    isEnabledFileUploads: true,
    isEnabledCoderGettingStarted: false,
    productConfiguration: { rootEndpoint: '/', nameShort: 'VS Code', nameLong: 'VS Code (web)', enableTelemetry: false },
  };
}
