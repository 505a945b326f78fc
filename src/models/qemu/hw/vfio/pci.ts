import { bool, hex, int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { running } from '../../../../engine/running';
import { at, atCall, atWrite, behind, preempt } from '../../../../engine/steps';
import { MSI_CAP, MSIX_CAP } from '../../../hardware/msi';
import type { PciFunction } from '../../../hardware/pci_function';
import type { VfioDeviceFile } from '../../../linux/drivers/vfio/vfio_main';
import { pread64, pwrite64 } from '../../../linux/fs/read_write';
import {
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_ROM_REGION_INDEX,
} from '../../../linux/include/uapi/linux/vfio';
import { element, type Element } from '../../element';
import { qemu_assert } from '../../assert';
import { io_region, memory_region_add_subregion, ram_device_region } from '../../include/exec/memory';
import type { IOHandler } from '../../include/block/aio';
import { MsiCells, msix_state, type MSIMessage } from '../../include/hw/pci/msi';
import { kvm_irqchip_begin_route_changes, kvm_irqchip_commit_route_changes, type KVMRouteChange } from '../../include/sysemu/kvm';
import {
  kvm_irqchip_add_irqfd_notifier_gsi,
  kvm_irqchip_add_msi_route,
  kvm_irqchip_commit_routes,
  kvm_irqchip_release_virq,
  kvm_irqchip_remove_irqfd_notifier_gsi,
  kvm_irqchip_update_msi_route,
} from '../../accel/kvm/kvm-all';
import {
  pci_irq_assert,
  pci_irq_deassert,
  PCI_INTX_DISABLED,
  PCI_INTX_ENABLED,
  PCI_INTX_MODES,
  PCIDeviceCells,
  type PCIDevice,
  type PCIINTxRoute,
} from '../../include/hw/pci/pci';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_INTERRUPT_PIN,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS_MASK,
  PCI_STATUS,
} from '../../../linux/include/uapi/linux/pci_regs';
import {
  vfio_device,
  vfio_host,
  type HostDevice,
  type VFIOBAR,
  type VFIODevice,
  type VFIOHost,
  type VFIORegion,
} from '../../include/hw/vfio/vfio-common';
import type { Globals } from '../../machine';
import { withOpaque } from '../../opaque';
import { memory_region_init_io, memory_region_set_enabled, ram_device_mem_ops } from '../../softmmu/memory';
import {
  event_notifier,
  event_notifier_cleanup,
  event_notifier_get_fd,
  event_notifier_init,
  event_notifier_test_and_clear,
  type EventNotifier,
} from '../../util/event_notifier-posix';
import { qemu_set_fd_handler } from '../../util/main-loop';
import { qemu_clock_get_ms, timer_del, timer_mod, timer_new_ms, type QEMUTimer } from '../../util/qemu-timer';
import {
  pci_default_read_config,
  pci_default_write_config,
  pci_device_route_intx_to_irq,
  pci_device_set_intx_routing_notifier,
  pci_intx_route_changed,
  pci_qdev_realize,
} from '../pci/pci';
import { msi_enabled, msi_get_message, msi_notify, msi_nr_vectors_allocated } from '../pci/msi';
import {
  msix_enabled,
  msix_get_message,
  msix_is_masked,
  msix_notify,
  msix_pba_mmio_ops,
  msix_set_vector_notifiers,
  msix_table_mmio_ops,
  msix_unset_vector_notifiers,
  msix_vector_unuse,
  msix_vector_use,
} from '../pci/msix';
import {
  vfio_disable_irqindex,
  vfio_get_device,
  vfio_get_group,
  vfio_get_region_info,
  vfio_irq_count,
  vfio_mask_single_irqindex,
  vfio_put_group,
  vfio_region_mmap,
  vfio_region_mmaps_set_enabled,
  vfio_region_ops,
  vfio_region_setup,
  vfio_set_irq_signaling,
  vfio_set_irqs,
  vfio_unmask_single_irqindex,
} from './common';

/** vfio-pci in QEMU: INTx, MSI and MSI-X of an assigned device, through KVM or by hand. */

const VFIO_INT_NONE = 0;
const VFIO_INT_INTx = 1;
const VFIO_INT_MSI = 2;
const VFIO_INT_MSIX = 3;

const VFIOPCIDeviceCells = struct(
  'VFIOPCIDevice',
  'An assigned PCI device in QEMU. intx.pending: QEMU has raised the guest’s line and waits for an access to take as its end.',
  {
    interrupt: oneOf({ VFIO_INT_NONE, VFIO_INT_INTx, VFIO_INT_MSI, VFIO_INT_MSIX }, VFIO_INT_NONE),
    'intx.pending': bool(),
    'intx.kvm_accel': bool(),
    'intx.pin': int(),
    'intx.route.mode': oneOf(PCI_INTX_MODES, PCI_INTX_DISABLED),
    'intx.route.irq': int(-1),
    'intx.mmap_timeout': int(),
    no_kvm_intx: bool(),
    nr_vectors: int(),
    no_kvm_msi: bool(),
    no_kvm_msix: bool(),
    defer_kvm_irq_routing: bool(),
    pci_aer: bool(),
    req_enabled: bool(),
    'msix->pending': hex(32),
  },
);

const VFIOMSIVectorCells = struct(
  'VFIOMSIVector',
  'A message of an assigned device. virq: the GSI that was routed to it, negative where QEMU sends it itself.',
  { use: bool(), virq: int() },
);

/** A vector with its two listeners: QEMU's own, and KVM's. */
type VFIOMSIVector = InstanceOf<typeof VFIOMSIVectorCells> & {
  readonly nr: number;
  readonly interrupt: EventNotifier;
  readonly kvm_interrupt: EventNotifier;
};

/** Allocates a vector, as it is after g_new0(). */
const msi_vector = (nr: number): VFIOMSIVector =>
  Object.assign(VFIOMSIVectorCells(`vector ${nr}`), {
    nr,
    interrupt: event_notifier(`vector ${nr} interrupt`),
    kvm_interrupt: event_notifier(`vector ${nr} kvm_interrupt`),
  });

export type VFIOPCIDevice = InstanceOf<typeof VFIOPCIDeviceCells> & {
  readonly name: string;
  readonly qemu: Globals;
  readonly vbasedev: VFIODevice;
  readonly pdev: PCIDevice;
  readonly bars: VFIORegion[];
  readonly source: AssignedDevice;
  /** Where it is to be opened; `undefined` where it is open when the run begins. */
  readonly host: VFIOHost | undefined;
  readonly err_notifier: EventNotifier;
  readonly req_notifier: EventNotifier;
  readonly intx: { readonly interrupt: EventNotifier; readonly unmask: EventNotifier; mmap_timer: QEMUTimer | undefined };
  config_size: number;
  msi_vectors: readonly VFIOMSIVector[];
  /** vfio_route_change: the routes that were noted and not committed yet. */
  route_change: KVMRouteChange | undefined;
};

/** Guest-physical addresses of the MSI-X table and its pending bits, a BAR of their own. */
export const MSIX_TABLE_ADDR = 0xfebe0000;
const MSIX_PBA_ADDR = 0xfebe0800;
const MSIX_AREA_SIZE = 0x800;

/** What vfio_msi_setup() and vfio_msix_early_setup() find in the device's capabilities. */
function message_capabilities(messages: PciFunction['messages'], name: string, qemu: Globals, dev: () => PCIDevice) {
  if (messages === undefined) return undefined;
  const pba = io_region({ name: 'msix-pba', addr: MSIX_PBA_ADDR, size: MSIX_AREA_SIZE }, msix_pba_mmio_ops, dev);
  const table = io_region({ name: 'msix-table', addr: MSIX_TABLE_ADDR, size: MSIX_AREA_SIZE }, msix_table_mmio_ops, dev);
  for (const mr of [table, pba]) memory_region_add_subregion(qemu.address_space_memory, mr);
  const msi = MsiCells(`${name} MSI`, { 'config[PCI_MSI_FLAGS]': messages.msi.PCI_MSI_FLAGS });
  const msix = msix_state(`${name} MSI-X`, messages.table.length, pba);
  const registers: [number, Element][] = [
    [MSI_CAP + PCI_MSI_FLAGS, element(msi, 'config[PCI_MSI_FLAGS]', PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE)],
    [MSI_CAP + PCI_MSI_ADDRESS_LO, element(msi, 'config[PCI_MSI_ADDRESS_LO]')],
    [MSI_CAP + PCI_MSI_ADDRESS_HI, element(msi, 'config[PCI_MSI_ADDRESS_HI]')],
    [MSI_CAP + PCI_MSI_DATA_64, element(msi, 'config[PCI_MSI_DATA_64]')],
    [MSIX_CAP + PCI_MSIX_FLAGS, element(msix.cells, 'config[PCI_MSIX_FLAGS]', PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)],
  ];
  const device = {
    msi_cap: MSI_CAP,
    msix_cap: MSIX_CAP,
    msix,
    msi_trigger: pci_qdev_realize.msi_trigger,
    bus_master_as: { as: qemu.address_space_memory, qemu_global_mutex: qemu.qemu_global_mutex },
  };
  return { registers, device };
}

/**
 * Makes an assigned device and puts it on the bus, with the properties that the run's parameters give: `kvm-intx` false is
 * x-no-kvm-intx=on, `kvm-msi` false is x-no-kvm-msi=on and x-no-kvm-msix=on, `mmap-timeout` is x-intx-mmap-timeout-ms.
 */
export function vfio_pci_device(
  qemu: Globals,
  source: AssignedDevice,
  { devfn, bars }: { readonly devfn: number; readonly bars: readonly VFIOBAR[] },
): VFIOPCIDevice {
  const { parameters } = running();
  const name = 'vfio-pci';
  const cells = VFIOPCIDeviceCells(name, {
    no_kvm_intx: parameters['kvm-intx'] === false,
    no_kvm_msi: parameters['kvm-msi'] === false,
    no_kvm_msix: parameters['kvm-msi'] === false,
    pci_aer: source.kind === 'open' && source.pci_aer,
    'intx.mmap_timeout': Number(parameters['mmap-timeout'] ?? DEFAULT_MMAP_TIMEOUT_MS),
  });
  const vbasedev = vfio_device({ opened: source.kind === 'open' ? source.fd : undefined, ops: vfio_pci_ops, vdev: () => vdev });
  const regions = bars.map((bar) => region(qemu, vbasedev, bar));
  const mapped = bars.flatMap(({ space }) => (space.kind === 'memory' ? [space.device] : []))[0];
  const pci = PCIDeviceCells(name);
  const messages = message_capabilities(mapped?.messages, name, qemu, () => pdev);
  const pdev: PCIDevice = Object.assign(pci, {
    ...messages?.device,
    name,
    devfn,
    bus: qemu.pci_bus,
    config: new Map([
      [PCI_COMMAND, element(pci, 'config[PCI_COMMAND]')],
      [PCI_STATUS, element(pci, 'config[PCI_STATUS]')],
      ...(messages?.registers ?? []),
    ]),
    config_read: withOpaque(vfio_pci_dev_class_init.config_read, () => vdev),
    config_write: withOpaque(vfio_pci_dev_class_init.config_write, () => vdev),
    intx_routing_notifier: undefined,
  });
  qemu.pci_bus.devices.push(pdev);
  const intx = { interrupt: event_notifier('intx.interrupt'), unmask: event_notifier('intx.unmask'), mmap_timer: undefined };
  const vdev: VFIOPCIDevice = Object.assign(cells, {
    name,
    qemu,
    vbasedev,
    pdev,
    bars: regions,
    source,
    host: source.kind === 'host' ? vfio_host(source.host) : undefined,
    err_notifier: event_notifier('err_notifier'),
    req_notifier: event_notifier('req_notifier'),
    intx,
    config_size: 0,
    msi_vectors: [],
    route_change: undefined,
  });
  return vdev;
}

/** The device that QEMU assigns: one that it opens itself, or one that it has open already when the run begins, and knows to report errors or not. */
export type AssignedDevice =
  { readonly kind: 'host'; readonly host: HostDevice } | { readonly kind: 'open'; readonly fd: VfioDeviceFile; readonly pci_aer: boolean };

/** The region of a BAR, in the guest's memory or I/O space. */
function region(qemu: Globals, vbasedev: VFIODevice, { nr, addr, size, space }: VFIOBAR): VFIORegion {
  const made: VFIORegion = {
    vbasedev,
    nr,
    mem: io_region({ name: `BAR ${nr}`, addr, size }, vfio_region_ops, () => made),
    mmaps:
      space.kind === 'memory'
        ? [ram_device_region({ name: `BAR ${nr} mmaps[0]`, addr, size }, ram_device_mem_ops, () => space.device)]
        : [],
  };
  const as = space.kind === 'memory' ? qemu.address_space_memory : qemu.address_space_io;
  for (const mr of [made.mem, ...made.mmaps]) memory_region_add_subregion(as, mr);
  return made;
}

const DEFAULT_MMAP_TIMEOUT_MS = 1100;

const { fn, ops } = source('qemu', 'hw/vfio/pci.c');

const vfio_mmap_set_enabled = fn(
  'Shows or hides the mappings of every BAR.',
  function* vfio_mmap_set_enabled(vdev: VFIOPCIDevice, enabled: boolean) {
    for (const region of vdev.bars) yield* vfio_region_mmaps_set_enabled(region, enabled);
  },
);

const arm_mmap_timer = (vdev: VFIOPCIDevice) => timer_mod(mmap_timer(vdev), qemu_clock_get_ms() + vdev['intx.mmap_timeout']);

const vfio_intx_mmap_enable = fn(
  'No interrupt for a while: gives the guest its fast BARs back. As long as one is pending the timer starts again, or no access would ever be trapped to end it.',
  function* vfio_intx_mmap_enable(vdev: VFIOPCIDevice) {
    at('pending');
    if (vdev['intx.pending']) {
      yield* arm_mmap_timer(vdev);
      return;
    }
    yield* vfio_mmap_set_enabled(vdev, true);
  },
);

const vfio_intx_interrupt = fn(
  'The kernel has masked INTx and signalled: raises the guest’s line, and only then hides the BAR mappings so that the guest’s next access is trapped. Until it is, a fast guest may already be serving the device unseen.',
  function* vfio_intx_interrupt(vdev: VFIOPCIDevice) {
    if (!(yield* event_notifier_test_and_clear(vdev.intx.interrupt))) return;
    vdev['intx.pending'] = true;
    yield* pci_irq_assert(vdev.pdev);
    yield* preempt();
    yield* vfio_mmap_set_enabled(vdev, false);
    at('mmap_timeout');
    if (vdev['intx.mmap_timeout'] !== 0) yield* arm_mmap_timer(vdev);
  },
);

const vfio_intx_eoi = fn(
  'A BAR access while an interrupt is pending counts as its end: lowers the guest’s line, then unmasks. A device that still asserts is signalled again by the unmask; the BQL keeps the main loop from raising the line before it was lowered.',
  function* vfio_intx_eoi(vbasedev: VFIODevice) {
    const vdev = vbasedev.vdev();
    at('pending');
    if (!vdev['intx.pending']) return;
    vdev['intx.pending'] = false;
    yield* pci_irq_deassert(vdev.pdev);
    yield* preempt();
    yield* vfio_unmask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
  },
);

const vfio_intx_enable_kvm = fn(
  'Takes QEMU out of the way: the trigger eventfd goes straight into KVM, and KVM’s resample eventfd straight back into VFIO. INTx is masked meanwhile. Where anything is missing, QEMU stays in the way.',
  function* vfio_intx_enable_kvm(vdev: VFIOPCIDevice) {
    const { vbasedev, intx, qemu } = vdev;
    const irq_fd = event_notifier_get_fd(intx.interrupt);
    at('no_kvm_intx');
    if (vdev.no_kvm_intx || vdev['intx.route.mode'] !== PCI_INTX_ENABLED) return;

    yield* qemu_set_fd_handler(qemu, irq_fd, intx.interrupt.name, undefined);
    yield* vfio_mask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
    vdev['intx.pending'] = false;
    yield* pci_irq_deassert(vdev.pdev);

    yield* event_notifier_init(intx.unmask);
    const failed = yield* connect_irqfd(vdev);
    if (failed) {
      yield* event_notifier_cleanup(intx.unmask);
      behind('qemu_set_fd_handler');
      yield* qemu_set_fd_handler(qemu, irq_fd, intx.interrupt.name, addressOf(bound(vfio_intx_interrupt, () => vdev)));
      behind('vfio_unmask_single_irqindex');
      yield* vfio_unmask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
      return;
    }
    yield* vfio_unmask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
    vdev['intx.kvm_accel'] = true;
  },
);

/** The two connections that vfio_intx_enable_kvm() makes, and what it undoes when the second fails. */
function* connect_irqfd({ vbasedev, intx, qemu, 'intx.route.irq': irq }: VFIOPCIDevice) {
  if ((yield* kvm_irqchip_add_irqfd_notifier_gsi(qemu.kvm_state, intx.interrupt, intx.unmask, irq)) !== 0) return true;
  const unmask_fd = event_notifier_get_fd(intx.unmask);
  if ((yield* vfio_set_irq_signaling(vbasedev, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, unmask_fd)) === 0) return false;
  yield* kvm_irqchip_remove_irqfd_notifier_gsi(qemu.kvm_state, intx.interrupt, irq);
  return true;
}

const vfio_intx_disable_kvm = fn(
  'Puts QEMU back in the way, with INTx masked meanwhile. An interrupt that was lost on the way fires again at the unmask, since the device still asserts.',
  function* vfio_intx_disable_kvm(vdev: VFIOPCIDevice) {
    const { vbasedev, intx, qemu } = vdev;
    at('kvm_accel');
    if (!vdev['intx.kvm_accel']) return;
    yield* vfio_mask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
    vdev['intx.pending'] = false;
    yield* pci_irq_deassert(vdev.pdev);
    yield* kvm_irqchip_remove_irqfd_notifier_gsi(qemu.kvm_state, intx.interrupt, vdev['intx.route.irq']);
    yield* event_notifier_cleanup(intx.unmask);
    const handler = addressOf(bound(vfio_intx_interrupt, () => vdev));
    yield* qemu_set_fd_handler(qemu, event_notifier_get_fd(intx.interrupt), intx.interrupt.name, handler);
    vdev['intx.kvm_accel'] = false;
    yield* vfio_unmask_single_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
  },
);

const vfio_intx_update = fn(
  'The guest has rerouted the interrupt: back through QEMU, then into KVM at the new GSI. A pending interrupt is ended by force, or its line would stay up at the old one.',
  function* vfio_intx_update(vdev: VFIOPCIDevice, route: PCIINTxRoute) {
    yield* vfio_intx_disable_kvm(vdev);
    set_route(vdev, route);
    if (route.mode !== PCI_INTX_ENABLED) return;
    yield* vfio_intx_enable_kvm(vdev);
    yield* vfio_intx_eoi(vdev.vbasedev);
  },
);

const vfio_intx_routing_notifier = fn(
  'The board’s interrupt routing may have changed: looks whether this device’s has.',
  function* vfio_intx_routing_notifier(vdev: VFIOPCIDevice) {
    at('interrupt');
    if (vdev.interrupt !== VFIO_INT_INTx) return;
    const route = yield* pci_device_route_intx_to_irq(vdev.pdev, vdev['intx.pin']);
    const old: PCIINTxRoute = { mode: vdev['intx.route.mode'], irq: vdev['intx.route.irq'] };
    if (yield* pci_intx_route_changed(old, route)) yield* vfio_intx_update(vdev, route);
  },
);

const vfio_intx_disable = fn(
  'Takes INTx down: no timer, no KVM, no interrupt from the host, the guest’s line low and its BARs fast.',
  function* vfio_intx_disable(vdev: VFIOPCIDevice) {
    const { vbasedev, intx, qemu } = vdev;
    yield* timer_del(mmap_timer(vdev));
    yield* vfio_intx_disable_kvm(vdev);
    yield* vfio_disable_irqindex(vbasedev, VFIO_PCI_INTX_IRQ_INDEX);
    vdev['intx.pending'] = false;
    yield* pci_irq_deassert(vdev.pdev);
    yield* vfio_mmap_set_enabled(vdev, true);
    yield* qemu_set_fd_handler(qemu, event_notifier_get_fd(intx.interrupt), intx.interrupt.name, undefined);
    yield* event_notifier_cleanup(intx.interrupt);
    vdev.interrupt = VFIO_INT_NONE;
  },
);

const vfio_msi_interrupt = fn(
  'A message came to QEMU itself: because KVM does not take it, or because the guest has masked it. Sends it on, or has it remembered as pending.',
  function* vfio_msi_interrupt(vdev: VFIOPCIDevice, vector: VFIOMSIVector) {
    if (!(yield* event_notifier_test_and_clear(vector.interrupt))) return;
    const { pdev } = vdev;
    const { nr } = vector;
    if (vdev.interrupt !== VFIO_INT_MSIX) {
      at('VFIO_INT_MSI');
      behind('msi_get_message');
      yield* through('function pointer', 'get_msg', addressOf(msi_get_message))(pdev, nr);
      behind('msi_notify');
      yield* through('function pointer', 'notify', addressOf(msi_notify))(pdev, nr);
      return;
    }
    at('VFIO_INT_MSIX');
    if (msix_is_masked(pdev, nr)) {
      atCall('set_bit');
      vdev['msix->pending'] |= 1 << nr;
      if (pdev.msix?.msix_pba_mmio !== undefined) yield* memory_region_set_enabled(vdev.qemu.memory, pdev.msix.msix_pba_mmio, true);
    }
    behind('msi_get_message');
    yield* through('function pointer', 'get_msg', addressOf(msix_get_message))(pdev, nr);
    behind('msi_notify');
    yield* through('function pointer', 'notify', addressOf(msix_notify))(pdev, nr);
  },
);

const vfio_enable_vectors = fn(
  'Hands VFIO all listeners at once: KVM’s where there is one and the guest has not masked the vector, else QEMU’s. A positive result says how many vectors the kernel could have given.',
  function* vfio_enable_vectors(vdev: VFIOPCIDevice, msix: boolean) {
    const fds = vdev.msi_vectors.slice(0, vdev.nr_vectors).map((vector) => {
      if (!vector.use) return undefined;
      const throughQemu = vector.virq < 0 || (msix && msix_is_masked(vdev.pdev, vector.nr));
      return event_notifier_get_fd(throughQemu ? vector.interrupt : vector.kvm_interrupt);
    });
    at('fds');
    return yield* vfio_set_irqs(vdev.vbasedev, {
      index: msix ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX,
      flags: VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
      start: 0,
      count: fds.length,
      fds,
    });
  },
);

const vfio_add_kvm_msi_virq = fn(
  'Routes a GSI to a vector’s message, for KVM to take it. Where that is switched off, QEMU stays in the way.',
  function* vfio_add_kvm_msi_virq(vdev: VFIOPCIDevice, vector: VFIOMSIVector, vector_n: number, msix: boolean) {
    at(msix ? 'no_kvm_msix' : 'no_kvm_msi');
    if (msix ? vdev.no_kvm_msix : vdev.no_kvm_msi) return;
    vector.virq = yield* kvm_irqchip_add_msi_route(route_change(vdev), vector_n, vdev.pdev);
  },
);

const vfio_connect_kvm_msi_virq = fn(
  'Makes the eventfd between VFIO and KVM, and gives KVM its end: an irqfd of the vector’s GSI.',
  function* vfio_connect_kvm_msi_virq(vdev: VFIOPCIDevice, vector: VFIOMSIVector) {
    at('virq');
    if (vector.virq < 0) return;
    yield* event_notifier_init(vector.kvm_interrupt);
    const ret = yield* kvm_irqchip_add_irqfd_notifier_gsi(vdev.qemu.kvm_state, vector.kvm_interrupt, undefined, vector.virq);
    if (ret >= 0) return;
    yield* event_notifier_cleanup(vector.kvm_interrupt);
    yield* kvm_irqchip_release_virq(vdev.qemu.kvm_state, vector.virq);
    vector.virq = -1;
  },
);

const vfio_remove_kvm_msi_virq = fn(
  'Takes a vector from KVM again: the irqfd, the GSI, the eventfd.',
  function* vfio_remove_kvm_msi_virq(vdev: VFIOPCIDevice, vector: VFIOMSIVector) {
    yield* kvm_irqchip_remove_irqfd_notifier_gsi(vdev.qemu.kvm_state, vector.kvm_interrupt, vector.virq);
    yield* kvm_irqchip_release_virq(vdev.qemu.kvm_state, vector.virq);
    vector.virq = -1;
    yield* event_notifier_cleanup(vector.kvm_interrupt);
  },
);

const vfio_update_kvm_msi_virq = fn(
  'The guest has changed a vector’s message: its GSI is routed to the new one.',
  function* vfio_update_kvm_msi_virq(vdev: VFIOPCIDevice, vector: VFIOMSIVector, msg: MSIMessage) {
    yield* kvm_irqchip_update_msi_route(vdev.qemu.kvm_state, vector.virq, msg);
    yield* kvm_irqchip_commit_routes(vdev.qemu.kvm_state);
  },
);

/** vfio_route_change, which must have been begun. */
function route_change({ name, route_change: change }: VFIOPCIDevice): KVMRouteChange {
  if (change === undefined) throw new Error(`${name} has begun no change of routes`);
  return change;
}

/** Gives VFIO another listener for one vector, in the function that is executing. */
const listen = (vdev: VFIOPCIDevice, nr: number, to: EventNotifier) =>
  vfio_set_irq_signaling(vdev.vbasedev, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, event_notifier_get_fd(to), nr);

const vfio_msix_vector_do_use = fn(
  'A vector comes into use. KVM gets a route for it and an irqfd, if there is a message; then VFIO a listener. A vector beyond those that the host has allocated means taking all of them down and up again: what arrives meanwhile is lost.',
  function* vfio_msix_vector_do_use(vdev: VFIOPCIDevice, nr: number, msg: MSIMessage | undefined, handler: IOHandler | undefined) {
    const { pdev, qemu } = vdev;
    const vector = vdev.msi_vectors[nr];
    if (vector === undefined) throw new Error(`${vdev.name} has no vector ${nr}`);
    if (!vector.use) {
      vector.virq = -1;
      yield* event_notifier_init(vector.interrupt);
      vector.use = true;
      yield* msix_vector_use(pdev, nr);
    }
    yield* qemu_set_fd_handler(qemu, event_notifier_get_fd(vector.interrupt), vector.interrupt.name, handler);
    behind('qemu_set_fd_handler');
    at('virq');
    if (vector.virq >= 0) {
      if (msg === undefined) yield* vfio_remove_kvm_msi_virq(vdev, vector);
      else yield* vfio_update_kvm_msi_virq(vdev, vector, msg);
    } else if (msg !== undefined) {
      if (vdev.defer_kvm_irq_routing) {
        yield* vfio_add_kvm_msi_virq(vdev, vector, nr, true);
      } else {
        vdev.route_change = yield* kvm_irqchip_begin_route_changes(qemu.kvm_state);
        behind('vfio_add_kvm_msi_virq');
        yield* vfio_add_kvm_msi_virq(vdev, vector, nr, true);
        yield* kvm_irqchip_commit_route_changes(vdev.route_change);
        yield* vfio_connect_kvm_msi_virq(vdev, vector);
      }
    }
    if (vdev.nr_vectors < nr + 1) {
      vdev.nr_vectors = nr + 1;
      if (!vdev.defer_kvm_irq_routing) {
        yield* vfio_disable_irqindex(vdev.vbasedev, VFIO_PCI_MSIX_IRQ_INDEX);
        yield* vfio_enable_vectors(vdev, true);
      }
    } else {
      yield* listen(vdev, nr, vector.virq >= 0 ? vector.kvm_interrupt : vector.interrupt);
    }
    atCall('clear_bit');
    vdev['msix->pending'] &= ~(1 << nr);
    if (vdev['msix->pending'] === 0 && pdev.msix?.msix_pba_mmio !== undefined)
      yield* memory_region_set_enabled(qemu.memory, pdev.msix.msix_pba_mmio, false);
    return 0;
  },
);

const vfio_msix_vector_use = fn(
  'The guest has unmasked a vector.',
  function* vfio_msix_vector_use(vdev: VFIOPCIDevice, nr: number, msg: MSIMessage) {
    return yield* vfio_msix_vector_do_use(vdev, nr, msg, msi_handler(vdev, nr));
  },
);

/** The main loop's handler of a vector that comes to QEMU. */
const msi_handler = (vdev: VFIOPCIDevice, nr: number): IOHandler =>
  addressOf(
    bound(
      bound(vfio_msi_interrupt, () => vdev),
      () => vdev.msi_vectors[nr]!,
    ),
  );

const vfio_msix_vector_release = fn(
  'The guest has masked a vector. KVM keeps its route and its irqfd, since some guests mask and unmask around every interrupt: only VFIO is told to signal QEMU meanwhile, which remembers what comes as pending.',
  function* vfio_msix_vector_release(vdev: VFIOPCIDevice, nr: number) {
    const vector = vdev.msi_vectors[nr];
    at('virq');
    if (vector !== undefined && vector.virq >= 0) yield* listen(vdev, nr, vector.interrupt);
  },
);

const vfio_prepare_kvm_msi_virq_batch = fn(
  'From here on routes are only noted: committing each by itself would be slow.',
  function* vfio_prepare_kvm_msi_virq_batch(vdev: VFIOPCIDevice) {
    atCall('assert');
    vdev.defer_kvm_irq_routing = true;
    vdev.route_change = yield* kvm_irqchip_begin_route_changes(vdev.qemu.kvm_state);
  },
);

const vfio_commit_kvm_msi_virq_batch = fn(
  'Commits the noted routes, and gives KVM an irqfd for each vector.',
  function* vfio_commit_kvm_msi_virq_batch(vdev: VFIOPCIDevice) {
    yield* qemu_assert(
      vdev.defer_kvm_irq_routing,
      'Nobody has prepared a batch: the assertion fails, and QEMU is gone with its virtual machine.',
    );
    vdev.defer_kvm_irq_routing = false;
    yield* kvm_irqchip_commit_route_changes(route_change(vdev));
    for (const vector of vdev.msi_vectors.slice(0, vdev.nr_vectors)) yield* vfio_connect_kvm_msi_virq(vdev, vector);
  },
);

const vfio_msix_enable = fn(
  'The guest has switched MSI-X on. Vectors that it has unmasked already are set up; with none, one is allocated all the same, so that the device itself is in MSI-X mode, as its guest thinks.',
  function* vfio_msix_enable(vdev: VFIOPCIDevice) {
    yield* vfio_disable_interrupts(vdev);
    at('msi_vectors');
    vdev.msi_vectors = (vdev.pdev.msix?.msix_table ?? []).map((_, nr) => msi_vector(nr));
    vdev.interrupt = VFIO_INT_MSIX;
    yield* vfio_prepare_kvm_msi_virq_batch(vdev);
    yield* msix_set_vector_notifiers(vdev.pdev, {
      use: addressOf(bound(vfio_msix_vector_use, () => vdev)),
      release: addressOf(bound(vfio_msix_vector_release, () => vdev)),
    });
    yield* vfio_commit_kvm_msi_virq_batch(vdev);
    if (vdev.nr_vectors > 0) {
      yield* vfio_enable_vectors(vdev, true);
    } else {
      yield* vfio_msix_vector_do_use(vdev, 0, undefined, undefined);
      yield* vfio_msix_vector_release(vdev, 0);
    }
  },
);

const vfio_msi_enable = fn(
  'The guest has switched MSI on: INTx goes, KVM gets a route and an irqfd for each message, and only then VFIO their eventfds. Should the kernel have fewer, it is tried again with those: but without preparing a batch again.',
  function* vfio_msi_enable(vdev: VFIOPCIDevice) {
    const { pdev, qemu } = vdev;
    yield* vfio_disable_interrupts(vdev);
    yield* vfio_prepare_kvm_msi_virq_batch(vdev);
    vdev.nr_vectors = yield* msi_nr_vectors_allocated(pdev);
    for (;;) {
      at('msi_vectors');
      vdev.msi_vectors = Array.from({ length: vdev.nr_vectors }, (_, nr) => msi_vector(nr));
      for (const vector of vdev.msi_vectors) {
        vector.virq = -1;
        vector.use = true;
        yield* event_notifier_init(vector.interrupt);
        const fd = event_notifier_get_fd(vector.interrupt);
        yield* qemu_set_fd_handler(qemu, fd, vector.interrupt.name, msi_handler(vdev, vector.nr));
        yield* vfio_add_kvm_msi_virq(vdev, vector, vector.nr, false);
      }
      yield* vfio_commit_kvm_msi_virq_batch(vdev);
      vdev.interrupt = VFIO_INT_MSI;
      const ret = yield* vfio_enable_vectors(vdev, false);
      if (ret === 0) return;
      yield* vfio_msi_disable_common(vdev);
      if (ret < 0) return;
      atWrite('nr_vectors', 'vfio_msi_disable_common', 'The kernel has fewer vectors than the guest wants.');
      vdev.nr_vectors = ret;
    }
  },
);

const vfio_msi_disable_common = fn(
  'Lets go of all vectors: of KVM’s ends first, then of QEMU’s.',
  function* vfio_msi_disable_common(vdev: VFIOPCIDevice) {
    for (const vector of vdev.msi_vectors.slice(0, vdev.nr_vectors)) {
      if (!vector.use) continue;
      if (vector.virq >= 0) yield* vfio_remove_kvm_msi_virq(vdev, vector);
      yield* qemu_set_fd_handler(vdev.qemu, event_notifier_get_fd(vector.interrupt), vector.interrupt.name, undefined);
      yield* event_notifier_cleanup(vector.interrupt);
    }
    behind('event_notifier_cleanup');
    at('msi_vectors');
    vdev.msi_vectors = [];
    vdev.nr_vectors = 0;
    vdev.interrupt = VFIO_INT_NONE;
  },
);

const vfio_msix_disable = fn(
  'The guest has switched MSI-X off: VFIO signals QEMU, then nobody; and the device interrupts by its wire again.',
  function* vfio_msix_disable(vdev: VFIOPCIDevice): Run {
    const { pdev } = vdev;
    yield* msix_unset_vector_notifiers(pdev);
    for (const vector of vdev.msi_vectors.slice(0, vdev.nr_vectors)) {
      if (!vector.use) continue;
      yield* vfio_msix_vector_release(vdev, vector.nr);
      yield* msix_vector_unuse(pdev, vector.nr);
    }
    if (vdev.nr_vectors > 0) yield* vfio_disable_irqindex(vdev.vbasedev, VFIO_PCI_MSIX_IRQ_INDEX);
    yield* vfio_msi_disable_common(vdev);
    yield* vfio_intx_enable(vdev);
    at('pending');
    vdev['msix->pending'] = 0;
  },
);

const vfio_msi_disable = fn(
  'The guest has switched MSI off: the device interrupts by its wire again.',
  function* vfio_msi_disable(vdev: VFIOPCIDevice): Run {
    yield* vfio_disable_irqindex(vdev.vbasedev, VFIO_PCI_MSI_IRQ_INDEX);
    yield* vfio_msi_disable_common(vdev);
    yield* vfio_intx_enable(vdev);
  },
);

const vfio_update_msi = fn(
  'The guest has written to the MSI capability while it is on: perhaps another CPU shall have the interrupts.',
  function* vfio_update_msi(vdev: VFIOPCIDevice) {
    for (const vector of vdev.msi_vectors.slice(0, vdev.nr_vectors)) {
      if (!vector.use || vector.virq < 0) continue;
      const msg = yield* msi_get_message(vdev.pdev, vector.nr);
      yield* vfio_update_kvm_msi_virq(vdev, vector, msg);
    }
  },
);

export const vfio_disable_interrupts = fn(
  'Takes down whatever kind of interrupt the device uses now. Taking messages down brings INTx back, which then goes as well.',
  function* vfio_disable_interrupts(vdev: VFIOPCIDevice): Run {
    at('interrupt');
    if (vdev.interrupt === VFIO_INT_MSIX) yield* vfio_msix_disable(vdev);
    else if (vdev.interrupt === VFIO_INT_MSI) yield* vfio_msi_disable(vdev);
    if (vdev.interrupt === VFIO_INT_INTx) yield* vfio_intx_disable(vdev);
  },
);

export const vfio_intx_enable = fn(
  'Sets INTx up through QEMU, which works everywhere, and then tries to move it into KVM. Returns a negative error number if the kernel refuses.',
  function* vfio_intx_enable(vdev: VFIOPCIDevice) {
    const { vbasedev, intx, qemu } = vdev;
    const pin = yield* vfio_pci_read_config(vdev, PCI_INTERRUPT_PIN, 1);
    if (pin === 0) return 0;
    yield* vfio_disable_interrupts(vdev);
    vdev['intx.pin'] = pin - 1;
    set_route(vdev, yield* pci_device_route_intx_to_irq(vdev.pdev, vdev['intx.pin']));

    yield* event_notifier_init(intx.interrupt);
    const fd = event_notifier_get_fd(intx.interrupt);
    yield* qemu_set_fd_handler(qemu, fd, intx.interrupt.name, addressOf(bound(vfio_intx_interrupt, () => vdev)));
    const ret = yield* vfio_set_irq_signaling(vbasedev, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, fd);
    if (ret !== 0) {
      yield* qemu_set_fd_handler(qemu, fd, intx.interrupt.name, undefined);
      yield* event_notifier_cleanup(intx.interrupt);
      return ret;
    }
    yield* vfio_intx_enable_kvm(vdev);
    vdev.interrupt = VFIO_INT_INTx;
    return 0;
  },
);

const vfio_populate_device = fn(
  'Finds out what the device is made of: a region for each BAR that it has, its configuration space, whether it can report errors.',
  function* vfio_populate_device(vdev: VFIOPCIDevice) {
    const { vbasedev, bars } = vdev;
    at('VFIO_DEVICE_FLAGS_PCI');
    if ((vbasedev.flags & VFIO_DEVICE_FLAGS_PCI) === 0) return false;
    for (let index = VFIO_PCI_BAR0_REGION_INDEX; index < VFIO_PCI_ROM_REGION_INDEX; index++) {
      if ((yield* vfio_region_setup(vbasedev, index, bars)) !== 0) return false;
    }
    const info = { size: 0, flags: 0 };
    if ((yield* vfio_get_region_info(vbasedev, VFIO_PCI_CONFIG_REGION_INDEX, info)) !== 0) return false;
    at('config_size');
    vdev.config_size = info.size;
    if ((yield* vfio_irq_count(vbasedev, VFIO_PCI_ERR_IRQ_INDEX)) === 1) vdev.pci_aer = true;
    return true;
  },
);

const vfio_pci_size_rom = fn(
  'Finds the size of the expansion ROM as on real hardware: writes ones, reads back, restores. A mediated device has none.',
  function* vfio_pci_size_rom({ vbasedev: { fd } }: VFIOPCIDevice) {
    const read = () => through('syscall', 'pread', pread64.ksys_pread64)(fd, VFIO_PCI_CONFIG_REGION_INDEX, PCI_ROM_ADDRESS, 4);
    const write = (value: number) =>
      through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(fd, VFIO_PCI_CONFIG_REGION_INDEX, PCI_ROM_ADDRESS, 4, value);
    const orig = yield* read();
    yield* write(PCI_ROM_ADDRESS_MASK);
    behind('pread');
    yield* read();
    behind('pwrite');
    yield* write(orig);
  },
);

const vfio_bar_prepare = fn('Reads what kind of BAR it is.', function* vfio_bar_prepare(vdev: VFIOPCIDevice, { nr }: VFIORegion) {
  yield* through('syscall', 'pread', pread64.ksys_pread64)(vdev.vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, PCI_BASE_ADDRESS_0 + 4 * nr, 4);
});

const vfio_bars_prepare = fn('Looks at each BAR.', function* vfio_bars_prepare(vdev: VFIOPCIDevice) {
  for (const region of vdev.bars) yield* vfio_bar_prepare(vdev, region);
});

const vfio_bar_register = fn(
  'Makes the BAR that the guest will see, with the region inside it and, on top of that, the device’s own registers mapped.',
  function* vfio_bar_register({ host }: VFIOPCIDevice, region: VFIORegion) {
    yield* memory_region_init_io(region.mem);
    if (host !== undefined) yield* vfio_region_mmap(region, host);
    atCall('pci_register_bar');
  },
);

const vfio_bars_register = fn('Makes each BAR. The guest’s firmware will place them.', function* vfio_bars_register(vdev: VFIOPCIDevice) {
  for (const region of vdev.bars) yield* vfio_bar_register(vdev, region);
});

const vfio_err_notifier_handler = fn(
  'The device has reported an error, which the guest is not told of: the machine is stopped before anything worse happens.',
  function* vfio_err_notifier_handler(vdev: VFIOPCIDevice) {
    if (!(yield* event_notifier_test_and_clear(vdev.err_notifier))) return;
    atCall('vm_stop');
  },
);

const vfio_register_err_notifier = fn(
  'Gives VFIO an eventfd to tell of errors by, where the device can report any.',
  function* vfio_register_err_notifier(vdev: VFIOPCIDevice) {
    const { vbasedev, err_notifier, qemu } = vdev;
    at('pci_aer');
    if (!vdev.pci_aer) return;
    yield* event_notifier_init(err_notifier);
    const fd = event_notifier_get_fd(err_notifier);
    yield* qemu_set_fd_handler(qemu, fd, err_notifier.name, addressOf(bound(vfio_err_notifier_handler, () => vdev)));
    yield* vfio_set_irq_signaling(vbasedev, VFIO_PCI_ERR_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, fd);
  },
);

const vfio_req_notifier_handler = fn(
  'The host wants the device back: asks the guest to let go of it. A guest that does not answer keeps it.',
  function* vfio_req_notifier_handler(vdev: VFIOPCIDevice) {
    if (!(yield* event_notifier_test_and_clear(vdev.req_notifier))) return;
    atCall('qdev_unplug');
  },
);

const vfio_register_req_notifier = fn(
  'Gives VFIO an eventfd to ask for the device by.',
  function* vfio_register_req_notifier(vdev: VFIOPCIDevice) {
    const { vbasedev, req_notifier, qemu } = vdev;
    at('VFIO_FEATURE_ENABLE_REQ');
    if ((yield* vfio_irq_count(vbasedev, VFIO_PCI_REQ_IRQ_INDEX)) < 1) return;
    yield* event_notifier_init(req_notifier);
    const fd = event_notifier_get_fd(req_notifier);
    yield* qemu_set_fd_handler(qemu, fd, req_notifier.name, addressOf(bound(vfio_req_notifier_handler, () => vdev)));
    const failed = yield* vfio_set_irq_signaling(vbasedev, VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, fd);
    if (failed === 0) {
      atWrite('req_enabled', 'vfio_set_irq_signaling');
      vdev.req_enabled = true;
      return;
    }
    yield* qemu_set_fd_handler(qemu, fd, req_notifier.name, undefined);
    yield* event_notifier_cleanup(req_notifier);
  },
);

/** What vfio_realize() does until it has the device open, with its BARs in the machine; false where it cannot. */
function* take_device(vdev: VFIOPCIDevice, host: VFIOHost): Run<boolean> {
  const { vbasedev, qemu } = vdev;
  atCall('readlink');
  const device = host.vfio.group_list.flatMap(({ device_list }) => device_list).find(({ dev }) => dev.name === host.name);
  if (device?.group === undefined) return false;
  const group = yield* vfio_get_group(qemu, host, device.group.iommu_group.id, qemu.address_space_memory);
  if (group === undefined) return false;
  if ((yield* vfio_get_device(host, group, host.name, vbasedev)) !== 0) {
    behind('vfio_get_device');
    yield* vfio_put_group(host, group);
    return false;
  }
  if (!(yield* vfio_populate_device(vdev))) return false;
  yield* through('syscall', 'pread', pread64.ksys_pread64)(vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, 0, vdev.config_size);
  yield* vfio_pci_size_rom(vdev);
  yield* vfio_bars_prepare(vdev);
  yield* vfio_bars_register(vdev);
  return true;
}

export const vfio_realize = fn(
  'The assigned device joins the machine, and is opened first where it is not yet; the result is whether it could be. Where it has an interrupt pin: makes the timer that brings the BAR mappings back, asks to hear of routing changes, and enables INTx.',
  function* vfio_realize(vdev: VFIOPCIDevice) {
    if (vdev.host !== undefined && !(yield* take_device(vdev, vdev.host))) return false;
    if ((yield* vfio_pci_read_config(vdev, PCI_INTERRUPT_PIN, 1)) !== 0) {
      atCall('timer_new_ms');
      vdev.intx.mmap_timer = timer_new_ms('intx.mmap_timer', vdev.qemu.main_loop_tlg, addressOf(bound(vfio_intx_mmap_enable, () => vdev)));
      yield* pci_device_set_intx_routing_notifier(vdev.pdev, addressOf(bound(vfio_intx_routing_notifier, () => vdev)));
      yield* vfio_intx_enable(vdev);
    }
    yield* vfio_register_err_notifier(vdev);
    yield* vfio_register_req_notifier(vdev);
    return true;
  },
);

const vfio_pci_pre_reset = fn(
  'Before the device is reset: no interrupts, no memory decoding, no DMA, and DisINTx in a known state.',
  function* vfio_pci_pre_reset(vdev: VFIOPCIDevice) {
    yield* vfio_disable_interrupts(vdev);
    const cmd = yield* vfio_pci_read_config(vdev, PCI_COMMAND, 2);
    yield* vfio_pci_write_config(vdev, PCI_COMMAND, cmd & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE), 2);
  },
);

const vfio_pci_post_reset = fn('After the reset: INTx again, whatever it was before.', function* vfio_pci_post_reset(vdev: VFIOPCIDevice) {
  yield* vfio_intx_enable(vdev);
});

export const vfio_pci_reset = fn(
  'The machine is reset, and the device with it. Interrupts are taken down first and set up again after.',
  function* vfio_pci_reset(vdev: VFIOPCIDevice) {
    yield* vfio_pci_pre_reset(vdev);
    atCall('vfio_pci_hot_reset_one');
    yield* vfio_pci_post_reset(vdev);
  },
);

const vfio_pci_write_config = fn(
  'The guest writes to the configuration space: VFIO sees everything and filters what it must; QEMU’s copy follows. When that switches messages on or off, QEMU has KVM and VFIO follow: the device’s own enable bit was not written.',
  function* vfio_pci_write_config(vdev: VFIOPCIDevice, addr: number, val: number, len: number) {
    yield* through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(vdev.vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, addr, len, val);
    yield* preempt();
    const { pdev } = vdev;
    if (within(addr, pdev.msi_cap, PCI_MSI_CAP_SIZE)) {
      const was_enabled = msi_enabled(pdev);
      yield* pci_default_write_config(pdev, addr, val, len);
      const is_enabled = msi_enabled(pdev);
      at('is_enabled');
      if (!was_enabled && is_enabled) yield* vfio_msi_enable(vdev);
      else if (was_enabled && !is_enabled) yield* vfio_msi_disable(vdev);
      else if (was_enabled) yield* vfio_update_msi(vdev);
    } else if (within(addr, pdev.msix_cap, PCI_MSIX_CAP_SIZE)) {
      const was_enabled = msix_enabled(pdev);
      behind('pci_default_write_config');
      yield* pci_default_write_config(pdev, addr, val, len);
      const is_enabled = msix_enabled(pdev);
      behind('msix_enabled');
      at('is_enabled');
      if (!was_enabled && is_enabled) yield* vfio_msix_enable(vdev);
      else if (was_enabled && !is_enabled) yield* vfio_msix_disable(vdev);
    } else {
      behind('pci_default_write_config pci_default_write_config pci_default_write_config');
      yield* pci_default_write_config(pdev, addr, val, len);
    }
  },
);

const vfio_pci_read_config = fn(
  'The guest reads the configuration space: the message capabilities are QEMU’s own, what QEMU does not emulate comes from VFIO.',
  function* vfio_pci_read_config(vdev: VFIOPCIDevice, addr: number, len: number) {
    const { pdev } = vdev;
    if (within(addr, pdev.msi_cap, PCI_MSI_CAP_SIZE) || within(addr, pdev.msix_cap, PCI_MSIX_CAP_SIZE))
      return yield* pci_default_read_config(pdev, addr, len);
    return yield* through('syscall', 'pread', pread64.ksys_pread64)(vdev.vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, addr, len);
  },
);

const vfio_pci_ops = ops('vfio_pci_ops', { vfio_eoi: vfio_intx_eoi });
const vfio_pci_dev_class_init = ops('vfio_pci_dev_class_init', { config_read: vfio_pci_read_config, config_write: vfio_pci_write_config });

/** ranges_overlap(), of a register and a capability. */
const within = (addr: number, cap: number | undefined, size: number): boolean => cap !== undefined && addr >= cap && addr < cap + size;
const PCI_MSI_CAP_SIZE = 0x0e;
const PCI_MSIX_CAP_SIZE = 0x0c;

/** The assignment of the whole route, which is two cells. */
function set_route(vdev: VFIOPCIDevice, { mode, irq }: PCIINTxRoute): void {
  running().at({ token: 'route', as: 'write' }, undefined);
  vdev['intx.route.mode'] = mode;
  vdev['intx.route.irq'] = irq;
}

function mmap_timer({ name, intx }: VFIOPCIDevice): QEMUTimer {
  if (intx.mmap_timer === undefined) throw new Error(`${name} was never realized with an interrupt pin`);
  return intx.mmap_timer;
}
