import { entering, type PartKind, type PartSpec, type PartWorld, type Topology, type WireSpec } from '../topology';

/** VFIO’s objects: not a signal’s way, but who holds whom, from the device and its driver to the file in user space. */

const object = (
  id: string,
  title: string,
  world: PartWorld,
  of: readonly string[],
  shows: readonly string[],
  kind: PartKind = 'object',
): PartSpec => ({
  id,
  title,
  kind,
  world,
  of,
  shows,
});

/** A pointer of one object to another. */
const points = (from: string, cell: string, to: string): WireSpec => ({ from, to, kind: 'function pointer', label: cell, holds: cell });

const contextEntry: PartSpec = {
  ...object('context', 'context entry', 'hardware', ['context_entry(context entry of *)'], ['table', 'faults'], 'route'),
  code: ['iommu', 'dma_remapping'],
  blocked: [{ when: (cell) => cell('table') === 0, because: 'No page table is entered: whatever the device reads or writes faults.' }],
};

const vfioDevice: PartSpec = {
  ...object('vfio-device', 'vfio_device', 'host', ['vfio_device'], ['refcount', 'open_count']),
  code: ['drivers/vfio/vfio_main.c'],
};

export const vfioProbe: Topology = {
  parts: [
    { ...object('function', 'PCI function', 'hardware', ['pci_function(0000:01:*)'], ['PCI_COMMAND'], 'device'), code: ['pci_function'] },
    contextEntry,
    { ...object('tables', 'io_page_table', 'hardware', ['io_page_table'], ['mapped_pages'], 'route') },
    { ...object('device', 'device', 'host', ['device(0000:01:*)'], [], 'device'), code: ['drivers/base/dd.c'] },
    { ...object('igb', 'igb', 'host', ['device_driver(igb)'], [], 'driver') },
    {
      ...object('vfio-pci', 'vfio-pci', 'host', ['device_driver(vfio-pci)'], [], 'driver'),
      code: ['drivers/vfio/pci/vfio_pci.c', 'drivers/vfio/pci/vfio_pci_core.c'],
    },
    { ...object('mdev', 'mdev device', 'host', ['device(83b8*)'], [], 'device'), code: ['drivers/vfio/mdev/mdev_core.c'] },
    { ...object('mtty', 'mtty', 'host', ['device_driver(mtty)'], [], 'driver'), code: ['samples/vfio-mdev/mtty.c'] },
    { ...object('iommu-group', 'iommu_group', 'host', ['iommu_group'], ['owner_cnt', 'id']), code: ['drivers/iommu/iommu.c'] },
    object('domain', 'iommu_domain', 'host', ['iommu_domain'], ['type'], 'route'),
    vfioDevice,
    { ...object('vfio-core', 'vfio_pci_core_device', 'host', ['vfio_pci_core_device'], ['irq_type']) },
    { ...object('group', 'vfio_group', 'host', ['vfio_group'], ['container_users', 'opened']), code: ['drivers/vfio/group.c'] },
    { ...object('container', 'vfio_container', 'host', ['vfio_container'], ['kref']), code: ['drivers/vfio/container.c'] },
    { ...object('iommu', 'vfio_iommu', 'host', ['vfio_iommu'], ['dma_avail']), code: ['drivers/vfio/vfio_iommu_type1.c'] },
    object('iommufd', 'iommufd_ctx', 'host', ['iommufd_ctx'], []),
    { ...object('iommufd-device', 'iommufd_device', 'host', ['iommufd_device'], []), code: ['drivers/iommu/iommufd/device.c'] },
    object('iommufd-group', 'iommufd_group', 'host', ['iommufd_group'], []),
    { ...object('kvm', 'kvm', 'kvm', ['kvm_arch'], ['assigned_device_count'], 'cpu'), code: ['virt/kvm/vfio.c'] },
    { ...object('req-fd', 'req eventfd', 'host', ['eventfd_ctx(req_notifier)', 'eventfd_ctx(req_fd)'], ['count'], 'eventfd') },
    object('device-file', 'device fd', 'user', ['vfio_device_file'], ['access_granted'], 'queue'),
    object('group-file', 'group fd', 'user', ['file(/dev/vfio/7)', 'file(/dev/vfio/8)', 'file(/dev/vfio/9)'], ['f_count'], 'queue'),
    { ...object('qemu-group', 'VFIOGroup', 'qemu', ['VFIOGroup'], []), code: ['hw/vfio/common.c'] },
    { ...object('qemu-container', 'VFIOContainer', 'qemu', ['VFIOContainer'], ['initialized']) },
    { ...object('program', 'program', 'user', ['program'], ['error'], 'driver'), given: (parameters) => parameters['user'] !== 'qemu' },
  ],
  wires: [
    points('device', 'driver', 'igb'),
    points('device', 'driver', 'vfio-pci'),
    points('device', 'iommu_group', 'iommu-group'),
    points('mdev', 'driver', 'mtty'),
    points('mdev', 'iommu_group', 'iommu-group'),
    points('context', 'table', 'tables'),
    points('iommu-group', 'domain', 'domain'),
    points('iommu-group', 'owner', 'group'),
    points('iommu-group', 'owner', 'iommufd'),
    points('vfio-device', 'group', 'group'),
    points('vfio-device', 'kvm', 'kvm'),
    points('vfio-device', 'iommufd_device', 'iommufd-device'),
    points('group', 'container', 'container'),
    points('group', 'kvm', 'kvm'),
    points('group', 'opened_file', 'group-file'),
    points('container', 'iommu_data', 'iommu'),
    points('iommufd-group', 'domain', 'domain'),
    points('vfio-core', 'req_trigger', 'req-fd'),
    points('qemu-group', 'container', 'qemu-container'),
    points('program', 'device', 'device-file'),
    { from: 'vfio-pci', to: 'vfio-device', kind: 'call', label: 'register', passed: [entering('__vfio_register_dev', 'vfio_pci_probe')] },
    { from: 'mtty', to: 'vfio-device', kind: 'call', label: 'register', passed: [entering('__vfio_register_dev', 'mtty_probe')] },
    { from: 'iommu', to: 'domain', kind: 'call', label: 'map', passed: [entering('vfio_iommu_map')] },
    { from: 'domain', to: 'tables', kind: 'call', label: 'map', passed: [entering('vfio_iommu_map'), entering('iommu_map')] },
  ],
};
