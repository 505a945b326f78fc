import { source } from '../../../../../engine/fn';
import { atCall } from '../../../../../engine/steps';
import { kvm_irqchip_send_msi } from '../../../accel/kvm/kvm-all';
import type { MSIMessage } from '../../../include/hw/pci/msi';
import type { KVMState } from '../../../include/sysemu/kvm_int';

/** The front of the kernel's local APICs: where messages that QEMU sends for its devices arrive. */

/** Guest-physical address and size of the region that takes messages. */
export const APIC_SPACE = { name: 'kvm-apic-msi', addr: 0xfee00000, size: 0x100000 } as const;

const { fn, ops } = source('qemu', 'hw/i386/kvm/apic.c');

const kvm_send_msi = fn('Gives a message to the kernel.', function* kvm_send_msi(s: KVMState, msg: MSIMessage) {
  atCall('kvm_swizzle_msi_ext_dest_id');
  yield* kvm_irqchip_send_msi(s, msg);
});

const kvm_apic_mem_read = fn('There is nothing to read.', function* kvm_apic_mem_read(_s: KVMState, _addr: number, _size: number) {
  return 0xffffffff;
});

const kvm_apic_mem_write = fn(
  'A store to the messages’ address range: address and data together are the message.',
  function* kvm_apic_mem_write(s: KVMState, addr: number, data: number, _size: number) {
    yield* kvm_send_msi(s, { address: APIC_SPACE.addr + addr, data });
  },
);

export const kvm_apic_io_ops = ops('kvm_apic_io_ops', { read: kvm_apic_mem_read, write: kvm_apic_mem_write });
