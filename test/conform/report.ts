import { adapterFor } from './adapters';
import { readRecording } from './recording';
import { replay, type Mismatch } from './replay';

/** What the replay of a file gave. */

/** A mismatch with the place where it was found. */
export interface Finding extends Mismatch {
  readonly line: number;
  /** The scenario: its family, profile and seed. */
  readonly scenario: string;
}

export interface FileReport {
  readonly file: string;
  readonly scenarios: number;
  readonly operations: number;
  /** How many registers and results were compared. */
  readonly values: number;
  readonly mismatches: number;
  /** The first ones, in full. */
  readonly first: readonly Finding[];
  /** Operations that were passed over, by name; `why` is missing where nobody meant them to be. */
  readonly skipped: readonly { readonly op: string; readonly count: number; readonly why?: string }[];
  /** Lines that could not be read, and what is wrong with each. */
  readonly malformed: readonly { readonly line: number; readonly problem: string }[];
}

const SHOWN = 10;

/** Replays a file. Throws if it cannot be read. */
export async function replayFile(file: string): Promise<FileReport> {
  let [scenarios, operations, values, mismatches] = [0, 0, 0, 0];
  const first: Finding[] = [];
  const skipped = new Map<string, { op: string; count: number; why?: string }>();
  const malformed: { line: number; problem: string }[] = [];
  for await (const read of readRecording(file)) {
    const { line } = read;
    if ('malformed' in read) {
      malformed.push({ line, problem: read.malformed });
      continue;
    }
    const { scenario } = read;
    const adapter = adapterFor(scenario);
    if (adapter === undefined) {
      malformed.push({ line, problem: `"source": ${JSON.stringify(scenario['source'])} is none that is known` });
      continue;
    }
    const tally = replay(scenario, adapter);
    scenarios++;
    operations += tally.operations;
    values += tally.values;
    mismatches += tally.mismatches.length;
    const name = `${scenario.family}/${scenario.profile} seed ${scenario.seed}`;
    for (const mismatch of tally.mismatches.slice(0, SHOWN - first.length)) first.push({ line, scenario: name, ...mismatch });
    for (const [op, count] of tally.skipped) {
      const why = adapter.skips.get(op);
      skipped.set(op, { op, count: (skipped.get(op)?.count ?? 0) + count, ...(why === undefined ? {} : { why }) });
    }
  }
  return { file, scenarios, operations, values, mismatches, first, skipped: [...skipped.values()], malformed };
}

/** Whether everything that was recorded was found. */
export const agrees = ({ mismatches, skipped, malformed }: FileReport): boolean =>
  mismatches === 0 && malformed.length === 0 && skipped.every(({ why }) => why !== undefined);

/** A report for people. */
export function reportText(report: FileReport): string {
  const { file, scenarios, operations, values, mismatches, first, skipped, malformed } = report;
  return [
    `${file}: ${scenarios} scenarios, ${operations} operations, ${values} values compared, ${mismatches} mismatches`,
    ...malformed.map(({ line, problem }) => `  ${file}:${line}: malformed: ${problem}`),
    ...first.map(
      ({ line, scenario, op, name, leaf, expected, got }) =>
        `  ${file}:${line}: ${scenario}, operation ${op} (${name}): ${leaf}: expected ${show(expected)}, got ${show(got)}`,
    ),
    ...(mismatches > first.length ? [`  … and ${mismatches - first.length} more`] : []),
    ...skipped.map(({ op, count, why }) => `  skipped ${op}: ${count} times${why === undefined ? '' : `: ${why}`}`),
  ].join('\n');
}

const show = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'));
