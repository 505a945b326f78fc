import { addressOf, architecturally, source, through, type Pointer } from '../../../engine/fn';
import { at, atCall, behind } from '../../../engine/steps';
import { read_register, write_register, type PciFunction } from '../../hardware/pci_function';
import {
  generate_memory_topology,
  type AddressSpace,
  type FlatView,
  type Memory,
  type MemoryListener,
  type MemoryRegion,
  type MemoryRegionIoeventfd,
} from '../include/exec/memory';

/** The guest's memory map: changing it, and accesses that have no host memory behind them. */

type Ioeventfds = readonly MemoryRegionIoeventfd[];
const isSame = (a: MemoryRegionIoeventfd, b: MemoryRegionIoeventfd): boolean =>
  a.addr === b.addr && a.size === b.size && a.match_data === b.match_data && a.data === b.data && a.e === b.e;
const isAmong = (fd: MemoryRegionIoeventfd, among: Ioeventfds): boolean => among.some((one) => isSame(one, fd));

type Access = Pointer<[mr: MemoryRegion, addr: number, value: { value: number }, size: number], void>;

const { fn, ops } = source('qemu', 'softmmu/memory.c');

const address_space_update_topology_pass = fn(
  'Compares two views of the memory map and tells the listeners what has gone (first pass) or what has come (`adding`).',
  function* address_space_update_topology_pass(as: AddressSpace, old_view: FlatView, new_view: FlatView, adding: boolean) {
    const changed = adding ? new_view.filter((range) => !old_view.includes(range)) : old_view.filter((range) => !new_view.includes(range));
    for (const section of changed) {
      for (const listener of as.listeners) {
        const callback = adding ? listener.region_add : listener.region_del;
        if (callback !== undefined) yield* through('function pointer', 'MEMORY_LISTENER_UPDATE_REGION', callback)(section);
      }
    }
  },
);

const address_space_set_flatview = fn(
  'Puts a new view in force. Listeners hear of removals before additions; emulated accesses use the old view until they have.',
  function* address_space_set_flatview(as: AddressSpace) {
    const old_view = as.current_map;
    const new_view = generate_memory_topology(as.root);
    at('old_view');
    if (old_view.length === new_view.length && old_view.every((mr, n) => mr === new_view[n])) return;
    yield* address_space_update_topology_pass(as, old_view, new_view, false);
    behind('address_space_update_topology_pass');
    yield* address_space_update_topology_pass(as, old_view, new_view, true);
    atCall('qatomic_rcu_set');
    as.current_map = new_view;
  },
);

const address_space_add_del_ioeventfds = fn(
  'Tells the listeners which ioeventfds have gone and which have come.',
  function* address_space_add_del_ioeventfds(as: AddressSpace, fds_new: Ioeventfds, fds_old: Ioeventfds) {
    for (const fd of fds_old.filter((old) => !isAmong(old, fds_new)))
      for (const { eventfd_del } of as.listeners)
        if (eventfd_del !== undefined) yield* through('function pointer', 'eventfd_del', eventfd_del)(fd);
    for (const fd of fds_new.filter((added) => !isAmong(added, fds_old)))
      for (const { eventfd_add } of as.listeners)
        if (eventfd_add !== undefined) yield* through('function pointer', 'eventfd_add', eventfd_add)(fd);
  },
);

const address_space_update_ioeventfds = fn(
  'Collects the ioeventfds of all regions that are visible, at the addresses where the guest sees them.',
  function* address_space_update_ioeventfds(memory: Memory, as: AddressSpace) {
    at('ioeventfds');
    const ioeventfds = as.current_map.flatMap((mr) => mr.ioeventfds.map((fd) => ({ ...fd, addr: mr.addr + fd.addr })));
    yield* address_space_add_del_ioeventfds(as, ioeventfds, memory.ioeventfds.get(as) ?? []);
    memory.ioeventfds.set(as, ioeventfds);
  },
);

export const memory_region_transaction_begin = fn(
  'Begins a change of the memory map. Changes nest: only the end of the outermost makes them seen, all at once.',
  function* memory_region_transaction_begin(memory: Memory) {
    memory.memory_region_transaction_depth += 1;
  },
);

export const memory_region_transaction_commit = fn(
  'Ends a change of the memory map, under the BQL: computes the new view and makes everybody follow it.',
  function* memory_region_transaction_commit(memory: Memory) {
    memory.memory_region_transaction_depth -= 1;
    if (memory.memory_region_transaction_depth > 0) return;
    if (memory.memory_region_update_pending) {
      atCall('flatviews_reset');
      for (const as of memory.address_spaces) {
        yield* address_space_set_flatview(as);
        yield* address_space_update_ioeventfds(memory, as);
      }
      memory.memory_region_update_pending = false;
      if (memory.ioeventfd_update_pending) memory.ioeventfd_update_pending = false;
    } else if (memory.ioeventfd_update_pending) {
      for (const as of memory.address_spaces) {
        behind('address_space_update_ioeventfds');
        yield* address_space_update_ioeventfds(memory, as);
      }
      behind('ioeventfd_update_pending');
      memory.ioeventfd_update_pending = false;
    }
  },
);

export const memory_region_set_enabled = fn(
  'Makes a region visible in the memory map or takes it out. What it hid while enabled is seen when it is not.',
  function* memory_region_set_enabled(memory: Memory, mr: MemoryRegion, enabled: boolean) {
    if (enabled === mr.enabled) return;
    yield* memory_region_transaction_begin(memory);
    mr.enabled = enabled;
    memory.memory_region_update_pending = true;
    yield* memory_region_transaction_commit(memory);
  },
);

export const memory_region_add_eventfd = fn(
  'From the end of the change on, a write to this place of the region signals an event: the guest does not wait for a device.',
  function* memory_region_add_eventfd(memory: Memory, mr: MemoryRegion, fd: MemoryRegionIoeventfd) {
    yield* memory_region_transaction_begin(memory);
    at('ioeventfds');
    mr.ioeventfds.push(fd);
    if (mr.enabled) memory.ioeventfd_update_pending = true;
    yield* memory_region_transaction_commit(memory);
  },
);

export const memory_region_del_eventfd = fn(
  'A write to this place of the region calls the region again.',
  function* memory_region_del_eventfd(memory: Memory, mr: MemoryRegion, fd: MemoryRegionIoeventfd) {
    yield* memory_region_transaction_begin(memory);
    at('ioeventfds');
    const index = mr.ioeventfds.findIndex((one) => isSame(one, fd));
    if (index >= 0) mr.ioeventfds.splice(index, 1);
    if (mr.enabled) memory.ioeventfd_update_pending = true;
    yield* memory_region_transaction_commit(memory);
  },
);

export const memory_region_init_io = fn(
  'Makes a region whose accesses call functions. It is in no address space yet.',
  function* memory_region_init_io(_mr: MemoryRegion) {
    atCall('memory_region_init');
    at('ops');
  },
);

export const memory_region_init_ram_device_ptr = fn(
  'Makes a region of memory that belongs to a device: KVM can map it into the guest, but nobody should copy it.',
  function* memory_region_init_ram_device_ptr(_mr: MemoryRegion) {
    atCall('memory_region_init');
    at('ram_device_mem_ops');
  },
);

const listener_add_address_space = fn(
  'Tells a new listener all that is in an address space already.',
  function* listener_add_address_space(listener: MemoryListener, as: AddressSpace) {
    atCall('address_space_get_flatview');
    for (const section of as.current_map)
      if (listener.region_add !== undefined) yield* through('function pointer', 'region_add', listener.region_add)(section);
  },
);

export const memory_listener_register = fn(
  'Somebody wants to follow an address space: he hears at once of all that is there, and of every change from now on.',
  function* memory_listener_register(listener: MemoryListener, as: AddressSpace) {
    at('listeners');
    as.listeners.push(listener);
    yield* listener_add_address_space(listener, as);
  },
);

const listener_del_address_space = fn(
  'Tells a listener that leaves of everything as if it went.',
  function* listener_del_address_space(listener: MemoryListener, as: AddressSpace) {
    atCall('address_space_get_flatview');
    for (const section of as.current_map)
      if (listener.region_del !== undefined) yield* through('function pointer', 'region_del', listener.region_del)(section);
  },
);

export const memory_listener_unregister = fn(
  'A listener leaves.',
  function* memory_listener_unregister(listener: MemoryListener, as: AddressSpace) {
    yield* listener_del_address_space(listener, as);
    atCall('QTAILQ_REMOVE');
    as.listeners.splice(as.listeners.indexOf(listener), 1);
  },
);

const memory_region_read_accessor = fn(
  'Calls the region’s read operation.',
  function* memory_region_read_accessor(mr: MemoryRegion, addr: number, value: { value: number }, size: number) {
    value.value = yield* through('function pointer', 'read', mr.ops.read)(addr, size);
  },
);

const memory_region_write_accessor = fn(
  'Calls the region’s write operation.',
  function* memory_region_write_accessor(mr: MemoryRegion, addr: number, value: { value: number }, size: number) {
    yield* through('function pointer', 'write', mr.ops.write)(addr, value.value, size);
  },
);

const access_with_adjusted_size = fn(
  'Cuts an access into pieces that the region can take. Both VFIO and configuration space take up to what the guest did at once.',
  function* access_with_adjusted_size(addr: number, value: { value: number }, size: number, access_fn: Access, mr: MemoryRegion) {
    yield* through('function pointer', 'access_fn', access_fn)(mr, addr, value, size);
  },
);

const memory_region_dispatch_read1 = fn(
  'Chooses how to call the region.',
  function* memory_region_dispatch_read1(mr: MemoryRegion, addr: number, size: number) {
    const pval = { value: 0 };
    yield* access_with_adjusted_size(addr, pval, size, addressOf(memory_region_read_accessor), mr);
    return pval.value;
  },
);

export const memory_region_dispatch_read = fn(
  'An emulated load from a region; `addr` counts from its start.',
  function* memory_region_dispatch_read(mr: MemoryRegion, addr: number, size: number) {
    return yield* memory_region_dispatch_read1(mr, addr, size);
  },
);

export const memory_region_dispatch_write = fn(
  'An emulated store to a region; `addr` counts from its start.',
  function* memory_region_dispatch_write(mr: MemoryRegion, addr: number, data: number, size: number) {
    yield* access_with_adjusted_size(addr, { value: data }, size, addressOf(memory_region_write_accessor), mr);
  },
);

const memory_region_ram_device_read = fn(
  'Loads through QEMU’s own mapping of the device. Nothing takes it for an end of interrupt.',
  function* memory_region_ram_device_read(device: PciFunction, addr: number, _size: number) {
    return yield* architecturally('mmio', read_register)(device, addr);
  },
);

const memory_region_ram_device_write = fn(
  'Stores through QEMU’s own mapping of the device.',
  function* memory_region_ram_device_write(device: PciFunction, addr: number, data: number, _size: number) {
    yield* architecturally('mmio', write_register)(device, addr, data);
  },
);

export const ram_device_mem_ops = ops('ram_device_mem_ops', { read: memory_region_ram_device_read, write: memory_region_ram_device_write });
