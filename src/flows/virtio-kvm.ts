import type { Parameters, Run } from '../engine/machine';
import { running } from '../engine/running';
import { sleep } from '../engine/steps';
import { guest_reads_serial, virtio_blk_guest } from '../models/guest/virtio_blk_guest';
import { guest_unbinds, guest_writes, virtio_console_guest } from '../models/guest/virtio_console_guest';
import {
  guest_masks_vector,
  guest_notifies,
  guest_polls_isr,
  virtio_guest,
  type VirtioGuest,
  type VirtioInterrupt,
} from '../models/guest/virtio_driver';
import type { VirtioRegisters } from '../models/guest/virtio_transport';
import type { LapicMode } from '../models/hardware/virt_cpu';
import { stop_output } from '../models/hardware/terminal';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import type { VirtioPciDevice } from '../models/linux/drivers/virtio/virtio_pci_common';
import type { Virtqueue } from '../models/linux/drivers/virtio/virtio_ring';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm, type Kvm } from '../models/linux/virt/kvm/kvm_main';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import type { FDChardev } from '../models/qemu/chardev/char-fd';
import { BAR0_PORT, MODERN, MODERN_BAR, MSIX_TABLE, QUEUE_MEM_MULT } from '../models/qemu/hw/virtio/virtio-pci';
import { iothread_run } from '../models/qemu/iothread';
import type { Globals } from '../models/qemu/machine';
import { console_machine, console_main, disk_machine, disk_main, BOARDS, type VirtioOptions } from '../models/qemu/virtio_machine';
import { flow } from './flow';
import { virtioKvm } from './topologies/virtio-kvm';

/** A virtio console, or a disk, under QEMU and KVM: the job of acrn-virtio-console, to compare. */

/** What is plugged in: the driver’s side of it, QEMU’s side, and what a program of the guest asks of it. */
interface Plugged {
  readonly device: VirtioPciDevice;
  /** The queue that programs use. */
  readonly vq: Virtqueue;
  readonly terminal: FDChardev | undefined;
  readonly use: (text: string) => void;
  /** Nothing for a disk: it is in use. */
  readonly unbind: () => void;
}

/** The topology, as the stimuli know it. */
interface World extends Plugged {
  readonly guest: VirtioGuest;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { outside: 0, kworker: 1, vcpu: 2, guest: 3, qemu: 4 } as const;

const VECTOR = 0x51;
const MESSAGE = { address: 0xfee00000, data: VECTOR } as const;
/** The entry of the queues’ vector in the MSI-X table. */
const MSIX_ENTRY = MSIX_TABLE + 16;
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

/** Where the device is plugged in, whichever it is, and how it interrupts. */
interface Slot {
  readonly registers: VirtioRegisters;
  readonly interrupt: VirtioInterrupt;
  readonly event_idx: boolean;
  /** What QEMU makes it with, but for the rings. */
  readonly options: Omit<VirtioOptions, 'rings'>;
}

function plugConsole(kvm: Kvm, guest: VirtioGuest, slot: Slot, multiport: boolean): Plugged {
  const { portdev, device, rings } = virtio_console_guest(guest, { ...slot, multiport }, PRIORITY.guest);
  const machine = console_machine(kvm, { ...slot.options, rings });
  startQemu(machine, () => console_main(machine));
  return {
    device,
    vq: portdev.out_vqs[0]!,
    terminal: machine.terminal,
    use: (text) => guest_writes(guest, portdev, text),
    unbind: () => guest_unbinds(guest, portdev),
  };
}

function plugDisk(kvm: Kvm, guest: VirtioGuest, slot: Slot): Plugged {
  const { vblk, device, rings } = virtio_blk_guest(guest, slot, PRIORITY.guest);
  const machine = disk_machine(kvm, { ...slot.options, rings });
  startQemu(machine, () => disk_main(machine));
  const { iothread } = machine;
  if (iothread !== undefined) running().thread('iothread', 'QEMU I/O thread', 'qemu', PRIORITY.qemu, () => iothread_run(iothread));
  let requests = 0;
  return {
    device,
    vq: vblk.vq,
    terminal: undefined,
    use: () => guest_reads_serial(guest, vblk, `request ${++requests}`),
    unbind: () => {},
  };
}

function startQemu({ q }: { readonly q: Globals }, main: () => Run): void {
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, main);
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(q, q.board.cpus[0]!));
}

function setUp(parameters: Parameters): World {
  const mode = parameters['lapic'] as LapicMode;
  const messages = parameters['interrupts'] === 'msix';
  const board = parameters['interrupts'] === 'intx-pc' ? 'pc' : 'q35';
  const kvm = kvm_vm({
    // As a guest leaves it that uses the I/O APIC: all masked, and level-triggered where PCI interrupts may come.
    pic: { master: { imr: 0xff }, slave: { imr: 0xff, elcr: 0x0c } },
    system_wq: alloc_workqueue('events', 'kworker', PRIORITY.kworker),
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
  });
  const guest = virtio_guest(kvm_vcpu(kvm, mode));
  const registers = REGISTERS[String(parameters['transport'])]!;
  const event_idx = parameters['event-idx'] === true;
  const slot: Slot = {
    registers,
    interrupt: { vector: VECTOR, gsi: messages ? undefined : BOARDS[board].gsi },
    event_idx,
    options: {
      board,
      layout: registers.layout,
      ioeventfd: parameters['ioeventfd'] === true,
      event_idx,
      message: messages ? MESSAGE : undefined,
    },
  };
  const plugged =
    parameters['device'] === 'disk' ? plugDisk(kvm, guest, slot) : plugConsole(kvm, guest, slot, parameters['device'] === 'multiport');
  running().thread('outside', 'programs and the terminal', 'outside', PRIORITY.outside, function* () {
    for (const text of WRITES) {
      yield* sleep(INTERVAL_MS);
      plugged.use(text);
    }
  });
  return { guest, ...plugged };
}

export const virtio_kvm = flow<World>({
  id: 'virtio-kvm',
  system: 'virtio',
  title: 'virtio under QEMU and KVM',
  summary:
    'A guest writes to its virtio console or asks its virtio disk: the kick that becomes an eventfd in the kernel, QEMU that takes the buffer and gives it back, and the interrupt that says so, by the main loop or by an irqfd. The same job as under ACRN, to compare.',
  setUp,
  topology: virtioKvm,
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
        { value: 'disk', title: 'A disk: served by an I/O thread that never takes the big lock' },
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
        { value: 'intx', title: 'INTx on a q35 board: a level at an input of the I/O APIC, until the ISR register is read' },
        { value: 'intx-pc', title: 'INTx on the older PC board: the PIIX3 routes it to IRQ 11' },
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
  stimuli: [
    {
      name: 'use',
      title: 'A program uses the device',
      description: 'It writes to the console, or reads the disk’s serial number.',
      thread: 'outside',
      body: function* ({ use }) {
        use('again');
      },
    },
    {
      name: 'stop-terminal',
      title: 'The terminal stops',
      description: 'Somebody presses Ctrl-S: writes to the terminal say EAGAIN from now on. A disk has no terminal.',
      thread: 'outside',
      body: function* ({ terminal }) {
        if (terminal !== undefined) yield* stop_output(terminal, true);
      },
    },
    {
      name: 'resume-terminal',
      title: 'The terminal goes on',
      description: 'Somebody presses Ctrl-Q.',
      thread: 'outside',
      body: function* ({ terminal }) {
        if (terminal !== undefined) yield* stop_output(terminal, false);
      },
    },
    {
      name: 'mask-vector',
      title: 'The guest masks the queues’ vector',
      description: 'It sets the mask bit of the entry in the MSI-X table.',
      thread: 'outside',
      body: function* ({ guest }) {
        guest_masks_vector(guest, MSIX_ENTRY, true);
      },
    },
    {
      name: 'unmask-vector',
      title: 'The guest opens the queues’ vector',
      description: 'It clears the mask bit of the entry in the MSI-X table.',
      thread: 'outside',
      body: function* ({ guest }) {
        guest_masks_vector(guest, MSIX_ENTRY, false);
      },
    },
    {
      name: 'poll-isr',
      title: 'The guest reads the ISR register',
      description: 'As a driver does that takes no interrupts. Reading clears the register and takes the pin down.',
      thread: 'outside',
      body: function* ({ guest, device }) {
        guest_polls_isr(guest, device);
      },
    },
    {
      name: 'unbind',
      title: 'The driver lets the console go',
      description: 'It breaks its queues and resets the device, for good. A disk is in use and stays.',
      thread: 'outside',
      body: function* ({ unbind }) {
        unbind();
      },
    },
    {
      name: 'notify',
      title: 'The guest notifies of nothing',
      description: 'A notification for the queue that programs use, whatever is in it.',
      thread: 'outside',
      body: function* ({ guest, vq }) {
        guest_notifies(guest, vq);
      },
    },
  ],
  presets: [
    {
      id: 'irqfd',
      title: 'An I/O thread and an irqfd: nobody takes the big lock',
      prose: `The disk’s queue belongs to an **I/O thread**. When the driver sets \`DRIVER_OK\`, \`virtio_blk_data_plane_start\` opens two eventfds for it: the *host notifier*, which KVM signals when the guest notifies and the I/O thread waits for; and the *guest notifier*, which the I/O thread signals and KVM listens to. \`kvm_irqchip_add_msi_route\` gives the vector’s message a GSI, \`KVM_IRQFD\` binds the eventfd to it.

From then on a request goes from the guest through the kernel to the I/O thread and back without QEMU’s main loop, and \`irqfd_wakeup\` delivers the message in the context of whoever writes the eventfd.`,
      parameters: { device: 'disk' },
    },
    {
      id: 'console-drops',
      title: 'A stopped terminal: what the guest wrote is lost',
      prose: `Somebody presses Ctrl-S. \`fd_chr_write\` would have to wait and says so; a serial port would now be throttled and keep its buffer. A **console must not**: its driver spins for the buffer in \`__send_to_port\`, with interrupts off. So \`flush_buf\` gives the buffer back as if everything had been written. The driver counts ten characters sent, the terminal has seen none, and nobody will ever know.`,
      parameters: {},
      stimuli: [{ at: 0, name: 'stop-terminal' }],
    },
    {
      id: 'no-ioeventfd',
      title: 'Without ioeventfd the guest does the device’s work',
      prose: `With \`ioeventfd=off\` the write to the notification register finds nobody on KVM’s buses. It becomes an **exit to user space**: \`KVM_EXIT_MMIO\`, the big lock, the memory map, and \`virtio_queue_notify\` calls the device right there, in the vCPU’s thread. The driver finds its buffer returned as soon as its store is over and never spins.

This is what every access under ACRN looks like, except that there another process in another VM does it. One slow console does not show the price; a disk with many requests does, because the vCPU stands still for each.`,
      parameters: { ioeventfd: false },
    },
    {
      id: 'one-port',
      title: 'One port for all queues',
      prose: `Before virtio 1.0 the driver wrote the queue’s number to **one port**. KVM therefore has an ioeventfd per queue at the same port, each with its number as the value to compare (\`KVM_IOEVENTFD_FLAG_DATAMATCH\`). \`__kvm_io_bus_write\` finds the first of them by address and asks one after the other, until one does not decline. The console’s later ports are asked for last.`,
      parameters: { transport: 'legacy', device: 'multiport' },
    },
    {
      id: 'emulated-kick',
      title: 'A kick that KVM must decode',
      prose: `Since 2014 KVM has a bus for MMIO notifications that are recognized by their address alone. It needs an exit that tells the address and cannot be anything but MMIO: VT-x has that, as the **misconfigured EPT entry**. AMD-V reports a nested page fault, and KVM fetches and decodes the guest’s instruction to learn width and value before it asks the ordinary MMIO bus. The result is the same eventfd, later. Ports need no decoding on either, which is why virtio 1.0 devices of QEMU can have their notifications there as well (\`modern-pio-notify\`).`,
      parameters: { lapic: 'svm-x2apic' },
    },
    {
      id: 'masked',
      title: 'A message while its vector is masked',
      prose: `The guest masks the queues’ vector, and the device finishes something. \`msix_notify\` sets the vector’s bit in the **pending bit array** instead of sending. When the guest opens the vector, QEMU sees the store to the table, finds the bit and sends the message then. Compare with acrn-dm, which drops it.`,
      parameters: {},
      stimuli: [
        { at: 0, name: 'mask-vector' },
        { at: 100_000, name: 'unmask-vector' },
      ],
    },
    {
      id: 'pending-when-bound',
      title: 'An event that was there before KVM listened',
      prose: `With an irqfd nobody in QEMU sees the interrupt, so masking has to work differently: the guest’s store to the table makes \`virtio_pci_vector_mask\` take the **irqfd away**. The disk finishes its requests, and the I/O thread signals an eventfd that nobody listens to; its count remembers.

When the guest opens the vector, \`kvm_irqfd_assign\` binds it again and, once it is on the wait queue, *polls* the eventfd. It finds the event and has a worker inject the interrupt. Without that poll the request would hang until the next one.`,
      parameters: { device: 'disk' },
      stimuli: [
        { at: 0, name: 'mask-vector' },
        { at: 100_000, name: 'unmask-vector' },
      ],
    },
    {
      id: 'polled-isr',
      title: 'A driver that polls the ISR register',
      prose: `The specification says that the ISR register is for the interrupt pin. Windows’ driver reads it all the same when it writes a crash dump or hibernates: interrupts are off by then, though the device still has its messages. With an irqfd nobody set the register, and the guest **hung**. Since QEMU 2.8 \`virtio_notify_irqfd\` sets it before it signals the eventfd; here the guest reads it when the requests are done, and finds the bit.`,
      parameters: { device: 'disk' },
      stimuli: [{ at: 100_000, name: 'poll-isr' }],
    },
    {
      id: 'batched',
      title: 'Interrupts that wait for the end of the turn',
      prose: `Without \`VIRTIO_RING_F_EVENT_IDX\` the driver can only say yes or no, so an I/O thread that finishes many requests in one turn would interrupt for each. \`virtio_blk_data_plane_notify\` therefore only notes the queue and schedules a **bottom half**, which the event loop calls in its next turn. With event indices the driver says itself when it wants to hear, and since QEMU 2.12 it is not made to wait: the detour cost latency and saved nothing.`,
      parameters: { device: 'disk', 'event-idx': false },
    },
    {
      id: 'pin',
      title: 'A pin without an irqfd',
      prose: `With INTx the interrupt is a **level**, and an edge on an eventfd cannot express when it goes down. The I/O thread signals the guest notifier as before, but here QEMU’s main loop listens: \`virtio_queue_guest_notifier_read\` takes the big lock and raises the pin. The handler in the guest reads the ISR register, an exit to QEMU, which takes the pin down; its EOI is the next exit. Three ways through user space for what a message does with none.`,
      parameters: { device: 'disk', interrupts: 'intx' },
    },
    {
      id: 'unbind',
      title: 'The driver lets its device go',
      prose: `The driver is unbound. It marks its queues **broken** first, so that nobody goes on spinning for a buffer that will never come, and then writes a status of 0. QEMU takes the eventfds back: KVM’s little devices leave their buses when the memory transaction commits, and \`virtio_bus_cleanup_host_notifier\` reads each eventfd **one last time**, because a kick may have come in after the main loop stopped listening. Then the device forgets rings and vectors.

The driver reads the status until it is 0. That is not politeness: a read is not answered before what the device has sent has arrived, so after it no interrupt can be on its way any more.`,
      parameters: {},
      stimuli: [
        { at: 100_000, name: 'unbind' },
        { at: 100_001, name: 'use' },
        { at: 100_002, name: 'notify' },
      ],
    },
    {
      id: 'notified-of-nothing',
      title: 'A notification of nothing',
      prose: `The guest notifies although it has offered nothing: a driver that does not look at \`avail_event\`, or one that is malicious. The eventfd is signalled, the device finds its queue empty, and returns. Notifications carry **no data** but the queue, and may be merged, repeated or invented: whoever gets one must look for himself.`,
      parameters: {},
      stimuli: [
        { at: 100_000, name: 'notify' },
        { at: 100_001, name: 'notify' },
      ],
    },
  ],
  historical: [
    {
      name: 'virtqueue_add_buf',
      project: 'linux',
      was: 'Linux until 3.9, drivers/virtio/virtio_ring.c',
      today: ['virtqueue_add_outbuf', 'virtqueue_add_inbuf', 'virtqueue_add_sgs'],
      since: 'One function with counts of both directions, before each direction got its own.',
    },
    {
      name: 'virtio_pci_set_host_notifier_internal',
      project: 'qemu',
      was: 'QEMU until 2.6, hw/virtio/virtio-pci.c',
      today: ['virtio_bus_set_host_notifier', 'virtio_pci_ioeventfd_assign'],
      since: 'What does not depend on PCI went to the virtio bus, so that other transports have it too.',
    },
    {
      name: 'virtio_pci_set_host_notifier_fd_handler',
      project: 'qemu',
      was: 'QEMU around 1.0, hw/virtio-pci.c',
      today: ['virtio_device_start_ioeventfd_impl'],
      since: 'Devices attach the handler themselves, or give the queue to an I/O thread.',
    },
    {
      name: 'virtio_queue_notify_aio_vq',
      project: 'qemu',
      was: 'QEMU 2.6 to 6.2, hw/virtio/virtio.c',
      today: ['virtio_queue_notify_vq', 'virtio_blk_handle_output'],
      since: 'Queues had a second handler for I/O threads; since 7.0 there is one, and it does not know who calls.',
    },
  ],
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
      title: 'A program asks for the disk’s serial number',
      starts: 'blk_mq_dispatch_rq_list',
      prose: `The block layer hands a request to the driver, which offers it as a **chain of three descriptors**: a header for the device to read, room for the data and a byte for the status to be written. The driver takes the lock for the ring only and gives it back before it notifies: under a hypervisor that write may take long. Then it returns; whoever asked sleeps until the interrupt.`,
    },
    {
      title: 'The kick',
      starts: 'virtqueue_kick_prepare',
      prose: `The driver asks first whether the device wants to hear: a full barrier, then a look at what the device wrote down. The device does the mirror image, so at least one of the two sees the other’s write, and **no kick can be lost**.

The write to the notification register exits. With VT-x an address that is known to be MMIO is a *misconfigured* EPT entry, and \`handle_ept_misconfig\` asks the fast bus: one look-up, one \`eventfd_signal\`, and back into the guest. No instruction is decoded, no thread waited for. Under ACRN the same write stops the vCPU until the Service VM has answered, whether or not there is anything to answer.`,
    },
    {
      title: 'QEMU takes the buffer',
      starts: 'virtio_queue_host_notifier_read',
      prose: `The thread that polls the eventfd wakes: for the console QEMU’s main loop, which takes the big lock first; for the disk an I/O thread. The count is **taken before the queue is looked at**: a kick that comes later signals again. Then \`virtqueue_pop\` follows the avail ring, the device does what is asked, and \`virtqueue_push\` returns the buffer through the used ring.

The console’s \`have_data\` hands the characters to the character device, and one interrupt at the end stands for all buffers of this round. It drops what its terminal does not take. It must: the guest’s driver is spinning for that very buffer with interrupts off.`,
    },
    {
      title: 'Does the driver want an interrupt?',
      starts: 'virtio_notify',
      prose: `The same question as the kick’s, the other way round. With \`VIRTIO_RING_F_EVENT_IDX\` QEMU compares the index that the driver asked for with how far the used index has moved *since the last interrupt* (\`signalled_used\`); without, it looks at a flag. The very first time it does not know what the driver has seen, and interrupts to be safe: that is why the kicks at the start of the device already cause interrupts for which nobody has work.`,
    },
    {
      title: 'The message goes into KVM',
      starts: 'virtio_irq',
      prose: `With MSI-X the device’s interrupt is a **write of its message**: QEMU performs it in the device’s name, the store arrives at the page of the local APICs, and because those are in the kernel all that is left there is a region that forwards it, \`KVM_SIGNAL_MSI\`. With INTx it is a **level** on a pin, which the PCI bus counts together with the others on its line. The q35 board’s bridge leads that line to an input of the I/O APIC of its own, the older PC’s PIIX3 to one of the sixteen ISA interrupts, and \`KVM_IRQ_LINE\` tells KVM. It stays up until the driver reads the ISR register.

Serial devices never use an irqfd. That is for threads which must not take the big lock, as a disk’s.`,
    },
    {
      title: 'The disk takes its requests',
      starts: 'virtio_blk_handle_vq',
      prose: `While it is at work the device needs no notifications: a flag in the used ring says so; with event indices there is no such flag, and the index only follows what has been seen. When the queue is empty it asks for them again and then **looks once more**. Between its last look and the driver’s sight of the flag something may have been offered for which no kick will come. The driver does the same at the other end, in \`virtqueue_enable_cb\`.`,
    },
    {
      title: 'The message goes by an irqfd',
      starts: 'virtio_notify_irqfd',
      prose: `The I/O thread must not touch the PCI device without the big lock, and need not: it writes the **guest notifier**. Where KVM listens, \`irqfd_wakeup\` runs inside of that write, reads the prepared route under a sequence counter, and delivers the message at once if that needs no sleeping (\`kvm_arch_set_irq_inatomic\`). Nearly every message qualifies; one that takes a walk over all vCPUs is left to a worker.

ACRN’s irqfd is the same idea with one more step: there the Service VM’s kernel asks the hypervisor by a hypercall.`,
    },
    {
      title: 'The guest’s handler',
      starts: 'vring_interrupt',
      prose: `Each queue that shares the interrupt is asked whether it has something. **The disk’s has**: \`virtblk_done\` takes back all that is there and wakes who waits.

**The console’s driver has not waited**: it spins with interrupts off, so it sees the used index first. When it enables interrupts, the one that waited is delivered and finds nothing more to do. That is not a defect: the interrupt serves those who sleep for room in a plain port. A console pays for it all the same.`,
    },
  ],
});
