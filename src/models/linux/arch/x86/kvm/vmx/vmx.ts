import { source, through, type Fn } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import { running } from '../../../../../../engine/running';
import { at, atCall, causedBy, until } from '../../../../../../engine/steps';
import { since } from '../../../../../version';
import { enter_guest, INTR_INFO_VALID, post_interrupt, VM_EXITS, type VmExit } from '../../../../../hardware/virt_cpu';
import { pir_set, pir_test } from '../../../../../hardware/pi_desc';
import { IN_GUEST_MODE, type KvmVcpu } from '../../../../virt/kvm/kvm_types';
import { kvm_io_bus_write, kvm_vcpu_kick, kvm_vcpu_wake_up } from '../../../../virt/kvm/kvm_main';
import { APIC_EOI } from '../../include/asm/apicdef';
import {
  kvm_apic_set_eoi_accelerated,
  kvm_apic_update_irr,
  kvm_apic_write_nodecode,
  kvm_lapic_find_highest_irr,
  kvm_lapic_set_eoi,
  kvm_lapic_set_irr,
} from '../lapic';
import type { KvmLapic } from '../lapic_state';
import { kvm_mmu_page_fault } from '../mmu/mmu';
import { pi_wakeup_handler, vmx_vcpu_pi_load, vmx_vcpu_pi_put } from './posted_intr';
import { __vmx_handle_ept_violation } from './common';
import {
  handle_fastpath_hlt,
  handle_fastpath_set_msr_irqoff,
  kvm_emulate_halt,
  kvm_emulate_instruction,
  kvm_emulate_wrmsr,
  kvm_fast_pio,
  kvm_set_msr_common,
  make_request,
  type Fastpath,
} from '../x86';

/** KVM on VT-x: delivery by injection or by posting, entry, and the exits that interrupts cause. */

const { fn, ops } = source('linux', 'arch/x86/kvm/vmx/vmx.c');

const kvm_vcpu_trigger_posted_interrupt = fn(
  'Notifies the CPU that runs the guest: it takes the posted vectors without an exit. A guest that does not run is woken if it sleeps; before its next entry the descriptor is looked at anyhow.',
  function* kvm_vcpu_trigger_posted_interrupt(vcpu: KvmVcpu) {
    at('IN_GUEST_MODE');
    if (vcpu.mode !== IN_GUEST_MODE) {
      yield* kvm_vcpu_wake_up(vcpu);
      return;
    }
    atCall('kvm_get_running_vcpu');
    if (vcpu.thread !== running().currentThread) yield* post_interrupt(vcpu.cpu);
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
  function* vmx_deliver_interrupt(apic: KvmLapic, _delivery_mode: number, _trig_mode: boolean, vector: number) {
    const { vcpu } = apic;
    if ((yield* vmx_deliver_posted_interrupt(vcpu, vector)) === 0) return;
    yield* kvm_lapic_set_irr(apic, vector);
    make_request(vcpu, 'KVM_REQ_EVENT');
    yield* kvm_vcpu_kick(vcpu);
  },
);

const vmx_set_rvi = fn(
  'Tells the CPU the highest vector that is requested: it delivers that one as soon as the guest can take it.',
  function* vmx_set_rvi(vcpu: KvmVcpu, vector: number) {
    const vmcs = vcpu.cpu.vmcs!;
    const rvi = Math.max(vector, 0);
    at('GUEST_INTR_STATUS');
    if (vmcs['GUEST_INTR_STATUS.RVI'] !== rvi) vmcs['GUEST_INTR_STATUS.RVI'] = rvi;
  },
);

export const vmx_hwapic_irr_update = fn(
  'KVM changed IRR itself: the CPU is told the highest.',
  function* vmx_hwapic_irr_update(vcpu: KvmVcpu, max_irr: number) {
    yield* vmx_set_rvi(vcpu, max_irr);
  },
);

export const vmx_hwapic_isr_update = fn(
  'KVM changed ISR itself: the CPU is told the highest, which is what the next EOI ends.',
  function* vmx_hwapic_isr_update(vcpu: KvmVcpu, max_isr: number) {
    const vmcs = vcpu.cpu.vmcs!;
    const svi = Math.max(max_isr, 0);
    at('GUEST_INTR_STATUS');
    if (vmcs['GUEST_INTR_STATUS.SVI'] !== svi) vmcs['GUEST_INTR_STATUS.SVI'] = svi;
  },
);

export const vmx_sync_pir_to_irr = fn(
  'Takes posted vectors into the virtual APIC by software, and tells the CPU the highest; where APICv is off for the moment, KVM has to inject them itself.',
  function* vmx_sync_pir_to_irr(vcpu: KvmVcpu) {
    const { pi } = vcpu.cpu;
    if (pi === undefined) return -1;
    let max_irr: number;
    let got_posted_interrupt = false;
    atCall('pi_test_on');
    if (pi.on) {
      atCall('pi_clear_on');
      pi.on = false;
      ({ max_irr, irr_updated: got_posted_interrupt } = yield* kvm_apic_update_irr(vcpu.apic, pi));
    } else {
      atCall('kvm_lapic_find_highest_irr');
      max_irr = kvm_lapic_find_highest_irr(vcpu);
    }
    if (vcpu.apic.apicv_active) yield* vmx_set_rvi(vcpu, max_irr);
    else if (got_posted_interrupt) make_request(vcpu, 'KVM_REQ_EVENT');
    return max_irr;
  },
);

export const vmx_load_eoi_exitmap = fn(
  'Writes the EOI-exit bitmap: these vectors’ ends exit, all others stay in the CPU.',
  function* vmx_load_eoi_exitmap(vcpu: KvmVcpu) {
    const { vmcs } = vcpu.cpu;
    if (vmcs === undefined || !vcpu.apic.apicv_active) return;
    at('EOI_EXIT_BITMAP0');
    for (const word of [0, 1, 2, 3, 4, 5, 6, 7] as const) {
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
  function* vmx_set_msr(vcpu: KvmVcpu, msr: number, data: bigint) {
    return yield* kvm_set_msr_common(vcpu, msr, data);
  },
);

export const vmx_vcpu_load = fn(
  'The vCPU’s control structure becomes the CPU’s, and notifications come here.',
  function* vmx_vcpu_load(vcpu: KvmVcpu) {
    atCall('vmx_vcpu_load_vmcs');
    yield* vmx_vcpu_pi_load(vcpu);
  },
);

export const vmx_vcpu_put = fn('The vCPU leaves the CPU: first, notifications are redirected.', function* vmx_vcpu_put(vcpu: KvmVcpu) {
  yield* vmx_vcpu_pi_put(vcpu);
  atCall('vmx_prepare_switch_to_host');
});

/** What vmx_hardware_setup() has called when a device posts to a vCPU that sleeps. */
export const vmx_hardware_setup = ops('vmx_hardware_setup', { wakeup_handler: pi_wakeup_handler });

const vmx_exit_handlers_fastpath = fn(
  'Exits that are worth handling before interrupts are enabled: an IPI to one CPU, and since 6.12 HLT.',
  function* vmx_exit_handlers_fastpath(vcpu: KvmVcpu): Run<Fastpath> {
    at('exit_reason');
    const reason = vcpu.cpu.vmcs!.VM_EXIT_REASON;
    if (reason === VM_EXITS.EXIT_REASON_MSR_WRITE) return yield* handle_fastpath_set_msr_irqoff(vcpu);
    if (reason === VM_EXITS.EXIT_REASON_HLT && since('linux', '6.12')) return yield* handle_fastpath_hlt(vcpu);
    return 'EXIT_FASTPATH_NONE';
  },
);

export const vmx_vcpu_run = fn('Enters the guest and returns when it exits.', function* vmx_vcpu_run(vcpu: KvmVcpu) {
  const { cpu } = vcpu;
  atCall('vmx_vcpu_enter_exit');
  yield* enter_guest(cpu);
  yield* until(() => cpu.exit !== undefined);
  causedBy(cpu.exitedAt);
  atCall('vmx_vcpu_enter_exit');
  return yield* vmx_exit_handlers_fastpath(vcpu);
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
  function* handle_apic_access(vcpu: KvmVcpu, exit: VmExit) {
    at('APIC_EOI');
    if (exit.kind !== 'apic access' || !exit.is_write || exit.offset !== APIC_EOI) return yield* kvm_emulate_instruction(vcpu);
    yield* kvm_lapic_set_eoi(vcpu);
    return 1;
  },
);

const handle_apic_write = fn(
  'The guest wrote a register that the CPU keeps but does not act on: the instruction is done, its effect is not.',
  function* handle_apic_write(vcpu: KvmVcpu, exit: VmExit) {
    if (exit.kind === 'apic write') yield* kvm_apic_write_nodecode(vcpu, exit.offset);
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
  'The guest touched an address that is known to be MMIO. A device that asked for writes of any width and value is told without even decoding the instruction.',
  function* handle_ept_misconfig(vcpu: KvmVcpu, exit: VmExit) {
    if (exit.kind === 'mmio' && (yield* kvm_io_bus_write(vcpu, 'KVM_FAST_MMIO_BUS', exit.phys_addr, 0, 0)) === 0) {
      atCall('kvm_skip_emulated_instruction');
      return 1;
    }
    return yield* kvm_mmu_page_fault(vcpu);
  },
);

const wrmsr = kvm_emulate_wrmsr as unknown as Fn<[vcpu: KvmVcpu, exit: VmExit], number>;
const hlt = kvm_emulate_halt as unknown as Fn<[vcpu: KvmVcpu, exit: VmExit], number>;

const kvm_vmx_exit_handlers = ops('kvm_vmx_exit_handlers', {
  EXIT_REASON_EXTERNAL_INTERRUPT: handle_external_interrupt,
  EXIT_REASON_INTERRUPT_WINDOW: handle_interrupt_window,
  EXIT_REASON_HLT: hlt,
  EXIT_REASON_IO_INSTRUCTION: handle_io,
  EXIT_REASON_MSR_WRITE: wrmsr,
  EXIT_REASON_APIC_ACCESS: handle_apic_access,
  EXIT_REASON_EOI_INDUCED: handle_apic_eoi_induced,
  EXIT_REASON_EPT_VIOLATION: handle_ept_violation,
  EXIT_REASON_EPT_MISCONFIG: handle_ept_misconfig,
  EXIT_REASON_APIC_WRITE: handle_apic_write,
});

const BY_NUMBER = new Map(
  (Object.keys(kvm_vmx_exit_handlers) as (keyof typeof kvm_vmx_exit_handlers)[]).map((name) => [VM_EXITS[name] as number, name]),
);

const __vmx_handle_exit = fn(
  'Finds the handler of the exit reason.',
  function* __vmx_handle_exit(vcpu: KvmVcpu, exit: VmExit, exit_fastpath: Fastpath) {
    if (exit_fastpath === 'EXIT_FASTPATH_EXIT_USERSPACE') return 0;
    at('EXIT_FASTPATH_NONE');
    if (exit_fastpath !== 'EXIT_FASTPATH_NONE') return 1;
    const name = BY_NUMBER.get(vcpu.cpu.vmcs!.VM_EXIT_REASON);
    if (name === undefined) throw new Error(`no handler for exit reason ${vcpu.cpu.vmcs!.VM_EXIT_REASON}`);
    return yield* through('vmexit', 'kvm_vmx_exit_handlers', kvm_vmx_exit_handlers[name])(vcpu, exit);
  },
);

export const vmx_handle_exit = fn('Handles the exit.', function* vmx_handle_exit(vcpu: KvmVcpu, exit: VmExit, exit_fastpath: Fastpath) {
  return yield* __vmx_handle_exit(vcpu, exit, exit_fastpath);
});
