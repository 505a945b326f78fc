import { architecturally } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { preempt, until } from '../../engine/steps';
import { cli, idle, instruction_boundary, sti, vm_exit, write_EOI } from '../hardware/virt_cpu';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { ioapic_chip, mp_register_handler } from '../linux/arch/x86/kernel/apic/io_apic';
import { IOAPIC_DEFAULT_BASE_ADDRESS } from '../linux/arch/x86/kvm/ioapic';
import { irq_desc, type IrqDesc } from '../linux/kernel/irq/irqdesc';
import type { KvmVcpu } from '../linux/virt/kvm/kvm_types';
import type { GuestCpu } from './cpu';

/** A Linux guest on one virtual CPU of KVM: its instructions, its interrupts, its idle loop. */

export interface KvmGuest {
  readonly cpu: GuestCpu;
  /** The interrupt numbers of the guest, by vector. */
  readonly vectors: Map<number, IrqDesc>;
}

/** Makes the guest that runs on a virtual CPU. */
export function kvm_guest(vcpu: KvmVcpu): KvmGuest {
  const { cpu, apic } = vcpu;
  const vectors = new Map<number, IrqDesc>();
  cpu.idt = {
    apic,
    *handle(vector) {
      const desc = vectors.get(vector);
      if (desc !== undefined) yield* architecturally('hardirq', common_interrupt)(desc);
    },
  };
  const guestCpu: GuestCpu = {
    *out(port, size, value) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'io', port, size, in: false, value });
    },
    *in(port, size) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'io', port, size, in: true, value: 0 });
      return vcpu['arch.regs[VCPU_REGS_RAX]'];
    },
    *store(phys_addr, _size, value) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'mmio', phys_addr, is_write: true, value });
    },
    *load(phys_addr, _size) {
      yield* instruction_boundary(cpu);
      yield* vm_exit(cpu, { kind: 'mmio', phys_addr, is_write: false, value: 0 });
      return vcpu.run.mmio.data;
    },
    interrupts_on: () => cpu.guest.IF,
    *set_interrupts(on) {
      if (!on) {
        yield* cli(cpu);
        return;
      }
      yield* sti(cpu);
      yield* instruction_boundary(cpu);
    },
    *spin(done) {
      while (!done()) {
        yield* preempt();
        yield* until(() => done() || cpu.guest.running);
      }
    },
  };
  return { cpu: guestCpu, vectors };
}

/** The guest's CPU as a thread: `main` when it first runs, then the idle loop and the interrupts that reach it. */
export function kvm_guest_context({ cpu }: KvmVcpu, priority: number, main: () => Run): void {
  running().thread('guest', 'guest CPU', 'guest', priority, function* () {
    yield* until(() => cpu.guest.running);
    yield* main();
    for (;;) {
      yield* idle(cpu);
      yield* instruction_boundary(cpu);
    }
  });
}

const LEVEL = 1 << 15;
const MASK = 1 << 16;

/** An interrupt number of the guest behind a level-triggered pin of its I/O APIC, which it has given a vector. */
export function ioapic_irq({ cpu, vectors }: KvmGuest, vcpu: KvmVcpu, gsi: number, vector: number): IrqDesc {
  function* write_entry(masked: boolean): Run {
    yield* cpu.store(IOAPIC_DEFAULT_BASE_ADDRESS, 4, 0x10 + 2 * gsi);
    yield* cpu.store(IOAPIC_DEFAULT_BASE_ADDRESS + 0x10, 4, vector | LEVEL | (masked ? MASK : 0));
  }
  const pin = {
    mask: () => write_entry(true),
    unmask: () => write_entry(false),
    eoi: () => write_EOI(vcpu.cpu, vcpu.apic),
  };
  const desc = irq_desc(`guest irq ${gsi}`, gsi, ioapic_chip, mp_register_handler.handle_irq, pin);
  vectors.set(vector, desc);
  return desc;
}
