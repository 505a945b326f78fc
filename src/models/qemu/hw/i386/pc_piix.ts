import { source, via } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { kvm_ioapic_in_kernel } from '../../include/sysemu/kvm';
import type { PcMachine } from '../../pc_machine';
import { serial_isa_realizefn } from '../char/serial-isa';
import { isa_bus_irqs } from '../isa/isa-bus';
import { new_ioapic } from '../intc/ioapic';
import { kvm_ioapic } from './kvm/ioapic';
import { pc_gsi_create, pc_i8259_create } from './pc';
import { ioapic_init_gsi } from './x86';

const { fn } = source('qemu', 'hw/i386/pc_piix.c');

export const pc_init1 = fn(
  'Builds the PC with a PIIX3: here its interrupts. First the GSIs, then what they lead to: the 8259 pair and the I/O APIC, wherever those live; then the devices that use them.',
  function* pc_init1(m: PcMachine) {
    const { board } = m;
    atCall('x86_cpus_init');
    const { s: gsi_state, irqs } = yield* pc_gsi_create(board, true);
    at('piix3');
    m.connect_piix3(irqs);
    yield* isa_bus_irqs(m.isa_bus, irqs);
    yield* pc_i8259_create(board, m.isa_bus, gsi_state);
    const chip = kvm_ioapic_in_kernel(board) ? kvm_ioapic(board.kvm_state!) : new_ioapic(board, m.main_loop_tlg);
    yield* ioapic_init_gsi(chip, gsi_state, m.address_space_memory);
    for (const port of m.serial) yield* via('pc_basic_device_init', serial_isa_realizefn)(m.isa_bus, port);
  },
);
