import { t } from '@vscode/l10n';
import { referenceOf, type FnInfo, type World } from '../engine/fn';
import { NO_STEP, type Step } from '../engine/journal';
import { anchorKey, type Anchor } from '../engine/reference';
import type { FlowRun } from './flow';
import { callAnchor } from './places';
import { edgeTitle, letters } from './text';

/**
 * An outline of an upstream file, made from what a run's models did in it: function names, what they call in
 * order, which state they touch, and our annotations. It holds no upstream code.
 */
export interface Outline {
  readonly text: string;
  /** The line (from 0) of each function and identifier, by `outlineKey`. */
  readonly lines: ReadonlyMap<string, number>;
}

/** What an outline knows a place by. */
export const outlineKey = (symbol: string, anchor: Anchor | undefined): string =>
  anchor === undefined ? symbol : `${symbol} ${anchorKey(anchor)}`;

interface Line {
  readonly text: string;
  readonly anchor: Anchor;
  note?: string | undefined;
}

/** Makes the outline of a file from every step that a run made in it. Hardware and the guest's driver have outlines too. */
export function outlineOf(run: FlowRun, world: World, path: string): Outline {
  const isHere = ({ home }: FnInfo): boolean => home.world === world && home.path === path;
  const functions = new Map<FnInfo, Map<string, Line>>();
  const linesOf = (fn: FnInfo): Map<string, Line> => {
    let lines = functions.get(fn);
    if (lines === undefined) functions.set(fn, (lines = new Map()));
    return lines;
  };
  for (const n of distinctSteps(run)) {
    const step = run.journal.step(n);
    const { fn, anchor, note } = step.site;
    if (step.kind === 'enter') {
      if (isHere(fn)) linesOf(fn);
      const caller = step.parent === NO_STEP ? undefined : run.journal.step(step.parent).site.fn;
      const from = callAnchor(step);
      if (caller && from && isHere(caller)) add(linesOf(caller), from, callText(step, from), undefined);
    } else if (anchor && isHere(fn) && step.kind !== 'return') {
      add(linesOf(fn), anchor, anchorText(run, n, anchor), note);
    }
  }
  return render(world, path, functions);
}

const distinct = new WeakMap<FlowRun, readonly number[]>();

/** The first step of each kind: those that follow at the same place, reached the same way from the same place, say the same in an outline. */
function distinctSteps(run: FlowRun): readonly number[] {
  const known = distinct.get(run);
  if (known !== undefined) return known;
  const { journal } = run;
  const seen = new Set<number>();
  const steps: number[] = [];
  for (let n = 0; n < journal.length; n++) {
    const parent = journal.parent(n);
    const from = parent === NO_STEP ? 0 : journal.siteId(parent) + 1;
    const place = (from * journal.links.length + journal.linkId(n)) * journal.sites.length + journal.siteId(n);
    // A function's end stands where its beginning does.
    const key = journal.kind(n) === 'return' ? -1 : place;
    if (seen.has(key)) continue;
    seen.add(key);
    steps.push(n);
  }
  distinct.set(run, steps);
  return steps;
}

function callText({ link, site }: Step, { token }: Anchor): string {
  if (referenceOf(site.fn) === undefined) return `/* ${site.fn.home.world}: ${site.fn.name} */`;
  if (link?.kind !== 'call')
    return `${token}(); /* ${t('{0}: reaches {1}()', link === undefined ? '' : edgeTitle(link.kind), site.fn.name)} */`;
  return link.token === undefined ? `${token}();` : `${token}(); /* ${t('which is {0}()', site.fn.name)} */`;
}

function add(lines: Map<string, Line>, anchor: Anchor, text: string, note: string | undefined): void {
  const key = anchorKey(anchor);
  const line = lines.get(key);
  if (line === undefined) lines.set(key, { text, anchor, note });
  else line.note ??= note;
}

function anchorText(run: FlowRun, n: number, anchor: Anchor): string {
  const [first, end] = run.journal.writesOf(n);
  const cells = [...new Set(Array.from({ length: end - first }, (_, i) => run.cells[run.journal.write(first + i).cell]!))];
  if (cells.length > 0)
    return `${anchor.token} /* ${t('writes {0}', cells.map(({ component, name }) => `${component.struct}.${name}`).join(', '))} */;`;
  return anchor.as === 'call' ? `${anchor.token}();` : `/* ${t('looks at')} */ ${anchor.token};`;
}

const COMMENT_WIDTH = 96;

function render(world: World, path: string, functions: ReadonlyMap<FnInfo, ReadonlyMap<string, Line>>): Outline {
  const about = t(
    'An outline of {0} ({1}), made from Virtflow’s model of it: what this run does there, in the order of first appearance, in our own words. For the code itself choose “Virtflow: Set Source Folder…”, or open the upstream page from the annotation.',
    path,
    world,
  );
  const text = [...comment(about), ''];
  const lines = new Map<string, number>();
  for (const [fn, inside] of functions) {
    text.push(...comment(t(fn.does)));
    lines.set(outlineKey(fn.name, undefined), text.length);
    text.push(`${fn.name}()`, '{');
    for (const line of inside.values()) {
      if (line.note !== undefined) text.push(...wrap(t(line.note), COMMENT_WIDTH - 8).map((part) => `        // ${part}`));
      lines.set(outlineKey(fn.name, line.anchor), text.length);
      text.push(`        ${line.text}`);
    }
    text.push('}', '');
  }
  return { text: text.join('\n'), lines };
}

const comment = (text: string): readonly string[] =>
  wrap(text, COMMENT_WIDTH).map((line, i, all) => `${i === 0 ? '/* ' : ' * '}${line}${i === all.length - 1 ? ' */' : ''}`);

/** A word with what closes behind it; or a character of a script that has no spaces, with what belongs to it. A line may end behind each. */
const PIECES = /\s+|[（《“‘]*[\u2e80-\u9fff\uff00-\uffef][，。：；！？）》、”’]*|[^\s\u2e80-\u9fff\uff00-\uffef]+[，。：；！？）》、”’]*/g;

function wrap(text: string, width: number): readonly string[] {
  const lines = [''];
  for (const [piece] of text.matchAll(PIECES)) {
    const line = lines.at(-1)!;
    if (letters(line) + letters(piece.trim()) <= width) lines[lines.length - 1] = line + piece;
    else lines.push(piece.trimStart());
  }
  return lines.map((line) => line.trim());
}
