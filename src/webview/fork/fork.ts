import './fork.css';
import { textButton } from '../controls';
import { h, setText } from '../dom';
import type { Host } from '../host';
import { icon } from '../icons';
import type { Part } from '../part';
import type { ForkView, RunOutline } from '../protocol';
import { formatCount } from '../words';

/** What if: says that this is not the run that was explored, what is different about it, and how to get back. */
export function createFork(host: Host): Part<RunOutline> {
  const where = h('span', { class: 'fork-where' });
  const changes = h('ul', { class: 'fork-changes', 'aria-label': 'Changed' });
  const element = h(
    'section',
    { class: 'fork', 'aria-label': 'What if', hidden: true },
    icon('fork'),
    h('p', { class: 'fork-words' }, h('strong', {}, 'What if'), where),
    changes,
    h(
      'div',
      { class: 'fork-actions' },
      textButton('Return to Original Run', 'primary', () => host.command('returnToBase')),
      textButton('Compare', 'secondary', () => host.command('compareWithBase')),
      textButton('Keep', 'secondary', () => host.command('keepFork')),
    ),
  );
  return {
    element,
    showRun({ fork }) {
      element.hidden = fork === undefined;
      if (fork === undefined) return;
      setText(where, whereWords(fork));
      changes.replaceChildren(...fork.changes.map((change) => h('li', {}, change)));
    },
    showPosition: () => undefined,
  };
}

function whereWords({ step, ending }: ForkView): string {
  const where = step === undefined ? 'Another run from its first step on' : `Another run from step ${formatCount(step)} on`;
  return ending === undefined ? where : `${where}, which ${ending}`;
}
