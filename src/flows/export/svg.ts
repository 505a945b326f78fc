import { t } from '@vscode/l10n';
import { CONTEXT_KINDS, contextKind, type ContextKind } from '../contexts';
import { otherwise, presetOf, type FlowRun } from '../flow';
import { DARK, LIGHT, type Palette } from './palette';
import { edgeTitle, letters } from '../text';
import type { StepRange } from './range';
import { lineLabel, sequenceOf, type Line, type Part, type Sequence } from './sequence';
import { toldByFlow } from './told';
import { BAND_HEIGHT, HANDOVER_GAP, HEAD_HEIGHT, layOutSvg, PITCH, ROW, type PlacedLine, type SvgLayout } from './svg_layout';

/** The sequence as one SVG file that needs nothing else: no font, no script, no style sheet from elsewhere. */

/** `auto` follows what the reader's system prefers. */
export const SVG_THEMES = ['auto', 'light', 'dark'] as const;
export type SvgTheme = (typeof SVG_THEMES)[number];

/** So many lines still open at once, and print on a few pages. */
const LINES = 160;

const INDENT = 12;
/** How far a letter of the functions' font advances, in pixels, at most. */
const LETTER = 7.3;
const CORNER = 5;
/** An arrow leaves its rail by so much, and goes down between the rail and the texts. */
const ASIDE = 8;

interface Drawing extends SvgLayout {
  readonly run: FlowRun;
  readonly sequence: Sequence;
}

/** Draws a part of a run, a piece at a time. */
export function* svg(run: FlowRun, range: StepRange, theme: SvgTheme = 'auto', told = toldByFlow(run)): Generator<string> {
  const sequence = sequenceOf(run, range, LINES, told.chapters);
  const drawing: Drawing = { run, sequence, ...layOutSvg(sequence) };
  const { width, height } = drawing;
  yield `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="virtflow-title" aria-describedby="virtflow-desc">\n`;
  yield `<title id="virtflow-title">${xml(titleOf(drawing))}</title>\n`;
  yield `<desc id="virtflow-desc">${xml([...textTwin(drawing)].join('\n'))}</desc>\n`;
  yield `<style>\n${styleSheet(theme)}</style>\n`;
  yield `<rect class="background" width="${width}" height="${height}"/>\n`;
  yield* titles(drawing);
  yield* rails(drawing);
  for (const band of drawing.bands) yield chapterBand(drawing, band);
  for (const repeat of drawing.repeats) yield repeatFrame(drawing, repeat);
  for (const stay of drawing.stays) yield stayBar(drawing, stay);
  yield* arrows(drawing);
  for (const line of drawing.lines) yield stepLine(drawing, line);
  for (const { y, lane, step, title } of drawing.stimuli)
    yield label(railOf(drawing, lane) + 12, y + 4, 'stimulus', t('⚡ {0} (step {1})', title, step));
  yield* legend(drawing);
  yield '</svg>\n';
}

const titleOf = ({ run, sequence: { range } }: Drawing): string =>
  t('{0}: steps {1} to {2} of {3}', t(run.flow.title), range.first, range.end - 1, run.journal.length);

/** What the drawing shows, in words and in order. */
function* textTwin({ sequence }: Drawing): Generator<string> {
  for (const part of sequence.parts) yield* partInWords(part, sequence);
  if (sequence.shownTo < sequence.range.end) yield leftOut(sequence);
}

function* partInWords(part: Part, sequence: Sequence): Generator<string> {
  switch (part.kind) {
    case 'chapter':
      return yield t('Chapter: {0}', part.title);
    case 'stimulus':
      return yield t('Stimulus at step {0}: {1}', part.step, part.title);
    case 'stay':
      return yield `${sequence.lanes[part.lane]?.title}: ${part.lines.map((line) => lineInWords(line, sequence)).join('; ')}.`;
    case 'repeat':
      yield t('{0} times, up to step {1}:', part.times, part.end - 1);
      for (const stay of part.stays) yield* partInWords(stay, sequence);
  }
}

function lineInWords(line: Line, { lanes }: Sequence): string {
  const by = line.cause === undefined ? '' : t('by {0} from {1}: ', edgeTitle(line.cause.edge), lanes[line.cause.lane]?.title ?? '');
  return `${by}${line.step} ${labelOf(line)}${line.writes.map(({ cell, change }) => `, ${cell}: ${change}`).join('')}`;
}

const labelOf = (line: Line): string => (line.kind === 'signal' ? `${lineLabel(line)} ⇒ ${edgeTitle(line.edge)}` : lineLabel(line));

const leftOut = ({ range, shownTo }: Sequence): string => t('The other {0} steps are left out.', range.end - shownTo);

function* titles(drawing: Drawing): Generator<string> {
  const { run, left, sequence } = drawing;
  const preset = presetOf(run);
  const set = otherwise(run.flow, run.inputs.parameters);
  const details = [
    t('steps {0} to {1} of {2}', sequence.range.first, sequence.range.end - 1, run.journal.length),
    ...(preset === undefined ? [] : [t(preset.title)]),
    ...set.map(({ name }) => `${name}=${String(run.inputs.parameters[name])}`),
    ...(sequence.shownTo < sequence.range.end ? [leftOut(sequence)] : []),
  ];
  yield label(left, 34, 'title', t(run.flow.title));
  yield label(left, 54, 'detail', cut(details.join(' · '), (drawing.right - left) / 6.5));
}

function* rails({ rails: xs, railTop, railBottom, headTop, sequence }: Drawing): Generator<string> {
  for (const [lane, x] of xs.entries()) {
    const { title } = sequence.lanes[lane]!;
    yield `<path class="rail" d="M${x} ${railTop} V${railBottom}"/>\n`;
    const words = wrapped(title, 15);
    const top = headTop + HEAD_HEIGHT / 2 + 4 - (words.length - 1) * 6.5;
    const texts = words.map((word, index) => `<tspan x="${x}" y="${top + index * 13}">${xml(word)}</tspan>`).join('');
    const kind = kindOf(sequence, lane);
    yield `<rect class="head ${kind}" x="${x - PITCH / 2 + 3}" y="${headTop}" width="${PITCH - 6}" height="${HEAD_HEIGHT}" rx="5"/><text class="name">${texts}</text>\n`;
  }
}

function chapterBand({ left, right, numbers }: Drawing, { y, step, title }: Drawing['bands'][number]): string {
  const middle = y + BAND_HEIGHT / 2 + 4;
  return (
    `<rect class="band" x="${left}" y="${y}" width="${right - left}" height="${BAND_HEIGHT}" rx="4"/>` +
    label(numbers - 8, middle, 'number end', String(step)) +
    label(numbers + 8, middle, 'chapter', cut(title, (right - numbers) / 7))
  );
}

function repeatFrame({ numbers, right }: Drawing, { top, bottom, times, end }: Drawing['repeats'][number]): string {
  return (
    `<rect class="repeat" x="${numbers - 2}" y="${top}" width="${right - numbers + 2}" height="${bottom - top}" rx="6"/>` +
    label(numbers + 8, top + 16, 'times', t('{0} times, up to step {1}', times, end - 1))
  );
}

function stayBar(drawing: Drawing, { lane, top, bottom }: Drawing['stays'][number]): string {
  const x = railOf(drawing, lane);
  return `<rect class="bar ${kindOf(drawing.sequence, lane)}" x="${x - 5}" y="${top}" width="10" height="${bottom - top}" rx="5"/>\n`;
}

function* arrows(drawing: Drawing): Generator<string> {
  const placed = new Map(drawing.lines.map((line) => [line.line.step, line]));
  for (const effect of drawing.lines) {
    const { cause } = effect.line;
    if (cause !== undefined) yield arrow(drawing, placed.get(cause.step), effect, cause);
  }
}

/** Out of the rail, down beside it, across above the line that it brings about, and down into that. */
function arrow(drawing: Drawing, from: PlacedLine | undefined, to: PlacedLine, cause: NonNullable<Line['cause']>): string {
  const [x1, x2] = [railOf(drawing, cause.lane), railOf(drawing, to.lane)];
  const turn = to.y - ROW / 2 - HANDOVER_GAP / 2;
  // A cause that is folded away leaves a stump.
  const y1 = Math.min(from?.y ?? turn - ROW / 2, turn - CORNER);
  const kind = kindOf(drawing.sequence, to.lane);
  const head = `<path class="arrowhead ${kind}" d="M${x2 - 4} ${to.y - 11} h8 l-4 6 Z"/>`;
  if (x1 === x2) {
    const back = `M${x1} ${y1} H${x1 - 14 + CORNER} Q${x1 - 14} ${y1} ${x1 - 14} ${y1 + CORNER} V${turn - CORNER} Q${x1 - 14} ${turn} ${x1 - 14 + CORNER} ${turn} H${x2 - CORNER} Q${x2} ${turn} ${x2} ${turn + CORNER} V${to.y - 10}`;
    return `<path class="arrow ${kind}" d="${back}"/>${head}${label(x2 + 12, turn + 3, 'edge', edgeTitle(cause.edge))}`;
  }
  const way = x2 > x1 ? 1 : -1;
  const down = x1 + way * ASIDE;
  const path = [
    `M${x1} ${y1} Q${down} ${y1} ${down} ${y1 + CORNER} V${turn - CORNER}`,
    `Q${down} ${turn} ${down + way * CORNER} ${turn} H${x2 - way * CORNER}`,
    `Q${x2} ${turn} ${x2} ${turn + CORNER} V${to.y - 10}`,
  ].join(' ');
  return `<path class="arrow ${kind}" d="${path}"/>${head}${label((down + x2) / 2, turn + 3, 'edge middle', edgeTitle(cause.edge))}`;
}

function stepLine(drawing: Drawing, { lane, y, line }: PlacedLine): string {
  const rail = railOf(drawing, lane);
  const x = rail + 14 + Math.min(line.depth, 12) * INDENT;
  const room = Math.floor((drawing.right - x) / LETTER);
  const name = cut(labelOf(line), room);
  const writes = line.writes.map(({ name: cell, change }) => `${cell}: ${change}`).join(', ');
  const beside =
    writes === '' || room - name.length < 12 ? '' : `<tspan class="writes" dx="10">${xml(cut(writes, room - name.length - 2))}</tspan>`;
  return (
    `<g><title>${xml(t('step {0}: {1}', line.step, lineInWords(line, drawing.sequence)))}</title>` +
    `${label(drawing.numbers - 8, y + 4, 'number end', String(line.step))}${node(line, rail, y, kindOf(drawing.sequence, lane))}` +
    `<text class="function" x="${x}" y="${y + 4}">${xml(name)}${beside}</text></g>\n`
  );
}

/** What a line stands for: a disc begins a function, a ring hands over, a diamond writes, a dot is any other place. */
function node({ kind, writes }: Line, x: number, y: number, context: ContextKind): string {
  if (kind === 'signal') return `<circle class="ring ${context}" cx="${x}" cy="${y}" r="3.5"/>`;
  if (kind === 'enter') return `<circle class="disc ${context}" cx="${x}" cy="${y}" r="3.5"/>`;
  if (writes.length > 0) return `<path class="disc ${context}" d="M${x} ${y - 4.5} l4.5 4.5 l-4.5 4.5 l-4.5 -4.5 Z"/>`;
  return `<circle class="disc ${context}" cx="${x}" cy="${y}" r="2"/>`;
}

const kindNames = (): Readonly<Record<ContextKind, string>> => ({
  device: t('device'),
  hardirq: t('host interrupt'),
  kworker: t('kernel thread'),
  qemu: t('process'),
  vcpu: t('vCPU, hypervisor'),
  guest: t('guest'),
  other: t('other'),
});

function* legend({ sequence, railBottom, left, right }: Drawing): Generator<string> {
  yield `<path class="rail" d="M${left} ${railBottom + 12} H${right}"/>\n`;
  const used = new Set(sequence.lanes.map(({ context }) => contextKind(context)));
  const y = railBottom + 36;
  const names = kindNames();
  let x = left + 5;
  for (const kind of CONTEXT_KINDS.filter((one) => used.has(one))) {
    yield `<rect class="bar ${kind}" x="${x - 5}" y="${y - 8}" width="10" height="16" rx="5"/><circle class="disc ${kind}" cx="${x}" cy="${y}" r="3.5"/>`;
    yield label(x + 11, y + 4, 'key', names[kind]);
    x += 34 + letters(names[kind]) * 6;
  }
  x += 10;
  const signs: readonly (readonly [string, (x: number) => string])[] = [
    [t('function'), (at) => `<circle class="disc other" cx="${at}" cy="${y}" r="3.5"/>`],
    [t('writes state'), (at) => `<path class="disc other" d="M${at} ${y - 4.5} l4.5 4.5 l-4.5 4.5 l-4.5 -4.5 Z"/>`],
    [t('hands over'), (at) => `<circle class="ring other" cx="${at}" cy="${y}" r="3.5"/>`],
  ];
  for (const [name, draw] of signs) {
    yield draw(x) + label(x + 11, y + 4, 'key', name);
    x += 34 + letters(name) * 6;
  }
}

const railOf = ({ rails: xs }: Drawing, lane: number): number => xs[lane] ?? 0;

const kindOf = ({ lanes }: Sequence, lane: number): ContextKind => contextKind(lanes[lane]?.context ?? '');

const label = (x: number, y: number, className: string, words: string): string =>
  `<text class="${className}" x="${x}" y="${y}">${xml(words)}</text>\n`;

const cut = (words: string, room: number): string =>
  words.length <= room ? words : `${words.slice(0, Math.max(1, Math.floor(room) - 1))}…`;

/** A title on at most two lines of so many letters. */
function wrapped(title: string, room: number): readonly string[] {
  if (title.length <= room) return [title];
  const space = title.lastIndexOf(' ', room);
  const at = space > 0 ? space : room;
  return [title.slice(0, at), cut(title.slice(at).trimStart(), room)];
}

/** A text as XML text or attribute: what XML cannot hold or would mirror the drawing's letters becomes U+FFFD. */
function xml(words: string): string {
  return words
    .replaceAll(/[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const FONTS = `text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; font-size: 12px; }
.function, .number, .writes { font-family: ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; }
.title { font-size: 18px; font-weight: 600; }
.name { font-size: 11px; font-weight: 600; text-anchor: middle; }
.chapter { font-weight: 600; }
.number, .edge, .key, .times { font-size: 11px; }
.edge { font-size: 10.5px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.stimulus { font-weight: 600; }
.function, .edge, .stimulus { paint-order: stroke; stroke-width: 4px; stroke-linejoin: round; }
.rail { fill: none; stroke-width: 1px; }
.arrow { fill: none; stroke-width: 1.5px; }
.ring { stroke-width: 2px; }
.bar { stroke: none; fill-opacity: 0.25; }
.head { fill-opacity: 0.12; stroke-width: 1px; }
.repeat { fill: none; stroke-dasharray: 4 3; }
`;

function styleSheet(theme: SvgTheme): string {
  switch (theme) {
    case 'light':
      return FONTS + colours(LIGHT);
    case 'dark':
      return FONTS + colours(DARK);
    case 'auto':
      return `${FONTS}${colours(LIGHT)}@media (prefers-color-scheme: dark) {\n${colours(DARK)}}\n`;
  }
}

/** Plain rules, no variables: programs that draw SVG without a browser know no `var()`. */
function colours({ background, text, dim, line, band, contexts }: Palette): string {
  const ofContexts = CONTEXT_KINDS.map(
    (kind) =>
      `.disc.${kind}, .arrowhead.${kind}, .bar.${kind} { fill: ${contexts[kind]}; }\n` +
      `.head.${kind} { fill: ${contexts[kind]}; stroke: ${contexts[kind]}; }\n` +
      `.arrow.${kind} { stroke: ${contexts[kind]}; }\n.ring.${kind} { stroke: ${contexts[kind]}; fill: ${background}; }\n`,
  );
  return `.background { fill: ${background}; }
text { fill: ${text}; }
.number, .detail, .edge, .key, .times, .writes { fill: ${dim}; }
.function, .edge, .stimulus { stroke: ${background}; }
.rail, .repeat { stroke: ${line}; }
.band { fill: ${band}; }
${ofContexts.join('')}`;
}
