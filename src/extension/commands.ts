import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import { PROJECTS, type Project } from '../engine/reference';
import { CATALOGUE, flowById, requireFlow } from '../flows/catalogue';
import { headOf, type Told } from '../flows/export/told';
import { presetInputs, type Flow, type FlowRun, type ParameterSpec } from '../flows/flow';
import { referenceOfStep } from '../flows/places';
import { allNotes } from '../flows/scenario/notes';
import type { Session } from '../flows/session';
import { upstreamVersions } from '../sources/links';
import type { Code } from './code/register';
import type { Comparing } from './comparison';
import { debugFlow, reverse } from './debug/commands';
import { showError } from './errors';
import { exportRun } from './export';
import { goToNote } from './goToNote';
import { linkToStep } from './links';
import type { Panel } from './panel';
import { upstreamPage, type Reveal } from './reveal';
import type { Notes } from './notes';
import { addChapter, saveRunAsScenario, saveRunToScenario } from './scenarioWriting';
import type { Scenarios } from './scenarios';
import type { SourceCheck } from './sourceCheck';
import type { SourceTrees } from './sourceTrees';
import type { StepComments } from './stepComments';
import { setValue, whoWrote } from './values';

interface Parts {
  readonly session: Session;
  readonly sources: SourceTrees;
  readonly reveal: Reveal;
  readonly panel: Panel;
  readonly comparing: Comparing;
  readonly code: Code;
  readonly scenarios: Scenarios;
  readonly notes: Notes;
  readonly comments: StepComments;
  readonly sourceCheck: SourceCheck;
}

/** Registers every command of the manifest. */
export function registerCommands(parts: Parts): vscode.Disposable[] {
  const { session, sources, reveal, panel, comparing, code, scenarios, notes, comments, sourceCheck } = parts;
  const commands: Readonly<Record<string, (...args: unknown[]) => unknown>> = {
    'virtflow.exploreFlow': (id, chapter) => explore(parts, id, chapter),
    'virtflow.explorePreset': (id, preset) => explorePreset(parts, id, preset),
    'virtflow.openScenario': (file) => openScenario(parts, file),
    'virtflow.saveRunAsScenario': () => (session.run ? saveRunAsScenario(session, scenarios, notes.all) : noRun()),
    'virtflow.saveRunToScenario': () => saveRunToScenario(session, scenarios),
    'virtflow.addChapter': () => addChapter(session, scenarios),
    'virtflow.addNote': (given) => (session.run ? comments.add(given) : noRun()),
    'virtflow.editNote': (comment) => comments.edit(comment),
    'virtflow.saveNote': (comment) => comments.save(comment),
    'virtflow.cancelNote': (comment) => comments.cancel(comment),
    'virtflow.deleteNote': (comment) => comments.remove(comment),
    'virtflow.goToNote': async () => (await goToNote(session, notes, code)) && show(parts),
    'virtflow.goToStepOfNotes': (thread) => comments.goToStep(thread),
    'virtflow.debugFlow': (node) => debugFlow(session, node),
    'virtflow.reverseStepOver': () => reverse('reverseNext'),
    'virtflow.reverseStepInto': () => reverse('stepBack'),
    'virtflow.reverseStepOut': () => reverse('reverseStepOut'),
    'virtflow.goToStep': () => goToStep(session),
    'virtflow.returnToBase': () => session.returnToBase(),
    'virtflow.keepFork': () => session.keepFork(),
    'virtflow.compareWith': () => (session.run ? compareWith(panel, comparing) : noRun()),
    'virtflow.compareWithBase': () => (panel.open(), comparing.chooseBase()),
    'virtflow.whoWrote': (place) => (session.run ? whoWrote(session, place) : noRun()),
    'virtflow.setValue': (place) => (session.run ? setValue(session, place) : noRun()),
    'virtflow.openPanel': () => panel.open(),
    'virtflow.step': () => session.step(),
    'virtflow.stepBack': () => session.stepBack(),
    'virtflow.runToNextContext': () => session.runToNextContext(),
    'virtflow.restart': () => session.restart(),
    'virtflow.togglePlay': () => session.run && panel.togglePlay(),
    'virtflow.seek': (step) => typeof step === 'number' && session.seek(step),
    'virtflow.revealSource': () => reveal.now(true),
    'virtflow.revealStep': (step) => typeof step === 'number' && reveal.peek(step),
    'virtflow.openUpstream': () => openUpstream(session),
    'virtflow.setUpstreamVersion': setUpstreamVersion,
    'virtflow.setParameters': () => setParameters(session),
    'virtflow.injectStimulus': () => injectStimulus(session),
    'virtflow.goToFlowStep': async (...keys) => (await code.goToFlowStep(keys)) && show(parts),
    'virtflow.goToHierarchyStep': async (node) => (await code.goToNode(node)) && show(parts),
    'virtflow.showCallHierarchy': (key) => code.hierarchy.show(key),
    'virtflow.showCallers': () => code.hierarchy.turn('callers'),
    'virtflow.showCallees': () => code.hierarchy.turn('callees'),
    'virtflow.openHierarchyNode': (node) => code.hierarchy.open(node),
    'virtflow.showSourceTrees': () => code.showSourceTrees(),
    'virtflow.setSourceFolder': () => setSourceFolder(sources),
    'virtflow.checkSources': (...ids) => sourceCheck.run(ids.filter((id) => typeof id === 'string')),
    'virtflow.copyLink': () => copyLink(session),
    'virtflow.export': () =>
      session.run ? exportRun(session.run, session.position, toldIn(session.run, session, notes), sources) : noRun(),
  };
  return Object.entries(commands).map(([id, run]) =>
    vscode.commands.registerCommand(id, async (...args: unknown[]) => {
      try {
        await run(...args);
      } catch (error) {
        showError(error);
      }
    }),
  );
}

async function explore(parts: Parts, id: unknown, chapter: unknown): Promise<void> {
  const { session } = parts;
  const flow = typeof id === 'string' ? flowById(id) : await pickFlow();
  if (flow === undefined) return;
  // The first flow of a window may come from the palette or the walkthrough: bring the trees into view once.
  if (session.run === undefined) await vscode.commands.executeCommand('workbench.view.extension.virtflow');
  // Choosing a chapter of the run that is open moves in it; everything else starts the flow.
  if (session.run?.flow !== flow || chapter === undefined)
    session.explore(flow, session.run?.flow === flow ? { parameters: session.run.inputs.parameters } : {});
  if (!(await isThere(session))) return;
  const start = session.chapters.find((found) => found.chapter.title === chapter);
  if (start) session.seek(start.step);
  else if (chapter !== undefined)
    void vscode.window.showInformationMessage(t('Virtflow: this run does not reach “{0}”; other parameters do.', t(String(chapter))));
  await show(parts);
}

/** Waits for a run that takes long. Says whether the session stands in it; `progress.ts` tells the reader why not. */
async function isThere({ work }: Session): Promise<boolean> {
  return work === undefined || (await work.outcome).kind === 'finished';
}

async function explorePreset(parts: Parts, id: unknown, presetId: unknown): Promise<void> {
  const picked = typeof id === 'string' && typeof presetId === 'string' ? { flow: requireFlow(id), id: presetId } : await pickPreset();
  if (picked === undefined) return;
  const { parameters, stimuli } = presetInputs(picked.flow, picked.id);
  parts.session.explore(picked.flow, { parameters, stimuli });
  if (!(await isThere(parts.session))) return;
  await show(parts);
}

async function openScenario(parts: Parts, file: unknown): Promise<void> {
  if (await parts.scenarios.explore(file)) await show(parts);
}

async function pickPreset(): Promise<{ readonly flow: Flow; readonly id: string } | undefined> {
  const items = CATALOGUE.flatMap((flow) =>
    flow.presets.map(({ id, title, prose }) => ({ label: t(title), description: t(flow.title), detail: t(prose), flow, id })),
  );
  return vscode.window.showQuickPick(items, {
    title: t('Explore Preset'),
    placeHolder: t('Which case?'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
}

/** The source takes the first column before the panel asks for the second one. */
async function show({ reveal, panel }: Parts): Promise<void> {
  await reveal.now(false);
  panel.open();
}

async function pickFlow(): Promise<Flow | undefined> {
  const items = CATALOGUE.map((flow) => ({ label: t(flow.title), description: flow.id, detail: t(flow.summary), flow }));
  return (
    await vscode.window.showQuickPick(items, {
      title: t('Explore Flow'),
      placeHolder: t('Which way of an interrupt?'),
      matchOnDetail: true,
    })
  )?.flow;
}

async function goToStep(session: Session): Promise<void> {
  const { run } = session;
  if (run === undefined) return noRun();
  const last = run.journal.length - 1;
  const text = await vscode.window.showInputBox({
    title: t('Go to Step'),
    prompt: t('A step from 0 to {0}', last),
    value: String(session.position),
    validateInput: (given) => (/^\d{1,9}$/.test(given) && Number(given) <= last ? undefined : t('A whole number from 0 to {0}', last)),
  });
  if (text !== undefined) session.seek(Number(text));
}

async function compareWith(panel: Panel, comparing: Comparing): Promise<void> {
  panel.open();
  await comparing.choose();
}

async function setParameters(session: Session): Promise<void> {
  const { run } = session;
  if (run === undefined) return noRun();
  const items = run.flow.parameters.map((spec) => ({
    label: t(spec.title),
    description: `${spec.name} = ${String(run.inputs.parameters[spec.name])}`,
    detail: t(spec.description),
    spec,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Set Parameters'),
    placeHolder: t('The run starts again with the new value'),
  });
  if (picked === undefined) return;
  const value = await askValue(picked.spec, run.inputs.parameters[picked.spec.name]);
  if (value !== undefined) session.setParameters({ [picked.spec.name]: value });
}

async function askValue(spec: ParameterSpec, current: unknown): Promise<string | undefined> {
  const pick = async (values: readonly { readonly value: string; readonly title: string }[]): Promise<string | undefined> => {
    const items = values.map(({ value, title }) => ({ label: t(title), description: value === String(current) ? t('now') : '', value }));
    return (await vscode.window.showQuickPick(items, { title: t(spec.title), placeHolder: t(spec.description) }))?.value;
  };
  switch (spec.kind) {
    case 'boolean':
      return pick([
        { value: 'true', title: t('on') },
        { value: 'false', title: t('off') },
      ]);
    case 'choice':
      return pick(spec.choices);
    case 'number': {
      const { minimum, maximum } = spec;
      return vscode.window.showInputBox({
        title: t(spec.title),
        prompt: t(spec.description),
        value: String(current),
        validateInput: (text) =>
          /^\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum
            ? undefined
            : t('A whole number from {0} to {1}', minimum, maximum),
      });
    }
  }
}

async function injectStimulus(session: Session): Promise<void> {
  const { run } = session;
  if (run === undefined) return noRun();
  const items = run.flow.stimuli.map(({ name, title, description }) => ({ label: t(title), detail: t(description), name }));
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Inject Stimulus at step {0}', session.position),
    placeHolder: t('What happens next?'),
  });
  if (picked) session.inject(picked.name);
}

async function setSourceFolder(sources: SourceTrees): Promise<void> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      title: t('A Linux, QEMU or ACRN source tree'),
      openLabel: t('Use This Tree'),
    })) ?? [];
  if (folder === undefined) return;
  const recognition = await sources.inspect(folder);
  if (recognition.kind === 'unknown')
    throw new Error(t('{0} is not a source tree that Virtflow knows. {1}', folder.toString(true), recognition.message));
  const { project, version } = recognition.tree;
  const value = folder.scheme === 'file' ? folder.fsPath : folder.toString();
  await vscode.workspace.getConfiguration('virtflow.sources').update(project, value, vscode.ConfigurationTarget.Global);
  void vscode.window.showInformationMessage(t('Virtflow: steps now open in {0} {1}.', project, version));
}

async function openUpstream(session: Session): Promise<void> {
  const { run, position } = session;
  if (run === undefined) return noRun();
  const reference = referenceOfStep(run.journal.step(position));
  if (reference === undefined)
    return void vscode.window.showInformationMessage(
      t('Virtflow: this step happens in hardware or in the guest’s own driver; it has no upstream page.'),
    );
  await vscode.env.openExternal(vscode.Uri.parse(upstreamPage(reference, run.inputs.parameters)));
}

async function setUpstreamVersion(): Promise<void> {
  const items = PROJECTS.flatMap((project: Project) =>
    upstreamVersions(project).map((version) => ({ label: `${project} ${version}`, project, version })),
  );
  const picked = await vscode.window.showQuickPick(items, { title: t('Upstream Version of Web Links') });
  if (picked)
    await vscode.workspace.getConfiguration('virtflow.upstream').update(picked.project, picked.version, vscode.ConfigurationTarget.Global);
}

async function copyLink(session: Session): Promise<void> {
  if (session.run === undefined) return noRun();
  await vscode.env.clipboard.writeText(linkToStep(session.run, session.position).toString());
  vscode.window.setStatusBarMessage(t('Virtflow: link copied'), 3000);
}

/** What is told of the run that is explored: by its flow or its scenario, and by the reader. */
const toldIn = (run: FlowRun, { chapters, scenario }: Session, { all }: Notes): Told => ({
  ...headOf(run, scenario),
  chapters,
  notes: allNotes(scenario, all),
});

function noRun(): void {
  void vscode.window.showInformationMessage(t('Virtflow: choose “Explore Flow…” first.'));
}
