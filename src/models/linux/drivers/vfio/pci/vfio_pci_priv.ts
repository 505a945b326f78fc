import { bits, bool, int, oneOf, pointer, struct, type InstanceOf } from '../../../../../engine/cell';
import { Mutex } from '../../../../../engine/mutex';
import { since } from '../../../../version';
import type { EventfdCtx } from '../../../fs/eventfd';
import type { PciDev } from '../../pci/pci';
import { device } from '../../../include/linux/device';
import { vfio_device, type VfioDevice, type VfioDeviceOps } from '../../../include/linux/vfio';
import {
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from '../../../include/uapi/linux/vfio';
import { PCI_COMMAND_BITS, PCI_MSI_FLAGS_64BIT, PCI_MSI_FLAGS_BITS } from '../../../include/uapi/linux/pci_regs';
import { irq_bypass_producer, type IrqBypassProducer } from '../../../virt/lib/irqbypass';
import type { Virqfd, VirqfdHost } from '../virqfd';

/** The structures of vfio-pci that its files share. */

const VfioPciIrqCtxCells = struct(
  'vfio_pci_irq_ctx',
  'vfio-pci’s state of one interrupt: whom to signal, and whether the source is masked.',
  {
    trigger: pointer<EventfdCtx>(),
    unmask: pointer<Virqfd>(),
    mask: pointer<Virqfd>(),
    masked: bool(),
  },
);

export type VfioPciIrqCtx = InstanceOf<typeof VfioPciIrqCtxCells> & { name: string; readonly producer: IrqBypassProducer };

/** Allocates the state of an interrupt. */
export const vfio_pci_irq_ctx = (index = 0): VfioPciIrqCtx =>
  Object.assign(VfioPciIrqCtxCells(`ctx[${index}]`), { name: '', producer: irq_bypass_producer(`ctx[${index}].producer`) });

const VfioPciCoreDeviceCells = struct('vfio_pci_core_device', 'The device as vfio-pci has it open.', {
  irq_type: oneOf({ VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS }, VFIO_PCI_NUM_IRQS),
  virq_disabled: bool(),
  pci_2_3: bool(),
  'vconfig.PCI_COMMAND': bits(16, PCI_COMMAND_BITS, 0x6),
  'vconfig.PCI_INTERRUPT_PIN': bool(true),
  'vconfig.PCI_MSI_FLAGS': bits(16, PCI_MSI_FLAGS_BITS, PCI_MSI_FLAGS_64BIT),
  msi_qmax: int(),
  has_dyn_msix: bool(),
});

export type VfioPciCoreDevice = InstanceOf<typeof VfioPciCoreDeviceCells> & {
  readonly vdev: VfioDevice;
  readonly pdev: PciDev;
  readonly igate: Mutex;
  /** The contexts of the enabled interrupts, by number: an array in 6.1, an xarray since 6.5. */
  readonly ctx: Map<number, VfioPciIrqCtx>;
};

/**
 * Makes the device that a driver on top of vfio-pci-core allocates.
 * @param ops the driver's operations, which find the device that they are for by calling what they are given
 */
export function vfio_pci_core_device(
  pdev: PciDev,
  host: VirqfdHost,
  ops: (vdev: () => VfioPciCoreDevice) => VfioDeviceOps,
): VfioPciCoreDevice {
  const has_dyn_msix = since('linux', '6.5') && pdev.msi !== undefined && pdev.msi.msix_vec_count > 0;
  const cells = VfioPciCoreDeviceCells(pdev.name, { pci_2_3: pdev.function.pci_2_3, has_dyn_msix });
  const vdev: VfioPciCoreDevice = Object.assign(cells, {
    vdev: vfio_device({ dev: device(pdev.name), host, ops: ops(() => vdev) }),
    pdev,
    igate: Mutex('igate'),
    ctx: new Map<number, VfioPciIrqCtx>(),
  });
  return vdev;
}
