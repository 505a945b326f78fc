import { t } from '@vscode/l10n';
import { h, setStyle, svg } from '../dom';
import { curve, valueBefore, writesUntil, type History } from './history';

/** A value's history as a strip: a line of steps over the whole run, with the position in it. Its text twin is the list of writes below. */
export interface Strip {
  readonly element: HTMLElement;
  show(history: History, length: number, step: number, until: number): void;
}

const [WIDTH, HEIGHT] = [1000, 100];
/** Pixels around a write within which the pointer means that write. */
const NEAR = 8;

/** Makes a strip; the arrow keys go from write to write. */
export function createStrip(seek: (step: number) => void): Strip {
  const line = svg('path', { class: 'curve' });
  const past = svg('path', { class: 'curve past' });
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, line, past);
  const cursor = h('span', { class: 'strip-cursor' });
  const element = h(
    'div',
    { class: 'strip', role: 'slider', tabindex: 0, 'aria-label': t('History'), 'aria-valuemin': 0 },
    drawing,
    cursor,
  );
  let shown: { readonly history: History; readonly length: number; readonly until: number; readonly step: number } | undefined;
  let drawn: History | undefined;

  function draw(history: History, length: number): void {
    if (drawn === history) return;
    drawn = history;
    const path = curve(history, length)
      .map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${(x * WIDTH).toFixed(1)} ${(HEIGHT * (0.9 - 0.8 * y)).toFixed(1)}`)
      .join(' ');
    line.setAttribute('d', path);
    past.setAttribute('d', path);
  }

  function go(index: number): void {
    const step = shown?.history.steps[index];
    if (step !== undefined) seek(step);
  }

  element.addEventListener('keydown', (event) => {
    if (!shown) return;
    const { history, until, step } = shown;
    const previous = history.steps[until - 1] === step ? until - 2 : until - 1;
    const targets: Readonly<Record<string, number>> = {
      ArrowLeft: previous,
      ArrowDown: previous,
      ArrowRight: until,
      ArrowUp: until,
      Home: 0,
      End: history.steps.length - 1,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    go(target);
  });
  element.addEventListener('click', ({ clientX }) => {
    if (!shown) return;
    const { history, length } = shown;
    const { left, width } = element.getBoundingClientRect();
    const step = Math.round(Math.max(0, Math.min(1, (clientX - left) / width)) * (length - 1));
    const after = writesUntil(history, step);
    const near = [after - 1, after]
      .map((index) => history.steps[index])
      .filter((candidate) => candidate !== undefined)
      .filter((candidate) => (Math.abs(candidate - step) / length) * width <= NEAR)
      .toSorted((a, b) => Math.abs(a - step) - Math.abs(b - step));
    seek(near[0] ?? step);
  });

  return {
    element,
    show(history, length, step, until) {
      shown = { history, length, until, step };
      draw(history, length);
      setStyle(element, { '--at': String(step / Math.max(1, length - 1)) });
      element.setAttribute('aria-valuemax', String(history.steps.length));
      element.setAttribute('aria-valuenow', String(until));
      element.setAttribute('aria-valuetext', words(history, until));
    },
  };
}

function words(history: History, until: number): string {
  const value = history.text(history.values[until - 1] ?? history.before);
  if (until === 0) return t('not written yet: {0}', value);
  const was = history.text(valueBefore(history, until - 1));
  return `write ${until} of ${history.steps.length}: step ${history.steps[until - 1] ?? 0}, ${was} → ${value}`;
}
