import type { History } from '../../history';

/** `arch/x86`, `virt`, `kernel`, `fs`, `lib` and `include`. */
export const kvm: History['files'] = {
  'arch/x86/kernel/apic/msi.c': {
    'x86_init_dev_msi_info name handle_edge_irq': [{ until: '6.2', symbol: 'pci_msi_domain_info' }],
    'x86_init_dev_msi_info name irq_chip_ack_parent': [{ until: '6.2', symbol: 'pci_msi_controller' }],
  },
  'arch/x86/kvm/vmx/main.c': {
    vt_x86_ops: [{ until: '6.9', path: 'arch/x86/kvm/vmx/vmx.c', symbol: 'vmx_x86_ops' }],
  },
  'arch/x86/kvm/vmx/vmx.c': {
    vmx_hardware_setup: [{ until: '6.9', symbol: 'hardware_setup' }],
  },
  'include/linux/eventfd.h': {
    '*': [{ until: '6.8', path: 'fs/eventfd.c' }],
  },
};
