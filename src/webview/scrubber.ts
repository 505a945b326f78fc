import { h, setStyle } from './dom';
import type { Host } from './host';
import type { Part } from './part';
import type { ChapterView, RunView } from './protocol';
import { describeStep } from './words';

/** The whole run as one line to drag along, with its chapters below and a mark where a stimulus was injected. */
export function createScrubber(host: Host): Part {
  const slider = h('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Position in the run' });
  const marks = h('div', { class: 'marks', 'aria-hidden': 'true' });
  const chapters = h('div', { class: 'chapters', role: 'group', 'aria-label': 'Chapters' });
  const seekOncePerFrame = latestPerFrame((step: number) => host.seek(step));
  let dragging = false;

  slider.addEventListener('pointerdown', () => (dragging = true));
  slider.addEventListener('change', () => (dragging = false));
  slider.addEventListener('input', () => {
    showFilled(slider);
    seekOncePerFrame(Number(slider.value));
  });

  return {
    element: h('section', { class: 'scrubber timeline', 'aria-label': 'Timeline' }, h('div', { class: 'track' }, marks, slider), chapters),
    showRun(run) {
      slider.max = String(run.length - 1);
      marks.replaceChildren(...run.injected.map(({ title, at }) => createMark(run, title, at)));
      chapters.replaceChildren(...chaptersOf(run).map((chapter) => createChapter(host, chapter)));
    },
    showPosition(run, { step }) {
      // Answers to an earlier place of the thumb must not pull it out of the reader's hand.
      if (!dragging) slider.value = String(step);
      slider.setAttribute('aria-valuetext', describeStep(run, step));
      showFilled(slider);
      const current = chaptersOf(run).findLastIndex((chapter) => chapter.step <= step);
      [...chapters.children].forEach((chapter, index) => {
        chapter.classList.toggle('past', index < current);
        if (index === current) chapter.setAttribute('aria-current', 'step');
        else chapter.removeAttribute('aria-current');
      });
    },
  };
}

interface Stretch extends ChapterView {
  readonly length: number;
}

/** The chapters of a run from its first step to its last; what lies before the first chapter belongs to it. */
function chaptersOf(run: RunView): readonly Stretch[] {
  const sorted = run.chapters.toSorted((a, b) => a.step - b.step);
  return sorted.map((chapter, index) => {
    const begin = index === 0 ? 0 : chapter.step;
    const end = sorted[index + 1]?.step ?? run.length;
    return { ...chapter, length: Math.max(0, end - begin) };
  });
}

function createChapter(host: Host, { title, step, length }: Stretch): HTMLElement {
  const seek = () => host.seek(step);
  const button = h('button', { type: 'button', class: 'chapter', title: `${title}: step ${step}`, click: seek }, h('span', {}, title));
  setStyle(button, { 'flex-grow': String(length) });
  return button;
}

function createMark(run: RunView, title: string, at: number): HTMLElement {
  const mark = h('span', { class: 'mark', title });
  setStyle(mark, { '--at': String(at / Math.max(1, run.length - 1)) });
  return mark;
}

function showFilled(slider: HTMLInputElement): void {
  setStyle(slider, { '--at': String(Number(slider.value) / Math.max(1, Number(slider.max))) });
}

/** Passes on the last value of each frame: a dragged thumb asks more often than anything can be drawn. */
function latestPerFrame(send: (value: number) => void): (value: number) => void {
  let waiting: number | undefined;
  return (value) => {
    if (waiting === undefined) {
      requestAnimationFrame(() => {
        if (waiting !== undefined) send(waiting);
        waiting = undefined;
      });
    }
    waiting = value;
  };
}
