import { source, through } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { acquire, release } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import { MSI_CAP, MSIX_CAP } from '../../../../hardware/msi';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MEMORY,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_VENDOR_ID,
} from '../../../include/uapi/linux/pci_regs';
import { VFIO_PCI_MSI_IRQ_INDEX } from '../../../include/uapi/linux/vfio';
import { BAR0_SIZE, vfio_pci_zap_and_down_write_memory_lock } from './vfio_pci_core';
import { vfio_pci_intx_mask, vfio_pci_intx_unmask } from './vfio_pci_intrs';
import type { VfioPciCoreDevice } from './vfio_pci_priv';

/**
 * The virtual configuration space: what a user reads and writes is not always the device's own. Of each register two masks say
 * which bits are virtual, kept in vconfig, and which may be written at all.
 */

/** A register of the virtual configuration space. */
interface VirtualRegister {
  readonly virt: number;
  readonly write: number;
  /** vconfig at this register. */
  readonly get: (vdev: VfioPciCoreDevice) => number;
  readonly set: (vdev: VfioPciCoreDevice, value: number) => void;
}

const ALL = 0xffffffff;

type Vconfig =
  | 'vconfig.PCI_VENDOR_ID'
  | 'vconfig.PCI_DEVICE_ID'
  | 'vconfig.PCI_COMMAND'
  | 'vconfig.PCI_BASE_ADDRESS_0'
  | 'vconfig.PCI_INTERRUPT_LINE'
  | 'vconfig.PCI_MSI_FLAGS';

const word = (cell: Vconfig, virt: number, write: number): VirtualRegister => ({
  virt,
  write,
  get: (vdev) => vdev[cell],
  set: (vdev, value) => {
    vdev[cell] = value;
  },
});

/** What init_pci_cap_basic_perm() and init_pci_cap_msi_perm() allow, of the registers that the models have. */
const PERMISSIONS: ReadonlyMap<number, VirtualRegister> = new Map([
  [PCI_VENDOR_ID, word('vconfig.PCI_VENDOR_ID', ALL, 0)],
  [PCI_DEVICE_ID, word('vconfig.PCI_DEVICE_ID', ALL, 0)],
  [PCI_COMMAND, word('vconfig.PCI_COMMAND', PCI_COMMAND_INTX_DISABLE, ALL)],
  [PCI_BASE_ADDRESS_0, word('vconfig.PCI_BASE_ADDRESS_0', ALL, ALL)],
  [PCI_INTERRUPT_LINE, word('vconfig.PCI_INTERRUPT_LINE', ALL, ALL)],
  [
    PCI_INTERRUPT_PIN,
    {
      virt: ALL,
      write: 0,
      get: (vdev) => Number(vdev['vconfig.PCI_INTERRUPT_PIN']),
      set: () => undefined,
    },
  ],
  // Of the MSI capability all is virtual: the device's own message is the host's.
  [MSI_CAP + PCI_MSI_FLAGS, word('vconfig.PCI_MSI_FLAGS', ALL, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE)],
]);

const { fn, ops } = source('linux', 'drivers/vfio/pci/vfio_pci_config.c');

const vfio_user_config_read = fn('Reads the device’s own register.', function* vfio_user_config_read(vdev: VfioPciCoreDevice, pos: number) {
  atCall('pci_user_read_config_word');
  return yield* vdev.pdev.config.read_word(pos);
});

const vfio_user_config_write = fn(
  'Writes the device’s own register.',
  function* vfio_user_config_write(vdev: VfioPciCoreDevice, pos: number, value: number) {
    atCall('pci_user_write_config_word');
    yield* vdev.pdev.config.write_word(pos, value);
    return 0;
  },
);

const vfio_default_config_read = fn(
  'Puts a value together: the virtual bits from vconfig, the others from the device.',
  function* vfio_default_config_read(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister) {
    at('vconfig');
    const val = perm.get(vdev);
    if (perm.virt === ALL) return val;
    const phys_val = yield* vfio_user_config_read(vdev, pos);
    return ((val & perm.virt) | (phys_val & ~perm.virt)) >>> 0;
  },
);

const vfio_default_config_write = fn(
  'Takes a value apart: bits that may not be written are dropped, virtual ones go to vconfig, the others to the device.',
  function* vfio_default_config_write(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister, value: number) {
    const virt = perm.write & perm.virt;
    at('write');
    if (perm.write === 0) return 2;
    if (virt !== 0) {
      at('vconfig');
      perm.set(vdev, (perm.get(vdev) & ~virt) | (value & virt));
    }
    const phys = perm.write & ~perm.virt;
    if (phys !== 0) {
      const phys_val = yield* vfio_user_config_read(vdev, pos);
      yield* vfio_user_config_write(vdev, pos, (phys_val & ~phys) | (value & phys));
    }
    return 2;
  },
);

const vfio_basic_config_read = fn(
  'A read of the standard header. BARs are made to look like the device’s, with addresses that only the user knows.',
  function* vfio_basic_config_read(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister) {
    if (pos === PCI_BASE_ADDRESS_0) {
      atCall('vfio_bar_fixup');
      vdev['vconfig.PCI_BASE_ADDRESS_0'] = (vdev['vconfig.PCI_BASE_ADDRESS_0'] & ~(BAR0_SIZE - 1)) >>> 0;
    }
    return yield* vfio_default_config_read(vdev, pos, perm);
  },
);

/** What comes before a write to COMMAND: whoever switches the memory off first loses his mappings of it. */
function* lock_memory(vdev: VfioPciCoreDevice, value: number): Run {
  if (value & PCI_COMMAND_MEMORY) yield* acquire(vdev.memory_lock, 'down_write');
  else yield* vfio_pci_zap_and_down_write_memory_lock(vdev);
}

const vfio_basic_config_write = fn(
  'A write to the standard header. DisINTx is virtual: the user’s bit is remembered in vconfig, and masks or unmasks INTx by VFIO’s own means.',
  function* vfio_basic_config_write(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister, value: number) {
    if (pos !== PCI_COMMAND) {
      const count = yield* vfio_default_config_write(vdev, pos, perm, value);
      if (pos === PCI_BASE_ADDRESS_0) at('bardirty');
      return count;
    }
    yield* lock_memory(vdev, value);
    const count = yield* vfio_default_config_write(vdev, pos, perm, value);
    behind('vfio_default_config_write');
    at('virt_cmd');
    vdev['vconfig.PCI_COMMAND'] = (vdev['vconfig.PCI_COMMAND'] & PCI_COMMAND_INTX_DISABLE) | (value & ~PCI_COMMAND_INTX_DISABLE);
    behind('vfio_default_config_write up_write');
    release(vdev.memory_lock, 'up_write');
    const virt_intx_disable = (value & PCI_COMMAND_INTX_DISABLE) !== 0;
    if (virt_intx_disable && !vdev.virq_disabled) {
      atWrite('virq_disabled', 'up_write');
      vdev.virq_disabled = true;
      yield* vfio_pci_intx_mask(vdev);
    } else if (!virt_intx_disable && vdev.virq_disabled) {
      atWrite('virq_disabled', 'vfio_pci_intx_mask');
      vdev.virq_disabled = false;
      yield* vfio_pci_intx_unmask(vdev);
    }
    return count;
  },
);

/** init_pci_cap_basic_perm() stores the handlers of the standard header. */
const init_pci_cap_basic_perm = ops('init_pci_cap_basic_perm', { readfn: vfio_basic_config_read, writefn: vfio_basic_config_write });

const vfio_msi_config_read = fn(
  'A read of the MSI capability.',
  function* vfio_msi_config_read(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister) {
    at('msi_qmax');
    return yield* vfio_default_config_read(vdev, pos, perm);
  },
);

const vfio_msi_config_write = fn(
  'A write to the MSI capability. Only VFIO_DEVICE_SET_IRQS enables messages: until then the enable bit is taken out again, and the guest may have no more messages than user space asked for. What is left goes to the device.',
  function* vfio_msi_config_write(vdev: VfioPciCoreDevice, pos: number, perm: VirtualRegister, value: number) {
    const count = yield* vfio_default_config_write(vdev, pos, perm, value);
    let flags = vdev['vconfig.PCI_MSI_FLAGS'];
    at('irq_type');
    if (vdev.irq_type !== VFIO_PCI_MSI_IRQ_INDEX) flags &= ~PCI_MSI_FLAGS_ENABLE;
    if ((flags & PCI_MSI_FLAGS_QSIZE) >> 4 > vdev.msi_qmax) flags = (flags & ~PCI_MSI_FLAGS_QSIZE) | (vdev.msi_qmax << 4);
    at('pflags');
    vdev['vconfig.PCI_MSI_FLAGS'] = flags;
    atCall('pci_user_write_config_word');
    yield* vdev.pdev.config.write_word(pos, flags);
    return count;
  },
);

/** init_pci_cap_msi_perm() stores the handlers of the MSI capability. */
const init_pci_cap_msi_perm = ops('init_pci_cap_msi_perm', { readfn: vfio_msi_config_read, writefn: vfio_msi_config_write });

const vfio_config_do_rw = fn(
  'Finds out which capability an access falls into and calls its handler. A capability without a handler for writes drops them: the guest’s MSI-X control never reaches the device.',
  function* vfio_config_do_rw(vdev: VfioPciCoreDevice, pos: number, value: number | undefined) {
    const perm = PERMISSIONS.get(pos);
    const handlers = pos >= MSI_CAP && pos < MSIX_CAP ? init_pci_cap_msi_perm : init_pci_cap_basic_perm;
    if (value === undefined) {
      at('readfn');
      if (perm === undefined) return 0;
      behind('readfn');
      return yield* through('function pointer', 'readfn', handlers.readfn)(vdev, pos, perm);
    }
    at('writefn');
    if (perm === undefined) return 2;
    behind('writefn');
    return yield* through('function pointer', 'writefn', handlers.writefn)(vdev, pos, perm, value);
  },
);

export const vfio_pci_config_rw = fn(
  'Splits an access to the configuration space along its registers.',
  function* vfio_pci_config_rw(vdev: VfioPciCoreDevice, offset: number, value: number | undefined) {
    return yield* vfio_config_do_rw(vdev, offset, value);
  },
);

const vfio_fill_vconfig_bytes = fn(
  'Copies registers of the device into vconfig.',
  function* vfio_fill_vconfig_bytes(vdev: VfioPciCoreDevice, registers: readonly number[]) {
    for (const pos of registers) {
      atCall('pci_read_config_word');
      const value = yield* vdev.pdev.config.read_word(pos);
      behind('pci_read_config_word');
      at('wordp');
      PERMISSIONS.get(pos)?.set(vdev, value);
    }
    return 0;
  },
);

const HEADER = [PCI_VENDOR_ID, PCI_DEVICE_ID, PCI_COMMAND, PCI_BASE_ADDRESS_0, PCI_INTERRUPT_LINE];

export const vfio_config_init = fn(
  'A user gets the device: makes the virtual configuration space, from what the device says. A virtual function has no ids of its own and no interrupt pin; the one that cannot be served is hidden too.',
  function* vfio_config_init(vdev: VfioPciCoreDevice) {
    const { pdev } = vdev;
    yield* vfio_fill_vconfig_bytes(vdev, HEADER);
    const virtual = pdev.physfn !== undefined;
    at('PCI_INTERRUPT_PIN');
    vdev['vconfig.PCI_INTERRUPT_PIN'] = !virtual && !vdev.nointx;
    if (virtual) {
      at('no_command_memory');
      vdev['vconfig.PCI_COMMAND'] |= PCI_COMMAND_MEMORY;
    }
    yield* vfio_cap_init(vdev);
    return 0;
  },
);

const vfio_cap_init = fn(
  'Walks the device’s capabilities. One that is not known is left out of the chain: the user never sees it.',
  function* vfio_cap_init(vdev: VfioPciCoreDevice) {
    atCall('pci_read_config_byte');
    if (vdev.pdev.msi !== undefined) yield* vfio_fill_vconfig_bytes(vdev, [MSI_CAP + PCI_MSI_FLAGS]);
    return 0;
  },
);

export const vfio_config_free = fn(
  'The user is gone, and what he had written with him.',
  function* vfio_config_free(_vdev: VfioPciCoreDevice) {
    at('vconfig');
  },
);

export const vfio_pci_init_perm_bits = fn(
  'For every capability: which bits of it are virtual, and which a user may write.',
  function* vfio_pci_init_perm_bits() {
    atCall('init_pci_cap_basic_perm');
    return 0;
  },
);
