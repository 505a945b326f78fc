import { int, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { at, until } from '../../engine/steps';
import { halt, idle, instruction_boundary, vm_exit, write_EOI, write_ICR, write_register } from '../hardware/virt_cpu';
import {
  APIC_DEST_SELF,
  APIC_DEST_ALLBUT,
  APIC_DFR,
  APIC_DM_FIXED,
  APIC_DM_LOWEST,
  APIC_INT_ASSERT,
  APIC_LVTT,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_TDCR,
  APIC_TMICT,
} from '../linux/arch/x86/include/asm/apicdef';
import type { KvmVcpu } from '../linux/virt/kvm/kvm_types';

/**
 * A guest of our own: two CPUs and nothing but interrupt handlers. CPU 0 polls for work, CPU 1 halts. The handler of the
 * device tells CPU 1 by an inter-processor interrupt; that one starts its timer when it is told the first time.
 */

export const IOAPIC = 0xfec00000;
export const DEVICE = 0xfe000000;
/** The pins of the device and of the real-time clock, and every vector that has a handler. */
export const DEVICE_PIN = 10;
export const RTC_PIN = 8;
export const DEVICE_VECTOR = 0x60;
export const MOVED_VECTOR = 0x70;
export const RTC_VECTOR = 0x38;
export const MESSAGE_VECTOR = 0x50;
export const TIMER_VECTOR = 0xec;
export const IPI_VECTOR = 0xfd;

const TIMER_COUNT = 1_000_000;
const DIVIDE_BY_1 = 0xb;

/** What the handler of the device does: all that it should, nothing for the device at first, or besides it moves the interrupt. */
export type HandlerKind = 'services' | 'late' | 'moves-vector' | 'moves-cpu';

/** Whom the pin's interrupt is for. */
export type Destination = 'cpu0' | 'cpu1' | 'both' | 'lowest' | 'nobody';

const CpuCells = struct('guest_counts', 'How often each handler of a CPU ran.', {
  device: int(),
  rtc: int(),
  message: int(),
  timer: int(),
  ipi: int(),
  spurious: int(),
});

/** One CPU of the guest. */
interface GuestCpu {
  readonly vcpu: KvmVcpu;
  readonly counts: InstanceOf<typeof CpuCells>;
}

/** The guest. */
export interface SmallKernel {
  readonly cpus: readonly GuestCpu[];
  readonly level: boolean;
  readonly handler: HandlerKind;
  readonly destination: Destination;
  /** How often a `late` handler ends the interrupt without doing anything for the device. */
  readonly late: number;
}

/** A guest on the vCPUs of a machine. */
export const small_kernel = (vcpus: readonly KvmVcpu[], rest: Omit<SmallKernel, 'cpus'>): SmallKernel => ({
  cpus: vcpus.map((vcpu) => ({ vcpu, counts: CpuCells(`guest CPU ${vcpu.vcpu_id}`) })),
  ...rest,
});

const { fn } = source('guest', 'small_kernel');

const store = fn('A store to a device: it exits.', function* store({ vcpu }: GuestCpu, phys_addr: number, value: number) {
  yield* instruction_boundary(vcpu.cpu);
  yield* vm_exit(vcpu.cpu, { kind: 'mmio', phys_addr, is_write: true, value });
});

const write_entry_half = fn(
  'Writes one half of a redirection entry: first which, then what.',
  function* write_entry_half(cpu: GuestCpu, pin: number, half: 0 | 1, value: number) {
    yield* store(cpu, IOAPIC, 0x10 + 2 * pin + half);
    yield* store(cpu, IOAPIC + 0x10, value);
  },
);

const load = fn('A load from a device: it exits.', function* load({ vcpu }: GuestCpu, phys_addr: number) {
  yield* instruction_boundary(vcpu.cpu);
  yield* vm_exit(vcpu.cpu, { kind: 'mmio', phys_addr, is_write: false, value: 0 });
});

/** The lower half of the device's entry. */
function deviceEntry({ level, destination }: SmallKernel, vector: number, masked: boolean): number {
  const logical = destination === 'cpu0' || destination === 'cpu1' ? 0 : 1 << 11;
  const mode = destination === 'lowest' ? APIC_DM_LOWEST : APIC_DM_FIXED;
  return vector | mode | logical | (Number(level) << 15) | (Number(masked) << 16);
}

/** The destination's ID: of one CPU, one bit for each of both, or bits that belong to nobody. */
const destinationId = ({ destination }: SmallKernel): number => ({ cpu0: 0, cpu1: 1, both: 3, lowest: 3, nobody: 0x30 })[destination];

const program_pins = fn(
  'Programs the pins: whom first, then the vector with the mask open, so that nothing goes astray in between.',
  function* program_pins(kernel: SmallKernel, cpu: GuestCpu) {
    yield* write_entry_half(cpu, DEVICE_PIN, 1, destinationId(kernel) << 24);
    yield* write_entry_half(cpu, DEVICE_PIN, 0, deviceEntry(kernel, DEVICE_VECTOR, false));
    yield* write_entry_half(cpu, RTC_PIN, 0, RTC_VECTOR);
  },
);

const end_of_interrupt = fn('Ends the interrupt at the local APIC.', function* end_of_interrupt({ vcpu }: GuestCpu) {
  yield* write_EOI(vcpu.cpu, vcpu.apic);
});

const device_handler = fn(
  'The device’s handler. An edge is ended first, since another one may come while it is being served; a level last, when the device has let go of it.',
  function* device_handler(kernel: SmallKernel, cpu: GuestCpu) {
    cpu.counts.device += 1;
    if (!kernel.level) yield* end_of_interrupt(cpu);
    const careless = kernel.handler === 'late' && cpu.counts.device <= kernel.late;
    if (!careless) yield* store(cpu, DEVICE, 1);
    if (kernel.handler === 'moves-vector') yield* move_vector(kernel, cpu);
    if (kernel.handler === 'moves-cpu') yield* move_to_other_cpu(kernel, cpu);
    if (kernel.level) yield* end_of_interrupt(cpu);
    if (!careless) yield* tell_other_cpu(kernel, cpu);
  },
);

const move_vector = fn(
  'Gives the pin another vector, as a guest does that moves an interrupt to another CPU. The one in service is the old one.',
  function* move_vector(kernel: SmallKernel, cpu: GuestCpu) {
    yield* write_entry_half(cpu, DEVICE_PIN, 0, deviceEntry(kernel, MOVED_VECTOR, false));
  },
);

const move_to_other_cpu = fn(
  'Sends the pin’s interrupts to the other CPU from now on. The one in service is still this CPU’s to end.',
  function* move_to_other_cpu(kernel: SmallKernel, cpu: GuestCpu) {
    yield* write_entry_half(cpu, DEVICE_PIN, 1, (1 - cpu.vcpu.vcpu_id) << 24);
  },
);

const tell_other_cpu = fn(
  'Sends an inter-processor interrupt to the other CPU.',
  function* tell_other_cpu(kernel: SmallKernel, { vcpu }: GuestCpu) {
    const other = kernel.cpus.find((each) => each.vcpu !== vcpu);
    if (other !== undefined) yield* write_ICR(vcpu.cpu, vcpu.apic, APIC_INT_ASSERT | IPI_VECTOR, other.vcpu.vcpu_id);
  },
);

const ipi_handler = fn('Another CPU has something to say.', function* ipi_handler(cpu: GuestCpu) {
  cpu.counts.ipi += 1;
  yield* end_of_interrupt(cpu);
  if (cpu.counts.ipi === 1) yield* start_timer(cpu);
});

const start_timer = fn(
  'Starts the local timer, for one interrupt: how, how fast, and from where it counts.',
  function* start_timer({ vcpu }: GuestCpu) {
    yield* write_register(vcpu.cpu, vcpu.apic, APIC_LVTT, TIMER_VECTOR);
    yield* write_register(vcpu.cpu, vcpu.apic, APIC_TDCR, DIVIDE_BY_1);
    yield* write_register(vcpu.cpu, vcpu.apic, APIC_TMICT, TIMER_COUNT);
  },
);

const timer_handler = fn('The local timer has counted down.', function* timer_handler(cpu: GuestCpu) {
  cpu.counts.timer += 1;
  yield* end_of_interrupt(cpu);
});

const message_handler = fn(
  'A device has sent a message: an edge, which it has forgotten by now.',
  function* message_handler(cpu: GuestCpu) {
    cpu.counts.message += 1;
    yield* end_of_interrupt(cpu);
  },
);

const rtc_handler = fn('The real-time clock ticks.', function* rtc_handler(cpu: GuestCpu) {
  cpu.counts.rtc += 1;
  yield* end_of_interrupt(cpu);
});

const spurious_handler = fn(
  'A vector that nobody wants. It is not ended: nothing says that it is in service.',
  function* spurious_handler(cpu: GuestCpu) {
    cpu.counts.spurious += 1;
  },
);

function handle(kernel: SmallKernel, cpu: GuestCpu, vector: number): Run {
  switch (vector) {
    case DEVICE_VECTOR:
    case MOVED_VECTOR:
      return architecturally('hardirq', device_handler)(kernel, cpu);
    case IPI_VECTOR:
      return architecturally('hardirq', ipi_handler)(cpu);
    case TIMER_VECTOR:
      return architecturally('hardirq', timer_handler)(cpu);
    case MESSAGE_VECTOR:
      return architecturally('hardirq', message_handler)(cpu);
    case RTC_VECTOR:
      return architecturally('hardirq', rtc_handler)(cpu);
    default:
      return architecturally('hardirq', spurious_handler)(cpu);
  }
}

/** The guest's CPUs: the first programs the pins and polls, the others halt. */
export function guest_contexts(kernel: SmallKernel, priority: number): void {
  for (const cpu of kernel.cpus) {
    const { vcpu } = cpu;
    vcpu.cpu.idt = { apic: vcpu.apic, handle: (vector) => handle(kernel, cpu, vector) };
    running().thread(`guest${vcpu.vcpu_id}`, `guest CPU ${vcpu.vcpu_id}`, 'guest', priority, function* () {
      yield* until(() => vcpu.cpu.guest.running);
      if (vcpu.vcpu_id === 0) yield* program_pins(kernel, cpu);
      for (;;) {
        if (vcpu.vcpu_id === 0) yield* idle(vcpu.cpu);
        else yield* halt(vcpu.cpu);
        yield* instruction_boundary(vcpu.cpu);
      }
    });
  }
}

/** What a reader may have CPU 0 do: each runs there as code that happens to come by. */
const first = ({ cpus }: SmallKernel): GuestCpu => cpus[0]!;

export const guest_masks_pin = fn('The guest masks the device’s pin.', function* guest_masks_pin(kernel: SmallKernel) {
  yield* write_entry_half(first(kernel), DEVICE_PIN, 0, deviceEntry(kernel, DEVICE_VECTOR, true));
});

export const guest_unmasks_pin = fn('The guest unmasks the device’s pin.', function* guest_unmasks_pin(kernel: SmallKernel) {
  yield* write_entry_half(first(kernel), DEVICE_PIN, 0, deviceEntry(kernel, DEVICE_VECTOR, false));
});

export const guest_frees_pin = fn(
  'The guest makes the pin edge-triggered for a moment: what frees an entry whose EOI never came.',
  function* guest_frees_pin(kernel: SmallKernel) {
    yield* write_entry_half(first(kernel), DEVICE_PIN, 0, deviceEntry({ ...kernel, level: false }, DEVICE_VECTOR, true));
    yield* write_entry_half(first(kernel), DEVICE_PIN, 0, deviceEntry({ ...kernel, level: true }, DEVICE_VECTOR, false));
  },
);

export const guest_reads_pin = fn(
  'The guest reads the device’s entry back, as a kernel does that prints it: there remote IRR shows.',
  function* guest_reads_pin(kernel: SmallKernel) {
    yield* store(first(kernel), IOAPIC, 0x10 + 2 * DEVICE_PIN);
    yield* load(first(kernel), IOAPIC + 0x10);
  },
);

export const guest_ends_nothing = fn(
  'The guest writes EOI without having taken an interrupt.',
  function* guest_ends_nothing(kernel: SmallKernel) {
    at('EOI');
    yield* instruction_boundary(first(kernel).vcpu.cpu);
    yield* end_of_interrupt(first(kernel));
  },
);

export const guest_interrupts_itself = fn('The guest sends itself an interrupt.', function* guest_interrupts_itself(kernel: SmallKernel) {
  const { cpu, apic } = first(kernel).vcpu;
  yield* instruction_boundary(cpu);
  yield* write_ICR(cpu, apic, APIC_DEST_SELF | APIC_INT_ASSERT | IPI_VECTOR, 0);
});

export const guest_interrupts_others = fn(
  'The guest sends an interrupt to all CPUs but itself.',
  function* guest_interrupts_others(kernel: SmallKernel) {
    const { cpu, apic } = first(kernel).vcpu;
    yield* instruction_boundary(cpu);
    yield* write_ICR(cpu, apic, APIC_DEST_ALLBUT | APIC_INT_ASSERT | IPI_VECTOR, 0);
  },
);

export const guest_uses_clusters = fn(
  'The guest makes CPU 0 understand logical destinations as clusters, while CPU 1 stays flat. In x2APIC mode there is nothing to choose.',
  function* guest_uses_clusters(kernel: SmallKernel) {
    const { cpu, apic } = first(kernel).vcpu;
    yield* instruction_boundary(cpu);
    yield* write_register(cpu, apic, APIC_DFR, 0x0fffffff);
  },
);

export const guest_disables_apic = fn(
  'The guest switches the local APIC of CPU 0 off in software.',
  function* guest_disables_apic(kernel: SmallKernel) {
    const { cpu, apic } = first(kernel).vcpu;
    yield* instruction_boundary(cpu);
    yield* write_register(cpu, apic, APIC_SPIV, apic.APIC_SPIV & ~APIC_SPIV_APIC_ENABLED);
  },
);
