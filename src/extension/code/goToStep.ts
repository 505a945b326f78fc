import { t } from '@vscode/l10n';
import * as vscode from 'vscode';
import type { FnInfo } from '../../engine/fn';
import type { Anchor } from '../../engine/reference';
import { isCase } from '../../flows/cases';
import type { FlowRun } from '../../flows/flow';
import type { Visit } from '../../flows/functions';
import { caseText, stepsText } from '../../flows/functionText';
import type { Place } from '../../flows/scenario/format';
import { isAt } from '../../flows/scenario/moments';
import type { Session } from '../../flows/session';
import { siteKey, standing } from '../../flows/sites';
import { section } from '../picks';
import type { KnownCode } from './known';
import { threadTitle } from '../../flows/text';

/** From code into a flow: to a step that stands where the reader does. */

/** What somebody means: whole functions, or places in them. */
type Meant = readonly { readonly fn: FnInfo; readonly anchor?: Anchor | undefined; readonly visits: readonly Visit[] }[];

interface Target extends vscode.QuickPickItem {
  /** A step of the run that is explored, or a case that comes by. */
  readonly to: number | Visit;
}

/** Steps of the explored run that are offered; the panel shows all. */
const MOST_STEPS = 100;

/**
 * *Go to Flow Step*: asks which one, unless there is but one.
 * @param keys the functions that are meant; without any, what the cursor is on
 * @returns whether the session stands there now
 */
export async function goToFlowStep(session: Session, code: KnownCode, keys: readonly unknown[]): Promise<boolean> {
  const went = await goTo(session, await meantBy(code, keys));
  if (went === undefined) void code.tellNothing();
  return went ?? false;
}

/**
 * Goes to a step that stands at a place, as notes name it; asks which one, unless there is but one.
 * @returns whether the session stands there now; undefined if no flow comes there
 */
export async function goToPlace(session: Session, code: KnownCode, place: Place): Promise<boolean | undefined> {
  const known = await code.functions();
  const places = [...known.values()].flatMap(({ fn, places: all }) => all.map((each) => ({ ...each, fn })));
  return goTo(
    session,
    places.filter((each) => isAt(each, place)),
  );
}

async function goTo(session: Session, meant: Meant): Promise<boolean | undefined> {
  const targets = [...ofTheRun(session.run, meant), ...ofCases(session.run, meant)];
  if (targets.length === 0) return undefined;
  const target = targets.length === 1 ? targets[0] : await pick(targets);
  if (target === undefined) return false;
  if (typeof target.to !== 'number') return exploreVisit(session, target.to);
  session.seek(target.to);
  return true;
}

/** Explores a case at the step at which it comes by. Says whether the session stands there. */
export async function exploreVisit(session: Session, { of, first }: Visit): Promise<boolean> {
  session.explore(of.flow, of.inputs, first);
  return session.work === undefined || (await session.work.outcome).kind === 'finished';
}

async function meantBy(code: KnownCode, keys: readonly unknown[]): Promise<Meant> {
  const known = await code.functions();
  const named = keys.flatMap((key) => (typeof key === 'string' ? (known.get(key) ?? []) : []));
  const editor = vscode.window.activeTextEditor;
  if (named.length > 0 || editor === undefined) return named;
  const { uri } = editor.document;
  const { active } = editor.selection;
  const definition = await code.definitionAt(uri, active);
  const places = definition?.range.start.line === active.line ? [] : await code.placesOn(uri, active.line);
  return places.length > 0 ? places : (definition?.functions ?? []);
}

/** The steps of a run that stand there: of a function, those that enter it. */
function ofTheRun(run: FlowRun | undefined, meant: Meant): readonly Target[] {
  if (run === undefined) return [];
  const { journal, threads } = run;
  const { at, places } = standing(run);
  const keys = new Set(meant.map(({ fn, anchor }) => siteKey(fn, anchor)));
  const wanted = places.map((group) => group.some(({ key }) => keys.has(key)));
  const targets: Target[] = [];
  for (let n = 0; n < at.length && targets.length < MOST_STEPS; n++) {
    if (!wanted[at[n]!]) continue;
    const { site, thread } = journal.step(n);
    const caller = journal.parent(n) < 0 ? undefined : journal.step(journal.parent(n)).site.fn.name;
    targets.push({
      label: t('Step {0}', n),
      description: [threadTitle(threads[thread]!), caller].filter(Boolean).join(' · '),
      ...(site.note === undefined ? {} : { detail: t(site.note) }),
      to: n,
    });
  }
  return targets;
}

/** The cases that come by: of those that know several of the places, each once; not the run that is explored. */
function ofCases(run: FlowRun | undefined, meant: Meant): readonly Target[] {
  const visits = new Map(meant.flatMap((one) => one.visits).map((visit) => [visit.of, visit]));
  return [...visits.values()]
    .filter(({ of }) => run === undefined || !isCase(run, of))
    .map((visit) => ({ label: caseText(visit.of), description: stepsText(visit.steps), to: visit }));
}

function pick(targets: readonly Target[]): Thenable<Target | undefined> {
  const own = targets.filter(({ to }) => typeof to === 'number');
  const flows = new Set(targets.flatMap(({ to }) => (typeof to === 'number' ? [] : to.of.flow)));
  const items = [
    ...section(t('This run'), own),
    ...[...flows].flatMap((flow) =>
      section(
        t(flow.title),
        targets.filter(({ to }) => typeof to !== 'number' && to.of.flow === flow),
      ),
    ),
  ];
  return vscode.window.showQuickPick(items, { title: t('Go to Flow Step'), matchOnDescription: true, matchOnDetail: true }) as Thenable<
    Target | undefined
  >;
}
