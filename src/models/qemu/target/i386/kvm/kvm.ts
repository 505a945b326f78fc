import { source } from '../../../../../engine/fn';
import { atCall } from '../../../../../engine/steps';
import type { X86CPU } from '../../../include/hw/core/cpu';
import { kvm_irqchip_in_kernel, kvm_pic_in_kernel } from '../../../include/sysemu/kvm';
import type { KvmMsi } from '../../../../linux/virt/kvm/kvm_types';

/** What QEMU does around KVM_RUN for an x86 CPU: before it, after it, and while the CPU does not run. */

const { fn } = source('qemu', 'target/i386/kvm/kvm.c');

export const kvm_arch_pre_run = fn(
  'Before KVM_RUN. With a PIC in the kernel there is nothing to inject from here.',
  function* kvm_arch_pre_run(cpu: X86CPU) {
    atCall('kvm_pic_in_kernel');
    if (kvm_pic_in_kernel(cpu.board)) return;
  },
);

export const kvm_arch_process_async_events = fn(
  'Before the CPU goes on: does it have a reason to? With the local APICs in the kernel that knows, and the CPU is never halted here.',
  function* kvm_arch_process_async_events(cpu: X86CPU) {
    atCall('kvm_irqchip_in_kernel');
    return kvm_irqchip_in_kernel(cpu.board) ? false : cpu.halted;
  },
);

export const kvm_arch_fixup_msi_route = fn(
  'A virtual IOMMU would remap the message here, once for all; without one it stays what it is.',
  function* kvm_arch_fixup_msi_route(msi: KvmMsi) {
    atCall('kvm_swizzle_msi_ext_dest_id');
    return msi;
  },
);
