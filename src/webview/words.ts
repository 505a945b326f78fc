import { t } from '@vscode/l10n';
import type { PositionView, RunOutline, RunView } from './protocol';
import { cellAt, formatValue } from './registers/values';
import { stepAt } from './steps';

/** What the views say in words: numbers, labels for screen readers, announcements. */

/** 1830 as `1 830`, with a narrow space that does not break. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `step 214, host hard-IRQ, vfio_intx_handler, masked, writes state` */
export function describeStep(run: RunView, n: number): string {
  const step = stepAt(run.steps, n);
  if (!step) return t('step {0}', n);
  const parts = [
    t('step {0}', n),
    run.lanes[step.lane]?.title,
    step.kind === 'return' ? t('return from {0}', step.symbol) : step.symbol,
    step.anchor,
    step.edge === undefined ? undefined : t('by {0}', step.edge),
    step.writes ? t('writes state') : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

/** At most this many writes are read out: after that a reader looks at the list. */
const SPOKEN_WRITES = 3;

/** `Step 214, host hard-IRQ, vfio_intx_handler, writes masked: false → true` */
export function announce(run: RunOutline, position: PositionView): string {
  const step = position.here;
  const { changes, values } = position.state;
  const spoken = changes.slice(0, SPOKEN_WRITES).map(({ cell, was }) => {
    const found = cellAt(run, cell);
    const said = (value: number) => (found ? formatValue(found.type, value, run.components) : String(value));
    return `${found?.cell.name ?? ''}: ${said(was)} → ${said(values[cell] ?? 0)}`;
  });
  const parts = [
    t('Step {0}', step.n),
    run.lanes[step.lane]?.title,
    step.kind === 'return' ? t('return from {0}', step.symbol) : step.symbol,
    spoken.length === 0
      ? undefined
      : changes.length > SPOKEN_WRITES
        ? t('writes {0} and {1} more', spoken.join(', '), changes.length - SPOKEN_WRITES)
        : t('writes {0}', spoken.join(', ')),
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}
