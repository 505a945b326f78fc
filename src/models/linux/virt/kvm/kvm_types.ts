import { bit, bits, bool, hex, int, means, oneOf, register, struct, type InstanceOf } from '../../../../engine/cell';
import type { KvmDevice } from './kvm_device';
import type { Pointer } from '../../../../engine/fn';
import type { SrcuStruct } from '../../kernel/rcu/srcutree';
import type { WorkqueueStruct } from '../../kernel/workqueue';
import type { KvmApicEoi } from '../../arch/x86/kernel/kvm';
import type { KvmIoapic } from '../../arch/x86/kvm/ioapic';
import type { KvmPic } from '../../arch/x86/kvm/i8259';
import type { KvmApicMap } from '../../arch/x86/kvm/apic_map';
import type { KvmLapic } from '../../arch/x86/kvm/lapic_state';
import type { KvmX86Ops } from '../../arch/x86/kvm/x86';
import type { KvmIoDevice } from '../../include/kvm/iodev';
import type { IoEventfd, KvmKernelIrqfd, KvmKernelIrqfdResampler } from './eventfd';
import type { VirtCpu } from '../../../hardware/virt_cpu';
import { EOI_EXIT_BITMAP, vectorWords } from '../../../hardware/registers/lapic';

/** The structures of KVM that its files share. */

export const KVM_USERSPACE_IRQ_SOURCE_ID = 0;
export const KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID = 1;

export const KVM_IRQCHIP_PIC_MASTER = 0;
export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;
export const KVM_NR_IRQCHIPS = 3;
export const KVM_IRQCHIP_NUM_PINS = 24;
export const KVM_MAX_IRQ_ROUTES = 4096;

/** Who emulates the interrupt controllers: user space all of them, KVM the local APICs only, or KVM all. */
export type KvmIrqchipMode = 'KVM_IRQCHIP_NONE' | 'KVM_IRQCHIP_SPLIT' | 'KVM_IRQCHIP_KERNEL';

export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_IOAPIC_EOI = 26;

export const KVM_EXIT_IO_IN = 0;
export const KVM_EXIT_IO_OUT = 1;

export const OUTSIDE_GUEST_MODE = 0;
export const IN_GUEST_MODE = 1;
export const EXITING_GUEST_MODE = 2;

/** What a vCPU may be asked to do, and why. */
const REQUESTS = {
  KVM_REQ_EVENT: 'Look whether there is an interrupt to inject.',
  KVM_REQ_SCAN_IOAPIC: 'The I/O APIC’s entries have changed: work out which EOIs it is to be told of.',
  KVM_REQ_LOAD_EOI_EXITMAP: 'Give the CPU the vectors whose EOI is to exit.',
  KVM_REQ_IOAPIC_EOI_EXIT: 'Tell user space’s I/O APIC of an EOI.',
  KVM_REQ_NMI: 'An NMI waits.',
  KVM_REQ_SMI: 'A system-management interrupt waits.',
  KVM_REQ_UNBLOCK: 'Come out of the halt and look.',
} as const;
export type KvmRequest = keyof typeof REQUESTS;
const REQUEST_NAMES = Object.keys(REQUESTS);

/** The bit of a request. */
export const requestBit = (request: KvmRequest): number => 1 << REQUEST_NAMES.indexOf(request);

export const KVM_MP_STATE_RUNNABLE = 0;
export const KVM_MP_STATE_UNINITIALIZED = 1;
export const KVM_MP_STATE_INIT_RECEIVED = 2;
export const KVM_MP_STATE_HALTED = 3;
const MP_STATES = { KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED } as const;

/** A message to local APICs, as a device writes it. */
export interface KvmMsi {
  readonly address_lo: number;
  readonly address_hi: number;
  readonly data: number;
}

/** A GSI that reaches a pin of a chip. User space numbers the slave PIC's pins from 0, the table from 8. */
export interface IrqchipRouting {
  readonly gsi: number;
  readonly type: 'KVM_IRQ_ROUTING_IRQCHIP';
  readonly irqchip: { readonly irqchip: number; readonly pin: number };
}

/** A GSI that sends a message. */
export interface MsiRouting {
  readonly gsi: number;
  readonly type: 'KVM_IRQ_ROUTING_MSI';
  readonly msi: KvmMsi;
}

/** One entry of the routing table as user space gives it. */
export type KvmIrqRoutingEntry = IrqchipRouting | MsiRouting;

/** An entry with the function that carries a change of its GSI out. */
type Routed<E> = E & {
  readonly set: Pointer<[e: E, kvm: Kvm, irq_source_id: number, level: number, line_status: boolean], number>;
};

/** One entry of the routing table: where a change of the GSI goes, and what it calls. */
export type KvmKernelIrqRoutingEntry = Routed<IrqchipRouting> | Routed<MsiRouting>;

/** The `set` of an entry, for a caller who hands it that very entry. */
export type SetRoutedIrq = Routed<KvmKernelIrqRoutingEntry>['set'];

/** The routing table: the entries of each GSI, last set first, and the GSI of each chip's pin. */
export interface KvmIrqRoutingTable {
  readonly nr_rt_entries: number;
  readonly map: ReadonlyMap<number, readonly KvmKernelIrqRoutingEntry[]>;
  /** By chip and pin; a pin that no GSI reaches has none. */
  readonly chip: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

/** Somebody who wants to know that a GSI's interrupt has ended. */
export interface KvmIrqAckNotifier {
  readonly gsi: number;
  readonly irq_acked: Pointer<[], void>;
}

/** The buses that devices in the kernel sit on. */
export type KvmBus = 'KVM_MMIO_BUS' | 'KVM_PIO_BUS' | 'KVM_FAST_MMIO_BUS';

/** A device's place on a bus. `len` 0 takes every access that begins at `addr`. */
export interface KvmIoRange {
  readonly addr: number;
  readonly len: number;
  readonly dev: KvmIoDevice;
}

const MemorySlotCells = struct('kvm_memory_slot', 'Guest memory that is mapped without an exit: here, the device’s BAR.', {
  npages: int(1),
});
export type KvmMemorySlot = InstanceOf<typeof MemorySlotCells>;
export const kvm_memory_slot = MemorySlotCells;

const AssignmentCells = struct('kvm_arch', 'How many interrupts of assigned devices this virtual machine takes directly.', {
  assigned_device_count: int(),
});
export const kvm_assignment = AssignmentCells;

/** What only x86 keeps of a virtual machine. */
export interface KvmArch {
  readonly assignment: InstanceOf<typeof AssignmentCells>;
  /** irq_remapping_cap(IRQ_POSTING_CAP): whether the IOMMU can post interrupts to a guest. */
  readonly irq_posting_cap: boolean;
  readonly irqchip_mode: KvmIrqchipMode;
  /** Only where all of the interrupt controller is in the kernel. */
  vioapic: KvmIoapic | undefined;
  vpic: KvmPic | undefined;
  /** The GSIs below this are pins of user space's I/O APIC, where that is not in the kernel. */
  readonly nr_reserved_ioapic_pins: number;
  /** Whether an MSI's address may carry 32 bits of destination: KVM_CAP_X2APIC_API. */
  readonly x2apic_format: boolean;
  /** Whether a device's message to 0xff means what it says, also where local APICs are in x2APIC mode. */
  readonly x2apic_broadcast_quirk_disabled: boolean;
  /** The table by which messages find their destinations; undefined if there can be none. */
  apic_map: KvmApicMap | undefined;
  /** A register that the table depends on has changed since it was built. */
  apic_map_dirty: boolean;
  /** KVM's parameter: a lowest-priority interrupt goes to the CPU that its vector picks, else to the one that had the fewest. */
  readonly vector_hashing: boolean;
  /** A lowest-priority interrupt was lost, since the one CPU that its vector chose has its local APIC off. */
  disabled_lapic_found: boolean;
  /** How many CPUs take the 8254's interrupt as an NMI, for their watchdogs. */
  vapics_in_nmi_mode: number;
}

/** irqchip_split(): local APICs in the kernel, the other chips in user space. */
export const irqchip_split = (kvm: Kvm): boolean => kvm.arch.irqchip_mode === 'KVM_IRQCHIP_SPLIT';

/** ioapic_in_kernel(), and pic_in_kernel(): there is one only with the other. */
export const ioapic_in_kernel = (kvm: Kvm): boolean => kvm.arch.irqchip_mode === 'KVM_IRQCHIP_KERNEL';

/** lapic_in_kernel(): user space may have kept everything, the local APICs too. */
export const lapic_in_kernel = (vcpu: KvmVcpu): boolean => vcpu.kvm.arch.irqchip_mode !== 'KVM_IRQCHIP_NONE';

/** A virtual machine. */
export interface Kvm {
  readonly arch: KvmArch;
  irq_routing: KvmIrqRoutingTable;
  /** Readers of the memory slots. */
  readonly srcu: SrcuStruct;
  /** Readers of the routing table, of irqfds and of their notifiers. */
  readonly irq_srcu: SrcuStruct;
  readonly irq_ack_notifier_list: KvmIrqAckNotifier[];
  readonly irqfds: { readonly items: KvmKernelIrqfd[]; readonly resampler_list: KvmKernelIrqfdResampler[] };
  readonly ioeventfds: IoEventfd[];
  readonly buses: { readonly [B in KvmBus]: KvmIoRange[] };
  readonly vcpus: KvmVcpu[];
  readonly memslots: Map<number, KvmMemorySlot>;
  /** Devices of KVM’s that user space has made. */
  readonly devices: KvmDevice[];
  readonly system_wq: WorkqueueStruct;
  readonly irqfd_cleanup_wq: WorkqueueStruct;
  readonly x86_ops: KvmX86Ops;
}

/** The fields of a virtual CPU. */
export const kvm_vcpu_cells = struct('kvm_vcpu', 'A virtual CPU as KVM runs it.', {
  mode: means(
    'Whether the vCPU runs guest code, so that an interrupt must kick or notify it.',
    oneOf({ OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE }, OUTSIDE_GUEST_MODE),
  ),
  requests: means(
    'What has to be done before the next VM entry.',
    register(
      32,
      Object.entries(REQUESTS).map(([name, asks], low) => bit(low, name, asks)),
    ),
  ),
  'wait.task': bool(),
  preempted: bool(),
  'arch.mp_state': oneOf(MP_STATES, KVM_MP_STATE_RUNNABLE),
  'arch.apic_base': hex(32),
  'arch.apic_arb_prio': int(),
  'arch.apic_attention': means(
    'What has to be looked at when the guest comes out.',
    bits(8, ['KVM_APIC_CHECK_VAPIC', 'KVM_APIC_PV_EOI_PENDING']),
  ),
  'arch.pv.pv_unhalted': bool(),
  'arch.nmi_queued': int(),
  'arch.nmi_pending': int(),
  'arch.nmi_injected': bool(),
  'arch.pending_ioapic_eoi': means('The vector whose EOI user space’s I/O APIC is to be told of.', hex(8)),
  'arch.pending_external_vector': means('A vector that user space’s 8259 has given (split irqchip); -1: none.', int(-1)),
  'arch.interrupt.injected': means('An external interrupt is on its way into the guest: it is injected anew if the entry fails.', bool()),
  'arch.interrupt.nr': means('The vector of that interrupt.', hex(8)),
  'arch.regs[VCPU_REGS_RAX]': hex(32),
  'run.exit_reason': oneOf(
    { KVM_EXIT_UNKNOWN, KVM_EXIT_IO, KVM_EXIT_HLT, KVM_EXIT_MMIO, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_INTR, KVM_EXIT_IOAPIC_EOI },
    KVM_EXIT_UNKNOWN,
  ),
  'run.request_interrupt_window': means('User space wants an exit as soon as the guest can take an interrupt.', bool()),
  'run.ready_for_interrupt_injection': means('KVM_INTERRUPT would be taken now.', bool()),
  'run.if_flag': bool(),
  'run.cr8': int(),
  'run.immediate_exit': bool(),
  TIF_SIGPENDING: bool(),
  'run.eoi.vector': hex(8),
  ...vectorWords('ioapic_handled_vectors', EOI_EXIT_BITMAP),
});

/** The part of `kvm_run` that carries an MMIO access to user space and its result back. */
export interface KvmRunMmio {
  readonly phys_addr: number;
  data: number;
  readonly len: number;
  readonly is_write: boolean;
}

/** The part of `kvm_run` that carries a port access to user space and its result back. */
export interface KvmRunIo {
  readonly port: number;
  data: number;
  readonly size: number;
  readonly direction: typeof KVM_EXIT_IO_IN | typeof KVM_EXIT_IO_OUT;
}

export type KvmVcpu = InstanceOf<typeof kvm_vcpu_cells> & {
  readonly kvm: Kvm;
  readonly vcpu_id: number;
  readonly apic: KvmLapic;
  readonly cpu: VirtCpu;
  /** The guest’s word in `arch.pv_eoi`, where the guest has named one. */
  readonly pv_eoi: KvmApicEoi | undefined;
  readonly run: { readonly exit_reason: number; io: KvmRunIo; mmio: KvmRunMmio };
  /** What is left to do of an access when user space has done its part. */
  complete_userspace_io: Pointer<[vcpu: KvmVcpu], number> | undefined;
  /** The thread that KVM_RUN was called on last: kvm_get_running_vcpu() compares it. */
  thread: number;
  /** The step that woke it up last. */
  wokenAt: number;
  /** The step that sent its thread the signal that waits. */
  signalledAt: number;
  /** A field of Linux 6.15 and later, and so no cell of the older kernels that the flows show. */
  highest_stale_pending_ioapic_eoi: number;
  /** The entry that comes next is only to get the guest's CPU past an injection: an exit follows at once. */
  req_immediate_exit: boolean;
};
