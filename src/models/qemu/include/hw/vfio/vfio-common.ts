import { bool, int, pointer, struct, type InstanceOf } from '../../../../../engine/cell';
import type { Pointer } from '../../../../../engine/fn';
import type { PciFunction } from '../../../../hardware/pci_function';
import type { Vfio, VfioContainerFile, VfioGroupFile } from '../../../../linux/drivers/vfio/vfio';
import type { VfioDeviceFile } from '../../../../linux/drivers/vfio/vfio_main';
import type { FilesStruct } from '../../../../linux/fs/file_table';
import { mm_struct, type MmStruct } from '../../../../linux/include/linux/mm_types';
import type { KvmDeviceFile } from '../../../../linux/virt/kvm/kvm_device';
import type { VFIOPCIDevice } from '../../../hw/vfio/pci';
import type { AddressSpace, MemoryListener, MemoryRegion } from '../../exec/memory';

/** What VFIO devices of every kind have in QEMU. */

/** An assigned device: the file that VFIO gave for it, and what its kind does at the end of an interrupt. */
export interface VFIODevice {
  /** The file. @throws where it is not open */
  readonly fd: VfioDeviceFile;
  /** The file, once the device is open. */
  opened: VfioDeviceFile | undefined;
  group: VFIOGroup | undefined;
  flags: number;
  num_irqs: number;
  num_regions: number;
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

/** Makes a device; `opened` where it is open already when the run begins. */
export const vfio_device = (parts: Pick<VFIODevice, 'ops' | 'vdev' | 'opened'>): VFIODevice => ({
  ...parts,
  group: undefined,
  flags: 0,
  num_irqs: 0,
  num_regions: 0,
  get fd() {
    if (this.opened === undefined) throw new Error('QEMU uses a VFIO device that it has not opened');
    return this.opened;
  },
});

const VFIOContainerCells = struct('VFIOContainer', 'QEMU’s container: which backend it has, and whether its mappings could all be made.', {
  fd: pointer<VfioContainerFile>(),
  iommu_type: int(),
  initialized: bool(),
  error: int(),
});

export type VFIOContainer = InstanceOf<typeof VFIOContainerCells> & {
  readonly space: VFIOAddressSpace;
  readonly host: VFIOHost;
  readonly group_list: VFIOGroup[];
  /** Ranges of addresses that can be mapped; both ends belong to it. */
  readonly hostwin_list: { readonly min_iova: number; readonly max_iova: number }[];
  readonly listener: MemoryListener;
};

export const vfio_container = (parts: Pick<VFIOContainer, 'space' | 'host' | 'listener'>, fd: VfioContainerFile): VFIOContainer => {
  const container = VFIOContainerCells('container');
  container.fd = fd;
  return Object.assign(container, { group_list: [], hostwin_list: [], ...parts });
};

const VFIOGroupCells = struct('VFIOGroup', 'QEMU’s group.', { container: pointer<VFIOContainer>() });

export type VFIOGroup = InstanceOf<typeof VFIOGroupCells> & {
  readonly groupid: number;
  readonly fd: VfioGroupFile;
  readonly device_list: VFIODevice[];
};

export const vfio_group = (groupid: number, fd: VfioGroupFile): VFIOGroup =>
  Object.assign(VFIOGroupCells(`group ${groupid}`), { groupid, fd, device_list: [] });

/** The containers of an address space. */
export interface VFIOAddressSpace {
  readonly as: AddressSpace;
  readonly containers: VFIOContainer[];
}

/** What QEMU is told to assign, and where it finds that: the groups of the host. */
export interface HostDevice {
  /** host=… or sysfsdev=…: which device. */
  readonly name: string;
  /** The kernel’s /dev/vfio. */
  readonly vfio: Vfio;
  /** QEMU’s open files and its memory, where the flow looks at them. */
  readonly process?: FilesStruct;
  readonly mm?: MmStruct;
}

/** The same, with what QEMU keeps of VFIO in global variables. */
export interface VFIOHost extends HostDevice {
  readonly process: FilesStruct;
  /** QEMU’s memory, of which the guest’s is a part. */
  readonly mm: MmStruct;
  readonly vfio_group_list: VFIOGroup[];
  readonly vfio_address_spaces: VFIOAddressSpace[];
  vfio_kvm_device_fd: KvmDeviceFile | undefined;
}

/** What QEMU has before it opens anything. */
export const vfio_host = (device: HostDevice): VFIOHost => ({
  process: { files: [] },
  mm: mm_struct('QEMU’s memory'),
  ...device,
  vfio_group_list: [],
  vfio_address_spaces: [],
  vfio_kvm_device_fd: undefined,
});

/** A region of the device: `mem` reads and writes its file, the mappings in `mmaps` hide it while they are enabled. */
export interface VFIORegion {
  readonly vbasedev: VFIODevice;
  readonly nr: number;
  /** What VFIO says can be done with it, once it was asked. */
  flags?: number;
  readonly mem: MemoryRegion;
  readonly mmaps: readonly MemoryRegion[];
}
