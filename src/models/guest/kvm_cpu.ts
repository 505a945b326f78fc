import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { until } from '../../engine/steps';
import { halt, instruction_boundary, is_interrupted, vm_exit, type VirtCpu, type VmExit } from '../hardware/virt_cpu';
import type { KvmVcpu } from '../linux/virt/kvm/kvm_types';
import type { PcCpu } from './pc';

/** A guest's CPU where KVM runs the guest. */

const { fn } = source('guest', 'kvm_cpu');

const sti = fn('The guest turns interrupts on; the CPU does that by itself.', function* sti(cpu: VirtCpu) {
  cpu.guest.IF = true;
});

const cli = fn('The guest turns interrupts off; the CPU does that by itself.', function* cli(cpu: VirtCpu) {
  cpu.guest.IF = false;
});

const mask = (size: number): number => (size < 4 ? (1 << (8 * size)) - 1 : -1);

/** The CPU as the guest's drivers see it. Each access to a device is an exit. */
export function kvm_cpu(vcpu: KvmVcpu): PcCpu {
  const { cpu } = vcpu;
  /** An instruction that exits, what it came to, and what was injected before the next one. */
  function* exiting<T>(exit: VmExit, result: () => T): Run<T> {
    yield* instruction_boundary(cpu);
    yield* vm_exit(cpu, exit);
    const value = result();
    yield* instruction_boundary(cpu);
    return value;
  }
  const nothing = (): void => undefined;
  return {
    out: (port, size, value) => exiting({ kind: 'io', port, size, in: false, value }, nothing),
    in: (port, size) =>
      exiting({ kind: 'io', port, size, in: true, value: 0 }, () => (vcpu['arch.regs[VCPU_REGS_RAX]'] & mask(size)) >>> 0),
    store: (phys_addr, size, value) => exiting({ kind: 'mmio', phys_addr, is_write: true, value, size }, nothing),
    load: (phys_addr, size) => exiting({ kind: 'mmio', phys_addr, is_write: false, value: 0, size }, () => vcpu.run.mmio.data),
    interrupts_on: () => cpu.guest.IF,
    *set_interrupts(on) {
      yield* instruction_boundary(cpu);
      yield* on ? sti(cpu) : cli(cpu);
      if (on) yield* instruction_boundary(cpu);
    },
    *spin(done) {
      yield* until(done);
      yield* instruction_boundary(cpu);
    },
    *halt() {
      yield* instruction_boundary(cpu);
      yield* halt(cpu);
      yield* instruction_boundary(cpu);
    },
    handle_with(handle) {
      cpu.idt = { apic: vcpu.apic, handle };
    },
    started: () => cpu.guest.running,
  };
}

/** Waits in the guest’s idle loop until there is something to do, and takes the interrupts that come meanwhile. */
export function* guest_idles({ cpu }: KvmVcpu, until_then: () => boolean): Run {
  while (!until_then()) {
    yield* until(() => is_interrupted(cpu) || (cpu.guest.running && until_then()));
    yield* instruction_boundary(cpu);
  }
}
