import { Mutex } from '../../engine/mutex';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import type { PciFunction } from '../hardware/pci_function';
import { poll_wqueues, type PollWqueues } from '../linux/fs/select';
import type { Kvm, KvmIrqRoutingEntry } from '../linux/virt/kvm/kvm_types';
import type { Board, CpusAccel } from './board';
import { kvm_io_listener, kvm_memory_listener_register, type kvm_init } from './accel/kvm/kvm-all';
import { APIC_SPACE, kvm_apic_io_ops } from './hw/i386/kvm/apic';
import { gsis } from './hw/i386/pc';
import { pc_q35_init } from './hw/i386/pc_q35';
import { ioapic_common_state, type IOAPICCommonState } from './include/hw/i386/ioapic_internal';
import { ioapic_io_ops } from './hw/intc/ioapic';
import { ich9_lpc } from './hw/isa/lpc_ich9';
import { config_address, CONFIG_ADDRESS, CONFIG_DATA, pci_host, pci_host_conf_le_ops, pci_host_data_le_ops } from './hw/pci/pci_host';
import type { QIOChannelFDSource } from './io/channel-watch';
import { pcie_mmcfg_ops } from './hw/pci/pcie_host';
import { vfio_pci_device, vfio_pci_reset, vfio_realize, type AssignedDevice, type VFIOPCIDevice } from './hw/vfio/pci';
import type { VFIOBAR } from './include/hw/vfio/vfio-common';
import { aio_context, type AioContext } from './include/block/aio';
import {
  io_region,
  memory_core,
  memory_region_add_subregion,
  type AddressSpace,
  type Memory,
  type MemoryListener,
  type MemoryRegion,
} from './include/exec/memory';
import { x86_cpu } from './include/hw/core/cpu';
import { pci_bus, PCI_DEVFN, type PCIBus } from './include/hw/pci/pci';
import { new_kvm_state, split_irq_routes, kvm_slot, type KVMMemoryListener, type KVMState } from './include/sysemu/kvm_int';
import { withOpaque } from './opaque';
import { qemu_init_subsystems, qemu_main_loop } from './softmmu/runstate';
import type { QEMUTimerList } from './util/qemu-timer';

/** A QEMU process that runs a q35 machine with one assigned PCI device. */

/** What any QEMU process keeps in global variables, under their names. */
export interface Process {
  /** The big QEMU lock, BQL. */
  readonly qemu_global_mutex: Mutex;
  readonly iohandler_ctx: AioContext;
  readonly main_loop_tlg: QEMUTimerList;
  readonly address_space_memory: AddressSpace;
  readonly address_space_io: AddressSpace;
  readonly memory: Memory;
  /** The CPUs, and QEMU's own interrupt controllers. */
  readonly board: Board;
  /** What else the main loop watches: the host sides of character devices. */
  readonly sources: QIOChannelFDSource[];
  /** The main thread's poll. */
  readonly poll: PollWqueues;
  /** Somebody has told QEMU to stop. */
  shutdown_requested: boolean;
  /** The main thread has taken the BQL: from now on other threads are created. */
  initialized: boolean;
}

/** What it keeps besides when it uses KVM and has a PCI bus. */
export interface Globals extends Process {
  readonly kvm_state: KVMState;
  readonly pci_bus: PCIBus;
}

/** Has KVM follow an address space’s ioeventfds. */
export const ioeventfds = (ops: typeof kvm_init | typeof kvm_io_listener, kvm_state: KVMState): MemoryListener => ({
  eventfd_add: withOpaque(ops.eventfd_add, () => kvm_state),
  eventfd_del: withOpaque(ops.eventfd_del, () => kvm_state),
});

/** A process without devices or CPUs. */
export function qemu_process(kvm_state: KVMState | undefined, address_space_memory: AddressSpace, cpus_accel: CpusAccel = {}): Process {
  const qemu_global_mutex = Mutex('BQL');
  const address_space_io: AddressSpace = {
    root: [],
    listeners: kvm_state === undefined ? [] : [ioeventfds(kvm_io_listener, kvm_state)],
    current_map: [],
  };
  return {
    qemu_global_mutex,
    iohandler_ctx: aio_context('iohandler_ctx'),
    main_loop_tlg: { active_timers: [] },
    address_space_memory,
    address_space_io,
    memory: memory_core(address_space_memory, address_space_io),
    board: {
      qemu_global_mutex,
      isa_pic: undefined,
      slave_pic: undefined,
      ioapics: [],
      local_apics: [],
      cpus: [],
      ioapic_as: address_space_memory,
      kvm_state,
      cpus_accel,
    },
    sources: [],
    poll: poll_wqueues('QEMU main thread'),
    shutdown_requested: false,
    initialized: false,
  };
}

/** The process. */
export interface Qemu extends Globals {
  readonly vfio: VFIOPCIDevice;
}

/** Guest-physical address of BAR 0 of the assigned device, its size in bytes, and the KVM memory slot that maps it. */
export const BAR0_ADDR = 0xfebf0000;
export const BAR0_SIZE = 0x1000;
export const BAR0_SLOT = 3;

/** BAR 0 of a device that has its registers in memory. */
export const bar0 = (device: PciFunction): VFIOBAR => ({ nr: 0, addr: BAR0_ADDR, size: BAR0_SIZE, space: { kind: 'memory', device } });

const MMCONFIG = { name: 'pcie-mmcfg-mmio', addr: 0xb0000000, size: 0x10000000 } as const;

/** The assigned device is 00:01.0: its INTA is PIRQ F, which is GSI 21. */
export const VFIO_DEVFN = PCI_DEVFN(1, 0);
const LPC_DEVFN = PCI_DEVFN(0x1f, 0);

const configAddress = (devfn: number, offset: number): number => MMCONFIG.addr + devfn * 0x1000 + offset;

/** What the guest writes to 0xCF8 to select a register of the assigned device. */
export const vfioConfigSelect = (offset: number): number => config_address(VFIO_DEVFN, offset);
/** Guest-physical address of a register in the assigned device's configuration space: COMMAND is at 0x04. */
export const vfioConfigAddress = (offset: number): number => configAddress(VFIO_DEVFN, offset);
/** Guest-physical address of a register in the LPC bridge's configuration space: PIRQF_ROUT is at 0x69. */
export const lpcConfigAddress = (offset: number): number => configAddress(LPC_DEVFN, offset);

/**
 * Makes the process with its board and the assigned device. Call it while a machine is set up. The guest's firmware
 * has placed the BARs already, so those in memory have their memory slots.
 */
export function qemu({
  kvm,
  assigned,
  bars = [],
  ram = [],
  kernel_irqchip = 'on',
  irq_routes = kernel_irqchip === 'split' ? split_irq_routes() : [],
}: {
  readonly kvm: Kvm;
  readonly assigned: AssignedDevice;
  readonly bars?: readonly VFIOBAR[];
  /** The guest’s memory, where somebody asks for it. */
  readonly ram?: readonly MemoryRegion[];
  readonly kernel_irqchip?: 'on' | 'split';
  /** The routing table that the board has set up, as KVM has it too. */
  readonly irq_routes?: KvmIrqRoutingEntry[];
}): Qemu {
  const s = new_kvm_state(kvm, kernel_irqchip, irq_routes);
  const process = qemu_process(s, guest_memory(s, bars));
  const ioapic = kernel_irqchip === 'split' ? own_ioapic(process) : undefined;
  const q: Globals = { ...process, kvm_state: s, pci_bus: root_bus(s, ioapic) };
  for (const [index, vcpu] of kvm.vcpus.entries()) x86_cpu(q.board, index, { kvm: vcpu });
  memory_region_add_subregion(
    q.address_space_memory,
    io_region(MMCONFIG, pcie_mmcfg_ops, () => q.pci_bus),
  );
  for (const mr of ram) memory_region_add_subregion(q.address_space_memory, mr);
  const host = pci_host(q.pci_bus);
  for (const [name, addr, ops] of [
    ['pci-conf-idx', CONFIG_ADDRESS, pci_host_conf_le_ops],
    ['pci-conf-data', CONFIG_DATA, pci_host_data_le_ops],
  ] as const) {
    memory_region_add_subregion(
      q.address_space_io,
      io_region({ name, addr, size: 4 }, ops, () => host),
    );
  }
  memory_region_add_subregion(
    q.address_space_memory,
    io_region(APIC_SPACE, kvm_apic_io_ops, () => s),
  );
  const vfio = vfio_pci_device(q, assigned, { devfn: VFIO_DEVFN, bars });
  return Object.assign(q, { vfio });
}

/** The main thread: starts QEMU, lets the assigned device join, and serves events until it is told to stop. Without the device it does not start. */
export function* qemu_main(q: Qemu): Run {
  yield* qemu_init_subsystems(q);
  if (!(yield* vfio_realize(q.vfio))) return;
  if (running().parameters['machine-reset'] === true) yield* vfio_pci_reset(q.vfio);
  yield* qemu_main_loop(q);
}

const IOAPIC = { name: 'ioapic', addr: 0xfec00000, size: 0x1000 } as const;

/** QEMU's own I/O APIC, where the kernel has none. */
export function own_ioapic({ board, main_loop_tlg, address_space_memory }: Process): IOAPICCommonState {
  const ioapic = ioapic_common_state(board, main_loop_tlg);
  board.ioapics.push(ioapic);
  memory_region_add_subregion(
    address_space_memory,
    io_region(IOAPIC, ioapic_io_ops, () => ioapic),
  );
  return ioapic;
}

/** How a guest finds its device where firmware’s routing to an ISA interrupt is left on. */
const ROUTED_TO_ISA: ReadonlySet<unknown> = new Set(['isa', 'pic']);

/** The root bus of the q35 board, with the LPC bridge that routes its interrupts. */
export function root_bus(kvm_state: KVMState, ioapic?: IOAPICCommonState): PCIBus {
  const bus = pci_bus('pcie.0', {
    map_irq: withOpaque(pc_q35_init.map_irq, () => lpc),
    set_irq: withOpaque(pc_q35_init.set_irq, () => lpc),
    route_intx_to_irq: withOpaque(pc_q35_init.route_intx_to_irq, () => lpc),
  });
  const lpc = ich9_lpc(bus, LPC_DEVFN, gsis(kvm_state, ioapic), ROUTED_TO_ISA.has(running().parameters['guest-irq']));
  return bus;
}

/** The guest's memory, followed by KVM. */
function guest_memory(kvm_state: KVMState, bars: readonly VFIOBAR[]): AddressSpace {
  const mapped = bars.filter(({ space }) => space.kind === 'memory');
  const kml: KVMMemoryListener = { s: kvm_state, slots: mapped.map(({ nr, addr, size }) => kvm_slot(BAR0_SLOT + nr, addr, size)) };
  const listener = {
    region_add: withOpaque(kvm_memory_listener_register.region_add, () => kml),
    region_del: withOpaque(kvm_memory_listener_register.region_del, () => kml),
  };
  return { root: [], listeners: [listener], current_map: [] };
}
