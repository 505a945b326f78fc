import type { Host } from '../host';
import { isWhole, panned, partOf, stepAtPart, zoomed, type Range } from './range';

/** How hands steer the timeline: pointer, wheel and keys. */

/** What a gesture starts from. */
export interface Stance {
  readonly range: Range;
  /** The number of steps of the run, and the one that it stands at. */
  readonly length: number;
  readonly step: number;
}

/** What gestures do. */
export interface Steering {
  /** Undefined while there is no run. */
  stance(): Stance | undefined;
  look(range: Range): void;
  /** Zooms by a key or a button, and says so. */
  zoom(factor: number): void;
  fit(): void;
  seek(step: number): void;
  /** Seeks at most once per frame. */
  scrub(step: number): void;
  /** The step at a part of the width and at a height in pixels. */
  stepUnder(part: number, y: number): number;
  hover(at: { readonly step: number; readonly part: number } | undefined): void;
}

/** How much one press of a key or button zooms. */
export const ZOOM = 1.6;
/** How much a wheel zooms for each pixel that it says, how many times that a pinch does, and the most pixels at once. */
const [WHEEL, PINCH, MOST_PIXELS] = [0.0022, 4, 200];
const PIXELS_PER_LINE = 16;
/** The part of what is in sight that a key moves by. */
const PAGE = 0.1;
/** A pointer that moved no further, in pixels, has clicked. */
const STEADY = 3;
/** How close to the cursor, in pixels, takes hold of it. */
const GRIP = 5;

const widthOf = (strip: HTMLElement): number => Math.max(1, strip.clientWidth);

function partAt(strip: HTMLElement, { clientX }: MouseEvent): number {
  const { left, width } = strip.getBoundingClientRect();
  return (clientX - left) / Math.max(1, width);
}

/** A click seeks. A drag moves the view; of the cursor, or while all is in sight, it moves the position. */
export function steerByPointer(strip: HTMLElement, steering: Steering): { readonly dragging: boolean } {
  let dragging = false;

  const stepUnder = (event: MouseEvent): number =>
    steering.stepUnder(partAt(strip, event), event.clientY - strip.getBoundingClientRect().top);

  function drag(from: Stance, grip: PointerEvent): (event: PointerEvent) => void {
    const { range, length, step } = from;
    const width = widthOf(strip);
    const onCursor = Math.abs(partOf(range, step + 0.5) - partAt(strip, grip)) * width <= GRIP;
    return onCursor || isWhole(range, length)
      ? (event) => steering.scrub(stepAtPart(range, length, Math.max(0, Math.min(1, partAt(strip, event)))))
      : (event) => steering.look(panned(range, length, ((grip.clientX - event.clientX) / width) * range.span));
  }

  strip.addEventListener('pointerdown', (grip) => {
    const from = steering.stance();
    if (!from || grip.button !== 0) return;
    const dragTo = drag(from, grip);
    strip.setPointerCapture(grip.pointerId);
    const move = (event: PointerEvent): void => {
      dragging ||= Math.abs(event.clientX - grip.clientX) > STEADY;
      if (!dragging) return;
      steering.hover(undefined);
      dragTo(event);
    };
    const release = (event: PointerEvent): void => {
      for (const type of ['pointerup', 'pointercancel'] as const) strip.removeEventListener(type, release);
      strip.removeEventListener('pointermove', move);
      if (!dragging && event.type === 'pointerup') steering.seek(stepUnder(event));
      dragging = false;
    };
    strip.addEventListener('pointermove', move);
    for (const type of ['pointerup', 'pointercancel'] as const) strip.addEventListener(type, release);
  });
  strip.addEventListener('pointermove', (event) => {
    if (steering.stance() && !dragging) steering.hover({ step: stepUnder(event), part: partAt(strip, event) });
  });
  strip.addEventListener('pointerleave', () => steering.hover(undefined));

  return {
    get dragging() {
      return dragging;
    },
  };
}

/** A wheel or a pinch zooms around the pointer; sideways, or with Shift, it moves the view. */
export function steerByWheel(strip: HTMLElement, steering: Steering): void {
  const wheel = (event: WheelEvent): void => {
    const from = steering.stance();
    if (!from) return;
    const { range, length } = from;
    const { shiftKey, ctrlKey, deltaX, deltaY, deltaMode } = event;
    const sideways = shiftKey || Math.abs(deltaX) > Math.abs(deltaY);
    // While all is in sight there is nothing to move and nothing to zoom out of: the page scrolls.
    if (isWhole(range, length) && (sideways || deltaY > 0)) return;
    event.preventDefault();
    const unit = deltaMode === WheelEvent.DOM_DELTA_LINE ? PIXELS_PER_LINE : 1;
    if (sideways) {
      const pixels = (deltaX || deltaY) * unit;
      steering.look(panned(range, length, (pixels / widthOf(strip)) * range.span));
    } else {
      const pixels = Math.max(-MOST_PIXELS, Math.min(MOST_PIXELS, deltaY * unit));
      const factor = Math.exp(pixels * WHEEL * (ctrlKey ? PINCH : 1));
      steering.look(zoomed(range, length, factor, range.first + partAt(strip, event) * range.span));
    }
  };
  strip.addEventListener('wheel', wheel, { passive: false });
}

/** Arrows step, with Shift they move the view; plus, minus and 0 zoom. `from` is the step that the next key starts from. */
export function steerByKeys(strip: HTMLElement, steering: Steering, from: (shown: number) => number, host: Host): void {
  strip.addEventListener('keydown', (event) => {
    const stance = steering.stance();
    if (!stance || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!act(event, stance)) return;
    event.preventDefault();
  });

  /** Does what a key stands for. Says whether it stands for anything. */
  function act({ key, shiftKey }: KeyboardEvent, { range, length, step }: Stance): boolean {
    const page = Math.max(1, Math.round(range.span * PAGE));
    const go = (by: number): void => steering.seek(Math.max(0, Math.min(length - 1, from(step) + by)));
    const turn = (direction: 1 | -1): void => (shiftKey ? steering.look(panned(range, length, direction * page)) : go(direction));
    switch (key) {
      case 'ArrowRight':
        turn(1);
        return true;
      case 'ArrowLeft':
        turn(-1);
        return true;
      case 'ArrowUp':
        go(1);
        return true;
      case 'ArrowDown':
        go(-1);
        return true;
      case 'PageUp':
        go(page);
        return true;
      case 'PageDown':
        go(-page);
        return true;
      case 'Home':
        go(-length);
        return true;
      case 'End':
        go(length);
        return true;
      case '+':
      case '=':
        steering.zoom(1 / ZOOM);
        return true;
      case '-':
        steering.zoom(ZOOM);
        return true;
      case '0':
        steering.fit();
        return true;
      case 'Enter':
        host.command('revealSource');
        return true;
      case ' ':
        host.command('togglePlay');
        return true;
      default:
        return false;
    }
  }
}
