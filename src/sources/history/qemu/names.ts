import type { History } from '../../history';

const NO_LOCK = 'since 9.0 an AioContext has no lock: what needs one has its own';

/** Identifiers of QEMU that have other names in other versions, wherever they stand. */
export const names: History['names'] = {
  aio_context_acquire: [{ since: '9.0', nowhere: NO_LOCK }],
  aio_context_release: [{ since: '9.0', nowhere: NO_LOCK }],
  // Since CPR keeps descriptors of vfio-pci over an update of QEMU.
  event_notifier_cleanup: [{ since: '10.1', symbol: 'vfio_notifier_cleanup' }],
  event_notifier_init: [{ since: '10.1', symbol: 'vfio_notifier_init' }],
  // Since other accelerators than KVM have an irqchip too, devices ask whichever there is.
  kvm_irqchip_add_irqfd_notifier_gsi: [{ since: '10.2', symbol: 'accel_irqchip_add_irqfd_notifier_gsi' }],
  kvm_irqchip_add_msi_route: [{ since: '10.2', symbol: 'accel_irqchip_add_msi_route' }],
  kvm_irqchip_commit_route_changes: [{ since: '10.2', symbol: 'accel_irqchip_commit_route_changes' }],
  kvm_irqchip_commit_routes: [{ since: '10.2', symbol: 'accel_irqchip_commit_routes' }],
  kvm_irqchip_is_split: [{ since: '10.2', symbol: 'accel_irqchip_is_split' }],
  kvm_irqchip_remove_irqfd_notifier_gsi: [{ since: '10.2', symbol: 'accel_irqchip_remove_irqfd_notifier_gsi' }],
  kvm_irqchip_update_msi_route: [{ since: '10.2', symbol: 'accel_irqchip_update_msi_route' }],
  // The registers of a VFIO device may be in another process.
  pread: [{ since: '10.1', symbol: 'vfio_pci_config_space_read' }],
  pwrite: [{ since: '10.1', symbol: 'vfio_pci_config_space_write' }],
  dataplane_started: [{ since: '9.0', symbol: 'ioeventfd_started' }],
  qatomic_mb_set: [{ since: '8.1', symbol: 'qatomic_set_mb' }],
  qemu_mutex_iothread_locked: [{ since: '9.0', symbol: 'bql_locked' }],
  qemu_mutex_lock_iothread: [{ since: '9.0', symbol: 'bql_lock' }],
  qemu_mutex_unlock_iothread: [{ since: '9.0', symbol: 'bql_unlock' }],
};
