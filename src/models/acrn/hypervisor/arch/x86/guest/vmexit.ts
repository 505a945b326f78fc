import { source, through, type Fn, type Pointer } from '../../../../../../engine/fn';
import { at } from '../../../../../../engine/steps';
import type { VmxExit } from '../../../../../hardware/vmx_cpu';
import { wait_event } from '../../../common/event';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { external_interrupt_vmexit_handler, interrupt_window_vmexit_handler } from './virq';
import { apic_write_vmexit_handler, veoi_vmexit_handler, vlapic_has_pending_intr } from './vlapic';
import { vmcall_vmexit_handler } from './vmcall';
import { ept_violation_vmexit_handler, pio_instr_vmexit_handler } from './vmx_io';
import { rdmsr_vmexit_handler, wrmsr_vmexit_handler } from './vmsr';

/** VM exits: a handler for each reason. */

const { fn, ops } = source('acrn', 'hypervisor/arch/x86/guest/vmexit.c');

const hlt_vmexit_handler = fn(
  'The guest has nothing to do: its thread sleeps until an interrupt is accepted for it.',
  function* hlt_vmexit_handler(vcpu: AcrnVcpu) {
    at('pending_req');
    if (vcpu['arch.pending_req'] === 0 && !(yield* vlapic_has_pending_intr(vcpu)))
      yield* wait_event(vcpu.events.VCPU_EVENT_VIRTUAL_INTERRUPT);
    return 0;
  },
);

type Handlers = { readonly [R in VmxExit['reason']]: Fn<[vcpu: AcrnVcpu], number> };
const handlers: Handlers = {
  VMX_EXIT_REASON_EXTERNAL_INTERRUPT: external_interrupt_vmexit_handler,
  VMX_EXIT_REASON_INTERRUPT_WINDOW: interrupt_window_vmexit_handler,
  VMX_EXIT_REASON_HLT: hlt_vmexit_handler,
  VMX_EXIT_REASON_VMCALL: vmcall_vmexit_handler,
  VMX_EXIT_REASON_IO_INSTRUCTION: pio_instr_vmexit_handler,
  VMX_EXIT_REASON_RDMSR: rdmsr_vmexit_handler,
  VMX_EXIT_REASON_WRMSR: wrmsr_vmexit_handler,
  VMX_EXIT_REASON_VIRTUALIZED_EOI: veoi_vmexit_handler,
  VMX_EXIT_REASON_EPT_VIOLATION: ept_violation_vmexit_handler,
  VMX_EXIT_REASON_APIC_WRITE: apic_write_vmexit_handler,
};
const dispatch_table: { readonly [R in VmxExit['reason']]: Pointer<[vcpu: AcrnVcpu], number> } = ops('dispatch_table', handlers);

export const vmexit_handler = fn(
  'Looks the reason up in a table and calls its handler. A negative result means that the guest did what nobody can do for it.',
  function* vmexit_handler(vcpu: AcrnVcpu) {
    const exit = vcpu.cpu.exit!;
    at('exit_qualification');
    if (exit.reason === 'VMX_EXIT_REASON_VIRTUALIZED_EOI') vcpu.exit_qualification = exit.vector;
    if (exit.reason === 'VMX_EXIT_REASON_APIC_WRITE') vcpu.exit_qualification = exit.offset;
    return yield* through('vmexit', 'handler', dispatch_table[exit.reason])(vcpu);
  },
);
