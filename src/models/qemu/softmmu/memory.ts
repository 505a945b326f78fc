import { addressOf, architecturally, source, through, type Pointer } from '../../../engine/fn';
import { atCall } from '../../../engine/steps';
import { read_register, write_register, type PciFunction } from '../../hardware/pci_function';
import { generate_memory_topology, type AddressSpace, type FlatView, type MemoryRegion } from '../include/exec/memory';

/** The guest's memory map: changing it, and accesses that have no host memory behind them. */

type Access = Pointer<[mr: MemoryRegion, addr: number, value: { value: number }, size: number], void>;

const { fn, ops } = source('qemu', 'softmmu/memory.c');

const address_space_update_topology_pass = fn(
  'Compares two views of the memory map and tells the listeners what has gone (first pass) or what has come (`adding`).',
  function* address_space_update_topology_pass(as: AddressSpace, old_view: FlatView, new_view: FlatView, adding: boolean) {
    const changed = adding ? new_view.filter((range) => !old_view.includes(range)) : old_view.filter((range) => !new_view.includes(range));
    for (const section of changed) {
      for (const listener of as.listeners) {
        const callback = adding ? listener.region_add : listener.region_del;
        yield* through('function pointer', 'MEMORY_LISTENER_UPDATE_REGION', callback)(section);
      }
    }
  },
);

const address_space_set_flatview = fn(
  'Puts a new view in force. Listeners hear of removals before additions; emulated accesses use the old view until they have.',
  function* address_space_set_flatview(as: AddressSpace) {
    const old_view = as.current_map;
    const new_view = generate_memory_topology(as.root);
    yield* address_space_update_topology_pass(as, old_view, new_view, false);
    yield* address_space_update_topology_pass(as, old_view, new_view, true);
    atCall('qatomic_rcu_set');
    as.current_map = new_view;
  },
);

const memory_region_transaction_commit = fn(
  'Ends a change of the memory map, under the BQL: computes the new view and makes everybody follow it.',
  function* memory_region_transaction_commit(as: AddressSpace) {
    atCall('flatviews_reset');
    yield* address_space_set_flatview(as);
  },
);

export const memory_region_set_enabled = fn(
  'Makes a region visible in the memory map or takes it out. What it hid while enabled is seen when it is not.',
  function* memory_region_set_enabled(as: AddressSpace, mr: MemoryRegion, enabled: boolean) {
    if (enabled === mr.enabled) return;
    mr.enabled = enabled;
    yield* memory_region_transaction_commit(as);
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
