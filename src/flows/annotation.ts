import type { FlowRun } from './flow';
import { plain } from './markdown';
import { cellName, resultText, valueText, writesOf } from './text';

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
    `**\`${fn.name}\`** · ${plain(run.threads[step.thread]?.title ?? '')}${anchor ? ` · at \`${anchor.token}\`` : ''}`,
    plain(fn.does),
    ...(note === undefined ? [] : [plain(note)]),
    ...(result === undefined ? [] : [`returns \`${result}\``]),
    ...writes,
  ].join('\n\n');
}
