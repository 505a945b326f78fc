import { source } from '../../../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../../../engine/steps';
import { signal_event } from '../../../common/event';
import { vpic_intr_accepted, vpic_pending_intr, NO_VECTOR } from '../../../dm/vpic';
import { ACRN_REQUESTS, type AcrnRequest, type AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { kick_vcpu, vcpu_set_vmcs_eoi_exit } from './vcpu';
import { vlapic_has_pending_delivery_intr, vlapic_inject_intr } from './vlapic';

/** Virtual interrupts: requests to a vCPU, and what becomes of them at its next VM entry. */

export const VMX_INT_INFO_VALID = 0x80000000;
const VMX_INT_TYPE_NMI = 2;
const IDT_NMI = 2;
const IDT_GP = 13;
/** VMX_INT_TYPE_HW_EXP with EXCEPTION_ERROR_CODE_VALID, in place. */
const VMX_HW_EXP_WITH_ERROR = 0xb00;

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/virq.c');

const requested = (vcpu: AcrnVcpu, request: AcrnRequest): boolean => ((vcpu['arch.pending_req'] >>> ACRN_REQUESTS[request]) & 1) === 1;

/** bitmap_test_and_clear_lock() on the requests: whether it was made, which it then no longer is. */
function take(vcpu: AcrnVcpu, request: AcrnRequest): boolean {
  if (!requested(vcpu, request)) return false;
  at(request);
  vcpu['arch.pending_req'] &= ~(1 << ACRN_REQUESTS[request]);
  return true;
}

export const vcpu_make_request = fn(
  'Asks a vCPU to do something before it enters its guest again, and kicks it out if it is inside.',
  function* vcpu_make_request(vcpu: AcrnVcpu, eventid: AcrnRequest) {
    atCall('bitmap_set_lock', eventid);
    vcpu['arch.pending_req'] |= 1 << ACRN_REQUESTS[eventid];
    yield* kick_vcpu(vcpu);
  },
);

export const vcpu_inject_extint = fn(
  'The vPIC’s output rises: the boot CPU shall ask it for a vector. Which one is decided only at the VM entry.',
  function* vcpu_inject_extint(vcpu: AcrnVcpu) {
    yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EXTINT');
    yield* signal_event(vcpu.events.VCPU_EVENT_VIRTUAL_INTERRUPT);
  },
);

export const vcpu_inject_nmi = fn('Asks for a non-maskable interrupt.', function* vcpu_inject_nmi(vcpu: AcrnVcpu) {
  yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_NMI');
  yield* signal_event(vcpu.events.VCPU_EVENT_VIRTUAL_INTERRUPT);
});

export const vcpu_queue_exception = fn(
  'Notes an exception for the next entry.',
  function* vcpu_queue_exception(vcpu: AcrnVcpu, vector: number) {
    vcpu['arch.exception_info.exception'] = vector;
    behind('vcpu_make_request');
    yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EXCP');
    return 0;
  },
);

export const vcpu_inject_gp = fn(
  'The guest gets a general protection fault for what the hypervisor could not do.',
  function* vcpu_inject_gp(vcpu: AcrnVcpu) {
    yield* vcpu_queue_exception(vcpu, IDT_GP);
  },
);

const vcpu_inject_exception = fn('Injects the exception that was noted.', function* vcpu_inject_exception(vcpu: AcrnVcpu) {
  atCall('exec_vmwrite32');
  vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD = VMX_INT_INFO_VALID | VMX_HW_EXP_WITH_ERROR | vcpu['arch.exception_info.exception'];
  atWrite('exception', 'exec_vmwrite32');
  vcpu['arch.exception_info.exception'] = 0xff;
});

const is_guest_irq_enabled = fn(
  'Whether the guest takes interrupts now: RFLAGS.IF, and no STI or MOV SS shadow.',
  function* is_guest_irq_enabled(vcpu: AcrnVcpu) {
    atCall('vcpu_get_rflags');
    return vcpu.vmcs['VMX_GUEST_RFLAGS.IF'];
  },
);

const vcpu_do_pending_extint = fn(
  'Asks the vPIC for its vector and injects it. If the request has gone meanwhile the vPIC has none, and nothing is told to it: its intr_raised stays set for ever.',
  function* vcpu_do_pending_extint(vcpu: AcrnVcpu) {
    // The PIC is connected to the boot CPU alone.
    if (vcpu.vcpu_id !== 0) return false;
    const vector = yield* vpic_pending_intr(vcpu.vm.vpic);
    if (vector === NO_VECTOR) return false;
    atCall('exec_vmwrite32');
    vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD = VMX_INT_INFO_VALID | vector;
    yield* vpic_intr_accepted(vcpu.vm, vector);
    return true;
  },
);

const acrn_inject_pending_intr = fn(
  'Injects one interrupt if the guest takes any: the vPIC’s goes first. What cannot be injected now keeps its request.',
  function* acrn_inject_pending_intr(vcpu: AcrnVcpu, injected: boolean) {
    const guest_irq_enabled = yield* is_guest_irq_enabled(vcpu);
    let ret = injected;
    if (guest_irq_enabled && !ret && take(vcpu, 'ACRN_REQUEST_EXTINT')) ret = yield* vcpu_do_pending_extint(vcpu);
    if (take(vcpu, 'ACRN_REQUEST_EVENT')) yield* vlapic_inject_intr(vcpu, guest_irq_enabled, ret);
  },
);

const inject_nmi = (vcpu: AcrnVcpu): void => {
  atCall('is_nmi_injectable');
  vcpu.vmcs.VMX_ENTRY_INT_INFO_FIELD = VMX_INT_INFO_VALID | (VMX_INT_TYPE_NMI << 8) | IDT_NMI;
};

export const acrn_handle_pending_request = fn(
  'Serves a vCPU’s requests just before it enters its guest: injects what can be, and asks for an exit as soon as the guest can take what could not.',
  function* acrn_handle_pending_request(vcpu: AcrnVcpu) {
    if (take(vcpu, 'ACRN_REQUEST_EOI_EXIT_BITMAP_UPDATE')) yield* vcpu_set_vmcs_eoi_exit(vcpu);
    const exception = take(vcpu, 'ACRN_REQUEST_EXCP');
    if (exception) yield* vcpu_inject_exception(vcpu);
    const nmi = !exception && take(vcpu, 'ACRN_REQUEST_NMI');
    if (nmi) inject_nmi(vcpu);
    yield* acrn_inject_pending_intr(vcpu, exception || nmi);
    if (vcpu['arch.irq_window_enabled']) return 0;
    at('irq_window_enabled');
    if (requested(vcpu, 'ACRN_REQUEST_EXTINT') || (yield* vlapic_has_pending_delivery_intr(vcpu))) {
      behind('irq_window_enabled');
      atCall('exec_vmwrite32');
      vcpu.vmcs['VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN'] = true;
      vcpu['arch.irq_window_enabled'] = true;
    }
    return 0;
  },
);

export const interrupt_window_vmexit_handler = fn(
  'The guest can take interrupts again: the exit is no longer needed, and what waits is injected on the way back.',
  function* interrupt_window_vmexit_handler(vcpu: AcrnVcpu) {
    vcpu['arch.irq_window_enabled'] = false;
    atCall('exec_vmwrite32');
    vcpu.vmcs['VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN'] = false;
    return 0;
  },
);

export const external_interrupt_vmexit_handler = fn(
  'An interrupt for the CPU itself: a kick has no other purpose than this exit.',
  function* external_interrupt_vmexit_handler(_vcpu: AcrnVcpu) {
    atCall('dispatch_interrupt');
    return 0;
  },
);
