import { bits, bool, hex, int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { WorkqueueStruct } from '../../kernel/workqueue';
import type { KvmIoapic } from '../../arch/x86/kvm/ioapic';
import type { KvmPic } from '../../arch/x86/kvm/i8259';
import type { KvmLapic } from '../../arch/x86/kvm/lapic';
import type { KvmX86Ops } from '../../arch/x86/kvm/x86';
import type { KvmKernelIrqfd, KvmKernelIrqfdResampler } from './eventfd';
import type { VirtCpu } from '../../../hardware/virt_cpu';

/** The structures of KVM that its files share. */

export const KVM_USERSPACE_IRQ_SOURCE_ID = 0;
export const KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID = 1;

export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;

export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_INTR = 10;

export const KVM_EXIT_IO_IN = 0;
export const KVM_EXIT_IO_OUT = 1;

/** The buses of devices that live in the kernel: which of the two an address is on. */
export type KvmBus = 'KVM_MMIO_BUS' | 'KVM_PIO_BUS';

export const OUTSIDE_GUEST_MODE = 0;
export const IN_GUEST_MODE = 1;
export const EXITING_GUEST_MODE = 2;

export const KVM_REQ_EVENT = 1 << 0;
export const KVM_REQ_SCAN_IOAPIC = 1 << 1;
export const KVM_REQ_LOAD_EOI_EXITMAP = 1 << 2;
const REQUESTS = ['KVM_REQ_EVENT', 'KVM_REQ_SCAN_IOAPIC', 'KVM_REQ_LOAD_EOI_EXITMAP'];

/** One entry of the routing table: what a change of the GSI calls. */
export interface KvmKernelIrqRoutingEntry {
  readonly gsi: number;
  readonly type: 'KVM_IRQ_ROUTING_IRQCHIP';
  readonly irqchip: { readonly irqchip: number; readonly pin: number };
  readonly set: Pointer<[entry: KvmKernelIrqRoutingEntry, kvm: Kvm, source: number, level: number], number>;
}

/** Somebody who wants to know that a GSI's interrupt has ended. */
export interface KvmIrqAckNotifier {
  readonly gsi: number;
  readonly irq_acked: Pointer<[], void>;
}

const MemorySlotCells = struct('kvm_memory_slot', 'Guest memory that is mapped without an exit: here, the device’s BAR.', {
  npages: int(1),
});
export type KvmMemorySlot = InstanceOf<typeof MemorySlotCells>;
export const kvm_memory_slot = MemorySlotCells;

/** A virtual machine. */
export interface Kvm {
  readonly irq_routing: readonly KvmKernelIrqRoutingEntry[];
  readonly irq_ack_notifier_list: KvmIrqAckNotifier[];
  readonly irqfds: { readonly items: KvmKernelIrqfd[]; readonly resampler_list: KvmKernelIrqfdResampler[] };
  readonly vcpus: KvmVcpu[];
  readonly vioapic: KvmIoapic;
  readonly vpic: KvmPic;
  readonly memslots: Map<number, KvmMemorySlot>;
  readonly system_wq: WorkqueueStruct;
  readonly irqfd_cleanup_wq: WorkqueueStruct;
  readonly x86_ops: KvmX86Ops;
}

const words = {
  'ioapic_handled_vectors[0]': hex(32),
  'ioapic_handled_vectors[1]': hex(32),
  'ioapic_handled_vectors[2]': hex(32),
  'ioapic_handled_vectors[3]': hex(32),
};

const VcpuCells = struct('kvm_vcpu', 'A virtual CPU as KVM runs it.', {
  mode: oneOf({ OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE }, OUTSIDE_GUEST_MODE),
  requests: bits(32, REQUESTS),
  'arch.interrupt.injected': bool(),
  'arch.interrupt.nr': hex(8),
  'arch.regs[VCPU_REGS_RAX]': hex(32),
  'run.exit_reason': oneOf({ KVM_EXIT_UNKNOWN, KVM_EXIT_IO, KVM_EXIT_MMIO, KVM_EXIT_INTR }, KVM_EXIT_UNKNOWN),
  ...words,
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

export type KvmVcpu = InstanceOf<typeof VcpuCells> & {
  readonly kvm: Kvm;
  readonly apic: KvmLapic;
  readonly cpu: VirtCpu;
  readonly run: { readonly exit_reason: number; io: KvmRunIo; mmio: KvmRunMmio };
  /** What is left to do of an access when user space has done its part. */
  complete_userspace_io: Pointer<[vcpu: KvmVcpu], number> | undefined;
};

/** Makes a virtual CPU. */
export function kvm_vcpu(name: string, kvm: Kvm, apic: KvmLapic, cpu: VirtCpu): KvmVcpu {
  const cells = VcpuCells(name);
  const run: KvmVcpu['run'] = {
    get exit_reason() {
      return cells['run.exit_reason'];
    },
    io: { port: 0, data: 0, size: 0, direction: KVM_EXIT_IO_IN },
    mmio: { phys_addr: 0, data: 0, len: 0, is_write: false },
  };
  return Object.assign(cells, { kvm, apic, cpu, run, complete_userspace_io: undefined });
}
