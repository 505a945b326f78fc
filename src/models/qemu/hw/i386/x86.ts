import { addressOf, bound, source, via, type Pointer } from '../../../../engine/fn';
import { running } from '../../../../engine/running';
import { at, atCall, behind } from '../../../../engine/steps';
import { memory_region_add_subregion, type AddressSpace, type MemoryRegion } from '../../include/exec/memory';
import { device_set_realized } from '../core/qdev';
import type { Board } from '../../board';
import { CPU_INTERRUPT_HARD, type X86CPU } from '../../include/hw/core/cpu';
import { kvm_irqchip_in_kernel } from '../../include/sysemu/kvm';
import { cpu_interrupt } from '../../softmmu/cpus';
import { cpu_reset_interrupt } from '../core/cpu-common';
import { qemu_allocate_irq, qemu_set_irq, type IRQState } from '../core/irq';
import { apic_accept_pic_intr, apic_deliver_pic_intr, apic_get_interrupt } from '../intc/apic';
import { pic_read_irq } from '../intc/i8259';

/** What all x86 boards share of interrupts: GSIs, the PIC's output, the acknowledge cycle. */

/** The inputs of the interrupt chips, by GSI. A line that leads nowhere is undefined. */
export interface GSIState {
  readonly i8259_irq: (IRQState | undefined)[];
  readonly ioapic_irq: (IRQState | undefined)[];
}

export const ISA_NUM_IRQS = 16;

const { fn } = source('qemu', 'hw/i386/x86.c');

const pic_irq_request = fn(
  'The PIC’s output has changed. Every CPU whose local APIC leaves LINT0 open hears of it; where the local APICs are in the kernel, the first CPU alone.',
  function* pic_irq_request(board: Board, _irq: number, level: 0 | 1) {
    const [first_cpu] = board.cpus;
    if (first_cpu === undefined) return;
    if (first_cpu.apic_state !== undefined && !kvm_irqchip_in_kernel(board)) {
      for (const { apic_state } of board.cpus) {
        if (apic_state !== undefined && (yield* apic_accept_pic_intr(apic_state))) yield* apic_deliver_pic_intr(apic_state, level);
      }
    } else if (level) yield* cpu_interrupt(first_cpu, CPU_INTERRUPT_HARD);
    else yield* cpu_reset_interrupt(first_cpu, CPU_INTERRUPT_HARD);
  },
);

export const x86_allocate_cpu_irq = fn(
  'Makes the line that the PIC’s output is connected to: it leads to the CPUs.',
  function* x86_allocate_cpu_irq(board: Board) {
    return yield* qemu_allocate_irq(addressOf(bound(pic_irq_request, () => board)), 0);
  },
);

export const cpu_get_pic_interrupt = fn(
  'The CPU acknowledges: which vector? The local APIC is asked first, the PIC if that has nothing or lets it go before. -1 if nobody answers.',
  function* cpu_get_pic_interrupt(cpu: X86CPU) {
    const { board, apic_state } = cpu;
    if (!kvm_irqchip_in_kernel(board)) {
      const intno = yield* apic_get_interrupt(apic_state);
      if (intno >= 0) return intno;
      if (!(yield* apic_accept_pic_intr(apic_state))) return -1;
    }
    return yield* pic_read_irq(board);
  },
);

export const cpu_get_current_apic = fn(
  'The local APIC of the CPU that this thread runs: an access to the page means one’s own.',
  function* cpu_get_current_apic(board: Board) {
    at('current_cpu');
    return board.cpus.find(({ thread }) => thread === running().currentThread)?.apic_state;
  },
);

export const ioapic_init_gsi = fn(
  'Makes the I/O APIC, in QEMU or as a front for the kernel’s, and connects its pins to the GSIs.',
  function* ioapic_init_gsi(chip: RealizableIoapic, gsi_state: GSIState, memory: AddressSpace) {
    atCall('kvm_ioapic_in_kernel');
    yield* via('sysbus_realize_and_unref', device_set_realized)(chip.realize);
    const { io_memory, gpio_in } = chip.state;
    atCall('sysbus_mmio_map');
    if (io_memory !== undefined) memory_region_add_subregion(memory, io_memory);
    at('ioapic_irq');
    for (const [pin, line] of gpio_in.entries()) gsi_state.ioapic_irq[pin] = line;
  },
);

/** An I/O APIC that is still to be realized. */
export interface RealizableIoapic {
  readonly realize: Pointer<[], void>;
  readonly state: { readonly io_memory: MemoryRegion | undefined; readonly gpio_in: readonly IRQState[] };
}

export const gsi_handler = fn(
  'Drives a GSI: below 16 the PIC’s input and the I/O APIC’s, from 16 on the I/O APIC’s alone. With both chips in the kernel, either call reaches both.',
  function* gsi_handler(s: GSIState, n: number, level: 0 | 1) {
    if (n < ISA_NUM_IRQS) yield* qemu_set_irq(s.i8259_irq[n], level);
    behind('qemu_set_irq');
    yield* qemu_set_irq(s.ioapic_irq[n], level);
  },
);
