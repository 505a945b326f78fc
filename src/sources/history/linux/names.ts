import type { History } from '../../history';
import { renamed } from '../renamed';

/** Identifiers of Linux that have other names in other versions, wherever they stand. */
export const names: History['names'] = {
  ...renamed('ack_APIC_irq', '6.8', 'apic_eoi'),
  ...renamed('domain_add_dev_info', '6.2', 'dmar_domain_attach_device'),
};
