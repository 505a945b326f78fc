import { source, through, type Fn } from '../../../../../../engine/fn';
import { at, atCall, causedBy, until } from '../../../../../../engine/steps';
import { since } from '../../../../../version';
import { enter_guest, INTR_INFO_VALID, post_interrupt, takePosted, type VmExit } from '../../../../../hardware/virt_cpu';
import { pir_set, pir_test } from '../../../../../hardware/pi_desc';
import { IN_GUEST_MODE, type KvmVcpu } from '../../../../virt/kvm/kvm_types';
import { kvm_vcpu_kick } from '../../../../virt/kvm/kvm_main';
import { kvm_apic_set_eoi_accelerated, kvm_lapic_set_eoi, kvm_lapic_set_irr } from '../lapic';
import { kvm_mmu_page_fault } from '../mmu/mmu';
import { __vmx_handle_ept_violation } from './common';
import { highestVector } from '../vectors';
import { kvm_emulate_wrmsr, kvm_fast_pio, kvm_set_msr_common, make_request } from '../x86';

/** KVM on VT-x: delivery by injection or by posting, entry, and the exits that interrupts cause. */

const { fn, ops } = source('linux', 'arch/x86/kvm/vmx/vmx.c');

const kvm_vcpu_trigger_posted_interrupt = fn(
  'Notifies the CPU that runs the guest: it takes the posted vectors without an exit.',
  function* kvm_vcpu_trigger_posted_interrupt(vcpu: KvmVcpu) {
    at('IN_GUEST_MODE');
    if (vcpu.mode === IN_GUEST_MODE) yield* post_interrupt(vcpu.cpu);
  },
);

const vmx_deliver_posted_interrupt = fn(
  'Posts a vector: into the descriptor, and a notification if none is outstanding. -1 if the local APIC is not virtualized.',
  function* vmx_deliver_posted_interrupt(vcpu: KvmVcpu, vector: number) {
    const { pi } = vcpu.cpu;
    at('apicv_active');
    if (!vcpu.apic.apicv_active || pi === undefined) return -1;
    atCall('pi_test_and_set_pir');
    if (pir_test(pi, vector)) return 0;
    pir_set(pi, vector);
    atCall('pi_test_and_set_on');
    if (pi.on) return 0;
    pi.on = true;
    yield* kvm_vcpu_trigger_posted_interrupt(vcpu);
    return 0;
  },
);

export const vmx_deliver_interrupt = fn(
  'Delivers a vector to a local APIC: by posting where that works, else by setting its request bit and making the vCPU look.',
  function* vmx_deliver_interrupt(vcpu: KvmVcpu, vector: number) {
    if ((yield* vmx_deliver_posted_interrupt(vcpu, vector)) === 0) return;
    yield* kvm_lapic_set_irr(vcpu.apic, vector);
    make_request(vcpu, 'KVM_REQ_EVENT');
    yield* kvm_vcpu_kick(vcpu);
  },
);

export const vmx_sync_pir_to_irr = fn(
  'Takes posted vectors into the virtual APIC by software, and tells the CPU the highest.',
  function* vmx_sync_pir_to_irr(vcpu: KvmVcpu) {
    const { pi, vmcs } = vcpu.cpu;
    if (pi === undefined || vmcs === undefined) return -1;
    atCall('pi_test_on');
    if (pi.on) {
      atCall('pi_clear_on');
      pi.on = false;
      atCall('kvm_apic_update_irr');
      takePosted(pi, vcpu.apic);
      atCall('vmx_set_rvi');
      vmcs['GUEST_INTR_STATUS.RVI'] = Math.max(highestVector(vcpu.apic, 'APIC_IRR'), 0);
    }
    return highestVector(vcpu.apic, 'APIC_IRR');
  },
);

export const vmx_load_eoi_exitmap = fn(
  'Writes the EOI-exit bitmap: these vectors’ ends exit, all others stay in the CPU.',
  function* vmx_load_eoi_exitmap(vcpu: KvmVcpu) {
    const { vmcs } = vcpu.cpu;
    if (vmcs === undefined || !vcpu.apic.apicv_active) return;
    at('EOI_EXIT_BITMAP0');
    for (const word of [0, 1] as const) {
      const wanted = vcpu[`ioapic_handled_vectors[${word}]`];
      if (vmcs[`EOI_EXIT_BITMAP[${word}]`] !== wanted) vmcs[`EOI_EXIT_BITMAP[${word}]`] = wanted;
    }
  },
);

export const vmx_interrupt_allowed = fn(
  'Whether the guest can take an interrupt now: its IF flag, and nothing that shadows it.',
  function* vmx_interrupt_allowed(vcpu: KvmVcpu) {
    atCall('vmx_interrupt_blocked');
    return vcpu.cpu.guest.IF;
  },
);

export const vmx_inject_irq = fn('Has the CPU deliver a vector at the next entry.', function* vmx_inject_irq(vcpu: KvmVcpu) {
  at('VM_ENTRY_INTR_INFO_FIELD');
  vcpu.cpu.vmcs!.VM_ENTRY_INTR_INFO_FIELD = INTR_INFO_VALID | vcpu['arch.interrupt.nr'];
});

export const vmx_enable_irq_window = fn(
  'Asks for an exit as soon as the guest can take an interrupt.',
  function* vmx_enable_irq_window(vcpu: KvmVcpu) {
    at('CPU_BASED_INTR_WINDOW_EXITING');
    vcpu.cpu.vmcs!.CPU_BASED_INTR_WINDOW_EXITING = true;
  },
);

export const vmx_set_msr = fn(
  'The guest writes an MSR: those of VT-x here, the others in common code.',
  function* vmx_set_msr(vcpu: KvmVcpu, msr: number, data: number) {
    return yield* kvm_set_msr_common(vcpu, msr, data);
  },
);

export const vmx_vcpu_run = fn('Enters the guest and returns when it exits.', function* vmx_vcpu_run(vcpu: KvmVcpu) {
  const { cpu } = vcpu;
  atCall('vmx_vcpu_enter_exit');
  yield* enter_guest(cpu);
  yield* until(() => cpu.exit !== undefined);
  causedBy(cpu.exitedAt);
  atCall('vmx_vcpu_enter_exit');
});

const handle_external_interrupt = fn(
  'A host interrupt ended the guest’s turn; it has been handled already.',
  function* handle_external_interrupt(_vcpu: KvmVcpu, _exit: VmExit) {
    at('irq_exits');
    return 1;
  },
);

const handle_interrupt_window = fn('The guest can take an interrupt now.', function* handle_interrupt_window(vcpu: KvmVcpu, _exit: VmExit) {
  at('CPU_BASED_INTR_WINDOW_EXITING');
  vcpu.cpu.vmcs!.CPU_BASED_INTR_WINDOW_EXITING = false;
  make_request(vcpu, 'KVM_REQ_EVENT');
  return 1;
});

const handle_io = fn('The guest accessed a port.', function* handle_io(vcpu: KvmVcpu, exit: VmExit) {
  at('exit_qualification');
  return exit.kind === 'io' ? yield* kvm_fast_pio(vcpu, exit) : 1;
});

const handle_apic_access = fn(
  'The guest touched its local APIC’s page. An EOI is recognised without emulating the instruction.',
  function* handle_apic_access(vcpu: KvmVcpu, _exit: VmExit) {
    yield* kvm_lapic_set_eoi(vcpu);
    return 1;
  },
);

const handle_apic_eoi_induced = fn(
  'The guest ended a vector that is in the EOI-exit bitmap. The CPU has done its part; the I/O APIC has to hear of it.',
  function* handle_apic_eoi_induced(vcpu: KvmVcpu, exit: VmExit) {
    if (exit.kind === 'eoi induced') yield* kvm_apic_set_eoi_accelerated(vcpu, exit.vector);
    return 1;
  },
);

const handle_ept_violation = fn(
  'The guest touched an address that has no mapping yet.',
  function* handle_ept_violation(vcpu: KvmVcpu, _exit: VmExit) {
    return since('linux', '6.12') ? yield* __vmx_handle_ept_violation(vcpu) : yield* kvm_mmu_page_fault(vcpu);
  },
);

const handle_ept_misconfig = fn(
  'The guest touched an address that is known to be MMIO.',
  function* handle_ept_misconfig(vcpu: KvmVcpu, _exit: VmExit) {
    return yield* kvm_mmu_page_fault(vcpu);
  },
);

const wrmsr = kvm_emulate_wrmsr as unknown as Fn<[vcpu: KvmVcpu, exit: VmExit], number>;

const kvm_vmx_exit_handlers = ops('kvm_vmx_exit_handlers', {
  EXIT_REASON_EXTERNAL_INTERRUPT: handle_external_interrupt,
  EXIT_REASON_INTERRUPT_WINDOW: handle_interrupt_window,
  EXIT_REASON_IO_INSTRUCTION: handle_io,
  EXIT_REASON_MSR_WRITE: wrmsr,
  EXIT_REASON_APIC_ACCESS: handle_apic_access,
  EXIT_REASON_EOI_INDUCED: handle_apic_eoi_induced,
  EXIT_REASON_EPT_VIOLATION: handle_ept_violation,
  EXIT_REASON_EPT_MISCONFIG: handle_ept_misconfig,
});

const BY_NUMBER = new Map<number, keyof typeof kvm_vmx_exit_handlers>([
  [1, 'EXIT_REASON_EXTERNAL_INTERRUPT'],
  [7, 'EXIT_REASON_INTERRUPT_WINDOW'],
  [30, 'EXIT_REASON_IO_INSTRUCTION'],
  [32, 'EXIT_REASON_MSR_WRITE'],
  [44, 'EXIT_REASON_APIC_ACCESS'],
  [45, 'EXIT_REASON_EOI_INDUCED'],
  [48, 'EXIT_REASON_EPT_VIOLATION'],
  [49, 'EXIT_REASON_EPT_MISCONFIG'],
]);

const __vmx_handle_exit = fn('Finds the handler of the exit reason.', function* __vmx_handle_exit(vcpu: KvmVcpu, exit: VmExit) {
  const name = BY_NUMBER.get(vcpu.cpu.vmcs!.VM_EXIT_REASON);
  if (name === undefined) throw new Error(`no handler for exit reason ${vcpu.cpu.vmcs!.VM_EXIT_REASON}`);
  return yield* through('vmexit', 'kvm_vmx_exit_handlers', kvm_vmx_exit_handlers[name])(vcpu, exit);
});

export const vmx_handle_exit = fn('Handles the exit.', function* vmx_handle_exit(vcpu: KvmVcpu, exit: VmExit) {
  return yield* __vmx_handle_exit(vcpu, exit);
});
