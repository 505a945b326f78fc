import type { Parameters } from '../engine/machine';
import { running } from '../engine/running';
import { sleep } from '../engine/steps';
import { guest_writes, virtio_console_guest } from '../models/guest/virtio_console_guest';
import { virtio_guest, type VirtioGuest } from '../models/guest/virtio_driver';
import type { VirtioRegisters } from '../models/guest/virtio_transport';
import type { LapicMode } from '../models/hardware/virt_cpu';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import type { PortsDevice } from '../models/linux/drivers/char/virtio_console';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { BAR0_PORT, MODERN, MODERN_BAR, QUEUE_MEM_MULT } from '../models/qemu/hw/virtio/virtio-pci';
import { console_machine, console_main, VIRTIO_GSI, type ConsoleMachine } from '../models/qemu/virtio_machine';
import { flow } from './flow';

/** A virtio console under QEMU and KVM: the job of acrn-virtio-console, to compare. */

/** The topology, as the stimuli know it. */
interface World {
  readonly guest: VirtioGuest;
  readonly portdev: PortsDevice;
  readonly machine: ConsoleMachine;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { kworker: 1, vcpu: 2, guest: 3, program: 4, qemu: 5 } as const;

const VECTOR = 0x51;
const MESSAGE = { address: 0xfee00000, data: VECTOR } as const;
const WRITES = ['Hello', 'world'];
const INTERVAL_MS = 1000;

const REGISTERS: Readonly<Record<string, VirtioRegisters>> = {
  modern: {
    layout: 'modern',
    common: MODERN_BAR + MODERN.common,
    isr: MODERN_BAR + MODERN.isr,
    notify: MODERN_BAR + MODERN.notify,
    notify_multiplier: QUEUE_MEM_MULT,
  },
  legacy: { layout: 'legacy', port: BAR0_PORT },
};

function setUp(parameters: Parameters): World {
  const mode = parameters['lapic'] as LapicMode;
  const messages = parameters['interrupts'] === 'msix';
  const kvm = kvm_vm({
    system_wq: alloc_workqueue('events', 'kworker', PRIORITY.kworker),
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
  });
  const guest = virtio_guest(kvm_vcpu(kvm, mode));
  const registers = REGISTERS[String(parameters['transport'])]!;
  const event_idx = parameters['event-idx'] === true;
  const interrupt = { vector: VECTOR, gsi: messages ? undefined : VIRTIO_GSI };
  const { rings, portdev } = virtio_console_guest(
    guest,
    { registers, interrupt, event_idx, multiport: parameters['device'] === 'multiport' },
    PRIORITY.guest,
  );
  const machine = console_machine(kvm, {
    layout: registers.layout,
    ioeventfd: parameters['ioeventfd'] === true,
    event_idx,
    message: messages ? MESSAGE : undefined,
    rings,
  });
  const { q } = machine;
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, () => console_main(machine));
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(q, q.board.cpus[0]!));
  running().thread('program', 'program in the guest', 'guest', PRIORITY.program, function* () {
    for (const text of WRITES) {
      yield* sleep(INTERVAL_MS);
      guest_writes(guest, portdev, text);
    }
  });
  return { guest, portdev, machine };
}

export const virtio_kvm = flow<World>({
  id: 'virtio-kvm',
  system: 'virtio',
  title: 'virtio under QEMU and KVM',
  summary:
    'A guest writes to its virtio console: the kick that becomes an eventfd in the kernel, QEMU that takes the buffer and gives it back, and the interrupt that says so. The same job as under ACRN, to compare.',
  setUp,
  duration: () => (WRITES.length + 1) * INTERVAL_MS,
  parameters: [
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux, of host and guest',
      description: 'The kernels differ in how KVM dispatches, and in where some of virtio’s functions are.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'device',
      title: 'Device',
      description: 'What is plugged in, and so which thread of QEMU serves it.',
      default: 'console',
      choices: [
        { value: 'console', title: 'A console with one port: served by the main loop' },
        { value: 'multiport', title: 'A console that may have more ports, and tells of them over control queues' },
      ],
    },
    {
      kind: 'boolean',
      name: 'ioeventfd',
      title: 'ioeventfd',
      description:
        'On: a write to the notification register signals an eventfd in the kernel, and the guest goes on at once. Off: it is an exit to QEMU, and the device works in the vCPU’s own thread while the guest waits.',
      default: true,
    },
    {
      kind: 'choice',
      name: 'transport',
      title: 'Layout of the registers',
      description: 'Where the driver writes its notifications decides which exit that is and what KVM compares.',
      default: 'modern',
      choices: [
        { value: 'modern', title: 'virtio 1.0: memory, an address for each queue' },
        { value: 'legacy', title: 'Before virtio 1.0: one port, which is told the queue' },
      ],
    },
    {
      kind: 'choice',
      name: 'interrupts',
      title: 'Interrupts',
      description: 'What the guest’s driver got for its interrupt.',
      default: 'msix',
      choices: [
        { value: 'msix', title: 'MSI-X: one message for all queues' },
        { value: 'intx', title: 'INTx: a level, which reading the ISR register takes down' },
      ],
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: 'How the CPU virtualizes it decides how the vector gets in; and only VT-x has a fast way for MMIO notifications.',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv: vectors are posted' },
        { value: 'vmx-xapic', title: 'VT-x, xAPIC' },
        { value: 'vmx-x2apic', title: 'VT-x, x2APIC' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC' },
      ],
    },
    {
      kind: 'boolean',
      name: 'event-idx',
      title: 'VIRTIO_RING_F_EVENT_IDX',
      description:
        'On: each side writes down the index from which on it wants to hear, and is left alone until then. Off: there is one flag for yes or no.',
      default: true,
    },
  ],
  stimuli: [],
  presets: [],
  historical: [],
  chapters: [
    {
      title: 'The driver says that it is ready',
      starts: 'virtio_device_ready',
      prose: `A virtio device is **memory that two sides share** and two doorbells. The driver has made the rings and told the device where they are; now it sets \`DRIVER_OK\`, by an ordinary register access that exits all the way to QEMU.

QEMU takes that as the moment to get out of the way. It opens an eventfd for each queue, lets KVM signal it when the guest writes that queue’s notification register (**ioeventfd**), and has its main loop wait for it. All registrations happen inside one memory transaction, because each commit walks the whole memory map. Every eventfd is then signalled once: what the driver may have queued before must not wait for a kick that already happened.`,
    },
    {
      title: 'The eventfds go to KVM',
      starts: 'kvm_mem_ioeventfd_add',
      prose: `\`KVM_IOEVENTFD\` puts a tiny device on one of KVM’s **buses**. For a modern device each queue has an address of its own, so neither width nor value matter: it goes onto the MMIO bus, and a second time onto the *fast* MMIO bus, which is asked before KVM has even looked at the instruction. For a legacy device all queues share one port, and KVM compares the value that is written (\`KVM_IOEVENTFD_FLAG_DATAMATCH\`).

ACRN’s driver in the Service VM keeps a list of its own, and is asked only after the request has crossed from the hypervisor.`,
    },
    {
      title: 'A program writes to /dev/hvc0',
      starts: 'hvc_write',
      prose: `The hvc layer takes its lock with interrupts off and calls the driver. That puts one descriptor into the ring: **the entry first, then the index**, with a barrier between, because the device may look at any time.`,
    },
    {
      title: 'The kick',
      starts: 'virtqueue_kick',
      prose: `The driver asks first whether the device wants to hear: a full barrier, then a look at what the device wrote down. The device does the mirror image, so at least one of the two sees the other’s write, and **no kick can be lost**.

The write to the notification register exits. With VT-x an address that is known to be MMIO is a *misconfigured* EPT entry, and \`handle_ept_misconfig\` asks the fast bus: one look-up, one \`eventfd_signal\`, and back into the guest. No instruction is decoded, no thread waited for. Under ACRN the same write stops the vCPU until the Service VM has answered, whether or not there is anything to answer.`,
    },
    {
      title: 'QEMU takes the buffer',
      starts: 'virtio_queue_host_notifier_read',
      prose: `The main loop wakes from \`ppoll\`, takes the big lock, and finds the eventfd readable. The count is **taken before the queue is looked at**: a kick that comes later signals again. Then \`virtqueue_pop\` follows the avail ring, the port’s \`have_data\` hands the characters to the character device, and \`virtqueue_push\` returns the buffer through the used ring. One interrupt at the end stands for all buffers of this round.

A console drops what its terminal does not take. It must: the guest’s driver is spinning for that very buffer with interrupts off.`,
    },
    {
      title: 'Does the driver want an interrupt?',
      starts: 'virtio_notify',
      prose: `The same question as the kick’s, the other way round. With \`VIRTIO_RING_F_EVENT_IDX\` QEMU compares the index that the driver asked for with how far the used index has moved *since the last interrupt* (\`signalled_used\`); without, it looks at a flag. The very first time it does not know what the driver has seen, and interrupts to be safe: that is why the kicks at the start of the device already cause interrupts for which nobody has work.`,
    },
    {
      title: 'The message goes into KVM',
      starts: 'virtio_irq',
      prose: `With MSI-X the device’s interrupt is a **write of its message**: QEMU performs it in the device’s name, the store arrives at the page of the local APICs, and because those are in the kernel all that is left there is a region that forwards it, \`KVM_SIGNAL_MSI\`. With INTx it is a level on a pin, which finds its way over the PCI bus and the chipset to a GSI, and stays up until the driver reads the ISR register.

Serial devices never use an irqfd. That is for threads which must not take the big lock.`,
    },
    {
      title: 'The guest’s handler comes too late',
      starts: 'vp_vring_interrupt',
      prose: `The driver spins with interrupts off, so it sees the used index first. When it enables interrupts, the one that waited is delivered, and \`vring_interrupt\` finds **nothing more to do**. That is not a defect: the interrupt serves those who sleep for room in a plain port. A console pays for it all the same.`,
    },
  ],
});
