import type { Parameters, Run } from '../engine/machine';
import { running } from '../engine/running';
import { until } from '../engine/steps';
import { context_entry, device_writes_memory, type ContextEntry } from '../models/hardware/dma_remapping';
import { host_ioapic_pin } from '../models/hardware/host_irq';
import { pci_function } from '../models/hardware/pci_function';
import { ioapic_ir_chip, mp_register_handler } from '../models/linux/arch/x86/kernel/apic/io_apic';
import { bus_file, driver_file, NONE, drivers_probe_store, driver_override_store, unbind_store } from '../models/linux/drivers/base/bus';
import { device_file } from '../models/linux/drivers/base/core';
import { iommu_group, iommu_subsys_init, type IommuGroup } from '../models/linux/drivers/iommu/iommu';
import { intel_iommu } from '../models/linux/drivers/iommu/intel/iommu';
import { sriov_numvfs_store } from '../models/linux/drivers/pci/iov';
import { pci_dev, type PciDev, type PciDevParts, type PciSriov } from '../models/linux/drivers/pci/pci';
import { new_id_store, pci_bus, builtin_driver, pci_device, type PciBus, type PciDriver } from '../models/linux/drivers/pci/pci-driver';
import { mdev_init } from '../models/linux/drivers/vfio/mdev/mdev_core';
import { create_file } from '../models/linux/drivers/vfio/mdev/mdev_sysfs';
import { vfio_pci_driver, vfio_pci_init } from '../models/linux/drivers/vfio/pci/vfio_pci';
import { vfio_pci_core_init } from '../models/linux/drivers/vfio/pci/vfio_pci_core';
import { vfio_pci_core } from '../models/linux/drivers/vfio/pci/vfio_pci_priv';
import { vfio_core, type Vfio } from '../models/linux/drivers/vfio/vfio';
import { vfio_iommu_type1_init } from '../models/linux/drivers/vfio/vfio_iommu_type1';
import { vfio_init } from '../models/linux/drivers/vfio/vfio_main';
import type { FilesStruct } from '../models/linux/fs/file_table';
import { kernfs_fop_write_iter } from '../models/linux/fs/kernfs/file';
import type { SysfsFile } from '../models/linux/fs/sysfs/file';
import type { Device } from '../models/linux/include/linux/device';
import { mdev_core } from '../models/linux/include/linux/mdev';
import { mm_struct, PAGE_SIZE } from '../models/linux/include/linux/mm_types';
import { PCI_DEVICE_ID, PCI_INTERRUPT_PIN, PCI_VENDOR_ID } from '../models/linux/include/uapi/linux/pci_regs';
import { do_exit } from '../models/linux/kernel/exit';
import { irq_desc } from '../models/linux/kernel/irq/irqdesc';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { qemu, qemu_main, type Qemu } from '../models/qemu/machine';
import { ram_region } from '../models/qemu/include/exec/memory';
import { quit_after } from '../models/user/monitor';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { mtty_dev_init, mtty_module, type Mtty } from '../models/linux/samples/vfio-mdev/mtty';
import {
  DMA_IOVA,
  map_again,
  open_group_twice,
  switch_memory,
  touch_bar,
  vfio_program,
  vfio_program_main,
  type VfioProgram,
  type Wanted,
} from '../models/user/vfio_program';
import { flow, type Flow } from './flow';
import { vfioProbe } from './topologies/vfio-probe';
import { presetOn } from './occasions';
import { qemuVersion } from './parameters';

/** VFIO's modules: from loading them to a device that a user has open, and back. */

/** The topology, as the stimuli know it. */
interface World {
  readonly admin: { unbind: boolean };
  readonly context: ContextEntry;
  readonly program: VfioProgram;
  /** The device that the program uses. */
  readonly wanted: Wanted;
}

const PRIORITY = { device: 0, kworker: 1, admin: 2, qemu: 3, program: 4 } as const;

/** How long the virtual machine runs. */
const LIFETIME_MS = 15_000;

const HOST_IRQ = 23;
const ID = { vendor: 0x8086, device: 0x10c9 } as const;
const VF_ID = { vendor: 0x8086, device: 0x10ca } as const;
const MDEV = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const TOKEN = ' vf_token=2ab74924';
const FIRST_GROUP = 7;

/** The host: its PCI bus behind an IOMMU, the drivers on it, and what VFIO's modules keep. */
interface Host {
  readonly vfio: Vfio;
  readonly bus: PciBus;
  readonly iommu: ReturnType<typeof intel_iommu>;
  /** The driver that the devices have before VFIO gets them. */
  readonly native: PciDriver;
  readonly vfio_pci: PciDriver;
  readonly mtty: Mtty;
  readonly pm_wq: ReturnType<typeof alloc_workqueue>;
  /** Whether the IOMMU also translates the devices' interrupts. */
  readonly isolated_msi: boolean;
}

function host(isolated_msi: boolean): Host {
  const system_wq = alloc_workqueue('events', 'kworker', PRIORITY.kworker);
  const vfio_irqfd_cleanup_wq = alloc_workqueue('vfio-irqfd-cleanup', 'vfio-irqfd-cleanup', PRIORITY.kworker);
  const vfio = vfio_core({ system_wq, vfio_irqfd_cleanup_wq }, FIRST_GROUP);
  const bus = pci_bus();
  bus.type.bus_notifier.push({ notifier_call: iommu_subsys_init.iommu_bus_notifier });
  return {
    vfio,
    bus,
    iommu: intel_iommu(),
    native: builtin_driver(bus, 'igb', [ID, VF_ID]),
    vfio_pci: vfio_pci_driver(vfio_pci_core(vfio, bus)),
    mtty: mtty_module(mdev_core(vfio)),
    pm_wq: alloc_workqueue('pm', 'kworker', PRIORITY.kworker),
    isolated_msi,
  };
}

/** A function of the host’s PCI bus, in an IOMMU group, and with a driver that the kernel has found for it. */
function pci_function_on(
  { bus, iommu, pm_wq, isolated_msi }: Host,
  name: string,
  {
    id,
    context,
    group,
    ...parts
  }: { readonly id: typeof ID | typeof VF_ID; readonly context: ContextEntry; readonly group: IommuGroup } & Omit<PciDevParts, 'dev'>,
  driver: PciDriver | undefined,
): PciDev {
  const header = new Map([
    [PCI_VENDOR_ID, id.vendor],
    [PCI_DEVICE_ID, id.device],
    [PCI_INTERRUPT_PIN, 1],
  ]);
  const desc = irq_desc(`host irq of ${name}`, HOST_IRQ, ioapic_ir_chip, mp_register_handler.handle_irq, host_ioapic_pin().pin);
  const on_bus = (pdev: () => PciDev): Device =>
    pci_device(bus, name, pdev, { id, iommu: { ops: iommu.ops, context, isolated_msi }, iommu_group: group, pm_wq, driver });
  const own = driver === undefined ? {} : { driver };
  return pci_dev(pci_function(name, true, undefined, header), desc, name, undefined, { ...parts, ...own, dev: on_bus });
}

/** Which devices the host has, and which of them the user wants. */
interface Devices {
  /** The function that an administrator gives to vfio-pci. */
  readonly given: PciDev;
  /** How many virtual functions he then has it make. */
  readonly virtual_functions: number;
  /** What the user opens, in this order; the last one is what he uses. */
  readonly wanted: readonly Wanted[];
  readonly context: ContextEntry;
}

const PF = '0000:01:00.0';
const VF = '0000:01:10.0';

function devices(on: Host, parameters: Parameters): Devices {
  const { vfio, iommu } = on;
  const new_group = (drivers: number): IommuGroup => iommu_group(vfio.iommu_group_ida.next++, iommu.default_domain, drivers);
  const context = context_entry(`context entry of ${parameters['device'] === 'physical' ? PF : VF}`, iommu.default_domain.table);
  const neighbour = parameters['isolation'] === 'neighbour';
  const later = parameters['device'] === 'virtual-by-token' || parameters['device'] === 'virtual-no-token';
  const own = { context, group: new_group(Number(!later) + Number(neighbour)) };
  if (neighbour) pci_function_on(on, '0000:01:00.1', { ...own, id: ID, context: context_entry('neighbour') }, on.native);
  if (parameters['device'] === 'physical') {
    const given = pci_function_on(on, PF, { ...own, id: ID }, on.native);
    return { given, virtual_functions: 0, wanted: [{ name: PF }], context };
  }
  const of_pf = { id: ID, context: context_entry(`context entry of ${PF}`, iommu.default_domain.table), group: new_group(1) };
  if (parameters['device'] === 'virtual') {
    const physfn = pci_function_on(on, PF, of_pf, on.native);
    const given = pci_function_on(on, VF, { ...own, id: VF_ID, physfn }, on.native);
    return { given, virtual_functions: 0, wanted: [{ name: VF }], context };
  }
  const sriov: PciSriov = {
    total_VFs: 1,
    make: () => pci_function_on(on, VF, { ...own, id: VF_ID, physfn: given }, undefined),
    virtfns: [],
  };
  const given = pci_function_on(on, PF, { ...of_pf, sriov }, on.native);
  const option = parameters['device'] === 'virtual-by-token' ? TOKEN : '';
  return {
    given,
    virtual_functions: 1,
    wanted: [
      { name: PF, option },
      { name: VF, option },
    ],
    context,
  };
}

/** A virtual machine whose QEMU takes the device. Its guest gets no further than to have memory. */
function virtual_machine(on: Host, { wanted }: Devices): { readonly q: Qemu; readonly process: FilesStruct } {
  const kvm = kvm_vm({
    system_wq: on.vfio.host.system_wq,
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: vt_x86_ops(true),
  });
  const mm = mm_struct('QEMU’s memory');
  const ram = GUEST_RAM.map(({ frames, host, readonly, ...range }) => {
    mm.mmap.push({ vm_start: host, vm_end: host + range.size, frame: frames });
    return ram_region(range, { host, readonly });
  });
  const process: FilesStruct = { files: [] };
  const host = { name: wanted.at(-1)!.name, vfio: on.vfio, process, mm };
  const q = qemu({ kvm, assigned: { kind: 'host', host }, ram });
  return { q, process };
}

/** The guest's memory in QEMU: RAM in two runs of pages that lie together, and the firmware, which nobody may write to. */
const GUEST_RAM = [
  {
    name: 'pc.ram',
    addr: 0,
    size: 8 * PAGE_SIZE,
    host: 0x7f000000,
    readonly: false,
    frames: (page: number) => (page < 4 ? 0x1000 : 0x2400) + page,
  },
  { name: 'pc.bios', addr: 0xfffe0000, size: 2 * PAGE_SIZE, host: 0x7f100000, readonly: true, frames: (page: number) => 0x3800 + page },
] as const;

const write = (file: SysfsFile, buf: string): Run<number> => kernfs_fop_write_iter(file, buf);

/** The modules are loaded, each after those that it needs. */
function* load_modules({ vfio, bus, vfio_pci, mtty }: Host, mediated: boolean): Run {
  yield* vfio_init(vfio);
  yield* vfio_iommu_type1_init(vfio);
  yield* vfio_pci_core_init();
  yield* vfio_pci_init(vfio, bus, vfio_pci);
  if (!mediated) return;
  yield* mdev_init(mtty.core);
  yield* mtty_dev_init(mtty);
  yield* write(create_file(mtty.types[0]!), MDEV);
}

/** The administrator takes a device from the host’s driver, and gives it to vfio-pci. */
function* give({ bus, native, vfio_pci }: Host, { given, virtual_functions }: Devices, by: unknown): Run {
  const { dev, name } = given;
  const id = given.physfn === undefined ? ID : VF_ID;
  yield* write(driver_file({ of: native.driver, store: unbind_store }), name);
  if (by === 'new_id') {
    yield* write(driver_file({ of: vfio_pci, store: new_id_store }), `${id.vendor.toString(16)} ${id.device.toString(16)}`);
  } else {
    yield* write(device_file({ of: dev, store: driver_override_store }), 'vfio-pci');
    yield* write(bus_file({ of: bus.type, store: drivers_probe_store }), name);
  }
  if (virtual_functions > 0) yield* write(device_file({ of: given, store: sriov_numvfs_store }), String(virtual_functions));
}

/** He takes it back: this waits for whoever has it open. */
function* take_back({ bus, vfio_pci }: Host, { given: { dev, name } }: Devices): Run {
  yield* write(driver_file({ of: vfio_pci.driver, store: unbind_store }), name);
  yield* write(device_file({ of: dev, store: driver_override_store }), NONE);
  yield* write(bus_file({ of: bus.type, store: drivers_probe_store }), name);
}

function setUp(parameters: Parameters): World {
  const on = host(parameters['isolation'] !== 'no-interrupt-remapping');
  const found = devices(on, parameters);
  const mediated = parameters['user'] === 'program-mediated';
  const admin = { ready: false, unbind: false, vm_ended: false };
  const program = vfio_program(on.vfio, found.context);
  running().thread('admin', 'administrator', 'process', PRIORITY.admin, function* () {
    yield* load_modules(on, mediated);
    yield* give(on, found, parameters['bind']);
    admin.ready = true;
    yield* until(() => program.left || admin.vm_ended || admin.unbind);
    yield* take_back(on, found);
  });
  const vm = parameters['user'] === 'qemu' ? virtual_machine(on, found) : undefined;
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, function* () {
    yield* until(() => admin.ready && vm !== undefined);
    yield* quit_after(vm!.q, LIFETIME_MS);
    yield* qemu_main(vm!.q);
    yield* do_exit(vm!.process);
    admin.vm_ended = true;
  });
  running().thread('program', 'driver in user space', 'process', PRIORITY.program, function* () {
    yield* until(() => admin.ready && vm === undefined);
    const wanted = mediated ? [{ name: MDEV }, ...found.wanted] : found.wanted;
    yield* vfio_program_main(program, wanted, parameters['user'] === 'program-cdev' ? 'cdev' : 'groups');
  });
  running().thread('device', 'device', 'device', PRIORITY.device, () => until(() => false));
  return { admin, context: found.context, program, wanted: found.wanted.at(-1)! };
}

const self = (): Flow => vfio_probe;

export const vfio_probe: Flow = flow<World>({
  id: 'vfio-probe',
  system: 'VFIO',
  title: 'The VFIO modules',
  summary:
    'From loading the modules to a device that a user has open: drivers and IOMMU groups, containers or iommufd, mappings for DMA, configuration space and BARs, and back to the host.',
  setUp,
  topology: vfioProbe,
  duration: () => 60_000,
  parameters: [
    {
      kind: 'choice',
      name: 'user',
      title: 'Who uses the device, and how',
      description:
        'By group and container, the only way until 6.6, or by the device’s own node and an iommufd. A mediated device has no IOMMU of its own, so its container needs to pin no memory until a real device joins.',
      default: 'qemu',
      choices: [
        { value: 'qemu', title: 'QEMU, by group and container, with KVM' },
        { value: 'program', title: 'A program, by group and container' },
        { value: 'program-mediated', title: 'A program that has a mediated device in its container first' },
        { value: 'program-cdev', title: 'A program, by the device’s own node and an iommufd' },
      ],
    },
    {
      kind: 'choice',
      name: 'device',
      title: 'The device',
      description:
        'A physical function, or a virtual one of SR-IOV. Where the physical function too is in a user’s hands, opening either takes a token that proves that they trust each other.',
      default: 'physical',
      choices: [
        { value: 'physical', title: 'A physical function' },
        { value: 'virtual', title: 'A virtual function; the host drives the physical one' },
        { value: 'virtual-by-token', title: 'A virtual function of vfio-pci’s, opened with the token' },
        { value: 'virtual-no-token', title: 'A virtual function of vfio-pci’s, opened without the token' },
      ],
    },
    {
      kind: 'choice',
      name: 'bind',
      title: 'How vfio-pci gets the device',
      description:
        '`driver_override` names the driver for one device. `new_id` adds an id to the driver’s table, which then takes every free device that has it.',
      default: 'driver_override',
      choices: [
        { value: 'driver_override', title: 'driver_override and drivers_probe' },
        { value: 'new_id', title: 'new_id' },
      ],
    },
    {
      kind: 'choice',
      name: 'isolation',
      title: 'What the IOMMU keeps apart',
      description:
        'A group is what the IOMMU can keep apart: a neighbour in the same group that the host still uses keeps the whole group from users. Without interrupt remapping a device could raise any interrupt of the host.',
      default: 'full',
      choices: [
        { value: 'full', title: 'Each function, and its interrupts' },
        { value: 'neighbour', title: 'Not the function from a neighbour that the host uses' },
        { value: 'no-interrupt-remapping', title: 'Each function, but not its interrupts' },
      ],
    },
    qemuVersion,
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux',
      description: 'The version of the host’s kernel. Nodes of devices and iommufd came in 6.2 and 6.6.',
      default: '6.1',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
  ],
  stimuli: [
    {
      name: 'unbind',
      title: 'The administrator wants the device back',
      description: 'He unbinds it from vfio-pci, whether or not it is open. He will wait until its user lets go.',
      thread: 'admin',
      body: function* ({ admin }) {
        admin.unbind = true;
      },
    },
    {
      name: 'map-again',
      title: 'The user maps where something is mapped',
      description: 'A second mapping at addresses of the device that are taken.',
      thread: 'program',
      body: ({ program }) => map_again(program),
    },
    {
      name: 'switch-memory',
      title: 'The user switches the device’s memory off, or on',
      description: 'A write to PCI_COMMAND, as a guest makes it that moves a BAR.',
      thread: 'program',
      body: ({ program }) => switch_memory(program),
    },
    {
      name: 'touch-bar',
      title: 'The user touches the mapped BAR',
      description: 'A load. The kernel hears of it only while the page is not there.',
      thread: 'program',
      body: ({ program }) => touch_bar(program),
    },
    {
      name: 'open-group',
      title: 'Somebody opens the device’s group',
      description: 'A second open(2) of /dev/vfio/ID, and a close(2) if it succeeds.',
      thread: 'program',
      body: ({ program, wanted }) => open_group_twice(program, wanted),
    },
    {
      name: 'dma',
      title: 'The device writes to memory',
      description: 'Whoever has the device, and whatever it is told: the IOMMU lets the write through or records a fault.',
      thread: 'device',
      body: ({ context }) => device_writes_memory(context, DMA_IOVA),
    },
  ],
  presets: [
    presetOn(
      self,
      {
        id: 'unbind-while-open',
        title: 'The device is wanted back while a virtual machine uses it',
        prose:
          'The administrator writes to `unbind` while QEMU has the device open. `vfio_unregister_group_dev` cannot take it away, so his shell hangs: it signals the **request** eventfd, QEMU asks the guest to let go (`qdev_unplug`), this guest never answers, and after ten seconds the kernel asks again. Only the end of QEMU’s process closes the file and lets the unbinding go on. In 6.1 the signalling takes `igate`, the lock of the interrupt configuration, so a `VFIO_DEVICE_SET_IRQS` that waits for something else can hold it up; commit 98693e0897f7 put the eventfd under RCU. Compare the run with Linux 6.12.',
        parameters: { user: 'qemu', linux: '6.1' },
      },
      [{ name: 'unbind', entering: 'main_loop_wait' }],
    ),
    presetOn(
      self,
      {
        id: 'asked-by-eventfd',
        title: 'A program is asked for its device, and takes its time',
        prose:
          'The same with a well-behaved program: its poll returns because of the request eventfd, it finishes what it was doing, for twelve seconds, and closes the device. Meanwhile it is asked a second time. On 6.12 no lock is taken for the signal, and the device has left its group’s list and lost its own node before anybody is asked: nobody else can open it any more.',
        parameters: { user: 'program', linux: '6.12' },
      },
      [{ name: 'unbind', entering: 'wait' }],
    ),
    {
      id: 'not-viable',
      title: 'A neighbour in the group belongs to the host',
      prose:
        'Two functions that the IOMMU cannot tell apart share a group, and the host’s driver still has one of them. Its `owner_cnt` is not zero, so `VFIO_GROUP_GET_STATUS` says that the group is not **viable** and the user gives up. Were he to insist, `iommu_group_claim_dma_owner` would refuse with `-EPERM`: as it does on the way by the device’s own node, where nobody asks first.',
      parameters: { isolation: 'neighbour' },
    },
    {
      id: 'no-isolated-msi',
      title: 'No interrupt remapping: the device could forge interrupts',
      prose:
        'A message-signalled interrupt is a memory write, and without interrupt remapping the IOMMU lets any write to 0xFEExxxxx through. A guest that makes its device write there could raise any vector of the host. So type1 takes no such group: `vfio_iommu_type1_attach_group` ends with `-EPERM` after it has asked the IOMMU, unless the administrator sets `allow_unsafe_interrupts`. The group is back in the default domain at the end.',
      parameters: { isolation: 'no-interrupt-remapping' },
    },
    presetOn(
      self,
      {
        id: 'overlap',
        title: 'Mapped twice',
        prose:
          'The user maps a page at an address of the device where something is mapped. `vfio_dma_do_map` finds the mapping in its tree and returns `-EEXIST`; nothing is pinned, nothing changes. A mapping can only be removed and made again, and between the two the device’s DMA faults: the reason why VMMs try hard not to move a guest’s memory.',
        parameters: { user: 'program' },
      },
      [{ name: 'map-again', entering: 'wait' }],
    ),
    presetOn(
      self,
      {
        id: 'memory-off',
        title: 'The device’s memory is switched off under a mapping',
        prose:
          'The program clears the memory bit in `PCI_COMMAND`, as every guest does that sizes a BAR, and then touches the BAR that it has mapped. On real hardware the load would go to a bus where nobody answers; some machines take that for a fatal error. So the write to `PCI_COMMAND` takes `memory_lock` and removes all pages of the mapping first, and the fault handler finds the memory disabled and answers `VM_FAULT_SIGBUS`. Once the bit is set again, the next access brings the page back.',
        parameters: { user: 'program' },
      },
      [
        { name: 'switch-memory', entering: 'wait' },
        { name: 'touch-bar', entering: 'do_sys_poll' },
        { name: 'switch-memory', entering: 'do_poll' },
        { name: 'touch-bar', entering: 'do_pollfd' },
      ],
    ),
    {
      id: 'no-token',
      title: 'A virtual function without its token',
      prose:
        'vfio-pci has the physical function and made the virtual one. Whoever holds the physical function can reset its virtual functions or listen in, so opening one of them takes the **VF token** that the user of the physical function has set. QEMU 7.2 does not know the option `vf-token`, which came with 8.1: `vfio_pci_core_match` says `-EACCES`, and the virtual machine does not start.',
      parameters: { device: 'virtual-no-token' },
    },
    {
      id: 'token-not-asked-for',
      title: 'The device’s own node asks for no token',
      prose:
        'The same virtual function, opened by its own node: it works, without any token. The check lives in `vfio_pci_core_match`, which only `VFIO_GROUP_GET_DEVICE_FD` calls, since only there is a name to put the token in. `VFIO_DEVICE_BIND_IOMMUFD` never came by it; later kernels give that ioctl a token of its own.',
      parameters: { device: 'virtual-no-token', user: 'program-cdev', linux: '6.12' },
    },
    {
      id: 'pinned-late',
      title: 'Memory is pinned when the first real device joins',
      prose:
        'The container begins with a mediated device, for which no IOMMU translates: `vfio_dma_do_map` only notes what is mapped, and `locked_vm` stays zero. Then the group of a real device joins. `vfio_iommu_replay` goes through all that was noted and pins and maps it into the new domain, all at once; a limit on locked memory that seemed large enough fails here.',
      parameters: { user: 'program-mediated', device: 'virtual' },
    },
    presetOn(
      self,
      {
        id: 'two-ways',
        title: 'By its node and by its group at once',
        prose:
          'While the device is bound by its own node, somebody opens its group. The two ways would each think that they own the device’s DMA, so they exclude each other: `vfio_device_block_group` has counted the bound node in `cdev_device_open_cnt`, and `vfio_group_fops_open` says `-EBUSY`.',
        parameters: { user: 'program-cdev', linux: '6.12' },
      },
      [{ name: 'open-group', entering: 'wait' }],
    ),
  ],
  historical: [
    {
      name: 'vfio_add_group_dev',
      project: 'linux',
      was: 'drivers/vfio/vfio.c, until Linux 5.12',
      today: ['_vfio_alloc_device', 'vfio_register_group_dev'],
      since:
        'Linux 5.13: drivers allocate the `vfio_device` inside of their own structure and register it (`vfio_init_group_dev`, since 6.1 `vfio_alloc_device`), instead of handing a pointer to the core.',
    },
    {
      name: 'vfio_mdev_probe',
      project: 'linux',
      was: 'drivers/vfio/mdev/vfio_mdev.c, until Linux 5.18',
      today: ['mtty_probe', 'vfio_register_emulated_iommu_dev'],
      since: 'Linux 5.19: the bus driver vfio-mdev is gone. The driver of the parent probes its mediated devices itself.',
    },
  ],
  chapters: [
    {
      title: 'The modules are loaded',
      starts: 'vfio_init',
      prose:
        'VFIO is a stack of modules. **vfio.ko** is the core: it makes `/dev/vfio` and knows devices and groups, but neither buses nor IOMMUs. **vfio_iommu_type1.ko** registers with it as the backend that turns mappings of user memory into entries of an IOMMU’s page tables; **vfio-pci-core.ko** has all that PCI devices have in common, and **vfio-pci.ko** is a thin PCI driver on top of it. That driver’s table of ids is empty: registering it binds no device.',
    },
    {
      title: 'The host’s driver lets go',
      starts: 'unbind_store',
      prose:
        'A device has one driver at a time. A write to the driver’s file `unbind` takes the device away from it; when that is done, `iommu_device_unuse_default_domain` notes that no driver relies any more on the **default domain**, the page table that the kernel’s own DMA goes through. Only a group with no such driver left can be given to a user.',
    },
    {
      title: 'vfio-pci gets the device',
      starts: 'vfio_pci_probe',
      prose:
        'With `driver_override` set, `pci_match_device` accepts vfio-pci for this device and no other driver. `vfio_pci_probe` does nothing to the device except to put it to sleep: it allocates a `vfio_device`, finds the **IOMMU group**, which is the set of devices that the IOMMU cannot tell apart, and registers. With the first device of a group comes the group’s file `/dev/vfio/ID`. A kworker suspends the device soon after, since nobody uses it.',
    },
    {
      title: 'A container, and the group in it',
      starts: 'vfio_fops_open',
      prose:
        'A **container** stands for one set of mappings, shared by all groups that are put into it. An empty container can do nothing, so anybody may have one: rights come with the group, whose file an administrator gives to a user. `VFIO_GROUP_GET_STATUS` says whether the group is **viable**, that is, whether no driver of the host relies on one of its devices.',
    },
    {
      title: 'An iommufd instead of a container',
      starts: 'iommufd_fops_open',
      prose:
        'Since 6.6 each device has a node of its own, `/dev/vfio/devices/vfioN`, and needs neither group nor container. What is mapped belongs to an **iommufd** now: address spaces (IOAS), page tables and devices are objects of one file, with numbers. Opening the node gives a file with which nothing can be done until `VFIO_DEVICE_BIND_IOMMUFD` has named an iommufd.',
    },
    {
      title: 'The IOMMU changes hands',
      starts: '__iommu_group_alloc_blocking_domain',
      prose:
        'From here on a user decides what the device reaches, so the kernel makes sure of two things. First, **DMA ownership**: the group has one owner, and while it does no driver of the host can be bound in it. Second, there is no moment in which the device reaches the wrong memory: it goes from the default domain into one that blocks everything, and only from there into the user’s. Type1 and iommufd also refuse a group whose devices could forge each other’s interrupts (**isolated MSI**).',
    },
    {
      title: 'Memory that the device may reach',
      starts: 'vfio_pin_pages_remote',
      prose:
        'The user says which of his memory appears at which **I/O virtual address**. Pages that a device can write to must not move or be swapped, so they are **pinned** first, as many at a time as lie together in physical memory, and counted against the user’s limit of locked memory. Each such run then becomes one entry, or a few, of the IOMMU’s page table. QEMU maps the whole memory of its guest this way, which is why a guest with an assigned device has all its memory resident.',
    },
    {
      title: 'The device is opened',
      starts: 'vfio_pci_open_device',
      prose:
        'Not the group, only the first open of the device wakes and enables it. vfio-pci takes away bus mastering, resets the function if it can, saves its state for whoever comes next, finds out whether INTx can be masked in the device itself, and builds **vconfig**: the copy of configuration space that the user will see instead of the real one, wherever the two must differ.',
    },
    {
      title: 'What the device is',
      starts: 'vfio_pci_ioctl_get_info',
      prose:
        'A device’s file is divided into **regions**, one for each BAR and one for configuration space, chosen by the offset of `pread` and `pwrite`. The ioctls say how many there are, how large, and which can be mapped; and what kinds of interrupts there are. Among these is one that no hardware raises: `VFIO_PCI_REQ_IRQ_INDEX` is how the kernel asks for the device back. Every access to configuration space is looked at: a BAR is only a number in vconfig, and `PCI_COMMAND` reaches the device with its DisINTx bit replaced.',
    },
    {
      title: 'A BAR without system calls',
      starts: 'vfio_pci_core_mmap',
      prose:
        'A BAR that is at least a page can be **mapped**: loads and stores then reach the device directly. The mapping begins empty, and a page fault inserts what is touched. That way vfio-pci can take all of it away again: while the device’s memory is switched off, or during a reset, an access must fault and not reach a bus where nobody answers.',
    },
    {
      title: 'The user leaves',
      starts: 'vfio_device_fops_release',
      prose:
        'Closing the last file of the device disables it: interrupts are torn down, the saved state comes back, and the device may sleep again. The open device holds its group’s file, so the group cannot be left before. When the group leaves its container everything is undone in reverse: out of the domain, unmapped, unpinned, and back into the default domain.',
    },
    {
      title: 'The device goes back to the host',
      starts: 'vfio_pci_remove',
      prose:
        'Unbinding vfio-pci is where the kernel depends on user space. `vfio_unregister_group_dev` gives up the driver’s own reference and waits until the count is zero: while a file is open, it signals the **request** eventfd every ten seconds, and there is nothing else that it can do. Afterwards the group’s file disappears with its last device, and the host’s driver can have the device again.',
    },
  ],
});
