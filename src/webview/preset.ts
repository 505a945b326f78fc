import { h, setText } from './dom';
import type { Part } from './part';
import type { RunOutline } from './protocol';

/** What the run is an example of, when it is one of the flow's presets. */
export function createPreset(): Part<RunOutline> {
  const title = h('summary', {});
  const prose = h('div', { class: 'prose' });
  const element = h('details', { class: 'preset', open: true }, title, prose);
  return {
    element,
    showRun({ preset }) {
      element.hidden = preset === undefined;
      setText(title, preset?.title ?? '');
      prose.replaceChildren(...(preset?.prose.split(/\n{2,}/).map((paragraph) => h('p', {}, ...marked(paragraph))) ?? []));
    },
    showPosition: () => undefined,
  };
}

/** A paragraph's **bold**, *emphasized* and `code` words as elements; everything else stays text. */
function marked(paragraph: string): readonly (Node | string)[] {
  return paragraph.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((part) => {
    if (part.startsWith('**')) return h('strong', {}, part.slice(2, -2));
    if (part.startsWith('*') && part.length > 2) return h('em', {}, part.slice(1, -1));
    return part.startsWith('`') ? h('code', {}, part.slice(1, -1)) : part;
  });
}
