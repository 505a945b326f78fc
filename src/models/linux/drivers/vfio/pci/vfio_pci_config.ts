import { source, through } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE } from '../../../include/uapi/linux/pci_regs';
import { vfio_pci_intx_mask, vfio_pci_intx_unmask } from './vfio_pci_intrs';
import type { VfioPciCoreDevice } from './vfio_pci_priv';

/** The virtual configuration space: what a guest reads and writes is not always the device's own. */

const { fn, ops } = source('linux', 'drivers/vfio/pci/vfio_pci_config.c');

const vfio_basic_config_write = fn(
  'A write to the standard header. DisINTx is virtual: the guest’s bit is remembered in vconfig, and masks or unmasks INTx by VFIO’s own means.',
  function* vfio_basic_config_write(vdev: VfioPciCoreDevice, offset: number, value: number) {
    if (offset !== PCI_COMMAND) return 2;
    at('vconfig');
    vdev['vconfig.PCI_COMMAND'] = value;
    const virt_intx_disable = (value & PCI_COMMAND_INTX_DISABLE) !== 0;
    if (virt_intx_disable && !vdev.virq_disabled) {
      at('virq_disabled');
      vdev.virq_disabled = true;
      yield* vfio_pci_intx_mask(vdev);
    } else if (!virt_intx_disable && vdev.virq_disabled) {
      at('virq_disabled');
      vdev.virq_disabled = false;
      yield* vfio_pci_intx_unmask(vdev);
    }
    return 2;
  },
);

/** init_pci_cap_basic_perm() stores the handlers of the standard header. */
export const init_pci_cap_basic_perm = ops('init_pci_cap_basic_perm', { writefn: vfio_basic_config_write });

const vfio_config_do_rw = fn(
  'Finds out which capability an access falls into and calls its handler.',
  function* vfio_config_do_rw(vdev: VfioPciCoreDevice, offset: number, value: number | undefined) {
    if (value === undefined) {
      at('readfn');
      return offset === PCI_COMMAND ? vdev['vconfig.PCI_COMMAND'] : 0;
    }
    return yield* through('function pointer', 'writefn', init_pci_cap_basic_perm.writefn)(vdev, offset, value);
  },
);

export const vfio_pci_config_rw = fn(
  'Splits an access to the configuration space along its registers.',
  function* vfio_pci_config_rw(vdev: VfioPciCoreDevice, offset: number, value: number | undefined) {
    return yield* vfio_config_do_rw(vdev, offset, value);
  },
);
