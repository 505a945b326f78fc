import { bool, int, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { causedBy, preempt, resumedBy, signal, until } from '../../engine/steps';

/**
 * A guest's code as TCG runs it: translated, on the thread of its CPU, until it does what translated code cannot do by itself.
 * The guest has a thread of its own here, so that it has a stack of its own; it runs only while the CPU's thread is in its code.
 */

/** What translated code calls a helper for. */
export type HelperCall =
  | { readonly kind: 'outb'; readonly port: number; readonly data: number }
  | { readonly kind: 'inb'; readonly port: number }
  | { readonly kind: 'store'; readonly addr: number; readonly data: number; readonly size: number }
  | { readonly kind: 'load'; readonly addr: number; readonly size: number }
  | { readonly kind: 'hlt' }
  /** The end of a block that only changed the guest's interrupt flag, or none of this: the loop looks for interrupts. */
  | { readonly kind: 'exit_tb' };

const TranslatedCodeCells = struct(
  'translated_code',
  'The guest’s code in translation. vector is what it has been given and whose handler comes next; -1: nothing.',
  {
    running: bool(),
    vector: int(-1),
  },
);

export type TranslatedCode = InstanceOf<typeof TranslatedCodeCells> & {
  /** What the code has stopped for, and what came of it. */
  helper: HelperCall | undefined;
  result: number;
  /** The step that let it run last, and the step at which it stopped. */
  enteredAt: number;
  stoppedAt: number;
  /** What the guest does with a vector. */
  idt: ((vector: number) => Run) | undefined;
};

/** Makes a guest's code; nothing has run yet. */
export const translated_code = (name: string): TranslatedCode =>
  Object.assign(TranslatedCodeCells(name), { helper: undefined, result: 0, enteredAt: -1, stoppedAt: -1, idt: undefined });

const { fn } = source('hardware', 'translated_code');

const leave_code = fn(
  'Translated code calls a helper for what it cannot do by itself, or ends: the thread of its CPU goes on.',
  function* leave_code(code: TranslatedCode, helper: HelperCall) {
    code.helper = helper;
    code.stoppedAt = signal('translated code', helper.kind);
  },
);

/** The guest's side: stops for a helper, and gives what it came to once the code runs again. Interrupts that came meanwhile are taken first. */
export function* call_helper(code: TranslatedCode, helper: HelperCall): Run<number> {
  yield* in_code(code);
  yield* leave_code(code, helper);
  yield* until(() => code.helper === undefined && code.running);
  resumedBy(code.enteredAt);
  const { result } = code;
  yield* in_code(code);
  return result;
}

/** Between two instructions: the guest goes on only while its code runs, and takes what interrupts it. */
export function* in_code(code: TranslatedCode): Run {
  yield* preempt();
  if (!code.running) {
    yield* until(() => code.running);
    resumedBy(code.enteredAt);
  }
  while (code.vector !== -1 && code.idt !== undefined) {
    causedBy(code.enteredAt);
    yield* code.idt(code.vector);
  }
}
