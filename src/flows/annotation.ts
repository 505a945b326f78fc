import { t } from '@vscode/l10n';
import type { FlowRun } from './flow';
import { plain } from './markdown';
import { cellName, resultText, threadTitle, valueText, writesOf } from './text';

/** What a step is about, as Markdown: where it runs, what its function does, what it gives back and what it changes. */
export function annotation(run: FlowRun, n: number): string {
  const step = run.journal.step(n);
  const { fn, anchor, note } = step.site;
  const result = step.kind === 'return' ? resultText(step) : undefined;
  const writes = writesOf(run, n).map((write) => {
    const cell = run.cells[write.cell]!;
    return `\`${cellName(cell)}\`: \`${valueText(run, cell, write.old)}\` → \`${valueText(run, cell, write.new)}\``;
  });
  return [
    [`**\`${fn.name}\`**`, plain(threadTitle(run.threads[step.thread]!)), ...(anchor ? [t('at `{0}`', anchor.token)] : [])].join(' · '),
    plain(t(fn.does)),
    ...(note === undefined ? [] : [plain(t(note))]),
    ...(result === undefined ? [] : [t('returns `{0}`', result)]),
    ...writes,
  ].join('\n\n');
}
