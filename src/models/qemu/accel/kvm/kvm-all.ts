import { interrupting, source, through } from '../../../../engine/fn';
import { acquire, release } from '../../../../engine/mutex';
import { at, atCall, behind, causedBy, preempt } from '../../../../engine/steps';
import {
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
} from '../../../linux/virt/kvm/eventfd';
import { kvm_vcpu_fops, kvm_vm_fops, type KvmVcpuIoctl, type KvmVmIoctl } from '../../../linux/virt/kvm/kvm_main';
import {
  KVM_EXIT_IO,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_MMIO,
  KVM_EXIT_UNKNOWN,
  type KvmIrqRoutingEntry,
  type KvmRunIo,
} from '../../../linux/virt/kvm/kvm_types';
import { ESRCH } from '../../../linux/errno';
import { pci_get_msi_message } from '../../hw/pci/pci';
import type { MSIMessage } from '../../include/hw/pci/msi';
import type { PCIDevice } from '../../include/hw/pci/pci';
import type { KVMRouteChange } from '../../include/sysemu/kvm';
import type { MemoryRegion, MemoryRegionIoeventfd } from '../../include/exec/memory';
import type { KVMMemoryListener, KVMSlot, KVMState } from '../../include/sysemu/kvm_int';
import type { X86CPU } from '../../include/hw/core/cpu';
import {
  kvm_arch_fixup_msi_route,
  kvm_arch_handle_exit,
  kvm_arch_post_run,
  kvm_arch_pre_run,
  kvm_arch_process_async_events,
} from '../../target/i386/kvm/kvm';
import type { Process } from '../../machine';
import { address_space_rw } from '../../softmmu/physmem';
import { event_notifier_set, event_notifier_get_fd, type EventNotifier } from '../../util/event_notifier-posix';

/** QEMU's side of KVM: interrupts, memory slots, running a virtual CPU. */

const EXCP_INTERRUPT = 0x10000;
const EXCP_HLT = 0x10001;

const { fn, ops } = source('qemu', 'accel/kvm/kvm-all.c');

export const kvm_vm_ioctl = fn('An ioctl on the virtual machine.', function* kvm_vm_ioctl(s: KVMState, ioctl: KvmVmIoctl) {
  const ret = yield* through('ioctl', 'ioctl', kvm_vm_fops.unlocked_ioctl)(s.vmfd, ioctl);
  yield* preempt();
  return ret;
});

export const kvm_vcpu_ioctl = fn('An ioctl on a virtual CPU.', function* kvm_vcpu_ioctl({ kvm }: X86CPU, ioctl: KvmVcpuIoctl) {
  return yield* through('ioctl', 'ioctl', kvm_vcpu_fops.unlocked_ioctl)(kvm!, ioctl);
});

const kvm_set_user_memory_region = fn(
  'Tells KVM about a memory slot; with size 0 it is removed.',
  function* kvm_set_user_memory_region(kml: KVMMemoryListener, slot: KVMSlot) {
    return yield* kvm_vm_ioctl(kml.s, { cmd: 'KVM_SET_USER_MEMORY_REGION', slot: slot.slot, memory_size: slot.memory_size });
  },
);

const kvm_set_phys_mem = fn(
  'Gives a range of memory to KVM as a slot or takes it back. What is not memory needs no slot: without one, every access exits.',
  function* kvm_set_phys_mem(kml: KVMMemoryListener, section: MemoryRegion, add: boolean) {
    atCall('memory_region_is_ram');
    if (!section.ram) return;
    if (!add) {
      atCall('kvm_lookup_matching_slot');
      const mem = kml.slots.find(({ start_addr, memory_size }) => start_addr === section.addr && memory_size === section.size);
      if (mem === undefined) return;
      mem.memory_size = 0;
      yield* kvm_set_user_memory_region(kml, mem);
      return;
    }
    const mem = kml.slots.find(({ memory_size }) => memory_size === 0);
    if (mem === undefined) throw new Error('no free memory slot: the region was added twice');
    atCall('kvm_alloc_slot');
    mem.memory_size = section.size;
    mem.start_addr = section.addr;
    behind('kvm_set_user_memory_region');
    yield* kvm_set_user_memory_region(kml, mem);
  },
);

const kvm_region_add = fn(
  'A range has come into the guest’s memory map.',
  function* kvm_region_add(kml: KVMMemoryListener, section: MemoryRegion) {
    yield* kvm_set_phys_mem(kml, section, true);
  },
);

const kvm_region_del = fn(
  'A range has gone from the guest’s memory map.',
  function* kvm_region_del(kml: KVMMemoryListener, section: MemoryRegion) {
    yield* kvm_set_phys_mem(kml, section, false);
  },
);

const kvm_set_ioeventfd_mmio = fn(
  'Has KVM signal an eventfd when the guest writes to an address, or stops that. Size 0 means any width, and that KVM need not even decode the instruction.',
  function* kvm_set_ioeventfd_mmio(s: KVMState, { addr, size, match_data, data, e }: MemoryRegionIoeventfd, assign: boolean) {
    const flags = (match_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) | (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN);
    return yield* kvm_vm_ioctl(s, {
      cmd: 'KVM_IOEVENTFD',
      fd: event_notifier_get_fd(e),
      addr,
      len: size,
      flags,
      datamatch: match_data ? data : 0,
    });
  },
);

const kvm_set_ioeventfd_pio = fn(
  'Has KVM signal an eventfd when the guest writes to a port, or stops that. Queues that share a port are told apart by the value.',
  function* kvm_set_ioeventfd_pio(s: KVMState, { addr, size, match_data, data, e }: MemoryRegionIoeventfd, assign: boolean) {
    const flags = KVM_IOEVENTFD_FLAG_PIO | (match_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) | (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN);
    return yield* kvm_vm_ioctl(s, {
      cmd: 'KVM_IOEVENTFD',
      fd: event_notifier_get_fd(e),
      addr,
      len: size,
      flags,
      datamatch: match_data ? data : 0,
    });
  },
);

const kvm_mem_ioeventfd_add = fn(
  'An ioeventfd has come into the guest’s memory map.',
  function* kvm_mem_ioeventfd_add(s: KVMState, fd: MemoryRegionIoeventfd) {
    yield* kvm_set_ioeventfd_mmio(s, fd, true);
  },
);

const kvm_mem_ioeventfd_del = fn(
  'An ioeventfd has gone from the guest’s memory map.',
  function* kvm_mem_ioeventfd_del(s: KVMState, fd: MemoryRegionIoeventfd) {
    yield* kvm_set_ioeventfd_mmio(s, fd, false);
  },
);

const kvm_io_ioeventfd_add = fn(
  'An ioeventfd has come into the guest’s I/O ports.',
  function* kvm_io_ioeventfd_add(s: KVMState, fd: MemoryRegionIoeventfd) {
    yield* kvm_set_ioeventfd_pio(s, fd, true);
  },
);

const kvm_io_ioeventfd_del = fn(
  'An ioeventfd has gone from the guest’s I/O ports.',
  function* kvm_io_ioeventfd_del(s: KVMState, fd: MemoryRegionIoeventfd) {
    yield* kvm_set_ioeventfd_pio(s, fd, false);
  },
);

/** What kvm_init() stores in the listener of the guest’s memory. */
export const kvm_init = ops('kvm_init', { eventfd_add: kvm_mem_ioeventfd_add, eventfd_del: kvm_mem_ioeventfd_del });
/** The listener of the guest’s I/O ports. */
export const kvm_io_listener = ops('kvm_io_listener', { eventfd_add: kvm_io_ioeventfd_add, eventfd_del: kvm_io_ioeventfd_del });

/** What kvm_memory_listener_register() stores in the listener. */
export const kvm_memory_listener_register = ops('kvm_memory_listener_register', { region_add: kvm_region_add, region_del: kvm_region_del });

export const kvm_set_irq = fn(
  'Sets the level of a GSI in the kernel’s interrupt chips. The line stays there until the next call.',
  function* kvm_set_irq(s: KVMState, irq: number, level: 0 | 1) {
    return yield* kvm_vm_ioctl(s, { cmd: 'KVM_IRQ_LINE_STATUS', irq, level });
  },
);

const kvm_add_routing_entry = fn(
  'Notes an entry of the routing table. The kernel hears of it when the table is committed.',
  function* kvm_add_routing_entry(s: KVMState, entry: KvmIrqRoutingEntry) {
    at('irq_routes');
    s.irq_routes.push(entry);
  },
);

export const kvm_irqchip_add_irq_route = fn(
  'Routes a GSI to a pin of one of the kernel’s chips.',
  function* kvm_irqchip_add_irq_route(s: KVMState, irq: number, irqchip: number, pin: number) {
    yield* kvm_add_routing_entry(s, { gsi: irq, type: 'KVM_IRQ_ROUTING_IRQCHIP', irqchip: { irqchip, pin } });
  },
);

export const kvm_irqchip_commit_routes = fn(
  'Gives the kernel the whole routing table, in place of the one it has.',
  function* kvm_irqchip_commit_routes(s: KVMState) {
    yield* kvm_vm_ioctl(s, { cmd: 'KVM_SET_GSI_ROUTING', entries: [...s.irq_routes] });
  },
);

const kvm_update_routing_entry = fn(
  'Exchanges the entry of a GSI, if it is another one.',
  function* kvm_update_routing_entry(s: KVMState, new_entry: KvmIrqRoutingEntry) {
    const n = s.irq_routes.findIndex(({ gsi }) => gsi === new_entry.gsi);
    at('entry');
    if (n < 0) return -ESRCH;
    s.irq_routes[n] = new_entry;
    return 0;
  },
);

export const kvm_irqchip_release_virq = fn(
  'Gives a GSI back that was a message’s. The kernel’s table keeps the entry until the next commit.',
  function* kvm_irqchip_release_virq(s: KVMState, virq: number) {
    at('irq_routes');
    const n = s.irq_routes.findIndex(({ gsi }) => gsi === virq);
    if (n >= 0) s.irq_routes.splice(n, 1);
    atCall('kvm_arch_release_virq_post');
  },
);

const kvm_irqchip_get_virq = fn(
  'The lowest GSI that nothing is routed to. On a PC that is 2 first: the timer’s interrupt was moved away from there.',
  function* kvm_irqchip_get_virq(s: KVMState) {
    const used = new Set(s.irq_routes.map(({ gsi }) => gsi));
    let next_virq = 0;
    while (used.has(next_virq)) next_virq++;
    atCall('find_first_zero_bit');
    return next_virq;
  },
);

export const kvm_irqchip_send_msi = fn(
  'Sends a message through the kernel, without a GSI.',
  function* kvm_irqchip_send_msi(s: KVMState, msg: MSIMessage) {
    at('kvm_direct_msi_allowed');
    return yield* kvm_vm_ioctl(s, { cmd: 'KVM_SIGNAL_MSI', address_lo: msg.address, address_hi: 0, data: msg.data });
  },
);

export const kvm_irqchip_add_msi_route = fn(
  'Routes a new GSI to a device’s message: an irqfd needs a GSI, and a message has none. Returns it.',
  function* kvm_irqchip_add_msi_route(c: KVMRouteChange, vector: number, dev: PCIDevice) {
    const msg = yield* pci_get_msi_message(dev, vector);
    const virq = yield* kvm_irqchip_get_virq(c.s);
    const msi = yield* kvm_arch_fixup_msi_route({ address_lo: msg.address, address_hi: 0, data: msg.data });
    yield* kvm_add_routing_entry(c.s, { gsi: virq, type: 'KVM_IRQ_ROUTING_MSI', msi });
    atCall('kvm_arch_add_msi_route_post');
    c.changes++;
    return virq;
  },
);

export const kvm_irqchip_update_msi_route = fn(
  'The guest has changed a message: the GSI’s entry follows, at the next commit.',
  function* kvm_irqchip_update_msi_route(s: KVMState, virq: number, msg: MSIMessage) {
    const msi = yield* kvm_arch_fixup_msi_route({ address_lo: msg.address, address_hi: 0, data: msg.data });
    return yield* kvm_update_routing_entry(s, { gsi: virq, type: 'KVM_IRQ_ROUTING_MSI', msi });
  },
);

const kvm_resample_fd_insert = fn(
  'With the I/O APIC in QEMU, KVM does not see the end of the interrupt: QEMU keeps the resample eventfd itself.',
  function* kvm_resample_fd_insert(s: KVMState, gsi: number, resample_event: EventNotifier) {
    atCall('QLIST_INSERT_HEAD');
    s.kvm_resample_fd_list.unshift({ gsi, resample_event });
  },
);

const kvm_resample_fd_remove = fn('Forgets the resample eventfd of a GSI.', function* kvm_resample_fd_remove(s: KVMState, gsi: number) {
  atCall('QLIST_REMOVE');
  const found = s.kvm_resample_fd_list.findIndex((rfd) => rfd.gsi === gsi);
  if (found !== -1) s.kvm_resample_fd_list.splice(found, 1);
});

export const kvm_resample_fd_notify = fn(
  'The guest has ended an interrupt of QEMU’s I/O APIC: signals the resample eventfd of its pin, if there is one.',
  function* kvm_resample_fd_notify(s: KVMState, gsi: number) {
    at('gsi');
    const rfd = s.kvm_resample_fd_list.find((each) => each.gsi === gsi);
    if (rfd !== undefined) yield* event_notifier_set(rfd.resample_event);
  },
);

const kvm_irqchip_assign_irqfd = fn(
  'Connects an eventfd to a GSI, or disconnects it. With a resample eventfd KVM holds the line until the guest’s end of interrupt and then signals that one.',
  function* kvm_irqchip_assign_irqfd(
    s: KVMState,
    event: EventNotifier,
    resample: EventNotifier | undefined,
    virq: number,
    assign: boolean,
  ) {
    const fd = event_notifier_get_fd(event);
    const split = s.kernel_irqchip === 'split';
    if (split && resample !== undefined) yield* kvm_resample_fd_insert(s, virq, resample);
    if (split && !assign) yield* kvm_resample_fd_remove(s, virq);
    if (split || resample === undefined)
      return yield* kvm_vm_ioctl(s, { cmd: 'KVM_IRQFD', fd, gsi: virq, flags: assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN });
    at('KVM_IRQFD_FLAG_RESAMPLE');
    return yield* kvm_vm_ioctl(s, {
      cmd: 'KVM_IRQFD',
      fd,
      gsi: virq,
      flags: KVM_IRQFD_FLAG_RESAMPLE,
      resamplefd: event_notifier_get_fd(resample),
    });
  },
);

export const kvm_irqchip_add_irqfd_notifier_gsi = fn(
  'Connects an eventfd to a GSI.',
  function* kvm_irqchip_add_irqfd_notifier_gsi(s: KVMState, n: EventNotifier, rn: EventNotifier | undefined, virq: number) {
    return yield* kvm_irqchip_assign_irqfd(s, n, rn, virq, true);
  },
);

export const kvm_irqchip_remove_irqfd_notifier_gsi = fn(
  'Disconnects an eventfd from a GSI.',
  function* kvm_irqchip_remove_irqfd_notifier_gsi(s: KVMState, n: EventNotifier, virq: number) {
    return yield* kvm_irqchip_assign_irqfd(s, n, undefined, virq, false);
  },
);

const kvm_handle_io = fn(
  'A port access that no device in the kernel took: carries it out in the I/O address space.',
  function* kvm_handle_io(q: Process, io: KvmRunIo) {
    yield* address_space_rw(q, q.address_space_io, io.port, io, io.size, io.direction === KVM_EXIT_IO_OUT);
  },
);

const kvm_cpu_kick = fn('Tells KVM_RUN to come back at once, if it has not even begun.', function* kvm_cpu_kick({ kvm }: X86CPU) {
  atCall('qatomic_set');
  kvm!['run.immediate_exit'] = true;
});

const kvm_ipi_signal = fn(
  'The signal’s handler, on the CPU’s own thread: a KVM_RUN that begins only now must not go into the guest.',
  function* kvm_ipi_signal(cpu: X86CPU) {
    yield* kvm_cpu_kick(cpu);
  },
);

const kvm_eat_signals = fn('The thread has been woken, and looks: the kick has done its work.', function* kvm_eat_signals({ kvm }: X86CPU) {
  atCall('qatomic_set');
  kvm!['run.immediate_exit'] = false;
});

/** Where user space runs again, the kernel delivers a signal that waits for the thread. */
function* take_signal(cpu: X86CPU) {
  if (!cpu.kvm!.TIF_SIGPENDING) return;
  atCall('kvm_vcpu_ioctl', 'a signal has come');
  cpu.kvm!.TIF_SIGPENDING = false;
  causedBy(cpu.kvm!.signalledAt);
  yield* interrupting(kvm_ipi_signal)(cpu);
}

export const kvm_cpu_exec = fn(
  'Runs the guest until something else needs this thread. The BQL is not held here, neither in the guest nor while an exit is handled, except where a device is called.',
  function* kvm_cpu_exec(q: Process, cpu: X86CPU) {
    if (yield* kvm_arch_process_async_events(cpu)) return EXCP_HLT;
    release(q.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    let ret = 0;
    while (ret === 0) {
      yield* preempt();
      yield* kvm_arch_pre_run(cpu);
      yield* take_signal(cpu);
      const run_ret = yield* kvm_vcpu_ioctl(cpu, { cmd: 'KVM_RUN' });
      yield* take_signal(cpu);
      yield* kvm_arch_post_run(cpu);
      if (run_ret < 0) {
        yield* kvm_eat_signals(cpu);
        ret = EXCP_INTERRUPT;
      } else ret = yield* handle_exit(q, cpu);
    }
    behind('kvm_arch_handle_exit');
    yield* acquire(q.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    return ret;
  },
);

/** The switch of kvm_cpu_exec(): 0 goes back into the guest, a negative result stops the machine. */
function* handle_exit(q: Process, cpu: X86CPU) {
  const { run } = cpu.kvm!;
  at('exit_reason');
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      yield* preempt();
      yield* kvm_handle_io(q, run.io);
      return 0;
    case KVM_EXIT_MMIO: {
      yield* preempt();
      const { mmio } = run;
      yield* address_space_rw(q, q.address_space_memory, mmio.phys_addr, mmio, mmio.len, mmio.is_write);
      return 0;
    }
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      at('KVM_EXIT_IRQ_WINDOW_OPEN', 'the guest can take an interrupt now');
      return EXCP_INTERRUPT;
    case KVM_EXIT_UNKNOWN:
      return -1;
    default:
      return yield* kvm_arch_handle_exit(cpu);
  }
}
