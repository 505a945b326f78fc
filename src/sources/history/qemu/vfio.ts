import type { Fact, History } from '../../history';
import { each } from '../each';

const COMMON = 'hw/vfio/common.c';
const LISTENER = 'hw/vfio/listener.c';
const DEVICE = 'hw/vfio/device.c';
const HELPERS = 'hw/vfio/helpers.c';
const CONTAINER = 'hw/vfio/container.c';
const LEGACY = 'hw/vfio/container-legacy.c';

type Named = Omit<Fact, 'since' | 'until' | 'path'>;

/** What asks or tells the kernel about a device: a helper since 8.2, under a name of its own since 10.1. */
const ofDevice = (symbol: string): readonly Fact[] => [
  { since: '10.1', path: DEVICE, symbol },
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
const LISTENER_INLINED = 'from 8.2 to 10.0 the listener is unregistered in place';
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

/** What vfio-pci has in common with vfio-user, since that is a device too. */
const exported = (symbol: string): readonly Fact[] => [{ since: '10.1', symbol }];

const SET_IRQS: readonly Fact[] = [{ since: '10.1', symbol: 'vfio_device_io_set_irqs' }];
const REGION_ADD: readonly Fact[] = [{ since: '10.1', symbol: 'vfio_container_region_add' }];
const CONFIG_SETUP: readonly Fact[] = [{ since: '10.1', symbol: 'vfio_pci_config_setup' }];
const INTERRUPT_SETUP: readonly Fact[] = [{ since: '10.1', symbol: 'vfio_pci_interrupt_setup' }];
const VECTOR_INIT: readonly Fact[] = [{ since: '10.1', symbol: 'vfio_pci_vector_init' }];

/** `hw/vfio`. */
export const vfio: History['files'] = {
  [COMMON]: {
    '*': [{ since: '10.1', path: LISTENER }],
    vfio_connect_container: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_container_connect' }]),
    'vfio_connect_container call g_malloc0': [{ since: '9.1', symbol: 'vfio_create_container', anchor: 'call object_new' }],
    'vfio_connect_container call vfio_get_iommu_info': [{ since: '9.0', symbol: 'vfio_legacy_setup' }],
    'vfio_connect_container call vfio_host_win_add': [
      { since: '9.0', symbol: 'vfio_legacy_setup', anchor: 'call vfio_get_info_iova_range', absent: NO_WINDOWS },
      { since: '8.2', anchor: 'call vfio_get_info_iova_range', absent: NO_WINDOWS },
    ],
    ...each(
      [
        'vfio_connect_container call memory_listener_register',
        'vfio_connect_container call memory_listener_register after vfio_kvm_device_add_group vfio_kvm_device_add_group',
      ],
      { since: '10.1', path: LISTENER, symbol: 'vfio_listener_register', anchor: 'call memory_listener_register' },
    ),
    'vfio_connect_container call vfio_kvm_device_add_group': [
      { since: '10.1', symbol: 'vfio_container_group_add', anchor: 'call vfio_group_add_kvm_device' },
    ],
    'vfio_connect_container call vfio_kvm_device_add_group after vfio_kvm_device_add_group': [
      { since: '10.1', symbol: 'vfio_container_group_add', anchor: 'call vfio_group_add_kvm_device' },
    ],
    'vfio_connect_container name error after vfio_kvm_device_add_group vfio_kvm_device_add_group memory_listener_register': [
      { since: '10.1', path: LISTENER, symbol: 'vfio_listener_register', anchor: 'name error after memory_listener_register' },
    ],
    'vfio_connect_container name qemu_open_old': [{ since: '9.1', anchor: 'name qemu_open' }],
    'vfio_connect_container write container after vfio_kvm_device_add_group vfio_kvm_device_add_group': [
      { since: '10.1', symbol: 'vfio_container_group_add', anchor: 'write container' },
    ],
    'vfio_disable_irqindex name ioctl': SET_IRQS,
    vfio_disable_irqindex: ofDevice('vfio_device_irq_disable'),
    vfio_disconnect_container: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_container_disconnect' }]),
    vfio_dma_map: ofContainer(['8.2'], ['9.0', { symbol: 'vfio_legacy_dma_map' }]),
    vfio_dma_unmap: ofContainer(['8.2'], ['9.0', { symbol: 'vfio_legacy_dma_unmap' }]),
    'vfio_dma_unmap name ioctl': [{ since: '10.1', symbol: 'vfio_legacy_dma_unmap_one' }],
    vfio_get_address_space: [
      { since: '10.2', path: CONTAINER, symbol: 'vfio_address_space_get' },
      { since: '10.1', path: 'hw/vfio/container-base.c', symbol: 'vfio_address_space_get' },
    ],
    'vfio_get_device name num_irqs': [{ since: '10.1', path: DEVICE, symbol: 'vfio_device_prepare' }],
    'vfio_get_device name ioctl': [{ since: '10.1', path: 'hw/vfio/cpr-legacy.c', symbol: 'vfio_cpr_group_get_device_fd' }],
    'vfio_get_device name ioctl after ioctl': [
      { since: '10.1', path: HELPERS, symbol: 'vfio_get_device_info', anchor: 'name ioctl' },
      { since: '8.2', path: COMMON, symbol: 'vfio_get_device_info', anchor: 'name ioctl' },
    ],
    vfio_get_device: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_device_get' }]),
    vfio_get_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_get' }]),
    'vfio_get_group name qemu_open_old': [
      { since: '10.1', anchor: 'name cpr_open_fd' },
      { since: '9.1', anchor: 'name qemu_open' },
    ],
    vfio_get_iommu_info: ofContainer(['8.2']),
    vfio_get_iommu_type: ofContainer(['8.2']),
    vfio_get_region_info: ofDevice('vfio_device_get_region_info'),
    'vfio_get_region_info name ioctl': [{ since: '10.1', symbol: 'vfio_device_io_get_region_info' }],
    vfio_host_win_add: ofContainer(['8.2', { symbol: 'vfio_get_info_iova_range', absent: NO_WINDOWS }]),
    vfio_init_container: ofContainer(['8.2'], ['9.0', { symbol: 'vfio_set_iommu' }], ['9.1', { symbol: 'vfio_create_container' }]),
    'vfio_init_container name ioctl': [{ since: '9.1', symbol: 'vfio_set_iommu' }],
    'vfio_init_container name ioctl after ioctl': [{ since: '9.1', symbol: 'vfio_set_iommu' }],
    'vfio_init_container write iommu_type': [{ since: '9.1', anchor: 'write iommu_type after object_new' }],
    vfio_kvm_device_add_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_add_kvm_device' }]),
    'vfio_kvm_device_add_group call kvm_vm_ioctl': ofKvmDevice('vfio_kvm_device_add_fd'),
    'vfio_kvm_device_add_group name ioctl': ofKvmDevice('vfio_kvm_device_add_fd'),
    'vfio_kvm_device_add_group name vfio_kvm_device_fd': ofKvmDevice('vfio_kvm_device_add_fd'),
    vfio_kvm_device_del_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_del_kvm_device' }]),
    'vfio_kvm_device_del_group name ioctl': ofKvmDevice('vfio_kvm_device_del_fd'),
    'vfio_kvm_device_del_group name vfio_kvm_device_fd': ofKvmDevice('vfio_kvm_device_del_fd'),
    'vfio_listener_region_add call memory_region_get_ram_ptr': REGION_ADD,
    'vfio_listener_region_add call vfio_dma_map': [
      { since: '10.1', symbol: 'vfio_container_region_add', anchor: 'call vfio_container_dma_map' },
      { since: '9.0', anchor: 'call vfio_container_dma_map' },
    ],
    'vfio_listener_region_add call vfio_listener_skipped_section': VALID_SECTION,
    'vfio_listener_region_add name hostwin_list': [
      { since: '10.1', symbol: 'vfio_container_region_add', anchor: 'call vfio_container_add_section_window', absent: NO_WINDOWS },
      { since: '8.2', anchor: 'call vfio_container_add_section_window', absent: NO_WINDOWS },
    ],
    'vfio_listener_region_add name initialized': REGION_ADD,
    'vfio_listener_region_del call vfio_dma_unmap': [{ since: '9.0', anchor: 'call vfio_container_dma_unmap' }],
    'vfio_listener_region_del call vfio_listener_skipped_section': VALID_SECTION,
    vfio_listener_release: [
      { since: '10.1', path: LISTENER, symbol: 'vfio_listener_unregister' },
      {
        since: '8.2',
        path: CONTAINER,
        symbol: 'vfio_disconnect_container',
        anchor: 'call memory_listener_unregister',
        absent: LISTENER_INLINED,
      },
    ],
    'vfio_mask_single_irqindex name ioctl': SET_IRQS,
    vfio_mask_single_irqindex: ofDevice('vfio_device_irq_mask'),
    vfio_put_group: ofContainer(['8.2'], ['10.1', { symbol: 'vfio_group_put' }]),
    vfio_region_mmap: OF_REGION,
    // Since 10.0 address space is reserved first, so that the mapping can be aligned.
    'vfio_region_mmap name mmap': [{ since: '10.0', anchor: 'name mmap after map_align map_align' }],
    vfio_region_mmaps_set_enabled: OF_REGION,
    'vfio_region_read name pread': [{ since: '10.1', path: DEVICE, symbol: 'vfio_device_io_region_read' }],
    'vfio_region_write name pwrite': [{ since: '10.1', path: DEVICE, symbol: 'vfio_device_io_region_write' }],
    vfio_region_ops: OF_REGION,
    vfio_region_read: OF_REGION,
    vfio_region_setup: OF_REGION,
    vfio_region_write: OF_REGION,
    'vfio_set_irq_signaling name ioctl': SET_IRQS,
    vfio_set_irq_signaling: ofDevice('vfio_device_irq_set_signaling'),
    'vfio_unmask_single_irqindex name ioctl': SET_IRQS,
    vfio_unmask_single_irqindex: ofDevice('vfio_device_irq_unmask'),
  },
  'hw/vfio/pci.c': {
    vfio_add_kvm_msi_virq: exported('vfio_pci_add_kvm_msi_virq'),
    vfio_commit_kvm_msi_virq_batch: [COMMITTED_AT_ONCE, ...exported('vfio_pci_commit_kvm_msi_virq_batch')],
    vfio_connect_kvm_msi_virq: [CONNECTED_IN_PLACE],
    'vfio_connect_kvm_msi_virq call event_notifier_init': [{ until: '7.1' }],
    'vfio_connect_kvm_msi_virq call kvm_irqchip_add_irqfd_notifier_gsi': [{ until: '7.1' }],
    'vfio_connect_kvm_msi_virq name virq': [{ until: '7.1', anchor: 'name virq after kvm_irqchip_add_msi_route' }],
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
    'vfio_enable_vectors name ioctl': [{ since: '10.1', path: DEVICE, symbol: 'vfio_device_io_set_irqs' }],
    vfio_intx_eoi: exported('vfio_pci_intx_eoi'),
    'vfio_msix_vector_do_use call vfio_add_kvm_msi_virq after vfio_add_kvm_msi_virq': [
      { until: '7.1', anchor: 'call vfio_add_kvm_msi_virq' },
    ],
    'vfio_msix_vector_do_use call event_notifier_init': [
      { since: '10.1', symbol: 'vfio_pci_vector_init', anchor: 'call vfio_notifier_init' },
    ],
    'vfio_msix_vector_do_use call msix_vector_use': VECTOR_INIT,
    'vfio_msix_vector_do_use call vfio_set_irq_signaling': [
      { since: '10.1', symbol: 'set_irq_signalling', anchor: 'call vfio_device_irq_set_signaling' },
    ],
    'vfio_msix_vector_do_use write use': VECTOR_INIT,
    'vfio_msix_vector_do_use write virq': VECTOR_INIT,
    vfio_pci_dev_class_init: [{ since: '10.2', symbol: 'vfio_pci_device_class_init' }],
    vfio_populate_device: exported('vfio_pci_populate_device'),
    'vfio_populate_device name ioctl': [{ since: '10.1', anchor: 'name vfio_device_get_irq_info' }],
    vfio_prepare_kvm_msi_virq_batch: [COMMITTED_AT_ONCE, ...exported('vfio_pci_prepare_kvm_msi_virq_batch')],
    vfio_realize: [{ since: '10.2', symbol: 'vfio_pci_realize' }],
    'vfio_realize call pci_device_set_intx_routing_notifier': INTERRUPT_SETUP,
    'vfio_realize call timer_new_ms': INTERRUPT_SETUP,
    'vfio_realize call vfio_bars_prepare': CONFIG_SETUP,
    'vfio_realize call vfio_bars_register': CONFIG_SETUP,
    'vfio_realize call vfio_intx_enable': INTERRUPT_SETUP,
    'vfio_realize call vfio_pci_read_config': INTERRUPT_SETUP,
    'vfio_realize call vfio_pci_size_rom': CONFIG_SETUP,
    'vfio_realize name pread': [{ since: '10.1', symbol: 'vfio_pci_config_setup', anchor: 'name vfio_pci_config_space_read' }],
    'vfio_realize name vfio_intx_mmap_enable': INTERRUPT_SETUP,
    'vfio_realize name vfio_intx_routing_notifier': INTERRUPT_SETUP,
    vfio_register_err_notifier: exported('vfio_pci_register_err_notifier'),
    vfio_register_req_notifier: exported('vfio_pci_register_req_notifier'),
    'vfio_register_req_notifier name ioctl': [{ since: '10.1', anchor: 'name vfio_device_get_irq_info' }],
    'vfio_msix_enable call vfio_msix_vector_do_use': [
      { since: '8.2', anchor: 'call vfio_enable_msix_no_vec', absent: MSIX_WITHOUT_VECTOR },
    ],
    'vfio_msix_enable call vfio_msix_vector_release': [
      { since: '8.2', anchor: 'call vfio_enable_msix_no_vec', absent: MSIX_WITHOUT_VECTOR },
    ],
    'vfio_realize call readlink': ofContainer(['8.2', { symbol: 'vfio_device_groupid' }], ['10.1', { symbol: 'vfio_device_get_groupid' }]),
    'vfio_realize call vfio_get_device': ofAttach('vfio_attach_device', 'vfio_get_device', 'vfio_device_get'),
    'vfio_realize call vfio_get_group': ofAttach('vfio_attach_device', 'vfio_get_group', 'vfio_group_get'),
    'vfio_realize call vfio_put_group': ofAttach('vfio_attach_device', 'vfio_put_group', 'vfio_group_put'),
    'vfio_realize call vfio_put_group after vfio_get_device': ofContainer(
      ['8.2', { symbol: 'vfio_attach_device' }],
      ['9.0', { symbol: 'vfio_legacy_attach_device' }],
      ['10.1', { symbol: 'vfio_legacy_attach_device', anchor: 'call vfio_group_put' }],
    ),
  },
};
