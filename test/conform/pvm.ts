import { source } from '../../src/engine/fn';
import type { Run } from '../../src/engine/machine';
import type { VmExit } from '../../src/models/hardware/virt_cpu';
import { kvm_lapic_set_eoi } from '../../src/models/linux/arch/x86/kvm/lapic';
import { vt_x86_ops } from '../../src/models/linux/arch/x86/kvm/vmx/main';
import {
  kvm_arch_vcpu_ioctl_run,
  kvm_emulate_wrmsr,
  kvm_fast_pio,
  make_request,
  x86_emulate_instruction,
  type Fastpath,
  type KvmX86Ops,
} from '../../src/models/linux/arch/x86/kvm/x86';
import { irqchip_split, KVM_EXIT_IOAPIC_EOI, KVM_EXIT_UNKNOWN, type KvmVcpu } from '../../src/models/linux/virt/kvm/kvm_types';
import type { Results } from './adapter';

/**
 * The CPU of the recordings: KVM emulated a guest in real mode, one instruction per KVM_RUN. All but the entry and the
 * exit are the models' own.
 */

/** What the guest does when it is entered next. */
interface Guest {
  readonly instruction: VmExit | undefined;
  readonly IF: boolean;
  /** The vector whose handler it was entered at. */
  vector: number | undefined;
  /** Whether the instruction has been executed. */
  done: boolean;
}

const guests = new WeakMap<KvmVcpu, Guest>();

const { fn, ops } = source('hardware', 'pvm');

const vcpu_run = fn('Enters the guest, which executes its instruction and leaves.', function* vcpu_run(vcpu: KvmVcpu): Run<Fastpath> {
  const guest = guests.get(vcpu)!;
  guest.done = true;
  vcpu.cpu.exit = guest.instruction ?? { kind: 'external interrupt' };
  return 'EXIT_FASTPATH_NONE';
});

const handle_exit = fn('Has the instruction emulated, and leaves to user space.', function* handle_exit(vcpu: KvmVcpu, exit: VmExit) {
  // Behind every injection this back end writes the EOI register by itself, as no other does.
  if (guests.get(vcpu)!.vector !== undefined) yield* kvm_lapic_set_eoi(vcpu);
  if (exit.kind === 'io') yield* kvm_fast_pio(vcpu, exit);
  if (exit.kind === 'mmio') yield* x86_emulate_instruction(vcpu);
  if (exit.kind === 'wrmsr') yield* kvm_emulate_wrmsr(vcpu);
  return 0;
});

const interrupt_allowed = fn('Whether the guest has interrupts on.', function* interrupt_allowed(vcpu: KvmVcpu) {
  return guests.get(vcpu)!.IF;
});

const inject_irq = fn('Enters the guest at the handler of a vector.', function* inject_irq(vcpu: KvmVcpu) {
  guests.get(vcpu)!.vector = vcpu['arch.interrupt.nr'];
});

const enable_irq_window = fn('Nobody waits for the guest to turn interrupts on.', function* enable_irq_window(_vcpu: KvmVcpu) {});

export const pvm_x86_ops: KvmX86Ops = {
  ...vt_x86_ops(false),
  ...ops('pvm_x86_ops', { vcpu_run, handle_exit, interrupt_allowed, inject_irq, enable_irq_window }),
};

/** One KVM_RUN in which the guest executes an instruction; where the I/O APIC is user space’s, one more without any. */
export function* run_guest(vcpu: KvmVcpu, instruction: VmExit | undefined, IF = false): Run<Results> {
  const eoi_exits: number[] = [];
  const guest = yield* enter(vcpu, instruction, IF, eoi_exits);
  const exit_reason = vcpu['run.exit_reason'];
  if (irqchip_split(vcpu.kvm)) yield* enter(vcpu, undefined, false, eoi_exits);
  vcpu['run.exit_reason'] = exit_reason;
  return { ...(IF ? { vector: guest.vector } : {}), ...(eoi_exits.length > 0 ? { eoi_exits } : {}) };
}

function* enter(vcpu: KvmVcpu, instruction: VmExit | undefined, IF: boolean, eoi_exits: number[]): Run<Guest> {
  const guest: Guest = { instruction, IF, vector: undefined, done: false };
  guests.set(vcpu, guest);
  // As KVM_SET_REGS does.
  make_request(vcpu, 'KVM_REQ_EVENT');
  while (!guest.done) {
    vcpu['run.exit_reason'] = KVM_EXIT_UNKNOWN;
    vcpu.complete_userspace_io = undefined;
    yield* kvm_arch_vcpu_ioctl_run(vcpu);
    if (vcpu.run.exit_reason === KVM_EXIT_IOAPIC_EOI) eoi_exits.push(vcpu['run.eoi.vector']);
  }
  return guest;
}
