import { bool, hex, int, means, oneOf, pointer, struct, type InstanceOf } from '../../../../../engine/cell';
import { Mutex } from '../../../../../engine/mutex';
import { since } from '../../../../version';
import type { EventfdCtx } from '../../../fs/eventfd';
import type { NotifierBlock } from '../../../kernel/notifier';
import type { VmAreaStruct } from '../../../include/linux/mm_types';
import type { PciDev } from '../../pci/pci';
import type { PciBus } from '../../pci/pci-driver';
import type { Vfio } from '../vfio';
import { vfio_device, type VfioDevice, type VfioDeviceOps } from '../../../include/linux/vfio';
import {
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from '../../../include/uapi/linux/vfio';
import { PCI_MSI_FLAGS_64BIT } from '../../../include/uapi/linux/pci_regs';
import { irq_bypass_producer, type IrqBypassProducer } from '../../../virt/lib/irqbypass';
import type { Virqfd, VirqfdHost } from '../virqfd';
import * as pci_registers from '../../../../hardware/registers/pci';

/** The structures of vfio-pci that its files share. */

const VfioPciIrqCtxCells = struct(
  'vfio_pci_irq_ctx',
  'vfio-pci’s state of one interrupt: whom to signal, and whether the source is masked.',
  {
    trigger: means('The eventfd that the interrupt signals.', pointer<EventfdCtx>()),
    unmask: means('The eventfd whose signal unmasks the interrupt: KVM’s resamplefd.', pointer<Virqfd>()),
    mask: means('The eventfd whose signal masks the interrupt.', pointer<Virqfd>()),
    masked: means('The source is masked: in the device by DisINTx, else by disable_irq. Nothing more comes until it is unmasked.', bool()),
  },
);

export type VfioPciIrqCtx = InstanceOf<typeof VfioPciIrqCtxCells> & { name: string; readonly producer: IrqBypassProducer };

/** Allocates the state of an interrupt. */
export const vfio_pci_irq_ctx = (index = 0): VfioPciIrqCtx =>
  Object.assign(VfioPciIrqCtxCells(`ctx[${index}]`), { name: '', producer: irq_bypass_producer(`ctx[${index}].producer`) });

const VfioPciCoreDeviceCells = struct('vfio_pci_core_device', 'The device as vfio-pci has it open.', {
  irq_type: oneOf({ VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS }, VFIO_PCI_NUM_IRQS),
  virq_disabled: means('The user has set DisINTx in its copy of the command register: an unmask must not undo that.', bool()),
  pci_2_3: means('The device can hold its INTx down by DisINTx; else the whole host interrupt is disabled.', bool()),
  'vconfig.PCI_COMMAND': pci_registers.command(0x6),
  'vconfig.PCI_INTERRUPT_PIN': bool(true),
  'vconfig.PCI_MSI_FLAGS': pci_registers.msiFlags(PCI_MSI_FLAGS_64BIT),
  'vconfig.PCI_VENDOR_ID': hex(16),
  'vconfig.PCI_DEVICE_ID': hex(16),
  'vconfig.PCI_BASE_ADDRESS_0': hex(32),
  'vconfig.PCI_INTERRUPT_LINE': hex(8),
  msi_qmax: int(),
  has_dyn_msix: bool(),
  reset_works: bool(),
  nointx: bool(),
  pm_intx_masked: bool(),
  sriov_active: bool(),
  needs_reset: bool(),
  err_trigger: pointer<EventfdCtx>(),
  req_trigger: pointer<EventfdCtx>(),
});

/** The eventfds of what is no interrupt of the device: it has an error, the kernel wants it back. */
export const EVENTFD_TRIGGERS = ['err_trigger', 'req_trigger'] as const;
export type EventfdTrigger = (typeof EVENTFD_TRIGGERS)[number];

const VfioPciVfTokenCells = struct(
  'vfio_pci_vf_token',
  'What proves that the users of a physical function and of its virtual ones trust each other.',
  {
    uuid: hex(32),
    users: int(),
  },
);
export type VfioPciVfToken = InstanceOf<typeof VfioPciVfTokenCells>;
export const vfio_pci_vf_token = VfioPciVfTokenCells;

/** What vfio-pci-core.ko keeps in static variables, and its parameters. */
export interface VfioPciCore {
  readonly vfio: Vfio;
  readonly bus: PciBus;
  /** Physical functions whose virtual ones VFIO has made. */
  readonly vfio_pci_sriov_pfs: VfioPciCoreDevice[];
  /** The value of the next token. */
  next_token: number;
}

/** Makes the module's state. */
export const vfio_pci_core = (vfio: Vfio, bus: PciBus): VfioPciCore => ({ vfio, bus, vfio_pci_sriov_pfs: [], next_token: 0x8bd8d9d2 });

export type VfioPciCoreDevice = InstanceOf<typeof VfioPciCoreDeviceCells> & {
  readonly vdev: VfioDevice;
  readonly pdev: PciDev;
  readonly igate: Mutex;
  /** The contexts of the enabled interrupts, by number: an array in 6.1, an xarray since 6.5. */
  readonly ctx: Map<number, VfioPciIrqCtx>;
  /** Module state; `undefined` in a flow that begins with the device open. */
  readonly core: VfioPciCore | undefined;
  readonly memory_lock: Mutex;
  /** Mappings of BARs that user space has made. */
  readonly vma_list: VmAreaStruct[];
  vf_token: VfioPciVfToken | undefined;
  sriov_pf_core_dev: VfioPciCoreDevice | undefined;
  nb: NotifierBlock | undefined;
};

/**
 * Makes the device that a driver on top of vfio-pci-core allocates.
 * @param core the module's state, for a device that is probed in the run
 * @param ops the driver's operations, which find the device that they are for by calling what they are given
 */
export function vfio_pci_core_device(
  pdev: PciDev,
  host: VirqfdHost,
  ops: (vdev: () => VfioPciCoreDevice) => VfioDeviceOps,
  core?: VfioPciCore,
): VfioPciCoreDevice {
  const has_dyn_msix = since('linux', '6.5') && pdev.msi !== undefined && pdev.msi.msix_vec_count > 0;
  const cells = VfioPciCoreDeviceCells(pdev.name, { pci_2_3: pdev.function.pci_2_3, has_dyn_msix });
  const vdev: VfioPciCoreDevice = Object.assign(cells, {
    vdev: vfio_device({ dev: pdev.dev, host, ops: ops(() => vdev) }),
    pdev,
    igate: Mutex('igate'),
    ctx: new Map<number, VfioPciIrqCtx>(),
    core,
    memory_lock: Mutex('memory_lock'),
    vma_list: [],
    vf_token: undefined,
    sriov_pf_core_dev: undefined,
    nb: undefined,
  });
  return vdev;
}
