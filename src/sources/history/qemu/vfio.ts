import type { Fact, History } from '../../history';

const COMMON = 'hw/vfio/common.c';
const HELPERS = 'hw/vfio/helpers.c';
const CONTAINER = 'hw/vfio/container.c';
const LEGACY = 'hw/vfio/container-legacy.c';

type Named = Omit<Fact, 'since' | 'until' | 'path'>;

/** What asks or tells the kernel about a device: a helper since 8.2, under a name of its own since 10.1. */
const ofDevice = (symbol: string): readonly Fact[] => [
  { since: '10.1', path: 'hw/vfio/device.c', symbol },
  { since: '8.2', path: HELPERS },
];

/** What a region does. */
const OF_REGION: readonly Fact[] = [
  { since: '10.1', path: 'hw/vfio/region.c' },
  { since: '8.2', path: HELPERS },
];

/** Containers and groups, one of two backends since 9.0: in files of their own, and from these versions on so named. Oldest first. */
function ofContainer(...eras: readonly (readonly [since: string, named?: Named])[]): readonly Fact[] {
  const facts = eras.toReversed().map(([since, named]): Fact => ({ since, path: CONTAINER, ...named }));
  return [{ ...facts[0], since: '10.2', path: LEGACY }, ...facts];
}

/** What a device does with its group, since vfio_realize leaves that to a backend. */
const ofAttach = (where: string, callee: string, renamed: string): readonly Fact[] => {
  const legacy = where.replace('vfio_', 'vfio_legacy_');
  return ofContainer(
    ['8.2', { symbol: where, anchor: `call ${callee}` }],
    ['9.0', { symbol: legacy, anchor: `call ${callee}` }],
    ['10.1', { symbol: legacy, anchor: `call ${renamed}` }],
  );
};

/** What keeps the KVM device of VFIO, for groups and for devices of iommufd. */
const ofKvmDevice = (symbol: string): readonly Fact[] => [
  { since: '10.1', path: HELPERS, symbol },
  { since: '8.2', path: COMMON, symbol },
];

const NO_WINDOWS = 'since 8.2 only pseries has windows of host addresses: of others QEMU notes the ranges that the kernel names';
const VALID_SECTION: readonly Fact[] = [{ since: '8.0', symbol: 'vfio_listener_valid_section' }];
const LISTENER_INLINED = 'since 8.2 there is nothing else to release with the listener: it is unregistered in place';
const MSIX_WITHOUT_VECTOR = 'since 8.2 an invalid file descriptor for vector 0 enables MSI-X: no vector is taken and given back for that';

const AT_ONCE = 'before 7.1 routes are not gathered: vfio_add_kvm_msi_virq commits that of each vector at once';
const COMMITTED_AT_ONCE: Fact = {
  until: '7.1',
  symbol: 'vfio_add_kvm_msi_virq',
  anchor: 'call kvm_irqchip_add_msi_route',
  absent: AT_ONCE,
};
const CONNECTED_IN_PLACE: Fact = {
  until: '7.1',
  symbol: 'vfio_add_kvm_msi_virq',
  absent: 'before 7.1 vfio_add_kvm_msi_virq itself connects the eventfd to the route',
};
const WITH_NOTIFIERS: Fact = { until: '7.1', anchor: 'call msix_set_vector_notifiers', absent: AT_ONCE };
const WITH_VECTOR: Fact = { until: '7.1', anchor: 'call vfio_add_kvm_msi_virq', absent: AT_ONCE };

/** `hw/vfio`. */
export const vfio: History['files'] = {
  [COMMON]: {
    '*': [{ since: '10.1', path: 'hw/vfio/listener.c' }],
    vfio_connect_container: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_container_connect' }]),
    'vfio_connect_container call g_malloc0': [{ since: '9.1', symbol: 'vfio_create_container', anchor: 'call object_new' }],
    'vfio_connect_container call vfio_get_iommu_info': [{ since: '9.0', symbol: 'vfio_legacy_setup' }],
    'vfio_connect_container call vfio_host_win_add': [
      { since: '9.0', symbol: 'vfio_legacy_setup', anchor: 'call vfio_get_info_iova_range', absent: NO_WINDOWS },
      { since: '8.2', anchor: 'call vfio_get_info_iova_range', absent: NO_WINDOWS },
    ],
    'vfio_connect_container name qemu_open_old': [{ since: '9.1', anchor: 'name qemu_open' }],
    vfio_disable_irqindex: ofDevice('vfio_device_irq_disable'),
    vfio_disconnect_container: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_container_disconnect' }]),
    vfio_dma_map: ofContainer(['8.2'], ['9.0', { symbol: 'vfio_legacy_dma_map' }]),
    vfio_dma_unmap: ofContainer(['8.2'], ['9.0', { symbol: 'vfio_legacy_dma_unmap' }]),
    vfio_get_device: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_device_get' }]),
    vfio_get_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_get' }]),
    'vfio_get_group name qemu_open_old': [{ since: '9.1', anchor: 'name qemu_open' }],
    vfio_get_iommu_info: ofContainer(['8.2']),
    vfio_get_iommu_type: ofContainer(['8.2']),
    vfio_get_region_info: ofDevice('vfio_device_get_region_info'),
    vfio_host_win_add: ofContainer(['8.2', { symbol: 'vfio_get_info_iova_range', absent: NO_WINDOWS }]),
    vfio_init_container: ofContainer(['8.2'], ['9.1', { symbol: 'vfio_create_container' }]),
    'vfio_init_container name ioctl': [{ since: '9.1', symbol: 'vfio_set_iommu' }],
    vfio_kvm_device_add_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_add_kvm_device' }]),
    'vfio_kvm_device_add_group call kvm_vm_ioctl': ofKvmDevice('vfio_kvm_device_add_fd'),
    'vfio_kvm_device_add_group name ioctl': ofKvmDevice('vfio_kvm_device_add_fd'),
    'vfio_kvm_device_add_group name vfio_kvm_device_fd': ofKvmDevice('vfio_kvm_device_add_fd'),
    vfio_kvm_device_del_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_del_kvm_device' }]),
    'vfio_kvm_device_del_group name ioctl': ofKvmDevice('vfio_kvm_device_del_fd'),
    'vfio_kvm_device_del_group name vfio_kvm_device_fd': ofKvmDevice('vfio_kvm_device_del_fd'),
    'vfio_listener_region_add call vfio_dma_map': [{ since: '9.0', anchor: 'call vfio_container_dma_map' }],
    'vfio_listener_region_add call vfio_listener_skipped_section': VALID_SECTION,
    'vfio_listener_region_add name hostwin_list': [{ since: '8.2', anchor: 'call vfio_container_add_section_window', absent: NO_WINDOWS }],
    'vfio_listener_region_del call vfio_dma_unmap': [{ since: '9.0', anchor: 'call vfio_container_dma_unmap' }],
    'vfio_listener_region_del call vfio_listener_skipped_section': VALID_SECTION,
    vfio_listener_release: ofContainer([
      '8.2',
      { symbol: 'vfio_disconnect_container', anchor: 'call memory_listener_unregister', absent: LISTENER_INLINED },
    ]),
    vfio_mask_single_irqindex: ofDevice('vfio_device_irq_mask'),
    vfio_put_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_put' }]),
    vfio_region_mmap: OF_REGION,
    vfio_region_mmaps_set_enabled: OF_REGION,
    vfio_region_ops: OF_REGION,
    vfio_region_read: OF_REGION,
    vfio_region_setup: OF_REGION,
    vfio_region_write: OF_REGION,
    vfio_set_irq_signaling: ofDevice('vfio_device_irq_set_signaling'),
    vfio_unmask_single_irqindex: ofDevice('vfio_device_irq_unmask'),
  },
  'hw/vfio/pci.c': {
    vfio_commit_kvm_msi_virq_batch: [COMMITTED_AT_ONCE],
    vfio_connect_kvm_msi_virq: [CONNECTED_IN_PLACE],
    'vfio_connect_kvm_msi_virq call event_notifier_init': [{ until: '7.1' }],
    'vfio_connect_kvm_msi_virq call kvm_irqchip_add_irqfd_notifier_gsi': [{ until: '7.1' }],
    'vfio_connect_kvm_msi_virq name virq': [{ until: '7.1' }],
    'vfio_msi_disable call vfio_intx_enable': [{ until: '7.1', symbol: 'vfio_msi_disable_common' }],
    'vfio_msi_enable call vfio_msi_disable_common': [
      {
        until: '7.1',
        anchor: 'call vfio_remove_kvm_msi_virq',
        absent: 'before 7.1 vfio_msi_enable itself takes the vectors back, when the kernel has fewer',
      },
    ],
    'vfio_msi_enable write nr_vectors after vfio_msi_disable_common': [
      { until: '7.1', anchor: 'write nr_vectors after vfio_remove_kvm_msi_virq' },
    ],
    'vfio_msix_disable call vfio_intx_enable': [{ until: '7.1', symbol: 'vfio_msi_disable_common' }],
    'vfio_msix_enable call vfio_commit_kvm_msi_virq_batch': [WITH_NOTIFIERS],
    'vfio_msix_enable call vfio_prepare_kvm_msi_virq_batch': [WITH_NOTIFIERS],
    'vfio_msix_vector_do_use call kvm_irqchip_begin_route_changes': [WITH_VECTOR],
    'vfio_msix_vector_do_use call kvm_irqchip_commit_route_changes': [WITH_VECTOR],
    vfio_prepare_kvm_msi_virq_batch: [COMMITTED_AT_ONCE],
    'vfio_msix_enable call vfio_msix_vector_do_use': [
      { since: '8.2', anchor: 'call vfio_enable_msix_no_vec', absent: MSIX_WITHOUT_VECTOR },
    ],
    'vfio_msix_enable call vfio_msix_vector_release': [
      { since: '8.2', anchor: 'call vfio_enable_msix_no_vec', absent: MSIX_WITHOUT_VECTOR },
    ],
    'vfio_realize call readlink': ofContainer(['8.2', { symbol: 'vfio_device_groupid' }]),
    'vfio_realize call vfio_get_device': ofAttach('vfio_attach_device', 'vfio_get_device', 'vfio_device_get'),
    'vfio_realize call vfio_get_group': ofAttach('vfio_attach_device', 'vfio_get_group', 'vfio_group_get'),
    'vfio_realize call vfio_put_group': ofAttach('vfio_detach_device', 'vfio_put_group', 'vfio_group_put'),
  },
};
