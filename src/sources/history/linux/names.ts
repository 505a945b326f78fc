import type { Fact, History } from '../../history';
import { renamed } from '../renamed';

/**
 * A member of `kvm_x86_ops` is called through the table itself until 5.12, then as `static_call(kvm_x86_NAME)`, since 6.11 as `kvm_x86_call(NAME)`.
 * Here are those that models call, with the name that they had until 5.18.
 */
const KVM_X86_OPS: Readonly<Record<string, string>> = {
  deliver_interrupt: 'deliver_posted_interrupt',
  enable_irq_window: 'enable_irq_window',
  handle_exit: 'handle_exit',
  inject_irq: 'set_irq',
  interrupt_allowed: 'interrupt_allowed',
  load_eoi_exitmap: 'load_eoi_exitmap',
  pi_start_assignment: 'start_assignment',
  pi_update_irte: 'update_pi_irte',
  set_msr: 'set_msr',
  sync_pir_to_irr: 'sync_pir_to_irr',
  vcpu_load: 'vcpu_load',
  vcpu_put: 'vcpu_put',
  vcpu_run: 'run',
};

const dispatched = (op: string, former: string): readonly Fact[] => [
  { until: '5.12', symbol: former },
  { since: '5.12', until: '5.18', symbol: `kvm_x86_${former}` },
  { since: '5.18', until: '6.11', symbol: `kvm_x86_${op}` },
];

/** Identifiers of Linux that have other names in other versions, wherever they stand. */
export const names: History['names'] = {
  ...Object.fromEntries(Object.entries(KVM_X86_OPS).map(([op, former]) => [op, dispatched(op, former)])),
  ...renamed('ack_APIC_irq', '6.6', 'apic_eoi'),
  ...renamed('domain_add_dev_info', '6.2', 'dmar_domain_attach_device'),
  ...renamed('free_msi_irqs', '6.2', 'pci_free_msi_irqs'),
  KVM_REQ_UNBLOCK: [{ until: '5.13', symbol: 'KVM_REQ_PENDING_TIMER' }],
  bus_notify: [{ until: '6.3', symbol: 'blocking_notifier_call_chain' }],
  domain_alloc_user: [{ since: '6.13', symbol: 'domain_alloc_paging_flags' }],
  file_list: [{ until: '6.6', symbol: 'group_list' }],
  handle_fastpath_set_msr_irqoff: [{ since: '6.18', symbol: 'handle_fastpath_wrmsr' }],
  kvm_rax_write: [{ since: '7.3', symbol: 'kvm_rax_write_raw' }],
  kzalloc: [{ since: '7.0', symbol: 'kzalloc_obj' }],
  virtio_reset_device: [{ until: '5.17', symbol: 'reset' }],
  vp_legacy_get_status: [{ until: '5.16', symbol: 'ioread8' }],
  vp_legacy_set_status: [{ until: '5.16', symbol: 'iowrite8' }],
  vp_modern_get_status: [{ until: '5.12', symbol: 'vp_ioread8' }],
  vp_modern_set_status: [{ until: '5.12', symbol: 'vp_iowrite8' }],
};
