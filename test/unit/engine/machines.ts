import { int, struct } from '../../../src/engine/cell';
import { source } from '../../../src/engine/fn';
import { createMachine, type Machine } from '../../../src/engine/machine';
import { running } from '../../../src/engine/running';
import { preempt } from '../../../src/engine/steps';
import { complete, type Run } from '../../../src/engine/timeline';

/** Small machines for tests of the engine: what they do is written down as data. */

export type Program = readonly { readonly thread: number; readonly cell: number; readonly value: number; readonly depth: number }[];

const Cells = struct('cells', 'Five numbers.', { a: int(), b: int(), c: int(), d: int(), e: int() });
const NAMES = ['a', 'b', 'c', 'd', 'e'] as const;

const { fn } = source('linux', 'kernel/test.c');

const assign = fn(
  'Writes one cell, some calls deep.',
  function* assign(cells: ReturnType<typeof Cells>, cell: number, value: number, depth: number): Generator<never, void> {
    if (depth > 0) yield* assign(cells, cell, value, depth - 1);
    else cells[NAMES[cell] ?? 'a'] = value;
  },
);

/** A machine whose threads do the program's operations, each its own in order. */
export function buildMachine(program: Program, seed = 0, stepLimit = 1_000_000): Machine {
  return createMachine({ parameters: {}, stimuli: [], seed, stepLimit, timeLimit: 0, recording: true }, () => {
    const cells = Cells('the');
    for (const thread of [0, 1, 2]) {
      running().thread(`t${thread}`, `thread ${thread}`, 'test', thread, function* () {
        for (const operation of program) {
          if (operation.thread !== thread) continue;
          yield* assign(cells, operation.cell, operation.value, operation.depth);
          yield* preempt();
        }
      });
    }
  });
}

/** Its finished run. */
export const machineOf = (program: Program, seed = 0): Run => complete(buildMachine(program, seed));
