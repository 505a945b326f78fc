import { svg } from './dom';

/** Drawn on a grid of 16 by 16; a path that ends in Z is filled, any other is a stroke. All take the colour of the text around them. */
const ICONS = {
  restart: ['M12.6 5.2 A5.5 5.5 0 1 0 13.5 8.2', 'M9.6 5.6 L13.9 5.9 L13.6 1.6 Z'],
  stepBack: ['M3.5 3.5 V12.5', 'M12.5 3.2 L5.7 8 L12.5 12.8 Z'],
  step: ['M12.5 3.5 V12.5', 'M3.5 3.2 L10.3 8 L3.5 12.8 Z'],
  play: ['M4.5 2.8 L13 8 L4.5 13.2 Z'],
  pause: ['M4 3 H6.5 V13 H4 Z', 'M9.5 3 H12 V13 H9.5 Z'],
  nextContext: ['M3 2 V14', 'M13 2 V14', 'M3 5 Q3.5 9 7.5 9 H9', 'M8.4 5.9 L12.4 9 L8.4 12.1 Z'],
  source: ['M6 4.5 L2.5 8 L6 11.5', 'M10 4.5 L13.5 8 L10 11.5'],
  panel: ['M2 3 H14 V13 H2 V3', 'M6 3 V13', 'M9 6.5 H12', 'M9 9.5 H12'],
  filter: ['M2.5 4 H13.5', 'M4.5 8 H11.5', 'M6.5 12 H9.5'],
  pin: ['M5.5 2.5 H10.5', 'M6.5 2.5 V7 L4.5 9.5 H11.5 L9.5 7 V2.5', 'M8 9.5 V14'],
  fork: [
    'M4.5 2.5 V13.5',
    'M4.5 9.5 Q4.5 6.5 8 6.5 H8.5 Q11.5 6.5 11.5 4.5 V2.5',
    'M2.8 4.2 L4.5 2.5 L6.2 4.2',
    'M9.8 4.2 L11.5 2.5 L13.2 4.2',
  ],
  close: ['M4 4 L12 12', 'M12 4 L4 12'],
  chevron: ['M6 3.5 L10.5 8 L6 12.5'],
  up: ['M3.5 10 L8 5.5 L12.5 10'],
  down: ['M3.5 6 L8 10.5 L12.5 6'],
  search: ['M10.6 10.6 L13.8 13.8', 'M7 2.5 A4.5 4.5 0 1 0 7.01 2.5'],

  // Execution contexts: a card in its slot, a bolt, queued items, a loop, a chip, a screen.
  device: ['M2 4 H14 V10.5 H2 V4', 'M5 10.5 V13.5', 'M8 10.5 V13.5', 'M5 7.2 H9'],
  hardirq: ['M9.3 1 L3.4 9 H7.2 L6.2 15 L12.6 6.6 H8.5 Z'],
  kworker: ['M2.5 4 H13.5', 'M2.5 8 H13.5', 'M2.5 12 H8', 'M10.2 9.6 L14 12 L10.2 14.4 Z'],
  qemu: ['M12.8 6 A5.3 5.3 0 1 0 13.3 8.6', 'M10 6.6 L14.2 6.9 L13.8 2.6 Z'],
  vcpu: [
    'M4 4 H12 V12 H4 V4',
    'M6.6 6.6 H9.4 V9.4 H6.6 Z',
    'M6 4 V1.5',
    'M10 4 V1.5',
    'M6 14.5 V12',
    'M10 14.5 V12',
    'M4 6 H1.5',
    'M4 10 H1.5',
    'M14.5 6 H12',
    'M14.5 10 H12',
  ],
  guest: ['M2 3 H14 V11 H2 V3', 'M5.5 13.8 H10.5', 'M8 11 V13.8'],

  // Parts of a topology: a pin on its chip, a driver, a count that wakes, its hook, a table, a chip, an object, a queue; what blocks.
  line: ['M2.5 8 H8', 'M8 4.5 H13.5 V11.5 H8 V4.5', 'M4.2 5.8 L2 8 L4.2 10.2'],
  driver: [
    'M6 3 Q3.5 3 3.5 5.5 Q3.5 8 2 8 Q3.5 8 3.5 10.5 Q3.5 13 6 13',
    'M10 3 Q12.5 3 12.5 5.5 Q12.5 8 14 8 Q12.5 8 12.5 10.5 Q12.5 13 10 13',
  ],
  eventfd: ['M3 11.5 H13', 'M4.5 11.5 V7 A3.5 3.5 0 0 1 11.5 7 V11.5', 'M8 3.5 V2', 'M7 13.8 H9'],
  irqfd: ['M9.5 2.5 V9.5 A3 3 0 1 1 3.5 9.5 V8', 'M7.5 2.5 H11.5', 'M12.5 6 L14 8 L12.5 10'],
  route: ['M2.5 4 H6 L10 12 H13.5', 'M2.5 12 H6 L10 4 H13.5'],
  controller: ['M4.5 2.5 H11.5 V13.5 H4.5 V2.5', 'M2 5 H4.5', 'M2 8 H4.5', 'M2 11 H4.5', 'M11.5 8 H14'],
  object: ['M8 2 L13.5 5 V11 L8 14 L2.5 11 V5 L8 2', 'M2.5 5 L8 8 L13.5 5', 'M8 8 V14'],
  queue: ['M3 3.5 H13 V6 H3 V3.5', 'M3 6 V12.5 H13 V6', 'M6.3 6 V12.5', 'M9.7 6 V12.5'],
  blocked: ['M8 2 A6 6 0 1 0 8.01 2', 'M4.6 11.4 L11.4 4.6'],
  zoomIn: ['M7 3 A4 4 0 1 0 7.01 3', 'M10 10 L13.5 13.5', 'M5.2 7 H8.8', 'M7 5.2 V8.8'],
  zoomOut: ['M7 3 A4 4 0 1 0 7.01 3', 'M10 10 L13.5 13.5', 'M5.2 7 H8.8'],
  fit: ['M2.5 6 V2.5 H6', 'M10 2.5 H13.5 V6', 'M13.5 10 V13.5 H10', 'M6 13.5 H2.5 V10'],
  other: ['M8 3 A5 5 0 1 0 8.01 3'],
} as const;
export type IconName = keyof typeof ICONS;

/** An icon, hidden from screen readers: what it stands on or beside carries the words. */
export function icon(name: IconName, className = 'icon'): SVGSVGElement {
  const paths = ICONS[name].map((d) => svg('path', d.endsWith('Z') ? { d, class: 'filled' } : { d }));
  return svg('svg', { viewBox: '0 0 16 16', class: className, 'aria-hidden': 'true' }, ...paths);
}

const CONTEXTS = ['device', 'hardirq', 'kworker', 'qemu', 'vcpu', 'guest'] as const;
export type ContextKind = (typeof CONTEXTS)[number] | 'other';

/** The kind of execution context, as colours and icons know it. */
export function contextKind(context: string): ContextKind {
  return CONTEXTS.find((known) => known === context) ?? 'other';
}
