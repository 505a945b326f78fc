import { bool, hex, oneOf, struct, type Field, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { causedBy, preempt, signal, until } from '../../engine/steps';
import { receive_vector, type HostLapic } from './host_lapic';
import { pi_desc, pir_drain, POSTED_INTR_VECTOR, type PiDesc } from './pi_desc';
import type { KvmLapic } from '../linux/arch/x86/kvm/lapic';
import { highestVector, setVector } from '../linux/arch/x86/kvm/vectors';

/**
 * A CPU with virtualization, from both sides: how the hypervisor enters and what makes it exit, and the guest's
 * instructions that matter to interrupts. VT-x keeps this in a VMCS, AMD-V in a VMCB.
 */

export const VM_EXITS = {
  EXIT_REASON_EXTERNAL_INTERRUPT: 1,
  EXIT_REASON_INTERRUPT_WINDOW: 7,
  EXIT_REASON_IO_INSTRUCTION: 30,
  EXIT_REASON_MSR_WRITE: 32,
  EXIT_REASON_APIC_ACCESS: 44,
  EXIT_REASON_EOI_INDUCED: 45,
  EXIT_REASON_EPT_VIOLATION: 48,
  EXIT_REASON_EPT_MISCONFIG: 49,
  SVM_EXIT_INTR: 0x60,
  SVM_EXIT_VINTR: 0x64,
  SVM_EXIT_IOIO: 0x7b,
  SVM_EXIT_MSR: 0x7c,
  SVM_EXIT_NPF: 0x400,
} as const;
type ExitCode = (typeof VM_EXITS)[keyof typeof VM_EXITS] | 0;

/** Why the guest stopped running, with what the exit handler needs to know of it. */
export type VmExit =
  | { readonly kind: 'external interrupt' }
  | { readonly kind: 'interrupt window' }
  | { readonly kind: 'wrmsr'; readonly msr: number; readonly value: number }
  | { readonly kind: 'apic access'; readonly offset: number; readonly value: number }
  | { readonly kind: 'eoi induced'; readonly vector: number }
  /** An IN or OUT; `value` is what an OUT writes. */
  | { readonly kind: 'io'; readonly port: number; readonly size: number; readonly in: boolean; readonly value: number }
  | { readonly kind: 'mmio'; readonly phys_addr: number; readonly is_write: boolean; readonly value: number };

/** How the guest's local APIC is virtualized. */
export type LapicMode = 'vmx-apicv' | 'vmx-xapic' | 'vmx-x2apic' | 'svm-x2apic';

export const INTR_INFO_VALID = 0x80000000;
export const APIC_EOI = 0xb0;
const APIC_BASE_MSR = 0x800;

const exitField = (names: readonly (keyof typeof VM_EXITS)[]): Field<ExitCode> =>
  oneOf({ none: 0, ...Object.fromEntries(names.map((name) => [name, VM_EXITS[name]])) }, 0) as Field<ExitCode>;

const vmxExits = Object.keys(VM_EXITS).filter((name) => name.startsWith('EXIT_')) as (keyof typeof VM_EXITS)[];
const svmExits = Object.keys(VM_EXITS).filter((name) => name.startsWith('SVM_')) as (keyof typeof VM_EXITS)[];

const Vmcs = struct('vmcs', 'The control structure of VT-x: what to inject at entry, what caused the exit.', {
  VM_EXIT_REASON: exitField(vmxExits),
  VM_ENTRY_INTR_INFO_FIELD: hex(32),
  CPU_BASED_INTR_WINDOW_EXITING: bool(),
  'GUEST_INTR_STATUS.RVI': hex(8),
  'GUEST_INTR_STATUS.SVI': hex(8),
  'EOI_EXIT_BITMAP[0]': hex(32),
  'EOI_EXIT_BITMAP[1]': hex(32),
});

const Vmcb = struct('vmcb', 'The control block of AMD-V: what to inject at entry, what caused the exit.', {
  'control.exit_code': exitField(svmExits),
  'control.event_inj': hex(32),
  'control.int_ctl.V_IRQ': bool(),
});

const GuestCpuCells = struct('guest_cpu', 'The guest’s CPU.', { running: bool(), IF: bool(true) });

/** A virtual CPU's hardware. */
export interface VirtCpu {
  readonly mode: LapicMode;
  readonly vmcs: InstanceOf<typeof Vmcs> | undefined;
  readonly vmcb: InstanceOf<typeof Vmcb> | undefined;
  readonly pi: PiDesc | undefined;
  readonly guest: InstanceOf<typeof GuestCpuCells>;
  exit: VmExit | undefined;
  /** A posted-interrupt notification has reached the CPU. */
  notified: boolean;
  /** MMIO pages whose absence the page tables have cached already. */
  readonly cachedMmio: Set<number>;
  enteredAt: number;
  exitedAt: number;
}

/**
 * Makes the hardware of a virtual CPU.
 * @param lapic the local APIC of the CPU that it runs on, for notifications that find no guest running
 */
export function virt_cpu(mode: LapicMode, lapic?: HostLapic): VirtCpu {
  const intel = mode !== 'svm-x2apic';
  const cpu: VirtCpu = {
    mode,
    vmcs: intel ? Vmcs('vCPU 0') : undefined,
    vmcb: intel ? undefined : Vmcb('vCPU 0'),
    pi: mode === 'vmx-apicv' ? pi_desc('vCPU 0') : undefined,
    guest: GuestCpuCells('guest CPU 0'),
    exit: undefined,
    notified: false,
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

/** Moves the posted vectors into the virtual IRR: what the CPU does by itself, and KVM before an entry. */
export function takePosted(pi: PiDesc, apic: KvmLapic): void {
  pir_drain(pi, (word, posted) => {
    apic[`APIC_IRR[${word}]`] |= posted;
  });
}

const { fn } = source('hardware', 'virt_cpu');

export const enter_guest = fn('VM entry: the CPU runs guest code until something makes it exit.', function* enter_guest(cpu: VirtCpu) {
  cpu.exit = undefined;
  cpu.guest.running = true;
  cpu.enteredAt = signal('vmentry', 'running');
});

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
    signal('msi', 'notified');
  },
);

const process_posted_interrupts = fn(
  'The CPU moves the posted vectors into the virtual IRR and evaluates.',
  function* process_posted_interrupts(cpu: VirtCpu, apic: KvmLapic) {
    cpu.notified = false;
    const { pi, vmcs } = cpu;
    if (pi === undefined || vmcs === undefined) return;
    pi.on = false;
    takePosted(pi, apic);
    const highest = highestVector(apic, 'APIC_IRR');
    if (highest > vmcs['GUEST_INTR_STATUS.RVI']) vmcs['GUEST_INTR_STATUS.RVI'] = highest;
  },
);

const accept_vector = fn(
  'The guest’s CPU takes the interrupt: interrupts are off from here to the return from it.',
  function* accept_vector(cpu: VirtCpu, apic: KvmLapic, vector: number) {
    const { vmcs, vmcb } = cpu;
    if (cpu.mode === 'vmx-apicv' && vmcs !== undefined && !(vmcs.VM_ENTRY_INTR_INFO_FIELD & INTR_INFO_VALID)) {
      setVector(apic, 'APIC_ISR', vector, true);
      setVector(apic, 'APIC_IRR', vector, false);
      vmcs['GUEST_INTR_STATUS.SVI'] = vector;
      vmcs['GUEST_INTR_STATUS.RVI'] = Math.max(highestVector(apic, 'APIC_IRR'), 0);
      apic.APIC_PROCPRI = vector & 0xf0;
    }
    if (vmcs !== undefined && vmcs.VM_ENTRY_INTR_INFO_FIELD & INTR_INFO_VALID) vmcs.VM_ENTRY_INTR_INFO_FIELD = 0;
    if (vmcb !== undefined && vmcb['control.event_inj'] & INTR_INFO_VALID) vmcb['control.event_inj'] = 0;
    cpu.guest.IF = false;
  },
);

export const return_from_interrupt = fn(
  'IRET: the guest accepts interrupts again. A hypervisor that asked for the window gets an exit.',
  function* return_from_interrupt(cpu: VirtCpu) {
    cpu.guest.IF = true;
    const { vmcs, vmcb } = cpu;
    if (vmcs?.CPU_BASED_INTR_WINDOW_EXITING === true || vmcb?.['control.int_ctl.V_IRQ'] === true)
      yield* vm_exit(cpu, { kind: 'interrupt window' });
  },
);

/** The EOI instruction of the guest, in the form its local APIC has. */
export const write_EOI = fn('The guest writes its local APIC’s EOI register.', function* write_EOI(cpu: VirtCpu, apic: KvmLapic) {
  switch (cpu.mode) {
    case 'vmx-apicv':
      return yield* virtualize_EOI(cpu, apic);
    case 'vmx-xapic':
      return yield* vm_exit(cpu, { kind: 'apic access', offset: APIC_EOI, value: 0 });
    case 'vmx-x2apic':
    case 'svm-x2apic':
      return yield* vm_exit(cpu, { kind: 'wrmsr', msr: APIC_BASE_MSR + (APIC_EOI >> 4), value: 0 });
  }
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
    const bitmap = [vmcs['EOI_EXIT_BITMAP[0]'], vmcs['EOI_EXIT_BITMAP[1]']];
    if (((bitmap[vector >>> 5] ?? 0) >>> (vector & 31)) & 1) yield* vm_exit(cpu, { kind: 'eoi induced', vector });
  },
);

/** Exits, and comes back when the hypervisor enters the guest again. */
export function* vm_exit(cpu: VirtCpu, exit: VmExit) {
  yield* leave_guest(cpu, exit);
  yield* running(cpu);
}

/** Between two guest instructions: another context may run, and the guest goes on only while it is entered. */
export function* instruction_boundary(cpu: VirtCpu) {
  yield* preempt();
  yield* running(cpu);
}

function* running(cpu: VirtCpu) {
  if (cpu.guest.running) return;
  yield* until(() => cpu.guest.running);
  causedBy(cpu.enteredAt);
}

/** Waits in the guest's idle loop for an interrupt to take, and takes it. The result is its vector. */
export function* await_interrupt(cpu: VirtCpu, apic: KvmLapic) {
  for (;;) {
    yield* until(() => cpu.guest.running && (cpu.notified || pendingVector(cpu, apic) >= 0));
    if (cpu.notified) yield* process_posted_interrupts(cpu, apic);
    const vector = pendingVector(cpu, apic);
    if (vector < 0) continue;
    causedBy(cpu.enteredAt);
    yield* accept_vector(cpu, apic, vector);
    return vector;
  }
}

function pendingVector(cpu: VirtCpu, apic: KvmLapic): number {
  const injected = cpu.vmcs?.VM_ENTRY_INTR_INFO_FIELD ?? cpu.vmcb?.['control.event_inj'] ?? 0;
  if (injected & INTR_INFO_VALID) return injected & 0xff;
  const rvi = cpu.vmcs?.['GUEST_INTR_STATUS.RVI'] ?? 0;
  return cpu.mode === 'vmx-apicv' && cpu.guest.IF && (rvi & 0xf0) > (apic.APIC_PROCPRI & 0xf0) ? rvi : -1;
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
