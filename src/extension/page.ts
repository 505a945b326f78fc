import { texts } from 'texts:src/webview';
import * as vscode from 'vscode';

/** The page of a webview: its script, its styles, and its texts in the reader's language. Nothing inline runs, nothing comes from outside. */
export function page(webview: vscode.Webview, extension: vscode.Uri, view: 'panel' | 'state'): string {
  const nonce = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const file = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(extension, 'dist', 'webview', name)).toString();
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource} 'nonce-${nonce}'; font-src ${webview.cspSource}; img-src ${webview.cspSource}`;
  const { bundle = {} } = vscode.l10n;
  const translated = Object.fromEntries(texts.flatMap((text) => (Object.hasOwn(bundle, text) ? [[text, bundle[text]]] : [])));
  return `<!DOCTYPE html>
<html lang="${vscode.l10n.bundle ? vscode.env.language : 'en'}">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta property="csp-nonce" content="${nonce}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${file('panel.css')}">
  <title>Virtflow</title>
</head>
<body data-view="${view}">
  <script type="application/json" id="texts">${JSON.stringify(translated).replaceAll('<', '\\u003c')}</script>
  <script nonce="${nonce}" src="${file('panel.js')}"></script>
</body>
</html>`;
}
