import type { Fact, History } from '../../history';
import { ADD_PRODUCER, COUNTS_IRQS, DEL_PRODUCER } from './kvm';

const ONE_LIST = 'until 5.17 there is one list of slots at a time: kvm_set_memslot copies it, changes the copy and installs it as a whole';
const LOCKED_BY_CALLER = 'since 6.2 the callers hold the device’s lock';
const NO_PRIORITY =
  'until 5.11 wait queues have no priorities: KVM is told along with everybody else who waits, and the eventfd keeps its count';
const ONLY_VFIO_GROUPS = 'until 5.19 KVM is given VFIO’s groups, and takes a reference on the group itself, not on its file';

const SET_GROUP: Fact = { until: '5.19', symbol: 'kvm_vfio_set_group' };
const GET_GROUP: Fact = { until: '5.19', symbol: 'kvm_vfio_group_get_external_user', anchor: 'name vfio_group_get_external_user' };
/** Until 6.6 these are of groups; 6.1 was given the newer names. */
const ofGroups = (symbol: string): readonly Fact[] => [
  { since: '5.19', until: '6.1.1', symbol },
  { since: '6.2', until: '6.6', symbol },
];
/** In `kvm_vfio_set_group`, where a group is added; where it is removed. */
const added = (anchor: string): Fact => ({ ...SET_GROUP, anchor });
const removed = (anchor: string): Fact => ({ ...SET_GROUP, anchor: `${anchor} after KVM_DEV_VFIO_GROUP_DEL` });

const FREED: Fact = { since: '7.3', symbol: 'kvm_vfio_file_free' };
const UNLOCKED_BY_SCOPE: readonly Fact[] = [{ since: '7.3', anchor: 'call guard' }];

const SET_MEMSLOT: Fact = { until: '5.17', symbol: 'kvm_set_memslot' };
const INSTALL: Fact = { ...SET_MEMSLOT, anchor: 'call install_new_memslots after update_memslots' };
const REGISTERED: readonly Fact[] = [{ since: '6.17', symbol: 'kvm_irqfd_register' }];
const EXPEDITED: readonly Fact[] = [{ since: '6.11', anchor: 'call synchronize_srcu_expedited' }];
const NOT_EXPEDITED: readonly Fact[] = [{ until: '6.11', anchor: 'call synchronize_srcu' }];
const GUARDED: readonly Fact[] = [{ since: '6.17', anchor: 'call guard' }];

/** `virt`. */
export const virt: History['files'] = {
  'virt/kvm/eventfd.c': {
    'irqfd_resampler_ack call eventfd_signal': [{ since: '6.3', symbol: 'irqfd_resampler_notify' }],
    'irqfd_resampler_ack call irqfd_resampler_notify': [{ until: '6.3', anchor: 'call eventfd_signal' }],
    irqfd_ptable_queue_proc: REGISTERED,
    irqfd_resampler_notify: [{ until: '6.3', symbol: 'irqfd_resampler_ack' }],
    'irqfd_resampler_shutdown call synchronize_srcu': EXPEDITED,
    'irqfd_shutdown call synchronize_srcu': EXPEDITED,
    'irqfd_shutdown call synchronize_srcu_expedited': NOT_EXPEDITED,
    'irqfd_wakeup call eventfd_ctx_do_read': [{ until: '5.11', anchor: 'call kvm_arch_set_irq_inatomic', absent: NO_PRIORITY }],
    'kvm_deassign_ioeventfd_idx call ioeventfd_release': [
      { since: '6.5', path: 'virt/kvm/kvm_main.c', symbol: 'kvm_io_bus_unregister_dev', anchor: 'call kvm_iodevice_destructor' },
    ],
    'kvm_irqfd_assign call irqfd_update': REGISTERED,
    'kvm_irqfd_assign call list_add_tail': REGISTERED,
    'kvm_irqfd_assign call synchronize_srcu': EXPEDITED,
    'kvm_irqfd_assign call synchronize_srcu_expedited': NOT_EXPEDITED,
    'kvm_irqfd_assign name irqfd_wakeup': REGISTERED,
    kvm_notify_irqfd_resampler: [
      {
        until: '6.3',
        path: 'arch/x86/kvm/ioapic.c',
        symbol: 'ioapic_write_indirect',
        absent: 'until 6.3 nobody asks the owner of a pin that is up when it is unmasked: ioapic_write_indirect services it again',
      },
    ],
    'kvm_unregister_irq_ack_notifier call synchronize_srcu': EXPEDITED,
    'kvm_unregister_irq_ack_notifier call synchronize_srcu_expedited': NOT_EXPEDITED,
  },
  'virt/kvm/irqchip.c': {
    'kvm_send_userspace_msi call irqchip_in_kernel': [{ since: '6.2', anchor: 'call kvm_arch_irqchip_in_kernel' }],
  },
  'virt/kvm/kvm_main.c': {
    __kvm_set_memory_region: [{ since: '6.14', symbol: 'kvm_set_memory_region' }],
    '__kvm_set_memory_region call kvm_set_memslot after kvm_set_memslot': [{ until: '5.17', anchor: 'call kvm_set_memslot' }],
    kvm_activate_memslot: [{ ...INSTALL, absent: ONE_LIST }],
    'kvm_activate_memslot call kvm_swap_active_memslots': [INSTALL],
    kvm_create_memslot: [{ ...SET_MEMSLOT, anchor: 'call update_memslots', absent: ONE_LIST }],
    'kvm_create_memslot call kvm_activate_memslot': [INSTALL],
    'kvm_delete_memslot call kvm_activate_memslot': [INSTALL],
    'kvm_device_release call list_del': [{ since: '6.10', anchor: 'call list_del_rcu' }],
    'kvm_device_release call list_del_rcu': [{ until: '6.10', anchor: 'call list_del' }],
    kvm_invalidate_memslot: [{ ...SET_MEMSLOT, anchor: 'name KVM_MEMSLOT_INVALID', absent: ONE_LIST }],
    'kvm_invalidate_memslot call kvm_arch_flush_shadow_memslot': [SET_MEMSLOT],
    'kvm_invalidate_memslot call kvm_swap_active_memslots': [{ ...SET_MEMSLOT, anchor: 'call install_new_memslots' }],
    kvm_iodevice_destructor: [{ until: '6.5', path: 'include/kvm/iodev.h' }],
    kvm_set_memory_region: [{ since: '6.14', symbol: 'kvm_vm_ioctl_set_memory_region' }],
    'kvm_set_memory_region call mutex_lock': [{ since: '6.14', symbol: 'kvm_vm_ioctl_set_memory_region', anchor: 'call guard' }],
    'kvm_set_memslot call kvm_create_memslot': [{ ...SET_MEMSLOT, anchor: 'call update_memslots', absent: ONE_LIST }],
    'kvm_set_memslot call kvm_delete_memslot': [{ until: '5.17', symbol: '__kvm_set_memory_region' }],
    'kvm_set_memslot call kvm_invalidate_memslot': [{ ...SET_MEMSLOT, anchor: 'name KVM_MEMSLOT_INVALID', absent: ONE_LIST }],
    kvm_swap_active_memslots: [{ until: '5.17', symbol: 'install_new_memslots' }],
    kvm_vcpu_halt: [{ until: '5.17', symbol: 'kvm_vcpu_block' }],
    'kvm_vcpu_halt call kvm_vcpu_block': [{ until: '5.17', symbol: 'kvm_vcpu_block', anchor: 'call prepare_to_rcuwait' }],
    kvm_vcpu_kick: [{ since: '6.18', symbol: '__kvm_vcpu_kick' }],
    'kvm_vcpu_kick name kvm_running_vcpu': [
      {
        until: '5.17',
        anchor: 'call kvm_arch_vcpu_should_kick',
        absent: 'until 5.17 a vCPU’s own thread changes the vCPU’s mode as any other would',
      },
      { since: '6.18', symbol: '__kvm_vcpu_kick' },
    ],
    'kvm_vcpu_wake_up call __kvm_vcpu_wake_up': [{ until: '5.17', anchor: 'call rcuwait_wake_up' }],
  },
  'virt/kvm/vfio.c': {
    'kvm_vfio_file_add call kvm_arch_start_assignment': [{ ...ADD_PRODUCER, anchor: 'name nr_possible_bypass_irqs', absent: COUNTS_IRQS }],
    'kvm_vfio_file_del call kvm_arch_end_assignment': [{ ...DEL_PRODUCER, anchor: 'name nr_possible_bypass_irqs', absent: COUNTS_IRQS }],
    kvm_vfio_file_add: [SET_GROUP, ...ofGroups('kvm_vfio_group_add')],
    'kvm_vfio_file_add call fget': [added('call fdget')],
    'kvm_vfio_file_add call get_file': [
      { ...added('call kvm_vfio_group_get_external_user'), absent: ONLY_VFIO_GROUPS },
      { until: '6.6', anchor: 'call fget', absent: 'until 6.6 it keeps the reference that fget took' },
    ],
    'kvm_vfio_file_add call kvm_vfio_file_is_group': [
      added('call kvm_vfio_group_get_external_user'),
      { until: '6.1', anchor: 'call kvm_vfio_file_iommu_group' },
      { since: '6.6', anchor: 'call kvm_vfio_file_is_valid' },
    ],
    'kvm_vfio_file_add call kvm_vfio_file_is_valid': [
      added('call kvm_vfio_group_get_external_user'),
      { until: '6.1', anchor: 'call kvm_vfio_file_iommu_group' },
      { until: '6.6', anchor: 'call kvm_vfio_file_is_group' },
    ],
    kvm_vfio_file_del: [SET_GROUP, ...ofGroups('kvm_vfio_group_del')],
    'kvm_vfio_file_add call mutex_lock': UNLOCKED_BY_SCOPE,
    'kvm_vfio_file_add call mutex_unlock': [added('call mutex_unlock after kvm_arch_start_assignment'), ...UNLOCKED_BY_SCOPE],
    'kvm_vfio_file_del call fput': [removed('call kvm_vfio_group_put_external_user'), FREED],
    'kvm_vfio_file_del call kvm_vfio_file_set_kvm': [removed('call kvm_vfio_group_set_kvm'), FREED],
    'kvm_vfio_file_del call kvm_vfio_update_coherency': [removed('call kvm_vfio_update_coherency')],
    'kvm_vfio_file_del call mutex_lock': [removed('call mutex_lock'), ...UNLOCKED_BY_SCOPE],
    'kvm_vfio_file_del call mutex_unlock': [removed('call mutex_unlock'), ...UNLOCKED_BY_SCOPE],
    'kvm_vfio_file_del name file_list': [removed('name group_list')],
    kvm_vfio_file_enforced_coherent: [{ until: '5.19', symbol: 'kvm_vfio_group_is_coherent' }],
    'kvm_vfio_file_enforced_coherent name vfio_file_enforced_coherent': [
      { until: '5.19', symbol: 'kvm_vfio_group_is_coherent', anchor: 'name vfio_external_check_extension' },
    ],
    kvm_vfio_file_is_group: [
      { until: '5.19', symbol: 'kvm_vfio_group_get_external_user' },
      { until: '6.1', symbol: 'kvm_vfio_file_iommu_group' },
      { since: '6.6', symbol: 'kvm_vfio_file_is_valid' },
    ],
    'kvm_vfio_file_is_group name vfio_file_is_group': [
      GET_GROUP,
      { until: '6.1', symbol: 'kvm_vfio_file_iommu_group', anchor: 'name vfio_file_iommu_group' },
      { since: '6.6', symbol: 'kvm_vfio_file_is_valid', anchor: 'name vfio_file_is_valid' },
    ],
    kvm_vfio_file_is_valid: [
      { until: '5.19', symbol: 'kvm_vfio_group_get_external_user' },
      { until: '6.1', symbol: 'kvm_vfio_file_iommu_group' },
      { until: '6.6', symbol: 'kvm_vfio_file_is_group' },
    ],
    'kvm_vfio_file_is_valid name vfio_file_is_valid': [
      GET_GROUP,
      { until: '6.1', symbol: 'kvm_vfio_file_iommu_group', anchor: 'name vfio_file_iommu_group' },
      { until: '6.6', symbol: 'kvm_vfio_file_is_group', anchor: 'name vfio_file_is_group' },
    ],
    kvm_vfio_file_set_kvm: [{ until: '5.19', symbol: 'kvm_vfio_group_set_kvm' }],
    'kvm_vfio_file_set_kvm name vfio_file_set_kvm': [
      { until: '5.19', symbol: 'kvm_vfio_group_set_kvm', anchor: 'name vfio_group_set_kvm' },
    ],
    kvm_vfio_release: [{ until: '6.1.1', symbol: 'kvm_vfio_destroy' }],
    'kvm_vfio_release call fput': [{ until: '5.19', symbol: 'kvm_vfio_destroy', anchor: 'call kvm_vfio_group_put_external_user' }, FREED],
    'kvm_vfio_release call kvm_vfio_file_set_kvm': [FREED],
    kvm_vfio_set_file: [SET_GROUP, ...ofGroups('kvm_vfio_set_group')],
    'kvm_vfio_set_file call kvm_vfio_file_add': [added('name KVM_DEV_VFIO_GROUP_ADD')],
    'kvm_vfio_set_file call kvm_vfio_file_del': [added('name KVM_DEV_VFIO_GROUP_DEL')],
    'kvm_vfio_update_coherency call mutex_lock': [
      { since: '6.2', until: '6.6', symbol: 'kvm_vfio_group_add', anchor: 'call mutex_lock', absent: LOCKED_BY_CALLER },
      { since: '6.6', until: '7.3', symbol: 'kvm_vfio_file_add', anchor: 'call mutex_lock', absent: LOCKED_BY_CALLER },
      { since: '7.3', symbol: 'kvm_vfio_file_add', anchor: 'call guard', absent: LOCKED_BY_CALLER },
    ],
    'kvm_vfio_update_coherency call mutex_unlock': [
      { since: '6.2', until: '6.6', symbol: 'kvm_vfio_group_add', anchor: 'call mutex_unlock', absent: LOCKED_BY_CALLER },
      { since: '6.6', until: '7.3', symbol: 'kvm_vfio_file_add', anchor: 'call mutex_unlock', absent: LOCKED_BY_CALLER },
      { since: '7.3', symbol: 'kvm_vfio_file_add', anchor: 'call guard', absent: LOCKED_BY_CALLER },
    ],
  },
  'virt/lib/irqbypass.c': {
    'irq_bypass_register_consumer call list_add': [{ since: '6.17', anchor: 'call xa_insert' }],
    'irq_bypass_register_consumer call mutex_lock': GUARDED,
    'irq_bypass_register_producer call list_add': [{ since: '6.17', anchor: 'call xa_insert' }],
    'irq_bypass_register_producer call mutex_lock': GUARDED,
    'irq_bypass_register_producer name token after consumers': [{ since: '6.17', anchor: 'call xa_load' }],
    'irq_bypass_unregister_consumer call list_del': [{ since: '6.17', anchor: 'call xa_erase' }],
    'irq_bypass_unregister_consumer call mutex_lock': GUARDED,
    'irq_bypass_unregister_producer call list_del': [{ since: '6.17', anchor: 'call xa_erase' }],
    'irq_bypass_unregister_producer call mutex_lock': GUARDED,
  },
};
