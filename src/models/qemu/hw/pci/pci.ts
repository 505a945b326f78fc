import { source, through, type Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall } from '../../../../engine/steps';
import type { Element } from '../../element';
import type { MSIMessage } from '../../include/hw/pci/msi';
import { PCI_NUM_PINS, type PCIBus, type PCIDevice, type PCIINTxRoute } from '../../include/hw/pci/pci';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_STATUS, PCI_STATUS_INTERRUPT } from '../../../linux/include/uapi/linux/pci_regs';
import { address_space_st } from '../../softmmu/physmem';
import { msi_get_message, msi_write_config } from './msi';
import { msix_enabled, msix_get_message, msix_write_config } from './msix';

/** The emulated PCI bus: INTx from a device's pin to the board, and the configuration space. */

const { fn, ops } = source('qemu', 'hw/pci/pci.c');

const register = ({ name, config }: PCIDevice, addr: number): Element => {
  const found = config.get(addr);
  if (found === undefined) throw new Error(`${name} has no configuration register at offset 0x${addr.toString(16)} in these models`);
  return found;
};

/** pci_irq_disabled(): whether the guest has set DisINTx. */
const pci_irq_disabled = (d: PCIDevice): boolean => ((d.config.get(PCI_COMMAND)?.value ?? 0) & PCI_COMMAND_INTX_DISABLE) !== 0;

/** pci_irq_state(): the level that the device drives a pin to. */
const pci_irq_state = (d: PCIDevice, irq_num: number): 0 | 1 => ((d.irq_state >> irq_num) & 1 ? 1 : 0);

const pci_set_irq_state = fn('Remembers the level of a pin.', function* pci_set_irq_state(d: PCIDevice, irq_num: number, level: 0 | 1) {
  d.irq_state = (d.irq_state & ~(1 << irq_num)) | (level << irq_num);
});

const pci_bus_change_irq_level = fn(
  'Counts how many devices assert a line of the host bridge, and drives it while any does.',
  function* pci_bus_change_irq_level(bus: PCIBus, irq_num: number, change: number) {
    const count = bus.irq_count[irq_num];
    if (count === undefined) throw new Error(`the bus has no interrupt line ${irq_num}`);
    at('irq_count');
    count.value += change;
    yield* through('function pointer', 'set_irq', bus.irqs.set_irq)(irq_num, count.value !== 0 ? 1 : 0);
  },
);

const pci_change_irq_level = fn(
  'Finds the line of the host bridge that a pin is wired to, through every bridge between.',
  function* pci_change_irq_level(pci_dev: PCIDevice, irq_num: number, change: number) {
    const line = yield* through('function pointer', 'map_irq', pci_dev.bus.irqs.map_irq)(pci_dev.devfn, irq_num);
    yield* pci_bus_change_irq_level(pci_dev.bus, line, change);
  },
);

const pci_update_irq_status = fn(
  'Shows the pins’ state in the status register of QEMU’s copy of the configuration space.',
  function* pci_update_irq_status(dev: PCIDevice) {
    const status = register(dev, PCI_STATUS);
    at('config');
    status.value = dev.irq_state !== 0 ? status.value | PCI_STATUS_INTERRUPT : status.value & ~PCI_STATUS_INTERRUPT;
  },
);

const pci_irq_handler = fn(
  'A pin changes its level. Nothing happens where it has that level already; with DisINTx set the change is remembered but not passed on.',
  function* pci_irq_handler(pci_dev: PCIDevice, irq_num: number, level: 0 | 1) {
    atCall('pci_irq_state');
    const change = level - pci_irq_state(pci_dev, irq_num);
    if (change === 0) return;
    yield* pci_set_irq_state(pci_dev, irq_num, level);
    yield* pci_update_irq_status(pci_dev);
    atCall('pci_irq_disabled');
    if (pci_irq_disabled(pci_dev)) return;
    yield* pci_change_irq_level(pci_dev, irq_num, change);
  },
);

export const pci_device_deassert_intx = fn('Takes all of a device’s pins down.', function* pci_device_deassert_intx(dev: PCIDevice) {
  for (let i = 0; i < PCI_NUM_PINS; i++) yield* pci_irq_handler(dev, i, 0);
});

export const pci_set_irq = fn('The device drives its one INTx pin.', function* pci_set_irq(pci_dev: PCIDevice, level: 0 | 1) {
  atCall('pci_intx');
  yield* pci_irq_handler(pci_dev, PIN_A, level);
});

const pci_update_irq_disabled = fn(
  'After a change of DisINTx: takes the asserted pins off the bus or puts them back. All four pins are driven again, asserted or not.',
  function* pci_update_irq_disabled(d: PCIDevice, was_irq_disabled: boolean) {
    atCall('pci_irq_disabled');
    const disabled = pci_irq_disabled(d);
    if (disabled === was_irq_disabled) return;
    for (let pin = 0; pin < PCI_NUM_PINS; pin++) {
      const state = pci_irq_state(d, pin);
      yield* pci_change_irq_level(d, pin, disabled ? -state : state);
    }
  },
);

export const pci_default_write_config = fn(
  'Stores into QEMU’s copy of the configuration space and does what follows from it: BAR mappings, DisINTx.',
  function* pci_default_write_config(d: PCIDevice, addr: number, val: number, _l: number) {
    atCall('pci_irq_disabled');
    const was_irq_disabled = pci_irq_disabled(d);
    const target = register(d, addr);
    at('config');
    target.value = val;
    if (addr === PCI_COMMAND) {
      atCall('pci_update_mappings');
      yield* pci_update_irq_disabled(d, was_irq_disabled);
    }
    yield* msi_write_config(d, addr);
    yield* msix_write_config(d, addr);
  },
);

export const pci_get_msi_message = fn(
  'The message of a vector, of whichever kind the guest has on.',
  function* pci_get_msi_message(dev: PCIDevice, vector: number) {
    return msix_enabled(dev) ? yield* msix_get_message(dev, vector) : yield* msi_get_message(dev, vector);
  },
);

const pci_msi_trigger = fn(
  'A device’s message is a store into its bus: what listens at that address takes it.',
  function* pci_msi_trigger(dev: PCIDevice, { address, data }: MSIMessage) {
    if (dev.bus_master_as === undefined) return;
    yield* address_space_st('address_space_stl_le', dev.bus_master_as.qemu_global_mutex, dev.bus_master_as.as, address, data, 4);
  },
);

/** What pci_qdev_realize() gives every device. */
export const pci_qdev_realize = ops('pci_qdev_realize', { msi_trigger: pci_msi_trigger });

export const pci_default_read_config = fn(
  'Loads from QEMU’s copy of the configuration space.',
  function* pci_default_read_config(d: PCIDevice, address: number, _len: number) {
    at('config');
    return d.config.get(address)?.value ?? 0;
  },
);

/** What do_pci_register_device() gives a device that has no operations of its own. */
export const do_pci_register_device = ops('do_pci_register_device', {
  config_read: pci_default_read_config,
  config_write: pci_default_write_config,
});

export const pci_device_route_intx_to_irq = fn(
  'Follows a pin through the bridges to the GSI that the board routes it to now.',
  function* pci_device_route_intx_to_irq(dev: PCIDevice, pin: number): Run<PCIINTxRoute> {
    const line = yield* through('function pointer', 'map_irq', dev.bus.irqs.map_irq)(dev.devfn, pin);
    return yield* through('function pointer', 'route_intx_to_irq', dev.bus.irqs.route_intx_to_irq)(line);
  },
);

export const pci_intx_route_changed = fn(
  'Whether two routes differ.',
  function* pci_intx_route_changed(old: PCIINTxRoute, now: PCIINTxRoute) {
    at('mode');
    return old.mode !== now.mode || old.irq !== now.irq;
  },
);

export const pci_bus_fire_intx_routing_notifier = fn(
  'The board has changed its interrupt routing: tells every device that asked.',
  function* pci_bus_fire_intx_routing_notifier(bus: PCIBus) {
    for (const dev of bus.devices) {
      if (dev.intx_routing_notifier !== undefined) yield* through('function pointer', 'intx_routing_notifier', dev.intx_routing_notifier)();
    }
  },
);

export const pci_device_set_intx_routing_notifier = fn(
  'Asks to be told when the route of this device’s INTx may have changed.',
  function* pci_device_set_intx_routing_notifier(dev: PCIDevice, notifier: Pointer<[], void>) {
    at('intx_routing_notifier');
    dev.intx_routing_notifier = notifier;
  },
);

/** pci_intx(): the one pin that the modelled devices have. */
const PIN_A = 0;
