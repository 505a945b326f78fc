import { h, setStyle, setText, svg } from '../dom';
import { icon } from '../icons';
import type { PartStateView, TopologyStateView, TopologyView } from '../protocol';
import { shortName, type Box, type TopologyLayout } from './layout';
import { roundedPath } from './wires';
import { partWords, wireWords } from './wording';

/** The picture: worlds, wires and parts as elements that a position only marks. */
export interface Canvas {
  readonly element: HTMLElement;
  readonly parts: readonly HTMLElement[];
  /** Shows how things stand at a position. */
  mark(state: TopologyStateView, selected: number | undefined): void;
}

/** The colours of worlds are those of the contexts that run there. */
export const WORLD_CONTEXTS: Readonly<Record<string, string>> = {
  hardware: 'device',
  host: 'kworker',
  kvm: 'vcpu',
  hypervisor: 'vcpu',
  qemu: 'qemu',
  user: 'qemu',
  guest: 'guest',
};

export const contextOfWorld = (id: string | undefined): string => WORLD_CONTEXTS[id ?? ''] ?? 'other';

const KIND_ICONS = {
  device: 'device',
  pin: 'line',
  irq: 'hardirq',
  driver: 'driver',
  eventfd: 'eventfd',
  irqfd: 'irqfd',
  route: 'route',
  controller: 'controller',
  cpu: 'vcpu',
  loop: 'qemu',
  worker: 'kworker',
  object: 'object',
  queue: 'queue',
} as const;

const iconOf = (kind: string) => KIND_ICONS[kind as keyof typeof KIND_ICONS] ?? 'object';

/** Draws a topology that was laid out. `pick` is called for a click on a part, `seek` for one on a wire that was passed. */
export function drawTopology(
  topology: TopologyView,
  layout: TopologyLayout,
  pick: (part: number) => void,
  seek: (step: number) => void,
): Canvas {
  const context = (part: number): string => contextOfWorld(topology.worlds[topology.parts[part]?.world ?? -1]?.id);
  const worlds = topology.worlds.map(({ id, title }, index) =>
    placed(h('div', { class: `world ctx-${contextOfWorld(id)}` }, h('span', { class: 'world-title' }, title)), layout.worlds[index]),
  );
  const wires = topology.wires.map((_, index) => createWire(topology, layout, index, context));
  const parts = topology.parts.map((part, index) => createPart(part, index, context(index), () => pick(index)));
  parts.forEach(({ element }, index) => placed(element, layout.parts[index]));
  const drawing = svg(
    'svg',
    { class: 'wires', width: layout.width, height: layout.height, 'aria-hidden': 'true' },
    ...wires.map(({ element }) => element),
  );
  let latest: TopologyStateView | undefined;
  wires.forEach(({ element }, index) =>
    element.addEventListener('click', () => {
      const step = latest?.way.find(({ wire }) => wire === index)?.step;
      if (step !== undefined) seek(step);
    }),
  );
  const element = h('div', { class: 'plane' }, ...worlds, drawing, ...parts.map((part) => part.element));
  setStyle(element, { width: `${layout.width}px`, height: `${layout.height}px` });
  return {
    element,
    parts: parts.map((part) => part.element),
    mark(state, selected) {
      latest = state;
      const passed = new Map(state.way.map(({ wire, step }) => [wire, step]));
      const newest = state.way.at(-1)?.wire;
      wires.forEach((wire, index) => wire.mark(passed.get(index), index === newest));
      const reached = new Set([...passed.keys()].flatMap((wire) => [topology.wires[wire]?.from, topology.wires[wire]?.to]));
      parts.forEach((part, index) => {
        const now = state.parts[index];
        if (now) part.mark(now, { reached: reached.has(index), active: index === state.active, selected: index === selected });
      });
    },
  };
}

function placed<E extends HTMLElement>(element: E, box: Box | undefined): E {
  if (box) setStyle(element, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
  return element;
}

interface Wire {
  readonly element: SVGGElement;
  mark(step: number | undefined, newest: boolean): void;
}

function createWire(topology: TopologyView, layout: TopologyLayout, index: number, context: (part: number) => string): Wire {
  const wire = topology.wires[index]!;
  const { points, label } = layout.wires[index]!;
  const path = roundedPath(points);
  const [from, before, to] = [points[0]!, points.at(-2)!, points.at(-1)!];
  const angle = (Math.atan2(to.y - before.y, to.x - before.x) * 180) / Math.PI;
  const id = `wire-${index}`;
  const stop = (offset: number, part: number) => svg('stop', { offset, class: `ctx-${context(part)}` });
  const gradient = svg(
    'linearGradient',
    { id, gradientUnits: 'userSpaceOnUse', x1: from.x, y1: from.y, x2: to.x, y2: to.y },
    stop(0, wire.from),
    stop(1, wire.to),
  );
  const title = svg('title');
  const text = svg('text', { x: label.x + label.width / 2, y: label.y + label.height / 2, class: 'wire-label' });
  text.textContent = wire.label;
  const line = svg('path', { d: path, class: 'line' });
  const flow = svg('path', { d: path, class: 'flow' });
  for (const one of [line, flow]) setStyle(one, { '--gradient': `url(#${id})` });
  const element = svg(
    'g',
    { class: `wire ctx-${context(wire.to)}` },
    title,
    gradient,
    svg('path', { d: path, class: 'grip' }),
    line,
    flow,
    svg('path', { d: 'M0 0 L-8 -4 L-6 0 L-8 4 Z', class: 'head', transform: `translate(${to.x} ${to.y}) rotate(${angle})` }),
    svg('rect', { x: label.x, y: label.y, width: label.width, height: label.height, rx: 7, class: 'wire-plate' }),
    text,
  );
  return {
    element,
    mark(step, newest) {
      element.classList.toggle('lit', step !== undefined);
      element.classList.toggle('newest', newest);
      setText(title, wireWords(topology, index, step));
    },
  };
}

interface PartElement {
  readonly element: HTMLElement;
  mark(state: PartStateView, is: { readonly reached: boolean; readonly active: boolean; readonly selected: boolean }): void;
}

function createPart(part: TopologyView['parts'][number], index: number, context: string, pick: () => void): PartElement {
  const values = part.cells.map((name) => ({
    row: h('span', { class: 'part-cell' }),
    name: shortName(name),
    value: h('span', { class: 'part-value' }),
  }));
  for (const { row, name, value } of values) row.append(h('span', { class: 'part-name' }, name), value);
  const badge = h('span', { class: 'badge', hidden: true }, icon('blocked'));
  const element = h(
    'button',
    { type: 'button', class: `part ctx-${context}`, tabindex: -1, 'data-part': index, click: pick },
    h('span', { class: 'part-title' }, icon(iconOf(part.kind)), h('span', {}, part.title)),
    ...values.map(({ row }) => row),
    badge,
  );
  return {
    element,
    mark(state, { reached, active, selected }) {
      element.classList.toggle('absent', !state.there);
      element.classList.toggle('reached', reached);
      element.classList.toggle('active', active);
      element.classList.toggle('blocks', state.blocked.length > 0);
      element.setAttribute('aria-pressed', String(selected));
      if (active) element.setAttribute('aria-current', 'step');
      else element.removeAttribute('aria-current');
      const words = partWords(part, state, { reached, active });
      if (element.getAttribute('aria-label') !== words) {
        element.setAttribute('aria-label', words);
        element.title = state.blocked.length > 0 ? state.blocked.join('\n') : (part.struct ?? part.title);
      }
      badge.hidden = state.blocked.length === 0;
      values.forEach(({ row, value }, cell) => {
        const now = state.cells.find((candidate) => candidate.cell === cell);
        setText(value, now?.value ?? '–');
        row.classList.toggle('changed', now?.changed ?? false);
      });
    },
  };
}
