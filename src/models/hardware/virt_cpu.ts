import { bool, hex, int, means, oneOf, struct, type Field, type InstanceOf } from '../../engine/cell';
import { interrupting, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { causedBy, preempt, resumedBy, signal, until } from '../../engine/steps';
import { receive_vector, type HostLapic } from './host_lapic';
import { pi_desc, pir_drain, POSTED_INTR_VECTOR, type PiDesc } from './pi_desc';
import { APIC_BASE_MSR, APIC_EOI, APIC_ICR, APIC_ICR2 } from '../linux/arch/x86/include/asm/apicdef';
import { registerAt, type KvmLapic } from '../linux/arch/x86/kvm/lapic_state';
import { highestVector, setVector } from '../linux/arch/x86/kvm/vectors';
import * as lapic_registers from './registers/lapic';

/**
 * A CPU with virtualization, from both sides: how the hypervisor enters and what makes it exit, and the guest's
 * instructions that matter to interrupts. VT-x keeps this in a VMCS, AMD-V in a VMCB.
 */

export const VM_EXITS = {
  EXIT_REASON_EXTERNAL_INTERRUPT: 1,
  EXIT_REASON_INTERRUPT_WINDOW: 7,
  EXIT_REASON_HLT: 12,
  EXIT_REASON_IO_INSTRUCTION: 30,
  EXIT_REASON_MSR_WRITE: 32,
  EXIT_REASON_APIC_ACCESS: 44,
  EXIT_REASON_EOI_INDUCED: 45,
  EXIT_REASON_EPT_VIOLATION: 48,
  EXIT_REASON_EPT_MISCONFIG: 49,
  EXIT_REASON_APIC_WRITE: 56,
  SVM_EXIT_INTR: 0x60,
  SVM_EXIT_VINTR: 0x64,
  SVM_EXIT_HLT: 0x78,
  SVM_EXIT_IOIO: 0x7b,
  SVM_EXIT_MSR: 0x7c,
  SVM_EXIT_NPF: 0x400,
} as const;
type ExitCode = (typeof VM_EXITS)[keyof typeof VM_EXITS] | 0;

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
type Word = (typeof WORDS)[number];

/** Why the guest stopped running, with what the exit handler needs to know of it. */
export type VmExit =
  | { readonly kind: 'external interrupt' }
  | { readonly kind: 'interrupt window' }
  | { readonly kind: 'wrmsr'; readonly msr: number; readonly value: bigint }
  | { readonly kind: 'hlt' }
  | { readonly kind: 'apic access'; readonly offset: number; readonly is_write: boolean; readonly value: number }
  /** The CPU has written the register in the virtual-APIC page; what it means is left to do. */
  | { readonly kind: 'apic write'; readonly offset: number }
  | { readonly kind: 'eoi induced'; readonly vector: number }
  /** An IN or OUT; `value` is what an OUT writes. */
  | { readonly kind: 'io'; readonly port: number; readonly size: number; readonly in: boolean; readonly value: number }
  /** An access to memory that nothing backs; 4 bytes wide unless `size` says otherwise. */
  | { readonly kind: 'mmio'; readonly phys_addr: number; readonly is_write: boolean; readonly value: number; readonly size?: number };

/** How the guest's local APIC is virtualized. */
export type LapicMode = 'vmx-apicv' | 'vmx-xapic' | 'vmx-x2apic' | 'svm-x2apic';

export const INTR_INFO_VALID = 0x80000000;

/** Whether a guest’s kernel uses x2APIC mode there. */
export const isX2apic = (mode: LapicMode): boolean => mode === 'vmx-x2apic' || mode === 'svm-x2apic';

const exitField = (names: readonly (keyof typeof VM_EXITS)[]): Field<ExitCode> =>
  oneOf({ none: 0, ...Object.fromEntries(names.map((name) => [name, VM_EXITS[name]])) }, 0) as Field<ExitCode>;

const vmxExits = Object.keys(VM_EXITS).filter((name) => name.startsWith('EXIT_')) as (keyof typeof VM_EXITS)[];
const svmExits = Object.keys(VM_EXITS).filter((name) => name.startsWith('SVM_')) as (keyof typeof VM_EXITS)[];

const Vmcs = struct('vmcs', 'The control structure of VT-x: what to inject at entry, what caused the exit.', {
  VM_EXIT_REASON: exitField(vmxExits),
  VM_ENTRY_INTR_INFO_FIELD: lapic_registers.entryInterruption(),
  CPU_BASED_INTR_WINDOW_EXITING: means('The guest exits as soon as it can take an interrupt.', bool()),
  'GUEST_INTR_STATUS.RVI': lapic_registers.rvi(),
  'GUEST_INTR_STATUS.SVI': lapic_registers.svi(),
  ...lapic_registers.vectorWords('EOI_EXIT_BITMAP', lapic_registers.EOI_EXIT_BITMAP),
});

const Vmcb = struct('vmcb', 'The control block of AMD-V: what to inject at entry, what caused the exit.', {
  'control.exit_code': exitField(svmExits),
  'control.event_inj': hex(32),
  'control.int_ctl.V_IRQ': bool(),
});

const GuestCpuCells = struct('guest_cpu', 'The guest’s CPU. vector is what it has been given and whose handler comes next; -1: nothing.', {
  running: bool(),
  IF: bool(true),
  vector: int(-1),
});

/** What the guest does with a vector, and where its CPU looks for one. */
export interface Idt {
  readonly apic: KvmLapic;
  readonly handle: (vector: number) => Run;
}

/** A virtual CPU's hardware. */
export interface VirtCpu {
  readonly mode: LapicMode;
  readonly vmcs: InstanceOf<typeof Vmcs> | undefined;
  readonly vmcb: InstanceOf<typeof Vmcb> | undefined;
  readonly pi: PiDesc | undefined;
  readonly guest: InstanceOf<typeof GuestCpuCells>;
  exit: VmExit | undefined;
  /** For a guest that is interrupted anywhere; one without it takes interrupts only where it waits for them. */
  idt: Idt | undefined;
  /** A posted-interrupt notification has reached the CPU. */
  notified: boolean;
  notifiedAt: number;
  /** An interrupt of the host waits already: the guest comes out again right behind the entry. */
  immediate_exit: boolean;
  /** MMIO pages whose absence the page tables have cached already. */
  readonly cachedMmio: Set<number>;
  enteredAt: number;
  exitedAt: number;
}

/**
 * Makes the hardware of the virtual CPU with a number.
 * @param lapic the local APIC of the CPU that it runs on, for notifications that find no guest running
 */
export function virt_cpu(mode: LapicMode, id: number, lapic: HostLapic | undefined): VirtCpu {
  const name = `vCPU ${id}`;
  const intel = mode !== 'svm-x2apic';
  const cpu: VirtCpu = {
    mode,
    vmcs: intel ? Vmcs(name) : undefined,
    vmcb: intel ? undefined : Vmcb(name),
    pi: mode === 'vmx-apicv' ? pi_desc(name) : undefined,
    guest: GuestCpuCells(`guest CPU ${id}`),
    exit: undefined,
    idt: undefined,
    notified: false,
    notifiedAt: -1,
    immediate_exit: false,
    cachedMmio: new Set(),
    enteredAt: -1,
    exitedAt: -1,
  };
  if (cpu.pi !== undefined) cpu.pi.notify = (nv) => notification(cpu, lapic, nv);
  return cpu;
}

/**
 * A notification vector arrives at the CPU. While the guest runs there the processor takes POSTED_INTR_VECTOR for itself; in
 * every other case the vector is an interrupt of the host like any other.
 */
function* notification(cpu: VirtCpu, lapic: HostLapic | undefined, nv: number): Run {
  if (cpu.guest.running && nv === POSTED_INTR_VECTOR) yield* post_interrupt(cpu);
  else if (lapic !== undefined) yield* receive_vector(lapic, nv);
}

/** Moves the posted vectors into the virtual IRR. */
function takePosted(pi: PiDesc, apic: KvmLapic): void {
  pir_drain(pi, (word, posted) => {
    apic[`APIC_IRR[${word}]`] |= posted;
  });
}

const { fn } = source('hardware', 'virt_cpu');

export const enter_guest = fn('VM entry: the CPU runs guest code until something makes it exit.', function* enter_guest(cpu: VirtCpu) {
  cpu.exit = undefined;
  take_injected(cpu);
  cpu.guest.running = true;
  cpu.enteredAt = signal('vmentry', 'running');
  if (!cpu.immediate_exit) return;
  cpu.immediate_exit = false;
  yield* leave_guest(cpu, { kind: 'external interrupt' });
});

/** Event injection is part of the entry: the guest has the vector before its next instruction. */
function take_injected({ vmcs, vmcb, guest }: VirtCpu): void {
  const injected = vmcs?.VM_ENTRY_INTR_INFO_FIELD ?? vmcb?.['control.event_inj'] ?? 0;
  if (!(injected & INTR_INFO_VALID)) return;
  if (vmcs !== undefined) vmcs.VM_ENTRY_INTR_INFO_FIELD = 0;
  if (vmcb !== undefined) vmcb['control.event_inj'] = 0;
  guest.vector = injected & 0xff;
  guest.IF = false;
}

const leave_guest = fn('VM exit: the CPU is back in the hypervisor.', function* leave_guest(cpu: VirtCpu, exit: VmExit) {
  const code = exitCode(cpu, exit);
  if (cpu.vmcs !== undefined) cpu.vmcs.VM_EXIT_REASON = code;
  if (cpu.vmcb !== undefined) cpu.vmcb['control.exit_code'] = code;
  if (exit.kind === 'mmio') cpu.cachedMmio.add(exit.phys_addr >>> 12);
  cpu.guest.running = false;
  cpu.exit = exit;
  cpu.exitedAt = signal('vmexit', 'exit');
});

export const interrupt_cpu = fn(
  'An inter-processor interrupt reaches the CPU that runs the guest, and makes it exit.',
  function* interrupt_cpu(cpu: VirtCpu) {
    if (cpu.guest.running) yield* leave_guest(cpu, { kind: 'external interrupt' });
  },
);

export const post_interrupt = fn(
  'The posted-interrupt notification vector reaches the CPU. It does not exit: it takes the posted vectors itself.',
  function* post_interrupt(cpu: VirtCpu) {
    cpu.notified = true;
    cpu.notifiedAt = signal('msi', 'notified');
  },
);

const process_posted_interrupts = fn(
  'The CPU moves the posted vectors into the virtual IRR and evaluates: what the guest can take, it takes at once.',
  function* process_posted_interrupts(cpu: VirtCpu, idt: Idt) {
    const { apic } = idt;
    cpu.notified = false;
    const { pi, vmcs } = cpu;
    if (pi === undefined || vmcs === undefined) return;
    pi.on = false;
    takePosted(pi, apic);
    const highest = highestVector(apic, 'APIC_IRR');
    if (highest > vmcs['GUEST_INTR_STATUS.RVI']) vmcs['GUEST_INTR_STATUS.RVI'] = highest;
    const vector = pendingVector(cpu, apic);
    if (vector >= 0) yield* accept_vector(cpu, idt, vector);
  },
);

const accept_vector = fn(
  'The guest’s CPU takes the interrupt, and goes where its table of handlers says: interrupts are off from here to the return from it.',
  function* accept_vector(cpu: VirtCpu, { apic, handle }: Idt, vector: number) {
    const { vmcs, guest } = cpu;
    if (guest.vector !== -1) guest.vector = -1;
    else if (vmcs !== undefined) {
      setVector(apic, 'APIC_ISR', vector, true);
      setVector(apic, 'APIC_IRR', vector, false);
      vmcs['GUEST_INTR_STATUS.SVI'] = vector;
      vmcs['GUEST_INTR_STATUS.RVI'] = Math.max(highestVector(apic, 'APIC_IRR'), 0);
      apic.APIC_PROCPRI = vector & 0xf0;
    }
    guest.IF = false;
    yield* handle(vector);
    yield* return_from_interrupt(cpu);
  },
);

const return_from_interrupt = fn(
  'IRET: the guest accepts interrupts again. A hypervisor that asked for the window gets an exit.',
  function* return_from_interrupt(cpu: VirtCpu) {
    yield* open_window(cpu);
  },
);

/** RFLAGS.IF becomes 1. */
function* open_window(cpu: VirtCpu) {
  cpu.guest.IF = true;
  const { vmcs, vmcb } = cpu;
  if (vmcs?.CPU_BASED_INTR_WINDOW_EXITING === true || vmcb?.['control.int_ctl.V_IRQ'] === true)
    yield* vm_exit(cpu, { kind: 'interrupt window' });
}

export const cli = fn('CLI: the guest accepts no interrupt from here on.', function* cli(cpu: VirtCpu) {
  cpu.guest.IF = false;
});

export const sti = fn(
  'STI: the guest accepts interrupts again. A hypervisor that asked for the window gets an exit.',
  function* sti(cpu: VirtCpu) {
    yield* open_window(cpu);
  },
);

/** The EOI instruction of the guest, in the form its local APIC has. */
export const write_EOI = fn('The guest writes its local APIC’s EOI register.', function* write_EOI(cpu: VirtCpu, apic: KvmLapic) {
  if (cpu.mode === 'vmx-apicv') yield* virtualize_EOI(cpu, apic);
  else yield* write_register(cpu, apic, APIC_EOI, 0);
});

export const write_ICR = fn(
  'The guest sends an inter-processor interrupt: in x2APIC mode by one write, else by one for whom and one for what.',
  function* write_ICR(cpu: VirtCpu, apic: KvmLapic, low: number, dest_id: number) {
    if (isX2apic(cpu.mode)) {
      const value = (BigInt(dest_id) << 32n) | BigInt(low);
      yield* vm_exit(cpu, { kind: 'wrmsr', msr: APIC_BASE_MSR + (APIC_ICR >> 4), value });
      return;
    }
    yield* write_register(cpu, apic, APIC_ICR2, (dest_id << 24) >>> 0);
    yield* write_register(cpu, apic, APIC_ICR, low);
  },
);

export const write_register = fn(
  'The guest writes a register of its local APIC. Virtualized, the CPU stores it and exits behind the instruction, if at all; else the instruction itself exits.',
  function* write_register(cpu: VirtCpu, apic: KvmLapic, offset: number, value: number) {
    switch (cpu.mode) {
      case 'vmx-apicv': {
        const register = registerAt(offset);
        if (register === undefined) return;
        apic[register] = value;
        // The upper half of the command register says nothing by itself.
        if (offset !== APIC_ICR2) yield* vm_exit(cpu, { kind: 'apic write', offset });
        return;
      }
      case 'vmx-xapic':
        return yield* vm_exit(cpu, { kind: 'apic access', offset, is_write: true, value });
      case 'vmx-x2apic':
      case 'svm-x2apic':
        return yield* vm_exit(cpu, { kind: 'wrmsr', msr: APIC_BASE_MSR + (offset >> 4), value: BigInt(value) });
    }
  },
);

export const halt = fn('HLT: the guest has nothing to do until an interrupt comes.', function* halt(cpu: VirtCpu) {
  yield* vm_exit(cpu, { kind: 'hlt' });
});

const virtualize_EOI = fn(
  'EOI virtualization: the CPU ends the interrupt in the virtual APIC itself, and exits only for vectors in the EOI-exit bitmap.',
  function* virtualize_EOI(cpu: VirtCpu, apic: KvmLapic) {
    const vmcs = cpu.vmcs!;
    const vector = vmcs['GUEST_INTR_STATUS.SVI'];
    if (vector === 0) return;
    setVector(apic, 'APIC_ISR', vector, false);
    const next = Math.max(highestVector(apic, 'APIC_ISR'), 0);
    vmcs['GUEST_INTR_STATUS.SVI'] = next;
    apic.APIC_PROCPRI = next & 0xf0;
    const seen = vmcs[`EOI_EXIT_BITMAP[${(vector >>> 5) as Word}]`];
    if ((seen >>> (vector & 31)) & 1) yield* vm_exit(cpu, { kind: 'eoi induced', vector });
  },
);

/** Exits, and comes back when the hypervisor enters the guest again. */
export function* vm_exit(cpu: VirtCpu, exit: VmExit) {
  yield* leave_guest(cpu, exit);
  yield* running(cpu);
}

/**
 * Between two guest instructions: another context may run, the guest goes on only while it is entered, and one that has
 * an `idt` takes what interrupts it here.
 */
export function* instruction_boundary(cpu: VirtCpu): Run {
  yield* preempt();
  yield* running(cpu);
  const { idt } = cpu;
  if (idt !== undefined) while (interrupt_waits(cpu, idt.apic)) yield* take_interrupt(cpu, idt);
}

/** Takes what is due, or leaves the guest first where the hypervisor waits for just that. An entry or a notification brings all of it about. */
function* take_interrupt(cpu: VirtCpu, idt: Idt): Run {
  if (windowIsDue(cpu)) {
    causedBy(cpu.enteredAt);
    yield* interrupting(leave_guest)(cpu, { kind: 'interrupt window' });
    yield* running(cpu);
  } else if (cpu.notified) {
    causedBy(cpu.notifiedAt);
    yield* interrupting(process_posted_interrupts)(cpu, idt);
  } else {
    causedBy(Math.max(cpu.enteredAt, cpu.notifiedAt));
    yield* interrupting(accept_vector)(cpu, idt, pendingVector(cpu, idt.apic));
  }
}

/** Whether a guest that does nothing would be interrupted at its next instruction. */
export const is_interrupted = (cpu: VirtCpu): boolean =>
  cpu.guest.running && (cpu.notified || windowIsDue(cpu) || (cpu.idt !== undefined && pendingVector(cpu, cpu.idt.apic) >= 0));

/** Whether the hypervisor wants an exit as soon as the guest can be interrupted, and it can. */
const windowIsDue = ({ vmcs, vmcb, guest }: VirtCpu): boolean =>
  guest.IF && guest.vector === -1 && (vmcs?.CPU_BASED_INTR_WINDOW_EXITING === true || vmcb?.['control.int_ctl.V_IRQ'] === true);

function* running(cpu: VirtCpu) {
  if (cpu.guest.running) return;
  yield* until(() => cpu.guest.running);
  resumedBy(cpu.enteredAt);
}

/** Polls for something to happen, as a guest with nothing to do may instead of halting: it goes on behind the next interrupt. */
export function* idle(cpu: VirtCpu): Run {
  const { idt } = cpu;
  if (idt !== undefined) yield* until(() => interrupt_waits(cpu, idt.apic));
}

/** Whether the guest runs and has an interrupt to take, or to look for among the posted ones. */
export const interrupt_waits = (cpu: VirtCpu, apic: KvmLapic): boolean =>
  cpu.guest.running && (cpu.notified || windowIsDue(cpu) || pendingVector(cpu, apic) >= 0);

/** Waits in the guest's idle loop for an interrupt, and takes it. */
export function* await_interrupt(cpu: VirtCpu, idt: Idt): Run {
  yield* until(() => interrupt_waits(cpu, idt.apic));
  yield* take_interrupt(cpu, idt);
}

function pendingVector({ vmcs, mode, guest }: VirtCpu, apic: KvmLapic): number {
  if (guest.vector !== -1) return guest.vector;
  const rvi = vmcs?.['GUEST_INTR_STATUS.RVI'] ?? 0;
  return mode === 'vmx-apicv' && guest.IF && (rvi & 0xf0) > (apic.APIC_PROCPRI & 0xf0) ? rvi : -1;
}

function exitCode(cpu: VirtCpu, exit: VmExit): ExitCode {
  const svm = cpu.vmcb !== undefined;
  switch (exit.kind) {
    case 'external interrupt':
      return svm ? VM_EXITS.SVM_EXIT_INTR : VM_EXITS.EXIT_REASON_EXTERNAL_INTERRUPT;
    case 'interrupt window':
      return svm ? VM_EXITS.SVM_EXIT_VINTR : VM_EXITS.EXIT_REASON_INTERRUPT_WINDOW;
    case 'io':
      return svm ? VM_EXITS.SVM_EXIT_IOIO : VM_EXITS.EXIT_REASON_IO_INSTRUCTION;
    case 'hlt':
      return svm ? VM_EXITS.SVM_EXIT_HLT : VM_EXITS.EXIT_REASON_HLT;
    case 'apic write':
      return VM_EXITS.EXIT_REASON_APIC_WRITE;
    case 'wrmsr':
      return svm ? VM_EXITS.SVM_EXIT_MSR : VM_EXITS.EXIT_REASON_MSR_WRITE;
    case 'apic access':
      return VM_EXITS.EXIT_REASON_APIC_ACCESS;
    case 'eoi induced':
      return VM_EXITS.EXIT_REASON_EOI_INDUCED;
    case 'mmio':
      if (svm) return VM_EXITS.SVM_EXIT_NPF;
      return cpu.cachedMmio.has(exit.phys_addr >>> 12) ? VM_EXITS.EXIT_REASON_EPT_MISCONFIG : VM_EXITS.EXIT_REASON_EPT_VIOLATION;
  }
}
