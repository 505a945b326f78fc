import { bool, hex, int, pointer, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source, through } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { running } from '../../engine/running';
import { at, atCall, sleep } from '../../engine/steps';
import { device_writes_memory, type ContextEntry } from '../hardware/dma_remapping';
import { iommufd_fops, type IommufdFile, type IommufdIoctl } from '../linux/drivers/iommu/iommufd/main';
import { vfio_fops } from '../linux/drivers/vfio/container';
import { vfio_group_fops, type GroupIoctl } from '../linux/drivers/vfio/group';
import type { ContainerIoctl, Vfio, VfioContainerFile, VfioGroupFile } from '../linux/drivers/vfio/vfio';
import {
  vfio_device_fops,
  vfio_device_node,
  type VfioDeviceCdevIoctl,
  type VfioDeviceFile,
  type VfioDeviceIoctl,
} from '../linux/drivers/vfio/vfio_main';
import { EINVAL, ENOENT } from '../linux/errno';
import { eventfd_ctx, eventfd_fops, type EventfdCtx } from '../linux/fs/eventfd';
import { close, type File, type FilesStruct } from '../linux/fs/file_table';
import { pread64, pwrite64 } from '../linux/fs/read_write';
import { poll_wqueues, ppoll, type PollWqueues } from '../linux/fs/select';
import { mm_struct, PAGE_SIZE, type MmStruct, type VmAreaStruct } from '../linux/include/linux/mm_types';
import type { VfioDevice } from '../linux/include/linux/vfio';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_VENDOR_ID,
} from '../linux/include/uapi/linux/pci_regs';
import {
  VFIO_API_VERSION,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GROUP_FLAGS_VIABLE,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_BAR0_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_TYPE1v2_IOMMU,
} from '../linux/include/uapi/linux/vfio';
import { EPOLLIN } from '../linux/kernel/sched/wait';

/** A driver in user space that uses whatever VFIO gives it: it takes its devices, maps its memory for them, uses one, and leaves. */

const ProgramCells = struct('program', 'A driver in user space: what it was refused, and whether it was asked to leave.', {
  error: int(),
  device: pointer<VfioDeviceFile>(),
  iova: hex(32),
  command: hex(16),
  asked: bool(),
  left: bool(),
});

export type VfioProgram = InstanceOf<typeof ProgramCells> &
  FilesStruct & {
    readonly vfio: Vfio;
    readonly mm: MmStruct;
    readonly poll: PollWqueues;
    readonly req: EventfdCtx;
    container: VfioContainerFile | undefined;
    bar: VmAreaStruct | undefined;
    /** The device’s entry in the IOMMU: what the program’s DMA goes through. */
    readonly context: ContextEntry;
  };

/** A device that the program wants, as it names it; the name may carry a token. */
export interface Wanted {
  readonly name: string;
  readonly option?: string;
}

/** The program’s memory: two runs of pages that lie together. Devices are to see it from address 0 on. */
const MEMORY = { vaddr: 0x7f000000, pages: 8 } as const;
const SECOND_RUN = 4;
export const DMA_IOVA = 0;
const SIZE = MEMORY.pages * PAGE_SIZE;
const BAR_ADDRESS = 0x7e000000;

/** Makes the program before it runs. */
export const vfio_program = (vfio: Vfio, context: ContextEntry): VfioProgram => {
  const mm = mm_struct('the program’s memory');
  const frame = (page: number): number => (page < SECOND_RUN ? 0x1000 : 0x2400) + page;
  mm.mmap.push({ vm_start: MEMORY.vaddr, vm_end: MEMORY.vaddr + SIZE, frame });
  return Object.assign(ProgramCells('driver in user space'), {
    vfio,
    mm,
    files: [],
    poll: poll_wqueues('program'),
    req: eventfd_ctx('req_fd'),
    container: undefined,
    bar: undefined,
    context,
  });
};

const { fn } = source('user', 'vfio_program');

const group_ioctl = (group: VfioGroupFile, arg: GroupIoctl) => through('ioctl', 'ioctl', vfio_group_fops.unlocked_ioctl)(group, arg);
const container_ioctl = (container: VfioContainerFile, arg: ContainerIoctl) =>
  through('ioctl', 'ioctl', vfio_fops.unlocked_ioctl)(container, arg);
const iommufd_ioctl = (iommufd: IommufdFile, arg: IommufdIoctl) => through('ioctl', 'ioctl', iommufd_fops.unlocked_ioctl)(iommufd, arg);
const device_ioctl = (df: VfioDeviceFile, arg: VfioDeviceIoctl | VfioDeviceCdevIoctl) =>
  through('ioctl', 'ioctl', vfio_device_fops.unlocked_ioctl)(df, arg);

/** What has been opened gets a descriptor of the program’s. */
function opened<F extends File>(p: VfioProgram, file: F): F {
  p.files.push(file);
  return file;
}

/** The device with a name, as sysfs leads to it. */
const find = ({ vfio: { group_list } }: VfioProgram, wanted: string): VfioDevice | undefined =>
  group_list.flatMap(({ device_list }) => device_list).find(({ dev: { name } }) => name === wanted);

// By groups and a container

const open_container = fn('Opens a container, and asks whether it can do what is needed.', function* open_container(p: VfioProgram) {
  const container = opened(p, yield* through('syscall', 'open', vfio_fops.open)(p.vfio));
  p.container = container;
  if ((yield* container_ioctl(container, { cmd: 'VFIO_GET_API_VERSION' })) !== VFIO_API_VERSION) return -EINVAL;
  const type1 = { cmd: 'VFIO_CHECK_EXTENSION', extension: VFIO_TYPE1v2_IOMMU } as const;
  return (yield* container_ioctl(container, type1)) > 0 ? 0 : -EINVAL;
});

/** Opens the group of a device. */
function* open_group(p: VfioProgram, name: string): Run<VfioGroupFile | number> {
  atCall('readlink');
  const group = find(p, name)?.group;
  if (group === undefined) return -ENOENT;
  const fd = yield* through('syscall', 'open', vfio_group_fops.open)(group);
  return typeof fd === 'number' ? fd : opened(p, fd);
}

/** Opens a group that somebody may have open already: what a stimulus does. */
export const open_group_twice = fn(
  'Opens the group of a device, and closes it.',
  function* open_group_twice(p: VfioProgram, { name }: Wanted) {
    const fd = yield* open_group(p, name);
    if (typeof fd !== 'number') yield* close(p, fd);
  },
);

const join_group = fn(
  'Puts the group of a device into the container. The first one decides what the container is made of.',
  function* join_group(p: VfioProgram, container: VfioContainerFile, name: string): Run<VfioGroupFile | number> {
    const group = yield* open_group(p, name);
    if (typeof group === 'number') return group;
    const status = { flags: 0 };
    yield* group_ioctl(group, { cmd: 'VFIO_GROUP_GET_STATUS', status });
    at('VFIO_GROUP_FLAGS_VIABLE');
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) === 0) return -EINVAL;
    const ret = yield* group_ioctl(group, { cmd: 'VFIO_GROUP_SET_CONTAINER', fd: container });
    return ret === 0 ? group : ret;
  },
);

const map_memory = fn('Maps all its memory for the devices of the container.', function* map_memory(p: VfioProgram) {
  const flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  const map = { iova: DMA_IOVA, vaddr: MEMORY.vaddr, size: SIZE, flags, mm: p.mm };
  return yield* container_ioctl(p.container!, { cmd: 'VFIO_IOMMU_MAP_DMA', map });
});

/** Maps memory once more where it is mapped already: what a stimulus does. */
export const map_again = fn('Maps a page where something is mapped already.', function* map_again(p: VfioProgram) {
  const map = { iova: DMA_IOVA + PAGE_SIZE, vaddr: MEMORY.vaddr, size: PAGE_SIZE, flags: VFIO_DMA_MAP_FLAG_READ, mm: p.mm };
  at('container');
  if (p.container === undefined || p.left) return;
  yield* container_ioctl(p.container, { cmd: 'VFIO_IOMMU_MAP_DMA', map });
});

const open_by_groups = fn(
  'The old way: groups in a container, whose mappings are for all of them. Memory is mapped as soon as the container can.',
  function* open_by_groups(p: VfioProgram, devices: readonly Wanted[]): Run<number> {
    let ret = yield* open_container(p);
    if (ret !== 0) return ret;
    const container = p.container!;
    for (const [index, { name, option = '' }] of devices.entries()) {
      const group = yield* join_group(p, container, name);
      if (typeof group === 'number') return group;
      if (index === 0) {
        ret = yield* container_ioctl(container, { cmd: 'VFIO_SET_IOMMU', iommu_type: VFIO_TYPE1v2_IOMMU });
        if (ret === 0) ret = yield* map_memory(p);
        if (ret !== 0) return ret;
      }
      const got: { fd: VfioDeviceFile | undefined } = { fd: undefined };
      ret = yield* group_ioctl(group, { cmd: 'VFIO_GROUP_GET_DEVICE_FD', name: name + option, got });
      if (ret !== 0) return ret;
      p.device = got.fd;
      opened(p, got.fd!.file);
    }
    return 0;
  },
);

// By the device's own node

const open_by_cdev = fn(
  'The new way: the device’s own node, bound to an iommufd, and attached to an address space of it.',
  function* open_by_cdev(p: VfioProgram, { name }: Wanted): Run<number> {
    atCall('readdir');
    const device = find(p, name);
    const open_node = vfio_device_node();
    if (device === undefined || open_node === undefined) return -ENOENT;
    const iommufd = opened(p, yield* through('syscall', 'open', iommufd_fops.open)());
    const fd = yield* through('syscall', 'open', open_node)(device);
    if (typeof fd === 'number') return fd;
    opened(p, fd.file);
    let ret = yield* device_ioctl(fd, { cmd: 'VFIO_DEVICE_BIND_IOMMUFD', iommufd });
    if (ret !== 0) return ret;
    const out = { ioas_id: 0 };
    ret = yield* iommufd_ioctl(iommufd, { cmd: 'IOMMU_IOAS_ALLOC', out });
    const { ioas_id } = out;
    if (ret === 0) ret = yield* device_ioctl(fd, { cmd: 'VFIO_DEVICE_ATTACH_IOMMUFD_PT', pt_id: ioas_id });
    const map = { ioas_id, iova: DMA_IOVA, user_va: MEMORY.vaddr, length: SIZE, writeable: true, mm: p.mm };
    if (ret === 0) ret = yield* iommufd_ioctl(iommufd, { cmd: 'IOMMU_IOAS_MAP', ...map });
    p.device = fd;
    return ret;
  },
);

// Using it

const query = fn('Asks what the device is made of: regions, interrupts.', function* query(_p: VfioProgram, df: VfioDeviceFile) {
  const info = { flags: 0, num_regions: 0, num_irqs: 0 };
  yield* device_ioctl(df, { cmd: 'VFIO_DEVICE_GET_INFO', info });
  for (const index of [VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX])
    yield* device_ioctl(df, { cmd: 'VFIO_DEVICE_GET_REGION_INFO', info: { index, size: 0, flags: 0 } });
  for (const index of [VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX])
    yield* device_ioctl(df, { cmd: 'VFIO_DEVICE_GET_IRQ_INFO', info: { index, flags: 0, count: 0 } });
});

const listen_for_requests = fn(
  'Gives VFIO an eventfd to be asked by: somebody may want the device back.',
  function* listen_for_requests(p: VfioProgram, df: VfioDeviceFile) {
    const flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    return yield* device_ioctl(df, { cmd: 'VFIO_DEVICE_SET_IRQS', set: { index: VFIO_PCI_REQ_IRQ_INDEX, flags, count: 1, data: p.req } });
  },
);

const config_read = (df: VfioDeviceFile, where: number, size: number) =>
  through('syscall', 'pread', pread64.ksys_pread64)(df, VFIO_PCI_CONFIG_REGION_INDEX, where, size);
const config_write = (df: VfioDeviceFile, where: number, size: number, value: number) =>
  through('syscall', 'pwrite', pwrite64.ksys_pwrite64)(df, VFIO_PCI_CONFIG_REGION_INDEX, where, size, value);

const look_at_config = fn(
  'Reads who made the device, has the BAR say its size, and switches its memory and its DMA on.',
  function* look_at_config(p: VfioProgram, df: VfioDeviceFile) {
    yield* config_read(df, PCI_VENDOR_ID, 2);
    const address = yield* config_read(df, PCI_BASE_ADDRESS_0, 4);
    yield* config_write(df, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
    yield* config_read(df, PCI_BASE_ADDRESS_0, 4);
    yield* config_write(df, PCI_BASE_ADDRESS_0, 4, address);
    yield* config_write(df, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    p.command = yield* config_read(df, PCI_COMMAND, 2);
  },
);

/** Switches the device’s memory off or on, as a guest that sizes its BARs would: what a stimulus does. */
export const switch_memory = fn('Switches the device’s memory off, or on again.', function* switch_memory(p: VfioProgram) {
  at('device');
  if (p.device === undefined || p.left) return;
  const command = (p.command ^ PCI_COMMAND_MEMORY) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  yield* config_write(p.device, PCI_COMMAND, 2, command);
  p.command = command;
});

const map_bar = fn('Maps the BAR, and touches it.', function* map_bar(p: VfioProgram, df: VfioDeviceFile) {
  const request = { index: VFIO_PCI_BAR0_REGION_INDEX, vm_start: BAR_ADDRESS, size: PAGE_SIZE };
  const vma = yield* through('syscall', 'mmap', vfio_device_fops.mmap)(df, request);
  if (typeof vma === 'number') return;
  p.bar = vma;
  p.mm.mmap.push(vma);
  yield* touch_bar(p);
});

/** An access to the mapped BAR: a page fault comes first, unless the page is there. What a stimulus does, too. */
export const touch_bar = fn(
  'Reads a register by a load. The kernel hears of it only while there is no page.',
  function* touch_bar({ bar, left }: VfioProgram) {
    const pfnmap = bar?.pfnmap;
    at('bar');
    if (bar === undefined || pfnmap === undefined || left || pfnmap.present.has(0)) return;
    yield* through('function pointer', 'load', pfnmap.fault)({ vma: bar, address: bar.vm_start });
  },
);

const start_dma = fn('Tells the device to write to memory, at an address of its own.', function* start_dma(p: VfioProgram, iova: number) {
  p.iova = iova;
  yield* architecturally('mmio', device_writes_memory)(p.context, iova);
});

// Leaving

const LIFETIME_MS = 5000;
/** What it takes the program to finish, when it is asked for the device: longer than the kernel waits before it asks again. */
const FINISH_MS = 12_000;

const wait = fn(
  'Waits for a while, or until it is asked for the device. Then it finishes what it has begun.',
  function* wait(p: VfioProgram) {
    const until = running().now + LIFETIME_MS;
    const asked = yield* through('syscall', 'ppoll', ppoll.do_sys_poll)([{ fd: p.req, events: EPOLLIN, revents: 0 }], p.poll, until);
    at('asked');
    if (asked === 0) return;
    p.asked = true;
    yield* through('syscall', 'read', eventfd_fops.read_iter)(p.req);
    yield* sleep(FINISH_MS);
  },
);

const leave = fn('Closes everything: mappings and devices first, then what they came from.', function* leave(p: VfioProgram) {
  if (p.container?.container.iommu_driver !== undefined)
    yield* container_ioctl(p.container, { cmd: 'VFIO_IOMMU_UNMAP_DMA', iova: DMA_IOVA, size: SIZE });
  p.left = true;
  for (const file of [...p.files].reverse()) yield* close(p, file);
  p.device = undefined;
});

export const vfio_program_main = fn(
  'Takes its devices, uses the last of them, and leaves.',
  function* vfio_program_main(p: VfioProgram, devices: readonly Wanted[], by: 'groups' | 'cdev') {
    const ret = by === 'groups' ? yield* open_by_groups(p, devices) : yield* open_by_cdev(p, devices.at(-1)!);
    at('error');
    p.error = Math.abs(ret);
    const df = p.device;
    if (ret === 0 && df !== undefined) {
      yield* query(p, df);
      yield* listen_for_requests(p, df);
      yield* look_at_config(p, df);
      yield* map_bar(p, df);
      yield* start_dma(p, DMA_IOVA);
      yield* start_dma(p, DMA_IOVA + SIZE);
      yield* wait(p);
    }
    yield* leave(p);
  },
);
