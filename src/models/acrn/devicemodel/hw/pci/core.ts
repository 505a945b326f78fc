import { addressOf, source, through } from '../../../../../engine/fn';
import { at, atCall, atWrite } from '../../../../../engine/steps';
import type { AcrnIoRequest } from '../../../hypervisor/include/public/acrn_common';
import { register_inout } from '../../core/inout';
import { register_mem } from '../../core/mem';
import { vm_lapic_msi, vm_set_gsi_irq } from '../../core/vmmapi';
import type { Vmctx } from '../../include/dm';
import {
  ASSERTED,
  IDLE,
  msix_table_entry,
  pci_vdev,
  PCIM_MSIX_VCTRL_MASK,
  PENDING,
  type MsixTableEntry,
  type PciBar,
  type PciVdev,
  type PciVdevOps,
} from '../../include/pci_core';
import { pthread_mutex_lock, pthread_mutex_unlock } from '../../pthread';
import { ioapic_pci_alloc_irq } from '../platform/ioapic';
import { pci_irq_assert, pci_irq_deassert } from './irq';
import { pci_ops_virtio_console } from './virtio/virtio_console';

/** PCI, as the device model emulates it: BARs, MSI-X, the interrupt line. */

const MSIX_TABLE_ENTRY_SIZE = 16;
const PAGE_SIZE = 4096;

const { fn } = source('acrn', 'devicemodel/hw/pci/core.c');

/** Cuts a value down to an access's size: bar_value(). */
const bar_value = (size: number, value: number): number => (size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1));

const pci_emul_io_handler = fn(
  'A port of a PCI device: finds the BAR, and asks the device.',
  function* pci_emul_io_handler(port: number, input: boolean, bytes: number, eax: AcrnIoRequest, pdi: PciVdev | undefined) {
    const ops = pdi!.dev_ops;
    const i = pdi!.bar.findIndex((bar) => bar?.type === 'PCIBAR_IO' && port >= bar.addr && port + bytes <= bar.addr + bar.size);
    at('bar');
    if (i < 0) return -1;
    const offset = port - pdi!.bar[i]!.addr;
    if (input) {
      const value = yield* through('function pointer', 'vdev_barread', ops.vdev_barread)(pdi!, i, offset, bytes);
      atWrite('eax', 'vdev_barread');
      eax['reqs.value'] = bar_value(bytes, value);
    } else {
      yield* through('function pointer', 'vdev_barwrite', ops.vdev_barwrite)(pdi!, i, offset, bytes, bar_value(bytes, eax['reqs.value']));
    }
    return 0;
  },
);

const pci_emul_mem_handler = fn(
  'Memory of a PCI device.',
  function* pci_emul_mem_handler(
    dir: 'MEM_F_READ' | 'MEM_F_WRITE',
    addr: number,
    size: number,
    val: AcrnIoRequest,
    pdi: PciVdev,
    bidx: number,
  ) {
    const ops = pdi.dev_ops;
    const offset = addr - pdi.bar[bidx]!.addr;
    at('MEM_F_WRITE');
    if (dir === 'MEM_F_WRITE') {
      yield* through('function pointer', 'vdev_barwrite', ops.vdev_barwrite)(pdi, bidx, offset, size, bar_value(size, val['reqs.value']));
    } else {
      const value = yield* through('function pointer', 'vdev_barread', ops.vdev_barread)(pdi, bidx, offset, size);
      atWrite('val', 'vdev_barread');
      val['reqs.value'] = bar_value(size, value);
    }
    return 0;
  },
);

const modify_bar_registration = fn('Claims a BAR’s addresses.', function* modify_bar_registration(dev: PciVdev, idx: number, bar: PciBar) {
  const { addr, size } = bar;
  if (bar.type === 'PCIBAR_IO') {
    return yield* register_inout(dev.vmctx, { port: addr, size, handler: addressOf(pci_emul_io_handler), arg: dev });
  }
  return yield* register_mem(dev.vmctx, { base: addr, size, handler: addressOf(pci_emul_mem_handler), arg1: dev, arg2: idx });
});

const register_bar = fn('Claims a BAR’s addresses.', function* register_bar(dev: PciVdev, idx: number, bar: PciBar) {
  return yield* modify_bar_registration(dev, idx, bar);
});

const pci_emul_alloc_pbar = fn(
  'Gives a BAR an address and claims it. The guest may move it later.',
  function* pci_emul_alloc_pbar(pdi: PciVdev, idx: number, type: PciBar['type'], size: number) {
    const base = pdi.vmctx.pci_emul_base;
    const space = type === 'PCIBAR_IO' ? 'io' : 'mem32';
    const aligned = Math.max(size, PAGE_SIZE);
    const addr = Math.ceil(base[space] / aligned) * aligned;
    base[space] = addr + aligned;
    const bar: PciBar = { type, addr, size };
    at('bar');
    pdi.bar[idx] = bar;
    return yield* register_bar(pdi, idx, bar);
  },
);

export const pci_emul_alloc_bar = fn(
  'Allocates a BAR.',
  function* pci_emul_alloc_bar(pdi: PciVdev, idx: number, type: PciBar['type'], size: number) {
    return yield* pci_emul_alloc_pbar(pdi, idx, type, size);
  },
);

export const pci_emul_add_msixcap = fn(
  'Gives a device MSI-X: a table in a BAR of its own, every entry masked.',
  function* pci_emul_add_msixcap(dev: PciVdev, msgnum: number, barnum: number) {
    at('table_bar');
    dev.msix_table_bar = barnum;
    atCall('pci_msix_table_init');
    for (let i = 0; i < msgnum; i++) dev.msix_table.push(msix_table_entry(`${dev.name} msix.table[${i}]`));
    return yield* pci_emul_alloc_bar(dev, barnum, 'PCIBAR_MEM32', 2 * PAGE_SIZE);
  },
);

/** The dwords of an entry, by offset. */
const ENTRY_FIELDS = ['addr', undefined, 'msg_data', 'vector_control'] as const;

export const pci_emul_msix_twrite = fn(
  'The guest writes the MSI-X table. Masking an entry takes effect at once; unmasking does not send what was dropped meanwhile, because nothing remembers it.',
  function* pci_emul_msix_twrite(dev: PciVdev, offset: number, size: number, value: number) {
    const entry = dev.msix_table[Math.floor(offset / MSIX_TABLE_ENTRY_SIZE)];
    at('dest');
    if (size !== 4 || entry === undefined) return -1;
    const field = ENTRY_FIELDS[(offset % MSIX_TABLE_ENTRY_SIZE) >> 2];
    if (field !== undefined) entry[field] = value;
    return 0;
  },
);

export const pci_emul_msix_tread = fn(
  'The guest reads the MSI-X table. The pending bits read as zero: there are none.',
  function* pci_emul_msix_tread(dev: PciVdev, offset: number, size: number) {
    const entry: MsixTableEntry | undefined = dev.msix_table[Math.floor(offset / MSIX_TABLE_ENTRY_SIZE)];
    at('retval');
    if (size !== 4 || entry === undefined) return 0;
    const field = ENTRY_FIELDS[(offset % MSIX_TABLE_ENTRY_SIZE) >> 2];
    return field === undefined ? 0 : entry[field];
  },
);

/** pci_msix_enabled(). */
export const pci_msix_enabled = (dev: PciVdev): boolean => dev['msix.enabled'] && !dev['msi.enabled'];

export const pci_generate_msix = fn(
  'Sends a message of the MSI-X table. If the entry is masked the message is dropped: there is no pending bit to remember it by.',
  function* pci_generate_msix(dev: PciVdev, index: number) {
    atCall('pci_msix_enabled');
    const mte = dev.msix_table[index];
    if (!pci_msix_enabled(dev) || dev['msix.function_mask'] || mte === undefined) return;
    at('vector_control');
    if ((mte.vector_control & PCIM_MSIX_VCTRL_MASK) === 0) yield* vm_lapic_msi(dev.vmctx, mte.addr, mte.msg_data);
  },
);

export const pci_generate_msi = fn(
  'Sends the one MSI, if the driver has enabled that.',
  function* pci_generate_msi(_dev: PciVdev, _index: number) {
    // Linux’s virtio driver never does: it takes MSI-X or the line.
    atCall('pci_msi_enabled');
  },
);

const permitted = (dev: PciVdev): boolean => !dev['msi.enabled'] && !dev['msix.enabled'];

export const pci_lintr_request = fn('Gives the device an interrupt pin.', function* pci_lintr_request(dev: PciVdev) {
  atWrite('pin', 'bestpin');
  dev['lintr.pin'] = 1;
});

const pci_lintr_route = fn(
  'Connects the device’s pin to the I/O APIC, and lets the line go up: it is active low.',
  function* pci_lintr_route(dev: PciVdev) {
    if (dev['lintr.pin'] === 0) return;
    const irq = yield* ioapic_pci_alloc_irq(dev);
    atWrite('ioapic_irq', 'lintr');
    dev['lintr.ioapic_irq'] = irq;
    yield* vm_set_gsi_irq(dev.vmctx, irq, 'GSI_SET_HIGH');
  },
);

export const pci_lintr_assert = fn(
  'The device wants to interrupt by its line. If the driver uses messages, that is only noted.',
  function* pci_lintr_assert(dev: PciVdev) {
    yield* pthread_mutex_lock(dev.lintr_lock);
    if (dev['lintr.state'] === IDLE) {
      if (permitted(dev)) {
        dev['lintr.state'] = ASSERTED;
        yield* pci_irq_assert(dev);
      } else {
        atWrite('state', 'pci_irq_assert');
        dev['lintr.state'] = PENDING;
      }
    }
    pthread_mutex_unlock(dev.lintr_lock);
  },
);

export const pci_lintr_deassert = fn('The device has nothing to say any more.', function* pci_lintr_deassert(dev: PciVdev) {
  yield* pthread_mutex_lock(dev.lintr_lock);
  if (dev['lintr.state'] === ASSERTED) {
    dev['lintr.state'] = IDLE;
    yield* pci_irq_deassert(dev);
  } else if (dev['lintr.state'] === PENDING) {
    atWrite('state', 'PENDING');
    dev['lintr.state'] = IDLE;
  }
  pthread_mutex_unlock(dev.lintr_lock);
});

const pci_emul_init = fn(
  'Makes a device of one of the kinds that there are.',
  function* pci_emul_init(ctx: Vmctx, ops: PciVdevOps, name: string) {
    at('dev_ops');
    const pdi = pci_vdev(name, ctx, ops);
    const err = yield* through('function pointer', 'vdev_init', ops.vdev_init)(ctx, pdi);
    if (err === 0) ctx.pci_devices.push(pdi);
    return err;
  },
);

export const init_pci = fn('Makes every device of the command line, then connects their interrupt lines.', function* init_pci(ctx: Vmctx) {
  const error = yield* pci_emul_init(ctx, pci_ops_virtio_console, 'virtio-console');
  for (const dev of ctx.pci_devices) yield* pci_lintr_route(dev);
  return error;
});
