import { bool, int, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { causedBy, until } from '../../engine/steps';
import { runs_on } from '../acrn/hypervisor/include/arch/x86/asm/per_cpu';
import type { AcrnVcpu } from '../acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import {
  boot,
  instruction_boundary,
  interrupted,
  IRQ_WORK_VECTOR,
  LOCAL_TIMER_VECTOR,
  set_IF,
  vm_exit,
  write_EOI,
  type GuestAccess,
  type VmxExit,
} from '../hardware/vmx_cpu';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { virtcons_probe, type PortsDevice } from '../linux/drivers/char/virtio_console';
import type { IrqDesc } from '../linux/kernel/irq/irqdesc';
import { process_one_work, type WorkqueueStruct } from '../linux/kernel/workqueue';
import {
  interrupts_itself,
  ISA_VECTORS,
  masks_pic,
  moves_interrupt,
  pic_interrupt,
  reads_config,
  restarts_apic,
  routes_line,
  saves_chips,
  uses_pic,
  writes_hello,
  type InterruptLine,
} from './console_chores';
import type { GuestCpu } from './cpu';

/** A User VM under ACRN: Linux on one CPU, with a virtio console that a program writes to. */

const GuestCells = struct('guest', 'The User VM’s Linux: what it has still to do, and whether it is still alive.', {
  to_write: int(),
  to_move_interrupt: int(),
  to_read_config: int(),
  to_use_pic: int(),
  to_mask_pic: int(),
  to_save_chips: int(),
  to_restart_apic: int(),
  to_interrupt_itself: int(),
  /** The interrupt of the input queue is being moved: its entry is masked. */
  moving: bool(),
  /** Interrupts are off, and the PIC’s pins are about to be masked. */
  masking: bool(),
  /** Interrupts that came through the PIC. */
  pic_interrupts: int(),
  oops: bool(),
});

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

const irq_work_interrupt = fn(
  'An interrupt that the guest has sent to itself: what was to be done in one is done.',
  function* irq_work_interrupt(guest: ConsoleGuest) {
    yield* write_EOI(guest.vcpu);
  },
);

/** Between two instructions: takes what is due. */
const boundary = (guest: ConsoleGuest): Run =>
  instruction_boundary(guest.vcpu, (event) => (event.kind === 'fault' ? general_protection(guest) : handle(guest, event.vector)));

function* handle(guest: ConsoleGuest, vector: number): Run {
  const desc = guest.vector_irq.get(vector);
  if (desc !== undefined) yield* architecturally('hardirq', common_interrupt)(desc);
  else if (vector === LOCAL_TIMER_VECTOR) yield* architecturally('hardirq', timer_interrupt)(guest);
  else if (vector === IRQ_WORK_VECTOR) yield* architecturally('hardirq', irq_work_interrupt)(guest);
  else if (vector >> 4 === ISA_VECTORS >> 4) yield* architecturally('hardirq', pic_interrupt)(guest);
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
      else if (cells.to_save_chips > 0) yield* saves_chips(guest);
      else if (cells.to_restart_apic > 0) yield* restarts_apic(guest);
      else if (cells.to_interrupt_itself > 0) yield* interrupts_itself(guest);
      else yield* vm_exit(vcpu, { reason: 'VMX_EXIT_REASON_HLT' });
    }
  });
}
