import { source } from '../../../../../engine/fn';
import { atCall, atWrite, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import {
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
} from '../../../include/uapi/linux/pci_regs';
import { EINVAL } from '../../../errno';
import { msi_desc, type MsiDesc, type MsiMsg } from '../../../include/linux/msi';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import { pci_intx, type AnyPciDev } from '../pci';
import { pci_msi_setup_msi_irqs, pci_msi_teardown_msi_irqs } from './irqdomain';

/** MSI and MSI-X of a PCI device: the capabilities, the table, the messages. */

const { fn } = source('linux', 'drivers/pci/msi/msi.c');
const header = source('linux', 'drivers/pci/msi/msi.h');

const log2_up = (n: number): number => 32 - Math.clz32(n - 1);

export const pci_msi_mask = header.fn(
  'Masks messages of an MSI capability that has mask bits; this device’s has none.',
  function* pci_msi_mask(_desc: MsiDesc) {
    atCall('pci_msi_update_mask');
  },
);

export const pci_msi_unmask = header.fn('Unmasks messages of an MSI capability.', function* pci_msi_unmask(_desc: MsiDesc) {
  atCall('pci_msi_update_mask');
});

const pci_msix_write_vector_ctrl = header.fn(
  'Writes an MSI-X entry’s control word.',
  function* pci_msix_write_vector_ctrl(desc: MsiDesc, ctrl: number) {
    atCall('writel');
    yield* desc.dev.msi!.writel(ctrl, desc.msi_index, 'PCI_MSIX_ENTRY_VECTOR_CTRL');
  },
);

export const pci_msix_mask = header.fn(
  'Masks an MSI-X entry; reading back makes sure that the device knows.',
  function* pci_msix_mask(desc: MsiDesc) {
    desc['pci.msix_ctrl'] |= PCI_MSIX_ENTRY_CTRL_MASKBIT;
    yield* pci_msix_write_vector_ctrl(desc, desc['pci.msix_ctrl']);
    atCall('readl');
  },
);

export const pci_msix_unmask = header.fn('Unmasks an MSI-X entry.', function* pci_msix_unmask(desc: MsiDesc) {
  desc['pci.msix_ctrl'] &= ~PCI_MSIX_ENTRY_CTRL_MASKBIT;
  yield* pci_msix_write_vector_ctrl(desc, desc['pci.msix_ctrl']);
});

const __pci_msi_mask_desc = header.fn('Masks a message of either kind.', function* __pci_msi_mask_desc(desc: MsiDesc) {
  if (desc.is_msix) yield* pci_msix_mask(desc);
  else yield* pci_msi_mask(desc);
});

const __pci_msi_unmask_desc = header.fn('Unmasks a message of either kind.', function* __pci_msi_unmask_desc(desc: MsiDesc) {
  if (desc.is_msix) yield* pci_msix_unmask(desc);
  else yield* pci_msi_unmask(desc);
});

export const pci_msi_mask_irq = fn('Masks the message behind an interrupt.', function* pci_msi_mask_irq(data: IrqDesc) {
  if (data.msi_desc !== undefined) yield* __pci_msi_mask_desc(data.msi_desc);
});

export const pci_msi_unmask_irq = fn('Unmasks the message behind an interrupt.', function* pci_msi_unmask_irq(data: IrqDesc) {
  if (data.msi_desc !== undefined) yield* __pci_msi_unmask_desc(data.msi_desc);
});

const pci_write_msg_msi = fn(
  'Programs the MSI capability: address and word, which its messages share.',
  function* pci_write_msg_msi(dev: AnyPciDev, desc: MsiDesc, msg: MsiMsg) {
    yield* write_capability(dev, desc, msg);
  },
);

const pci_write_msg_msix = fn(
  'Programs an MSI-X entry, masked meanwhile: the device must never send half of a message.',
  function* pci_write_msg_msix(desc: MsiDesc, msg: MsiMsg) {
    yield* write_entry(desc, msg);
  },
);

export const __pci_write_msi_msg = fn(
  'Programs the device with a message, and remembers it.',
  function* __pci_write_msi_msg(entry: MsiDesc, msg: MsiMsg) {
    if (!since('linux', '6.2')) yield* entry.is_msix ? write_entry(entry, msg) : write_capability(entry.dev, entry, msg);
    else if (entry.is_msix) yield* pci_write_msg_msix(entry, msg);
    else yield* pci_write_msg_msi(entry.dev, entry, msg);
    atWrite('msg', 'is_msix');
    entry['msg.address_lo'] = msg.address_lo;
    entry['msg.data'] = msg.data;
  },
);

/** The writes to an entry, in the function that is executing. */
function* write_entry(entry: MsiDesc, { address_lo, data }: MsiMsg) {
  const { writel } = entry.dev.msi!;
  const ctrl = entry['pci.msix_ctrl'];
  const unmasked = (ctrl & PCI_MSIX_ENTRY_CTRL_MASKBIT) === 0;
  if (unmasked) yield* pci_msix_write_vector_ctrl(entry, ctrl | PCI_MSIX_ENTRY_CTRL_MASKBIT);
  atCall('writel');
  yield* writel(address_lo, entry.msi_index, 'PCI_MSIX_ENTRY_LOWER_ADDR');
  yield* writel(data, entry.msi_index, 'PCI_MSIX_ENTRY_DATA');
  if (unmasked) {
    behind('writel');
    yield* pci_msix_write_vector_ctrl(entry, ctrl);
  }
}

/** The writes to the capability, in the function that is executing. */
function* write_capability({ config, msi }: AnyPciDev, desc: MsiDesc, { address_lo, data }: MsiMsg) {
  const pos = msi!.msi_cap;
  atCall('pci_read_config_word');
  const msgctl = (yield* config.read_word(pos + PCI_MSI_FLAGS)) & ~PCI_MSI_FLAGS_QSIZE;
  atCall('pci_write_config_word');
  yield* config.write_word(pos + PCI_MSI_FLAGS, msgctl | (log2_up(Math.max(desc.irqs.length, 1)) << 4));
  atCall('pci_write_config_dword');
  yield* config.write_dword(pos + PCI_MSI_ADDRESS_LO, address_lo);
  behind('pci_write_config_dword');
  atCall('pci_write_config_word');
  yield* config.write_word(pos + PCI_MSI_DATA_64, data);
}

export const pci_write_msi_msg = fn(
  'Programs the message behind an interrupt number once more.',
  function* pci_write_msi_msg(irq: IrqDesc, msg: MsiMsg) {
    if (irq.msi_desc !== undefined) yield* __pci_write_msi_msg(irq.msi_desc, msg);
  },
);

/** get_cached_msi_msg(): the message that was last written. */
export const get_cached_msi_msg = ({ msi_desc: entry }: IrqDesc): MsiMsg => ({
  address_lo: entry?.['msg.address_lo'] ?? 0,
  data: entry?.['msg.data'] ?? 0,
});

const pci_intx_for_msi = fn(
  'A device that sends messages must not assert INTx as well.',
  function* pci_intx_for_msi(dev: AnyPciDev, enable: boolean) {
    yield* pci_intx(dev, enable);
  },
);

const pci_msi_set_enable = fn('Sets the MSI Enable bit.', function* pci_msi_set_enable(dev: AnyPciDev, enable: boolean) {
  const where = dev.msi!.msi_cap + PCI_MSI_FLAGS;
  atCall('pci_read_config_word');
  const control = (yield* dev.config.read_word(where)) & ~PCI_MSI_FLAGS_ENABLE;
  atCall('pci_write_config_word');
  yield* dev.config.write_word(where, enable ? control | PCI_MSI_FLAGS_ENABLE : control);
});

const pci_msix_clear_and_set_ctrl = fn(
  'Changes bits of the MSI-X message control.',
  function* pci_msix_clear_and_set_ctrl(dev: AnyPciDev, clear: number, set: number) {
    const where = dev.msi!.msix_cap + PCI_MSIX_FLAGS;
    atCall('pci_read_config_word');
    const ctrl = yield* dev.config.read_word(where);
    atCall('pci_write_config_word');
    yield* dev.config.write_word(where, (ctrl & ~clear) | set);
  },
);

const msi_capability_init = fn(
  'Sets MSI up: descriptor, interrupts, message; INTx off, and the enable bit last. A positive result says how many messages could have been had.',
  function* msi_capability_init(dev: AnyPciDev, nvec: number) {
    const msi = dev.msi!;
    if (since('linux', '6.2') && nvec > 1 && !msi.multi) return 1;
    yield* pci_msi_set_enable(dev, false);
    msi.msi_enabled = true;
    atCall('msi_setup_msi_desc');
    const entry = msi_desc(dev, false, 0);
    msi.descs.set(0, entry);
    yield* pci_msi_mask(entry);
    const ret = nvec > 1 && !msi.multi ? 1 : yield* pci_msi_setup_msi_irqs(dev, [entry], nvec);
    if (ret !== 0) {
      atCall('pci_msi_unmask');
      msi.descs.clear();
      atCall(since('linux', '6.2') ? 'pci_free_msi_irqs' : 'free_msi_irqs');
      msi.msi_enabled = false;
      return ret;
    }
    yield* pci_intx_for_msi(dev, false);
    behind('pci_msi_set_enable');
    yield* pci_msi_set_enable(dev, true);
    return 0;
  },
);

export const __pci_enable_msi_range = fn(
  'Enables MSI with as many messages as can be had, up to `maxvec`.',
  function* __pci_enable_msi_range(dev: AnyPciDev, minvec: number, maxvec: number) {
    if (dev.msi!.msix_enabled || dev.msi!.msi_enabled) return -EINVAL;
    let nvec = Math.min(maxvec, dev.msi!.msi_vec_count);
    for (;;) {
      const rc = yield* msi_capability_init(dev, nvec);
      if (rc === 0) return nvec;
      if (rc < minvec) return -EINVAL;
      nvec = rc;
    }
  },
);

const msix_setup_interrupts = fn(
  'Makes a descriptor for each entry, and has interrupts allocated for them.',
  function* msix_setup_interrupts(dev: AnyPciDev, nvec: number) {
    atCall('msix_setup_msi_descs');
    const descs = Array.from({ length: nvec }, (_, index) => msi_desc(dev, true, index));
    for (const desc of descs) dev.msi!.descs.set(desc.msi_index, desc);
    return yield* pci_msi_setup_msi_irqs(dev, descs, nvec);
  },
);

const msix_capability_init = fn(
  'Sets MSI-X up: enabled but masked as a whole while interrupts are allocated and entries programmed; then INTx off, every entry masked by its own bit, and the whole opened.',
  function* msix_capability_init(dev: AnyPciDev, nvec: number) {
    yield* pci_msix_clear_and_set_ctrl(dev, 0, PCI_MSIX_FLAGS_MASKALL | PCI_MSIX_FLAGS_ENABLE);
    dev.msi!.msix_enabled = true;
    atCall('msix_map_region');
    yield* msix_setup_interrupts(dev, nvec);
    yield* pci_intx_for_msi(dev, false);
    yield* msix_mask_all(dev);
    behind('pci_msix_clear_and_set_ctrl');
    yield* pci_msix_clear_and_set_ctrl(dev, PCI_MSIX_FLAGS_MASKALL, 0);
    return 0;
  },
);

const msix_mask_all = fn('Masks every entry of the table, used or not.', function* msix_mask_all(dev: AnyPciDev) {
  const { msix_vec_count, writel } = dev.msi!;
  for (let entry = 0; entry < msix_vec_count; entry++) {
    atCall('writel');
    yield* writel(PCI_MSIX_ENTRY_CTRL_MASKBIT, entry, 'PCI_MSIX_ENTRY_VECTOR_CTRL');
  }
});

const __pci_enable_msix = fn('Checks what is asked for, and sets MSI-X up.', function* __pci_enable_msix(dev: AnyPciDev, nvec: number) {
  if (nvec > dev.msi!.msix_vec_count) return dev.msi!.msix_vec_count;
  return yield* msix_capability_init(dev, nvec);
});

export const __pci_enable_msix_range = fn(
  'Enables MSI-X with as many entries as there are, up to `maxvec`.',
  function* __pci_enable_msix_range(dev: AnyPciDev, minvec: number, maxvec: number) {
    if (dev.msi!.msix_enabled || dev.msi!.msi_enabled) return -EINVAL;
    let nvec = since('linux', '6.2') ? Math.min(maxvec, dev.msi!.msix_vec_count) : maxvec;
    for (;;) {
      const rc = since('linux', '6.2') ? yield* msix_capability_init(dev, nvec) : yield* __pci_enable_msix(dev, nvec);
      if (rc === 0) return nvec;
      if (rc < minvec) return -EINVAL;
      nvec = rc;
    }
  },
);

export const pci_msi_shutdown = fn('Switches MSI off, and lets the device use INTx again.', function* pci_msi_shutdown(dev: AnyPciDev) {
  yield* pci_msi_set_enable(dev, false);
  yield* pci_intx_for_msi(dev, true);
  dev.msi!.msi_enabled = false;
});

export const pci_msix_shutdown = fn(
  'Masks every entry, switches MSI-X off, and lets the device use INTx again.',
  function* pci_msix_shutdown(dev: AnyPciDev) {
    for (const desc of dev.msi!.descs.values()) yield* pci_msix_mask(desc);
    yield* pci_msix_clear_and_set_ctrl(dev, PCI_MSIX_FLAGS_ENABLE, 0);
    yield* pci_intx_for_msi(dev, true);
    behind('pci_intx_for_msi');
    dev.msi!.msix_enabled = false;
  },
);

export const pci_free_msi_irqs = fn(
  'Frees interrupts and descriptors of a device’s messages.',
  function* pci_free_msi_irqs(dev: AnyPciDev) {
    yield* pci_msi_teardown_msi_irqs(dev);
    dev.msi!.descs.clear();
  },
);
