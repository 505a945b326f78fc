import { addressOf, bound, boundPointer, source, via } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { acquire, holding, MUTEX, release, RWSEM_READ, RWSEM_WRITE } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EACCES, EBUSY, EINVAL } from '../../../errno';
import { eventfd_ctx_put, eventfd_signal_mask, type EventfdCtx } from '../../../fs/eventfd';
import { eventfd_signal } from '../../../include/linux/eventfd';
import type { Device } from '../../../include/linux/device';
import { PAGE_SHIFT, VM_FAULT_NOPAGE, VM_FAULT_SIGBUS, type VmAreaStruct, type VmFault } from '../../../include/linux/mm_types';
import type { MmapRequest } from '../../../include/linux/vfio';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_COMMAND_MEMORY } from '../../../include/uapi/linux/pci_regs';
import {
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '../../../include/uapi/linux/vfio';
import { BUS_NOTIFY_ADD_DEVICE } from '../../../kernel/notifier';
import {
  pm_runtime_allow,
  pm_runtime_forbid,
  pm_runtime_get,
  pm_runtime_get_noresume,
  pm_runtime_put,
  pm_runtime_resume,
} from '../../base/power/runtime';
import { pci_disable_sriov, pci_enable_sriov } from '../../pci/iov';
import {
  pci_clear_master,
  pci_disable_device,
  pci_enable_device,
  pci_save_state,
  pci_set_power_state,
  pci_store_saved_state,
  pci_try_reset_function,
  PCI_D0,
  type PCI_D3hot,
} from '../../pci/pci';
import {
  vfio_assign_device_set,
  vfio_free_device,
  vfio_register_group_dev,
  vfio_set_irqs_validate_and_prepare,
  vfio_unregister_group_dev,
  type VfioDeviceInfo,
  type VfioDeviceIoctl,
  type VfioIrqInfo,
  type VfioRegionInfo,
} from '../vfio_main';
import { vfio_config_free, vfio_config_init, vfio_pci_config_rw, vfio_pci_init_perm_bits } from './vfio_pci_config';
import { vfio_pci_intx_mask, vfio_pci_intx_unmask, vfio_pci_set_irqs_ioctl, type VfioIrqSet } from './vfio_pci_intrs';
import { EVENTFD_TRIGGERS, vfio_pci_vf_token, type EventfdTrigger, type VfioPciCoreDevice } from './vfio_pci_priv';
import { vfio_pci_bar_rw } from './vfio_pci_rdwr';

/** The part of vfio-pci that every PCI driver of VFIO shares. */

const { fn, ops } = source('linux', 'drivers/vfio/pci/vfio_pci_core.c');

/** vfio_pci_get_irq_count(): how many interrupts of a kind the device has, whatever user space may use of them. */
function irqCount(vdev: VfioPciCoreDevice, irq_type: number): number {
  const { msi } = vdev.pdev;
  switch (irq_type) {
    case VFIO_PCI_INTX_IRQ_INDEX:
      return vdev['vconfig.PCI_INTERRUPT_PIN'] ? 1 : 0;
    case VFIO_PCI_MSI_IRQ_INDEX:
      return msi?.msi_vec_count ?? 0;
    case VFIO_PCI_MSIX_IRQ_INDEX:
      return msi?.msix_vec_count ?? 0;
    case VFIO_PCI_ERR_IRQ_INDEX:
      return vdev.pdev.pcie ? 1 : 0;
    case VFIO_PCI_REQ_IRQ_INDEX:
      return 1;
    default:
      return 0;
  }
}

export const vfio_pci_memory_lock_and_enable = fn(
  'Keeps the device’s memory enabled, and user space from disabling it, while its MSI-X table is touched. The result is the COMMAND register as it was.',
  function* vfio_pci_memory_lock_and_enable({ pdev }: VfioPciCoreDevice) {
    atCall('down_write');
    atCall('pci_read_config_word');
    const cmd = yield* pdev.config.read_word(PCI_COMMAND);
    if (!(cmd & PCI_COMMAND_MEMORY)) {
      atCall('pci_write_config_word');
      yield* pdev.config.write_word(PCI_COMMAND, cmd | PCI_COMMAND_MEMORY);
    }
    return cmd;
  },
);

export const vfio_pci_memory_unlock_and_restore = fn(
  'Puts the COMMAND register back and lets user space at it again.',
  function* vfio_pci_memory_unlock_and_restore({ pdev }: VfioPciCoreDevice, cmd: number) {
    atCall('pci_write_config_word');
    yield* pdev.config.write_word(PCI_COMMAND, cmd);
    atCall('up_write');
  },
);

const vfio_pci_ioctl_set_irqs = fn(
  'VFIO_DEVICE_SET_IRQS: copies the request in, checks it, and does it under igate.',
  function* vfio_pci_ioctl_set_irqs(vdev: VfioPciCoreDevice, set: VfioIrqSet) {
    atCall('vfio_pci_get_irq_count');
    const max = irqCount(vdev, set.index);
    const ret = yield* vfio_set_irqs_validate_and_prepare(set, max, VFIO_PCI_NUM_IRQS);
    if (ret !== 0) return ret;
    yield* acquire(vdev.igate, 'mutex_lock');
    const result = yield* vfio_pci_set_irqs_ioctl(vdev, vdev.vdev.host, set);
    release(vdev.igate, 'mutex_unlock');
    return result;
  },
);

const vfio_pci_ioctl_get_info = fn(
  'VFIO_DEVICE_GET_INFO: a PCI device, whether it can be reset, and how many regions and kinds of interrupts PCI has.',
  function* vfio_pci_ioctl_get_info(vdev: VfioPciCoreDevice, info: VfioDeviceInfo | undefined) {
    at('flags');
    if (info === undefined) return 0;
    info.flags = VFIO_DEVICE_FLAGS_PCI | (vdev.reset_works ? VFIO_DEVICE_FLAGS_RESET : 0);
    info.num_regions = VFIO_PCI_NUM_REGIONS;
    info.num_irqs = VFIO_PCI_NUM_IRQS;
    return 0;
  },
);

const vfio_pci_ioctl_get_region_info = fn(
  'VFIO_DEVICE_GET_REGION_INFO: where in the device’s file a region is, how large, and whether it can be mapped. The configuration space never can: every access to it is looked at.',
  function* vfio_pci_ioctl_get_region_info(_vdev: VfioPciCoreDevice, info: VfioRegionInfo) {
    at('index');
    info.flags = 0;
    if (info.index === VFIO_PCI_CONFIG_REGION_INDEX) {
      info.size = CFG_SIZE;
      info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    } else if (info.index === VFIO_PCI_BAR0_REGION_INDEX) {
      info.size = BAR0_SIZE;
      at('bar_mmap_supported');
      info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
    } else if (info.index < VFIO_PCI_NUM_REGIONS) {
      info.size = 0;
    } else return -EINVAL;
    return 0;
  },
);

/** The sizes of the modelled device’s regions, in bytes. */
const CFG_SIZE = 0x100;
export const BAR0_SIZE = 0x1000;

const vfio_pci_ioctl_get_irq_info = fn(
  'VFIO_DEVICE_GET_IRQ_INFO: how many interrupts of a kind there are, and what can be done with them.',
  function* vfio_pci_ioctl_get_irq_info(vdev: VfioPciCoreDevice, info: VfioIrqInfo) {
    at('index');
    if (info.index >= VFIO_PCI_NUM_IRQS || (info.index === VFIO_PCI_ERR_IRQ_INDEX && !vdev.pdev.pcie)) return -EINVAL;
    info.flags = VFIO_IRQ_INFO_EVENTFD;
    atCall('vfio_pci_get_irq_count');
    info.count = irqCount(vdev, info.index);
    if (info.index === VFIO_PCI_INTX_IRQ_INDEX) info.flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
    else if (info.index !== VFIO_PCI_MSIX_IRQ_INDEX || !vdev.has_dyn_msix) info.flags |= VFIO_IRQ_INFO_NORESIZE;
    return 0;
  },
);

export const vfio_pci_core_ioctl = fn(
  'Dispatches the ioctls of a VFIO PCI device.',
  function* vfio_pci_core_ioctl(vdev: VfioPciCoreDevice, arg: VfioDeviceIoctl) {
    at('cmd');
    switch (arg.cmd) {
      case 'VFIO_DEVICE_GET_INFO':
        return yield* vfio_pci_ioctl_get_info(vdev, arg.info);
      case 'VFIO_DEVICE_GET_REGION_INFO':
        return yield* vfio_pci_ioctl_get_region_info(vdev, arg.info);
      case 'VFIO_DEVICE_GET_IRQ_INFO':
        return yield* vfio_pci_ioctl_get_irq_info(vdev, arg.info);
      case 'VFIO_DEVICE_SET_IRQS':
        return yield* vfio_pci_ioctl_set_irqs(vdev, arg.set);
    }
  },
);

const vfio_pci_rw = fn(
  'Reads or writes a region: the configuration space or a BAR.',
  function* vfio_pci_rw(vdev: VfioPciCoreDevice, index: number, offset: number, value: number | undefined) {
    switch (index) {
      case VFIO_PCI_CONFIG_REGION_INDEX:
        return yield* vfio_pci_config_rw(vdev, offset, value);
      case VFIO_PCI_BAR0_REGION_INDEX:
        return yield* vfio_pci_bar_rw(vdev, offset, value);
      default:
        return -EINVAL;
    }
  },
);

export const vfio_pci_core_read = fn(
  'read(2) of a region.',
  function* vfio_pci_core_read(vdev: VfioPciCoreDevice, region: number, offset: number) {
    return yield* vfio_pci_rw(vdev, region, offset, undefined);
  },
);

export const vfio_pci_core_write = fn(
  'write(2) to a region.',
  function* vfio_pci_core_write(vdev: VfioPciCoreDevice, region: number, offset: number, _count: number, value: number) {
    return yield* vfio_pci_rw(vdev, region, offset, value);
  },
);

// Power

export const vfio_pci_set_power_state = fn(
  'Changes the power state. Where a device forgets its configuration when it wakes up, this keeps it.',
  function* vfio_pci_set_power_state(vdev: VfioPciCoreDevice, state: typeof PCI_D0 | typeof PCI_D3hot) {
    at('state');
    if (state > PCI_D0 && vdev.sriov_active) return -EBUSY;
    return yield* pci_set_power_state(vdev.pdev, state);
  },
);

const vfio_pci_core_runtime_suspend = fn(
  'The device is about to sleep: out of any state that a user has put it in, and with its interrupt masked, if it has one.',
  function* vfio_pci_core_runtime_suspend(dev: Device) {
    const vdev = dev.driver_data as VfioPciCoreDevice;
    yield* holding(vdev.memory_lock, RWSEM_WRITE, function* () {
      yield* vfio_pci_set_power_state(vdev, PCI_D0);
    });
    at('irq_type');
    if (vdev.irq_type === VFIO_PCI_INTX_IRQ_INDEX) {
      const masked = yield* vfio_pci_intx_mask(vdev);
      at('pm_intx_masked');
      vdev.pm_intx_masked = masked;
    }
    return 0;
  },
);

const vfio_pci_core_runtime_resume = fn(
  'The device is awake again: an interrupt that was masked only for its sleep is unmasked.',
  function* vfio_pci_core_runtime_resume(dev: Device) {
    const vdev = dev.driver_data as VfioPciCoreDevice;
    at('pm_intx_masked');
    if (vdev.pm_intx_masked) yield* vfio_pci_intx_unmask(vdev);
    return 0;
  },
);

/** SET_RUNTIME_PM_OPS(), in vfio_pci_core_pm_ops. */
const vfio_pci_core_pm_ops = ops('vfio_pci_core_pm_ops', {
  runtime_suspend: vfio_pci_core_runtime_suspend,
  runtime_resume: vfio_pci_core_runtime_resume,
});

export const vfio_pci_eventfd_replace_locked = fn(
  'Exchanges an eventfd. Who signals it needs no lock, and may still have the old one in hand: that is freed when all are past it.',
  function* vfio_pci_eventfd_replace_locked(vdev: VfioPciCoreDevice, peventfd: EventfdTrigger, ctx: EventfdCtx | undefined) {
    atCall('rcu_replace_pointer');
    vdev[peventfd] = ctx;
    return 0;
  },
);

// Opening and closing

export const vfio_pci_core_enable = fn(
  'Makes the device ready for a user: awake, as after power-on, and with nothing of a former user in it. What the host had set is saved, to be put back afterwards.',
  function* vfio_pci_core_enable(vdev: VfioPciCoreDevice) {
    const { pdev } = vdev;
    yield* pm_runtime_get('pm_runtime_resume_and_get', pdev.dev);
    yield* pci_clear_master(pdev);
    const ret = yield* pci_enable_device(pdev);
    if (ret !== 0) {
      yield* pm_runtime_put(pdev.dev);
      return ret;
    }
    vdev.reset_works = (yield* pci_try_reset_function(pdev)) === 0;
    yield* pci_save_state(pdev);
    yield* pci_store_saved_state(pdev);
    atCall('pci_intx_mask_supported');
    vdev.pci_2_3 = pdev.function.pci_2_3;
    atCall('pci_read_config_word');
    const cmd = yield* pdev.config.read_word(PCI_COMMAND);
    if (vdev.pci_2_3 && cmd & PCI_COMMAND_INTX_DISABLE) {
      atCall('pci_write_config_word');
      yield* pdev.config.write_word(PCI_COMMAND, cmd & ~PCI_COMMAND_INTX_DISABLE);
    }
    yield* vfio_config_init(vdev);
    return 0;
  },
);

export const vfio_pci_core_finish_enable = fn(
  'Finds out which BARs user space may map: those that have their pages for themselves.',
  function* vfio_pci_core_finish_enable(vdev: VfioPciCoreDevice) {
    atCall('vfio_pci_probe_mmaps');
    const token = vdev.sriov_pf_core_dev?.vf_token;
    at('sriov_pf_core_dev');
    if (token === undefined) return;
    at('users');
    token.users += 1;
  },
);

const vfio_pci_dev_set_try_reset = fn(
  'If nobody uses any device of the set any more, and one of them still has something of its user in it, the whole set could be reset now.',
  function* vfio_pci_dev_set_try_reset(vdev: VfioPciCoreDevice) {
    atCall('vfio_pci_dev_set_needs_reset');
    return vdev.vdev.dev_set?.device_list.some(({ open_count }) => open_count > 0) === false;
  },
);

const vfio_pci_core_disable = fn(
  'Takes the device out of use: no DMA, no interrupts, nothing mapped, its configuration as the host had it. It is woken first: asleep it would not take a reset.',
  function* vfio_pci_core_disable(vdev: VfioPciCoreDevice) {
    const { pdev } = vdev;
    yield* pm_runtime_resume(pdev.dev);
    yield* vfio_pci_set_power_state(vdev, PCI_D0);
    yield* pci_clear_master(pdev);
    yield* vfio_pci_set_irqs_ioctl(vdev, vdev.vdev.host, {
      index: vdev.irq_type,
      flags: VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
      count: 0,
    });
    vdev.virq_disabled = false;
    yield* vfio_config_free(vdev);
    at('needs_reset');
    vdev.needs_reset = true;
    atCall('pci_load_and_free_saved_state');
    atCall('pci_write_config_word');
    yield* pdev.config.write_word(PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
    behind('pci_write_config_word');
    at('reset_works');
    if (vdev.reset_works) {
      atCall('__pci_reset_function_locked');
      behind('__pci_reset_function_locked');
      at('needs_reset');
      vdev.needs_reset = false;
    }
    atCall('pci_restore_state');
    yield* pci_disable_device(pdev);
    yield* vfio_pci_dev_set_try_reset(vdev);
    yield* pm_runtime_put(pdev.dev);
  },
);

export const vfio_pci_core_close_device = fn(
  'The last user of the device is gone.',
  function* vfio_pci_core_close_device(vdev: VfioPciCoreDevice) {
    const token = vdev.sriov_pf_core_dev?.vf_token;
    at('sriov_pf_core_dev');
    if (token !== undefined) {
      atWrite('users', 'mutex_lock');
      token.users -= 1;
    }
    yield* vfio_pci_core_disable(vdev);
    behind('vfio_pci_core_disable');
    yield* holding(vdev.igate, MUTEX, function* () {
      for (const trigger of EVENTFD_TRIGGERS) {
        const ctx = vdev[trigger];
        if (since('linux', '6.12')) yield* vfio_pci_eventfd_replace_locked(vdev, trigger, undefined);
        else if (ctx !== undefined) {
          yield* eventfd_ctx_put(ctx);
          vdev[trigger] = undefined;
        }
      }
      behind('igate');
    });
  },
);

// BARs in user space

/** The frame of BAR 0. */
const BAR0_FRAME = 0xfebf0;

/** What a page fault does, in the function that is executing. Nobody gets at a BAR that is switched off: it would be an error on the bus. */
function insert_page(vdev: VfioPciCoreDevice, { vma, address }: VmFault, insert: string): number {
  atCall('__vfio_pci_memory_enabled');
  if (!(vdev['vconfig.PCI_COMMAND'] & PCI_COMMAND_MEMORY)) return VM_FAULT_SIGBUS;
  atCall(insert);
  vma.pfnmap?.present.add((address - vma.vm_start) >> PAGE_SHIFT);
  return VM_FAULT_NOPAGE;
}

const vfio_pci_mmap_fault = fn(
  'The first access through a mapping of a BAR: inserts all of it, if the device’s memory is switched on.',
  function* vfio_pci_mmap_fault(vdev: VfioPciCoreDevice, vmf: VmFault) {
    return yield* holding(vdev.memory_lock, RWSEM_READ, function* () {
      return insert_page(vdev, vmf, 'io_remap_pfn_range');
    });
  },
);

const vfio_pci_mmap_huge_fault = fn(
  'The first access through a mapping of a BAR: inserts the page, if the device’s memory is switched on.',
  function* vfio_pci_mmap_huge_fault(vdev: VfioPciCoreDevice, vmf: VmFault) {
    return yield* holding(vdev.memory_lock, RWSEM_READ, function* () {
      return insert_page(vdev, vmf, 'vmf_insert_pfn');
    });
  },
);

const vfio_pci_mmap_page_fault = fn('A fault of one page.', function* vfio_pci_mmap_page_fault(vdev: VfioPciCoreDevice, vmf: VmFault) {
  return yield* vfio_pci_mmap_huge_fault(vdev, vmf);
});

const vfio_pci_mmap_ops = () =>
  ops('vfio_pci_mmap_ops', { fault: since('linux', '6.12') ? vfio_pci_mmap_page_fault : vfio_pci_mmap_fault });

export const vfio_pci_core_mmap = fn(
  'Maps a BAR into user space. No page is there yet: each is inserted when it is touched, so that all can be taken away again.',
  function* vfio_pci_core_mmap(vdev: VfioPciCoreDevice, { index, vm_start, size }: MmapRequest): Run<VmAreaStruct | number> {
    at('bar_mmap_supported');
    if (index !== VFIO_PCI_BAR0_REGION_INDEX || size > BAR0_SIZE) return -EINVAL;
    at('vm_ops');
    const vma: VmAreaStruct = {
      vm_start,
      vm_end: vm_start + size,
      frame: (page) => BAR0_FRAME + page,
      pfnmap: { fault: boundPointer(vfio_pci_mmap_ops().fault, () => vdev), present: new Set() },
    };
    vdev.vma_list.push(vma);
    return vma;
  },
);

export const vfio_pci_zap_and_down_write_memory_lock = fn(
  'Takes every page of the BARs out of user space and keeps new ones out: the device’s memory is about to be switched off.',
  function* vfio_pci_zap_and_down_write_memory_lock(vdev: VfioPciCoreDevice) {
    yield* acquire(vdev.memory_lock, 'down_write');
    atCall(since('linux', '6.12') ? 'vfio_pci_zap_bars' : 'vfio_pci_zap_and_vma_lock');
    for (const { pfnmap } of vdev.vma_list) pfnmap?.present.clear();
  },
);

// Somebody wants the device back

export const vfio_pci_core_request = fn(
  'Asks the user for the device: signals the eventfd that he has given for this. Without one all that is left is to wait.',
  function* vfio_pci_core_request(vdev: VfioPciCoreDevice, _count: number) {
    if (since('linux', '6.7')) {
      at('req_trigger');
      if (vdev.req_trigger !== undefined) yield* via('eventfd_signal', eventfd_signal_mask)(vdev.req_trigger);
      return;
    }
    yield* holding(vdev.igate, MUTEX, function* () {
      at('req_trigger');
      if (vdev.req_trigger !== undefined) yield* eventfd_signal(vdev.req_trigger);
    });
  },
);

// Which device, and may he have it

const vfio_pci_validate_vf_token = fn(
  'Virtual functions depend on their physical one: it can reset them, and perhaps listen in. Where a user has the physical one, a token says that the two trust each other.',
  function* vfio_pci_validate_vf_token(vdev: VfioPciCoreDevice, uuid: number | undefined) {
    at('is_virtfn');
    if (vdev.pdev.physfn !== undefined) {
      const token = vdev.sriov_pf_core_dev?.vf_token;
      at('pf_vdev');
      if (token === undefined) return uuid === undefined ? 0 : -EINVAL;
      return uuid === token.uuid ? 0 : -EACCES;
    }
    const token = vdev.vf_token;
    if (token === undefined) return uuid === undefined ? 0 : -EINVAL;
    at('users');
    if (token.users > 0) return uuid === token.uuid ? 0 : -EACCES;
    if (uuid !== undefined) {
      atCall('uuid_copy');
      token.uuid = uuid;
    }
    return 0;
  },
);

export const vfio_pci_core_match = fn(
  'Whether user space means this device: its address, and behind it perhaps a token.',
  function* vfio_pci_core_match(vdev: VfioPciCoreDevice, buf: string) {
    const [name, option] = buf.split(' vf_token=');
    atCall('pci_name');
    if (name !== vdev.pdev.name) return 0;
    const ret = yield* vfio_pci_validate_vf_token(vdev, option === undefined ? undefined : parseInt(option, 16));
    return ret === 0 ? 1 : ret;
  },
);

// Registering

const vfio_pci_bus_notifier = fn(
  'A physical function that a user has gets virtual ones: keeps the host’s drivers away from them, until an administrator decides otherwise.',
  function* vfio_pci_bus_notifier(vdev: VfioPciCoreDevice, action: number, dev: Device) {
    at('action');
    if (action !== BUS_NOTIFY_ADD_DEVICE || !vdev.pdev.sriov?.virtfns.some((virtfn) => virtfn.dev === dev)) return;
    if (since('linux', '6.12')) atCall('device_set_driver_override');
    else at('driver_override');
    dev.driver_override = 'vfio-pci';
  },
);

const vfio_pci_vf_init = fn(
  'A virtual function finds its physical one, if that belongs to VFIO too. A physical one makes a token that nobody knows yet.',
  function* vfio_pci_vf_init(vdev: VfioPciCoreDevice) {
    const { pdev, core } = vdev;
    at('is_virtfn');
    if (core === undefined) return 0;
    if (pdev.physfn !== undefined) {
      at('sriov_pf_core_dev');
      vdev.sriov_pf_core_dev = core.vfio_pci_sriov_pfs.find((cur) => cur.pdev === pdev.physfn);
      return 0;
    }
    at('is_physfn');
    if (pdev.sriov === undefined) return 0;
    atCall('uuid_gen');
    vdev.vf_token = vfio_pci_vf_token(pdev.name, { uuid: core.next_token });
    core.next_token += 1;
    atCall('bus_register_notifier');
    vdev.nb = { notifier_call: addressOf(bound(vfio_pci_bus_notifier, () => vdev)) };
    core.bus.type.bus_notifier.push(vdev.nb);
    return 0;
  },
);

const vfio_pci_vf_uninit = fn('The token is forgotten.', function* vfio_pci_vf_uninit(vdev: VfioPciCoreDevice) {
  at('vf_token');
  if (vdev.vf_token === undefined || vdev.nb === undefined) return;
  atCall('bus_unregister_notifier');
  const notifier = vdev.core?.bus.type.bus_notifier;
  notifier?.splice(notifier.indexOf(vdev.nb), 1);
  vdev.vf_token = undefined;
});

export const vfio_pci_core_init_dev = fn(
  'Gives vfio-pci’s part of a new device its first state: no interrupts.',
  function* vfio_pci_core_init_dev(vdev: VfioPciCoreDevice) {
    vdev.irq_type = VFIO_PCI_NUM_IRQS;
    return 0;
  },
);

export const vfio_pci_core_release_dev = fn(
  'Frees vfio-pci’s part of a device.',
  function* vfio_pci_core_release_dev(vdev: VfioPciCoreDevice) {
    atCall('mutex_destroy');
    if (!since('linux', '6.2')) yield* vfio_free_device(vdev.vdev);
  },
);

export const vfio_pci_core_set_params = fn('Takes over the parameters of the module on top.', function* vfio_pci_core_set_params() {
  at('nointxmask');
});

export const vfio_pci_core_init = fn(
  'vfio-pci-core.ko is loaded: works out, once for all devices, which bits of each capability a user may write.',
  function* vfio_pci_core_init() {
    yield* vfio_pci_init_perm_bits();
    return 0;
  },
);

export const vfio_pci_core_register_device = fn(
  'Offers the device to user space. It is put together with those that it can only be reset with, woken once so that it may sleep from now on, and registered.',
  function* vfio_pci_core_register_device(vdev: VfioPciCoreDevice) {
    const { pdev, core } = vdev;
    const { dev } = pdev;
    atCall('pci_num_vf');
    if (core === undefined) return -EINVAL;
    if (pdev['sriov.num_VFs'] > 0) return -EBUSY;
    // All modelled devices sit on the root bus, or are virtual: each is reset by itself.
    yield* vfio_assign_device_set(core.vfio, vdev.vdev, vdev);
    yield* vfio_pci_vf_init(vdev);
    yield* vfio_pci_set_power_state(vdev, PCI_D0);
    at('pm');
    if (dev.driver !== undefined) dev.driver.pm = vfio_pci_core_pm_ops;
    yield* pm_runtime_allow(dev);
    yield* pm_runtime_put(dev);
    const ret = yield* vfio_register_group_dev(core.vfio, vdev.vdev);
    if (ret === 0) return 0;
    pm_runtime_get_noresume(dev);
    yield* pm_runtime_forbid(dev);
    yield* vfio_pci_vf_uninit(vdev);
    return ret;
  },
);

export const vfio_pci_core_unregister_device = fn(
  'Takes the device away from user space, its virtual functions first. It stays awake from now on.',
  function* vfio_pci_core_unregister_device(vdev: VfioPciCoreDevice) {
    const { pdev, core } = vdev;
    yield* vfio_pci_core_sriov_configure(vdev, 0);
    if (core !== undefined) yield* vfio_unregister_group_dev(core.vfio, vdev.vdev);
    yield* vfio_pci_vf_uninit(vdev);
    pm_runtime_get_noresume(pdev.dev);
    yield* pm_runtime_forbid(pdev.dev);
  },
);

export const vfio_pci_core_sriov_configure = fn(
  'Makes virtual functions, or removes them. The physical one has to stay awake as long as they are there.',
  function* vfio_pci_core_sriov_configure(vdev: VfioPciCoreDevice, nr_virtfn: number) {
    const { pdev, core } = vdev;
    atCall('device_lock_assert');
    if (core === undefined) return -EINVAL;
    if (nr_virtfn === 0) {
      if (pdev['sriov.num_VFs'] > 0) yield* pci_disable_sriov(pdev);
      atCall('list_del_init');
      const pf = core.vfio_pci_sriov_pfs.indexOf(vdev);
      if (pf < 0) return 0;
      core.vfio_pci_sriov_pfs.splice(pf, 1);
      vdev.sriov_active = false;
      yield* pm_runtime_put(pdev.dev);
      return 0;
    }
    at('sriov_pfs_item');
    if (core.vfio_pci_sriov_pfs.includes(vdev)) return -EINVAL;
    core.vfio_pci_sriov_pfs.push(vdev);
    yield* pm_runtime_get('pm_runtime_resume_and_get', pdev.dev);
    yield* vfio_pci_set_power_state(vdev, PCI_D0);
    vdev.sriov_active = true;
    const ret = yield* pci_enable_sriov(pdev, nr_virtfn);
    return ret === 0 ? nr_virtfn : ret;
  },
);
