import { t } from '@vscode/l10n';
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
  const changes = h('ul', { class: 'fork-changes', 'aria-label': t('Changed') });
  const element = h(
    'section',
    { class: 'fork', 'aria-label': t('What if'), hidden: true },
    icon('fork'),
    h('p', { class: 'fork-words' }, h('strong', {}, t('What if')), where),
    changes,
    h(
      'div',
      { class: 'fork-actions' },
      textButton(t('Return to Original Run'), 'primary', () => host.command('returnToBase')),
      textButton(t('Compare'), 'secondary', () => host.command('compareWithBase')),
      textButton(t('Keep'), 'secondary', () => host.command('keepFork')),
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
  const where = step === undefined ? t('Another run from its first step on') : t('Another run from step {0} on', formatCount(step));
  return ending === undefined ? where : t('{0}, which {1}', where, ending);
}
