import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { functionKey } from '../../flows/functions';
import { passing, passingText } from '../../flows/functionText';
import type { Session } from '../../flows/session';
import { registerLenses } from '../lenses';
import type { SourceTrees } from '../sourceTrees';
import type { KnownCode } from './known';
import { annotatesSource, onDidChangeAnnotating, SOURCE_FILES } from './setting';

/** Over each modelled function: how many flows pass it, and how many steps they make there. Where none does, it leads to who calls it. */
export function registerLens(session: Session, sources: SourceTrees, code: KnownCode): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const refresh = (): void => changed.fire();

  async function provideCodeLenses({ uri }: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (!annotatesSource()) return [];
    const definitions = await code.definitionsIn(uri);
    return definitions.map(({ functions, range }) => {
      const flows = passing(functions, session.run);
      return new vscode.CodeLens(range, {
        title: passingText(flows),
        tooltip: [...flows.keys()].map(({ title }) => t(title)).join('\n'),
        command: flows.size > 0 ? 'virtflow.goToFlowStep' : 'virtflow.showCallHierarchy',
        arguments: functions.map(({ fn }) => functionKey(fn)),
      });
    });
  }

  return vscode.Disposable.from(
    registerLenses(SOURCE_FILES, provideCodeLenses, changed),
    sources.onDidChange(refresh),
    onDidChangeAnnotating(refresh),
    { dispose: session.onDidChange((change) => change === 'run' && refresh()) },
  );
}
