import { architecturally, boundPointer, source, through, via } from '../../../../engine/fn';
import { NO_STEP } from '../../../../engine/journal';
import { running } from '../../../../engine/running';
import { at, atCall, behind, causedBy, until } from '../../../../engine/steps';
import { since } from '../../../version';
import { kvm_apic_eoi } from '../../arch/x86/kernel/kvm';
import { kvm_pic, type PicProgramming } from '../../arch/x86/kvm/i8259';
import { IOAPIC_MEM_LENGTH, kvm_ioapic } from '../../arch/x86/kvm/ioapic';
import { default_routing, kvm_arch_can_set_irq_routing } from '../../arch/x86/kvm/irq_comm';
import { kvm_cpu_has_pending_timer } from '../../arch/x86/kvm/irq';
import {
  kvm_arch_vcpu_load,
  kvm_arch_vcpu_put,
  check_request,
  kvm_arch_vcpu_ioctl,
  kvm_arch_memslots_updated,
  kvm_arch_vcpu_ioctl_run,
  kvm_arch_vcpu_runnable,
  kvm_vm_ioctl_irq_line,
  type KvmIrqLevel,
  type KvmX86Ops,
} from '../../arch/x86/kvm/x86';
import { EINTR, EINVAL, EOPNOTSUPP } from '../../errno';
import type { HostLapic } from '../../../hardware/host_lapic';
import { interrupt_cpu, isX2apic, virt_cpu, type LapicMode } from '../../../hardware/virt_cpu';
import { buildApicMap } from '../../arch/x86/kvm/apic_map';
import { kvm_lapic, type ApicSetup } from '../../arch/x86/kvm/lapic_state';
import { APIC_DEFAULT_PHYS_BASE, MSR_IA32_APICBASE_BSP, MSR_IA32_APICBASE_ENABLE, X2APIC_ENABLE } from '../../arch/x86/include/asm/apicdef';
import type { EventfdCtx } from '../../fs/eventfd';
import { file } from '../../fs/file_table';
import { kvm_iodevice_read, kvm_iodevice_write, type IoBuffer, type KvmIoDevice } from '../../include/kvm/iodev';
import { rcuwait_wake_up } from '../../kernel/exit';
import { srcu_struct, synchronize_srcu_expedited } from '../../kernel/rcu/srcutree';
import { alloc_workqueue, type WorkqueueStruct } from '../../kernel/workqueue';
import type { KvmDevice, KvmDeviceAttr, KvmDeviceFile, KvmDeviceOps } from './kvm_device';
import { kvm_vfio, kvm_vfio_ops } from './vfio';
import { kvm_ioeventfd, kvm_irqfd, type KvmIoeventfd } from './eventfd';
import { irq_routing_table, kvm_send_userspace_msi, kvm_set_irq_routing } from './irqchip';
import {
  kvm_assignment,
  EXITING_GUEST_MODE,
  IN_GUEST_MODE,
  KVM_EXIT_IO_IN,
  kvm_vcpu_cells,
  KVM_IRQCHIP_NUM_PINS,
  type Kvm,
  type KvmBus,
  type KvmIoRange,
  type KvmIrqchipMode,
  type KvmIrqRoutingEntry,
  type KvmMemorySlot,
  type KvmMsi,
  type KvmVcpu,
} from './kvm_types';

export type { Kvm, KvmVcpu } from './kvm_types';

/** The ioctls of a virtual machine that the models speak. */
export type KvmVmIoctl =
  | {
      readonly cmd: 'KVM_IRQFD';
      readonly fd: EventfdCtx;
      readonly gsi: number;
      readonly flags: number;
      readonly resamplefd?: EventfdCtx | undefined;
    }
  | ({ readonly cmd: 'KVM_IRQ_LINE' | 'KVM_IRQ_LINE_STATUS' } & KvmIrqLevel)
  | ({ readonly cmd: 'KVM_IOEVENTFD' } & KvmIoeventfd)
  | ({ readonly cmd: 'KVM_SIGNAL_MSI' } & KvmMsi)
  | { readonly cmd: 'KVM_CREATE_DEVICE'; readonly cd: { fd: KvmDeviceFile | undefined } }
  | { readonly cmd: 'KVM_SET_GSI_ROUTING'; readonly entries: readonly KvmIrqRoutingEntry[] }
  | { readonly cmd: 'KVM_SET_USER_MEMORY_REGION'; readonly slot: number; readonly memory_size: number };

const PAGE_SIZE = 0x1000;

const { fn, ops } = source('linux', 'virt/kvm/kvm_main.c');

export const kvm_vcpu_wake_up = fn(
  'Wakes the thread of a vCPU whose guest has halted. Says whether there was one to wake.',
  function* kvm_vcpu_wake_up(vcpu: KvmVcpu) {
    return yield* via('__kvm_vcpu_wake_up', rcuwait_wake_up)(vcpu);
  },
);

export const kvm_vcpu_kick = fn(
  'Makes a vCPU look at its requests: wakes it if it sleeps, or sends its CPU an interrupt if the guest is running there, which causes an exit.',
  function* kvm_vcpu_kick(vcpu: KvmVcpu) {
    if (yield* kvm_vcpu_wake_up(vcpu)) return;
    if (vcpu.thread === running().currentThread) {
      at('kvm_running_vcpu', 'Its own thread asks: it will look before it enters the guest again.');
      if (vcpu.mode === IN_GUEST_MODE) vcpu.mode = EXITING_GUEST_MODE;
      return;
    }
    atCall('kvm_arch_vcpu_should_kick');
    if (vcpu.mode !== IN_GUEST_MODE) return;
    vcpu.mode = EXITING_GUEST_MODE;
    yield* interrupt_cpu(vcpu.cpu);
  },
);

const kvm_vcpu_check_block = fn('Whether there is a reason not to sleep: -EINTR.', function* kvm_vcpu_check_block(vcpu: KvmVcpu) {
  if (yield* kvm_arch_vcpu_runnable(vcpu)) return -EINTR;
  if ((yield* kvm_cpu_has_pending_timer(vcpu)) > 0) return -EINTR;
  return check_request(vcpu, 'KVM_REQ_UNBLOCK') ? -EINTR : 0;
});

export const kvm_sched_out = fn(
  'The scheduler takes the CPU from the vCPU’s thread: because it sleeps, or because another one is more urgent.',
  function* kvm_sched_out(vcpu: KvmVcpu, preempted: boolean) {
    if (preempted) {
      atCall('WRITE_ONCE');
      vcpu.preempted = true;
    }
    yield* kvm_arch_vcpu_put(vcpu);
  },
);

export const kvm_sched_in = fn('The vCPU’s thread has a CPU again.', function* kvm_sched_in(vcpu: KvmVcpu) {
  if (vcpu.preempted) {
    atCall('WRITE_ONCE');
    vcpu.preempted = false;
  }
  yield* kvm_arch_vcpu_load(vcpu);
});

export const kvm_vcpu_block = fn(
  'Sleeps until there is a reason to run. It says first that it is going to, and looks then: whoever comes in between sees a sleeper and wakes it.',
  function* kvm_vcpu_block(vcpu: KvmVcpu) {
    let waited = false;
    atCall('prepare_to_rcuwait');
    vcpu['wait.task'] = true;
    for (;;) {
      vcpu.wokenAt = NO_STEP;
      behind('prepare_to_rcuwait');
      if ((yield* kvm_vcpu_check_block(vcpu)) < 0) break;
      waited = true;
      atCall('schedule');
      yield* architecturally('function pointer', kvm_sched_out)(vcpu, false);
      yield* until(() => vcpu.wokenAt !== NO_STEP);
      causedBy(vcpu.wokenAt);
      yield* architecturally('function pointer', kvm_sched_in)(vcpu);
    }
    atCall('finish_rcuwait');
    vcpu['wait.task'] = false;
    return waited;
  },
);

export const kvm_vcpu_halt = fn(
  'The guest has nothing to do: polls a little for something to come (not here), then sleeps.',
  function* kvm_vcpu_halt(vcpu: KvmVcpu) {
    yield* kvm_vcpu_block(vcpu);
  },
);

const kvm_swap_active_memslots = fn(
  'Puts the changed set of slots in place of the active one, and waits until nobody looks into the old one any more.',
  function* kvm_swap_active_memslots(kvm: Kvm) {
    atCall('rcu_assign_pointer');
    yield* synchronize_srcu_expedited(kvm.srcu);
    yield* kvm_arch_memslots_updated(kvm);
  },
);

const kvm_activate_memslot = fn('Makes a change of the slots effective.', function* kvm_activate_memslot(kvm: Kvm) {
  yield* kvm_swap_active_memslots(kvm);
});

const kvm_create_memslot = fn('Adds a slot.', function* kvm_create_memslot(kvm: Kvm) {
  yield* kvm_activate_memslot(kvm);
});

const kvm_delete_memslot = fn('Removes a slot that has been invalid already.', function* kvm_delete_memslot(kvm: Kvm) {
  yield* kvm_activate_memslot(kvm);
});

const kvm_invalidate_memslot = fn(
  'Before a slot goes, nobody may map from it any more: first everybody sees it as invalid, then what is mapped is zapped. From here on the guest’s accesses exit.',
  function* kvm_invalidate_memslot(kvm: Kvm, memslot: KvmMemorySlot) {
    yield* kvm_swap_active_memslots(kvm);
    atCall('kvm_arch_flush_shadow_memslot');
    memslot.npages = 0;
  },
);

const kvm_set_memslot = fn(
  'Carries out a change of one slot.',
  function* kvm_set_memslot(kvm: Kvm, memslot: KvmMemorySlot, change: 'KVM_MR_CREATE' | 'KVM_MR_DELETE') {
    if (change === 'KVM_MR_CREATE') {
      yield* kvm_create_memslot(kvm);
    } else {
      yield* kvm_invalidate_memslot(kvm, memslot);
      yield* kvm_delete_memslot(kvm);
    }
    return 0;
  },
);

const __kvm_set_memory_region = fn(
  'Checks a change of the guest’s memory, and finds out what kind it is.',
  function* __kvm_set_memory_region(kvm: Kvm, slot: number, memory_size: number) {
    const memslot = kvm.memslots.get(slot);
    at('KVM_MEM_SLOTS_NUM');
    if (memslot === undefined) return -EINVAL;
    if (memory_size === 0) return memslot.npages === 0 ? -EINVAL : yield* kvm_set_memslot(kvm, memslot, 'KVM_MR_DELETE');
    memslot.npages = memory_size / PAGE_SIZE;
    behind('kvm_set_memslot');
    return yield* kvm_set_memslot(kvm, memslot, 'KVM_MR_CREATE');
  },
);

const kvm_set_memory_region = fn(
  'Changes the guest’s memory, one change at a time.',
  function* kvm_set_memory_region(kvm: Kvm, slot: number, memory_size: number) {
    atCall('mutex_lock');
    return yield* __kvm_set_memory_region(kvm, slot, memory_size);
  },
);

const kvm_vm_ioctl_set_memory_region = fn(
  'KVM_SET_USER_MEMORY_REGION: maps memory into the guest, or with size 0 takes it out. What is out causes an exit at every access.',
  function* kvm_vm_ioctl_set_memory_region(kvm: Kvm, slot: number, memory_size: number) {
    return yield* kvm_set_memory_region(kvm, slot, memory_size);
  },
);

const kvm_device_release = fn('The file of a device is closed.', function* kvm_device_release({ dev }: KvmDeviceFile) {
  const { devices } = dev.kvm;
  atCall(since('linux', '6.12') ? 'list_del_rcu' : 'list_del');
  devices.splice(devices.indexOf(dev), 1);
  behind('release');
  yield* through('function pointer', 'release', dev.ops.release)(dev);
  atCall('kvm_put_kvm');
});

const kvm_device_ioctl_attr = fn(
  'Hands an attribute to the device.',
  function* kvm_device_ioctl_attr(dev: KvmDevice, accessor: KvmDeviceOps['set_attr'], attr: KvmDeviceAttr) {
    return yield* through('function pointer', 'accessor', accessor)(dev, attr);
  },
);

const kvm_device_ioctl = fn('An ioctl on a device of KVM’s.', function* kvm_device_ioctl({ dev }: KvmDeviceFile, attr: KvmDeviceAttr) {
  at('KVM_SET_DEVICE_ATTR');
  return yield* kvm_device_ioctl_attr(dev, dev.ops.set_attr, attr);
});

const device_release = ops('kvm_device_fops', { release: kvm_device_release });
export const kvm_device_fops = ops('kvm_device_fops', { unlocked_ioctl: kvm_device_ioctl });

const kvm_ioctl_create_device = fn(
  'KVM_CREATE_DEVICE: makes a device of KVM’s own. The only kind that is modelled is the one for VFIO.',
  function* kvm_ioctl_create_device(kvm: Kvm, cd: { fd: KvmDeviceFile | undefined }) {
    atCall('kzalloc');
    const dev: KvmDevice = { ops: kvm_vfio_ops, kvm, private: kvm_vfio() };
    const ret = yield* through('function pointer', 'create', dev.ops.create)(dev);
    if (ret < 0) return ret;
    kvm.devices.push(dev);
    atCall('anon_inode_getfd');
    const opened: KvmDeviceFile = Object.assign(
      file(
        'kvm-vfio',
        boundPointer(device_release.release, () => opened),
      ),
      { dev },
    );
    cd.fd = opened;
    return 0;
  },
);

const kvm_vm_ioctl = fn('Dispatches the ioctls of a virtual machine.', function* kvm_vm_ioctl(kvm: Kvm, ioctl: KvmVmIoctl) {
  switch (ioctl.cmd) {
    case 'KVM_IRQFD':
      return yield* kvm_irqfd(kvm, ioctl);
    case 'KVM_IRQ_LINE':
    case 'KVM_IRQ_LINE_STATUS':
      return yield* kvm_vm_ioctl_irq_line(kvm, ioctl, ioctl.cmd === 'KVM_IRQ_LINE_STATUS');
    case 'KVM_IOEVENTFD':
      return yield* kvm_ioeventfd(kvm, ioctl);
    case 'KVM_SIGNAL_MSI':
      return yield* kvm_send_userspace_msi(kvm, ioctl);
    case 'KVM_SET_GSI_ROUTING':
      if (!(yield* kvm_arch_can_set_irq_routing(kvm))) return -EINVAL;
      return yield* kvm_set_irq_routing(kvm, ioctl.entries);
    case 'KVM_CREATE_DEVICE':
      return yield* kvm_ioctl_create_device(kvm, ioctl.cd);
    case 'KVM_SET_USER_MEMORY_REGION':
      return yield* kvm_vm_ioctl_set_memory_region(kvm, ioctl.slot, ioctl.memory_size);
  }
});

/** The ioctls of a virtual CPU that the models speak. */
export type KvmVcpuIoctl = { readonly cmd: 'KVM_RUN' } | { readonly cmd: 'KVM_INTERRUPT'; readonly irq: number };

const kvm_vcpu_ioctl = fn(
  'Dispatches the ioctls of a virtual CPU. Those that only one architecture has are left to that.',
  function* kvm_vcpu_ioctl(vcpu: KvmVcpu, ioctl: KvmVcpuIoctl) {
    if (ioctl.cmd !== 'KVM_RUN') return yield* kvm_arch_vcpu_ioctl(vcpu, ioctl);
    at('KVM_RUN');
    return yield* kvm_arch_vcpu_ioctl_run(vcpu);
  },
);

/** Whether an access lies within a device's range; kvm_io_bus_cmp() says 0. */
const covers = (range: KvmIoRange, addr: number, len: number): boolean =>
  addr >= range.addr && (range.len === 0 ? addr === range.addr : addr + len <= range.addr + range.len);

const __kvm_io_bus_write = fn(
  'Offers the write to every device whose range the access lies in, until one takes it.',
  function* __kvm_io_bus_write(vcpu: KvmVcpu, bus: readonly KvmIoRange[], addr: number, len: number, val: number) {
    at('kvm_io_bus_get_first_dev');
    for (const [idx, range] of bus.entries())
      if (covers(range, addr, len) && (yield* kvm_iodevice_write(vcpu, range.dev, addr, len, val)) === 0) return idx;
    return -EOPNOTSUPP;
  },
);

export const kvm_io_bus_write = fn(
  'A write to a bus of devices that live in the kernel. Negative if none of them takes it.',
  function* kvm_io_bus_write(vcpu: KvmVcpu, bus_idx: KvmBus, addr: number, len: number, val: number) {
    const r = yield* __kvm_io_bus_write(vcpu, vcpu.kvm.buses[bus_idx], addr, len, val);
    return Math.min(r, 0);
  },
);

const __kvm_io_bus_read = fn(
  'Offers the read to every device whose range the access lies in, until one takes it.',
  function* __kvm_io_bus_read(vcpu: KvmVcpu, bus: readonly KvmIoRange[], addr: number, len: number, val: IoBuffer) {
    at('kvm_io_bus_get_first_dev');
    for (const [idx, range] of bus.entries())
      if (covers(range, addr, len) && (yield* kvm_iodevice_read(vcpu, range.dev, addr, len, val)) === 0) return idx;
    return -EOPNOTSUPP;
  },
);

export const kvm_io_bus_read = fn(
  'A read from a bus of devices that live in the kernel. Negative if none of them takes it.',
  function* kvm_io_bus_read(vcpu: KvmVcpu, bus_idx: KvmBus, addr: number, len: number, val: IoBuffer) {
    const r = yield* __kvm_io_bus_read(vcpu, vcpu.kvm.buses[bus_idx], addr, len, val);
    return Math.min(r, 0);
  },
);

/** Puts a range on a bus, in the order of the addresses. */
function insertRange(bus: KvmIoRange[], { addr, len, dev }: KvmIoRange): void {
  const isBehind = (other: KvmIoRange): boolean =>
    other.addr >= addr && (len === 0 ? other.addr > addr : other.addr + other.len > addr + len);
  const index = bus.findIndex(isBehind);
  bus.splice(index < 0 ? bus.length : index, 0, { addr, len, dev });
}

export const kvm_io_bus_register_dev = fn(
  'Puts a device on a bus.',
  function* kvm_io_bus_register_dev(kvm: Kvm, bus_idx: KvmBus, addr: number, len: number, dev: KvmIoDevice) {
    atCall('rcu_assign_pointer');
    insertRange(kvm.buses[bus_idx], { addr, len, dev });
    return 0;
  },
);

const kvm_iodevice_destructor = fn(
  'A device has left its bus: frees it, if it can be freed.',
  function* kvm_iodevice_destructor(dev: KvmIoDevice) {
    if (dev.destructor !== undefined) yield* through('function pointer', 'destructor', dev.destructor)();
  },
);

export const kvm_io_bus_unregister_dev = fn(
  'Takes a device off a bus.',
  function* kvm_io_bus_unregister_dev(kvm: Kvm, bus_idx: KvmBus, dev: KvmIoDevice) {
    const bus = kvm.buses[bus_idx];
    const index = bus.findIndex((range) => range.dev === dev);
    atCall('rcu_assign_pointer');
    if (index < 0) return 0;
    bus.splice(index, 1);
    // Before, its owner freed it.
    if (since('linux', '6.4')) yield* kvm_iodevice_destructor(dev);
    return 0;
  },
);

/** What distinguishes one virtual machine from another when a run begins. */
export interface KvmVm {
  readonly system_wq: WorkqueueStruct;
  readonly irqfd_cleanup_wq: WorkqueueStruct;
  readonly x86_ops: KvmX86Ops;
  /** KVM_IRQCHIP_KERNEL unless given. */
  readonly irqchip_mode?: KvmIrqchipMode;
  /** Set by user space already; the table of KVM_CREATE_IRQCHIP unless given. */
  readonly routing?: readonly KvmIrqRoutingEntry[];
  readonly pic?: PicProgramming;
  readonly memslots?: Map<number, KvmMemorySlot>;
  /** KVM's module parameter; true unless given. */
  readonly vector_hashing?: boolean;
  /** Whether the IOMMU can post interrupts to a guest; false unless given. */
  readonly irq_posting_cap?: boolean;
}

const RCU_PRIORITY = 2;

/** Makes a virtual machine, without vCPUs, as user space has set it up before a run begins. */
export function kvm_vm({
  system_wq,
  irqfd_cleanup_wq,
  x86_ops,
  irqchip_mode = 'KVM_IRQCHIP_KERNEL',
  routing,
  pic,
  memslots,
  vector_hashing = true,
  irq_posting_cap = false,
}: KvmVm): Kvm {
  const inKernel = irqchip_mode === 'KVM_IRQCHIP_KERNEL';
  const rcu_gp_wq = alloc_workqueue('rcu_gp', 'rcu_gp', RCU_PRIORITY);
  const kvm: Kvm = {
    arch: {
      assignment: kvm_assignment('virtual machine'),
      irq_posting_cap,
      irqchip_mode,
      vioapic: undefined,
      vpic: undefined,
      nr_reserved_ioapic_pins: irqchip_mode === 'KVM_IRQCHIP_SPLIT' ? KVM_IRQCHIP_NUM_PINS : 0,
      x2apic_format: false,
      x2apic_broadcast_quirk_disabled: false,
      apic_map: undefined,
      apic_map_dirty: false,
      vector_hashing,
      disabled_lapic_found: false,
      vapics_in_nmi_mode: 0,
    },
    irq_routing: irq_routing_table(routing ?? (inKernel ? default_routing() : [])),
    srcu: srcu_struct('kvm.srcu', rcu_gp_wq),
    irq_srcu: srcu_struct('kvm.irq_srcu', rcu_gp_wq),
    irq_ack_notifier_list: [],
    irqfds: { items: [], resampler_list: [] },
    ioeventfds: [],
    buses: { KVM_MMIO_BUS: [], KVM_PIO_BUS: [], KVM_FAST_MMIO_BUS: [] },
    vcpus: [],
    memslots: memslots ?? new Map(),
    devices: [],
    system_wq,
    irqfd_cleanup_wq,
    x86_ops,
  };
  if (!inKernel) return kvm;
  const vpic = kvm_pic(kvm, pic);
  const vioapic = kvm_ioapic(kvm);
  Object.assign(kvm.arch, { vpic, vioapic });
  insertRange(kvm.buses.KVM_PIO_BUS, { addr: 0x20, len: 2, dev: vpic.dev_master });
  insertRange(kvm.buses.KVM_PIO_BUS, { addr: 0xa0, len: 2, dev: vpic.dev_slave });
  insertRange(kvm.buses.KVM_PIO_BUS, { addr: 0x4d0, len: 2, dev: vpic.dev_elcr });
  insertRange(kvm.buses.KVM_MMIO_BUS, { addr: vioapic.base_address, len: IOAPIC_MEM_LENGTH, dev: vioapic.dev });
  return kvm;
}

/** What distinguishes one virtual CPU from another when a run begins. */
export interface KvmVcpuOptions {
  /** `booted`: a Linux guest has set its local APIC up, in x2APIC mode if the hardware has that. `reset`: KVM_CREATE_VCPU. */
  readonly setup?: ApicSetup;
  /** The local APIC of the host's CPU that it runs on, where posted interrupts have to find it. */
  readonly host_lapic?: HostLapic;
  /** The guest ends interrupts through a word of memory where it may (MSR_KVM_PV_EOI_EN). */
  readonly pv_eoi?: boolean;
}

/** Makes the next virtual CPU of a machine, with its local APIC and its hardware, and puts it into the table of destinations. */
export function kvm_vcpu(kvm: Kvm, mode: LapicMode, { setup = 'booted', host_lapic, pv_eoi = false }: KvmVcpuOptions = {}): KvmVcpu {
  const vcpu_id = kvm.vcpus.length;
  const first = vcpu_id === 0 ? MSR_IA32_APICBASE_BSP : 0;
  const x2apic = setup === 'booted' && isX2apic(mode) ? X2APIC_ENABLE : 0;
  const cells = kvm_vcpu_cells(`vCPU ${vcpu_id}`, {
    'arch.apic_base': (APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE | first | x2apic) >>> 0,
  });
  const run: KvmVcpu['run'] = {
    get exit_reason() {
      return cells['run.exit_reason'];
    },
    io: { port: 0, data: 0, size: 0, direction: KVM_EXIT_IO_IN },
    mmio: { phys_addr: 0, data: 0, len: 0, is_write: false },
  };
  // Each of the two points to the other: the local APIC is added to the object that it knows.
  const parts = {
    kvm,
    vcpu_id,
    cpu: virt_cpu(mode, vcpu_id, host_lapic),
    pv_eoi: pv_eoi ? kvm_apic_eoi(`guest CPU ${vcpu_id}`) : undefined,
    run,
    complete_userspace_io: undefined,
    thread: -1,
    wokenAt: -1,
    signalledAt: -1,
    highest_stale_pending_ioapic_eoi: -1,
    req_immediate_exit: false,
  };
  const bare = Object.assign(cells, parts);
  const vcpu: KvmVcpu = Object.assign(bare, { apic: kvm_lapic(bare as unknown as KvmVcpu, setup, mode === 'vmx-apicv') });
  kvm.vcpus.push(vcpu);
  kvm.arch.apic_map = buildApicMap(kvm);
  return vcpu;
}

export const kvm_vm_fops = ops('kvm_vm_fops', { unlocked_ioctl: kvm_vm_ioctl });
export const kvm_vcpu_fops = ops('kvm_vcpu_fops', { unlocked_ioctl: kvm_vcpu_ioctl });
