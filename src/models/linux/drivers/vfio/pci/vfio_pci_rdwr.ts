import { source } from '../../../../../engine/fn';
import { atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { read_register, write_register } from '../../../../hardware/pci_function';
import type { VfioPciCoreDevice } from './vfio_pci_priv';

const { fn } = source('linux', 'drivers/vfio/pci/vfio_pci_rdwr.c');

export const vfio_pci_bar_rw = fn(
  'Accesses a BAR of the physical device on behalf of user space. A read of the status register, or a write to the acknowledge register, happens for real here.',
  function* vfio_pci_bar_rw(vdev: VfioPciCoreDevice, offset: number, value: number | undefined) {
    const device = vdev.pdev.function;
    atCall(since('linux', '6.8') ? 'vfio_pci_core_setup_barmap' : 'vfio_pci_setup_barmap');
    if (value === undefined) return yield* read_register(device, offset);
    yield* write_register(device, offset, value);
    return 4;
  },
);
