import { bool, int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source, through } from '../../../../engine/fn';
import { running } from '../../../../engine/running';
import { at, atCall, preempt } from '../../../../engine/steps';
import type { PciFunction } from '../../../hardware/pci_function';
import type { VfioDeviceFile } from '../../../linux/drivers/vfio/vfio_main';
import { pread64, pwrite64 } from '../../../linux/fs/read_write';
import {
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
} from '../../../linux/include/uapi/linux/vfio';
import { element } from '../../element';
import { io_region, memory_region_add_subregion, ram_device_region } from '../../include/exec/memory';
import { kvm_irqchip_add_irqfd_notifier_gsi, kvm_irqchip_remove_irqfd_notifier_gsi } from '../../accel/kvm/kvm-all';
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
import { PCI_COMMAND, PCI_STATUS } from '../../../linux/include/uapi/linux/pci_regs';
import type { VFIODevice, VFIORegion } from '../../include/hw/vfio/vfio-common';
import type { Globals } from '../../machine';
import { withOpaque } from '../../opaque';
import { ram_device_mem_ops } from '../../softmmu/memory';
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
  pci_default_write_config,
  pci_device_route_intx_to_irq,
  pci_device_set_intx_routing_notifier,
  pci_intx_route_changed,
} from '../pci/pci';
import {
  vfio_disable_irqindex,
  vfio_mask_single_irqindex,
  vfio_region_mmaps_set_enabled,
  vfio_region_ops,
  vfio_set_irq_signaling,
  vfio_unmask_single_irqindex,
} from './common';

/** vfio-pci in QEMU: INTx of an assigned device, through KVM or by hand. */

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
  },
);

export type VFIOPCIDevice = InstanceOf<typeof VFIOPCIDeviceCells> & {
  readonly name: string;
  readonly qemu: Globals;
  readonly vbasedev: VFIODevice;
  readonly pdev: PCIDevice;
  readonly bars: readonly VFIORegion[];
  readonly interrupt_pin: () => number;
  readonly intx: { readonly interrupt: EventNotifier; readonly unmask: EventNotifier; mmap_timer: QEMUTimer | undefined };
};

/**
 * Makes an assigned device and puts it on the bus, with the properties that the run's parameters give: `kvm-intx` false is
 * x-no-kvm-intx=on, `mmap-timeout` is x-intx-mmap-timeout-ms.
 * @param interrupt_pin PCI_INTERRUPT_PIN as VFIO shows it: 1 for INTA, 0 for none, also where the host could not serve it
 * @param device what QEMU's own mapping of the BAR reaches
 */
export function vfio_pci_device(
  qemu: Globals,
  { fd, interrupt_pin }: { readonly fd: VfioDeviceFile; readonly interrupt_pin: () => number },
  device: PciFunction,
  { devfn, bar }: { readonly devfn: number; readonly bar: { readonly addr: number; readonly size: number } },
): VFIOPCIDevice {
  const { parameters } = running();
  const name = 'vfio-pci';
  const cells = VFIOPCIDeviceCells(name, {
    no_kvm_intx: parameters['kvm-intx'] === false,
    'intx.mmap_timeout': Number(parameters['mmap-timeout'] ?? DEFAULT_MMAP_TIMEOUT_MS),
  });
  const vbasedev: VFIODevice = { fd, ops: vfio_pci_ops, vdev: () => vdev };
  const region: VFIORegion = {
    vbasedev,
    nr: VFIO_PCI_BAR0_REGION_INDEX,
    mem: io_region({ name: 'BAR 0', ...bar }, vfio_region_ops, () => region),
    mmaps: [ram_device_region({ name: 'BAR 0 mmaps[0]', ...bar }, ram_device_mem_ops, () => device)],
  };
  for (const mr of [region.mem, ...region.mmaps]) memory_region_add_subregion(qemu.address_space_memory, mr);
  const pci = PCIDeviceCells(name);
  const pdev: PCIDevice = Object.assign(pci, {
    name,
    devfn,
    bus: qemu.pci_bus,
    config: new Map([
      [PCI_COMMAND, element(pci, 'config[PCI_COMMAND]')],
      [PCI_STATUS, element(pci, 'config[PCI_STATUS]')],
    ]),
    config_read: withOpaque(vfio_pci_dev_class_init.config_read, () => vdev),
    config_write: withOpaque(vfio_pci_dev_class_init.config_write, () => vdev),
    intx_routing_notifier: undefined,
  });
  qemu.pci_bus.devices.push(pdev);
  const intx = { interrupt: event_notifier('intx.interrupt'), unmask: event_notifier('intx.unmask'), mmap_timer: undefined };
  const vdev: VFIOPCIDevice = Object.assign(cells, { name, qemu, vbasedev, pdev, bars: [region], interrupt_pin, intx });
  return vdev;
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
      yield* qemu_set_fd_handler(qemu, irq_fd, intx.interrupt.name, addressOf(bound(vfio_intx_interrupt, () => vdev)));
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

export const vfio_disable_interrupts = fn(
  'Takes down whatever kind of interrupt the device uses now; only INTx is modelled.',
  function* vfio_disable_interrupts(vdev: VFIOPCIDevice) {
    at('interrupt');
    if (vdev.interrupt === VFIO_INT_INTx) yield* vfio_intx_disable(vdev);
  },
);

export const vfio_intx_enable = fn(
  'Sets INTx up through QEMU, which works everywhere, and then tries to move it into KVM. Returns a negative error number if the kernel refuses.',
  function* vfio_intx_enable(vdev: VFIOPCIDevice) {
    const { vbasedev, intx, qemu } = vdev;
    atCall('vfio_pci_read_config');
    const pin = vdev.interrupt_pin();
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

export const vfio_realize = fn(
  'The assigned device joins the machine. Where it has an interrupt pin: makes the timer that brings the BAR mappings back, asks to hear of routing changes, and enables INTx.',
  function* vfio_realize(vdev: VFIOPCIDevice) {
    atCall('vfio_pci_read_config');
    if (vdev.interrupt_pin() === 0) return;
    atCall('timer_new_ms');
    vdev.intx.mmap_timer = timer_new_ms('intx.mmap_timer', vdev.qemu.main_loop_tlg, addressOf(bound(vfio_intx_mmap_enable, () => vdev)));
    yield* pci_device_set_intx_routing_notifier(vdev.pdev, addressOf(bound(vfio_intx_routing_notifier, () => vdev)));
    yield* vfio_intx_enable(vdev);
  },
);

const vfio_pci_write_config = fn(
  'The guest writes to the configuration space: VFIO sees everything and filters what it must; QEMU’s copy follows. With DisINTx, VFIO masks the device first and QEMU lowers the line after.',
  function* vfio_pci_write_config(vdev: VFIOPCIDevice, addr: number, val: number, len: number) {
    yield* through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(vdev.vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, addr, len, val);
    yield* preempt();
    yield* pci_default_write_config(vdev.pdev, addr, val, len);
  },
);

const vfio_pci_read_config = fn(
  'The guest reads the configuration space: what QEMU does not emulate comes from VFIO.',
  function* vfio_pci_read_config(vdev: VFIOPCIDevice, addr: number, len: number) {
    return yield* through('syscall', 'pread', pread64.ksys_pread64)(vdev.vbasedev.fd, VFIO_PCI_CONFIG_REGION_INDEX, addr, len);
  },
);

const vfio_pci_ops = ops('vfio_pci_ops', { vfio_eoi: vfio_intx_eoi });
const vfio_pci_dev_class_init = ops('vfio_pci_dev_class_init', { config_read: vfio_pci_read_config, config_write: vfio_pci_write_config });

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
