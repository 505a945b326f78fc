import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import type { Kvm, KvmIrqRoutingEntry } from '../../../linux/virt/kvm/kvm_types';

/** KVM as QEMU holds it. */

/** The virtual machine. */
export interface KVMState {
  readonly vmfd: Kvm;
  /** kernel-irqchip: everything in the kernel, the local APICs alone, or nothing. */
  readonly kernel_irqchip: 'on' | 'split' | 'off';
  /** The routing table as QEMU has noted it. */
  readonly irq_routes: KvmIrqRoutingEntry[];
}

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
