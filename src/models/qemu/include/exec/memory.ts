import { bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import { memory } from '../../../hardware/memory';
import { withOpaque } from '../../opaque';
import type { EventNotifier } from '../../util/event_notifier-posix';

/** The memory API's structures: regions, the flat view that they make, and who is told when it changes. */

/** What a region does with an access; the region's opaque is filled in. */
export interface MemoryRegionOps {
  readonly read: Pointer<[addr: number, size: number], number>;
  readonly write: Pointer<[addr: number, data: number, size: number], void>;
}

const MemoryRegionCells = struct('MemoryRegion', 'A range of guest addresses and what an access to it does.', { enabled: bool(true) });

export type MemoryRegion = InstanceOf<typeof MemoryRegionCells> & {
  readonly name: string;
  /** Guest-physical address and size in bytes. */
  readonly addr: number;
  readonly size: number;
  /** Backed by host memory, so that KVM can map it into the guest. */
  readonly ram: boolean;
  readonly ops: MemoryRegionOps;
  readonly ioeventfds: MemoryRegionIoeventfd[];
  /** Memory of the process: where QEMU has it, and whether the guest may write to it. */
  readonly ram_block?: { readonly host: number; readonly readonly: boolean };
};

/** A place in a region where a write signals an event instead of calling the region. `size` 0 takes any width. */
export interface MemoryRegionIoeventfd {
  readonly addr: number;
  readonly size: number;
  readonly match_data: boolean;
  readonly data: number;
  readonly e: EventNotifier;
}

type Range = Pick<MemoryRegion, 'name' | 'addr' | 'size'>;
interface OpsTable<T> {
  readonly read: Pointer<[opaque: T, addr: number, size: number], number>;
  readonly write: Pointer<[opaque: T, addr: number, data: number, size: number], void>;
}

const region =
  (ram: boolean) =>
  <T>({ name, addr, size }: Range, { read, write }: OpsTable<T>, opaque: () => T): MemoryRegion =>
    Object.assign(MemoryRegionCells(name), {
      name,
      addr,
      size,
      ram,
      ioeventfds: [],
      ops: { read: withOpaque(read, opaque), write: withOpaque(write, opaque) },
    });

/** memory_region_init_io(): accesses call the region's operations. */
export const io_region = region(false);
/** memory_region_init_ram_device_ptr(): device memory that is mapped into the guest. */
export const ram_device_region = region(true);

/** memory_region_init_ram(): the guest's own memory, at an address of the process. */
export const ram_region = ({ name, addr, size }: Range, ram_block: { readonly host: number; readonly readonly: boolean }): MemoryRegion =>
  Object.assign(MemoryRegionCells(name), { name, addr, size, ram: true, ioeventfds: [], ops: memory, ram_block });

/** Which region an address belongs to, after overlaps are resolved: what the guest sees. */
export type FlatView = readonly MemoryRegion[];

/** Who follows the guest's memory map: KVM, for its slots and its ioeventfds. An ioeventfd's `addr` is a guest address here. */
export interface MemoryListener {
  readonly region_add?: Pointer<[section: MemoryRegion], void>;
  readonly region_del?: Pointer<[section: MemoryRegion], void>;
  readonly eventfd_add?: Pointer<[fd: MemoryRegionIoeventfd], void>;
  readonly eventfd_del?: Pointer<[fd: MemoryRegionIoeventfd], void>;
}

/** An address space: its regions, the one on top first, and the view in force. */
export interface AddressSpace {
  readonly root: MemoryRegion[];
  readonly listeners: MemoryListener[];
  current_map: FlatView;
}

/** generate_memory_topology(): an enabled region hides whatever lies below it. */
export function generate_memory_topology(root: readonly MemoryRegion[]): FlatView {
  const view: MemoryRegion[] = [];
  for (const mr of root) {
    if (mr.enabled && !view.some((above) => mr.addr < above.addr + above.size && above.addr < mr.addr + mr.size)) view.push(mr);
  }
  return view;
}

/** memory_region_add_subregion_overlap() while the machine is built: puts a region on top of what is there. */
export function memory_region_add_subregion(as: AddressSpace, mr: MemoryRegion): void {
  as.root.unshift(mr);
  as.current_map = generate_memory_topology(as.root);
}

const MemoryCells = struct(
  'memory',
  'The memory core’s own variables: how deep in a change it is, and what the end of the change has to do.',
  {
    memory_region_transaction_depth: int(),
    memory_region_update_pending: bool(),
    ioeventfd_update_pending: bool(),
  },
);

/** The memory core of a process: the address spaces, and the ioeventfds that each one's listeners know of. */
export type Memory = InstanceOf<typeof MemoryCells> & {
  readonly address_spaces: readonly AddressSpace[];
  readonly ioeventfds: Map<AddressSpace, readonly MemoryRegionIoeventfd[]>;
};

/** Makes the memory core. */
export const memory_core = (...address_spaces: AddressSpace[]): Memory =>
  Object.assign(MemoryCells('memory'), { address_spaces, ioeventfds: new Map<AddressSpace, readonly MemoryRegionIoeventfd[]>() });
