import { source, through } from '../../../../engine/fn';
import { ioapic_mmio_ops } from '../../arch/x86/kvm/ioapic';
import type { Kvm } from '../../virt/kvm/kvm_types';

const { fn } = source('linux', 'include/kvm/iodev.h');

export const kvm_iodevice_write = fn(
  'Calls a device’s write operation.',
  function* kvm_iodevice_write(kvm: Kvm, addr: number, val: number) {
    return yield* through('function pointer', 'write', ioapic_mmio_ops.write)(kvm, addr, val);
  },
);
