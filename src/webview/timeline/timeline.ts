import { t } from '@vscode/l10n';
import './timeline.css';
import { h, setStyle, setText } from '../dom';
import { latestPerFrame } from '../frames';
import type { Host } from '../host';
import { contextKind, icon, type IconName } from '../icons';
import type { Part } from '../part';
import type { HistoryView, PositionView, RunView, StepColumns } from '../protocol';
import { firstNotBefore } from '../search';
import { createSeeker } from '../seeker';
import { describeStep, formatCount } from '../words';
import { bandsFor, createPainter } from './draw';
import { createFind } from './find';
import { steerByKeys, steerByPointer, steerByWheel, ZOOM, type Steering } from './gestures';
import { createLandmarks } from './landmarks';
import { createSwatches, onThemeChange, type Palette } from './palette';
import { createPyramid, type Pyramid } from './pyramid';
import { isWhole, partOf, showing, stepAtPart, wholeOf, zoomed, type Range } from './range';
import { createTooltip } from './tooltip';

/** More lanes than this share the last band. */
const MOST_LANES = 24;
/** How close to a mark, in pixels, is on it. */
const NEAR = 5;
/** Steps that are looked at for one in the lane under the pointer. */
const LOOKED_AT = 4096;

/** What is worked out from a run, once. */
interface Plan {
  readonly run: RunView;
  readonly pyramid: Pyramid;
  readonly handovers: Uint32Array;
  readonly chapters: readonly number[];
}

interface Shown extends Plan {
  readonly position: PositionView;
}

/**
 * The whole run as a strip: a skyline for each execution context, past and future, with chapters, stimuli and what was looked for.
 * It zooms and moves at the same cost whether a run has a thousand steps or a million. For assistive technology it is a slider.
 */
export function createTimeline(host: Host): Part {
  const canvas = h('canvas', {});
  const overview = h('p', { class: 'hidden', id: 'timeline-words' });
  const strip = h(
    'div',
    {
      class: 'timeline-strip',
      role: 'slider',
      tabindex: 0,
      'aria-label': t('Position in the run'),
      'aria-orientation': 'horizontal',
      'aria-valuemin': 0,
      'aria-describedby': overview.id,
    },
    canvas,
  );
  const spoken = h('div', { class: 'hidden', 'aria-live': 'polite' });
  const names = h('div', { class: 'timeline-lanes', 'aria-hidden': 'true' });
  const marked = h('div', { class: 'timeline-marked', 'aria-hidden': 'true' });
  const thumb = h('div', { class: 'timeline-thumb' });
  const landmarks = createLandmarks(host);
  const tooltip = createTooltip();
  const swatches = createSwatches();
  const seeker = createSeeker(host);
  const find = createFind(host, seeker, () => redraw());
  const paint = createPainter(canvas);
  const drawOncePerFrame = latestPerFrame(draw);
  const tools = h(
    'div',
    { class: 'timeline-tools', role: 'toolbar', 'aria-label': t('Timeline') },
    tool(t('Find (Ctrl+F)'), 'search', () => find.open()),
    tool(t('Zoom Out (−)'), 'zoomOut', () => zoom(ZOOM)),
    tool(t('Zoom In (+)'), 'zoomIn', () => zoom(1 / ZOOM)),
    tool(t('Show All (0)'), 'fit', fit),
  );
  let plan: Plan | undefined;
  let shown: Shown | undefined;
  let range: Range = wholeOf(1);
  let palette: Palette | undefined;
  let history: HistoryView | undefined;
  let hovered: number | undefined;

  new ResizeObserver(([entry]) => {
    const [box] = entry?.devicePixelContentBoxSize ?? [];
    canvas.width = Math.max(1, box?.inlineSize ?? Math.round(canvas.clientWidth * devicePixelRatio));
    canvas.height = Math.max(1, box?.blockSize ?? Math.round(canvas.clientHeight * devicePixelRatio));
    draw();
  }).observe(canvas, { box: 'device-pixel-content-box' });
  onThemeChange(() => {
    palette = undefined;
    redraw();
  });

  function redraw(): void {
    drawOncePerFrame(undefined);
  }

  function draw(): void {
    if (!shown) return;
    const { run, pyramid, handovers, chapters, position } = shown;
    palette ??= swatches.read([...names.querySelectorAll('.icon')]);
    const writes = find.writes.length > 0 || history === undefined ? find.writes : history.steps;
    const picture = {
      steps: run.steps,
      pyramid,
      handovers,
      chapters,
      range,
      position: position.step,
      hovered,
      matches: find.matches,
      writes,
    };
    paint(picture, palette, canvas.width / Math.max(1, canvas.clientWidth));
  }

  function look(next: Range): void {
    range = next;
    landmarks.place(range);
    const { length } = shown?.run ?? { length: 1 };
    thumb.hidden = isWhole(range, length);
    setStyle(thumb, { left: `${(range.first / length) * 100}%`, width: `${(range.span / length) * 100}%` });
    strip.classList.toggle('zoomed', !isWhole(range, length));
    redraw();
  }

  function say(): void {
    if (!shown) return;
    const last = Math.min(shown.run.length, range.first + range.span) - 1;
    setText(spoken, t('Showing steps {0} to {1}', Math.floor(range.first), Math.floor(last)));
  }

  /** Zooms around the position, or around the middle when that is out of sight. */
  function zoom(factor: number): void {
    if (!shown) return;
    const here = shown.position.step + 0.5;
    const part = partOf(range, here);
    look(zoomed(range, shown.run.length, factor, part >= 0 && part <= 1 ? here : range.first + range.span / 2));
    say();
  }

  function fit(): void {
    if (!shown) return;
    look(wholeOf(shown.run.length));
    say();
  }

  function hover(at: { readonly step: number; readonly part: number } | undefined): void {
    if (hovered === undefined && at === undefined) return;
    hovered = at?.step;
    if (shown && at) tooltip.show(shown.run, at.step, at.part, writtenAt(at.step));
    else tooltip.hide();
    redraw();
  }

  /** The step that a pointer means: a mark that is near, or the first in the lane under it among those that share its pixel. */
  function stepUnder(part: number, y: number): number {
    if (!shown) return 0;
    const { steps, length } = shown.run;
    const pixel = range.span / Math.max(1, strip.clientWidth);
    const place = range.first + part * range.span;
    const near = nearest([find.matches, find.writes, history?.steps], place - 0.5, NEAR * pixel);
    if (near !== undefined) return near;
    const first = stepAtPart(range, length, part);
    const lane = Math.floor(y / bandsFor(shown.pyramid.laneCount).pitch);
    const end = Math.min(length, first + Math.min(LOOKED_AT, Math.max(1, pixel)));
    for (let n = first; n < end; n++) if (steps.lanes[n] === lane) return n;
    return first;
  }

  function writtenAt(step: number): string | undefined {
    if (!history) return undefined;
    const index = firstNotBefore(history.steps, step);
    if (history.steps[index] !== step) return undefined;
    return `${history.cell} = ${history.texts[history.values[index] ?? -1] ?? ''}`;
  }

  const steering: Steering = {
    stance: () => shown && { range, length: shown.run.length, step: shown.position.step },
    look,
    zoom,
    fit,
    seek: seeker.seek,
    scrub: latestPerFrame(seeker.seek),
    stepUnder,
    hover,
  };
  const pointer = steerByPointer(strip, steering);
  steerByWheel(strip, steering);
  steerByKeys(strip, steering, seeker.from, host);
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'f' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || !shown) return;
    event.preventDefault();
    find.open();
  });

  const element = h(
    'section',
    { class: 'timeline', 'aria-label': t('Timeline') },
    tools,
    landmarks.chapters,
    h('div', { class: 'timeline-gutter' }, names, marked),
    h(
      'div',
      { class: 'timeline-picture' },
      strip,
      landmarks.stimuli,
      h('div', { class: 'timeline-overview', 'aria-hidden': 'true' }, thumb),
      tooltip.element,
    ),
    find.element,
    overview,
    spoken,
    swatches.element,
  );

  return {
    element,
    showRun(run) {
      const laneCount = Math.max(1, Math.min(MOST_LANES, run.lanes.length));
      const again = shown?.run.flow === run.flow && !isWhole(range, shown.run.length);
      shown = undefined;
      plan = {
        run,
        pyramid: createPyramid(run.steps, laneCount),
        handovers: handoversOf(run.steps),
        chapters: run.chapters.slice(0, 200).map(({ step }) => step),
      };
      history = undefined;
      setText(marked, '');
      const { pitch, height } = bandsFor(laneCount);
      setStyle(element, { '--pitch': `${pitch}px`, '--height': `${height}px` });
      showNames(names, run, laneCount);
      palette = undefined;
      strip.setAttribute('aria-valuemax', String(run.length - 1));
      setText(overview, describeRun(run, plan.pyramid));
      landmarks.showRun(run);
      find.showRun(run);
      range = again ? zoomed(range, run.length, 1, range.first) : wholeOf(run.length);
    },
    showPosition(run, position) {
      seeker.arrived(position.step);
      if (!plan) return;
      const first = shown === undefined;
      shown = { ...plan, position };
      strip.setAttribute('aria-valuenow', String(position.step));
      strip.setAttribute('aria-valuetext', describeStep(run, position.step));
      landmarks.showStep(position.step);
      find.showPosition(position);
      const next = pointer.dragging ? range : showing(range, run.length, position.step);
      if (first || next !== range) look(next);
      else redraw();
    },
    showHistory(answer) {
      if (find.takes(answer)) return;
      history = answer;
      setText(marked, answer.cell);
      redraw();
    },
  };
}

function tool(title: string, picture: IconName, click: () => void): HTMLElement {
  return h('button', { type: 'button', class: 'timeline-tool', title, 'aria-label': title.replace(/ ?[（(].*/, ''), click }, icon(picture));
}

function showNames(names: HTMLElement, { lanes }: RunView, laneCount: number): void {
  const shown = lanes.slice(0, laneCount).map(({ title, context }) => {
    const kind = contextKind(context);
    return h('div', { class: `timeline-lane ctx-${kind}`, title }, icon(kind), h('span', {}, title));
  });
  names.replaceChildren(...shown);
}

/** The steps that another lane brought about. */
function handoversOf({ length, causes, lanes }: StepColumns): Uint32Array {
  const found = new Uint32Array(length);
  let count = 0;
  for (let n = 0; n < length; n++) if (causes[n]! >= 0 && lanes[causes[n]!] !== lanes[n]) found[count++] = n;
  return found.slice(0, count);
}

/** What the picture shows, in words. */
function describeRun({ lanes, length }: RunView, pyramid: Pyramid): string {
  const counts = new Uint32Array(pyramid.laneCount);
  pyramid.summarize(0, length, counts, new Uint16Array(pyramid.laneCount));
  const parts = lanes.slice(0, pyramid.laneCount).map(({ title }, lane) => `${title}: ${formatCount(counts[lane] ?? 0)}`);
  return t(
    '{0} steps. Of these in {1}. Plus and minus zoom, Shift with an arrow moves the view, 0 shows all.',
    formatCount(length),
    parts.join(', '),
  );
}

/** The one of several rising lists that is nearest to a place, if any is within reach. */
function nearest(lists: readonly (Uint32Array | undefined)[], place: number, reach: number): number | undefined {
  const candidates = lists.flatMap((list) => {
    if (list === undefined) return [];
    const index = firstNotBefore(list, Math.max(0, Math.ceil(place)));
    return [list[index - 1], list[index]].filter((step) => step !== undefined && Math.abs(step - place) <= reach);
  });
  return candidates.toSorted((a, b) => Math.abs(a! - place) - Math.abs(b! - place))[0];
}
