import type { Parameters } from '../engine/machine';
import { running } from '../engine/running';
import { sleep, until } from '../engine/steps';
import {
  guest,
  guest_acknowledges,
  guest_context,
  guest_reads_bar,
  guest_writes_command,
  guest_writes_config,
  guest_writes_EOI,
  noapic_guest,
  NOAPIC_PIC,
  type Guest,
} from '../models/guest/edu_driver';
import { hardirq_context, host_ioapic_pin } from '../models/hardware/host_irq';
import { clear_cause, pci_function, raise_cause, type PciFunction } from '../models/hardware/pci_function';
import type { LapicMode } from '../models/hardware/virt_cpu';
import { ioapic_ir_chip, mp_register_handler } from '../models/linux/arch/x86/kernel/apic/io_apic';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { pci_dev } from '../models/linux/drivers/pci/pci';
import { vfio_pci_ops } from '../models/linux/drivers/vfio/pci/vfio_pci';
import { vfio_pci_core_device } from '../models/linux/drivers/vfio/pci/vfio_pci_priv';
import { vfio_device_file } from '../models/linux/drivers/vfio/vfio_main';
import { PCI_COMMAND_INTX_DISABLE } from '../models/linux/include/uapi/linux/pci_regs';
import { irq_desc } from '../models/linux/kernel/irq/irqdesc';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { kvm_memory_slot, KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_SLAVE, type KvmIrqRoutingEntry } from '../models/linux/virt/kvm/kvm_types';
import { split_irq_routes } from '../models/qemu/include/sysemu/kvm_int';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { ICH9_LPC_PIRQ_ROUT_IRQEN } from '../models/qemu/hw/isa/lpc_ich9';
import { bar0, BAR0_ADDR, BAR0_SLOT, lpcConfigAddress, qemu, qemu_main, vfioConfigAddress } from '../models/qemu/machine';
import { flow } from './flow';
import { vfioIntx } from './topologies/vfio-intx';
import { pciExpress, qemuVersion } from './parameters';

/** VFIO INTx: from a device's wire to a guest's handler and back, through KVM or through QEMU. */

/** The topology, as the stimuli know it. */
interface World {
  readonly device: PciFunction;
  readonly guest: Guest;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { hardirq: 0, device: 1, kworker: 2, qemu: 3, vcpu: 4, guest: 5 } as const;

const HOST_IRQ = 23;
const GSI = 21;
const PIC_GSI = 10;
const VECTOR = 0x26;
const INTERVAL_MS = 2000;
const PIRQF_ROUT = 0x69;
const PCI_COMMAND_ENABLED = 0x6;

function setUp(parameters: Parameters): World {
  const device = pci_function('00:03.0', parameters['disintx'] === true);
  const host = host_ioapic_pin();
  const desc = irq_desc(`host irq ${HOST_IRQ}`, HOST_IRQ, ioapic_ir_chip, mp_register_handler.handle_irq, host.pin);
  hardirq_context(device, host.cells, desc, PRIORITY.hardirq);

  const system_wq = alloc_workqueue('events', 'kworker', PRIORITY.kworker);
  const irqfd_cleanup_wq = alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker);
  const vfio_irqfd_cleanup_wq = alloc_workqueue('vfio-irqfd-cleanup', 'vfio-irqfd-cleanup', PRIORITY.kworker);

  const mode = parameters['lapic'] as LapicMode;
  const noapic = parameters['guest-irq'] === 'pic';
  const split = parameters['guest-irq'] === 'split';
  const gsi = parameters['guest-irq'] === 'isa' ? PIC_GSI : GSI;
  const memslot = kvm_memory_slot('BAR 0');
  const kvm = kvm_vm({
    irqchip_mode: split ? 'KVM_IRQCHIP_SPLIT' : 'KVM_IRQCHIP_KERNEL',
    routing: split ? split_irq_routes() : routes(parameters['routing'] === 'qemu'),
    // As firmware leaves it: all masked, and level-triggered where PCI interrupts may come.
    pic: noapic ? NOAPIC_PIC : { master: { imr: 0xff }, slave: { imr: 0xff, elcr: 0x0c } },
    memslots: new Map([[BAR0_SLOT, memslot]]),
    system_wq,
    irqfd_cleanup_wq,
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
  });
  // Such a guest (noapic nolapic) leaves its local APIC as the reset did: LINT0 lets the 8259 through.
  const vcpu = kvm_vcpu(kvm, mode, { setup: noapic ? 'reset' : 'booted' });

  const pcie = parameters['pci-express'] === true;
  const pdev = pci_dev(device, desc, '0000:00:03.0', undefined, { pcie });
  const vdev = vfio_pci_core_device(pdev, { system_wq, vfio_irqfd_cleanup_wq }, vfio_pci_ops);
  const q = qemu({
    kvm,
    assigned: { kind: 'open', fd: vfio_device_file(vdev.vdev), pci_aer: pcie },
    bars: [bar0(device)],
    kernel_irqchip: split ? 'split' : 'on',
  });
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, () => qemu_main(q));
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(q, q.board.cpus[0]!));

  const parts = { vcpu, device, bar: { address: BAR0_ADDR, memslot }, config: { address: vfioConfigAddress(0) } };
  const made = noapic ? noapic_guest(parts, PIC_GSI) : guest(parts, gsi, VECTOR);
  guest_context(made, PRIORITY.guest);
  device_context(device, made, parameters);
  return { device, guest: made };
}

/** The device's own life: it interrupts a few times, each time when everything has come to rest. */
function device_context(device: PciFunction, { driver }: Guest, parameters: Parameters): void {
  running().thread('device', 'device', 'device', PRIORITY.device, function* () {
    for (let i = 0; i < Number(parameters['interrupts']); i++) {
      yield* sleep(INTERVAL_MS);
      const seen = driver.status_reads;
      yield* raise_cause(device, 0x1);
      if (parameters['pending-at-eoi'] !== true) continue;
      // Between the handler's look at the status register and its acknowledgement, which will not cover this.
      yield* until(() => driver.status_reads > seen);
      yield* raise_cause(device, 0x2);
    }
  });
}

/** What a line of the board's is routed to, in the order in which KVM serves it. */
const routes = (byQemu: boolean): KvmIrqRoutingEntry[] => [
  ...(byQemu ? [picEntry(PIC_GSI), ioapicEntry(PIC_GSI)] : [ioapicEntry(PIC_GSI), picEntry(PIC_GSI)]),
  ioapicEntry(GSI),
];

const ioapicEntry = (gsi: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_IRQCHIP',
  irqchip: { irqchip: KVM_IRQCHIP_IOAPIC, pin: gsi },
});

const picEntry = (gsi: number): KvmIrqRoutingEntry => ({
  gsi,
  type: 'KVM_IRQ_ROUTING_IRQCHIP',
  irqchip: { irqchip: KVM_IRQCHIP_PIC_SLAVE, pin: gsi - 8 },
});

export const vfio_intx = flow<World>({
  id: 'vfio-intx',
  system: 'VFIO',
  title: 'VFIO INTx',
  summary:
    'A level-triggered interrupt of an assigned PCI device: the host masks it, an eventfd carries it to KVM (or to QEMU), the guest handles it, and its end-of-interrupt opens the line again.',
  setUp,
  topology: vfioIntx,
  duration: (parameters) => (Number(parameters['interrupts']) + 1) * INTERVAL_MS + Number(parameters['mmap-timeout']),
  parameters: [
    {
      kind: 'boolean',
      name: 'kvm-intx',
      title: 'INTx through KVM',
      description:
        'On: an irqfd raises the guest’s line and a resamplefd unmasks the device, all in the kernel. Off (x-no-kvm-intx=on): QEMU does both, and takes the guest’s first access to a BAR as the end of the interrupt.',
      default: true,
    },
    {
      kind: 'boolean',
      name: 'disintx',
      title: 'The device has DisINTx',
      description:
        'On: the device is PCI 2.3 and can be masked by itself, so it may share the host’s line. Off: only the host’s whole interrupt can be disabled.',
      default: true,
    },
    pciExpress,
    {
      kind: 'choice',
      name: 'guest-irq',
      title: 'The guest’s interrupt controller',
      description:
        'Without ACPI a guest finds the device on the ISA interrupt that firmware has routed it to, IRQ 10. A guest booted with noapic uses the 8259 pair, on the same IRQ; it ends an interrupt before its handler runs. With a split irqchip the I/O APIC is QEMU’s: a pin is a message to KVM, injected at once, and the end of the interrupt has to be passed on to QEMU.',
      default: 'ioapic',
      choices: [
        { value: 'ioapic', title: 'I/O APIC: GSI 21' },
        { value: 'isa', title: 'I/O APIC by the MP table (acpi=off): IRQ 10' },
        { value: 'pic', title: '8259 (noapic): IRQ 10' },
        { value: 'split', title: 'QEMU’s I/O APIC (kernel-irqchip=split): GSI 21' },
      ],
    },
    {
      kind: 'choice',
      name: 'routing',
      title: 'KVM’s routing table',
      description:
        'A line below 16 goes to the 8259 pair and to the I/O APIC. QEMU’s table has the 8259 first. KVM’s own, which is there from KVM_CREATE_IRQCHIP on and which smaller programs than QEMU keep, has the I/O APIC first.',
      default: 'qemu',
      choices: [
        { value: 'qemu', title: 'QEMU’s: the 8259 first' },
        { value: 'default', title: 'KVM’s own: the I/O APIC first' },
      ],
    },
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux of the host',
      description:
        'The kernels differ in how a resampler notifies, when an exclusive line is masked, and in what an unmasked I/O APIC pin asks first.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: 'How the CPU virtualizes it decides how a vector gets in and how the end of the interrupt gets out.',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv: vectors are posted, an EOI exits only if it must' },
        { value: 'vmx-xapic', title: 'VT-x, xAPIC: the EOI is an access to the APIC page' },
        { value: 'vmx-x2apic', title: 'VT-x, x2APIC: the EOI is a WRMSR' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC: the EOI is a WRMSR' },
      ],
    },
    qemuVersion,
    {
      kind: 'boolean',
      name: 'machine-reset',
      title: 'The reset at power-on',
      description:
        'QEMU ends its start with a reset of the whole machine, which takes the device’s interrupt down and sets it up again. Off: that is left out, since nothing new happens in it.',
      default: false,
    },
    {
      kind: 'number',
      name: 'interrupts',
      title: 'Interrupts',
      description: 'How often the device interrupts by itself.',
      default: 2,
      minimum: 0,
      maximum: 5000,
    },
    {
      kind: 'boolean',
      name: 'pending-at-eoi',
      title: 'Still pending at EOI',
      description: 'A second cause arrives after the guest’s handler has looked: the device still asserts when the interrupt is ended.',
      default: false,
    },
    {
      kind: 'number',
      name: 'mmap-timeout',
      title: 'x-intx-mmap-timeout-ms',
      description: 'How long QEMU keeps a BAR unmapped after an interrupt, in milliseconds; 0 leaves it unmapped.',
      default: 1100,
      minimum: 0,
      maximum: 60_000,
    },
  ],
  stimuli: [
    {
      name: 'raise',
      title: 'The device raises its line',
      description: 'Another cause becomes pending in the device.',
      thread: 'device',
      body: ({ device }) => raise_cause(device, 0x4),
    },
    {
      name: 'lower',
      title: 'The device lowers its line',
      description: 'The device withdraws all its causes, before anybody acknowledged them.',
      thread: 'device',
      body: ({ device }) => clear_cause(device, 0xffffffff),
    },
    {
      name: 'mask-disintx',
      title: 'The guest sets DisINTx',
      description: 'The guest writes PCI_COMMAND: VFIO masks the device, and holds back what it already knows of.',
      thread: 'guest',
      body: ({ guest: made }) => guest_writes_command(made, PCI_COMMAND_ENABLED | PCI_COMMAND_INTX_DISABLE),
    },
    {
      name: 'unmask-disintx',
      title: 'The guest clears DisINTx',
      description: 'The guest writes PCI_COMMAND: VFIO unmasks the device, or signals at once if it asserts.',
      thread: 'guest',
      body: ({ guest: made }) => guest_writes_command(made, PCI_COMMAND_ENABLED),
    },
    {
      name: 'read-bar',
      title: 'The guest reads a BAR',
      description:
        'A load from the status register, outside of the handler. With QEMU in charge this counts as the end of a pending interrupt.',
      thread: 'guest',
      body: ({ guest: made }) => guest_reads_bar(made),
    },
    {
      name: 'write-bar',
      title: 'The guest writes a BAR',
      description: 'A store that acknowledges every cause, outside of the handler.',
      thread: 'guest',
      body: ({ guest: made }) => guest_acknowledges(made),
    },
    {
      name: 'reroute-to-pic',
      title: 'The guest routes the device to the 8259',
      description: 'Firmware writes PIRQF_ROUT in the LPC bridge: the device’s line becomes IRQ 10, and QEMU moves its irqfd there.',
      thread: 'guest',
      body: ({ guest: made }) => guest_writes_config(made, lpcConfigAddress(PIRQF_ROUT), PIC_GSI),
    },
    {
      name: 'reroute-to-ioapic',
      title: 'The guest routes the device to the I/O APIC',
      description: 'The guest’s kernel switches that route off again: the line is GSI 21.',
      thread: 'guest',
      body: ({ guest: made }) => guest_writes_config(made, lpcConfigAddress(PIRQF_ROUT), ICH9_LPC_PIRQ_ROUT_IRQEN | PIC_GSI),
    },
    {
      name: 'eoi',
      title: 'The guest writes EOI',
      description: 'An end-of-interrupt without an interrupt: it ends whatever is in service, or nothing.',
      thread: 'guest',
      body: ({ guest: made }) => guest_writes_EOI(made),
    },
  ],
  presets: [
    {
      id: 'still-asserting',
      title: 'Still asserting at the end of the interrupt',
      prose: `A second cause arrives after the guest’s handler has looked, so the device still asserts when the guest ends the interrupt. \`vfio_pci_intx_unmask_handler\` sees that in \`PCI_STATUS\` and does **not** unmask. It may not signal the trigger eventfd either, because it runs inside an eventfd’s callback itself: \`virqfd_wakeup\` queues \`virqfd_inject\`, a worker signals, and a second worker raises the guest’s line. The guest gets another interrupt, and the host’s line never moved.`,
      parameters: { 'pending-at-eoi': true, interrupts: 1 },
    },
    {
      id: 'twice-by-the-8259',
      title: 'Every interrupt twice: the 8259’s order',
      prose: `Linux drives the 8259 by \`handle_level_irq\`: mask, **end of interrupt**, then the handler. KVM’s ack notifier hangs on that early end, so it lowers the line and asks vfio-pci to unmask while the device still asserts. It is injected again, before the handler has run; after the handler Linux unmasks the input, and a second interrupt comes that finds nothing to do. Four interrupts of the device are eight of the guest.`,
      parameters: { 'guest-irq': 'pic', interrupts: 2 },
    },
    {
      id: 'both-controllers',
      title: 'One line, two controllers',
      prose: `Without ACPI the guest finds its device on IRQ 10, and takes it from pin 10 of the I/O APIC. But that GSI is an ISA interrupt: KVM’s routing table has **two** entries for it, and \`kvm_set_irq\` drives both controllers each time, the 8259 too, which this guest has masked. The table here is KVM’s own, with the I/O APIC first; QEMU’s has the 8259 first. What the guest ends is the I/O APIC’s interrupt, and that alone calls the resampler.`,
      parameters: { 'guest-irq': 'isa', routing: 'default', interrupts: 1 },
    },
    {
      id: 'both-controllers-8259',
      title: 'One line, two controllers: the 8259’s side',
      prose: `The same line, in a guest that uses the 8259 pair: now the I/O APIC’s pin 10 is masked, and follows the line all the same. \`kvm_set_irq\` tells it first, where \`ioapic_set_irq\` notes the level in \`irr\` and stops at the mask, and then the 8259, which interrupts. Its early end of interrupt lowers the line at **both**, in the same order.`,
      parameters: { 'guest-irq': 'pic', routing: 'default', interrupts: 1 },
    },
    {
      id: 'exclusive-line',
      title: 'Without DisINTx: the host’s whole line',
      prose: `A device that cannot be masked by itself needs the host’s interrupt line for itself, since masking means \`disable_irq_nosync\`. The disable is **lazy**: the line is only marked. If it fires again meanwhile, \`handle_fasteoi_irq\` masks it then and remembers it as pending. Linux 6.12 sets \`IRQ_DISABLE_UNLAZY\`, because on some platforms the second assertion would never be seen; compare with 6.1.`,
      parameters: { disintx: false },
    },
    {
      id: 'split-resample',
      title: 'Split irqchip: QEMU passes the end on',
      prose: `With QEMU’s I/O APIC a pin is a *message* to KVM. That can be injected right in the host’s hard interrupt, without a worker. But KVM does not know of pins any more, so it refuses a resamplefd (\`kvm_arch_irqfd_allowed\`), and QEMU keeps it: the guest’s EOI exits with \`KVM_EXIT_IOAPIC_EOI\`, \`ioapic_eoi_broadcast\` calls \`kvm_resample_fd_notify\`, and that write to the eventfd unmasks the device. Kernels and QEMUs without these two changes gave exactly one interrupt.`,
      parameters: { 'guest-irq': 'split', interrupts: 2 },
    },
    {
      id: 'any-access-ends-it',
      title: 'Through QEMU: any access ends the interrupt',
      prose: `With \`x-no-kvm-intx=on\` QEMU cannot see the guest’s end of interrupt, and takes the **first access to a BAR** for it, here the handler’s mere look at the status register. The line goes down and the device is unmasked while it still asserts, so the same ioctl signals the eventfd again, and QEMU raises the line a **second time** for one interrupt of the device. Whether the guest takes that one too depends on whether its handler’s next access, which ends it in the same way, comes first. Look for \`vfio_intx_eoi\` below \`vfio_region_read\`.`,
      parameters: { 'kvm-intx': false, interrupts: 1 },
    },
    {
      id: 'mappings-that-stay-away',
      title: 'mmap-timeout 0: the mappings never come back',
      prose: `While an interrupt may be pending, QEMU keeps the device’s BARs out of the guest, so that an access is seen. A timer brings them back. With \`x-intx-mmap-timeout-ms=0\` there is none: after its first interrupt the device is reached through QEMU for good, which is slow, and by design.`,
      parameters: { 'kvm-intx': false, interrupts: 1, 'mmap-timeout': 0 },
    },
  ],
  historical: [
    {
      name: 'vfio_eoi',
      project: 'qemu',
      was: 'a field of VFIODeviceOps, still there',
      today: ['vfio_intx_eoi', 'vfio_region_read', 'vfio_region_write'],
      since: '2015: no function, but the pointer by which vfio_region_read() and vfio_region_write() reach vfio_intx_eoi()',
    },
  ],
  chapters: [
    {
      title: 'QEMU connects the device’s interrupt to an eventfd',
      starts: 'vfio_intx_enable',
      prose: `An assigned device interrupts the *host*. Only the guest’s driver knows how to make it stop, so the host can do two things: tell somebody, and keep the line quiet meanwhile.

QEMU makes an **eventfd** and hands it to vfio-pci with \`VFIO_DEVICE_SET_IRQS\` (\`VFIO_IRQ_SET_ACTION_TRIGGER\`). vfio-pci requests the host’s interrupt: shared if the device has DisINTx, exclusive if it has not. At first QEMU itself listens to the eventfd; that works everywhere, and is slow.`,
    },
    {
      title: 'KVM takes over: irqfd and resamplefd',
      starts: 'vfio_intx_enable_kvm',
      prose: `With the interrupt controller in the kernel, QEMU steps aside. It masks the device, gives the trigger eventfd to KVM as an **irqfd** of the guest’s GSI, and a second eventfd, the **resamplefd**, which KVM signals when the guest has ended the interrupt. vfio-pci listens to that one and unmasks. Then QEMU unmasks once itself, in case something was pending.

The order matters: masked first, so that no interrupt falls between two listeners. With \`x-no-kvm-intx=on\` QEMU returns here at once.`,
    },
    {
      title: 'The guest’s driver opens its line',
      starts: 'edu_probe',
      prose: `The guest requests its interrupt: Linux’s interrupt core, the same code as on the host, unmasks the pin in the *emulated* I/O APIC. That write exits to KVM, which also works out for which vectors it must see the guest’s **EOI**: every level-triggered pin, and every pin that somebody waits for. KVM tells the CPU at the next entry.`,
    },
    {
      title: 'The device raises its line',
      starts: 'raise_cause',
      prose: `The wire rises, the host’s I/O APIC sends a vector, and \`vfio_intx_handler\` runs in hard-interrupt context. With DisINTx it first asks the device whether it was the one (\`PCI_STATUS_INTERRUPT\`), masks it by its own bit, and signals the eventfd. Without, it disables the host’s interrupt.

The eventfd’s wait queue is walked right there, still in the hard interrupt. KVM’s callback consumes the event, but a *pin* of an emulated chip cannot be driven from here: \`kvm_arch_set_irq_inatomic\` says \`-EWOULDBLOCK\`, and a kworker has to go on.`,
    },
    {
      title: 'A worker drives the guest’s I/O APIC',
      starts: 'irqfd_inject',
      prose: `\`irqfd_inject\` raises the GSI on behalf of the resampler’s source. The I/O APIC’s pin is level-triggered: \`irr\` is the line, and **remote IRR** is set when the local APIC accepts the message. Until the guest ends the interrupt this pin sends no other.

The vector reaches the local APIC: posted to the CPU that runs the guest (APICv), or set in IRR with a kick that makes the vCPU exit and inject.`,
    },
    {
      title: 'The guest handles it',
      starts: 'edu_irq_handler',
      prose: `The guest’s driver reads the device’s status and acknowledges what it saw. In the KVM way the BAR is mapped into the guest, and these accesses reach the device without anybody noticing. In QEMU’s way the BAR was taken out of the guest, so that the *first access* exits: QEMU performs it, and takes it as the sign that the interrupt is being served.`,
    },
    {
      title: 'The end of the interrupt opens the line again',
      starts: 'irqfd_resampler_ack',
      prose: `The guest’s EOI is seen by KVM. Before remote IRR is cleared the ack notifiers run: \`irqfd_resampler_ack\` **first lowers** the line, once for all who share it, **then** signals the resamplefd. vfio-pci’s callback runs in the same stack, on the vCPU’s thread, and unmasks the device.

If the device still asserts, it is *not* unmasked. Signalling an eventfd from within an eventfd’s callback would deadlock, so a worker signals the trigger again: the guest gets another interrupt without any from the hardware.`,
    },
  ],
});
