import { t } from '@vscode/l10n';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { problemOf, type Stop } from '../../flows/breakpoints';
import type { FlowRun } from '../../flows/flow';
import { optionalText, text, whole, type Attributes } from './attributes';
import { spotsFor, spotsIn, type Spot } from './lines';
import type { Places } from './places';

/** Breakpoints: what a client asks for, held against the run; asked again when there is another run, or another tree. */

/** A stop that the run can come to, with the number of the breakpoint that wants it. */
export type Armed = Stop & { readonly id: number };

type Shown = Omit<DebugProtocol.Breakpoint, 'id'>;

/** What a breakpoint comes to in a run: how the client shows it, and the stop that it makes, if it can. */
interface Verdict {
  readonly shown: Shown;
  readonly stop?: Stop;
}

type Wanted = (run: FlowRun, spotsOf: SpotsOf) => Promise<Verdict>;

/** The spots of a file; undefined for one of no tree. */
type SpotsOf = (path: string) => Promise<readonly Spot[] | undefined>;

interface Held {
  readonly id: number;
  readonly wanted: Wanted;
  verdict: Verdict;
}

export interface Breakpoints {
  /** Those on lines of a file replace the earlier ones of that file; the others likewise. The answers are in the order asked. */
  setLines(path: string, asked: readonly Attributes[], run: FlowRun): Promise<DebugProtocol.Breakpoint[]>;
  setFunctions(asked: readonly Attributes[], run: FlowRun): Promise<DebugProtocol.Breakpoint[]>;
  setData(asked: readonly Attributes[], run: FlowRun): Promise<DebugProtocol.Breakpoint[]>;
  /** Holds all of them against another run, or against other trees. @returns those that came out otherwise than before */
  review(run: FlowRun): Promise<DebugProtocol.Breakpoint[]>;
  /** The sites of the run that a line means. */
  sitesOn(path: string, line: number, run: FlowRun): Promise<ReadonlySet<string>>;
  /** The lines of a file on which a breakpoint stays where it is set. */
  locations(path: string, first: number, last: number, run: FlowRun): Promise<readonly number[]>;
  readonly stops: readonly Armed[];
}

export function createBreakpoints(places: Places): Breakpoints {
  const groups = new Map<string, readonly Held[]>();
  let lastId = 0;
  /** Each file is looked at once, for one request: by the next one it may have been edited. */
  function lookAt(run: FlowRun): SpotsOf {
    const byPath = new Map<string, ReturnType<SpotsOf>>();
    return (path) => {
      const known = byPath.get(path);
      if (known) return known;
      const found = places.fileOf(path).then((file) => file && spotsIn(run, places, file));
      byPath.set(path, found);
      return found;
    };
  }

  async function set(group: string, wanted: readonly Wanted[], run: FlowRun): Promise<DebugProtocol.Breakpoint[]> {
    const held: Held[] = [];
    const spotsOf = lookAt(run);
    for (const each of wanted) held.push({ id: ++lastId, wanted: each, verdict: await each(run, spotsOf) });
    groups.set(group, held);
    return held.map(breakpointOf);
  }

  const onLine =
    (path: string, line: number, when: When): Wanted =>
    async (run, spotsOf) => {
      const known = await spotsOf(path);
      if (known === undefined) return refused(t('No source tree of Virtflow’s holds this file: see “Virtflow: Set Source Folder…”'));
      const meant = spotsFor(line, known);
      const [first] = meant;
      if (first === undefined) return refused(t('No step of any flow stands here or further down in this function'));
      const shown: Shown = { verified: true, line: first.line };
      const sites = sitesOf(meant);
      if (sites.size === 0) return { shown: { ...shown, message: t('No step of this run stands here; with other parameters one may') } };
      return accepted(run, { kind: 'site', sites, ...when }, shown);
    };

  return {
    setLines: (path, asked, run) =>
      set(
        `file ${path}`,
        asked.map((one) => onLine(path, whole(one, 'line'), whenOf(one))),
        run,
      ),
    setFunctions: (asked, run) =>
      set(
        'functions',
        asked.map((one): Wanted => {
          const stop: Stop = { kind: 'function', name: text(one, 'name').trim().replace(/\(\)$/, ''), ...whenOf(one) };
          return async (of) => accepted(of, stop, { verified: true });
        }),
        run,
      ),
    setData: (asked, run) =>
      set(
        'data',
        asked.map((one): Wanted => {
          const stop: Stop = { kind: 'cell', ...readDataId(text(one, 'dataId')), ...whenOf(one) };
          return async (of) => accepted(of, stop, { verified: true });
        }),
        run,
      ),
    async review(run) {
      const changed: Held[] = [];
      const spotsOf = lookAt(run);
      for (const held of [...groups.values()].flat()) {
        const before = JSON.stringify(held.verdict.shown);
        held.verdict = await held.wanted(run, spotsOf);
        if (JSON.stringify(held.verdict.shown) !== before) changed.push(held);
      }
      return changed.map(breakpointOf);
    },
    async sitesOn(path, line, run) {
      return sitesOf(spotsFor(line, (await lookAt(run)(path)) ?? []));
    },
    async locations(path, first, last, run) {
      const lines = (await lookAt(run)(path))?.map(({ line }) => line).filter((line) => line >= first && line <= last);
      return [...new Set(lines)].toSorted((a, b) => a - b);
    },
    get stops() {
      return [...groups.values()].flat().flatMap(({ id, verdict }) => (verdict.stop ? [{ ...verdict.stop, id }] : []));
    },
  };
}

const sitesOf = (spots: readonly Spot[]): ReadonlySet<string> => new Set(spots.flatMap(({ site }) => site ?? []));

const breakpointOf = ({ id, verdict }: Held): DebugProtocol.Breakpoint => ({ id, ...verdict.shown });

type When = Pick<Stop, 'condition' | 'hitCondition' | 'logMessage'>;

function whenOf(asked: Attributes): When {
  const [condition, hitCondition, logMessage] = ['condition', 'hitCondition', 'logMessage'].map((name) => optionalText(asked, name));
  return { ...(condition ? { condition } : {}), ...(hitCondition ? { hitCondition } : {}), ...(logMessage ? { logMessage } : {}) };
}

const refused = (message: string): Verdict => ({ shown: { verified: false, message } });

/** A stop, unless it cannot work in this run: then why. */
function accepted(run: FlowRun, stop: Stop, shown: Shown): Verdict {
  const problem = problemOf(run, stop);
  return problem === undefined ? { shown, stop } : { shown: { ...shown, verified: false, message: problem } };
}

/** How the client keeps a cell, or some bits of one: the same in all runs of a flow. */
export const dataIdOf = (cell: string, mask: number | undefined): string =>
  mask === undefined ? cell : `${cell} & 0x${mask.toString(16)}`;

function readDataId(dataId: string): { readonly cell: string; readonly mask?: number } {
  const match = /^(.*) & 0x([0-9a-f]{1,8})$/.exec(dataId);
  return match ? { cell: match[1]!, mask: Number.parseInt(match[2]!, 16) } : { cell: dataId };
}
