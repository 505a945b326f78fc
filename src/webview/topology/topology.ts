import { t } from '@vscode/l10n';
import './topology.css';
import { h, setStyle } from '../dom';
import type { Host } from '../host';
import { icon, type IconName } from '../icons';
import type { Part } from '../part';
import type { PositionView, RunView } from '../protocol';
import { checkbox } from '../toolkit';
import { drawTopology, type Canvas } from './canvas';
import { createInspector } from './inspector';
import { layOutTopology, type Measures, type TopologyLayout } from './layout';
import { createWayList } from './list';

/** What is drawn, and how large. */
interface Shown {
  readonly run: RunView;
  readonly position: PositionView;
  readonly layout: TopologyLayout;
  readonly canvas: Canvas;
}

/** Beyond these the picture is unreadable, or only large. Fitting stops earlier: then there is more than the view shows. */
const ZOOM = { least: 0.3, most: 2.5, fitLeast: 0.62, fitMost: 1.2, step: 1.2 } as const;

/**
 * The parts of a run and the wires between them, the signal's way so far lit, what blocks it marked. Whole by keyboard: arrow keys
 * go from part to part, Enter selects, `+`, `-` and `0` zoom.
 */
export function createTopology(host: Host): Part {
  const ground = h('div', { class: 'ground' });
  const view = h(
    'div',
    { class: 'topology-view', role: 'group', 'aria-label': t('Parts of the run. Arrow keys move between them.') },
    ground,
  );
  const list = createWayList(host);
  const inspector = createInspector(host);
  let shown: Shown | undefined;
  let selected: number | undefined;
  /** Undefined while the picture is kept as large as the view. */
  let zoom: number | undefined;
  let scale = 1;

  const asText = checkbox(t('As text'), host.recall().topologyText, (checked) => {
    host.remember({ topologyText: checked });
    showText(checked);
  });

  function showText(text: boolean): void {
    view.hidden = text;
    list.showWhole(text);
    if (!text && shown) place(shown);
  }

  function draw(run: RunView, position: PositionView): void {
    const layout = bestLayout(run, view);
    const canvas = drawTopology(run.topology, layout, select, (step) => host.seek(step));
    shown = { run, position, layout, canvas };
    ground.replaceChildren(canvas.element);
    place(shown);
  }

  /** Scales the picture, keeps it in the middle where there is room around it, and marks where the run stands. */
  function place({ layout, canvas }: Shown): void {
    scale = zoom ?? fitting(layout, view);
    const [width, height] = [layout.width * scale, layout.height * scale];
    setStyle(canvas.element, { transform: `scale(${scale})` });
    setStyle(ground, { width: `${Math.max(width, view.clientWidth)}px`, height: `${Math.max(height, view.clientHeight)}px` });
    setStyle(canvas.element, {
      left: `${Math.max(0, (view.clientWidth - width) / 2)}px`,
      top: `${Math.max(0, (view.clientHeight - height) / 2)}px`,
    });
    mark();
  }

  function mark(): void {
    if (!shown) return;
    const { run, position, canvas } = shown;
    const state = position.topology;
    canvas.mark(state, selected);
    list.show(run.topology, state);
    inspector.show(run, position, selected ?? state.active);
    const focusable = focusedPart() ?? selected ?? state.active ?? 0;
    canvas.parts.forEach((part, index) => (part.tabIndex = index === focusable ? 0 : -1));
    const active = canvas.parts[state.active ?? -1];
    if (active && focusedPart() === undefined && !view.hidden) active.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  const focusedPart = (): number | undefined => {
    const index = shown?.canvas.parts.indexOf(document.activeElement as HTMLElement) ?? -1;
    return index < 0 ? undefined : index;
  };

  function select(part: number): void {
    selected = selected === part ? undefined : part;
    mark();
  }

  function zoomTo(next: number | undefined): void {
    zoom = next === undefined ? undefined : Math.min(ZOOM.most, Math.max(ZOOM.least, next));
    if (shown) place(shown);
  }

  view.addEventListener('keydown', (event) => {
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = focusedPart();
    const target = from === undefined ? undefined : neighbour(shown.layout, from, event.key);
    if (target !== undefined) shown.canvas.parts[target]?.focus();
    else if (event.key === '+' || event.key === '=') zoomTo(scale * ZOOM.step);
    else if (event.key === '-') zoomTo(scale / ZOOM.step);
    else if (event.key === '0') zoomTo(undefined);
    else if (event.key === 'Escape' && selected !== undefined) select(selected);
    else return;
    event.preventDefault();
  });
  view.addEventListener('focusin', () => {
    const focused = focusedPart();
    shown?.canvas.parts.forEach((part, index) => (part.tabIndex = index === focused ? 0 : -1));
  });
  view.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomTo(scale * (event.deltaY < 0 ? 1.08 : 1 / 1.08));
    },
    { passive: false },
  );
  letDrag(view);
  new ResizeObserver(() => {
    if (!shown || view.clientWidth === 0) return;
    if (zoom === undefined) draw(shown.run, shown.position);
    else place(shown);
  }).observe(view);

  const element = h('div', { class: 'topology' }, view, list.element, inspector.element);
  showText(host.recall().topologyText);
  return {
    element,
    tools: [
      asText,
      h(
        'div',
        { class: 'zoom', role: 'group', 'aria-label': t('Zoom') },
        zoomButton(t('Zoom Out'), 'zoomOut', () => zoomTo(scale / ZOOM.step)),
        zoomButton(t('Zoom In'), 'zoomIn', () => zoomTo(scale * ZOOM.step)),
        zoomButton(t('Fit'), 'fit', () => zoomTo(undefined)),
      ),
    ],
    showRun() {
      shown = undefined;
      selected = undefined;
    },
    showPosition(run, position) {
      if (!shown) return draw(run, position);
      shown = { ...shown, run, position };
      mark();
    },
  };
}

function zoomButton(title: string, picture: IconName, clicked: () => void): HTMLElement {
  return h('vscode-button', { appearance: 'icon', 'aria-label': title, title, click: clicked }, icon(picture));
}

/** The layout that can be shown largest: few rows where there is width, more where there is height. */
function bestLayout({ topology }: RunView, view: HTMLElement): TopologyLayout {
  const measures = createMeasures(view);
  const layouts = ROWS.map((rows) => layOutTopology(topology, measures, rows));
  const room = ({ width, height }: TopologyLayout): number => Math.min(view.clientWidth / width, view.clientHeight / height);
  return layouts.reduce((best, layout) => (room(layout) > room(best) ? layout : best));
}

const ROWS = [4, 3, 5, 6, 7, 9, 12] as const;

const fitting = ({ width, height }: TopologyLayout, view: HTMLElement): number =>
  Math.min(ZOOM.fitMost, Math.max(ZOOM.fitLeast, Math.min(view.clientWidth / width, view.clientHeight / height)));

function createMeasures(view: HTMLElement): Measures {
  const drawing = document.createElement('canvas').getContext('2d');
  const style = getComputedStyle(view);
  const mono = style.getPropertyValue('--vscode-editor-font-family') || 'monospace';
  const measure = (font: string) => (text: string) => {
    if (!drawing) return text.length * 7;
    drawing.font = font;
    return drawing.measureText(text).width;
  };
  return { title: measure(`600 12px ${mono}`), cell: measure(`11px ${mono}`), label: measure(`10.5px ${style.fontFamily}`) };
}

/** The part to which a key leads: the nearest in that direction, or the first or last of all. */
function neighbour({ parts }: TopologyLayout, from: number, key: string): number | undefined {
  if (key === 'Home') return 0;
  if (key === 'End') return parts.length - 1;
  const [dx, dy] = DIRECTIONS[key] ?? [0, 0];
  if (dx === 0 && dy === 0) return undefined;
  const centre = (index: number) => {
    const { x, y, width, height } = parts[index]!;
    return { x: x + width / 2, y: y + height / 2 };
  };
  const here = centre(from);
  let best: { readonly part: number; readonly distance: number } | undefined;
  for (const part of parts.keys()) {
    const there = centre(part);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    const aside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    const distance = along + 2 * aside;
    if (part !== from && along > 8 && distance < (best?.distance ?? Infinity)) best = { part, distance };
  }
  return best?.part ?? from;
}

const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** Lets the bare ground be dragged, where there is more than the view shows. */
function letDrag(view: HTMLElement): void {
  let from: { readonly x: number; readonly y: number; readonly left: number; readonly top: number } | undefined;
  view.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || (event.target instanceof Element && event.target.closest('.part, .wire.lit') !== null)) return;
    from = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener('pointermove', (event) => {
    if (from) view.scrollTo(from.left - (event.clientX - from.x), from.top - (event.clientY - from.y));
  });
  for (const end of ['pointerup', 'pointercancel']) view.addEventListener(end, () => (from = undefined));
}
