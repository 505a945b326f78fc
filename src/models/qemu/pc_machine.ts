import { bound } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { pipe_inode_info, type Pipe } from '../linux/fs/pipe';
import type { CpusAccel } from './board';
import { chardev } from './chardev/char-fd';
import { serial_receive1_handler, serial_state } from './hw/char/serial';
import type { ISASerialState } from './hw/char/serial-isa';
import type { IRQState } from './hw/core/irq';
import { pc_init1 } from './hw/i386/pc_piix';
import { apic_io_ops } from './hw/intc/apic';
import type { ISABus } from './hw/isa/isa-bus';
import { piix3_bus_irqs, piix3_state, type PIIX3State } from './hw/isa/piix3';
import { edu_mmio_ops, edu_state, type EduState } from './hw/misc/edu';
import { io_region, memory_region_add_subregion, type AddressSpace } from './include/exec/memory';
import { x86_cpu, type Execution } from './include/hw/core/cpu';
import { apic_common_state, APIC_DEFAULT_ADDRESS, APIC_SPACE_SIZE } from './include/hw/i386/apic_internal';
import { pci_bus } from './include/hw/pci/pci';
import { kvm_irqchip_in_kernel } from './include/sysemu/kvm';
import type { KVMState } from './include/sysemu/kvm_int';
import { qemu_process, type Process } from './machine';
import { qemu_init_subsystems, qemu_main_loop } from './softmmu/runstate';

/** A QEMU process with the older PC, `-M pc`: a PIIX3, two serial ports and an edu. */

export interface PcMachine extends Process {
  readonly isa_bus: ISABus;
  readonly serial: readonly ISASerialState[];
  /** The host sides of the serial ports. */
  readonly pipes: readonly Pipe[];
  readonly edu: EduState;
  /** The bridge is made when there are GSIs for it. */
  readonly connect_piix3: (gsi: readonly IRQState[]) => void;
}

/** The ports’ places: COM1, and a second one that the user has put on an interrupt of the slave. */
export const SERIAL_PORTS = [
  { iobase: 0x3f8, isairq: 4 },
  { iobase: 0x2e8, isairq: 12 },
] as const;

/** Guest-physical address and size of edu’s BAR, as firmware has mapped it; in slot 2, its pin is PIRQ B, which is IRQ 10. */
export const EDU_BAR = { name: 'edu-mmio', addr: 0xfeb00000, size: 0x100000 } as const;
export const EDU_IRQ = 10;
const EDU_SLOT = 2;

/** Makes the process with its one CPU. Call it while a machine is set up; the board’s wiring follows in pc_init1(). */
export function pc_machine(kvm_state: KVMState | undefined, execution: Execution, cpus_accel: CpusAccel): PcMachine {
  const memory: AddressSpace = { root: [], listeners: [], current_map: [] };
  const process = qemu_process(kvm_state, memory, cpus_accel);
  const { board } = process;
  const cpu = x86_cpu(board, 0, execution);
  if (!kvm_irqchip_in_kernel(board)) {
    cpu.apic_state = apic_common_state(cpu, 'virtual wire');
    board.local_apics.push(cpu.apic_state);
    memory_region_add_subregion(
      memory,
      io_region({ name: 'apic-msi', addr: APIC_DEFAULT_ADDRESS, size: APIC_SPACE_SIZE }, apic_io_ops, () => board),
    );
  }

  let piix3: PIIX3State | undefined;
  const bus = pci_bus(
    'pci.0',
    piix3_bus_irqs(() => piix3!),
  );
  const edu = edu_state(bus, EDU_SLOT, process.qemu_global_mutex);
  memory_region_add_subregion(
    memory,
    io_region(EDU_BAR, edu_mmio_ops, () => edu),
  );

  const serial = SERIAL_PORTS.map(({ iobase, isairq }, n) => ({ iobase, isairq, state: serial_state(`serial ${n}`) }));
  const pipes = serial.map(({ state }, n) => {
    const pipe = pipe_inode_info(`serial ${n}`);
    const { target, registration } = serial_receive1_handler.chr_read;
    process.sources.push(chardev(pipe, { target: bound(target, () => state), registration }));
    return pipe;
  });

  return {
    ...process,
    isa_bus: { address_space_io: process.address_space_io, irqs: [] },
    serial,
    pipes,
    edu,
    connect_piix3(gsi) {
      piix3 = piix3_state(gsi);
    },
  };
}

/** The main thread: builds the board, and serves events for ever. */
export function* pc_main(m: PcMachine): Run {
  yield* qemu_init_subsystems(m);
  yield* pc_init1(m);
  yield* qemu_main_loop(m);
}
