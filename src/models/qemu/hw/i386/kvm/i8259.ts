import { source } from '../../../../../engine/fn';
import { kvm_set_irq } from '../../../accel/kvm/kvm-all';
import type { KVMState } from '../../../include/sysemu/kvm_int';

const { fn, ops } = source('qemu', 'hw/i386/kvm/i8259.c');

const kvm_pic_set_irq = fn(
  'The PIC is in the kernel: passes the level on.',
  function* kvm_pic_set_irq(s: KVMState, irq: number, level: 0 | 1) {
    yield* kvm_set_irq(s, irq, level);
  },
);

/** What kvm_i8259_init() puts behind the PIC's inputs. */
export const kvm_i8259_init = ops('kvm_i8259_init', { handler: kvm_pic_set_irq });
