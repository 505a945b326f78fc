import { resolveParameters, simulate, type Flow, type FlowStimuli, type Preset } from './flow';

/**
 * Stimuli by occasion. What a preset shows often hangs on one moment: between two calls, while somebody sleeps. A run says
 * where that is, so no step has to be counted by hand, and none is wrong when the models change.
 */

/** Something that happens when all has come to rest, or the first time that a function is entered after what happened before. */
export type Occasion = { readonly name: string } & ({ readonly when: 'at rest' } | { readonly entering: string });

/** A preset whose stimuli are found when they are first asked for. */
export function presetOn(of: () => Flow, preset: Omit<Preset, 'stimuli'>, occasions: readonly Occasion[]): Preset {
  let found: FlowStimuli | undefined;
  return {
    ...preset,
    get stimuli() {
      found ??= locate(of(), preset.parameters, occasions);
      return found;
    },
  };
}

/**
 * Finds the steps of a run at which the occasions arise, each in the run that all before it lead to.
 * @throws Error for a function that this run does not enter any more
 */
function locate(of: Flow, given: Preset['parameters'], occasions: readonly Occasion[]): FlowStimuli {
  const parameters = resolveParameters(of, given);
  const found: { at: number; name: string }[] = [];
  for (const occasion of occasions) {
    const { journal } = simulate(of, { parameters, stimuli: found, seed: 0 });
    const { name } = occasion;
    if ('when' in occasion) {
      found.push({ at: journal.length, name });
      continue;
    }
    let at = found.at(-1)?.at ?? 0;
    while (at < journal.length && !(journal.kind(at) === 'enter' && journal.step(at).site.fn.name === occasion.entering)) at++;
    if (at === journal.length) throw new Error(`flow ${of.id} does not enter ${occasion.entering} for stimulus ${name}`);
    found.push({ at: at + 1, name });
  }
  return found;
}
