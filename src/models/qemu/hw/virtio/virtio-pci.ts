import { bits, int, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, bound, source } from '../../../../engine/fn';
import { at, atCall, behind } from '../../../../engine/steps';
import { VIRTIO_CONFIG_S_DRIVER_OK } from '../../../linux/include/linux/virtio_config';
import { PCI_COMMAND, PCI_STATUS } from '../../../linux/include/uapi/linux/pci_regs';
import {
  VIRTIO_PCI_COMMON_STATUS,
  VIRTIO_PCI_ISR,
  VIRTIO_PCI_QUEUE_NOTIFY,
  VIRTIO_PCI_STATUS,
} from '../../../linux/include/uapi/linux/virtio_pci';
import {
  kvm_irqchip_add_irqfd_notifier_gsi,
  kvm_irqchip_add_msi_route,
  kvm_irqchip_commit_routes,
  kvm_irqchip_remove_irqfd_notifier_gsi,
  kvm_irqchip_update_msi_route,
} from '../../accel/kvm/kvm-all';
import { element } from '../../element';
import { io_region, memory_region_add_subregion, type MemoryRegion } from '../../include/exec/memory';
import { msix_state, programmed_msix_state, type MSIMessage } from '../../include/hw/pci/msi';
import { pci_irq_deassert, PCIDeviceCells, type PCIDevice } from '../../include/hw/pci/pci';
import { kvm_irqchip_begin_route_changes, kvm_irqchip_commit_route_changes } from '../../include/sysemu/kvm';
import type { Globals } from '../../machine';
import { withOpaque } from '../../opaque';
import { memory_region_add_eventfd, memory_region_del_eventfd } from '../../softmmu/memory';
import { event_notifier_init, type EventNotifier } from '../../util/event_notifier-posix';
import { do_pci_register_device, pci_qdev_realize, pci_set_irq } from '../pci/pci';
import { msix_enabled, msix_notify, msix_set_vector_notifiers, msix_table_mmio_ops } from '../pci/msix';
import {
  VIRTIO_NO_VECTOR,
  virtio_queue_notify,
  virtio_queue_set_guest_notifier_fd_handler,
  virtio_set_status,
  type VirtIODevice,
} from './virtio';
import { virtio_bus, virtio_bus_reset, virtio_bus_start_ioeventfd, virtio_bus_stop_ioeventfd, type VirtioBusState } from './virtio-bus';

/** virtio devices on PCI: their registers, and the two ways to interrupt. */

export const VIRTIO_PCI_FLAG_USE_IOEVENTFD = 1 << 1;

/** Guest addresses of the device's registers, as the firmware has placed them. */
export const BAR0_PORT = 0xc040;
const BAR0_SIZE = 0x20;
export const MSIX_TABLE = 0xfebf1000;
export const MODERN_BAR = 0xfe000000;
const REGION_SIZE = 0x1000;
/** virtio_pci_queue_mem_mult(): how far the notification registers of two queues are apart. */
export const QUEUE_MEM_MULT = 4;
/** Offsets in the modern BAR. */
export const MODERN = { common: 0, isr: 0x1000, device: 0x2000, notify: 0x3000 } as const;

const IrqfdCells = struct('VirtIOIRQFD', 'A vector whose interrupts come through an irqfd: its GSI, and how many queues share it.', {
  virq: int(-1),
  users: int(),
});

const ProxyCells = struct('VirtIOPCIProxy', 'A virtio device on PCI.', {
  flags: bits(32, [undefined, 'VIRTIO_PCI_FLAG_USE_IOEVENTFD']),
  nvqs_with_notifiers: int(),
});

export type VirtIOPCIProxy = InstanceOf<typeof ProxyCells> & {
  readonly q: Globals;
  readonly pci_dev: PCIDevice;
  readonly bus: VirtioBusState;
  /** Ports in BAR 0 as before virtio 1.0, or structures in memory. A transitional device would have both. */
  readonly layout: 'legacy' | 'modern';
  /** The region with the notification registers. */
  readonly notify: MemoryRegion;
  vector_irqfd: readonly InstanceOf<typeof IrqfdCells>[] | undefined;
};

/**
 * Makes the PCI side of a virtio device and puts it on the bus.
 * @param options.message what the guest has written for the queues’ vector, if it uses messages
 */
export function virtio_pci_proxy(
  q: Globals,
  vdev: () => VirtIODevice,
  options: {
    readonly name: string;
    readonly devfn: number;
    readonly layout: VirtIOPCIProxy['layout'];
    readonly ioeventfd: boolean;
    readonly message: MSIMessage | undefined;
    readonly vector: number;
  },
): VirtIOPCIProxy {
  const { name, devfn, layout, message, vector } = options;
  const own = (): VirtIOPCIProxy => proxy;
  const pci = PCIDeviceCells(name);
  const nvectors = vector + 1;
  const msix = message === undefined ? msix_state(name, nvectors) : programmed_msix_state(name, Array<MSIMessage>(nvectors).fill(message));
  const pci_dev: PCIDevice = Object.assign(pci, {
    name,
    devfn,
    bus: q.pci_bus,
    config: new Map([
      [PCI_COMMAND, element(pci, 'config[PCI_COMMAND]')],
      [PCI_STATUS, element(pci, 'config[PCI_STATUS]')],
      [MSIX_CAP + PCI_MSIX_FLAGS, element(msix.cells, 'config[PCI_MSIX_FLAGS]')],
    ]),
    config_read: withOpaque(do_pci_register_device.config_read, () => pci_dev),
    config_write: withOpaque(do_pci_register_device.config_write, () => pci_dev),
    intx_routing_notifier: undefined,
    msix_cap: MSIX_CAP,
    msix,
    msi_trigger: pci_qdev_realize.msi_trigger,
    bus_master_as: { as: q.address_space_memory, qemu_global_mutex: q.qemu_global_mutex },
  });
  q.pci_bus.devices.push(pci_dev);
  const regions =
    layout === 'legacy'
      ? { notify: io_region({ name: 'virtio-pci', addr: BAR0_PORT, size: BAR0_SIZE }, virtio_pci_config_ops, own) }
      : {
          common: io_region({ name: 'virtio-pci-common', addr: MODERN_BAR + MODERN.common, size: REGION_SIZE }, common_ops, own),
          isr: io_region({ name: 'virtio-pci-isr', addr: MODERN_BAR + MODERN.isr, size: REGION_SIZE }, isr_ops, own),
          notify: io_region({ name: 'virtio-pci-notify', addr: MODERN_BAR + MODERN.notify, size: REGION_SIZE }, notify_ops, own),
        };
  for (const mr of Object.values(regions))
    memory_region_add_subregion(layout === 'legacy' ? q.address_space_io : q.address_space_memory, mr);
  const table = io_region({ name: 'msix-table', addr: MSIX_TABLE, size: REGION_SIZE }, msix_table_mmio_ops, () => pci_dev);
  memory_region_add_subregion(q.address_space_memory, table);

  const { notify, ioeventfd_enabled, ioeventfd_assign, set_guest_notifiers } = virtio_pci_bus_class_init;
  const klass = {
    notify: withOpaque(notify, own),
    ioeventfd_enabled: withOpaque(ioeventfd_enabled, own),
    ioeventfd_assign: withOpaque(ioeventfd_assign, own),
    set_guest_notifiers: withOpaque(set_guest_notifiers, own),
  };
  const proxy: VirtIOPCIProxy = Object.assign(ProxyCells(name, { flags: options.ioeventfd ? VIRTIO_PCI_FLAG_USE_IOEVENTFD : 0 }), {
    q,
    pci_dev,
    bus: virtio_bus(name, klass, vdev),
    layout,
    notify: regions.notify,
    vector_irqfd: undefined,
  });
  return proxy;
}

const MSIX_CAP = 0x98;
const PCI_MSIX_FLAGS = 2;

const { fn, ops } = source('qemu', 'hw/virtio/virtio-pci.c');

const virtio_pci_notify = fn(
  'Interrupts the driver: by the queue’s message if it uses messages, else by the pin, which stays up until the driver reads the ISR register.',
  function* virtio_pci_notify(proxy: VirtIOPCIProxy, vector: number) {
    atCall('msix_enabled');
    if (!msix_enabled(proxy.pci_dev)) yield* pci_set_irq(proxy.pci_dev, proxy.bus.vdev().isr & 1 ? 1 : 0);
    else if (vector !== VIRTIO_NO_VECTOR) yield* msix_notify(proxy.pci_dev, vector);
  },
);

const virtio_pci_ioeventfd_enabled = fn(
  'Whether notifications may go through eventfds: the property `ioeventfd`, on unless somebody switches it off.',
  function* virtio_pci_ioeventfd_enabled(proxy: VirtIOPCIProxy) {
    at('VIRTIO_PCI_FLAG_USE_IOEVENTFD');
    return (proxy.flags & VIRTIO_PCI_FLAG_USE_IOEVENTFD) !== 0;
  },
);

const virtio_pci_ioeventfd_assign = fn(
  'Puts an eventfd where the driver notifies of a queue. Modern devices have an address for each queue, so any write there will do; legacy ones share a port, and the value written tells the queues apart.',
  function* virtio_pci_ioeventfd_assign(proxy: VirtIOPCIProxy, notifier: EventNotifier, n: number, assign: boolean) {
    const fd =
      proxy.layout === 'modern'
        ? { addr: QUEUE_MEM_MULT * n, size: 0, match_data: false, data: n, e: notifier }
        : { addr: VIRTIO_PCI_QUEUE_NOTIFY, size: 2, match_data: true, data: n, e: notifier };
    if (assign) yield* memory_region_add_eventfd(proxy.q.memory, proxy.notify, fd);
    else yield* memory_region_del_eventfd(proxy.q.memory, proxy.notify, fd);
    return 0;
  },
);

const virtio_pci_start_ioeventfd = fn(
  'The driver is ready: its notifications may go through eventfds.',
  function* virtio_pci_start_ioeventfd(proxy: VirtIOPCIProxy) {
    yield* virtio_bus_start_ioeventfd(proxy.bus);
  },
);

const virtio_pci_stop_ioeventfd = fn(
  'The driver lets go: no notifications through eventfds any more.',
  function* virtio_pci_stop_ioeventfd(proxy: VirtIOPCIProxy) {
    yield* virtio_bus_stop_ioeventfd(proxy.bus);
  },
);

const virtio_pci_reset = fn(
  'The driver has written a status of 0: the device forgets everything.',
  function* virtio_pci_reset(proxy: VirtIOPCIProxy) {
    yield* virtio_bus_reset(proxy.bus);
    atCall('msix_unuse_all_vectors');
  },
);

const virtio_ioport_write = fn(
  'The driver writes a register of a legacy device: a notification, or its status.',
  function* virtio_ioport_write(proxy: VirtIOPCIProxy, addr: number, val: number) {
    const vdev = proxy.bus.vdev();
    switch (addr) {
      case VIRTIO_PCI_QUEUE_NOTIFY:
        yield* virtio_queue_notify(vdev, val);
        break;
      case VIRTIO_PCI_STATUS:
        if (!(val & VIRTIO_CONFIG_S_DRIVER_OK)) yield* virtio_pci_stop_ioeventfd(proxy);
        yield* virtio_set_status(vdev, val & 0xff);
        if (val & VIRTIO_CONFIG_S_DRIVER_OK) yield* virtio_pci_start_ioeventfd(proxy);
        if (vdev.status === 0) {
          behind('virtio_set_status');
          yield* virtio_pci_reset(proxy);
        }
        break;
      default:
        atCall('qemu_log_mask');
    }
  },
);

const virtio_ioport_read = fn(
  'The driver reads a register of a legacy device. Reading the ISR register clears it and takes the pin down.',
  function* virtio_ioport_read(proxy: VirtIOPCIProxy, addr: number) {
    const vdev = proxy.bus.vdev();
    at('addr');
    switch (addr) {
      case VIRTIO_PCI_STATUS:
        return vdev.status;
      case VIRTIO_PCI_ISR: {
        atCall('qatomic_xchg');
        const ret = vdev.isr;
        vdev.isr = 0;
        yield* pci_irq_deassert(proxy.pci_dev);
        return ret;
      }
      default:
        return 0xffffffff;
    }
  },
);

const virtio_pci_config_read = fn(
  'A read from the ports of a legacy device.',
  function* virtio_pci_config_read(proxy: VirtIOPCIProxy, addr: number, _size: number) {
    return yield* virtio_ioport_read(proxy, addr);
  },
);

const virtio_pci_config_write = fn(
  'A write to the ports of a legacy device.',
  function* virtio_pci_config_write(proxy: VirtIOPCIProxy, addr: number, val: number, _size: number) {
    yield* virtio_ioport_write(proxy, addr, val);
  },
);

const virtio_pci_config_ops = ops('virtio_pci_config_ops', { read: virtio_pci_config_read, write: virtio_pci_config_write });

const virtio_pci_common_read = fn(
  'The driver reads the common configuration.',
  function* virtio_pci_common_read(proxy: VirtIOPCIProxy, addr: number, _size: number) {
    at('addr');
    return addr === VIRTIO_PCI_COMMON_STATUS ? proxy.bus.vdev().status : 0;
  },
);

const virtio_pci_common_write = fn(
  'The driver writes the common configuration. With DRIVER_OK it says that its queues are ready.',
  function* virtio_pci_common_write(proxy: VirtIOPCIProxy, addr: number, val: number, _size: number) {
    at('addr');
    const vdev = proxy.bus.vdev();
    if (addr !== VIRTIO_PCI_COMMON_STATUS) return;
    if (!(val & VIRTIO_CONFIG_S_DRIVER_OK)) yield* virtio_pci_stop_ioeventfd(proxy);
    yield* virtio_set_status(vdev, val & 0xff);
    if (val & VIRTIO_CONFIG_S_DRIVER_OK) yield* virtio_pci_start_ioeventfd(proxy);
    if (vdev.status === 0) yield* virtio_pci_reset(proxy);
  },
);

const virtio_pci_notify_read = fn(
  'There is nothing to read in a notification register.',
  function* virtio_pci_notify_read(_proxy: VirtIOPCIProxy, _addr: number, _size: number) {
    atCall('virtio_bus_get_device');
    return 0;
  },
);

const virtio_pci_notify_write = fn(
  'A notification that no eventfd caught on the way: the address says for which queue.',
  function* virtio_pci_notify_write(proxy: VirtIOPCIProxy, addr: number, _val: number, _size: number) {
    atCall('virtio_pci_queue_mem_mult');
    yield* virtio_queue_notify(proxy.bus.vdev(), Math.floor(addr / QUEUE_MEM_MULT));
  },
);

const virtio_pci_isr_read = fn(
  'The driver reads why it was interrupted, which clears it and takes the pin down.',
  function* virtio_pci_isr_read(proxy: VirtIOPCIProxy, _addr: number, _size: number) {
    const vdev = proxy.bus.vdev();
    atCall('qatomic_xchg');
    const val = vdev.isr;
    vdev.isr = 0;
    yield* pci_irq_deassert(proxy.pci_dev);
    return val;
  },
);

const virtio_pci_isr_write = fn(
  'The ISR register cannot be written.',
  function* virtio_pci_isr_write(_proxy: VirtIOPCIProxy, _addr: number, _val: number, _size: number) {},
);

const common_ops = ops('virtio_pci_modern_regions_init', { read: virtio_pci_common_read, write: virtio_pci_common_write });
const isr_ops = ops('virtio_pci_modern_regions_init', { read: virtio_pci_isr_read, write: virtio_pci_isr_write });
const notify_ops = ops('virtio_pci_modern_regions_init', { read: virtio_pci_notify_read, write: virtio_pci_notify_write });

const kvm_virtio_pci_vq_vector_use = fn(
  'Routes a GSI to a vector’s message; queues that share the vector share it.',
  function* kvm_virtio_pci_vq_vector_use(proxy: VirtIOPCIProxy, vector: number) {
    const irqfd = proxy.vector_irqfd?.[vector];
    at('users');
    if (irqfd === undefined) return 0;
    if (irqfd.users === 0) {
      const c = yield* kvm_irqchip_begin_route_changes(proxy.q.kvm_state);
      const ret = yield* kvm_irqchip_add_msi_route(c, vector, proxy.pci_dev);
      if (ret < 0) return ret;
      yield* kvm_irqchip_commit_route_changes(c);
      irqfd.virq = ret;
    }
    irqfd.users += 1;
    return 0;
  },
);

const kvm_virtio_pci_vector_use = fn(
  'Gives every vector that a queue uses a GSI. The irqfds themselves wait until the vector is open.',
  function* kvm_virtio_pci_vector_use(proxy: VirtIOPCIProxy, nvqs: number) {
    for (const vq of proxy.bus.vdev().vq.slice(0, nvqs)) {
      atCall('msix_nr_vectors_allocated');
      if (vq.vector >= proxy.pci_dev.msix!.msix_table.length) continue;
      const ret = yield* kvm_virtio_pci_vq_vector_use(proxy, vq.vector);
      if (ret < 0) return ret;
    }
    return 0;
  },
);

const kvm_virtio_pci_irqfd_use = fn(
  'From now on KVM listens to the queue’s guest notifier and sends the message by itself.',
  function* kvm_virtio_pci_irqfd_use(proxy: VirtIOPCIProxy, queue_no: number, vector: number) {
    const irqfd = proxy.vector_irqfd![vector]!;
    const vq = proxy.bus.vdev().vq[queue_no]!;
    return yield* kvm_irqchip_add_irqfd_notifier_gsi(proxy.q.kvm_state, vq.guest_notifier, undefined, irqfd.virq);
  },
);

const kvm_virtio_pci_irqfd_release = fn(
  'KVM does not listen any more: what is signalled stays in the eventfd’s count.',
  function* kvm_virtio_pci_irqfd_release(proxy: VirtIOPCIProxy, queue_no: number, vector: number) {
    const irqfd = proxy.vector_irqfd![vector]!;
    const vq = proxy.bus.vdev().vq[queue_no]!;
    yield* kvm_irqchip_remove_irqfd_notifier_gsi(proxy.q.kvm_state, vq.guest_notifier, irqfd.virq);
  },
);

const virtio_pci_vq_vector_unmask = fn(
  'The guest has opened a vector: its route follows the message, and the irqfd is attached. What was signalled meanwhile interrupts now.',
  function* virtio_pci_vq_vector_unmask(proxy: VirtIOPCIProxy, queue_no: number, vector: number, msg: MSIMessage) {
    const irqfd = proxy.vector_irqfd?.[vector];
    at('vector_irqfd');
    if (irqfd !== undefined) {
      const ret = yield* kvm_irqchip_update_msi_route(proxy.q.kvm_state, irqfd.virq, msg);
      if (ret < 0) return ret;
      yield* kvm_irqchip_commit_routes(proxy.q.kvm_state);
    }
    return yield* kvm_virtio_pci_irqfd_use(proxy, queue_no, vector);
  },
);

const virtio_pci_vq_vector_mask = fn(
  'The guest has masked a vector: KVM must not send its message.',
  function* virtio_pci_vq_vector_mask(proxy: VirtIOPCIProxy, queue_no: number, vector: number) {
    yield* kvm_virtio_pci_irqfd_release(proxy, queue_no, vector);
  },
);

const virtio_pci_vector_unmask = fn(
  'The guest has opened a vector: all queues that use it follow.',
  function* virtio_pci_vector_unmask(proxy: VirtIOPCIProxy, vector: number, msg: MSIMessage) {
    atCall('virtio_vector_first_queue');
    for (const vq of proxy.bus.vdev().vq)
      if (vq.vector === vector && vq.queue_index < proxy.nvqs_with_notifiers)
        yield* virtio_pci_vq_vector_unmask(proxy, vq.queue_index, vector, msg);
    return 0;
  },
);

const virtio_pci_vector_mask = fn(
  'The guest has masked a vector: all queues that use it follow.',
  function* virtio_pci_vector_mask(proxy: VirtIOPCIProxy, vector: number) {
    atCall('virtio_vector_first_queue');
    for (const vq of proxy.bus.vdev().vq)
      if (vq.vector === vector && vq.queue_index < proxy.nvqs_with_notifiers)
        yield* virtio_pci_vq_vector_mask(proxy, vq.queue_index, vector);
  },
);

const virtio_pci_set_guest_notifier = fn(
  'Opens the eventfd by which a queue’s interrupts are asked for.',
  function* virtio_pci_set_guest_notifier(proxy: VirtIOPCIProxy, n: number, assign: boolean, with_irqfd: boolean) {
    const vq = proxy.bus.vdev().vq[n]!;
    yield* event_notifier_init(vq.guest_notifier);
    yield* virtio_queue_set_guest_notifier_fd_handler(vq, assign, with_irqfd);
    return 0;
  },
);

const virtio_pci_set_guest_notifiers = fn(
  'A thread without the BQL will interrupt the driver: by eventfds, which KVM listens to where the driver uses messages, and QEMU’s main loop where it uses the pin.',
  function* virtio_pci_set_guest_notifiers(proxy: VirtIOPCIProxy, nvqs: number, assign: boolean) {
    const with_irqfd = msix_enabled(proxy.pci_dev);
    proxy.nvqs_with_notifiers = nvqs;
    for (let n = 0; n < nvqs; n++) yield* virtio_pci_set_guest_notifier(proxy, n, assign, with_irqfd);
    behind('virtio_pci_set_guest_notifier');
    at('vector_irqfd');
    if (!with_irqfd) return 0;
    proxy.vector_irqfd = proxy.pci_dev.msix!.msix_table.map((_, vector) => IrqfdCells(`${proxy.pci_dev.name} vector ${vector}`));
    yield* kvm_virtio_pci_vector_use(proxy, nvqs);
    return yield* msix_set_vector_notifiers(proxy.pci_dev, {
      use: addressOf(bound(virtio_pci_vector_unmask, () => proxy)),
      release: addressOf(bound(virtio_pci_vector_mask, () => proxy)),
    });
  },
);

/** How the bus of a virtio device works on PCI. */
const virtio_pci_bus_class_init = ops('virtio_pci_bus_class_init', {
  notify: virtio_pci_notify,
  ioeventfd_enabled: virtio_pci_ioeventfd_enabled,
  ioeventfd_assign: virtio_pci_ioeventfd_assign,
  set_guest_notifiers: virtio_pci_set_guest_notifiers,
});
