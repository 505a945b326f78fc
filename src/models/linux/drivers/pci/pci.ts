import { bool, int, oneOf, struct, type InstanceOf } from '../../../../engine/cell';
import { architecturally, source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, atWrite } from '../../../../engine/steps';
import { clear_cause, read_config, write_config, type PciFunction } from '../../../hardware/pci_function';
import { device as linux_device, type Device } from '../../include/linux/device';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY } from '../../include/uapi/linux/pci_regs';
import type { PciMsi } from '../../include/linux/msi';
import type { IrqDesc } from '../../kernel/irq/irqdesc';
import type { PciDriver } from './pci-driver';

/** How a kernel reaches a configuration space: the host's the device itself, a guest's what its hypervisor shows. */
export interface ConfigAccess {
  readonly read_word: (where: number) => Run<number>;
  readonly write_word: (where: number, value: number) => Run;
  readonly write_dword: (where: number, value: number) => Run;
}

/** A `pci_dev` of any kernel. */
export interface AnyPciDev {
  readonly name: string;
  readonly config: ConfigAccess;
  readonly msi?: PciMsi;
}

export const PCI_D0 = 0;
export const PCI_D3hot = 3;
export const PCI_UNKNOWN = 5;

const PciDevCells = struct(
  'pci_dev',
  'The kernel’s view of a PCI function: who has enabled it, and its power state. num_VFs: virtual functions that it has made.',
  {
    current_state: oneOf({ PCI_D0, PCI_D3hot, PCI_UNKNOWN }, PCI_D0),
    enable_cnt: int(),
    is_busmaster: bool(),
    'sriov.num_VFs': int(),
  },
);

/** A `pci_dev` of the host: the kernel's view of the device, with its interrupt. */
export type PciDev = AnyPciDev &
  InstanceOf<typeof PciDevCells> & {
    readonly function: PciFunction;
    readonly irq: IrqDesc;
    readonly dev: Device;
    /** The bus's driver that has it, as PCI knows it. */
    driver: PciDriver | undefined;
    /** pci_is_pcie(): it has the PCI Express capability, and so can report errors. */
    readonly pcie: boolean;
    /** For a virtual function, the physical one that made it. */
    readonly physfn: PciDev | undefined;
    /** For a physical function, how it makes virtual ones. */
    readonly sriov: PciSriov | undefined;
  };

/** SR-IOV: a physical function can make virtual ones, each a device of its own to an IOMMU. */
export interface PciSriov {
  readonly total_VFs: number;
  /** The next virtual function comes to be in hardware, with its own `pci_dev`. */
  readonly make: (index: number) => PciDev;
  readonly virtfns: PciDev[];
}

/** What a device is on the host besides a function with an interrupt; a flow that begins with it open needs none of this. */
export interface PciDevParts {
  readonly dev?: (pdev: () => PciDev) => Device;
  readonly driver?: PciDriver;
  readonly pcie?: boolean;
  readonly physfn?: PciDev;
  readonly sriov?: PciSriov;
}

/** The host's view of a device. */
export function pci_dev(device: PciFunction, irq: IrqDesc, name: string, msi?: PciMsi, parts: PciDevParts = {}): PciDev {
  const write = (where: number, value: number): Run => write_config(device, where, value);
  const config: ConfigAccess = { read_word: (where) => read_config(device, where), write_word: write, write_dword: write };
  const pdev: PciDev = Object.assign(PciDevCells(name), {
    function: device,
    irq,
    name,
    config,
    dev: parts.dev === undefined ? linux_device(name) : parts.dev(() => pdev),
    driver: parts.driver,
    pcie: parts.pcie ?? false,
    physfn: parts.physfn,
    sriov: parts.sriov,
    ...(msi === undefined ? {} : { msi }),
  });
  return pdev;
}

const { fn } = source('linux', 'drivers/pci/pci.c');

export const pci_intx = fn(
  'Sets or clears DisINTx, the bit that keeps a device from asserting INTx at all.',
  function* pci_intx(pdev: AnyPciDev, enable: boolean) {
    atCall('pci_read_config_word');
    const pci_command = yield* pdev.config.read_word(PCI_COMMAND);
    const wanted = enable ? pci_command & ~PCI_COMMAND_INTX_DISABLE : pci_command | PCI_COMMAND_INTX_DISABLE;
    if (wanted === pci_command) return;
    atCall('pci_write_config_word');
    yield* pdev.config.write_word(PCI_COMMAND, wanted);
  },
);

const __pci_set_power_state = fn(
  'Moves the device to another power state, if it is in another: up by itself first, down by the platform last.',
  function* __pci_set_power_state(dev: PciDev, state: PciDev['current_state']) {
    at('current_state');
    if (dev.current_state === state) return 0;
    atCall(state === PCI_D0 ? 'pci_set_full_power_state' : 'pci_set_low_power_state');
    dev.current_state = state;
    return 0;
  },
);

export const pci_set_power_state = fn(
  'Moves the device to a power state. In D3hot it keeps its registers but answers to nothing else.',
  function* pci_set_power_state(dev: PciDev, state: PciDev['current_state']) {
    return yield* __pci_set_power_state(dev, state);
  },
);

export const pci_finish_runtime_suspend = fn(
  'The last part of a runtime suspend: chooses the deepest state from which the device can come back, and puts it there.',
  function* pci_finish_runtime_suspend(dev: PciDev) {
    return yield* pci_set_power_state(dev, PCI_D3hot);
  },
);

export const pci_power_up = fn(
  'Wakes the device without asking what it was before: its registers say so themselves.',
  function* pci_power_up(dev: PciDev) {
    atCall('platform_pci_set_power_state');
    atCall('pci_read_config_word');
    if (dev.current_state !== PCI_D0) atCall('pci_write_config_word');
    atWrite('current_state', 'udelay');
    dev.current_state = PCI_D0;
    return 0;
  },
);

const __pci_set_master = fn('Lets the device master the bus, or not.', function* __pci_set_master(dev: PciDev, enable: boolean) {
  atCall('pci_read_config_word');
  const old_cmd = yield* dev.config.read_word(PCI_COMMAND);
  const cmd = enable ? old_cmd | PCI_COMMAND_MASTER : old_cmd & ~PCI_COMMAND_MASTER;
  if (cmd !== old_cmd) {
    atCall('pci_write_config_word');
    yield* dev.config.write_word(PCI_COMMAND, cmd);
  }
  dev.is_busmaster = enable;
});

export const pci_clear_master = fn(
  'Keeps the device from mastering the bus: no DMA, and no messages.',
  function* pci_clear_master(dev: PciDev) {
    yield* __pci_set_master(dev, false);
  },
);

export const pci_enable_device = fn('Wakes the device and switches its BARs on.', function* pci_enable_device(dev: PciDev) {
  atCall('pci_enable_device_flags');
  dev.enable_cnt += 1;
  if (dev.current_state !== PCI_D0) dev.current_state = PCI_D0;
  const cmd = dev.function.PCI_COMMAND;
  if (dev.physfn === undefined && !(cmd & PCI_COMMAND_MEMORY)) yield* dev.config.write_word(PCI_COMMAND, cmd | PCI_COMMAND_MEMORY);
  return 0;
});

export const pci_disable_device = fn(
  'The device is no longer needed: switches it off as a bus master.',
  function* pci_disable_device(dev: PciDev) {
    atCall('atomic_dec_return');
    dev.enable_cnt -= 1;
    if (dev.enable_cnt === 0) {
      atCall('do_pci_disable_device');
      dev.is_busmaster = false;
    }
  },
);

export const pci_save_state = fn(
  'Reads the configuration space into memory, to be put back after a reset.',
  function* pci_save_state(dev: PciDev) {
    at('saved_config_space');
    yield* dev.config.read_word(PCI_COMMAND);
    return 0;
  },
);

export const pci_store_saved_state = fn(
  'Takes a copy of what was saved, since others save and restore too.',
  function* pci_store_saved_state(_dev: PciDev) {
    atCall('kzalloc');
  },
);

export const pci_try_reset_function = fn(
  'Resets the device, if its lock is free: whoever waits here could be waited for. What a former user has left in it must not reach the next.',
  function* pci_try_reset_function(dev: PciDev) {
    atCall('pci_dev_trylock');
    atCall('__pci_reset_function_locked');
    if (dev.function.irq_status !== 0) yield* architecturally('mmio', clear_cause)(dev.function, 0xffffffff);
    return 0;
  },
);
