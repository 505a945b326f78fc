import { source, through } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import { since } from '../../../../../version';
import { at, atCall, causedBy, until } from '../../../../../../engine/steps';
import { enter_guest, INTR_INFO_VALID, VM_EXITS, type VmExit } from '../../../../../hardware/virt_cpu';
import { kvm_vcpu_kick } from '../../../../virt/kvm/kvm_main';
import type { KvmVcpu } from '../../../../virt/kvm/kvm_types';
import { kvm_lapic_set_irr } from '../lapic';
import { avic_pi_update_irte } from './avic';
import { kvm_mmu_page_fault } from '../mmu/mmu';
import type { KvmLapic } from '../lapic_state';
import {
  handle_fastpath_hlt,
  handle_fastpath_set_msr_irqoff,
  kvm_emulate_halt,
  kvm_emulate_wrmsr,
  kvm_fast_pio,
  kvm_set_msr_common,
  make_request,
  type Fastpath,
  type KvmX86Ops,
} from '../x86';

/** KVM on AMD-V, without AVIC: delivery by injection, entry, and the exits that interrupts cause. */

const { fn, ops } = source('linux', 'arch/x86/kvm/svm/svm.c');

const svm_complete_interrupt_delivery = fn(
  'Makes the vCPU look at the vector that was just requested.',
  function* svm_complete_interrupt_delivery(vcpu: KvmVcpu) {
    make_request(vcpu, 'KVM_REQ_EVENT');
    yield* kvm_vcpu_kick(vcpu);
  },
);

const svm_deliver_interrupt = fn(
  'Delivers a vector to a local APIC by setting its request bit.',
  function* svm_deliver_interrupt(apic: KvmLapic, _delivery_mode: number, _trig_mode: boolean, vector: number) {
    yield* kvm_lapic_set_irr(apic, vector);
    yield* svm_complete_interrupt_delivery(apic.vcpu);
  },
);

const svm_interrupt_allowed = fn('Whether the guest can take an interrupt now.', function* svm_interrupt_allowed(vcpu: KvmVcpu) {
  atCall('svm_interrupt_blocked');
  return vcpu.cpu.guest.IF;
});

const svm_inject_irq = fn('Has the CPU deliver a vector at the next entry.', function* svm_inject_irq(vcpu: KvmVcpu) {
  at('event_inj');
  vcpu.cpu.vmcb!['control.event_inj'] = INTR_INFO_VALID | vcpu['arch.interrupt.nr'];
});

const svm_enable_irq_window = fn(
  'Asks for an exit as soon as the guest can take an interrupt, by a virtual interrupt that is intercepted.',
  function* svm_enable_irq_window(vcpu: KvmVcpu) {
    atCall('svm_set_vintr');
    vcpu.cpu.vmcb!['control.int_ctl.V_IRQ'] = true;
  },
);

const svm_set_msr = fn(
  'The guest writes an MSR: those of AMD-V here, the others in common code.',
  function* svm_set_msr(vcpu: KvmVcpu, msr: number, data: bigint) {
    return yield* kvm_set_msr_common(vcpu, msr, data);
  },
);

const svm_exit_handlers_fastpath = fn(
  'Exits that are worth handling before interrupts are enabled: an IPI to one CPU, and since 6.12 HLT.',
  function* svm_exit_handlers_fastpath(vcpu: KvmVcpu): Run<Fastpath> {
    at('exit_code');
    const code = vcpu.cpu.vmcb!['control.exit_code'];
    if (code === VM_EXITS.SVM_EXIT_MSR) return yield* handle_fastpath_set_msr_irqoff(vcpu);
    if (code === VM_EXITS.SVM_EXIT_HLT && since('linux', '6.12')) return yield* handle_fastpath_hlt(vcpu);
    return 'EXIT_FASTPATH_NONE';
  },
);

const svm_vcpu_run = fn('Enters the guest and returns when it exits.', function* svm_vcpu_run(vcpu: KvmVcpu) {
  const { cpu } = vcpu;
  atCall('svm_vcpu_enter_exit');
  yield* enter_guest(cpu);
  yield* until(() => cpu.exit !== undefined);
  causedBy(cpu.exitedAt);
  atCall('svm_vcpu_enter_exit');
  return yield* svm_exit_handlers_fastpath(vcpu);
});

const intr_interception = fn(
  'A host interrupt ended the guest’s turn; it has been handled already.',
  function* intr_interception(_vcpu: KvmVcpu) {
    at('irq_exits');
    return 1;
  },
);

const interrupt_window_interception = fn('The guest can take an interrupt now.', function* interrupt_window_interception(vcpu: KvmVcpu) {
  make_request(vcpu, 'KVM_REQ_EVENT');
  atCall('svm_clear_vintr');
  vcpu.cpu.vmcb!['control.int_ctl.V_IRQ'] = false;
  return 1;
});

const msr_interception = fn('The guest accessed an MSR.', function* msr_interception(vcpu: KvmVcpu) {
  return yield* kvm_emulate_wrmsr(vcpu);
});

const io_interception = fn('The guest accessed a port.', function* io_interception(vcpu: KvmVcpu) {
  const { exit } = vcpu.cpu;
  at('io_info');
  return exit?.kind === 'io' ? yield* kvm_fast_pio(vcpu, exit) : 1;
});

const npf_interception = fn('The guest touched an address that is not mapped.', function* npf_interception(vcpu: KvmVcpu) {
  return yield* kvm_mmu_page_fault(vcpu);
});

const svm_exit_handlers = ops('svm_exit_handlers', {
  SVM_EXIT_INTR: intr_interception,
  SVM_EXIT_VINTR: interrupt_window_interception,
  SVM_EXIT_HLT: kvm_emulate_halt,
  SVM_EXIT_IOIO: io_interception,
  SVM_EXIT_MSR: msr_interception,
  SVM_EXIT_NPF: npf_interception,
});

const BY_NUMBER = new Map<number, keyof typeof svm_exit_handlers>(
  (Object.keys(svm_exit_handlers) as (keyof typeof svm_exit_handlers)[]).map((name) => [VM_EXITS[name], name]),
);

const svm_invoke_exit_handler = fn('Finds the handler of the exit code.', function* svm_invoke_exit_handler(vcpu: KvmVcpu) {
  const code = vcpu.cpu.vmcb!['control.exit_code'];
  const name = BY_NUMBER.get(code);
  if (name === undefined) throw new Error(`no handler for exit code ${code}`);
  return yield* through('vmexit', 'svm_exit_handlers', svm_exit_handlers[name])(vcpu);
});

const svm_handle_exit = fn('Handles the exit.', function* svm_handle_exit(vcpu: KvmVcpu, _exit: VmExit, exit_fastpath: Fastpath) {
  if (exit_fastpath === 'EXIT_FASTPATH_EXIT_USERSPACE') return 0;
  at('EXIT_FASTPATH_NONE');
  if (exit_fastpath !== 'EXIT_FASTPATH_NONE') return 1;
  return yield* svm_invoke_exit_handler(vcpu);
});

const table = ops('svm_x86_ops', {
  vcpu_run: svm_vcpu_run,
  handle_exit: svm_handle_exit,
  deliver_interrupt: svm_deliver_interrupt,
  inject_irq: svm_inject_irq,
  enable_irq_window: svm_enable_irq_window,
  interrupt_allowed: svm_interrupt_allowed,
  set_msr: svm_set_msr,
});

const svm_vcpu_load = fn('The vCPU’s control block becomes the CPU’s.', function* svm_vcpu_load(_vcpu: KvmVcpu) {
  atCall('kvm_vcpu_apicv_active');
});

const svm_vcpu_put = fn('The vCPU leaves the CPU.', function* svm_vcpu_put(_vcpu: KvmVcpu) {
  atCall('svm_prepare_host_switch');
});

export const svm_x86_ops: KvmX86Ops = {
  ...table,
  sched: ops('svm_x86_ops', { vcpu_load: svm_vcpu_load, vcpu_put: svm_vcpu_put }),
  posting: ops('svm_x86_ops', { pi_update_irte: avic_pi_update_irte }),
};
