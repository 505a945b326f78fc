import { source } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { KVM_IRQFD_FLAG_RESAMPLE } from '../../../virt/kvm/eventfd';
import type { Kvm, KvmVcpu } from '../../../virt/kvm/kvm_types';
import { kvm_apic_ack_interrupt, kvm_apic_has_interrupt, kvm_get_apic_interrupt } from './lapic';

/** What a vCPU has to take: from the PIC, or from its local APIC. */

const { fn } = source('linux', 'arch/x86/kvm/irq.c');

export const kvm_arch_irqfd_allowed = fn(
  'A resamplefd needs the whole interrupt controller in the kernel: with the I/O APIC in user space nobody here would see the end of the interrupt.',
  function* kvm_arch_irqfd_allowed(kvm: Kvm, args: { readonly flags: number }) {
    at('KVM_IRQFD_FLAG_RESAMPLE');
    const { irqchip_mode } = kvm.arch;
    return args.flags & KVM_IRQFD_FLAG_RESAMPLE ? irqchip_mode === 'KVM_IRQCHIP_KERNEL' : irqchip_mode !== 'KVM_IRQCHIP_NONE';
  },
);

export const kvm_arch_irqchip_in_kernel = fn(
  'Whether at least the local APICs are in the kernel.',
  function* kvm_arch_irqchip_in_kernel(kvm: Kvm) {
    atCall('irqchip_in_kernel');
    return kvm.arch.irqchip_mode !== 'KVM_IRQCHIP_NONE';
  },
);

export const kvm_cpu_has_injectable_intr = fn(
  'Whether KVM itself has a vector to inject. With APICv the CPU delivers the local APIC’s interrupts by itself, and there is nothing.',
  function* kvm_cpu_has_injectable_intr(v: KvmVcpu) {
    at('kvm_vcpu_apicv_active');
    if (v.apic.apicv_active) return false;
    return (yield* kvm_apic_has_interrupt(v)) !== -1;
  },
);

export const kvm_cpu_get_interrupt = fn(
  'Takes the vector that comes next: a PIC’s first, else the local APIC’s.',
  function* kvm_cpu_get_interrupt(v: KvmVcpu) {
    if (!since('linux', '6.12')) return yield* kvm_get_apic_interrupt(v);
    const vector = yield* kvm_apic_has_interrupt(v);
    if (vector !== -1) yield* kvm_apic_ack_interrupt(v, vector);
    return vector;
  },
);
