import { architecturally, boundPointer } from '../engine/fn';
import type { Parameters, Run } from '../engine/machine';
import { running } from '../engine/running';
import { sleep } from '../engine/steps';
import {
  edu_msi_remove,
  guest_broadcasts,
  guest_does,
  guest_masks_vector,
  guest_moves_interrupt,
  guest_starts_timer,
  guest_unmasks_vector,
  msi_guest,
  msi_guest_context,
  type MessageKind,
  type MsiGuest,
} from '../models/guest/edu_msi_driver';
import { kvm_guest } from '../models/guest/kvm_guest';
import { hardirq_context, host_ioapic_pin } from '../models/hardware/host_irq';
import { host_lapic } from '../models/hardware/host_lapic';
import { interrupt_request, type Iommu } from '../models/hardware/iommu';
import { message_source } from '../models/hardware/msi';
import { POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR } from '../models/hardware/pi_desc';
import { pci_function, raise_cause, type PciFunction } from '../models/hardware/pci_function';
import { interrupt_cpu, type LapicMode } from '../models/hardware/virt_cpu';
import { ioapic_ir_chip, mp_register_handler } from '../models/linux/arch/x86/kernel/apic/io_apic';
import { sysvec_kvm_posted_intr_ipi, sysvec_kvm_posted_intr_wakeup_ipi } from '../models/linux/arch/x86/kernel/irq';
import { lapic_timer_function } from '../models/linux/arch/x86/kvm/lapic';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { vmx_hardware_setup } from '../models/linux/arch/x86/kvm/vmx/vmx';
import { pci_dev } from '../models/linux/drivers/pci/pci';
import { vfio_device_file } from '../models/linux/drivers/vfio/vfio_main';
import { vfio_pci_ops } from '../models/linux/drivers/vfio/pci/vfio_pci';
import { vfio_pci_core_device } from '../models/linux/drivers/vfio/pci/vfio_pci_priv';
import { irq_desc } from '../models/linux/kernel/irq/irqdesc';
import { hrtimer_context } from '../models/linux/kernel/time/hrtimer';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { host_messages } from '../models/linux/wiring';
import { kvm_sched_in, kvm_sched_out, kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import {
  kvm_memory_slot,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type Kvm,
  type KvmIrqRoutingEntry,
  type KvmVcpu,
} from '../models/linux/virt/kvm/kvm_types';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { bar0, BAR0_ADDR, BAR0_SLOT, qemu, qemu_main, VFIO_DEVFN } from '../models/qemu/machine';
import { MSIX_TABLE_ADDR } from '../models/qemu/hw/vfio/pci';
import { flow, type Flow } from './flow';
import { vfioMsi } from './topologies/vfio-msi';
import { presetOn } from './occasions';
import { pciExpress, qemuVersion } from './parameters';

/** VFIO MSI and MSI-X: a message from a device to a guest, through the host or past it. */

/** The topology, as the stimuli know it. */
interface World {
  readonly device: PciFunction;
  readonly guest: MsiGuest;
  readonly vcpu: KvmVcpu;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { hardirq: 0, device: 1, kworker: 2, qemu: 3, vcpu: 4, guest: 5 } as const;

const HOST_INTX_IRQ = 23;
const MSI_MESSAGES_LOG2 = 2;
const MSIX_ENTRIES = 2;
/** How many messages the guest’s driver wants, and how many causes the device has. */
const VECTORS = 2;
const INTERVAL_MS = 1000;
/** How long the host has something more urgent to do than to run the vCPU. */
const PREEMPTED_MS = 3 * INTERVAL_MS;

function setUp(parameters: Parameters): World {
  const mode = parameters['lapic'] as LapicMode;
  const system_wq = alloc_workqueue('events', 'kworker', PRIORITY.kworker);
  const irqfd_cleanup_wq = alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker);
  const vfio_irqfd_cleanup_wq = alloc_workqueue('vfio-irqfd-cleanup', 'vfio-irqfd-cleanup', PRIORITY.kworker);
  const memslot = kvm_memory_slot('BAR 0');
  const irq_routes = pc_irq_routes();
  const kvm = kvm_vm({
    routing: irq_routes,
    memslots: new Map([[BAR0_SLOT, memslot]]),
    system_wq,
    irqfd_cleanup_wq,
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
    irq_posting_cap: parameters['intremap'] === 'on' && mode !== 'svm-x2apic',
  });

  const lapic = host_lapic('host CPU', systemVectors(kvm));
  const iommu: Iommu = { remapping: parameters['intremap'] !== 'off', ir_table: [], lapic };
  const messages = message_source('00:03.0', MSI_MESSAGES_LOG2, MSIX_ENTRIES, (address, data) => interrupt_request(iommu, address, data));
  const device = pci_function('00:03.0', true, messages);
  const host = host_ioapic_pin();
  const intx = irq_desc(`host irq ${HOST_INTX_IRQ}`, HOST_INTX_IRQ, ioapic_ir_chip, mp_register_handler.handle_irq, host.pin);
  hardirq_context(device, host.cells, intx, PRIORITY.hardirq, lapic);

  const vcpu = kvm_vcpu(kvm, mode, { host_lapic: lapic, pv_eoi: parameters['pv-eoi'] === true });
  hrtimer_context(vcpu.apic.lapic_timer.timer, lapic_timer_function(vcpu.apic), 'hrtimer', 'host timer of vCPU 0', PRIORITY.hardirq);
  const pcie = parameters['pci-express'] === true;
  const pdev = pci_dev(device, intx, '0000:00:03.0', host_messages('host', messages, iommu), { pcie });
  const vdev = vfio_pci_core_device(pdev, { system_wq, vfio_irqfd_cleanup_wq }, vfio_pci_ops);
  const q = qemu({
    kvm,
    assigned: { kind: 'open', fd: vfio_device_file(vdev.vdev), pci_aer: pcie },
    bars: [bar0(device)],
    irq_routes,
  });
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, () => qemu_main(q));
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(q, q.board.cpus[0]!));

  const guest = msi_guest(
    {
      vcpu,
      kvm: kvm_guest(vcpu),
      device,
      bar: { address: BAR0_ADDR, memslot },
      devfn: VFIO_DEVFN,
      msix_table: MSIX_TABLE_ADDR,
      counts: { msi: 1 << MSI_MESSAGES_LOG2, msix: MSIX_ENTRIES },
    },
    { kind: parameters['type'] as MessageKind, wanted: VECTORS, halts: parameters['idle'] === 'hlt' },
  );
  msi_guest_context(guest, PRIORITY.guest);
  device_context(device);
  return { device, guest, vcpu };
}

/** The notification vectors of posted interrupts, which the host's kernel keeps for itself. */
function systemVectors(kvm: Kvm): ReadonlyMap<number, () => Run> {
  const wakeup = boundPointer(vmx_hardware_setup.wakeup_handler, () => kvm);
  return new Map([
    [POSTED_INTR_VECTOR, () => architecturally('hardirq', sysvec_kvm_posted_intr_ipi)()],
    [POSTED_INTR_WAKEUP_VECTOR, () => architecturally('hardirq', sysvec_kvm_posted_intr_wakeup_ipi)(wakeup)],
  ]);
}

/** What the board has routed: GSI 2 is nobody's, since the timer's pin 2 has moved to GSI 0. */
function pc_irq_routes(): KvmIrqRoutingEntry[] {
  const to = (irqchip: number, gsi: number, pin: number): KvmIrqRoutingEntry => ({
    gsi,
    type: 'KVM_IRQ_ROUTING_IRQCHIP',
    irqchip: { irqchip, pin },
  });
  const range = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);
  return [
    ...range(8).flatMap((gsi) => (gsi === 2 ? [] : [to(KVM_IRQCHIP_PIC_MASTER, gsi, gsi)])),
    ...range(8, 8).map((gsi) => to(KVM_IRQCHIP_PIC_SLAVE, gsi, gsi - 8)),
    ...range(24).flatMap((gsi) => (gsi === 2 ? [] : [to(KVM_IRQCHIP_IOAPIC, gsi, gsi === 0 ? 2 : gsi)])),
  ];
}

/** The device's own life: each of its causes once, and the first once more. */
function device_context(device: PciFunction): void {
  running().thread('device', 'device', 'device', PRIORITY.device, function* () {
    for (const cause of [...Array(VECTORS).keys(), 0]) {
      yield* sleep(INTERVAL_MS);
      yield* raise_cause(device, 1 << cause);
    }
  });
}

/** The host preempts the vCPU: its guest leaves, and its thread does not run for a while. */
function* preempt_vcpu(vcpu: KvmVcpu): Run {
  if (vcpu['wait.task']) return;
  yield* interrupt_cpu(vcpu.cpu);
  yield* kvm_sched_out(vcpu, true);
  yield* sleep(PREEMPTED_MS);
  yield* kvm_sched_in(vcpu);
}

export const vfio_msi: Flow = flow<World>({
  id: 'vfio-msi',
  system: 'VFIO',
  title: 'VFIO MSI and MSI-X',
  summary:
    'A message-signalled interrupt of an assigned device: the guest programs a message, QEMU has KVM and VFIO follow, and an eventfd connects them. Where the IOMMU can post, the interrupt passes the host altogether.',
  setUp,
  topology: vfioMsi,
  duration: () => (VECTORS + 2) * INTERVAL_MS,
  parameters: [
    {
      kind: 'choice',
      name: 'type',
      title: 'Messages',
      description:
        'What the guest’s driver asks for. An MSI capability has one address for all its messages and often no mask; an MSI-X table has an entry with a mask for each.',
      default: 'msix',
      choices: [
        { value: 'msix', title: 'MSI-X' },
        { value: 'msi', title: 'MSI, as Linux guests use it: one message' },
        { value: 'multi-msi', title: 'MSI with several messages, as other guests use it' },
      ],
    },
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux of host and guest',
      description:
        'Since 6.5 VFIO keeps its interrupts in an xarray and can add MSI-X vectors to those in use; since 6.12 KVM looks for a hardware interrupt only if it could use one.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'intremap',
      title: 'Interrupt remapping of the host',
      description:
        'What VT-d does with a message. On, an entry of its table decides: a vector of the host, or a post into a guest. Without posting everything goes to the host; off, messages mean what they say.',
      default: 'on',
      choices: [
        { value: 'on', title: 'On, with posted interrupts' },
        { value: 'nopost', title: 'On, without posted interrupts (intremap=nopost)' },
        { value: 'off', title: 'Off (intremap=off, and VFIO with allow_unsafe_interrupts)' },
      ],
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: 'How the CPU virtualizes it. Only a virtualized local APIC (APICv) can be posted to.',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv' },
        { value: 'vmx-xapic', title: 'VT-x without APICv, xAPIC' },
        { value: 'vmx-x2apic', title: 'VT-x without APICv, x2APIC' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC' },
      ],
    },
    {
      kind: 'boolean',
      name: 'pv-eoi',
      title: 'PV EOI',
      description:
        'On: guest and KVM share a word of memory, and the guest ends an interrupt there instead of writing EOI, wherever KVM has allowed it for the one in service. KVM looks when the guest comes out for another reason. Linux guests do so by themselves (KVM_FEATURE_PV_EOI); with APICv the CPU makes it needless.',
      default: false,
    },
    {
      kind: 'boolean',
      name: 'kvm-msi',
      title: 'Messages through KVM',
      description:
        'On: an irqfd takes each message in the kernel. Off (x-no-kvm-msi=on, x-no-kvm-msix=on): the message goes through QEMU’s main loop, which sends it on with KVM_SIGNAL_MSI.',
      default: true,
    },
    pciExpress,
    {
      kind: 'choice',
      name: 'idle',
      title: 'The idle guest',
      description: 'What the guest does when it has nothing to do. One that halts gives its CPU back, and somebody has to wake its vCPU.',
      default: 'poll',
      choices: [
        { value: 'poll', title: 'Spins (idle=poll): the CPU stays in the guest' },
        { value: 'hlt', title: 'Halts: the vCPU’s thread sleeps' },
      ],
    },
    qemuVersion,
  ],
  stimuli: [
    {
      name: 'raise',
      title: 'The device interrupts',
      description: 'The first cause comes up once more: a message.',
      thread: 'device',
      body: ({ device }) => raise_cause(device, 0x1),
    },
    {
      name: 'tick',
      title: 'The guest’s timer ticks',
      description:
        'The guest starts the timer of its local APIC, and KVM’s own timer expires for it: another interrupt that wants the same vCPU.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, guest_starts_timer),
    },
    {
      name: 'mask',
      title: 'The guest masks a vector',
      description: 'The guest sets the mask bit of the first MSI-X entry. The table is QEMU’s: VFIO signals QEMU from now on.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, guest_masks_vector),
    },
    {
      name: 'unmask',
      title: 'The guest unmasks it',
      description: 'The mask bit is cleared: KVM takes the vector again, and what became pending is sent.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, guest_unmasks_vector),
    },
    {
      name: 'move',
      title: 'The guest changes the message',
      description: 'The guest gives the first message another vector, as when it moves an interrupt to another CPU.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, guest_moves_interrupt),
    },
    {
      name: 'broadcast',
      title: 'The guest addresses all CPUs',
      description: 'The first message goes to everybody: it cannot be posted, and KVM needs a worker to deliver it.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, guest_broadcasts),
    },
    {
      name: 'remove',
      title: 'The guest’s driver stops',
      description: 'Interrupts are freed, messages switched off, and the device has its wire back.',
      thread: 'hardirq',
      body: ({ guest }) => guest_does(guest, edu_msi_remove),
    },
    {
      name: 'preempt',
      title: 'The host preempts the vCPU',
      description: 'Something more urgent runs on the vCPU’s CPU for a while.',
      thread: 'vcpu',
      body: ({ vcpu }) => preempt_vcpu(vcpu),
    },
  ],
  presets: [
    {
      id: 'posted',
      title: 'Past the host',
      prose: `The usual way where everything is there: VT-d **posts** the interrupt. The remapping entry points to the vCPU’s descriptor; the IOMMU sets the vector’s bit in \`pir\`, sets \`on\` and sends a notification to the CPU, which takes the vector while the guest runs. Look from \`raise_cause\` on: between the device and the guest’s handler stands no function of Linux and none of QEMU, and there is no exit.`,
      parameters: {},
    },
    {
      id: 'posted-to-a-sleeper',
      title: 'Posted to a vCPU that sleeps',
      prose: `The guest has halted and its vCPU’s thread sleeps, so the notification would reach nobody. Before it went to sleep, \`pi_enable_wakeup_handler\` exchanged the notification vector: \`POSTED_INTR_WAKEUP_VECTOR\` is an interrupt of the host, and \`pi_wakeup_handler\` wakes those on its list whose \`on\` is set. Posting saves the injection here, not the wake-up.`,
      parameters: { idle: 'hlt' },
    },
    presetOn(
      () => vfio_msi,
      {
        id: 'preempted',
        title: 'Preempted: notifications suppressed, two messages, one interrupt',
        prose: `The host runs something else in the vCPU’s place. \`vmx_vcpu_pi_put\` sets **SN**: the IOMMU goes on to set bits in \`pir\`, but neither sets \`on\` nor notifies anybody. When the vCPU is back, \`vmx_vcpu_pi_load\` must set \`on\` itself, or nobody would look.

Two messages came meanwhile and there is one bit: the guest gets **one** interrupt. Messages coalesce wherever a request bit is set already. The device’s own cause register says what happened, so a driver must look there and must not count interrupts.`,
        parameters: {},
      },
      [
        { name: 'preempt', when: 'at rest' },
        { name: 'raise', entering: 'vmx_vcpu_pi_put' },
        { name: 'raise', entering: 'post_by_hardware' },
      ],
    ),
    {
      id: 'through-the-host',
      title: 'Through the host, in one piece',
      prose: `Without posting the message becomes a vector of the host. \`vfio_msihandler\` signals the eventfd, and KVM’s callback injects right there, in hard-interrupt context: for a message \`kvm_arch_set_irq_inatomic\` needs no lock that sleeps. No worker, no \`irqfd_inject\`, no \`kvm_set_irq\` takes part, whatever older texts say.`,
      parameters: { intremap: 'nopost', lapic: 'vmx-x2apic' },
    },
    presetOn(
      () => vfio_msi,
      {
        id: 'broadcast',
        title: 'A message to everybody needs a worker',
        prose: `A broadcast is not in the table by which KVM finds one local APIC without looking at all. \`kvm_irq_delivery_to_apic_fast\` gives up, \`kvm_arch_set_irq_inatomic\` says \`-EWOULDBLOCK\`, and now the way that older texts describe is taken: \`schedule_work\`, \`irqfd_inject\` on a kworker, \`kvm_set_irq\`, \`kvm_set_msi\`.`,
        parameters: { intremap: 'nopost' },
      },
      [
        { name: 'broadcast', when: 'at rest' },
        { name: 'raise', when: 'at rest' },
      ],
    ),
    {
      id: 'through-qemu',
      title: 'Through QEMU',
      prose: `With \`x-no-kvm-msi=on\` the eventfd is QEMU’s. Its main loop wakes, \`vfio_msi_interrupt\` reads the message that the guest has programmed, and stores it where the device would have: the region there hands it to \`KVM_SIGNAL_MSI\`. It works everywhere, and costs two context switches.`,
      parameters: { 'kvm-msi': false },
    },
    presetOn(
      () => vfio_msi,
      {
        id: 'masked-and-pending',
        title: 'Masked, pending, unmasked',
        prose: `The guest masks a vector in *its* MSI-X table, which is QEMU’s. \`vfio_msix_vector_release\` only exchanges VFIO’s listener: the device is not masked, its message now goes to QEMU, and \`msix_notify\` sets the **pending bit** instead of sending. At the unmask the vector goes back to KVM *first*; then the pending interrupt is sent by \`KVM_SIGNAL_MSI\`.`,
        parameters: {},
      },
      [
        { name: 'mask', when: 'at rest' },
        { name: 'raise', when: 'at rest' },
        { name: 'unmask', when: 'at rest' },
      ],
    ),
    presetOn(
      () => vfio_msi,
      {
        id: 'exchanged-listener',
        title: 'A message while the listener is exchanged',
        prose: `To give a vector another eventfd, \`vfio_msi_set_vector_signal\` frees the interrupt and requests it again. In between it has no handler, no vector and no remapping entry. An MSI-X entry is masked then, by its own bit: the device keeps the message as pending and sends it when the entry is unmasked, so it is **late, not lost**. An MSI capability without mask bits would have sent it into a cleared entry.`,
        parameters: { intremap: 'nopost' },
      },
      [
        { name: 'mask', when: 'at rest' },
        { name: 'raise', entering: 'irq_bypass_unregister_producer' },
        { name: 'unmask', when: 'at rest' },
      ],
    ),
    presetOn(
      () => vfio_msi,
      {
        id: 'lost-while-growing',
        title: 'Lost while vectors are added',
        prose: `QEMU 7.2 allocates host vectors only as the guest unmasks them. A vector beyond those means \`vfio_disable_irqindex\` for **all**, then \`vfio_enable_vectors\` for one more. Between the two ioctls the device is not in MSI-X mode: a cause that comes up now goes to a wire that nobody listens to, and its message is never sent. Look at \`irq_status\`: the device still waits for its driver.

The kernel can add vectors to those in use since 6.5, and QEMU uses that since 8.2.`,
        parameters: {},
      },
      [{ name: 'raise', entering: 'pci_msix_shutdown' }],
    ),
    {
      id: 'fewer-vectors',
      title: 'Fewer vectors than wanted: QEMU aborts',
      prose: `Without interrupt remapping Linux gives an MSI capability one vector only. The guest has asked for two: \`VFIO_DEVICE_SET_IRQS\` answers with 1, and \`vfio_msi_enable\` tries again with that. But the retry begins *behind* \`vfio_prepare_kvm_msi_virq_batch\`, so \`vfio_commit_kvm_msi_virq_batch\` finds no batch prepared: its **assertion fails** and the virtual machine is gone. QEMU 7.2.0 has this defect; later versions prepare again.`,
      parameters: { type: 'multi-msi', intremap: 'off' },
    },
    presetOn(
      () => vfio_msi,
      {
        id: 'another-vector',
        title: 'The guest changes the message',
        prose: `A guest that moves an interrupt writes a new message. The table is emulated, so QEMU sees it: it masks, writes and unmasks. With the unmask the GSI’s route is exchanged: KVM builds a **whole new table**, every irqfd looks its entry up again, and one whose message has changed has the remapping entry written anew. An interrupt sees the old entry or the new one.`,
        parameters: {},
      },
      [
        { name: 'move', when: 'at rest' },
        { name: 'raise', when: 'at rest' },
      ],
    ),
    presetOn(
      () => vfio_msi,
      {
        id: 'teardown',
        title: 'Taken down again',
        prose: `The driver frees its interrupts and switches the messages off. VFIO lets go first: for each vector \`irq_bypass_unregister_producer\` has KVM put the remapping entry back to the host **before** \`free_irq\`; the other order would let KVM touch an interrupt that is somebody else’s by then. Then QEMU takes the irqfds from KVM, and INTx is set up as at the beginning.`,
        parameters: {},
      },
      [{ name: 'remove', when: 'at rest' }],
    ),
  ],
  historical: [
    {
      name: 'pi_update_irte',
      project: 'linux',
      was: 'arch/x86/kvm/vmx/posted_intr.c, 5.13',
      today: ['vmx_pi_update_irte', 'avic_pi_update_irte'],
      since: 'the function has its vendor’s prefix; `pi_update_irte` is still the name of the member of `kvm_x86_ops`',
    },
    {
      name: 'vmx_update_pi_irte',
      project: 'linux',
      was: 'arch/x86/kvm/vmx.c, 4.4 to 5.12',
      today: ['vmx_pi_update_irte'],
      since: '5.13: moved to arch/x86/kvm/vmx/posted_intr.c, as `pi_update_irte` at first',
    },
  ],
  chapters: [
    {
      title: 'Before messages: the wire',
      starts: 'vfio_realize',
      prose: `An assigned device starts with its INTx wire, as any PCI device does: QEMU connects it to KVM by an irqfd and a resamplefd (the flow *VFIO INTx* tells how). A level needs somebody to keep it quiet and somebody to say when it is over. **Messages** need neither: an interrupt is a single memory write, and when the write has been made, the device is done.`,
    },
    {
      title: 'The guest’s driver asks for messages',
      starts: 'edu_msi_probe',
      prose: `The guest’s PCI code programs what it believes to be the device. The configuration space is two ports: \`0xCF8\` selects a register, \`0xCFC\` is its data, and each access **exits**. The MSI-X table is memory, but a region of QEMU’s lies over it, so each store exits as well. Message and mask that the guest writes are never the device’s: those belong to the host.`,
    },
    {
      title: 'A port write becomes a configuration write',
      starts: 'pci_host_data_write',
      prose: `No device in KVM claims the port, so \`KVM_RUN\` returns \`KVM_EXIT_IO\`, and the host bridge finds the device by the selected address. \`vfio_pci_write_config\` first passes *everything* to the kernel, which filters: of the MSI capability all is virtual, and the enable bit is taken out as long as user space has not enabled messages by ioctl. Then QEMU compares whether messages were on and are on.`,
    },
    {
      title: 'MSI-X goes on: a vector is reserved',
      starts: 'vfio_msix_enable',
      prose: `INTx goes first. Linux enables MSI-X with every vector still masked, so there is nothing to connect yet; but the device itself should be in MSI-X mode, because its firmware may look. QEMU allocates **one vector**, listens to it itself, and lets go again.`,
    },
    {
      title: 'MSI goes on: everything at once',
      starts: 'msi_nr_vectors_allocated',
      prose: `INTx has gone. MSI has no usable mask here: from the moment that it is on, every message counts. So QEMU prepares all vectors in one **batch**: routes are noted and committed together, because each commit has KVM wait for everybody who still uses the old table.`,
    },
    {
      title: 'A GSI for a message',
      starts: 'kvm_irqchip_add_msi_route',
      prose: `An irqfd needs a **GSI**, and a message has none. QEMU takes a free number (the first is 2, since the timer’s interrupt was moved away from there), and routes it to address and data as the guest wrote them. \`KVM_SET_GSI_ROUTING\` replaces the kernel’s whole table.`,
    },
    {
      title: 'KVM’s end of the eventfd',
      starts: 'kvm_irqchip_add_irqfd_notifier_gsi',
      prose: `KVM takes the eventfd as an **irqfd** and keeps a copy of the route in it, so that the interrupt path needs no table. If a device’s interrupt could bypass the eventfd, KVM announces itself as a **consumer**; the token by which producer and consumer know each other is the eventfd. Nobody has announced a producer yet. Linux 6.1 announces itself in any case.`,
    },
    {
      title: 'VFIO’s end',
      starts: 'vfio_pci_set_msi_trigger',
      prose: `Now VFIO: \`VFIO_DEVICE_SET_IRQS\` with the eventfds. The first time it switches the *physical* device to messages and allocates the host’s interrupts, each with a remapping entry and a vector; then it requests each with \`vfio_msihandler\`, whose only argument is the eventfd. In QEMU the kernel’s ends come in this order: KVM first, VFIO second.`,
    },
    {
      title: 'Producer and consumer meet',
      starts: '__connect',
      prose: `VFIO announces the host’s interrupt as a **producer**, and the bypass manager finds a consumer with the same token. \`kvm_arch_irq_bypass_add_producer\` hands the host’s interrupt to the vendor’s code. It can be posted if the message is for exactly one vCPU, in a plain delivery mode, and the local APIC is virtualized.`,
    },
    {
      title: 'The remapping entry turns to the guest',
      starts: 'intel_ir_set_vcpu_affinity',
      prose: `The entry of VT-d’s table that the device’s message selects is exchanged in one go: instead of a vector and a CPU of the host it has **\`p_vector\`**, the guest’s vector, and the address of the vCPU’s descriptor. The driver keeps the host’s form, to put it back.`,
    },
    {
      title: 'The device sends its message',
      starts: 'post_message',
      prose: `A cause comes up, and the device writes the word to the address. In remappable format the address carries an index, nothing else: where the message goes, and whether it goes anywhere, the table decides.`,
    },
    {
      title: 'Past the host',
      starts: 'post_by_hardware',
      prose: `The entry posts. The IOMMU sets the vector’s bit in **PIR**; unless a notification is outstanding (**ON**) or none is wanted (**SN**) it sets ON and sends the notification vector to the CPU. A CPU that runs the guest takes PIR into the virtual IRR by itself and delivers. The order is bit, then ON, then notification: whoever sees ON finds the bit.`,
    },
    {
      title: 'Through the host',
      starts: 'vfio_msihandler',
      prose: `The entry names a vector of the host, and its handler runs. An edge is acknowledged *before* the handlers, or the next one could be missed; there is nothing to mask. \`vfio_msihandler\` signals the eventfd, and its wait queue is walked right here.`,
    },
    {
      title: 'Into the local APIC, still in the hard interrupt',
      starts: 'irqfd_wakeup',
      prose: `KVM’s callback takes the count and looks at its copy of the route. A message can be delivered without sleeping: the addressed local APIC is found in a map, and the vector is posted, or requested with a kick. The callback is exclusive and first in the queue: nobody else sees this event.`,
    },
    {
      title: 'Through QEMU’s main loop',
      starts: 'vfio_msi_interrupt',
      prose: `QEMU is the listener: because KVM was not asked to be, or because the guest has masked the vector. It takes the event, and sends what the guest has programmed: or, for a masked vector, sets the pending bit that the guest would find in the device.`,
    },
    {
      title: 'The guest serves its device',
      starts: 'edu_msi_handler',
      prose: `The guest’s own Linux finds the interrupt by vector and calls the driver. Its accesses to the BAR reach the device directly. The end of an *edge* interests nobody: with APICv the EOI stays in the CPU, without, it exits but no I/O APIC has to hear of it.`,
    },
    {
      title: 'Messages go off',
      starts: 'edu_msi_remove',
      prose: `Everything in reverse: first the guest’s entries, then QEMU has VFIO disable the index, KVM let go of the irqfds, and the wire set up again. \`vfio_msi_set_vector_signal\` withdraws the producer *before* it frees the interrupt.`,
    },
    {
      title: 'A vector is masked',
      starts: 'vfio_msix_vector_release',
      prose: `Only VFIO’s listener changes. KVM keeps route and irqfd, because there are guests that mask and unmask around every interrupt, and undoing all would be far too slow. Exchanging the listener frees and requests the host’s interrupt, and takes it from the guest’s descriptor to the host and back.`,
    },
    {
      title: 'A route is exchanged',
      starts: 'vfio_update_kvm_msi_virq',
      prose: `The guest has written another message: perhaps for another CPU. The GSI stays, its route changes. \`kvm_irq_routing_update\` walks all irqfds; for one that is connected to hardware and whose message differs, the remapping entry is written again.`,
    },
  ],
});
