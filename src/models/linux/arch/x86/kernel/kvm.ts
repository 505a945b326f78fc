import { bits, struct, type InstanceOf } from '../../../../../engine/cell';
import { source, via } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';

/** What a Linux guest does otherwise when it knows that KVM runs it: the end of an interrupt. */

const PvEoi = struct(
  'kvm_apic_eoi',
  'A word of a guest CPU that KVM knows of (MSR_KVM_PV_EOI_EN). KVM sets the bit where an end of interrupt needs nobody’s attention; the guest clears it instead of writing EOI.',
  { kvm_apic_eoi: bits(32, ['KVM_PV_EOI_ENABLED']) },
);
export type KvmApicEoi = InstanceOf<typeof PvEoi>;
export const kvm_apic_eoi = PvEoi;

export const KVM_PV_EOI_ENABLED = 1;

const { fn } = source('linux', 'arch/x86/kernel/kvm.c');

const kvm_guest_apic_eoi_write = fn(
  'Ends an interrupt without leaving the guest, if KVM has allowed it for this one: whoever runs next on the host’s side will see that the bit is gone.',
  function* kvm_guest_apic_eoi_write(word: KvmApicEoi, native_eoi: () => Run) {
    atCall('__test_and_clear_bit');
    if (word.kvm_apic_eoi === KVM_PV_EOI_ENABLED) {
      word.kvm_apic_eoi = 0;
      return;
    }
    atCall(since('linux', '6.6') ? 'apic_native_eoi' : 'native_eoi_write');
    yield* native_eoi();
  },
);

/** How a guest ends interrupts: by its local APIC’s register, or through the word that it shares with KVM first. */
export const guest_eoi = (word: KvmApicEoi | undefined, native_eoi: () => Run): (() => Run) =>
  word === undefined
    ? native_eoi
    : () => via(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq', kvm_guest_apic_eoi_write)(word, native_eoi);
