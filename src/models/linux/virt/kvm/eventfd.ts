import { bool, int, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import { kvm_arch_irqfd_allowed } from '../../arch/x86/kvm/irq';
import { kvm_arch_post_irq_ack_notifier_list_update } from '../../arch/x86/kvm/ioapic';
import { kvm_arch_set_irq_inatomic } from '../../arch/x86/kvm/irq_comm';
import { EBUSY, EINVAL, EWOULDBLOCK } from '../../errno';
import {
  eventfd_ctx_do_read,
  eventfd_ctx_fdget,
  eventfd_ctx_fileget,
  eventfd_ctx_remove_wait_queue,
  type EventfdCtx,
} from '../../fs/eventfd';
import { eventfd_signal } from '../../include/linux/eventfd';
import { vfs_poll } from '../../include/linux/poll';
import { add_wait_queue_priority, EPOLLHUP, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../../kernel/sched/wait';
import { flush_work, flush_workqueue, init_work, queue_work, schedule_work, type WorkStruct } from '../../kernel/workqueue';
import { kvm_irq_map_gsi, kvm_set_irq } from './irqchip';
import {
  KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  type Kvm,
  type KvmIrqAckNotifier,
  type KvmKernelIrqRoutingEntry,
} from './kvm_types';

/** irqfds: eventfds that interrupt a guest, and those that a guest's end-of-interrupt signals back. */

export const KVM_IRQFD_FLAG_DEASSIGN = 1;
export const KVM_IRQFD_FLAG_RESAMPLE = 2;

/** What KVM_IRQFD carries. */
export interface KvmIrqfd {
  readonly fd: EventfdCtx;
  readonly gsi: number;
  readonly flags: number;
  readonly resamplefd?: EventfdCtx | undefined;
}

const ResamplerCells = struct(
  'kvm_kernel_irqfd_resampler',
  'What the irqfds of one level-triggered GSI share: the line is lowered once per end-of-interrupt, whoever raised it.',
  {
    'notifier.gsi': int(),
  },
);
export type KvmKernelIrqfdResampler = InstanceOf<typeof ResamplerCells> & {
  readonly notifier: KvmIrqAckNotifier;
  readonly list: KvmKernelIrqfd[];
};

const IrqfdCells = struct('kvm_kernel_irqfd', 'An eventfd that raises a GSI of this virtual machine.', {
  gsi: int(),
  eventfd: pointer<EventfdCtx>(),
  resamplefd: pointer<EventfdCtx>(),
  resampler: pointer<KvmKernelIrqfdResampler>(),
  active: bool(),
});
export type KvmKernelIrqfd = InstanceOf<typeof IrqfdCells> & {
  readonly kvm: Kvm;
  readonly inject: WorkStruct;
  readonly shutdown: WorkStruct;
  readonly wait: WaitQueueEntry;
  /** The route as it was when last looked up; undefined when the GSI has more than one entry (`type` 0). */
  irq_entry: KvmKernelIrqRoutingEntry | undefined;
};

const { fn } = source('linux', 'virt/kvm/eventfd.c');

const irqfd_inject = fn(
  'The work item of an irqfd: raises the GSI. With a resampler the line stays up until the guest’s end-of-interrupt; without one it is a pulse.',
  function* irqfd_inject(irqfd: KvmKernelIrqfd) {
    at('resampler');
    if (irqfd.resampler === undefined) {
      yield* kvm_set_irq(irqfd.kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd.gsi, 1);
      yield* kvm_set_irq(irqfd.kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd.gsi, 0);
    } else {
      yield* kvm_set_irq(irqfd.kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, irqfd.gsi, 1);
    }
  },
);

const irqfd_resampler_notify = fn(
  'Signals every resamplefd of the GSI.',
  function* irqfd_resampler_notify(resampler: KvmKernelIrqfdResampler) {
    for (const irqfd of resampler.list) if (irqfd.resamplefd !== undefined) yield* eventfd_signal(irqfd.resamplefd);
  },
);

const irqfd_resampler_ack = fn(
  'The guest has ended the interrupt: lowers the line first, once for all, then signals each resamplefd so that its owner may raise it again. The other order would erase a new assertion.',
  function* irqfd_resampler_ack(kvm: Kvm, resampler: KvmKernelIrqfdResampler) {
    yield* kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, resampler.notifier.gsi, 0);
    if (since('linux', '6.4')) {
      yield* irqfd_resampler_notify(resampler);
    } else {
      for (const irqfd of resampler.list) if (irqfd.resamplefd !== undefined) yield* eventfd_signal(irqfd.resamplefd);
    }
  },
);

const irqfd_resampler_shutdown = fn(
  'Takes an irqfd off its resampler; the last one removes the notifier and lowers the line.',
  function* irqfd_resampler_shutdown(irqfd: KvmKernelIrqfd) {
    const { kvm } = irqfd;
    const resampler = irqfd.resampler!;
    resampler.list.splice(resampler.list.indexOf(irqfd), 1);
    at('list_empty');
    if (resampler.list.length > 0) return;
    kvm.irqfds.resampler_list.splice(kvm.irqfds.resampler_list.indexOf(resampler), 1);
    yield* kvm_unregister_irq_ack_notifier(kvm, resampler.notifier);
    yield* kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, resampler.notifier.gsi, 0);
  },
);

const irqfd_shutdown = fn(
  'Takes an irqfd off its eventfd and frees it. An event that was signalled but not yet injected is lost with the drained count.',
  function* irqfd_shutdown(irqfd: KvmKernelIrqfd) {
    yield* eventfd_ctx_remove_wait_queue(irqfd.eventfd!, irqfd.wait);
    yield* flush_work(irqfd.inject, irqfd.kvm.system_wq);
    if (irqfd.resampler !== undefined) yield* irqfd_resampler_shutdown(irqfd);
  },
);

const irqfd_deactivate = fn(
  'Marks an irqfd as gone and leaves its release to the clean-up worker.',
  function* irqfd_deactivate(irqfd: KvmKernelIrqfd) {
    const { items } = irqfd.kvm.irqfds;
    items.splice(items.indexOf(irqfd), 1);
    atCall('list_del_init');
    irqfd.active = false;
    yield* queue_work(irqfd.kvm.irqfd_cleanup_wq, irqfd.shutdown);
  },
);

const irqfd_wakeup = fn(
  'The eventfd was signalled: takes the count and tries to inject at once, in the signaller’s context (for VFIO a hard interrupt). A route that needs a sleeping lock says -EWOULDBLOCK and a worker does it.',
  function* irqfd_wakeup(irqfd: KvmKernelIrqfd, key: number) {
    let ret = 0;
    if (key & EPOLLIN) {
      yield* eventfd_ctx_do_read(irqfd.eventfd!);
      const blocked = !irqfd.active || (yield* kvm_arch_set_irq_inatomic(irqfd.irq_entry)) === -EWOULDBLOCK;
      if (blocked) yield* schedule_work(irqfd.kvm.system_wq, irqfd.inject);
      ret = 1;
    }
    if (key & EPOLLHUP && irqfd.active) yield* irqfd_deactivate(irqfd);
    return ret;
  },
);

const irqfd_ptable_queue_proc = fn(
  'Puts the irqfd at the head of the eventfd’s wait queue: it consumes the event before anybody else sees it.',
  function* irqfd_ptable_queue_proc(irqfd: KvmKernelIrqfd, wqh: WaitQueueHead) {
    yield* add_wait_queue_priority(wqh, irqfd.wait);
  },
);

const irqfd_update = fn(
  'Looks the GSI up again and keeps the route, if it is a single one.',
  function* irqfd_update(kvm: Kvm, irqfd: KvmKernelIrqfd) {
    const entries = yield* kvm_irq_map_gsi(kvm, irqfd.gsi);
    at('irq_entry');
    irqfd.irq_entry = entries.length === 1 ? entries[0] : undefined;
  },
);

export const kvm_register_irq_ack_notifier = fn(
  'Asks to be told when the guest ends an interrupt of a GSI.',
  function* kvm_register_irq_ack_notifier(kvm: Kvm, kian: KvmIrqAckNotifier) {
    at('irq_ack_notifier_list');
    kvm.irq_ack_notifier_list.push(kian);
    yield* kvm_arch_post_irq_ack_notifier_list_update(kvm);
  },
);

export const kvm_unregister_irq_ack_notifier = fn(
  'Takes a notifier back.',
  function* kvm_unregister_irq_ack_notifier(kvm: Kvm, kian: KvmIrqAckNotifier) {
    atCall('hlist_del_init_rcu');
    kvm.irq_ack_notifier_list.splice(kvm.irq_ack_notifier_list.indexOf(kian), 1);
    yield* kvm_arch_post_irq_ack_notifier_list_update(kvm);
  },
);

/** The `kvm_irqchip_pin_to_gsi` of a chip's pin, or -1. */
const kvm_irq_map_chip_pin = (kvm: Kvm, irqchip: number, pin: number): number =>
  kvm.irq_routing.find((entry) => entry.irqchip.irqchip === irqchip && entry.irqchip.pin === pin)?.gsi ?? -1;

export const kvm_irq_has_notifier = fn(
  'Whether anybody wants to know of the end of this pin’s interrupts: then the guest’s EOI must not go unseen.',
  function* kvm_irq_has_notifier(kvm: Kvm, irqchip: number, pin: number) {
    const gsi = kvm_irq_map_chip_pin(kvm, irqchip, pin);
    return kvm.irq_ack_notifier_list.some((kian) => kian.gsi === gsi);
  },
);

const kvm_notify_acked_gsi = fn('Calls the notifiers of a GSI.', function* kvm_notify_acked_gsi(kvm: Kvm, gsi: number) {
  for (const kian of [...kvm.irq_ack_notifier_list])
    if (kian.gsi === gsi) yield* through('function pointer', 'irq_acked', kian.irq_acked)();
});

export const kvm_notify_acked_irq = fn(
  'A chip’s pin was acknowledged by the guest: finds its GSI and tells whoever waits for it.',
  function* kvm_notify_acked_irq(kvm: Kvm, irqchip: number, pin: number) {
    const gsi = kvm_irq_map_chip_pin(kvm, irqchip, pin);
    if (gsi !== -1) yield* kvm_notify_acked_gsi(kvm, gsi);
  },
);

export const kvm_notify_irqfd_resampler = fn(
  'Asks the owner of a level-triggered interrupt whether it still asserts, instead of injecting what may be stale.',
  function* kvm_notify_irqfd_resampler(kvm: Kvm, irqchip: number, pin: number) {
    const gsi = kvm_irq_map_chip_pin(kvm, irqchip, pin);
    const resampler = kvm.irqfds.resampler_list.find(({ notifier }) => notifier.gsi === gsi);
    if (resampler === undefined) return false;
    yield* irqfd_resampler_notify(resampler);
    return true;
  },
);

const kvm_irqfd_assign = fn(
  'Makes an eventfd interrupt the guest: takes the eventfds, joins or makes the GSI’s resampler, looks the route up, and gets on the wait queue.',
  function* kvm_irqfd_assign(kvm: Kvm, args: KvmIrqfd) {
    if (!(yield* kvm_arch_irqfd_allowed(kvm, args))) return -EINVAL;
    const irqfd: KvmKernelIrqfd = Object.assign(IrqfdCells(`gsi ${args.gsi}`), {
      kvm,
      irq_entry: undefined,
      inject: init_work(
        'irqfd.inject',
        bound(irqfd_inject, () => irqfd),
      ),
      shutdown: init_work(
        'irqfd.shutdown',
        bound(irqfd_shutdown, () => irqfd),
      ),
      wait: { func: addressOf(bound(irqfd_wakeup, () => irqfd)), exclusive: true },
    });
    irqfd.gsi = args.gsi;
    irqfd.eventfd = yield* eventfd_ctx_fileget(args.fd);
    if (args.flags & KVM_IRQFD_FLAG_RESAMPLE && args.resamplefd !== undefined) {
      irqfd.resamplefd = yield* eventfd_ctx_fdget(args.resamplefd);
      let resampler = kvm.irqfds.resampler_list.find(({ notifier }) => notifier.gsi === irqfd.gsi);
      if (resampler === undefined) {
        const cells = ResamplerCells(`gsi ${args.gsi}`);
        cells['notifier.gsi'] = irqfd.gsi;
        const ack = addressOf(
          bound(
            bound(irqfd_resampler_ack, () => kvm),
            () => made,
          ),
        );
        const made: KvmKernelIrqfdResampler = Object.assign(cells, { list: [], notifier: { gsi: irqfd.gsi, irq_acked: ack } });
        kvm.irqfds.resampler_list.push(made);
        yield* kvm_register_irq_ack_notifier(kvm, made.notifier);
        resampler = made;
      }
      irqfd.resampler = resampler;
      resampler.list.push(irqfd);
    }
    if (kvm.irqfds.items.some((tmp) => tmp.eventfd === irqfd.eventfd)) return -EBUSY;
    yield* irqfd_update(kvm, irqfd);
    kvm.irqfds.items.push(irqfd);
    atCall('list_add_tail');
    irqfd.active = true;
    const events = yield* vfs_poll(args.fd, { _qproc: addressOf(bound(irqfd_ptable_queue_proc, () => irqfd)) });
    if (events & EPOLLIN) yield* schedule_work(kvm.system_wq, irqfd.inject);
    return 0;
  },
);

const kvm_irqfd_deassign = fn(
  'Finds the irqfds of an eventfd and GSI, lets go of them, and waits until they are gone.',
  function* kvm_irqfd_deassign(kvm: Kvm, args: KvmIrqfd) {
    const eventfd = yield* eventfd_ctx_fdget(args.fd);
    for (const irqfd of [...kvm.irqfds.items]) if (irqfd.eventfd === eventfd && irqfd.gsi === args.gsi) yield* irqfd_deactivate(irqfd);
    yield* flush_workqueue(kvm.irqfd_cleanup_wq);
    return 0;
  },
);

export const kvm_irqfd = fn('KVM_IRQFD: connects an eventfd to a GSI, or takes it off.', function* kvm_irqfd(kvm: Kvm, args: KvmIrqfd) {
  at('flags');
  return args.flags & KVM_IRQFD_FLAG_DEASSIGN ? yield* kvm_irqfd_deassign(kvm, args) : yield* kvm_irqfd_assign(kvm, args);
});
