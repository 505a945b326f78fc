import { COMPONENT, type Instance } from '../engine/cell';
import { NO_STEP } from '../engine/journal';
import { begin, type FlowRun } from './flow';

/**
 * What functions were called with. A journal does not hold that, and need not: the same inputs make the same run, so whoever asks has it made
 * again, unrecorded, up to the call.
 */

/** An argument as a model was given it. */
export type Argument =
  /** A structure, by its number in the run; `undefined` is NULL. */
  | { readonly kind: 'component'; readonly component: number | undefined }
  /** Several structures in one, as a `struct kvm` has them. */
  | { readonly kind: 'components'; readonly components: readonly number[] }
  | { readonly kind: 'value'; readonly value: number | boolean | string }
  | { readonly kind: 'function'; readonly symbol: string };

/** The arguments of calls of one run, by the steps that entered the functions. */
export interface Arguments {
  /** Takes as long as the run up to there; for callers of that function, no time from then on. */
  at(enter: number): readonly Argument[];
}

export function createArguments(run: FlowRun): Arguments {
  const known = new Map<number, readonly Argument[]>();

  function learn(enter: number): void {
    for (let step = enter; step !== NO_STEP; step = run.journal.parent(step)) known.set(step, []);
    const wanted = new Set(known.keys());
    begin(run.flow, run.inputs, false, (step, args) => {
      if (wanted.has(step))
        known.set(
          step,
          args.map(argumentOf).filter((each) => each !== undefined),
        );
    }).proceed(enter + 1);
  }

  return {
    at(enter) {
      if (!known.has(enter)) learn(enter);
      return known.get(enter) ?? [];
    },
  };
}

function argumentOf(given: unknown): Argument | undefined {
  switch (typeof given) {
    case 'number':
    case 'boolean':
    case 'string':
      return { kind: 'value', value: given };
    case 'undefined':
      return { kind: 'component', component: undefined };
    case 'object':
    case 'function': {
      if (given === null) return undefined;
      if (isInstance(given)) return { kind: 'component', component: given[COMPONENT].id };
      const symbol = symbolOf(given);
      if (symbol !== undefined) return { kind: 'function', symbol };
      // Getters are the models' own: they may ask for what is not there yet.
      const parts = Object.values(Object.getOwnPropertyDescriptors(given)).map(({ value }): unknown => value);
      const components = parts.flatMap((part) => (isInstance(part) ? [part[COMPONENT].id] : []));
      return components.length > 0 ? { kind: 'components', components } : undefined;
    }
    case 'bigint':
    case 'symbol':
      return undefined;
  }
}

const isInstance = (given: unknown): given is Instance => typeof given === 'object' && given !== null && COMPONENT in given;

/** The name of a model function, or of what a pointer to one reaches. */
function symbolOf(given: object): string | undefined {
  const fn: unknown = 'target' in given ? given.target : given;
  return typeof fn === 'function' && 'info' in fn ? (fn.info as { readonly name: string }).name : undefined;
}
