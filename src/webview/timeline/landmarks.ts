import { t } from '@vscode/l10n';
import { h, setStyle } from '../dom';
import type { Host } from '../host';
import type { ChapterView, RunView } from '../protocol';
import { partOf, type Range } from './range';

/** The named places of a run: chapters as a band of labels above its picture, and where stimuli were injected below. */
export interface Landmarks {
  readonly chapters: HTMLElement;
  readonly stimuli: HTMLElement;
  showRun(run: RunView): void;
  /** Puts each where it is in the stretch that is in sight. */
  place(range: Range): void;
  /** Says in which chapter the run stands. */
  showStep(step: number): void;
}

/** More of either cannot be told apart; the list below the panel has all of them. */
const MOST = 200;

interface Stretch extends ChapterView {
  readonly begin: number;
  readonly end: number;
}

/** Makes both. Their buttons seek. */
export function createLandmarks(host: Host): Landmarks {
  const chapters = h('div', { class: 'chapters', role: 'group', 'aria-label': t('Chapters') });
  const stimuli = h('div', { class: 'injections', role: 'group', 'aria-label': t('Injected stimuli') });
  let stretches: readonly Stretch[] = [];
  let injected: RunView['injected'] = [];

  return {
    chapters,
    stimuli,
    showRun(run) {
      stretches = stretchesOf(run);
      injected = run.injected.slice(0, MOST);
      chapters.replaceChildren(...stretches.map((chapter) => createChapter(host, chapter)));
      stimuli.replaceChildren(...injected.map((injection) => createInjection(host, injection)));
      stimuli.hidden = injected.length === 0;
    },
    place(range) {
      [...chapters.children].forEach((chapter, index) => {
        const stretch = stretches[index];
        if (!(chapter instanceof HTMLElement) || !stretch) return;
        const [left, right] = [Math.max(0, partOf(range, stretch.begin)), Math.min(1, partOf(range, stretch.end))];
        chapter.hidden = right <= left;
        setStyle(chapter, { left: percent(left), width: percent(Math.max(0, right - left)) });
      });
      [...stimuli.children].forEach((mark, index) => {
        const at = partOf(range, (injected[index]?.at ?? -1) + 0.5);
        if (!(mark instanceof HTMLElement)) return;
        mark.hidden = at < 0 || at > 1;
        setStyle(mark, { left: percent(at) });
      });
    },
    showStep(step) {
      const current = stretches.findLastIndex(({ begin }) => begin <= step);
      [...chapters.children].forEach((chapter, index) => {
        chapter.classList.toggle('past', index < current);
        if (index === current) chapter.setAttribute('aria-current', 'step');
        else chapter.removeAttribute('aria-current');
      });
    },
  };
}

const percent = (part: number): string => `${part * 100}%`;

/** The chapters from the first step to the last; what lies before the first chapter belongs to it. */
function stretchesOf({ chapters, length }: RunView): readonly Stretch[] {
  const sorted = chapters.toSorted((a, b) => a.step - b.step).slice(0, MOST);
  return sorted.map((chapter, index) => ({
    ...chapter,
    begin: index === 0 ? 0 : chapter.step,
    end: sorted[index + 1]?.step ?? length,
  }));
}

function createChapter(host: Host, { title, step }: Stretch): HTMLElement {
  const seek = () => host.seek(step);
  return h('button', { type: 'button', class: 'chapter', title: t('{0}: step {1}', title, step), click: seek }, h('span', {}, title));
}

function createInjection(host: Host, { title, at }: RunView['injected'][number]): HTMLElement {
  const words = t('{0}, injected at step {1}', title, at);
  return h('button', { type: 'button', class: 'injection', title: words, 'aria-label': words, click: () => host.seek(at) });
}
