import { running } from '../engine/running';
import type { Parameters, Run } from '../engine/machine';
import { until } from '../engine/steps';
import { ioapic_irq, kvm_guest, kvm_guest_context } from '../models/guest/kvm_guest';
import type { LapicMode } from '../models/hardware/virt_cpu';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { serial8250_port } from '../models/linux/drivers/tty/serial/8250/8250_port';
import { uart_port_startup, uart_write } from '../models/linux/drivers/tty/serial/serial_core';
import { mdev_init } from '../models/linux/drivers/vfio/mdev/mdev_core';
import { create_file, mdev_type_attr_show, TYPE_FILES } from '../models/linux/drivers/vfio/mdev/mdev_sysfs';
import { vfio_mdev_init } from '../models/linux/drivers/vfio/mdev/vfio_mdev';
import { vfio_iommu_type1_init } from '../models/linux/drivers/vfio/vfio_iommu_type1';
import { vfio_core, type Vfio } from '../models/linux/drivers/vfio/vfio';
import { kernfs_fop_write_iter } from '../models/linux/fs/kernfs/file';
import { mdev_core } from '../models/linux/include/linux/mdev';
import type { UartPort } from '../models/linux/include/linux/serial_core';
import type { VfioDevice } from '../models/linux/include/linux/vfio';
import { VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX } from '../models/linux/include/uapi/linux/vfio';
import { alloc_workqueue, type WorkqueueStruct } from '../models/linux/kernel/workqueue';
import { mtty_dev_init, mtty_module, type Mtty } from '../models/linux/samples/vfio-mdev/mtty';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_SLAVE, type KvmIrqRoutingEntry } from '../models/linux/virt/kvm/kvm_types';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { qemu, qemu_main, type Qemu } from '../models/qemu/machine';
import {
  close_eventfd,
  disable_irq,
  mtty_program,
  program,
  reopen,
  replace_eventfd,
  send,
  trigger_irq,
  type Program,
} from '../models/user/mtty_program';
import { since } from '../models/version';
import { flow, type Flow } from './flow';
import { mdevMtty } from './topologies/mdev-mtty';
import { presetOn, type Occasion } from './occasions';
import { qemuVersion } from './parameters';

/** mdev and mtty: a serial card made of nothing, from the module to a guest's interrupt handler. */

/** The topology, as the stimuli know it. */
interface World {
  readonly tty: Tty | undefined;
  readonly program: Program | undefined;
}

/** The guest’s port, and whether a program in the guest could write to it now. */
interface Tty {
  readonly port: UartPort;
  readonly writable: () => boolean;
}

const PRIORITY = { kworker: 1, admin: 2, qemu: 3, vcpu: 4, guest: 5, program: 6 } as const;

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const GROUP = 7;
const GSI = 21;
const PIC_GSI = 10;
const VECTOR = 0x26;
/** Where the guest’s firmware has put the BARs. */
const PORTS = [0xc060, 0xc068] as const;
const BAR_SIZE = 8;
const DURATION_MS = 5000;
/** What a guest sends at most: a full FIFO looks empty to mtty and still interrupts, and the guest would never get out. */
const GUEST_CHARACTERS = 15;

function setUp(parameters: Parameters): World {
  const system_wq = alloc_workqueue('events', 'kworker', PRIORITY.kworker);
  const vfio_irqfd_cleanup_wq = alloc_workqueue('vfio-irqfd-cleanup', 'vfio-irqfd-cleanup', PRIORITY.kworker);
  const vfio = vfio_core({ system_wq, vfio_irqfd_cleanup_wq }, GROUP);
  const mtty = mtty_module(mdev_core(vfio));
  admin_context(mtty, parameters['type'] === 'mtty-2' ? 1 : 0);
  const in_guest = parameters['user'] === 'qemu' && since('linux', '6.1');
  const length = Math.min(Number(parameters['characters']), in_guest ? GUEST_CHARACTERS : Infinity);
  const bytes = Array.from({ length }, (_, n) => 0x61 + (n % 26));
  return in_guest
    ? { tty: virtual_machine(vfio, system_wq, parameters, bytes), program: idle('program') }
    : { tty: idle('guest'), program: user_program(vfio, parameters, bytes) };
}

/** A thread that this run has no use for, but a stimulus may name. */
function idle(id: string): undefined {
  running().thread(id, id, id, PRIORITY.program, () => until(() => false));
}

/** The administrator: loads the modules, looks at what can be made, makes it. */
function admin_context(mtty: Mtty, type: 0 | 1): void {
  running().thread('admin', 'administrator', 'process', PRIORITY.admin, function* () {
    yield* mdev_init(mtty.core);
    if (!since('linux', '5.19')) yield* vfio_mdev_init(mtty.core);
    if (since('linux', '6.1')) yield* vfio_iommu_type1_init(mtty.core.vfio);
    yield* mtty_dev_init(mtty);
    if (since('linux', '6.1'))
      for (const mtype of mtty.types) for (const show of Object.values(TYPE_FILES)) yield* mdev_type_attr_show(mtype, show);
    yield* kernfs_fop_write_iter(create_file(mtty.types[type]!), UUID);
  });
}

/** Waits until the administrator has made the device. */
function* created({ group_list }: Vfio): Run<VfioDevice> {
  const find = () => group_list.flatMap(({ device_list }) => device_list).find(({ dev }) => dev.name === UUID);
  yield* until(() => find() !== undefined);
  return find()!;
}

/** QEMU with a guest whose driver opens the first port, writes, and reads what comes back. */
function virtual_machine(vfio: Vfio, system_wq: WorkqueueStruct, parameters: Parameters, bytes: readonly number[]): Tty {
  const mode = parameters['lapic'] as LapicMode;
  const kvm = kvm_vm({
    routing: [picEntry(PIC_GSI), ioapicEntry(PIC_GSI), ioapicEntry(GSI)],
    pic: { master: { imr: 0xff }, slave: { imr: 0xff, elcr: 0x0c } },
    system_wq,
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
  });
  const vcpu = kvm_vcpu(kvm, mode);

  const bars = PORTS.slice(0, parameters['type'] === 'mtty-2' ? 2 : 1);
  let q: Qemu | undefined;
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, function* () {
    yield* created(vfio);
    q = qemu({
      kvm,
      assigned: { kind: 'host', host: { vfio, name: UUID } },
      bars: bars.map((addr, nr) => ({ nr, addr, size: BAR_SIZE, space: { kind: 'io' } })),
    });
    yield* qemu_main(q);
  });
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, function* () {
    yield* until(() => q !== undefined);
    yield* kvm_vcpu_thread_fn(q!, q!.board.cpus[0]!);
  });

  const guest = kvm_guest(vcpu);
  const tty = serial8250_port('ttyS1', PORTS[0], { cpu: guest.cpu, desc: ioapic_irq(guest, vcpu, GSI, VECTOR), irq_list: [] });
  let opened = false;
  kvm_guest_context(vcpu, PRIORITY.guest, function* () {
    yield* uart_port_startup(tty);
    opened = true;
    if (bytes.length > 0) yield* uart_write(tty, bytes);
  });
  return { port: tty, writable: () => opened && vcpu.cpu.guest.running && vcpu.cpu.guest.IF };
}

/** A driver in user space instead of a virtual machine. */
function user_program(vfio: Vfio, parameters: Parameters, bytes: readonly number[]): Program {
  const index = parameters['user'] === 'program-msi' ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_INTX_IRQ_INDEX;
  const user = program(index, {
    vfio,
    device: UUID,
    careful: parameters['user'] !== 'program-hasty',
    ports: parameters['type'] === 'mtty-2' ? 2 : 1,
  });
  running().thread('program', 'program', 'process', PRIORITY.program, function* () {
    yield* created(vfio);
    yield* mtty_program(user, bytes);
  });
  return user;
}

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

/** What a stimulus does to the program, where one uses the device and has it open. */
const asProgram =
  (act: (user: Program) => Run<unknown>) =>
  ({ program: user }: World): Run<unknown> =>
    user?.file === undefined ? nothing() : act(user);

/** What a stimulus has a program in the guest do, where there is a guest that could run one now. */
const asGuest =
  (act: (port: UartPort) => Run<unknown>) =>
  ({ tty }: World): Run<unknown> =>
    tty?.writable() ? act(tty.port) : nothing();

function* nothing(): Run {
  yield* until(() => true);
}

/** One thing after the other, each when all has come to rest. */
const atRest = (...names: readonly string[]): Occasion[] => names.map((name) => ({ when: 'at rest', name }));

const WITHOUT_USER = 'Nothing happens where somebody else uses the device.';

export const mdev_mtty: Flow = flow<World>({
  id: 'mdev-mtty',
  system: 'VFIO',
  title: 'mdev and mtty',
  summary:
    'A mediated device: mtty makes a serial card out of nothing, VFIO gives it to a user, and its interrupt is an eventfd that is signalled by whoever touches the wrong register.',
  setUp,
  topology: mdevMtty,
  duration: () => DURATION_MS,
  parameters: [
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux',
      description:
        'Of the host and of the guest. 5.10 has `mdev_parent_ops` and vfio_mdev; 6.1 has mtty as a VFIO driver of its own; since 6.7 mtty’s interrupts are masked and released as VFIO says they are. KVM is modelled from 6.1 on: in 5.10 a driver in user space takes QEMU’s place.',
      default: '6.1',
      choices: [
        { value: '5.10', title: 'Linux 5.10' },
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'user',
      title: 'Who uses the device',
      description:
        'QEMU hands it to a guest, which can only use INTx: mtty’s configuration space has no MSI capability. A driver in user space can ask for either, and can be careless.',
      default: 'qemu',
      choices: [
        { value: 'qemu', title: 'QEMU, for a guest with the 8250 driver' },
        { value: 'program-intx', title: 'A driver in user space, with INTx' },
        { value: 'program-msi', title: 'A driver in user space, with MSI' },
        { value: 'program-hasty', title: 'A driver in user space that never asks what the device is' },
      ],
    },
    {
      kind: 'choice',
      name: 'type',
      title: 'Type of the device',
      description: 'How many ports it has. Both ports of a card share its one interrupt.',
      default: 'mtty-2',
      choices: [
        { value: 'mtty-1', title: 'mtty-1: one port' },
        { value: 'mtty-2', title: 'mtty-2: two ports' },
      ],
    },
    {
      kind: 'boolean',
      name: 'kvm-intx',
      title: 'INTx through KVM',
      description:
        'On: QEMU tries to connect the interrupt to KVM by an irqfd; whether it can depends on mtty. Off (x-no-kvm-intx=on): QEMU raises the guest’s line itself, and takes the guest’s next access to a register as the end.',
      default: true,
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: 'How the CPU virtualizes it decides how a vector gets in and how the end of the interrupt gets out.',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv: vectors are posted, an EOI exits only if it must' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC: the EOI is a WRMSR' },
      ],
    },
    qemuVersion,
    {
      kind: 'number',
      name: 'characters',
      title: 'Characters',
      description: 'How many bytes are sent: by the guest to its first port (15 at most), or by the program to every port.',
      default: 2,
      minimum: 0,
      maximum: 16,
    },
  ],
  stimuli: [
    {
      name: 'write',
      title: 'The guest writes to its tty',
      description: `One more character, if the guest has its port open and interrupts on. ${WITHOUT_USER}`,
      thread: 'guest',
      body: asGuest((port) => uart_write(port, [0x21])),
    },
    {
      name: 'send',
      title: 'The program sends a byte',
      description: `A write to the transmit register of the first port. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram((user) => send(user, 0, 0x21)),
    },
    {
      name: 'disable',
      title: 'The program takes the interrupt down',
      description: `VFIO_DEVICE_SET_IRQS with no data and no interrupts. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram(disable_irq),
    },
    {
      name: 'trigger',
      title: 'The program has the interrupt raised',
      description: `VFIO_DEVICE_SET_IRQS with no data and one interrupt: a loop-back test. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram(trigger_irq),
    },
    {
      name: 'new-eventfd',
      title: 'The program sets another eventfd',
      description: `VFIO_DEVICE_SET_IRQS with a new eventfd; the old one is closed. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram(replace_eventfd),
    },
    {
      name: 'close-eventfd',
      title: 'The program closes its eventfd',
      description: `close(2), without telling the device. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram(close_eventfd),
    },
    {
      name: 'reopen',
      title: 'The program closes the device and opens it again',
      description: `What mtty remembers of the first user, the second one meets. ${WITHOUT_USER}`,
      thread: 'program',
      body: asProgram(reopen),
    },
  ],
  presets: [
    {
      id: 'through-kvm',
      title: 'Through KVM: mtty accepts what it does not do',
      parameters: { linux: '6.1' },
      prose: `mtty of Linux 6.1 says yes to everything. QEMU asks it to unmask INTx by an eventfd; \`mtty_set_irqs\` returns 0 and forgets it. So QEMU believes that the interrupt can live in KVM: trigger eventfd to **irqfd**, end of interrupt to **resamplefd**.

It works, because mtty never masks: at each EOI \`irqfd_resampler_ack\` lowers the line and signals an eventfd that nobody listens to, whose \`count\` only grows. A second trigger before the EOI (look at the handler’s write to the transmit register) ends in \`ioapic_service\` at **remote IRR**: \`kvm_set_irq\` returns -1, coalesced. Nothing is lost only because \`serial8250_interrupt\` asks the port again before it leaves.`,
    },
    {
      id: 'refused-by-6.12',
      title: 'The same QEMU on Linux 6.12: back to user space',
      parameters: { linux: '6.12' },
      prose: `Since 6.7 mtty tells the truth: an eventfd cannot unmask it, \`-ENOTTY\`. QEMU’s \`vfio_intx_enable_kvm\` undoes all it has done, says “failed to setup UNMASK eventfd signaling”, and stays in the middle.

Now each trigger wakes QEMU’s main loop, which raises the guest’s line. The guest’s next access to a register is taken for the end: \`vfio_intx_eoi\` lowers the line and unmasks, after the access has been done.`,
    },
    {
      id: 'null-eventfd',
      title: 'A register write that kills its writer (until 6.6)',
      parameters: { linux: '6.1', user: 'program-hasty' },
      prose: `A driver that never asked \`VFIO_DEVICE_GET_INFO\` cannot set an interrupt up: mtty remembers in \`dev_info.num_irqs\` what it has told, still 0, and \`vfio_set_irqs_validate_and_prepare\` says \`-EINVAL\`. The driver goes on all the same and enables receive interrupts.

Its first byte comes back, and \`mtty_trigger_interrupt\` finds \`irq_index\` -1. That passes both guards and falls into the branch of INTx, whose eventfd is **NULL**. The kernel oopses in the driver’s own \`pwrite(2)\`, with \`ops_lock\` held for ever. Fixed in 6.7 (293fbc288181); on 6.12 the same program gets no interrupt, and lives.`,
    },
    presetOn(
      () => mdev_mtty,
      {
        id: 'freed-eventfd',
        title: 'An interrupt into freed memory (until 6.6)',
        parameters: { linux: '6.1', user: 'program-intx', type: 'mtty-1', characters: 1 },
        prose: `To take INTx down, VFIO’s users send \`DATA_NONE\` with count 0. mtty drops its reference on the eventfd, and keeps the pointer. The program closes its end: \`kref\` reaches 0, \`eventfd_free\`.

The next byte that is received signals through the stale pointer: a **use after free**. Had the program sent \`DATA_NONE\` twice, the second one would have dropped a reference that it did not have.`,
      },
      atRest('disable', 'close-eventfd', 'send'),
    ),
    presetOn(
      () => mdev_mtty,
      {
        id: 'leaked-eventfd',
        title: 'An eventfd that nobody frees (until 6.6)',
        parameters: { linux: '6.1', user: 'program-intx', type: 'mtty-1', characters: 0 },
        prose: `A second eventfd for INTx simply overwrites the pointer to the first. Its reference is never dropped: the program has closed the eventfd, and its \`kref\` stays at 1 for good.

Since 6.7 \`mtty_disable_intx\` drops the old one first.`,
      },
      atRest('new-eventfd'),
    ),
    presetOn(
      () => mdev_mtty,
      {
        id: 'msi-once',
        title: 'MSI can be set up once (until 6.6)',
        parameters: { linux: '6.1', user: 'program-msi', type: 'mtty-1', characters: 1 },
        prose: `Taking MSI down drops the reference, keeps the pointer, and sets \`irq_index\` to INTx, whether or not INTx was ever set up. The next \`SET_IRQS\` finds \`msi_evtfd\` set and does nothing, not even an error.

The byte that follows comes back, \`mtty_trigger_interrupt\` looks at INTx, finds no eventfd, and gives up. The program waits for ever.`,
      },
      atRest('disable', 'new-eventfd', 'send'),
    ),
    presetOn(
      () => mdev_mtty,
      {
        id: 'previous-user',
        title: 'The next user signals the previous one (until 6.6)',
        parameters: { linux: '6.1', user: 'program-intx', type: 'mtty-1', characters: 1 },
        prose: `mtty had no \`close_device\`: the eventfd of whoever had the device before stays connected. The program closes the device, opens it again and sets no interrupt up; its first byte signals the old eventfd all the same.

Since 6.7 \`mtty_close\` lets go of everything.`,
      },
      atRest('reopen', 'send'),
    ),
    presetOn(
      () => mdev_mtty,
      {
        id: 'loopback-disables',
        title: 'A test that switches the interrupt off (until 6.6)',
        parameters: { linux: '6.1', user: 'program-intx', type: 'mtty-1', characters: 0 },
        prose: `\`DATA_NONE\` with count 1 asks the device to raise its interrupt; with count 0, to take it down. mtty never looked at the count: a loop-back test drops the eventfd’s reference instead, and no interrupt comes.

On 6.12 the same stimulus reaches \`mtty_trigger_interrupt\`.`,
      },
      atRest('trigger'),
    ),
    {
      id: 'lost-edge',
      title: 'A cause that is lost between trigger and unmask (since 6.7)',
      parameters: { linux: '6.12', user: 'program-intx', type: 'mtty-2', characters: 1 },
      prose: `INTx masks itself when it fires. What fires while it is masked is dropped: \`mtty_trigger_interrupt\` keeps no note of it, and an unmask does not look whether a port still has something. vfio-pci does look (\`vfio_pci_intx_unmask_handler\`).

Here both ports of a card receive a byte before anybody serves. One signal comes; the program serves one port for it and unmasks, as INTx of any PCI device would allow, for the line would still be up. No second signal follows, and the byte of the second port stays where it is. Linux’s 8250 driver is safe: \`serial8250_interrupt\` asks all its ports until a whole round is silent.`,
    },
    {
      id: 'full-looks-empty',
      title: 'Sixteen bytes look like none',
      parameters: { linux: '6.12', user: 'program-intx', type: 'mtty-1', characters: 16 },
      prose: `mtty takes \`head == tail\` for an empty FIFO. After 16 bytes \`head\` has come round to \`tail\` again: \`count\` is 16, yet LSR says that nothing was received and that the transmitter is empty, and a read of RX takes nothing away. IIR, which goes by \`count\`, keeps announcing data.

The program is told of data, finds none, and every byte from here on is an overrun, until somebody clears the FIFO. A 16550 driver that fills the FIFO, as Linux’s does with longer writes, runs into this and spins in its handler until \`PASS_LIMIT\`.`,
    },
  ],
  historical: [
    {
      name: 'mdev_parent_ops',
      project: 'linux',
      was: 'include/linux/mdev.h until 5.18',
      today: ['mtty_probe', 'mtty_ioctl', 'mtty_read', 'mtty_write'],
      since:
        '5.19 (6b42f491e17c): a parent’s driver is an ordinary driver of mediated devices (`mdev_driver`), and its devices are VFIO devices (`vfio_device_ops`, for mtty `mtty_dev_ops`). Choose Linux 5.10 to see the old form run.',
    },
    {
      name: 'mdev_register_device',
      project: 'linux',
      was: 'drivers/vfio/mdev/mdev_core.c until 6.0',
      today: ['mdev_register_parent'],
      since: '6.1: the `mdev_parent` lies in the driver’s own structure.',
    },
    {
      name: 'mtty_create',
      project: 'linux',
      was: 'samples/vfio-mdev/mtty.c, as mdev_parent_ops.create, until 5.13',
      today: ['mtty_probe', 'mtty_init_dev'],
      since: '5.14: the driver’s probe makes the device; 6.1 moved most of it into the init operation of the VFIO device.',
    },
    {
      name: 'mtty_open',
      project: 'linux',
      was: 'samples/vfio-mdev/mtty.c, as mdev_parent_ops.open, until 5.13',
      today: ['vfio_df_open', 'vfio_device_open'],
      since: '5.14: it did nothing, and mtty has no open_device operation today.',
    },
  ],
  chapters: [
    {
      title: 'mtty becomes a parent',
      starts: 'mtty_dev_init',
      prose: `A **mediated device** is a device that a driver makes up: it passes VFIO’s user interface, and behind it there is whatever the driver likes. mtty, a sample in the kernel tree, likes to be a PCI serial card. There is no hardware at all.

The driver registers a **parent**, here a device of its own in \`/sys/class/mtty\`, and says which types it can make of it: \`mtty-1\` with one port, \`mtty-2\` with two. mdev puts a folder for each below \`mdev_supported_types\`.`,
    },
    {
      title: 'Somebody writes a UUID to create',
      starts: 'kernfs_fop_write_iter',
      prose: `Writing a UUID to the type’s file \`create\` makes the device. \`mdev_device_create\` adds it to mdev’s bus, where no driver matches by itself (\`mdev_match\`), and then binds the one driver whose parent it is.

mtty’s probe turns it into a VFIO device. VFIO wants an **IOMMU group** for everything, and no IOMMU sees this device: so a group is made up (\`vfio_noiommu_group_alloc\`), and \`/dev/vfio/7\` appears. In 5.10 the work was divided otherwise: the parent’s \`mdev_parent_ops\` made its part, and vfio_mdev, one driver for all mediated devices, passed every call on.`,
    },
    {
      title: 'A driver in user space',
      starts: 'mtty_program',
      prose: `The same device without a guest: a program opens it, hands it an eventfd, and polls. Its \`pwrite(2)\` to the transmit register signals its own eventfd. Here **MSI** can be chosen as well, and everything that QEMU is too careful to do wrong.`,
    },
    {
      title: 'The user opens the device',
      starts: 'vfio_group_fops_open',
      prose: `Group first, then a container for the group, then the device by its name. From the device’s file the user learns what it has: \`VFIO_DEVICE_GET_INFO\`, the size of each region, the interrupts.

QEMU asks \`VFIO_DEVICE_GET_IRQ_INFO\` only about the error and the request interrupt. That there is an INTx it reads from the configuration space, **PCI_INTERRUPT_PIN**; that there is no MSI, from the missing capability.`,
    },
    {
      title: 'An eventfd for the interrupt',
      starts: 'mtty_set_irqs',
      prose: `\`VFIO_DEVICE_SET_IRQS\` gives mtty an **eventfd** to signal: mtty takes a reference on it and remembers which index was chosen. That is all an interrupt of a mediated device is.

Then QEMU tries to move it into KVM. It asks mtty to mask, connects the eventfd to a GSI as an irqfd with a resamplefd, and asks mtty to unmask by that resamplefd. What mtty answers to the last request decides who will carry the interrupts: see the presets.`,
    },
    {
      title: 'The guest opens its port',
      starts: 'uart_port_startup',
      prose: `The guest’s 8250 driver knows the card by its PCI numbers. \`pci_dev->irq\` is 21, the I/O APIC’s pin that INTA is routed to; \`serial_link_irq_chain\` requests it for \`serial8250_interrupt\`, shared.

Every register is in **I/O space**: each IN and OUT leaves the guest, passes KVM’s port bus, where nobody claims it, and ends as \`pread(2)\` or \`pwrite(2)\` of QEMU on the device’s file. The driver’s tests of the transmitter already cause interrupts; one comes while the line is disabled, and is masked and forgotten.`,
    },
    {
      title: 'A register access raises the interrupt',
      starts: 'uart_write',
      prose: `The guest has something to send and enables the transmitter’s interrupt. mtty’s FIFO is empty, so \`handle_bar_write\` calls \`mtty_trigger_interrupt\` then and there: on the **vCPU’s own thread**, in process context, inside the guest’s register access, with \`ops_lock\` held. No hard interrupt of the host is involved anywhere.

\`eventfd_signal\` walks the eventfd’s wait queue. In KVM’s way \`irqfd_wakeup\` is on it and leaves the rest to a worker; in QEMU’s way the main loop’s poll is.`,
    },
    {
      title: 'The guest’s handler',
      starts: 'serial8250_interrupt',
      prose: `\`serial8250_interrupt\` asks each port for **IIR**. mtty keeps no such register: it computes it from the FIFO and the enabled causes at every read, so a cause stays visible for as long as it holds. That is what saves interrupts that were coalesced.

The bytes that the handler sends come back at once, and the first of them is a new cause, raised from within the handler. The loop finds it before the handler ends; then comes the EOI.`,
    },
  ],
});
