import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { functionKey, type KnownFunction } from '../../flows/functions';
import { aboutFunction, passing, passingText } from '../../flows/functionText';
import { plain } from '../../flows/markdown';
import type { Session } from '../../flows/session';
import type { KnownCode } from './known';
import { annotatesSource, SOURCE_FILES } from './setting';

/** On the name of a modelled function, where it is defined and where another one calls it: what it does in the flows. */
export function registerHover(session: Session, code: KnownCode): vscode.Disposable {
  return vscode.languages.registerHoverProvider(SOURCE_FILES, {
    async provideHover(document, position) {
      if (!annotatesSource()) return undefined;
      const functions = await code.namedAt(document, position);
      if (functions.length === 0) return undefined;
      const remarks = await Promise.all(functions.map(({ fn }) => code.remarkOn(fn)));
      return new vscode.Hover(functions.map((known, index) => contents(known, remarks[index], session)));
    },
  });
}

function contents(known: KnownFunction, remark: string | undefined, { run }: Session): vscode.MarkdownString {
  const key = functionKey(known.fn);
  const flows = passing([known], run);
  const links = [
    flows.size > 0 ? `$(pulse) ${link(passingText(flows), 'virtflow.goToFlowStep', key)}` : passingText(flows),
    `$(type-hierarchy) ${link(t('Interrupt Call Hierarchy'), 'virtflow.showCallHierarchy', key)}`,
  ];
  const parts = [aboutFunction(known), ...(remark === undefined ? [] : [`$(info) ${plain(remark)}`]), links.join('  ')];
  const markdown = new vscode.MarkdownString(parts.join('\n\n'), true);
  markdown.isTrusted = { enabledCommands: ['virtflow.goToFlowStep', 'virtflow.showCallHierarchy'] };
  return markdown;
}

const link = (text: string, command: string, key: string): string =>
  `[${text}](command:${command}?${encodeURIComponent(JSON.stringify([key]))})`;
