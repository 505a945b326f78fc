import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { IOAPIC_DEFAULT_BASE_ADDRESS } from '../../arch/x86/kvm/ioapic';
import { kvm_arch_vcpu_ioctl_run, kvm_vm_ioctl_irq_line } from '../../arch/x86/kvm/x86';
import { interrupt_cpu } from '../../../hardware/virt_cpu';
import type { EventfdCtx } from '../../fs/eventfd';
import { kvm_iodevice_write } from '../../include/kvm/iodev';
import { kvm_irqfd } from './eventfd';
import { IN_GUEST_MODE, type Kvm, type KvmBus, type KvmVcpu } from './kvm_types';

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
  | { readonly cmd: 'KVM_IRQ_LINE_STATUS'; readonly irq: number; readonly level: 0 | 1 }
  | { readonly cmd: 'KVM_SET_USER_MEMORY_REGION'; readonly slot: number; readonly memory_size: number };

const PAGE_SIZE = 0x1000;

const { fn, ops } = source('linux', 'virt/kvm/kvm_main.c');

export const kvm_vcpu_kick = fn(
  'Makes a vCPU look at its requests: sends its CPU an interrupt if the guest is running there, which causes an exit.',
  function* kvm_vcpu_kick(vcpu: KvmVcpu) {
    atCall('kvm_arch_vcpu_should_kick');
    if (vcpu.mode === IN_GUEST_MODE) yield* interrupt_cpu(vcpu.cpu);
  },
);

const kvm_vm_ioctl_set_memory_region = fn(
  'KVM_SET_USER_MEMORY_REGION: maps memory into the guest, or with size 0 takes it out. What is out causes an exit at every access.',
  function* kvm_vm_ioctl_set_memory_region(kvm: Kvm, slot: number, memory_size: number) {
    atCall('kvm_set_memory_region');
    const memslot = kvm.memslots.get(slot);
    if (memslot !== undefined) memslot.npages = memory_size / PAGE_SIZE;
    return 0;
  },
);

const kvm_vm_ioctl = fn('Dispatches the ioctls of a virtual machine.', function* kvm_vm_ioctl(kvm: Kvm, ioctl: KvmVmIoctl) {
  switch (ioctl.cmd) {
    case 'KVM_IRQFD':
      return yield* kvm_irqfd(kvm, ioctl);
    case 'KVM_IRQ_LINE_STATUS':
      return yield* kvm_vm_ioctl_irq_line(kvm, ioctl.irq, ioctl.level);
    case 'KVM_SET_USER_MEMORY_REGION':
      return yield* kvm_vm_ioctl_set_memory_region(kvm, ioctl.slot, ioctl.memory_size);
  }
});

const kvm_vcpu_ioctl = fn('Dispatches the ioctls of a virtual CPU: KVM_RUN.', function* kvm_vcpu_ioctl(vcpu: KvmVcpu, cmd: 'KVM_RUN') {
  at(cmd);
  return yield* kvm_arch_vcpu_ioctl_run(vcpu);
});

const __kvm_io_bus_write = fn(
  'Finds the device on the bus whose range the address is in.',
  function* __kvm_io_bus_write(kvm: Kvm, bus_idx: KvmBus, addr: number, val: number) {
    if (bus_idx !== 'KVM_MMIO_BUS' || addr >>> 12 !== IOAPIC_DEFAULT_BASE_ADDRESS >>> 12) {
      at('kvm_io_bus_get_first_dev');
      return -1;
    }
    return yield* kvm_iodevice_write(kvm, addr, val);
  },
);

export const kvm_io_bus_write = fn(
  'A write to a bus of devices that live in the kernel. Negative if none of them takes it.',
  function* kvm_io_bus_write(kvm: Kvm, bus_idx: KvmBus, addr: number, val: number) {
    return yield* __kvm_io_bus_write(kvm, bus_idx, addr, val);
  },
);

const __kvm_io_bus_read = fn(
  'Finds the device on the bus whose range the address is in; the modelled devices are only ever written to.',
  function* __kvm_io_bus_read(_kvm: Kvm, _bus_idx: KvmBus, _addr: number) {
    at('kvm_io_bus_get_first_dev');
    return -1;
  },
);

export const kvm_io_bus_read = fn(
  'A read from a bus of devices that live in the kernel. Negative if none of them takes it.',
  function* kvm_io_bus_read(kvm: Kvm, bus_idx: KvmBus, addr: number) {
    return yield* __kvm_io_bus_read(kvm, bus_idx, addr);
  },
);

export const kvm_vm_fops = ops('kvm_vm_fops', { unlocked_ioctl: kvm_vm_ioctl });
export const kvm_vcpu_fops = ops('kvm_vcpu_fops', { unlocked_ioctl: kvm_vcpu_ioctl });
