import { NO_STEP } from '../../../src/engine/journal';
import type { Machine, Parameters } from '../../../src/engine/machine';
import { within } from '../../../src/engine/running';

/** What is left of a machine when there are no threads, no frames and no journal: what the models ask it for. */
export function bareMachine(parameters: Parameters): <T>(body: () => T) => T {
  const none = (): never => {
    throw new Error('there is no machine around bare models');
  };
  const machine = {
    parameters,
    currentThread: 0,
    mustYield: false,
    lastStep: NO_STEP,
    signal: () => NO_STEP,
    causedBy() {},
    thread: none,
  };
  return (body) => within(machine as unknown as Machine, body);
}
