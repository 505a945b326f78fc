import { source } from '../../../../engine/fn';
import { atCall } from '../../../../engine/steps';

/** What all kinds of RCU share. */

/** Somebody who waits for a grace period. */
export interface RcuSynchronize {
  completed: boolean;
}

const { fn } = source('linux', 'kernel/rcu/update.c');

export const wakeme_after_rcu = fn('The grace period is over: wakes who waits for it.', function* wakeme_after_rcu(head: RcuSynchronize) {
  atCall('complete');
  head.completed = true;
});
