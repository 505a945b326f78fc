import { architecturally, boundPointer, source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { causedBy, until } from '../../engine/steps';
import { write_EOI } from '../hardware/virt_cpu';
import { ioapic_chip, mp_register_handler } from '../linux/arch/x86/kernel/apic/io_apic';
import { msi_ack, msi_handler } from '../linux/arch/x86/kernel/apic/msi';
import { lapic_controller } from '../linux/arch/x86/kernel/apic/vector';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import { vp_find_vqs_intx, vp_request_msix_vectors, type VirtioPciDevice } from '../linux/drivers/virtio/virtio_pci_common';
import { virtqueue_notify, type Virtqueue } from '../linux/drivers/virtio/virtio_ring';
import { irq_desc, STARTED, type IrqDesc } from '../linux/kernel/irq/irqdesc';
import { process_one_work, type WorkqueueStruct } from '../linux/kernel/workqueue';
import { ioread8, type IoMem } from '../linux/lib/iomap';
import type { KvmVcpu } from '../linux/virt/kvm/kvm_types';
import type { GuestCpu } from './cpu';
import { guest_idles, kvm_cpu } from './kvm_cpu';
import type { PcCpu } from './pc';
import { IOAPIC } from './small_kernel';

/** A guest under KVM with one CPU and a virtio device: its interrupt, its worker, and what its programs ask for. */

/** The guest. */
export interface VirtioGuest {
  readonly vcpu: KvmVcpu;
  readonly cpu: PcCpu;
  readonly system_wq: WorkqueueStruct;
  /** What programs want to be done, first come first served. */
  readonly tasks: (() => Run)[];
}

/** Makes the guest of a vCPU. */
export const virtio_guest = (vcpu: KvmVcpu): VirtioGuest => ({
  vcpu,
  cpu: kvm_cpu(vcpu),
  system_wq: { name: 'events', worklist: [], current_work: undefined },
  tasks: [],
});

const { fn } = source('guest', 'virtio_driver');

const write_redirection_entry = fn(
  'The guest opens the pin in the emulated I/O APIC: select the register, write the entry.',
  function* write_redirection_entry(cpu: GuestCpu, gsi: number, vector: number) {
    const LEVEL = 1 << 15;
    yield* cpu.store(IOAPIC, 4, 0x10 + 2 * gsi);
    yield* cpu.store(IOAPIC + 0x10, 4, vector | LEVEL);
  },
);

const poll_isr = fn(
  'A driver without interrupts reads the ISR register to see whether the device has done anything. Reading clears it.',
  function* poll_isr(isr: IoMem) {
    return yield* ioread8(isr);
  },
);

/** How the device interrupts: by the message that all its queues share, or by its pin. */
export interface VirtioInterrupt {
  readonly vector: number;
  /** The pin’s GSI; undefined for messages. */
  readonly gsi: number | undefined;
}

/** The descriptor of the device’s interrupt, with its handler installed and, for a pin, still to be opened. */
function interruptOf({ vcpu }: VirtioGuest, device: VirtioPciDevice, { gsi, vector }: VirtioInterrupt): IrqDesc {
  const nothing = function* (): Run {};
  const pin = { mask: nothing, unmask: nothing, eoi: () => write_EOI(vcpu.cpu, vcpu.apic) };
  const messages = { ...msi_ack, parent: lapic_controller };
  const desc =
    gsi === undefined
      ? irq_desc('guest virtio0', vector, messages, msi_handler.handle_irq, pin, STARTED)
      : irq_desc('guest virtio0', gsi, ioapic_chip, mp_register_handler.handle_irq, pin, STARTED);
  const handler = gsi === undefined ? vp_request_msix_vectors.vp_vring_interrupt : vp_find_vqs_intx.vp_interrupt;
  desc.action = { handler: boundPointer(handler, () => device), name: 'virtio0', dev_id: device };
  return desc;
}

/** The guest’s CPU: the driver starts, then programs, the worker and interrupts have it in turn. */
export function virtio_guest_context(
  made: VirtioGuest,
  device: VirtioPciDevice,
  interrupt: VirtioInterrupt,
  probe: () => Run<unknown>,
  priority: number,
): void {
  const { vcpu, cpu, system_wq, tasks } = made;
  const desc = interruptOf(made, device, interrupt);
  cpu.handle_with(() => architecturally('hardirq', common_interrupt)(desc));
  running().thread('guest', 'guest CPU', 'guest', priority, function* () {
    yield* until(cpu.started);
    causedBy(vcpu.cpu.enteredAt);
    if (interrupt.gsi !== undefined) yield* write_redirection_entry(cpu, interrupt.gsi, interrupt.vector);
    yield* probe();
    for (;;) {
      yield* guest_idles(vcpu, () => system_wq.worklist.length > 0 || tasks.length > 0);
      const [work] = system_wq.worklist;
      if (work !== undefined) {
        causedBy(work.queuedAt);
        yield* process_one_work(system_wq, work);
      } else yield* tasks.shift()!();
    }
  });
}

/** What a guest does with its device besides using it. Each takes the CPU when whatever it is at is done. */

/** Interrupts are moved, or quieted: the guest writes the mask bit of a vector in the MSI-X table. */
export function guest_masks_vector({ tasks, cpu }: VirtioGuest, entry: number, masked: boolean): void {
  const VECTOR_CONTROL = 12;
  tasks.push(() => cpu.store(entry + VECTOR_CONTROL, 4, masked ? 1 : 0));
}

/** A driver that takes no interrupts, such as the one that writes a crash dump, asks the ISR register whether the device is done. */
export function guest_polls_isr({ tasks }: VirtioGuest, { isr }: VirtioPciDevice): void {
  tasks.push(function* () {
    yield* poll_isr(isr);
  });
}

/** A driver notifies the device of nothing. */
export function guest_notifies({ tasks }: VirtioGuest, vq: Virtqueue): void {
  tasks.push(function* () {
    yield* virtqueue_notify(vq);
  });
}
