import { source } from '../../../../../engine/fn';
import { kvm_set_irq } from '../../../accel/kvm/kvm-all';
import type { KVMState } from '../../../include/sysemu/kvm_int';

const { fn, ops } = source('qemu', 'hw/i386/kvm/ioapic.c');

const kvm_ioapic_set_irq = fn(
  'The I/O APIC is in the kernel: passes the level on.',
  function* kvm_ioapic_set_irq(s: KVMState, irq: number, level: 0 | 1) {
    yield* kvm_set_irq(s, irq, level);
  },
);

/** What kvm_ioapic_realize() puts behind the I/O APIC's inputs. */
export const kvm_ioapic_realize = ops('kvm_ioapic_realize', { handler: kvm_ioapic_set_irq });
