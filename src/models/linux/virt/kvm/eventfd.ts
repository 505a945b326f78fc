import { bool, hex, int, means, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { kvm_arch_irqfd_allowed } from '../../arch/x86/kvm/irq';
import { kvm_arch_post_irq_ack_notifier_list_update } from '../../arch/x86/kvm/ioapic';
import { kvm_arch_set_irq_inatomic } from '../../arch/x86/kvm/irq_comm';
import {
  kvm_arch_has_irq_bypass,
  kvm_arch_irq_bypass_add_producer,
  kvm_arch_irq_bypass_del_producer,
  kvm_arch_irqfd_route_changed,
  kvm_arch_update_irqfd_routing,
} from '../../arch/x86/kvm/x86';
import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EWOULDBLOCK } from '../../errno';
import {
  eventfd_ctx_do_read,
  eventfd_ctx_fdget,
  eventfd_ctx_fileget,
  eventfd_ctx_put,
  eventfd_ctx_remove_wait_queue,
  type EventfdCtx,
} from '../../fs/eventfd';
import { kvm_iodevice_init, type KvmIoDevice } from '../../include/kvm/iodev';
import { eventfd_signal } from '../../include/linux/eventfd';
import { vfs_poll } from '../../include/linux/poll';
import { synchronize_srcu, synchronize_srcu_expedited } from '../../kernel/rcu/srcutree';
import { add_wait_queue_priority, EPOLLHUP, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../../kernel/sched/wait';
import { flush_work, flush_workqueue, init_work, queue_work, schedule_work, type WorkStruct } from '../../kernel/workqueue';
import {
  irq_bypass_consumer,
  irq_bypass_register_consumer,
  irq_bypass_unregister_consumer,
  type IrqBypassConsumer,
  type IrqBypassProducer,
} from '../lib/irqbypass';
import { kvm_irq_map_chip_pin, kvm_irq_map_gsi, kvm_set_irq } from './irqchip';
import { kvm_io_bus_register_dev, kvm_io_bus_unregister_dev } from './kvm_main';
import {
  KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  type Kvm,
  type KvmBus,
  type KvmIrqAckNotifier,
  type KvmKernelIrqRoutingEntry,
  type KvmVcpu,
} from './kvm_types';

/** irqfds: eventfds that interrupt a guest, and those that its end-of-interrupt signals back; ioeventfds: those that its writes signal. */

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
    'notifier.gsi': means('The GSI whose end of interrupt is waited for.', int()),
  },
);
export type KvmKernelIrqfdResampler = InstanceOf<typeof ResamplerCells> & {
  readonly notifier: KvmIrqAckNotifier;
  readonly list: KvmKernelIrqfd[];
};

const IrqfdCells = struct('kvm_kernel_irqfd', 'An eventfd that raises a GSI of this virtual machine.', {
  gsi: means('The GSI that is raised: the routing table says which pins or message that is.', int()),
  eventfd: means('Signalled to raise the GSI.', pointer<EventfdCtx>()),
  resamplefd: means('Signalled when the guest has ended the interrupt; only for a level-triggered GSI.', pointer<EventfdCtx>()),
  resampler: pointer<KvmKernelIrqfdResampler>(),
  producer: means('The hardware interrupt that goes past the eventfd, straight into the guest.', pointer<IrqBypassProducer>()),
  active: means('Not about to be taken down.', bool()),
});
export type KvmKernelIrqfd = InstanceOf<typeof IrqfdCells> & {
  readonly kvm: Kvm;
  readonly inject: WorkStruct;
  readonly shutdown: WorkStruct;
  readonly wait: WaitQueueEntry;
  /** The route as it was when last looked up; undefined when the GSI has more than one entry (`type` 0). */
  irq_entry: KvmKernelIrqRoutingEntry | undefined;
  readonly consumer: IrqBypassConsumer;
};

const { fn, ops } = source('linux', 'virt/kvm/eventfd.c');

/** Waits until nobody reads the routing table or a list that it leads to any more. */
const synchronize = (kvm: Kvm): Run => (since('linux', '6.12') ? synchronize_srcu_expedited : synchronize_srcu)(kvm.irq_srcu);

const irqfd_inject = fn(
  'The work item of an irqfd: raises the GSI. With a resampler the line stays up until the guest’s end-of-interrupt; without one it is a pulse.',
  function* irqfd_inject(irqfd: KvmKernelIrqfd) {
    at('resampler');
    if (irqfd.resampler === undefined) {
      yield* kvm_set_irq(irqfd.kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd.gsi, 1, false);
      behind('kvm_set_irq');
      yield* kvm_set_irq(irqfd.kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irqfd.gsi, 0, false);
    } else {
      behind('kvm_set_irq kvm_set_irq');
      yield* kvm_set_irq(irqfd.kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, irqfd.gsi, 1, false);
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
    yield* kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, resampler.notifier.gsi, 0, false);
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
    if (!since('linux', '6.12')) yield* synchronize_srcu(kvm.irq_srcu);
    at('list_empty');
    if (resampler.list.length > 0) {
      if (since('linux', '6.12')) yield* synchronize_srcu_expedited(kvm.irq_srcu);
      return;
    }
    kvm.irqfds.resampler_list.splice(kvm.irqfds.resampler_list.indexOf(resampler), 1);
    yield* kvm_unregister_irq_ack_notifier(kvm, resampler.notifier);
    yield* kvm_set_irq(kvm, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, resampler.notifier.gsi, 0, false);
  },
);

const irqfd_shutdown = fn(
  'Takes an irqfd off its eventfd and frees it. An event that was signalled but not yet injected is lost with the drained count.',
  function* irqfd_shutdown(irqfd: KvmKernelIrqfd) {
    yield* synchronize(irqfd.kvm);
    yield* eventfd_ctx_remove_wait_queue(irqfd.eventfd!, irqfd.wait);
    yield* flush_work(irqfd.inject, irqfd.kvm.system_wq);
    if (irqfd.resampler !== undefined) {
      yield* irqfd_resampler_shutdown(irqfd);
      if (irqfd.resamplefd !== undefined) yield* eventfd_ctx_put(irqfd.resamplefd);
    }
    yield* irq_bypass_unregister_consumer(irqfd.consumer);
    behind('irq_bypass_unregister_consumer');
    yield* eventfd_ctx_put(irqfd.eventfd!);
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
      const blocked =
        !irqfd.active || (yield* kvm_arch_set_irq_inatomic(irqfd.irq_entry, irqfd.kvm, KVM_USERSPACE_IRQ_SOURCE_ID, 1)) === -EWOULDBLOCK;
      if (blocked) yield* schedule_work(irqfd.kvm.system_wq, irqfd.inject);
      ret = 1;
    }
    if (key & EPOLLHUP && irqfd.active) yield* irqfd_deactivate(irqfd);
    return ret;
  },
);

const kvm_arch_irq_bypass_stop = fn(
  'Nothing has to rest while an interrupt changes hands on x86: the remapping entry is exchanged in one go.',
  function* kvm_arch_irq_bypass_stop() {},
);

const kvm_arch_irq_bypass_start = fn('Nothing has to be started again.', function* kvm_arch_irq_bypass_start() {});

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
    kvm.irq_ack_notifier_list.unshift(kian);
    yield* kvm_arch_post_irq_ack_notifier_list_update(kvm);
  },
);

export const kvm_unregister_irq_ack_notifier = fn(
  'Takes a notifier back.',
  function* kvm_unregister_irq_ack_notifier(kvm: Kvm, kian: KvmIrqAckNotifier) {
    atCall('hlist_del_init_rcu');
    kvm.irq_ack_notifier_list.splice(kvm.irq_ack_notifier_list.indexOf(kian), 1);
    yield* synchronize(kvm);
    yield* kvm_arch_post_irq_ack_notifier_list_update(kvm);
  },
);

export const kvm_irq_has_notifier = fn(
  'Whether anybody wants to know of the end of this pin’s interrupts: then the guest’s EOI must not go unseen.',
  function* kvm_irq_has_notifier(kvm: Kvm, irqchip: number, pin: number) {
    const gsi = yield* kvm_irq_map_chip_pin(kvm, irqchip, pin);
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
    const gsi = yield* kvm_irq_map_chip_pin(kvm, irqchip, pin);
    if (gsi !== -1) yield* kvm_notify_acked_gsi(kvm, gsi);
  },
);

export const kvm_notify_irqfd_resampler = fn(
  'Asks the owner of a level-triggered interrupt whether it still asserts, instead of injecting what may be stale.',
  function* kvm_notify_irqfd_resampler(kvm: Kvm, irqchip: number, pin: number) {
    const gsi = yield* kvm_irq_map_chip_pin(kvm, irqchip, pin);
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
      consumer: irq_bypass_consumer(`gsi ${args.gsi}`),
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
    if (args.flags & KVM_IRQFD_FLAG_RESAMPLE) {
      if (args.resamplefd === undefined) {
        yield* giveBack(irqfd);
        return -EBADF;
      }
      irqfd.resamplefd = yield* eventfd_ctx_fdget(args.resamplefd);
      yield* joinResampler(kvm, irqfd);
    }
    if (kvm.irqfds.items.some((tmp) => tmp.eventfd === irqfd.eventfd)) {
      yield* giveBack(irqfd);
      return -EBUSY;
    }
    yield* irqfd_update(kvm, irqfd);
    kvm.irqfds.items.push(irqfd);
    atCall('list_add_tail');
    irqfd.active = true;
    const events = yield* vfs_poll(args.fd, { _qproc: addressOf(bound(irqfd_ptable_queue_proc, () => irqfd)) });
    if (events & EPOLLIN) yield* schedule_work(kvm.system_wq, irqfd.inject);
    if (yield* kvm_arch_has_irq_bypass(kvm)) {
      at('consumer');
      irqfd.consumer.token = irqfd.eventfd;
      irqfd.consumer.ops = {
        add_producer: addressOf(bound(kvm_arch_irq_bypass_add_producer, () => irqfd)),
        del_producer: addressOf(bound(kvm_arch_irq_bypass_del_producer, () => irqfd)),
        stop: addressOf(kvm_arch_irq_bypass_stop),
        start: addressOf(kvm_arch_irq_bypass_start),
      };
      yield* irq_bypass_register_consumer(irqfd.consumer);
    }
    return 0;
  },
);

/** Puts an irqfd among those that share its GSI's resampler, which the first of them makes. */
function* joinResampler(kvm: Kvm, irqfd: KvmKernelIrqfd): Run {
  const { gsi } = irqfd;
  let resampler = kvm.irqfds.resampler_list.find(({ notifier }) => notifier.gsi === gsi);
  if (resampler === undefined) {
    const cells = ResamplerCells(`gsi ${gsi}`);
    behind('INIT_LIST_HEAD INIT_LIST_HEAD');
    cells['notifier.gsi'] = gsi;
    const ack = addressOf(
      bound(
        bound(irqfd_resampler_ack, () => kvm),
        () => made,
      ),
    );
    const made: KvmKernelIrqfdResampler = Object.assign(cells, { list: [], notifier: { gsi, irq_acked: ack } });
    kvm.irqfds.resampler_list.unshift(made);
    yield* kvm_register_irq_ack_notifier(kvm, made.notifier);
    resampler = made;
    behind('kvm_register_irq_ack_notifier');
  }
  irqfd.resampler = resampler;
  resampler.list.unshift(irqfd);
  yield* synchronize(kvm);
}

/** The way out of an assignment that failed. */
function* giveBack(irqfd: KvmKernelIrqfd): Run {
  if (irqfd.resampler !== undefined) yield* irqfd_resampler_shutdown(irqfd);
  if (irqfd.resamplefd !== undefined) yield* eventfd_ctx_put(irqfd.resamplefd);
  if (irqfd.eventfd !== undefined) yield* eventfd_ctx_put(irqfd.eventfd);
}

const kvm_irqfd_deassign = fn(
  'Finds the irqfds of an eventfd and GSI, lets go of them, and waits until they are gone.',
  function* kvm_irqfd_deassign(kvm: Kvm, args: KvmIrqfd) {
    const eventfd = yield* eventfd_ctx_fdget(args.fd);
    for (const irqfd of [...kvm.irqfds.items]) if (irqfd.eventfd === eventfd && irqfd.gsi === args.gsi) yield* irqfd_deactivate(irqfd);
    yield* eventfd_ctx_put(eventfd);
    yield* flush_workqueue(kvm.irqfd_cleanup_wq);
    return 0;
  },
);

export const kvm_irqfd = fn('KVM_IRQFD: connects an eventfd to a GSI, or takes it off.', function* kvm_irqfd(kvm: Kvm, args: KvmIrqfd) {
  at('flags');
  if (args.flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)) return -EINVAL;
  return args.flags & KVM_IRQFD_FLAG_DEASSIGN ? yield* kvm_irqfd_deassign(kvm, args) : yield* kvm_irqfd_assign(kvm, args);
});

export const kvm_irq_routing_update = fn(
  'The routing table has changed: every irqfd looks its GSI up again. One that takes a device’s interrupt directly has the hardware follow.',
  function* kvm_irq_routing_update(kvm: Kvm) {
    for (const irqfd of kvm.irqfds.items) {
      const old = irqfd.irq_entry;
      yield* irqfd_update(kvm, irqfd);
      const { producer } = irqfd;
      if (producer?.irq !== undefined && (yield* kvm_arch_irqfd_route_changed(old, irqfd.irq_entry)))
        yield* kvm_arch_update_irqfd_routing(kvm, producer.irq, irqfd.gsi, true);
    }
  },
);

export const KVM_IOEVENTFD_FLAG_DATAMATCH = 1;
export const KVM_IOEVENTFD_FLAG_PIO = 2;
export const KVM_IOEVENTFD_FLAG_DEASSIGN = 4;
const KVM_IOEVENTFD_VALID_FLAG_MASK = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN;

/** What KVM_IOEVENTFD carries. `len` 0 takes a write of any width. */
export interface KvmIoeventfd {
  readonly fd: EventfdCtx;
  readonly addr: number;
  readonly len: number;
  readonly flags: number;
  readonly datamatch?: number;
}

const IoEventfdCells = struct('_ioeventfd', 'A place on a bus where a guest’s write signals an eventfd, without an exit to user space.', {
  addr: hex(32),
  length: int(),
  eventfd: pointer<EventfdCtx>(),
  datamatch: hex(32),
  wildcard: bool(),
});
export type IoEventfd = InstanceOf<typeof IoEventfdCells> & { readonly kvm: Kvm; readonly bus_idx: KvmBus; readonly dev: KvmIoDevice };

const ioeventfd_in_range = fn(
  'Whether a write is the one that was asked for: the address, unless `length` is 0 the width, and unless it is a wildcard the value.',
  function* ioeventfd_in_range(p: IoEventfd, addr: number, len: number, val: number) {
    at('addr');
    if (addr !== p.addr) return false;
    if (p.length === 0) return true;
    if (len !== p.length) return false;
    return p.wildcard || val === p.datamatch;
  },
);

const ioeventfd_write = fn(
  'The guest writes where an ioeventfd may be: a hit signals the eventfd, and the guest goes on at once.',
  function* ioeventfd_write(p: IoEventfd, _vcpu: KvmVcpu, addr: number, len: number, val: number) {
    if (!(yield* ioeventfd_in_range(p, addr, len, val))) return -EOPNOTSUPP;
    yield* eventfd_signal(p.eventfd!);
    return 0;
  },
);

const ioeventfd_release = fn('Lets the eventfd go, and forgets the place.', function* ioeventfd_release(p: IoEventfd) {
  if (p.eventfd !== undefined) yield* eventfd_ctx_put(p.eventfd);
  atCall('list_del');
  p.kvm.ioeventfds.splice(p.kvm.ioeventfds.indexOf(p), 1);
});

const ioeventfd_destructor = fn('The place has left its bus.', function* ioeventfd_destructor(p: IoEventfd) {
  yield* ioeventfd_release(p);
});

const ioeventfd_ops = ops('ioeventfd_ops', { write: ioeventfd_write, destructor: ioeventfd_destructor });

const ioeventfd_check_collision = fn(
  'Whether some write would hit both this and one that is there.',
  function* ioeventfd_check_collision(kvm: Kvm, p: IoEventfd) {
    at('ioeventfds');
    return kvm.ioeventfds.some(
      (other) =>
        other.bus_idx === p.bus_idx &&
        other.addr === p.addr &&
        (other.length === 0 ||
          p.length === 0 ||
          (other.length === p.length && (other.wildcard || p.wildcard || other.datamatch === p.datamatch))),
    );
  },
);

/** ioeventfd_bus_from_flags() */
const busOf = ({ flags }: KvmIoeventfd): KvmBus => (flags & KVM_IOEVENTFD_FLAG_PIO ? 'KVM_PIO_BUS' : 'KVM_MMIO_BUS');

const kvm_assign_ioeventfd_idx = fn(
  'Puts an ioeventfd on a bus.',
  function* kvm_assign_ioeventfd_idx(kvm: Kvm, bus_idx: KvmBus, args: KvmIoeventfd) {
    const eventfd = yield* eventfd_ctx_fdget(args.fd);
    const p: IoEventfd = Object.assign(IoEventfdCells(`${bus_idx} 0x${args.addr.toString(16)}`), {
      kvm,
      bus_idx,
      dev: kvm_iodevice_init(ioeventfd_ops, () => p),
    });
    p.addr = args.addr;
    p.length = args.len;
    p.eventfd = eventfd;
    if (args.flags & KVM_IOEVENTFD_FLAG_DATAMATCH) p.datamatch = args.datamatch ?? 0;
    else p.wildcard = true;
    const ret = (yield* ioeventfd_check_collision(kvm, p))
      ? -EEXIST
      : yield* kvm_io_bus_register_dev(kvm, bus_idx, p.addr, p.length, p.dev);
    if (ret < 0) {
      yield* eventfd_ctx_put(eventfd);
      return ret;
    }
    atCall('list_add_tail');
    kvm.ioeventfds.push(p);
    return 0;
  },
);

const kvm_deassign_ioeventfd_idx = fn(
  'Takes an ioeventfd off a bus: all that was given when it was assigned must be given again.',
  function* kvm_deassign_ioeventfd_idx(kvm: Kvm, bus_idx: KvmBus, args: KvmIoeventfd) {
    const eventfd = yield* eventfd_ctx_fdget(args.fd);
    const wildcard = !(args.flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
    at('ioeventfds');
    const p = kvm.ioeventfds.find(
      (one) =>
        one.bus_idx === bus_idx &&
        one.eventfd === eventfd &&
        one.addr === args.addr &&
        one.length === args.len &&
        one.wildcard === wildcard &&
        (wildcard || one.datamatch === args.datamatch),
    );
    if (p !== undefined) {
      yield* kvm_io_bus_unregister_dev(kvm, bus_idx, p.dev);
      if (!since('linux', '6.4')) yield* ioeventfd_release(p);
    }
    yield* eventfd_ctx_put(eventfd);
    return p === undefined ? -ENOENT : 0;
  },
);

const kvm_deassign_ioeventfd = fn(
  'Takes an ioeventfd back, from both buses if it was on both.',
  function* kvm_deassign_ioeventfd(kvm: Kvm, args: KvmIoeventfd) {
    const bus_idx = busOf(args);
    const ret = yield* kvm_deassign_ioeventfd_idx(kvm, bus_idx, args);
    if (args.len === 0 && bus_idx === 'KVM_MMIO_BUS') {
      behind('kvm_deassign_ioeventfd_idx');
      yield* kvm_deassign_ioeventfd_idx(kvm, 'KVM_FAST_MMIO_BUS', args);
    }
    return ret;
  },
);

const kvm_assign_ioeventfd = fn(
  'Checks and puts an ioeventfd on its bus. One that takes any width of MMIO goes on a second bus as well, which is asked before the instruction is even decoded.',
  function* kvm_assign_ioeventfd(kvm: Kvm, args: KvmIoeventfd) {
    const { len, flags } = args;
    const bus_idx = busOf(args);
    at('len');
    if (![0, 1, 2, 4, 8].includes(len)) return -EINVAL;
    if (flags & ~KVM_IOEVENTFD_VALID_FLAG_MASK) return -EINVAL;
    if (len === 0 && flags & KVM_IOEVENTFD_FLAG_DATAMATCH) return -EINVAL;
    const ret = yield* kvm_assign_ioeventfd_idx(kvm, bus_idx, args);
    if (ret !== 0 || len !== 0 || bus_idx !== 'KVM_MMIO_BUS') return ret;
    behind('kvm_assign_ioeventfd_idx');
    return yield* kvm_assign_ioeventfd_idx(kvm, 'KVM_FAST_MMIO_BUS', args);
  },
);

export const kvm_ioeventfd = fn(
  'KVM_IOEVENTFD: connects a port or an address to an eventfd, or takes it off.',
  function* kvm_ioeventfd(kvm: Kvm, args: KvmIoeventfd) {
    at('flags');
    return args.flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? yield* kvm_deassign_ioeventfd(kvm, args) : yield* kvm_assign_ioeventfd(kvm, args);
  },
);
