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
import { mtty_program, program, type Program } from '../models/user/mtty_program';
import { since } from '../models/version';
import { flow } from './flow';

/** mdev and mtty: a serial card made of nothing, from the module to a guest's interrupt handler. */

/** The topology, as the stimuli know it. */
interface World {
  readonly tty: UartPort | undefined;
  readonly program: Program | undefined;
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

function setUp(parameters: Parameters): World {
  const system_wq = alloc_workqueue('events', 'kworker', PRIORITY.kworker);
  const vfio_irqfd_cleanup_wq = alloc_workqueue('vfio-irqfd-cleanup', 'vfio-irqfd-cleanup', PRIORITY.kworker);
  const vfio = vfio_core({ system_wq, vfio_irqfd_cleanup_wq }, GROUP);
  const mtty = mtty_module(mdev_core(vfio));
  admin_context(mtty, parameters['type'] === 'mtty-2' ? 1 : 0);
  const bytes = Array.from({ length: Number(parameters['characters']) }, (_, n) => 0x61 + (n % 26));
  return parameters['user'] === 'qemu'
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
function virtual_machine(vfio: Vfio, system_wq: WorkqueueStruct, parameters: Parameters, bytes: readonly number[]): UartPort {
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
  kvm_guest_context(vcpu, PRIORITY.guest, function* () {
    yield* uart_port_startup(tty);
    if (bytes.length > 0) yield* uart_write(tty, bytes);
  });
  return tty;
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

export const mdev_mtty = flow<World>({
  id: 'mdev-mtty',
  system: 'VFIO',
  title: 'mdev and mtty',
  summary:
    'A mediated device: mtty makes a serial card out of nothing, VFIO gives it to a user, and its interrupt is an eventfd that whoever touches a register signals.',
  setUp,
  duration: () => 5000,
  parameters: [
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux',
      description: 'Of host and guest.',
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
      description: '',
      default: 'qemu',
      choices: [
        { value: 'qemu', title: 'QEMU, for a guest with the 8250 driver' },
        { value: 'program-intx', title: 'A driver in user space, with INTx' },
        { value: 'program-msi', title: 'A driver in user space, with MSI' },
        { value: 'program-hasty', title: 'A driver in user space that asks nothing first' },
      ],
    },
    {
      kind: 'choice',
      name: 'type',
      title: 'Type of the device',
      description: '',
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
      description: '',
      default: true,
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: '',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC' },
      ],
    },
    {
      kind: 'choice',
      name: 'qemu',
      title: 'QEMU',
      description: 'The QEMU that is modelled.',
      default: '7.2',
      choices: [{ value: '7.2', title: 'QEMU 7.2' }],
    },
    {
      kind: 'number',
      name: 'characters',
      title: 'Characters',
      description: '',
      default: 2,
      minimum: 0,
      maximum: 8,
    },
  ],
  stimuli: [],
  presets: [],
  historical: [],
  chapters: [],
});
