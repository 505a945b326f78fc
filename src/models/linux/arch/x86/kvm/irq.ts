import { source } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { KVM_IRQFD_FLAG_RESAMPLE } from '../../../virt/kvm/eventfd';
import { irqchip_split, lapic_in_kernel, type Kvm, type KvmVcpu } from '../../../virt/kvm/kvm_types';
import { kvm_pic_read_irq } from './i8259';
import {
  apic_has_pending_timer,
  kvm_apic_accept_pic_intr,
  kvm_apic_ack_interrupt,
  kvm_apic_has_interrupt,
  kvm_get_apic_interrupt,
  kvm_inject_apic_timer_irqs,
} from './lapic';

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

export const kvm_cpu_has_pending_timer = fn(
  'Whether the local APIC’s timer has expired and its interrupt is still to be delivered.',
  function* kvm_cpu_has_pending_timer(vcpu: KvmVcpu) {
    return yield* apic_has_pending_timer(vcpu);
  },
);

export const kvm_inject_pending_timer_irqs = fn(
  'Delivers the interrupts of timers that expired, now that the vCPU’s own thread is here to do it.',
  function* kvm_inject_pending_timer_irqs(vcpu: KvmVcpu) {
    yield* kvm_inject_apic_timer_irqs(vcpu);
  },
);

export const kvm_cpu_has_extint = fn(
  'Whether an 8259 has something for this CPU: the one in the kernel asserts its output, or user space has left a vector.',
  function* kvm_cpu_has_extint(v: KvmVcpu) {
    if (!lapic_in_kernel(v)) {
      at('injected', 'Everything is in user space: what it has queued is all there is.');
      return v['arch.interrupt.injected'];
    }
    if (!(yield* kvm_apic_accept_pic_intr(v))) return false;
    atCall('irqchip_split');
    return irqchip_split(v.kvm) ? v['arch.pending_external_vector'] !== -1 : v.kvm.arch.vpic?.output === true;
  },
);

export const kvm_cpu_has_injectable_intr = fn(
  'Whether KVM itself has a vector to inject. With APICv the CPU delivers the local APIC’s interrupts by itself; only an 8259’s are left.',
  function* kvm_cpu_has_injectable_intr(v: KvmVcpu) {
    if (yield* kvm_cpu_has_extint(v)) return true;
    at('kvm_vcpu_apicv_active');
    if (v.apic.apicv_active || !lapic_in_kernel(v)) return false;
    return (yield* kvm_apic_has_interrupt(v)) !== -1;
  },
);

export const kvm_cpu_has_interrupt = fn(
  'Whether anything waits for this CPU, whoever will deliver it: what a halted guest is woken up for.',
  function* kvm_cpu_has_interrupt(v: KvmVcpu) {
    if (yield* kvm_cpu_has_extint(v)) return true;
    return lapic_in_kernel(v) && (yield* kvm_apic_has_interrupt(v)) !== -1;
  },
);

const kvm_cpu_get_extint = fn(
  'Acknowledges an 8259’s interrupt: only now its vector is known. -1 if there is none.',
  function* kvm_cpu_get_extint(v: KvmVcpu) {
    if (!(yield* kvm_cpu_has_extint(v))) return -1;
    if (!irqchip_split(v.kvm)) return yield* kvm_pic_read_irq(v.kvm);
    const vector = v['arch.pending_external_vector'];
    v['arch.pending_external_vector'] = -1;
    return vector;
  },
);

export const kvm_cpu_get_interrupt = fn(
  'Takes the vector that comes next: a PIC’s first, else the local APIC’s.',
  function* kvm_cpu_get_interrupt(v: KvmVcpu) {
    const extint = yield* kvm_cpu_get_extint(v);
    if (extint !== -1) return extint;
    if (!since('linux', '6.12')) return yield* kvm_get_apic_interrupt(v);
    const vector = yield* kvm_apic_has_interrupt(v);
    if (vector !== -1) yield* kvm_apic_ack_interrupt(v, vector);
    return vector;
  },
);
