import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { judge } from '../flows/scenario/expectations';
import { inputsOf, type ReadInputs } from '../flows/scenario/inputs';
import { lineAndColumn, type Mistake } from '../flows/scenario/json';
import { momentOf, stepOf } from '../flows/scenario/moments';
import { readScenario, type Scenario } from '../flows/scenario/scenario';
import type { Session } from '../flows/session';
import { openText } from './documents';
import { showError } from './errors';
import { registerLenses } from './lenses';
import { pause } from './progress';
import { isScenario, SCENARIOS, type ScenarioProblems } from './scenarioProblems';

/** Scenarios in the editor: explored in the session, and again whenever their file is saved. */
export interface Scenarios extends vscode.Disposable {
  /**
   * Explores a scenario, at its first chapter. Asks for the file if none is given.
   * @returns whether the session stands in it; the reader may dismiss or cancel it
   * @throws Error naming the place of the first mistake of a file that is malformed
   */
  explore(file: unknown): Promise<boolean>;
  /**
   * Reads the scenario of a file, for a run that the session goes to.
   * @throws Error if the file cannot be opened, or naming the place of its first mistake
   */
  read(file: vscode.Uri): Promise<Scenario>;
  /** The file of the scenario that is explored. */
  readonly file: vscode.Uri | undefined;
}

/** Follows the files of scenarios. */
export function registerScenarios(session: Session, problems: ScenarioProblems): Scenarios {
  const files = new WeakMap<Scenario, vscode.Uri>();
  const current = (): vscode.Uri | undefined => session.scenario && files.get(session.scenario);

  function read(document: vscode.TextDocument): Scenario {
    const found = readScenario(document.getText());
    if (found.kind === 'malformed') return refuse(document, found.mistakes);
    files.set(found.scenario, document.uri);
    return found.scenario;
  }

  async function play(document: vscode.TextDocument): Promise<boolean> {
    const scenario = read(document);
    const found = await toItsEnd(inputsOf(scenario), scenario);
    if (found === undefined) return false;
    if (found.kind === 'malformed') return refuse(document, found.mistakes);
    const place = current()?.toString() === document.uri.toString() ? momentOf(session.run!, session.position) : undefined;
    session.explore(scenario.flow, found.inputs, 0, scenario);
    if (session.work !== undefined && (await session.work.outcome).kind !== 'finished') return false;
    session.seek((place && stepOf(session.run!, place)) ?? session.chapters[0]?.step ?? 0);
    tell(document, scenario);
    return true;
  }

  /** Says what became of what the scenario expects. */
  function tell(document: vscode.TextDocument, scenario: Scenario): void {
    const run = session.run!;
    const judgement = judge(run, scenario);
    const mistakes = judgement.kind === 'malformed' ? judgement.mistakes : [];
    const verdicts = judgement.kind === 'judged' ? judgement.verdicts : [];
    const failed = verdicts.filter(({ holds }) => !holds);
    const told = failed.map(({ path, expected, found }) => ({ message: `${expected}: ${found}`, ...scenario.file.span(path) }));
    void problems.show(document, mistakes, told);
    const [first] = [...mistakes, ...told];
    if (first !== undefined) showError(new Error(placed(document, first)));
    else if (verdicts.length > 0) vscode.window.setStatusBarMessage(t('Virtflow: {0} of {0} expectations hold', verdicts.length), 5000);
  }

  function refuse(document: vscode.TextDocument, mistakes: readonly Mistake[]): never {
    void problems.show(document, mistakes);
    const [first] = mistakes;
    throw new Error(first === undefined ? document.uri.path : placed(document, first));
  }

  const lenses = ({ uri }: vscode.TextDocument): vscode.CodeLens[] => [
    new vscode.CodeLens(new vscode.Range(0, 0, 0, 0), { command: 'virtflow.openScenario', title: t('Explore Scenario'), arguments: [uri] }),
  ];
  const subscriptions = [
    registerLenses(SCENARIOS, lenses),
    vscode.workspace.onDidSaveTextDocument((document) => {
      if (document.uri.toString() === current()?.toString()) play(document).catch(showError);
    }),
  ];
  return {
    async explore(given) {
      const uri = given instanceof vscode.Uri ? given : await pickScenario();
      return uri !== undefined && play(await openText(uri));
    },
    read: async (file) => read(await openText(file)),
    get file() {
      return current();
    },
    dispose: () => subscriptions.forEach((subscription) => subscription.dispose()),
  };
}

/** A mistake with its place, as compilers say it. */
function placed(document: vscode.TextDocument, { message, offset }: Pick<Mistake, 'message' | 'offset'>): string {
  const { line, column } = lineAndColumn(document.getText(), offset);
  return `${document.uri.path.slice(document.uri.path.lastIndexOf('/') + 1)}:${line}:${column}: ${message}`;
}

/** Finds the inputs of a scenario, with pauses in which the reader may cancel that; undefined if so. */
async function toItsEnd(work: ReturnType<typeof inputsOf>, { content: { title } }: Scenario): Promise<ReadInputs | undefined> {
  const first = work.next();
  if (first.done) return first.value;
  const options = { location: vscode.ProgressLocation.Notification, title: t('Running “{0}”', title), cancellable: true };
  return vscode.window.withProgress(options, async (_, token) => {
    for (;;) {
      await pause();
      if (token.isCancellationRequested) return undefined;
      const next = work.next();
      if (next.done) return next.value;
    }
  });
}

/** More scenarios than a workspace has. */
const MOST_FILES = 1000;

async function pickScenario(): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles('**/*.virtflow.json', undefined, MOST_FILES);
  // Not every file system can be searched.
  const open = vscode.workspace.textDocuments.filter(isScenario).map(({ uri }) => uri);
  const files = new Map([...open, ...found].map((uri) => [uri.toString(), uri]));
  const items = [...files.values()].map((uri) => {
    const path = vscode.workspace.asRelativePath(uri);
    const name = path.slice(path.lastIndexOf('/') + 1);
    return { label: name.slice(0, -'.virtflow.json'.length), description: path, uri };
  });
  const browse = { label: t('Browse…'), alwaysShow: true, uri: undefined };
  const picked = await vscode.window.showQuickPick([...items, browse], { title: t('Open Scenario'), placeHolder: t('Which scenario?') });
  if (picked === undefined || picked.uri !== undefined) return picked?.uri;
  const [file] = (await vscode.window.showOpenDialog({ title: t('Open Scenario'), filters: { [t('Scenarios')]: ['json'] } })) ?? [];
  return file;
}
