import { int, struct, type InstanceOf } from '../../engine/cell';
import { addressOf, architecturally, bound, source, via } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { until } from '../../engine/steps';
import { MSIX_ENTRY_OFFSET, PCI_MSIX_ENTRY_SIZE } from '../hardware/msi';
import { EDU_ACK, EDU_IRQ_STATUS, read_register, write_register, type PciFunction } from '../hardware/pci_function';
import { await_interrupt, halt, interrupt_waits, write_EOI, write_register as write_apic, type Idt } from '../hardware/virt_cpu';
import { APIC_LVTT, APIC_TDCR, APIC_TMICT } from '../linux/arch/x86/include/asm/apicdef';
import { kvm_apic_local_deliver } from '../linux/arch/x86/kvm/lapic';
import { guest_eoi } from '../linux/arch/x86/kernel/kvm';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { pci_conf1_read, pci_conf1_write } from '../linux/arch/x86/pci/direct';
import { pci_alloc_irq_vectors, pci_free_irq_vectors, PCI_IRQ_MSI, PCI_IRQ_MSIX, pci_irq_vector } from '../linux/drivers/pci/msi/api';
import { pci_msix_mask, pci_msix_unmask, pci_write_msi_msg } from '../linux/drivers/pci/msi/msi';
import type { AnyPciDev } from '../linux/drivers/pci/pci';
import { IRQ_HANDLED, IRQ_NONE, type IrqDesc, type irqreturn_t } from '../linux/kernel/irq/irqdesc';
import { free_irq, request_irq } from '../linux/kernel/irq/manage';
import { message_domain } from '../linux/wiring';
import type { KvmMemorySlot, KvmVcpu } from '../linux/virt/kvm/kvm_types';
import type { KvmGuest } from './kvm_guest';

/**
 * A guest with a driver of our own for the assigned device, which signals by messages: one message for each cause. The
 * driver is Linux’s otherwise: the same interrupt core and the same PCI code as on the host, on what the hypervisor shows.
 */

const DriverCells = struct(
  'edu_driver',
  'The guest’s driver of the assigned device: interrupts that it served, and such that had nothing to say.',
  {
    handled: int(),
    spurious: int(),
    vectors: int(),
  },
);

/** Which messages the guest asks for. A guest that is not Linux may ask for several of an MSI capability. */
export type MessageKind = 'msix' | 'msi' | 'multi-msi';

export interface MsiGuestOptions {
  readonly kind: MessageKind;
  /** How many messages the driver would like. */
  readonly wanted: number;
  /** Whether the guest halts when it has nothing to do, or spins. */
  readonly halts: boolean;
}

export interface MsiGuest extends MsiGuestOptions {
  readonly vcpu: KvmVcpu;
  readonly kvm: KvmGuest;
  readonly device: PciFunction;
  readonly bar: { readonly address: number; readonly memslot: KvmMemorySlot };
  readonly pdev: AnyPciDev;
  readonly driver: InstanceOf<typeof DriverCells>;
  /** What the guest is going to do as soon as it has nothing else to do. */
  readonly todo: (() => Run)[];
}

/** How the guest ends an interrupt. */
const end_of_interrupt = ({ cpu, apic, pv_eoi }: KvmVcpu): (() => Run) => guest_eoi(pv_eoi, () => write_EOI(cpu, apic));

interface Parts {
  readonly vcpu: KvmVcpu;
  readonly kvm: KvmGuest;
  readonly device: PciFunction;
  readonly bar: MsiGuest['bar'];
  readonly devfn: number;
  readonly msix_table: number;
  readonly counts: { readonly msi: number; readonly msix: number };
}

const FIRST_GUEST_IRQ = 24;

/** Makes the guest. */
export function msi_guest({ vcpu, kvm, device, bar, devfn, msix_table, counts }: Parts, options: MsiGuestOptions): MsiGuest {
  const msi = message_domain({
    name: 'guest',
    first_irq: FIRST_GUEST_IRQ,
    counts,
    domain: { vector_irq: kvm.vectors },
    eoi: end_of_interrupt(vcpu),
    writel: (value, entry, field) => kvm.cpu.store(msix_table + entry * PCI_MSIX_ENTRY_SIZE + MSIX_ENTRY_OFFSET[field], 4, value),
    multi: options.kind === 'multi-msi',
  });
  const pdev: AnyPciDev = {
    name: 'guest',
    config: {
      read_word: (where) => via('pci_read_config_word', pci_conf1_read)(kvm.cpu, devfn, where, 2),
      write_word: (where, value) => via('pci_write_config_word', pci_conf1_write)(kvm.cpu, devfn, where, 2, value),
      write_dword: (where, value) => via('pci_write_config_dword', pci_conf1_write)(kvm.cpu, devfn, where, 4, value),
    },
    msi,
  };
  return { ...options, vcpu, kvm, device, bar, pdev, driver: DriverCells('guest'), todo: [] };
}

const { fn } = source('guest', 'edu_msi_driver');

const readl = fn(
  'A load from the device’s BAR, which is mapped into the guest.',
  function* readl(guest: MsiGuest, offset: number): Run<number> {
    if (guest.bar.memslot.npages > 0) return yield* read_register(guest.device, offset);
    return yield* guest.kvm.cpu.load(guest.bar.address + offset, 4);
  },
);

const writel = fn('A store to the device’s BAR.', function* writel(guest: MsiGuest, offset: number, value: number) {
  if (guest.bar.memslot.npages > 0) yield* write_register(guest.device, offset, value);
  else yield* guest.kvm.cpu.store(guest.bar.address + offset, 4, value);
});

const edu_msi_handler = fn(
  'The handler of a message: serves the causes that this message stands for. Where they share one message it serves all.',
  function* edu_msi_handler(guest: MsiGuest, nr: number): Run<irqreturn_t> {
    const mine = guest.driver.vectors > 1 ? 1 << nr : 0xffffffff;
    const irq_status = (yield* readl(guest, EDU_IRQ_STATUS)) & mine;
    if (irq_status === 0) {
      guest.driver.spurious += 1;
      return IRQ_NONE;
    }
    yield* writel(guest, EDU_ACK, irq_status);
    guest.driver.handled += 1;
    return IRQ_HANDLED;
  },
);

const edu_msi_probe = fn(
  'The guest’s driver starts: has the device signal by messages, and requests an interrupt for each.',
  function* edu_msi_probe(guest: MsiGuest) {
    const { pdev, driver } = guest;
    const flags = guest.kind === 'msix' ? PCI_IRQ_MSIX : PCI_IRQ_MSI;
    driver.vectors = Math.max(yield* pci_alloc_irq_vectors(pdev, 1, guest.wanted, flags), 0);
    for (let nr = 0; nr < driver.vectors; nr++) {
      const handler = addressOf(
        bound(
          bound(edu_msi_handler, () => guest),
          () => nr,
        ),
      );
      const irq = pci_irq_vector(pdev, nr);
      if (irq !== undefined) yield* request_irq(irq, handler, 0, 'edu', guest);
    }
  },
);

/** The interrupt behind a message that the driver uses, if it does. */
const requested = ({ pdev, driver }: MsiGuest, nr: number): IrqDesc | undefined => {
  const irq = nr < driver.vectors ? pci_irq_vector(pdev, nr) : undefined;
  return irq?.action === undefined ? undefined : irq;
};

export const edu_msi_remove = fn(
  'The guest’s driver stops: frees its interrupts, and has the device use its wire again.',
  function* edu_msi_remove(guest: MsiGuest) {
    const { pdev, driver } = guest;
    for (let nr = 0; nr < driver.vectors; nr++) {
      const irq = requested(guest, nr);
      if (irq !== undefined) yield* free_irq(irq);
    }
    yield* pci_free_irq_vectors(pdev);
    driver.vectors = 0;
  },
);

export const guest_masks_vector = fn(
  'The guest masks the first MSI-X entry, as old kernels did around every interrupt.',
  function* guest_masks_vector(guest: MsiGuest) {
    const entry = requested(guest, 0)?.msi_desc;
    if (entry?.is_msix === true) yield* pci_msix_mask(entry);
  },
);

export const guest_unmasks_vector = fn('The guest unmasks the first MSI-X entry again.', function* guest_unmasks_vector(guest: MsiGuest) {
  const entry = requested(guest, 0)?.msi_desc;
  if (entry?.is_msix === true) yield* pci_msix_unmask(entry);
});

export const guest_moves_interrupt = fn(
  'The guest gives the first message another vector, as it does to move an interrupt to another CPU. The old vector stays valid for what is on the way.',
  function* guest_moves_interrupt(guest: MsiGuest) {
    const irq = requested(guest, 0);
    if (irq === undefined) return;
    const { vectors } = guest.kvm;
    const vector = [...Array(16).keys()].map((n) => FIRST_MOVED_VECTOR + n).find((candidate) => !vectors.has(candidate));
    if (vector === undefined) return;
    vectors.set(vector, irq);
    yield* pci_write_msi_msg(irq, { ...irq.compose_msi_msg(), data: vector });
  },
);

export const guest_broadcasts = fn(
  'The guest addresses the first message to all CPUs. Nobody can post that, and KVM cannot deliver it without looking at every vCPU.',
  function* guest_broadcasts(guest: MsiGuest) {
    const irq = requested(guest, 0);
    if (irq === undefined) return;
    const { address_lo, data } = irq.compose_msi_msg();
    yield* pci_write_msi_msg(irq, { address_lo: (address_lo | TO_ALL_CPUS) >>> 0, data });
  },
);

export const guest_starts_timer = fn(
  'The guest starts its local timer, for one tick: how fast, which vector, and from where it counts.',
  function* guest_starts_timer({ vcpu: { cpu, apic } }: MsiGuest) {
    yield* write_apic(cpu, apic, APIC_TDCR, DIVIDE_BY_1);
    yield* write_apic(cpu, apic, APIC_LVTT, LOCAL_TIMER_VECTOR);
    yield* write_apic(cpu, apic, APIC_TMICT, TICK_COUNT);
  },
);

const timer_interrupt = fn('The guest’s local timer has ticked.', function* timer_interrupt({ vcpu }: MsiGuest) {
  yield* end_of_interrupt(vcpu)();
});

/** The destination of an address: all ones are everybody. */
const TO_ALL_CPUS = 0xff << 12;

/** Above the vectors that are assigned: another class of priority. */
const FIRST_MOVED_VECTOR = 0x40;

/**
 * Has the guest do something, when it is next idle. One that has halted is woken for it by its own timer, which the host's
 * CPU delivers as a local interrupt.
 */
export function* guest_does(guest: MsiGuest, what: (guest: MsiGuest) => Run): Run {
  guest.todo.push(() => what(guest));
  if (guest.vcpu['wait.task']) yield* kvm_apic_local_deliver(guest.vcpu.apic, 'APIC_LVTT');
}

/** The guest's CPU: the driver's probe, then the idle loop, what there is to do, and the interrupts that reach it. */
export function msi_guest_context(guest: MsiGuest, priority: number): void {
  const { vcpu, todo } = guest;
  const { cpu, apic } = vcpu;
  const idt: Idt = { apic, handle: (vector) => handle(guest, vector) };
  running().thread('guest', 'guest CPU', 'guest', priority, function* () {
    yield* until(() => cpu.guest.running);
    if (guest.halts) yield* write_apic(cpu, apic, APIC_LVTT, LOCAL_TIMER_VECTOR);
    yield* edu_msi_probe(guest);
    for (;;) {
      const next = todo.shift();
      if (next !== undefined) {
        yield* next();
        continue;
      }
      if (guest.halts && !interrupt_waits(cpu, apic)) yield* halt(cpu);
      yield* until(() => interrupt_waits(cpu, apic) || (todo.length > 0 && cpu.guest.running));
      if (interrupt_waits(cpu, apic)) yield* await_interrupt(cpu, idt);
    }
  });
}

const handle = (guest: MsiGuest, vector: number): Run =>
  vector === LOCAL_TIMER_VECTOR
    ? architecturally('hardirq', timer_interrupt)(guest)
    : architecturally('hardirq', common_interrupt)(guest.kvm.vectors.get(vector));

const LOCAL_TIMER_VECTOR = 0xec;
const DIVIDE_BY_1 = 0xb;
/** Bus cycles, of one nanosecond each. */
const TICK_COUNT = 1_000_000;
