import * as vscode from 'vscode';
import type { Note } from '../flows/scenario/format';
import type { Session } from '../flows/session';
import { parseToHost, type PanelCommand, type ToWebview } from '../webview/protocol';
import type { Comparing } from './comparison';
import { showError } from './errors';
import type { Notes } from './notes';
import { page } from './page';
import type { SavedPlace } from './savedPlace';
import { historyView } from './stateViews';
import { outlineView, positionView, runView } from './views';

/** The webviews: the panel in the editor area, and the compact state in the side bar. Both are views of the session. */
export interface Panel extends vscode.Disposable {
  open(): void;
  togglePlay(): void;
}

type View = 'panel' | 'state';

const PLAY_INTERVAL_MS = 600;

const COMMANDS: Readonly<Record<PanelCommand, string>> = {
  step: 'virtflow.step',
  stepBack: 'virtflow.stepBack',
  runToNextContext: 'virtflow.runToNextContext',
  restart: 'virtflow.restart',
  revealSource: 'virtflow.revealSource',
  togglePlay: 'virtflow.togglePlay',
  exploreFlow: 'virtflow.exploreFlow',
  openPanel: 'virtflow.openPanel',
  returnToBase: 'virtflow.returnToBase',
  keepFork: 'virtflow.keepFork',
  compareWith: 'virtflow.compareWith',
  compareWithBase: 'virtflow.compareWithBase',
};

/** Registers both webviews. */
export function registerPanel(
  context: vscode.ExtensionContext,
  session: Session,
  comparing: Comparing,
  notes: Notes,
  savedPlace: SavedPlace,
): Panel {
  const webviews = new Map<vscode.Webview, View>();
  let panel: vscode.WebviewPanel | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  const send = (message: ToWebview): void => webviews.forEach((_, webview) => void webview.postMessage(message));
  const sendWhole = (): void => webviews.forEach((view, webview) => void webview.postMessage(whole(session, view, notes.all)));

  function attach(webview: vscode.Webview, view: View): vscode.Disposable {
    webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview')] };
    const subscription = webview.onDidReceiveMessage((message: unknown) => receive(webview, view, message));
    webview.html = page(webview, context.extensionUri, view);
    webviews.set(webview, view);
    return { dispose: () => (webviews.delete(webview), subscription.dispose()) };
  }

  function receive(webview: vscode.Webview, view: View, raw: unknown): void {
    const message = parseToHost(raw);
    switch (message.type) {
      case 'ready':
        void webview.postMessage(whole(session, view, notes.all));
        void webview.postMessage({ type: 'playing', playing: timer !== undefined } satisfies ToWebview);
        return;
      case 'command':
        void vscode.commands.executeCommand(COMMANDS[message.command]);
        return;
      case 'seek':
        session.seek(message.step);
        return;
      case 'revealStep':
        void vscode.commands.executeCommand('virtflow.revealStep', message.step);
        return;
      case 'setParameter':
        return report(() => session.setParameters({ [message.name]: message.value }));
      case 'inject':
        return report(() => session.inject(message.stimulus));
      case 'compare': {
        const comparison = comparing.view();
        void webview.postMessage({ type: 'comparison', ...(comparison ? { comparison } : {}), chosen: false } satisfies ToWebview);
        return;
      }
      case 'compareState': {
        const state = comparing.stateView();
        if (state) void webview.postMessage({ type: 'stateComparison', state } satisfies ToWebview);
        return;
      }
      case 'edit':
        return report(() => session.edit(message.cell, message.value));
      case 'history': {
        const history = session.run && historyView(session.run, message.component, message.cell);
        if (history) void webview.postMessage({ type: 'history', history } satisfies ToWebview);
        return;
      }
      case 'malformed':
        return console.warn(`Virtflow dropped a message from its webview: ${message.problem}`);
    }
  }

  function adopt(adopted: vscode.WebviewPanel): void {
    panel = adopted;
    const icon = (theme: string) => vscode.Uri.joinPath(context.extensionUri, 'media', `panel-${theme}.svg`);
    panel.iconPath = { light: icon('light'), dark: icon('dark') };
    const attached = attach(panel.webview, 'panel');
    panel.onDidDispose(() => {
      attached.dispose();
      panel = undefined;
    });
  }

  function pause(): void {
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    send({ type: 'playing', playing: false });
  }

  function showChosen(): void {
    const comparison = comparing.view();
    if (comparison) void panel?.webview.postMessage({ type: 'comparison', comparison, chosen: true } satisfies ToWebview);
  }

  const sendPosition = (): void => {
    if (session.run !== undefined) send({ type: 'position', position: positionView(session, notes.all) });
  };

  const subscriptions = [
    { dispose: comparing.onDidChoose(showChosen) },
    notes.onDidChange(sendPosition),
    vscode.window.registerWebviewViewProvider('virtflow.state', {
      resolveWebviewView(view) {
        const attached = attach(view.webview, 'state');
        view.onDidDispose(() => attached.dispose());
      },
    }),
    vscode.window.registerWebviewPanelSerializer('virtflow.panel', {
      async deserializeWebviewPanel(restored) {
        adopt(restored);
        await savedPlace.restore().catch(showError);
      },
    }),
    {
      dispose: session.onDidChange((change) => {
        if (change === 'run') sendWhole();
        else sendPosition();
      }),
    },
  ];

  return {
    open() {
      if (panel) panel.reveal(undefined, true);
      else
        adopt(
          vscode.window.createWebviewPanel(
            'virtflow.panel',
            'Virtflow',
            { viewColumn: vscode.ViewColumn.Two, preserveFocus: true },
            { enableScripts: true },
          ),
        );
    },
    togglePlay() {
      if (timer !== undefined) return pause();
      timer = setInterval(() => session.step() || pause(), PLAY_INTERVAL_MS);
      send({ type: 'playing', playing: true });
    },
    dispose() {
      pause();
      panel?.dispose();
      subscriptions.forEach((subscription) => subscription.dispose());
    },
  };
}

/** All that a view needs to begin with. The steps of a long run are many, and go only where they are drawn. */
function whole(session: Session, view: View, notes: readonly Note[]): ToWebview {
  if (session.run === undefined) return { type: 'empty' };
  const position = positionView(session, notes);
  return view === 'panel'
    ? { type: 'run', run: runView(session.run, session), position }
    : { type: 'outline', run: outlineView(session.run, session), position };
}

function report(action: () => void): void {
  try {
    action();
  } catch (error) {
    showError(error);
  }
}
