import type { PartSpec } from '../topology';

/** Parts of QEMU that several flows share. */

/** A device that QEMU passes through, as far as its line goes. */
export const vfioLine: PartSpec = {
  id: 'vfio',
  title: 'VFIOPCIDevice',
  kind: 'driver',
  world: 'qemu',
  of: ['VFIOPCIDevice'],
  code: ['hw/vfio/pci.c', 'hw/vfio/common.c'],
  shows: ['intx.pending', 'intx.kvm_accel'],
  blocked: [
    {
      when: (cell) => cell('intx.pending') !== 0,
      because: 'intx.pending is set: QEMU waits for the guest’s next access to a BAR before it unmasks the device.',
    },
  ],
};

export const qemuIoapic: PartSpec = {
  id: 'qemu-ioapic',
  title: 'IOAPICCommonState',
  kind: 'controller',
  world: 'qemu',
  of: ['IOAPICCommonState'],
  code: ['hw/intc/ioapic.c'],
};
