import { addressOf, architecturally, bound, source } from '../../engine/fn';
import { int, struct, type InstanceOf } from '../../engine/cell';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { at, until } from '../../engine/steps';
import { EDU_ACK, EDU_IRQ_STATUS, read_register, write_register, type PciFunction } from '../hardware/pci_function';
import { await_interrupt, instruction_boundary, vm_exit, write_EOI } from '../hardware/virt_cpu';
import { ioapic_chip, mp_register_handler } from '../linux/arch/x86/kernel/apic/io_apic';
import { i8259A_chip, ISA_IRQ_VECTOR, legacy_pic, PIC_CASCADE_IR } from '../linux/arch/x86/kernel/i8259';
import { guest_eoi } from '../linux/arch/x86/kernel/kvm';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { init_ISA_irqs_handler, NO_PIN } from '../linux/arch/x86/kernel/irqinit';
import type { PicProgramming } from '../linux/arch/x86/kvm/i8259';
import { IOAPIC_DEFAULT_BASE_ADDRESS } from '../linux/arch/x86/kvm/ioapic';
import { irq_desc, IRQ_HANDLED, IRQ_NONE, type IrqDesc, type irqreturn_t } from '../linux/kernel/irq/irqdesc';
import { request_irq } from '../linux/kernel/irq/manage';
import type { KvmMemorySlot, KvmVcpu } from '../linux/virt/kvm/kvm_types';

/**
 * The guest: Linux again, with a small driver of our own for the assigned device. Its interrupt handler reads the
 * status register and acknowledges what it saw there; what comes later stays pending.
 */

const DriverCells = struct('edu_driver', 'The guest’s driver of the assigned device.', {
  status_reads: int(),
  handled: int(),
  spurious: int(),
});

/** A guest with one CPU and one device. */
export interface Guest {
  readonly vcpu: KvmVcpu;
  readonly device: PciFunction;
  readonly bar: { readonly address: number; readonly memslot: KvmMemorySlot };
  readonly config: { readonly address: number };
  readonly driver: InstanceOf<typeof DriverCells>;
  readonly vector: number;
  desc: IrqDesc;
}

const { fn } = source('guest', 'edu_driver');

const readl = fn(
  'A load from the device’s BAR. Where the BAR is mapped it reaches the device directly; where it is not, it exits.',
  function* readl(guest: Guest, offset: number): Run<number> {
    yield* instruction_boundary(guest.vcpu.cpu);
    if (guest.bar.memslot.npages > 0) return yield* read_register(guest.device, offset);
    yield* vm_exit(guest.vcpu.cpu, { kind: 'mmio', phys_addr: guest.bar.address + offset, is_write: false, value: 0 });
    return guest.vcpu.run.mmio.data;
  },
);

const writel = fn('A store to the device’s BAR.', function* writel(guest: Guest, offset: number, value: number) {
  yield* instruction_boundary(guest.vcpu.cpu);
  if (guest.bar.memslot.npages > 0) yield* write_register(guest.device, offset, value);
  else yield* vm_exit(guest.vcpu.cpu, { kind: 'mmio', phys_addr: guest.bar.address + offset, is_write: true, value });
});

const store = fn(
  'A store to an address that always exits: the I/O APIC, the configuration space.',
  function* store(guest: Guest, phys_addr: number, value: number) {
    yield* instruction_boundary(guest.vcpu.cpu);
    yield* vm_exit(guest.vcpu.cpu, { kind: 'mmio', phys_addr, is_write: true, value });
  },
);

const edu_irq_handler = fn(
  'The driver’s interrupt handler: reads which causes are pending, and acknowledges those.',
  function* edu_irq_handler(guest: Guest): Run<irqreturn_t> {
    const irq_status = yield* readl(guest, EDU_IRQ_STATUS);
    guest.driver.status_reads += 1;
    if (irq_status === 0) {
      guest.driver.spurious += 1;
      return IRQ_NONE;
    }
    yield* writel(guest, EDU_ACK, irq_status);
    guest.driver.handled += 1;
    return IRQ_HANDLED;
  },
);

const edu_probe = fn(
  'The guest’s driver starts: it requests the device’s interrupt, which unmasks its line at the interrupt controller.',
  function* edu_probe(guest: Guest) {
    const handler = addressOf(bound(edu_irq_handler, () => guest));
    yield* request_irq(guest.desc, handler, 0, 'edu', guest);
  },
);

const write_redirection_entry = fn(
  'The guest programs the pin: select the register, write the entry.',
  function* write_redirection_entry(guest: Guest, masked: boolean) {
    const LEVEL = 1 << 15;
    const MASK = 1 << 16;
    yield* store(guest, IOAPIC_DEFAULT_BASE_ADDRESS, 0x10 + 2 * guest.desc.irq);
    yield* store(guest, IOAPIC_DEFAULT_BASE_ADDRESS + 0x10, guest.vector | LEVEL | (masked ? MASK : 0));
  },
);

type Parts = Pick<Guest, 'vcpu' | 'device' | 'bar' | 'config'>;

/** A guest that uses the I/O APIC. Its device interrupts on `gsi`, and the guest gives that `vector`. */
export function guest(parts: Parts, gsi: number, vector: number): Guest {
  const pin = {
    mask: () => write_redirection_entry(made, true),
    unmask: () => write_redirection_entry(made, false),
    eoi: guest_eoi(parts.vcpu.pv_eoi, () => write_EOI(parts.vcpu.cpu, parts.vcpu.apic)),
  };
  const made: Guest = {
    ...parts,
    vector,
    driver: DriverCells('guest'),
    desc: irq_desc('guest', gsi, ioapic_chip, mp_register_handler.handle_irq, pin),
  };
  return made;
}

/** A guest that was booted with `noapic`: it uses the 8259 pair, where its device interrupts on `irq`. */
export function noapic_guest(parts: Parts, irq: number): Guest {
  const { cpu, run } = parts.vcpu;
  const pic = legacy_pic(
    {
      *out(port, size, value) {
        yield* instruction_boundary(cpu);
        yield* vm_exit(cpu, { kind: 'io', port, size, in: false, value });
      },
      *in(port, size) {
        yield* instruction_boundary(cpu);
        yield* vm_exit(cpu, { kind: 'io', port, size, in: true, value: 0 });
        return run.io.data & 0xff;
      },
    },
    { cached_irq_mask: ALL_BUT_CASCADE },
  );
  const desc = irq_desc('guest', irq, i8259A_chip(pic), init_ISA_irqs_handler.handle_irq, NO_PIN);
  return { ...parts, vector: ISA_IRQ_VECTOR(irq), driver: DriverCells('guest'), desc };
}

const ALL_BUT_CASCADE = 0xffff & ~(1 << PIC_CASCADE_IR);

/** The 8259 pair as such a guest has initialized it, with nothing unmasked but the cascade. */
export const NOAPIC_PIC: PicProgramming = {
  master: { irq_base: ISA_IRQ_VECTOR(0), imr: ALL_BUT_CASCADE & 0xff },
  slave: { irq_base: ISA_IRQ_VECTOR(8), imr: ALL_BUT_CASCADE >> 8, elcr: 0x0c },
};

/** The guest's CPU: the driver's probe, then the idle loop and the interrupts that reach it. */
export function guest_context(made: Guest, priority: number): void {
  running().thread('guest', 'guest CPU', 'guest', priority, function* () {
    const { cpu, apic } = made.vcpu;
    const idt = { apic, handle: () => architecturally('hardirq', common_interrupt)(made.desc) };
    yield* until(() => cpu.guest.running);
    yield* edu_probe(made);
    for (;;) yield* await_interrupt(cpu, idt);
  });
}

/** What a reader may have the guest do: each runs on its CPU as code that happens to be there. */
export const guest_reads_bar = fn(
  'The guest reads the device’s status register, outside of any handler.',
  function* guest_reads_bar(made: Guest) {
    yield* readl(made, EDU_IRQ_STATUS);
  },
);

export const guest_acknowledges = fn('The guest writes the device’s acknowledge register.', function* guest_acknowledges(made: Guest) {
  yield* writel(made, EDU_ACK, 0xffffffff);
});

export const guest_writes_config = fn(
  'The guest writes a register in the configuration space of some device.',
  function* guest_writes_config(made: Guest, address: number, value: number) {
    yield* store(made, address, value);
  },
);

export const guest_writes_command = fn(
  'The guest writes PCI_COMMAND in the device’s configuration space.',
  function* guest_writes_command(made: Guest, value: number) {
    yield* store(made, made.config.address + 0x04, value);
  },
);

export const guest_writes_EOI = fn(
  'The guest writes its EOI register without having taken an interrupt.',
  function* guest_writes_EOI(made: Guest) {
    at('EOI');
    yield* instruction_boundary(made.vcpu.cpu);
    yield* write_EOI(made.vcpu.cpu, made.vcpu.apic);
  },
);
