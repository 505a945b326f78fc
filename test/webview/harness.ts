import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import type { ToHost, ToWebview } from '../../src/webview/protocol';
import { ROOT } from '../workbench/paths';
import themes from './themes.json';
import type { Sample } from './sample';

export type Theme = keyof typeof themes;
export const THEMES = Object.keys(themes) as readonly Theme[];

export interface WebviewOptions {
  readonly view: 'panel' | 'state';
  readonly theme?: Theme;
  readonly width?: number;
  readonly height?: number;
  /** What `getState` gives, as VS Code keeps it for a webview that was hidden. */
  readonly memory?: object;
  readonly reducedMotion?: boolean;
  /** The page's own texts in another language, as the extension puts them into it; English unless given. */
  readonly translation?: { readonly language: string; readonly texts: Readonly<Record<string, string>> };
}

/** A webview in a plain browser, with an extension that only listens. */
export interface Webview {
  readonly page: Page;
  /** What the webview told the extension so far. */
  readonly sent: readonly ToHost[];
  /** Warnings, errors and broken rules of the content security policy. */
  readonly complaints: readonly string[];
  /** Says something to the webview, fit or unfit, and waits until it was drawn. */
  tell(message: unknown): Promise<void>;
  close(): Promise<void>;
}

/** As the extension builds it: nothing inline, nothing from outside. */
const POLICY = `default-src 'none'; script-src 'nonce-test'; style-src ORIGIN 'nonce-test'; font-src ORIGIN; img-src ORIGIN`;
const ORIGIN = 'http://webview.localhost';

const FILES: Readonly<Record<string, string>> = { '/panel.js': 'text/javascript', '/panel.css': 'text/css' };

/** Opens one of the two views as VS Code would: its theme variables, its body classes, its policy, its API. */
export async function openWebview(
  browser: Browser,
  { view, theme = 'dark', width = 1400, height = 900, memory, reducedMotion = true, translation }: WebviewOptions,
): Promise<Webview> {
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: reducedMotion ? 'reduce' : 'no-preference' });
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  const sent: ToHost[] = [];
  const complaints: string[] = [];
  page.on('console', (message) => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  await page.route('**/*', (route) => {
    const { pathname } = new URL(route.request().url());
    const type = FILES[pathname];
    if (type) return route.fulfill({ contentType: type, body: readFileSync(path.join(ROOT, 'dist/webview', pathname)) });
    if (pathname === '/') return route.fulfill({ contentType: 'text/html', body: html(view, theme, translation) });
    return route.fulfill({ status: 404 });
  });
  await page.exposeFunction('toHost', (message: ToHost) => void sent.push(message));
  // What runs in the page was bundled with esbuild's keepNames, which calls this.
  await page.addInitScript('globalThis.__name = (named) => named');
  await page.addInitScript(fakeApi, memory);
  await page.addInitScript(applyTheme, { variables: themes[theme] });
  await page.goto(`${ORIGIN}/`);
  return {
    page,
    sent,
    complaints,
    tell: (message) =>
      page.evaluate((data) => {
        window.postMessage(data, '*');
        return new Promise<void>((resolve) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => resolve())), 0));
      }, message),
    close: () => context.close(),
  };
}

/** The message that shows a sample at a step. */
export function runAt(sample: Sample, step: number): ToWebview {
  return { type: 'run', run: sample.run, position: sample.positionAt(step) };
}

/** The same for the side bar. */
export function outlineAt(sample: Sample, step: number): ToWebview {
  return { type: 'outline', run: sample.outline, position: sample.positionAt(step) };
}

/** The message that moves to a step of the sample. */
export function moveTo(sample: Sample, step: number): ToWebview {
  return { type: 'position', position: sample.positionAt(step) };
}

const KINDS: Readonly<Record<Theme, readonly string[]>> = {
  dark: ['vscode-dark'],
  light: ['vscode-light'],
  'hc-dark': ['vscode-high-contrast'],
  'hc-light': ['vscode-high-contrast', 'vscode-high-contrast-light'],
};

function html(view: string, theme: Theme, translation: WebviewOptions['translation']): string {
  const kind = KINDS[theme];
  const texts = JSON.stringify(translation?.texts ?? {}).replaceAll('<', '\\u003c');
  return `<!DOCTYPE html>
<html lang="${translation?.language ?? 'en'}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY.replaceAll('ORIGIN', ORIGIN)}">
<meta property="csp-nonce" content="test">
<title>Virtflow</title>
<link rel="stylesheet" href="/panel.css">
</head>
<body data-view="${view}" class="${kind.join(' ')}" data-vscode-theme-kind="${kind.at(-1) ?? ''}">
<script type="application/json" id="texts">${texts}</script>
<script nonce="test" src="/panel.js"></script>
</body>
</html>`;
}

/** Runs in the page: what VS Code gives a webview, once. */
function fakeApi(memory: object | undefined): void {
  const page = globalThis as unknown as { toHost(message: unknown): void; acquireVsCodeApi?: unknown };
  let state = memory;
  let acquired = false;
  page.acquireVsCodeApi = () => {
    if (acquired) throw new Error('an instance of the VS Code API has already been acquired');
    acquired = true;
    return {
      postMessage: (message: unknown) => page.toHost(message),
      getState: () => state,
      setState: (next: object) => (state = next),
    };
  };
}

/** Runs in the page: VS Code sets the theme on the root element, and its own sheet of defaults. */
function applyTheme({ variables }: { readonly variables: object }): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`@layer vscode-default {
    body { background-color: transparent; color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family);
      font-weight: var(--vscode-font-weight); font-size: var(--vscode-font-size); margin: 0; padding: 0 20px; }
    ::-webkit-scrollbar { width: 10px; height: 10px; }
    ::-webkit-scrollbar-thumb { background-color: var(--vscode-scrollbarSlider-background); }
  }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const apply = () => {
    for (const [name, value] of Object.entries(variables)) document.documentElement.style.setProperty(name, String(value));
  };
  if (document.documentElement) apply();
  document.addEventListener('readystatechange', apply);
}
