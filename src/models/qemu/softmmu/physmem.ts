import { source, via } from '../../../engine/fn';
import { acquire, release, type Mutex } from '../../../engine/mutex';
import { running } from '../../../engine/running';
import { atCall } from '../../../engine/steps';
import type { AddressSpace, FlatView, MemoryRegion } from '../include/exec/memory';
import type { Process } from '../machine';
import { memory_region_dispatch_read, memory_region_dispatch_write } from './memory';

/** Accesses to the guest's physical memory that QEMU carries out. */

/** Where an access takes its data from or leaves it: `kvm_run`'s mmio. */
export interface AccessBuffer {
  data: number;
}

const { fn } = source('qemu', 'softmmu/physmem.c');

const prepare_mmio_access = fn(
  'Takes the BQL for a device’s callback, unless this thread holds it already. The result says whether to give it back.',
  function* prepare_mmio_access({ qemu_global_mutex }: Pick<Process, 'qemu_global_mutex'>) {
    atCall('qemu_mutex_iothread_locked');
    if (qemu_global_mutex.owner === running().currentThread + 1) return false;
    yield* acquire(qemu_global_mutex, 'qemu_mutex_lock_iothread');
    return true;
  },
);

const flatview_write_continue = fn(
  'Writes to one region: to a device under the BQL, which is given back as soon as the device has been called.',
  function* flatview_write_continue(q: Process, mr: MemoryRegion, addr1: number, data: number, len: number) {
    const release_lock = yield* prepare_mmio_access(q);
    yield* memory_region_dispatch_write(mr, addr1, data, len);
    if (release_lock) release(q.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
  },
);

const flatview_write = fn(
  'Finds the region that an address belongs to and writes to it.',
  function* flatview_write(q: Process, fv: FlatView, addr: number, data: number, len: number) {
    atCall('flatview_translate');
    const mr = translate(fv, addr);
    if (mr !== undefined) yield* flatview_write_continue(q, mr, addr - mr.addr, data, len);
  },
);

const flatview_read_continue = fn(
  'Reads from one region: from a device under the BQL, which is given back as soon as the device has been called.',
  function* flatview_read_continue(q: Process, mr: MemoryRegion, addr1: number, len: number) {
    const release_lock = yield* prepare_mmio_access(q);
    const val = yield* memory_region_dispatch_read(mr, addr1, len);
    if (release_lock) release(q.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
    return val;
  },
);

const flatview_read = fn(
  'Finds the region that an address belongs to and reads from it. The region is chosen before the BQL is taken: the map may have changed by then.',
  function* flatview_read(q: Process, fv: FlatView, addr: number, len: number) {
    atCall('flatview_translate');
    const mr = translate(fv, addr);
    return mr === undefined ? 0 : yield* flatview_read_continue(q, mr, addr - mr.addr, len);
  },
);

const address_space_read_full = fn(
  'Reads guest-physical memory as the map is now.',
  function* address_space_read_full(q: Process, as: AddressSpace, addr: number, buf: AccessBuffer, len: number) {
    atCall('address_space_to_flatview');
    buf.data = yield* flatview_read(q, as.current_map, addr, len);
  },
);

const address_space_write = fn(
  'Writes guest-physical memory as the map is now.',
  function* address_space_write(q: Process, as: AddressSpace, addr: number, buf: AccessBuffer, len: number) {
    atCall('address_space_to_flatview');
    yield* flatview_write(q, as.current_map, addr, buf.data, len);
  },
);

export const address_space_rw = fn(
  'Carries out an access that the guest could not make by itself.',
  function* address_space_rw(q: Process, as: AddressSpace, addr: number, buf: AccessBuffer, len: number, is_write: boolean) {
    if (is_write) yield* address_space_write(q, as, addr, buf, len);
    else yield* address_space_read_full(q, as, addr, buf, len);
  },
);

/**
 * address_space_stb() and its kin, which macros define once per width and byte order: there is no function of that name to stand in.
 * `token` is the one that the caller calls.
 */
export function* address_space_st(token: string, mutex: Mutex, as: AddressSpace, addr: number, val: number, size: number) {
  const mr = translate(as.current_map, addr);
  if (mr === undefined) return;
  const release_lock = yield* via(token, prepare_mmio_access)({ qemu_global_mutex: mutex });
  yield* via(token, memory_region_dispatch_write)(mr, addr - mr.addr, val, size);
  if (release_lock) release(mutex, token);
}

/** address_space_ldub() and its kin, likewise. Where there is nothing, it reads 0. */
export function* address_space_ld(token: string, mutex: Mutex, as: AddressSpace, addr: number, size: number) {
  const mr = translate(as.current_map, addr);
  if (mr === undefined) return 0;
  const release_lock = yield* via(token, prepare_mmio_access)({ qemu_global_mutex: mutex });
  const val = yield* via(token, memory_region_dispatch_read)(mr, addr - mr.addr, size);
  if (release_lock) release(mutex, token);
  return val;
}

/** flatview_translate(): the region of an address. Unassigned addresses have none: reads give 0, writes are lost. */
const translate = (fv: FlatView, addr: number): MemoryRegion | undefined => fv.find((mr) => addr >= mr.addr && addr < mr.addr + mr.size);
