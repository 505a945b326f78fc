import type { Pointer } from '../../../../../engine/fn';
import type { PciFunction } from '../../../../hardware/pci_function';
import type { Vfio, VfioGroupFile } from '../../../../linux/drivers/vfio/vfio';
import type { VfioDeviceFile } from '../../../../linux/drivers/vfio/vfio_main';
import type { VFIOPCIDevice } from '../../../hw/vfio/pci';
import type { MemoryRegion } from '../../exec/memory';

/** What VFIO devices of every kind have in QEMU. */

/** What QEMU is told to assign, and where it finds that: the groups of the host. */
export interface HostDevice {
  readonly vfio: Vfio;
  readonly name: string;
}

/** A group that QEMU has open. */
export interface VFIOGroup {
  readonly fd: VfioGroupFile;
}

/** An assigned device: the file that VFIO gave for it, and what its kind does at the end of an interrupt. */
export interface VFIODevice {
  /** Throws while it is not open. */
  readonly fd: VfioDeviceFile;
  opened: VfioDeviceFile | undefined;
  readonly ops: { readonly vfio_eoi: Pointer<[vbasedev: VFIODevice], void> };
  /** container_of(). */
  readonly vdev: () => VFIOPCIDevice;
}

/** A BAR as the guest's firmware has placed it. `device`: what QEMU's own mapping of it reaches; what is in I/O space has none. */
export interface VFIOBAR {
  readonly nr: number;
  readonly addr: number;
  readonly size: number;
  readonly space: { readonly kind: 'io' } | { readonly kind: 'memory'; readonly device: PciFunction };
}

/** A region of the device: `mem` reads and writes its file, the mappings in `mmaps` hide it while they are enabled. */
export interface VFIORegion {
  readonly vbasedev: VFIODevice;
  readonly nr: number;
  readonly mem: MemoryRegion;
  readonly mmaps: readonly MemoryRegion[];
}
