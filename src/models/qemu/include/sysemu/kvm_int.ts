import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { KVM_IRQCHIP_NUM_PINS, type Kvm, type KvmIrqRoutingEntry } from '../../../linux/virt/kvm/kvm_types';
import type { EventNotifier } from '../../util/event_notifier-posix';

/** KVM as QEMU holds it. */

/** The virtual machine. */
export interface KVMState {
  readonly vmfd: Kvm;
  /** kernel-irqchip: everything in the kernel, the local APICs alone, or nothing. */
  readonly kernel_irqchip: 'on' | 'split' | 'off';
  /** The routing table as QEMU has noted it. */
  readonly irq_routes: KvmIrqRoutingEntry[];
  /** With a split irqchip: whom to tell that a pin's interrupt has ended. */
  readonly kvm_resample_fd_list: { readonly gsi: number; readonly resample_event: EventNotifier }[];
}

/** Makes it, with the routes that the board has set up. */
export const new_kvm_state = (vmfd: Kvm, kernel_irqchip: KVMState['kernel_irqchip'], irq_routes: KvmIrqRoutingEntry[]): KVMState => ({
  vmfd,
  kernel_irqchip,
  irq_routes,
  kvm_resample_fd_list: [],
});

/** With a split irqchip QEMU reserves a message route for each pin of its I/O APIC, empty at first. */
export const split_irq_routes = (): KvmIrqRoutingEntry[] =>
  Array.from({ length: KVM_IRQCHIP_NUM_PINS }, (_, gsi) => ({
    gsi,
    type: 'KVM_IRQ_ROUTING_MSI',
    msi: { address_lo: 0, address_hi: 0, data: 0 },
  }));

const KVMSlotCells = struct('KVMSlot', 'QEMU’s record of a KVM memory slot; of size 0 while it is free.', {
  start_addr: hex(32),
  memory_size: hex(32),
});

export type KVMSlot = InstanceOf<typeof KVMSlotCells> & { readonly slot: number };

/** Makes a slot that is in use. */
export const kvm_slot = (slot: number, start_addr: number, memory_size: number): KVMSlot =>
  Object.assign(KVMSlotCells(`slot ${slot}`, { start_addr, memory_size }), { slot });

/** KVM's view of one address space. */
export interface KVMMemoryListener {
  readonly s: KVMState;
  readonly slots: readonly KVMSlot[];
}
