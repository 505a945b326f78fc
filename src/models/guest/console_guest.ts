import { bool, int, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { causedBy, until } from '../../engine/steps';
import { vlapic_timer_expired } from '../acrn/hypervisor/arch/x86/guest/vlapic';
import { runs_on } from '../acrn/hypervisor/include/arch/x86/asm/per_cpu';
import type { AcrnVcpu } from '../acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import {
  boot,
  instruction_boundary,
  interrupted,
  LOCAL_TIMER_VECTOR,
  set_IF,
  vm_exit,
  write_EOI,
  type GuestAccess,
  type VmxExit,
} from '../hardware/vmx_cpu';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { virtcons_probe, type PortsDevice } from '../linux/drivers/char/virtio_console';
import { hvc_write, type HvcStruct } from '../linux/drivers/tty/hvc/hvc_console';
import type { IrqDesc } from '../linux/kernel/irq/irqdesc';
import { process_one_work, type WorkqueueStruct } from '../linux/kernel/workqueue';
import type { GuestCpu } from './cpu';

/** A User VM under ACRN: Linux on one CPU, with a virtio console that a program writes to. */

const GuestCells = struct('guest', 'The User VM’s Linux: what it has still to do, and whether it is still alive.', {
  to_write: int(),
  to_move_interrupt: int(),
  to_read_config: int(),
  to_use_pic: int(),
  to_mask_pic: int(),
  /** The interrupt of the input queue is being moved: its entry is masked. */
  moving: bool(),
  /** Interrupts are off, and the PIC’s pins are about to be masked. */
  masking: bool(),
  /** Interrupts that came through the PIC. */
  pic_interrupts: int(),
  oops: bool(),
});

/** What a task of the guest does when its time has come. */
export type Chore = 'to_write' | 'to_move_interrupt' | 'to_read_config' | 'to_use_pic' | 'to_mask_pic';

/** The pin that a device’s line is connected to, and the low half of its redirection entry. */
export interface InterruptLine {
  readonly pin: number;
  readonly entry: number;
}

/** A guest. */
export interface ConsoleGuest {
  readonly cells: InstanceOf<typeof GuestCells>;
  readonly vcpu: AcrnVcpu;
  readonly cpu: GuestCpu;
  readonly system_wq: WorkqueueStruct;
  /** Which interrupt a vector is. */
  readonly vector_irq: Map<number, IrqDesc>;
  /** The input queue’s entry of the MSI-X table. */
  readonly input_entry: number;
}

const { fn } = source('guest', 'console_guest');

const general_protection = fn(
  'A fault in kernel mode that nobody expects: the kernel prints an oops and stops. An OUT instruction cannot fail, except under this hypervisor.',
  function* general_protection(guest: ConsoleGuest) {
    guest.cells.oops = true;
    yield* until(() => false);
  },
);

const timer_interrupt = fn('The guest’s timer: a program that sleeps gets its turn.', function* timer_interrupt(guest: ConsoleGuest) {
  yield* write_EOI(guest.vcpu);
});

/** The PIC pair as Linux programs it: vectors from 0x30, and here only the serial port’s pin open. */
const ISA_VECTORS = 0x30;
const SERIAL_PIN_OPEN = 0xef;
const ALL_MASKED = 0xff;
const PIC_EOI = 0x20;

const pic_interrupt = fn(
  'An interrupt through the PIC, as a guest without I/O APIC has them: its end is told to the chip.',
  function* pic_interrupt({ cells, cpu }: ConsoleGuest) {
    cells.pic_interrupts += 1;
    yield* cpu.out(0x20, 1, PIC_EOI);
  },
);

const uses_pic = fn(
  'The guest initialises the PIC pair and opens the serial port’s pin.',
  function* uses_pic({ cells, cpu }: ConsoleGuest) {
    cells.to_use_pic -= 1;
    for (const [port, words] of [
      [0x20, [0x11, ISA_VECTORS, 0x04, 0x01]],
      [0xa0, [0x11, ISA_VECTORS + 8, 0x02, 0x01]],
    ] as const) {
      for (const [i, word] of words.entries()) yield* cpu.out(i === 0 ? port : port + 1, 1, word);
    }
    yield* cpu.out(0x21, 1, SERIAL_PIN_OPEN);
  },
);

const masks_pic = fn(
  'With interrupts off the guest masks the serial port’s pin, and opens it again later, as disable_irq() and enable_irq() may do.',
  function* masks_pic({ cells, cpu }: ConsoleGuest) {
    cells.to_mask_pic -= 1;
    yield* cpu.set_interrupts(false);
    cells.masking = true;
    yield* cpu.out(0x21, 1, ALL_MASKED);
    cells.masking = false;
    yield* cpu.set_interrupts(true);
    yield* cpu.out(0x21, 1, SERIAL_PIN_OPEN);
  },
);

const IOAPIC_BASE = 0xfec00000;

const routes_line = fn(
  'The guest opens the device’s pin of the I/O APIC: selects a half of the entry, writes it. The hypervisor answers for that page itself.',
  function* routes_line({ cpu }: ConsoleGuest, { pin, entry }: InterruptLine) {
    yield* cpu.store(IOAPIC_BASE, 4, 0x10 + 2 * pin);
    yield* cpu.store(IOAPIC_BASE + 0x10, 4, entry);
  },
);

/** Between two instructions: takes what is due. */
function* boundary(guest: ConsoleGuest): Run {
  const { vcpu, vector_irq } = guest;
  for (let event = yield* instruction_boundary(vcpu); event !== undefined; event = yield* instruction_boundary(vcpu)) {
    if (event.kind === 'fault') yield* general_protection(guest);
    else {
      const desc = vector_irq.get(event.vector);
      if (desc !== undefined) yield* architecturally('hardirq', common_interrupt)(desc);
      else if (event.vector === LOCAL_TIMER_VECTOR) yield* timer_interrupt(guest);
      else if (event.vector >> 4 === ISA_VECTORS >> 4) yield* pic_interrupt(guest);
      yield* set_IF(vcpu, true);
    }
  }
}

function* leave(guest: ConsoleGuest, exit: VmxExit): Run {
  yield* boundary(guest);
  yield* vm_exit(guest.vcpu, exit);
  yield* boundary(guest);
}

/** Makes a guest on a virtual CPU. */
export function console_guest(vcpu: AcrnVcpu, input_entry: number): ConsoleGuest {
  const io = (access: GuestAccess): Run => leave(guest, { reason: 'VMX_EXIT_REASON_IO_INSTRUCTION', access });
  const mmio = (access: GuestAccess): Run => leave(guest, { reason: 'VMX_EXIT_REASON_EPT_VIOLATION', access });
  const read = function* (by: typeof io, address: number, size: number): Run<number> {
    yield* by({ address, size, write: false, value: 0 });
    return vcpu.cpu.RAX;
  };
  const cpu: GuestCpu = {
    out: (address, size, value) => io({ address, size, write: true, value }),
    in: (address, size) => read(io, address, size),
    store: (address, size, value) => mmio({ address, size, write: true, value }),
    load: (address, size) => read(mmio, address, size),
    interrupts_on: () => vcpu.vmcs['VMX_GUEST_RFLAGS.IF'],
    *set_interrupts(on) {
      yield* set_IF(vcpu, on);
      if (on) yield* boundary(guest);
    },
    *spin(done) {
      while (!done()) {
        yield* until(() => done() || interrupted(vcpu));
        yield* boundary(guest);
      }
    },
  };
  const guest: ConsoleGuest = {
    cells: GuestCells(`VM${vcpu.vm.vm_id}`),
    vcpu,
    cpu,
    system_wq: { name: 'events', worklist: [], current_work: undefined },
    vector_irq: new Map(),
    input_entry,
  };
  return guest;
}

/** The guest's CPU: the driver's probe; then work, tasks, or nothing to do. */
export function guest_context(guest: ConsoleGuest, portdev: PortsDevice, line: InterruptLine | undefined, priority: number): void {
  const { vcpu, system_wq, cells } = guest;
  running().thread('guest', 'User VM: guest CPU 0', 'guest', priority, function* () {
    runs_on(vcpu.pcpu);
    yield* until(() => vcpu.cpu.running);
    causedBy(vcpu.cpu.enteredAt);
    yield* boot(vcpu);
    if (line !== undefined) yield* routes_line(guest, line);
    yield* virtcons_probe(portdev);
    for (;;) {
      yield* boundary(guest);
      const [work] = system_wq.worklist;
      const hvc = portdev.ports[0]?.hvc;
      if (work !== undefined) {
        causedBy(work.queuedAt);
        yield* process_one_work(system_wq, work);
      } else if (cells.to_write > 0 && hvc !== undefined) yield* writes_hello(guest, hvc);
      else if (cells.to_move_interrupt > 0) yield* moves_interrupt(guest);
      else if (cells.to_read_config > 0) yield* reads_config(guest);
      else if (cells.to_use_pic > 0) yield* uses_pic(guest);
      else if (cells.to_mask_pic > 0) yield* masks_pic(guest);
      else yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_HLT' });
    }
  });
}

export const task_wakes = fn(
  'A task of the guest has slept long enough: the hypervisor’s timer fires for the guest’s local APIC.',
  function* task_wakes({ cells, vcpu }: ConsoleGuest, chore: Chore) {
    cells[chore] += 1;
    yield* vlapic_timer_expired(vcpu);
  },
);

const writes_hello = fn('A program writes to the console.', function* writes_hello({ cells }: ConsoleGuest, hvc: HvcStruct) {
  cells.to_write -= 1;
  yield* hvc_write(hvc, 'Hello');
});

/** Where the input queue's interrupt goes when it is moved. */
export const MOVED_VECTOR = 0x51;

/** The dwords of an MSI-X table's entry that are written. */
const MSG_DATA = 8;
const VECTOR_CTRL = 12;

const moves_interrupt = fn(
  'The guest moves the input queue’s interrupt, as it does to have another CPU handle it: masks the entry of the MSI-X table, rewrites it, unmasks it. PCI wants it in this order.',
  function* moves_interrupt({ cells, cpu, input_entry }: ConsoleGuest) {
    cells.to_move_interrupt -= 1;
    cells.moving = true;
    yield* cpu.store(input_entry + VECTOR_CTRL, 4, 1);
    yield* cpu.store(input_entry + MSG_DATA, 4, MOVED_VECTOR);
    yield* cpu.store(input_entry + VECTOR_CTRL, 4, 0);
    yield* cpu.load(input_entry + MSG_DATA, 4);
    cells.moving = false;
  },
);

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

const reads_config = fn(
  'The guest reads a register of the host bridge’s configuration space: the address goes to one port, the data comes from another.',
  function* reads_config({ cells, cpu }: ConsoleGuest) {
    cells.to_read_config -= 1;
    yield* cpu.out(CONFIG_ADDRESS, 4, 0x80000000);
    yield* cpu.in(CONFIG_DATA, 4);
  },
);
