import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { startBrowser } from './browser';
import type { MountedFolder } from './folders';
import { serve, type Host } from './hosts';
import { ROOT } from './paths';

/** Drives one VS Code. Everything waits for what it needs and rejects after 30 s; nothing sleeps. */
export interface Workbench {
  readonly host: Host;
  /** Playwright's page, for what is not here. */
  readonly page: Page;
  /** What the browser's console said so far, one entry per line. */
  readonly log: readonly string[];
  /** Runs a command by its title in the palette: `Virtflow: Open Panel`. */
  runCommand(title: string): Promise<void>;
  /** Shows a container of the activity bar, whether or not it is shown already. */
  openContainer(title: string): Promise<void>;
  /** Opens a file by its path: `mount:` path in the web host, path on disk in the Node host. See `pathOf`. */
  openFile(file: string): Promise<void>;
  /** The path under which this host sees a file of a mounted folder. */
  pathOf(folder: MountedFolder, file: string): string;
  /** Rows of the tree view with this title. */
  tree(view: string): Locator;
  /** Inside of the panel in the editor area (`panel`) or of the view in a side bar (`view`). */
  webview(kind: 'panel' | 'view'): FrameLocator;
  /** Waits until the person has been told something that contains this text. */
  expectNotification(text: string): Promise<void>;
  /** Saves a picture as dist/shots/NAME.png. */
  screenshot(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface WorkbenchOptions {
  readonly folders?: readonly MountedFolder[];
  /** The display language: English unless given. Extensions have it all; VS Code's own texts stay English, as their language pack is not here. */
  readonly language?: string;
}

/**
 * Starts a server and a browser of its own and waits until the workbench is there. Undefined where this machine cannot run the host.
 */
export async function openWorkbench(host: Host, options: WorkbenchOptions = {}): Promise<Workbench | undefined> {
  const server = await serve(host, options.folders);
  if (!server) return undefined;
  const browser = await startBrowser();
  const close = async () => {
    await browser.close();
    await server.close();
  };
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(30_000);
  const log = recordLog(page);
  if (options.language !== undefined) await speak(page, options.language);
  try {
    await page.goto(server.url);
    await waitForWorkbench(page);
    return { host, page, log, close, ...actions(host, page) };
  } catch (error) {
    await close();
    throw new Error(`the workbench did not open; the browser said:\n${log.slice(-20).join('\n')}`, { cause: error });
  }
}

/** Reads a value until it is the expected one. Rejects with the last value after `timeout` milliseconds. */
export async function eventually<T>(read: () => Promise<T>, expected: (value: T) => boolean, timeout = 10_000): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await read();
    if (expected(value)) return value;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)} after ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const succeeds = (action: Promise<void>): Promise<boolean> =>
  action.then(
    () => true,
    () => false,
  );

/** Whether something is to be seen within `timeout` milliseconds. */
const appears = (what: Locator, timeout: number): Promise<boolean> => succeeds(what.waitFor({ timeout }));

type Actions = Omit<Workbench, 'host' | 'page' | 'log' | 'close'>;

function actions(host: Host, page: Page): Actions {
  const rows = page.locator('.quick-input-list .monaco-list-row');
  const input = page.locator('.quick-input-widget:visible .quick-input-box input');

  async function runCommand(title: string): Promise<void> {
    const row = rows.filter({ hasText: title }).first();
    // Until the keyboard's focus is somewhere, F1 goes nowhere; extensions add their commands when they are read; and the palette
    // goes away when an editor takes the focus that still follows a step.
    await eventually(
      async () => {
        await page.keyboard.press('F1');
        if (!(await appears(input, 1000))) return false;
        if (await succeeds(input.fill(`>${title}`, { timeout: 1000 }).then(() => row.click({ timeout: 10_000 })))) return true;
        // A palette that is open does not come to know what commands have been added since.
        await page.keyboard.press('Escape');
        return false;
      },
      Boolean,
      30_000,
    );
  }

  return {
    runCommand,
    async openContainer(title) {
      const item = page.locator(`.activitybar .action-item:has(.action-label[aria-label^="${title}"])`);
      await item.waitFor();
      // A click on the icon of the container that is open would close it.
      const open = /\bchecked\b/.test((await item.getAttribute('class')) ?? '') && (await page.locator('.part.sidebar').isVisible());
      // A badge may lie over its label.
      if (!open) await item.click();
      await page
        .locator('.part.sidebar .composite.title')
        .filter({ hasText: new RegExp(title, 'i') })
        .waitFor();
    },
    async openFile(file) {
      // The dialog puts the current folder into its field, and again each time it has read one: type when it has settled.
      const settled = page.locator('.quick-input-widget').getByText('..', { exact: true });
      // While VS Code starts, before it can read the folder, the command does nothing at all.
      await eventually(
        async () => {
          await runCommand('File: Open File...');
          return appears(settled, 5000);
        },
        Boolean,
        30_000,
      );
      await input.fill(file);
      await rows
        .filter({ hasText: path.posix.basename(file) })
        .first()
        .waitFor();
      await input.fill(file);
      await page.keyboard.press('Enter');
      await page
        .locator('.tab.active')
        .filter({ hasText: path.posix.basename(file) })
        .waitFor();
      await page.locator('.editor-instance .view-line').first().waitFor();
    },
    pathOf(folder, file) {
      switch (host) {
        case 'web':
          return `/${folder.name}/${file}`;
        case 'node':
          return path.join(folder.path, file);
      }
    },
    tree: (view) => page.locator(`.pane:has(.pane-header[aria-label^="${view}"]) .monaco-list-row`),
    webview(kind) {
      const inSideBar = '[src*="purpose=webviewView"]';
      const extension = 'iframe.webview.ready[src*="extensionId=virtflow.virtflow"]';
      return page.frameLocator(kind === 'view' ? extension + inSideBar : `${extension}:not(${inSideBar})`).frameLocator('#active-frame');
    },
    async expectNotification(text) {
      // VS Code's server, as we start it, shows no toasts: there only the notification centre has them.
      const said = page.locator('.notifications-toasts, .notifications-center').getByText(text).first();
      if (await appears(said, host === 'web' ? 5000 : 100)) return;
      await runCommand('Notifications: Show Notifications');
      await said.waitFor();
      await page.keyboard.press('Escape');
    },
    async screenshot(name) {
      const folder = path.join(ROOT, 'dist/shots');
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: path.join(folder, `${name}.png`) });
    },
  };
}

/** What a language pack would do. The web host takes an extension's manifest in other languages from the marketplace: here from its folder. */
async function speak(page: Page, language: string): Promise<void> {
  await page.addInitScript(`globalThis._VSCODE_NLS_LANGUAGE = ${JSON.stringify(language)}`);
  await page.route('**/extension/package.nls.json', (route) =>
    route.fulfill({ contentType: 'application/json', path: path.join(ROOT, `package.nls.${language}.json`) }),
  );
}

async function waitForWorkbench(page: Page): Promise<void> {
  await page.locator('.monaco-workbench .part.statusbar').waitFor();
  await page.locator('.activitybar .action-item').first().waitFor();
}

function recordLog(page: Page): readonly string[] {
  const log: string[] = [];
  page.on('console', (message) => log.push(`[${message.type()}] ${message.text()}`));
  page.on('pageerror', (error) => log.push(`[error] ${error.stack ?? error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 400) log.push(`[${response.status()}] ${response.url()}`);
  });
  return log;
}
