import { int, struct, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source, through, type Pointer } from '../../../../engine/fn';
import { at, atCall, until } from '../../../../engine/steps';
import {
  init_delayed_work,
  queue_delayed_work,
  queue_work_on,
  work_struct,
  type DelayedWork,
  type WorkqueueStruct,
  type WorkStruct,
} from '../workqueue';
import { wakeme_after_rcu, type RcuSynchronize } from './update';

/** Sleepable RCU: waiting until nobody can still see what was taken away. Workers count the readers, so this is no busy wait. */

const SRCU_STATE_SCAN2 = 2;
const RCU_SEQ_STATE_MASK = 3;

const SrcuCells = struct(
  'srcu_struct',
  'A domain of sleepable RCU. srcu_gp_seq counts grace periods; its two lowest bits are what the current one is at.',
  {
    srcu_gp_seq: int(),
  },
);

export type SrcuStruct = InstanceOf<typeof SrcuCells> & {
  readonly rcu_gp_wq: WorkqueueStruct;
  /** Ends grace periods. */
  readonly work: DelayedWork;
  /** Tells those who waited. */
  readonly callbacks: WorkStruct;
  readonly srcu_cblist: { readonly head: RcuSynchronize; readonly func: Pointer<[head: RcuSynchronize], void> }[];
};

const { fn, ops } = source('linux', 'kernel/rcu/srcutree.c');

const srcu_gp_start = fn('A grace period begins.', function* srcu_gp_start(ssp: SrcuStruct) {
  atCall('rcu_seq_start');
  ssp.srcu_gp_seq += 1;
});

const srcu_funnel_gp_start = fn(
  'Starts a grace period unless one is running: a worker is to look when all readers have gone.',
  function* srcu_funnel_gp_start(ssp: SrcuStruct) {
    at('SRCU_STATE_IDLE');
    if (ssp.srcu_gp_seq & RCU_SEQ_STATE_MASK) return;
    yield* srcu_gp_start(ssp);
    yield* queue_delayed_work(ssp.rcu_gp_wq, ssp.work, 0);
  },
);

const srcu_gp_start_if_needed = fn(
  'Notes who waits, and sees to it that a grace period comes.',
  function* srcu_gp_start_if_needed(ssp: SrcuStruct, head: RcuSynchronize, func: Pointer<[head: RcuSynchronize], void>) {
    at('srcu_cblist');
    ssp.srcu_cblist.push({ head, func });
    yield* srcu_funnel_gp_start(ssp);
  },
);

const __call_srcu = fn(
  'Has a function called once everybody who may be reading now has finished.',
  function* __call_srcu(ssp: SrcuStruct, head: RcuSynchronize, func: Pointer<[head: RcuSynchronize], void>) {
    yield* srcu_gp_start_if_needed(ssp, head, func);
  },
);

const stored = ops('__synchronize_srcu', { wakeme_after_rcu });

const __synchronize_srcu = fn('Sleeps until a grace period has passed.', function* __synchronize_srcu(ssp: SrcuStruct) {
  const rcu: RcuSynchronize = { completed: false };
  yield* __call_srcu(ssp, rcu, stored.wakeme_after_rcu);
  atCall('wait_for_completion');
  yield* until(() => rcu.completed);
});

export const synchronize_srcu_expedited = fn(
  'Waits for readers without letting them take their time.',
  function* synchronize_srcu_expedited(ssp: SrcuStruct) {
    yield* __synchronize_srcu(ssp);
  },
);

export const synchronize_srcu = fn(
  'Waits until nobody can still be reading what was unlinked. Where nothing else goes on it hurries.',
  function* synchronize_srcu(ssp: SrcuStruct) {
    yield* synchronize_srcu_expedited(ssp);
  },
);

const srcu_queue_delayed_work_on = fn(
  'Without a delay the callbacks’ worker is woken at once.',
  function* srcu_queue_delayed_work_on(ssp: SrcuStruct) {
    yield* queue_work_on(ssp.rcu_gp_wq, ssp.callbacks);
  },
);

const srcu_schedule_cbs_sdp = fn('Has a CPU’s callbacks invoked.', function* srcu_schedule_cbs_sdp(ssp: SrcuStruct) {
  yield* srcu_queue_delayed_work_on(ssp);
});

const srcu_gp_end = fn('The readers have gone: the grace period is over.', function* srcu_gp_end(ssp: SrcuStruct) {
  atCall('rcu_seq_end');
  ssp.srcu_gp_seq = (ssp.srcu_gp_seq | RCU_SEQ_STATE_MASK) + 1;
  yield* srcu_schedule_cbs_sdp(ssp);
});

const srcu_advance_state = fn(
  'Looks whether the readers of the old and of the new side have gone. Here nobody reads for long.',
  function* srcu_advance_state(ssp: SrcuStruct) {
    atCall('rcu_seq_set_state');
    ssp.srcu_gp_seq = (ssp.srcu_gp_seq & ~RCU_SEQ_STATE_MASK) | SRCU_STATE_SCAN2;
    yield* srcu_gp_end(ssp);
  },
);

const process_srcu = fn('The worker of a domain: brings its grace period forward.', function* process_srcu(ssp: SrcuStruct) {
  yield* srcu_advance_state(ssp);
});

const srcu_invoke_callbacks = fn(
  'Calls those who waited for the grace period that has ended.',
  function* srcu_invoke_callbacks(ssp: SrcuStruct) {
    for (const { head, func } of ssp.srcu_cblist.splice(0)) yield* through('function pointer', 'func', func)(head);
  },
);

const callbacks = ops('init_srcu_struct_data', { srcu_invoke_callbacks });
const domain = ops('init_srcu_struct_fields', { process_srcu });

/** init_srcu_struct(): makes a domain, which workers of `rcu_gp_wq` serve. Call it while a machine is set up. */
export function srcu_struct(name: string, rcu_gp_wq: WorkqueueStruct): SrcuStruct {
  const own = (): SrcuStruct => ssp;
  const ssp: SrcuStruct = Object.assign(SrcuCells(name), {
    rcu_gp_wq,
    work: init_delayed_work(`${name}.work`, boundPointer(domain.process_srcu, own)),
    callbacks: work_struct(`${name}.sda.work`, boundPointer(callbacks.srcu_invoke_callbacks, own)),
    srcu_cblist: [],
  });
  return ssp;
}
