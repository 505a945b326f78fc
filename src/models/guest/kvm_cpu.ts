import { source } from '../../engine/fn';
import { until } from '../../engine/steps';
import { halt, instruction_boundary, vm_exit, type VirtCpu } from '../hardware/virt_cpu';
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
  return {
    *out(port, size, value) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'io', port, size, in: false, value });
    },
    *in(port, size) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'io', port, size, in: true, value: 0 });
      return (vcpu['arch.regs[VCPU_REGS_RAX]'] & mask(size)) >>> 0;
    },
    *store(phys_addr, _size, value) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'mmio', phys_addr, is_write: true, value });
    },
    *load(phys_addr) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'mmio', phys_addr, is_write: false, value: 0 });
      return vcpu.run.mmio.data;
    },
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
