import { bool, hex, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, interrupting, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { causedBy, preempt, resumedBy, signal, until } from '../../engine/steps';
import { bitmap_assign, bitmap_test, highest_above_31 } from '../acrn/hypervisor/bitmaps';
import { vmexit_handler } from '../acrn/hypervisor/arch/x86/guest/vmexit';
import { apicv_advanced_ops } from '../acrn/hypervisor/arch/x86/guest/vlapic';
import type { Hypercall } from '../acrn/hypervisor/include/public/acrn_hv_defs';
import type { AcrnVcpu } from '../acrn/hypervisor/include/arch/x86/asm/guest/vcpu';

/**
 * A CPU with VT-x under ACRN, from both sides: how the hypervisor enters, and what a guest's instructions do. Interrupt
 * messages for the CPU itself wait in `per_cpu_region.irr`.
 */

export const VMX_EXIT_REASONS = {
  VMX_EXIT_REASON_EXTERNAL_INTERRUPT: 0x01,
  VMX_EXIT_REASON_INTERRUPT_WINDOW: 0x07,
  VMX_EXIT_REASON_HLT: 0x0c,
  VMX_EXIT_REASON_VMCALL: 0x12,
  VMX_EXIT_REASON_IO_INSTRUCTION: 0x1e,
  VMX_EXIT_REASON_RDMSR: 0x1f,
  VMX_EXIT_REASON_WRMSR: 0x20,
  VMX_EXIT_REASON_VIRTUALIZED_EOI: 0x2d,
  VMX_EXIT_REASON_EPT_VIOLATION: 0x30,
  VMX_EXIT_REASON_APIC_WRITE: 0x38,
} as const;

/** An access of the guest that left it. */
export interface GuestAccess {
  readonly address: number;
  readonly size: number;
  readonly write: boolean;
  readonly value: number;
}

/** Why the guest stopped running, with what the exit handler needs to know of it. */
export type VmxExit =
  | {
      readonly reason: 'VMX_EXIT_REASON_EXTERNAL_INTERRUPT' | 'VMX_EXIT_REASON_INTERRUPT_WINDOW' | 'VMX_EXIT_REASON_HLT';
    }
  | { readonly reason: 'VMX_EXIT_REASON_VMCALL'; readonly call: Hypercall }
  | { readonly reason: 'VMX_EXIT_REASON_IO_INSTRUCTION' | 'VMX_EXIT_REASON_EPT_VIOLATION'; readonly access: GuestAccess }
  | { readonly reason: 'VMX_EXIT_REASON_RDMSR'; readonly msr: number }
  | { readonly reason: 'VMX_EXIT_REASON_WRMSR'; readonly msr: number; readonly value: number }
  /** Only in xAPIC mode: the guest has written a register in the APIC page. */
  | { readonly reason: 'VMX_EXIT_REASON_APIC_WRITE'; readonly offset: number }
  | { readonly reason: 'VMX_EXIT_REASON_VIRTUALIZED_EOI'; readonly vector: number };

const GuestCpuCells = struct('guest_cpu', 'A virtual CPU, as its guest sees it.', {
  running: bool(),
  /** What a read or a hypercall returned. */
  RAX: hex(32),
});

/** The guest's side of a virtual CPU. */
export type VmxCpu = InstanceOf<typeof GuestCpuCells> & {
  exit: VmxExit | undefined;
  enteredAt: number;
  exitedAt: number;
};

/** Makes a virtual CPU that has not been entered yet. */
export const vmx_cpu = (name: string): VmxCpu => Object.assign(GuestCpuCells(name), { exit: undefined, enteredAt: -1, exitedAt: -1 });

const VMX_INT_INFO_VALID = 0x80000000;
/** Type and vector of what is injected. */
const GP_FAULT = 0xb0d;

const { fn } = source('hardware', 'vmx_cpu');

/** Posted interrupts with virtual-interrupt delivery: the CPU evaluates the virtual APIC by itself. */
const posts = ({ vlapic }: AcrnVcpu): boolean => vlapic.ops === apicv_advanced_ops;

const evaluate = ({ vlapic, vmcs }: AcrnVcpu): void => {
  const rvi = highest_above_31(vlapic, 'apic_page.irr');
  if (vmcs['VMX_GUEST_INTR_STATUS.RVI'] !== rvi) vmcs['VMX_GUEST_INTR_STATUS.RVI'] = rvi;
};

const process_posted_interrupts = fn(
  'The CPU moves the posted vectors into the virtual IRR and evaluates: no exit, no hypervisor. A guest that is in the middle of something takes at once what it can.',
  function* process_posted_interrupts(vcpu: AcrnVcpu, handle?: Handle) {
    vcpu.pcpu['irr.POSTED_INTR_VECTOR'] = false;
    vcpu.pid.POSTED_INTR_ON = false;
    for (let vector = 32; vector < 256; vector++) {
      if (bitmap_test(vcpu.pid, 'pir', vector)) {
        bitmap_assign(vcpu.pid, 'pir', vector, false);
        bitmap_assign(vcpu.vlapic, 'apic_page.irr', vector, true);
      }
    }
    evaluate(vcpu);
    const event = handle && deliverable(vcpu);
    if (event !== undefined) yield* accept_vector(vcpu, event, handle!);
  },
);

const enter_guest = fn('VM entry: the CPU runs guest code until something makes it leave.', function* enter_guest(vcpu: AcrnVcpu) {
  const { cpu, pcpu } = vcpu;
  cpu.exit = undefined;
  cpu.running = true;
  cpu.enteredAt = signal('vmentry', 'running');
  if (pcpu['irr.POSTED_INTR_VECTOR'] && posts(vcpu)) yield* process_posted_interrupts(vcpu);
});

const leave_guest = fn('VM exit: the CPU is back in the hypervisor.', function* leave_guest({ cpu }: AcrnVcpu, exit: VmxExit) {
  cpu.running = false;
  cpu.exit = exit;
  cpu.exitedAt = signal('vmexit', exit.reason);
});

const take_own_interrupts = fn(
  'Outside of the guest, with interrupts on, messages for the CPU itself are taken: neither asks for more than was done already.',
  function* take_own_interrupts({ pcpu }: AcrnVcpu) {
    if (pcpu['irr.NOTIFY_VCPU_VECTOR']) pcpu['irr.NOTIFY_VCPU_VECTOR'] = false;
    if (pcpu['irr.POSTED_INTR_VECTOR']) pcpu['irr.POSTED_INTR_VECTOR'] = false;
  },
);

/** Enters the guest, and waits until it has left again. */
export function* vm_entry(vcpu: AcrnVcpu): Run {
  const { cpu } = vcpu;
  yield* enter_guest(vcpu);
  yield* until(() => cpu.exit !== undefined);
  causedBy(cpu.exitedAt);
}

const kicked = fn('A kick reaches the CPU while it runs guest code.', function* kicked(vcpu: AcrnVcpu) {
  vcpu.pcpu['irr.NOTIFY_VCPU_VECTOR'] = false;
  yield* leave_guest(vcpu, { reason: 'VMX_EXIT_REASON_EXTERNAL_INTERRUPT' });
});

/** With interrupts on again after an exit: what came for the CPU itself is taken. */
export function* open_interrupts(vcpu: AcrnVcpu): Run {
  const { pcpu } = vcpu;
  if (pcpu['irr.NOTIFY_VCPU_VECTOR'] || pcpu['irr.POSTED_INTR_VECTOR']) yield* take_own_interrupts(vcpu);
}

/** Leaves the guest, and comes back when the hypervisor enters it again. */
export function* vm_exit(vcpu: AcrnVcpu, exit: VmxExit): Run {
  yield* leave_guest(vcpu, exit);
  yield* entered(vcpu);
}

function* entered({ cpu }: AcrnVcpu): Run {
  if (cpu.running) return;
  yield* until(() => cpu.running);
  resumedBy(cpu.enteredAt);
}

/** A vector that the guest takes now, or `undefined`. A fault comes whether interrupts are on or not. */
function deliverable(vcpu: AcrnVcpu): number | undefined {
  const { vmcs, vlapic } = vcpu;
  const injected = vmcs.VMX_ENTRY_INT_INFO_FIELD;
  if (injected & VMX_INT_INFO_VALID) return injected & 0xfff;
  const rvi = vmcs['VMX_GUEST_INTR_STATUS.RVI'];
  return posts(vcpu) && vmcs['VMX_GUEST_RFLAGS.IF'] && rvi >> 4 > vlapic['apic_page.ppr'] >> 4 ? rvi : undefined;
}

/** Whether the CPU has something to do besides the guest's next instruction. */
export const interrupted = (vcpu: AcrnVcpu): boolean =>
  vcpu.cpu.running &&
  (vcpu.pcpu['irr.NOTIFY_VCPU_VECTOR'] || (posts(vcpu) && vcpu.pcpu['irr.POSTED_INTR_VECTOR']) || deliverable(vcpu) !== undefined);

const accept_vector = fn(
  'The guest’s CPU takes the interrupt, and goes where its table of handlers says: interrupts are off from here to the return from it.',
  function* accept_vector(vcpu: AcrnVcpu, event: number, handle: Handle) {
    const { vmcs, vlapic } = vcpu;
    const vector = event & 0xff;
    if (vmcs.VMX_ENTRY_INT_INFO_FIELD !== 0) vmcs.VMX_ENTRY_INT_INFO_FIELD = 0;
    else {
      bitmap_assign(vlapic, 'apic_page.isr', vector, true);
      bitmap_assign(vlapic, 'apic_page.irr', vector, false);
      vmcs['VMX_GUEST_INTR_STATUS.SVI'] = vector;
      vlapic['apic_page.ppr'] = vector & 0xf0;
      evaluate(vcpu);
    }
    vmcs['VMX_GUEST_RFLAGS.IF'] = false;
    yield* handle(event === GP_FAULT ? { kind: 'fault' } : { kind: 'vector', vector });
    yield* set_IF(vcpu, true);
  },
);

/** What came between two instructions of the guest: a vector that it takes, or the end of it by a fault. */
type Event = { readonly kind: 'vector'; readonly vector: number } | { readonly kind: 'fault' };

/** What the guest does then. */
export type Handle = (event: Event) => Run;

/** Between two instructions: leaves the guest if the CPU is kicked, takes posted vectors, and the vectors that are due. */
export function* instruction_boundary(vcpu: AcrnVcpu, handle: Handle): Run {
  const { cpu, pcpu, vmcs } = vcpu;
  for (;;) {
    yield* preempt();
    yield* entered(vcpu);
    if (!interrupted(vcpu)) return;
    // What is injected is delivered as a part of the entry: before a kick makes the CPU leave again.
    const injected = (vmcs.VMX_ENTRY_INT_INFO_FIELD & VMX_INT_INFO_VALID) !== 0;
    if (pcpu['irr.NOTIFY_VCPU_VECTOR'] && !injected) {
      causedBy(pcpu.interruptedAt);
      yield* interrupting(kicked)(vcpu);
    } else if (pcpu['irr.POSTED_INTR_VECTOR'] && posts(vcpu) && !injected) {
      causedBy(pcpu.interruptedAt);
      yield* interrupting(process_posted_interrupts)(vcpu, handle);
    } else {
      const event = deliverable(vcpu);
      if (event === undefined) continue;
      causedBy(cpu.enteredAt);
      yield* interrupting(accept_vector)(vcpu, event, handle);
    }
  }
}

/** CLI, STI and IRET. Opening interrupts makes a CPU leave whose hypervisor waits for just that. */
export const set_IF = fn('RFLAGS.IF changes.', function* set_IF(vcpu: AcrnVcpu, on: boolean) {
  const { vmcs } = vcpu;
  vmcs['VMX_GUEST_RFLAGS.IF'] = on;
  if (on && vmcs['VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN'])
    yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_INTERRUPT_WINDOW' });
});

const virtualize_EOI = fn(
  'EOI virtualization: the CPU ends the interrupt in the virtual APIC itself, and leaves only for vectors in the EOI-exit bitmap.',
  function* virtualize_EOI(vcpu: AcrnVcpu) {
    const { vmcs, vlapic } = vcpu;
    const vector = vmcs['VMX_GUEST_INTR_STATUS.SVI'];
    bitmap_assign(vlapic, 'apic_page.isr', vector, false);
    const next = highest_above_31(vlapic, 'apic_page.isr');
    vmcs['VMX_GUEST_INTR_STATUS.SVI'] = next;
    vlapic['apic_page.ppr'] = next & 0xf0;
    if (bitmap_test(vmcs, 'VMX_EOI_EXIT', vector)) yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_VIRTUALIZED_EOI', vector });
  },
);

/** The MSRs of a local APIC’s registers, in x2APIC mode. */
export const X2APIC = {
  EOI: 0x80b,
  SPIV: 0x80f,
  ESR: 0x828,
  ICR: 0x830,
  LVTT: 0x832,
  TMICT: 0x838,
  TMCCT: 0x839,
  TDCR: 0x83e,
  SELF_IPI: 0x83f,
} as const;

export const write_EOI = fn('The guest writes its local APIC’s EOI register.', function* write_EOI(vcpu: AcrnVcpu) {
  if (posts(vcpu)) yield* virtualize_EOI(vcpu);
  else yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_WRMSR', msr: X2APIC.EOI, value: 0 });
});

/** Registers that a CPU with posted interrupts answers for by itself; of the others it leaves the guest. */
const keeps = (vcpu: AcrnVcpu, msr: number): boolean => posts(vcpu) && msr !== X2APIC.TMCCT;

export const read_msr = fn('RDMSR of a register of the local APIC, in x2APIC mode.', function* read_msr(vcpu: AcrnVcpu, msr: number) {
  if (!keeps(vcpu, msr)) yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_RDMSR', msr });
});

export const write_msr = fn(
  'WRMSR of a register of the local APIC, in x2APIC mode. A CPU that posts interrupts sends one to itself without leaving the guest.',
  function* write_msr(vcpu: AcrnVcpu, msr: number, value: number) {
    if (posts(vcpu) && msr === X2APIC.SELF_IPI) {
      bitmap_assign(vcpu.vlapic, 'apic_page.irr', value & 0xff, true);
      evaluate(vcpu);
    } else yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_WRMSR', msr, value });
  },
);

export const vmcall = fn(
  'A guest’s kernel calls the hypervisor: an exit like any other, on the CPU that the caller runs on.',
  function* vmcall(vcpu: AcrnVcpu, call: Hypercall) {
    yield* leave_guest(vcpu, { reason: 'VMX_EXIT_REASON_VMCALL', call });
    yield* architecturally('hypercall', vmexit_handler)(vcpu);
    vcpu.cpu.running = true;
    return vcpu.cpu.RAX | 0;
  },
);

/** Linux's vector for the local APIC's timer. */
export const LOCAL_TIMER_VECTOR = 0xec;
/** Linux's vector for work that it wants done in an interrupt. */
export const IRQ_WORK_VECTOR = 0xf6;

export const boot = fn(
  'What a guest’s boot has left: its local APIC enabled, in x2APIC mode, and its timer’s entry open.',
  function* boot({ vlapic }: AcrnVcpu) {
    vlapic.msr_apicbase = (0xfee00000 | 0xc00) >>> 0;
    vlapic['apic_page.svr'] = 0x1ff;
    vlapic['apic_page.lvt[0]'] = LOCAL_TIMER_VECTOR;
  },
);
