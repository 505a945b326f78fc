import type { Fact, History } from '../../history';
import { before, from } from '../backports';

const ONE_CHIP = 'until 6.2 all devices shared one chip, whose mask and unmask were the same for MSI and MSI-X';
const WRITES_ITSELF = 'until 6.2 __pci_write_msi_msg wrote to the device itself';
const SETS_AND_CLEARS = 'until 5.15 one function set and cleared the mask bit, as its argument said';
const ONE_SETUP = 'until 5.17 msix_capability_init did this itself';
const UNMASKED = 'before 5.14, 5.13.12 and 5.10.60 an entry was written without being masked';
const NO_CLAIM = 'until 5.19 a driver that is bound kept nobody from giving the group’s DMA away';
const ALL_AT_ONCE = 'until 6.2 a device’s MSI-X vectors are allocated all at once: none is added later';
const BEFORE_COPIES = 'before 7.2, 6.12.y and 6.1.y identifiers were compared with the device, not with a copy';

/** When an entry of MSI-X came to be masked while it is written: 5.14, and stable releases of August 2021. */
const MASKED_FIRST = ['5.13.12', ['5.10.60']] as const;

/** Where the guarded part of setting up is since locks are released by their scope. */
const guarded = (symbol: string, anchor?: string): Fact => ({ since: '6.15', symbol, ...(anchor === undefined ? {} : { anchor }) });

/** `drivers/pci`. */
export const pci: History['files'] = {
  'drivers/pci/irq.c': {
    '*': [{ until: '6.9', path: 'drivers/pci/pci.c' }],
  },
  'drivers/pci/msi/api.c': {
    '*': [
      { until: '5.17', path: 'drivers/pci/msi.c' },
      { until: '6.2', path: 'drivers/pci/msi/msi.c' },
    ],
    pci_alloc_irq_vectors: [{ until: '6.2', path: 'include/linux/pci.h' }],
    pci_msix_alloc_irq_at: [{ until: '6.2', nowhere: ALL_AT_ONCE }],
  },
  'drivers/pci/msi/irqdomain.c': {
    '*': [{ until: '5.17', path: 'drivers/pci/msi.c' }],
    pci_irq_mask_msi: [
      { until: '5.17', symbol: 'pci_msi_mask_irq', absent: ONE_CHIP },
      { until: '6.2', path: 'drivers/pci/msi/msi.c', symbol: 'pci_msi_mask_irq', absent: ONE_CHIP },
    ],
    pci_irq_mask_msix: [
      { until: '5.17', symbol: 'pci_msi_mask_irq', absent: ONE_CHIP },
      { until: '6.2', path: 'drivers/pci/msi/msi.c', symbol: 'pci_msi_mask_irq', absent: ONE_CHIP },
    ],
    pci_irq_unmask_msi: [
      { until: '5.17', symbol: 'pci_msi_unmask_irq', absent: ONE_CHIP },
      { until: '6.2', path: 'drivers/pci/msi/msi.c', symbol: 'pci_msi_unmask_irq', absent: ONE_CHIP },
    ],
    pci_irq_unmask_msix: [
      { until: '5.17', symbol: 'pci_msi_unmask_irq', absent: ONE_CHIP },
      { until: '6.2', path: 'drivers/pci/msi/msi.c', symbol: 'pci_msi_unmask_irq', absent: ONE_CHIP },
    ],
    pci_msi_domain_update_chip_ops: [
      {
        since: '6.19',
        symbol: 'pci_msix_template',
        absent: 'since 6.2 a device gets a chip of its own, made of a template that has all its functions',
      },
    ],
    'pci_msi_setup_msi_irqs call msi_domain_alloc_irqs_descs_locked': [{ since: '6.2', anchor: 'call msi_domain_alloc_irqs_all_locked' }],
    'pci_msi_teardown_msi_irqs call msi_domain_free_irqs_descs_locked': [{ since: '6.2', anchor: 'call msi_domain_free_irqs_all_locked' }],
    pci_msi_template: [{ until: '6.2', symbol: 'pci_msi_domain_update_chip_ops', absent: ONE_CHIP }],
    pci_msix_template: [{ until: '6.2', symbol: 'pci_msi_domain_update_chip_ops', absent: ONE_CHIP }],
  },
  'drivers/pci/msi/msi.c': {
    '*': [{ until: '5.17', path: 'drivers/pci/msi.c' }],
    __pci_enable_msix: [
      {
        since: '6.2',
        symbol: '__pci_enable_msix_range',
        anchor: 'call msix_capability_init',
        absent: 'since 6.2 __pci_enable_msix_range checks what is asked for, once',
      },
    ],
    '__pci_enable_msix_range call __pci_enable_msix': [{ since: '6.2', anchor: 'call msix_capability_init' }],
    '__pci_enable_msix_range call msix_capability_init': [{ until: '6.2', symbol: '__pci_enable_msix' }],
    '__pci_write_msi_msg call pci_msix_write_vector_ctrl': [
      ...before(...MASKED_FIRST, { anchor: 'call writel', absent: UNMASKED }),
      { until: '5.15', anchor: 'call __pci_msix_desc_mask_irq' },
      { since: '6.2', symbol: 'pci_write_msg_msix' },
    ],
    '__pci_write_msi_msg call pci_msix_write_vector_ctrl after writel': [
      ...before(...MASKED_FIRST, { anchor: 'call writel', absent: UNMASKED }),
      { until: '5.15', anchor: 'call __pci_msix_desc_mask_irq after writel' },
      { since: '6.2', symbol: 'pci_write_msg_msix' },
    ],
    '__pci_write_msi_msg call pci_read_config_word': [{ since: '6.2', symbol: 'pci_write_msg_msi' }],
    '__pci_write_msi_msg call pci_write_config_dword': [{ since: '6.2', symbol: 'pci_write_msg_msi' }],
    '__pci_write_msi_msg call pci_write_config_word': [{ since: '6.2', symbol: 'pci_write_msg_msi' }],
    '__pci_write_msi_msg call pci_write_config_word after pci_write_config_dword': [{ since: '6.2', symbol: 'pci_write_msg_msi' }],
    '__pci_write_msi_msg call pci_write_msg_msi': [{ until: '6.2', anchor: 'call pci_read_config_word', absent: WRITES_ITSELF }],
    '__pci_write_msi_msg call pci_write_msg_msix': [{ until: '6.2', anchor: 'call writel', absent: WRITES_ITSELF }],
    '__pci_write_msi_msg call writel': [{ since: '6.2', symbol: 'pci_write_msg_msix' }],
    'msi_capability_init call free_msi_irqs': [
      guarded('__msi_capability_init', 'call pci_free_msi_irqs'),
      { since: '6.2', anchor: 'call pci_free_msi_irqs' },
    ],
    'msi_capability_init call msi_setup_msi_desc': [{ until: '5.17', anchor: 'call msi_setup_entry' }, guarded('__msi_capability_init')],
    'msi_capability_init call pci_intx_for_msi': [guarded('__msi_capability_init')],
    'msi_capability_init call pci_msi_mask': [{ until: '5.15', anchor: 'call msi_mask_irq' }, guarded('__msi_capability_init')],
    'msi_capability_init call pci_msi_set_enable after pci_msi_set_enable': [guarded('__msi_capability_init', 'call pci_msi_set_enable')],
    'msi_capability_init call pci_msi_setup_msi_irqs': [guarded('__msi_capability_init')],
    'msi_capability_init call pci_msi_unmask': [
      { until: '5.15', anchor: 'call msi_mask_irq after pci_msi_setup_msi_irqs' },
      guarded('__msi_capability_init'),
    ],
    'msi_capability_init write msi_enabled': [guarded('__msi_capability_init')],
    'msix_capability_init call msix_setup_interrupts': [{ until: '5.17', anchor: 'call msix_setup_entries', absent: ONE_SETUP }],
    msix_setup_interrupts: [{ until: '5.17', symbol: 'msix_capability_init', anchor: 'call msix_setup_entries', absent: ONE_SETUP }],
    'msix_setup_interrupts call msix_setup_msi_descs': [guarded('__msix_setup_interrupts')],
    'msix_setup_interrupts call pci_msi_setup_msi_irqs': [
      { until: '5.17', symbol: 'msix_capability_init', absent: ONE_SETUP, anchor: 'call pci_msi_setup_msi_irqs' },
      guarded('__msix_setup_interrupts'),
    ],
    msix_mask_all: before(...MASKED_FIRST, {
      symbol: 'msix_capability_init',
      absent: 'before 5.14, 5.13.12 and 5.10.60 entries that were not used stayed as they were',
    }),
    pci_free_msi_irqs: [{ until: '6.2', symbol: 'free_msi_irqs' }],
    pci_msi_set_enable: [{ until: '5.11', path: 'drivers/pci/pci.h' }],
    pci_msix_clear_and_set_ctrl: [{ until: '5.11', path: 'drivers/pci/pci.h' }],
    'pci_msix_shutdown call pci_msix_mask': [{ until: '5.15', anchor: 'call __pci_msix_desc_mask_irq' }],
    pci_write_msg_msi: [{ until: '6.2', symbol: '__pci_write_msi_msg' }],
    pci_write_msg_msix: [{ until: '6.2', symbol: '__pci_write_msi_msg' }],
    'pci_write_msg_msix call pci_msix_write_vector_ctrl': [
      ...before(...MASKED_FIRST, { symbol: '__pci_write_msi_msg', anchor: 'call writel', absent: UNMASKED }),
      { until: '5.15', anchor: 'call __pci_msix_desc_mask_irq' },
    ],
    'pci_write_msg_msix call pci_msix_write_vector_ctrl after writel': [
      ...before(...MASKED_FIRST, { symbol: '__pci_write_msi_msg', anchor: 'call writel', absent: UNMASKED }),
      { until: '5.15', anchor: 'call __pci_msix_desc_mask_irq after writel' },
    ],
  },
  'drivers/pci/msi/msi.h': {
    '*': [
      { until: '5.17', path: 'drivers/pci/msi.c' },
      { until: '6.2', path: 'drivers/pci/msi/msi.c' },
    ],
    __pci_msi_mask_desc: [{ until: '5.15', symbol: 'msi_set_mask_bit', absent: SETS_AND_CLEARS }],
    __pci_msi_unmask_desc: [{ until: '5.15', symbol: 'msi_set_mask_bit', absent: SETS_AND_CLEARS }],
    pci_msi_mask: [{ until: '5.15', symbol: 'msi_mask_irq', absent: SETS_AND_CLEARS }],
    pci_msi_unmask: [{ until: '5.15', symbol: 'msi_mask_irq', absent: SETS_AND_CLEARS }],
    pci_msix_mask: [{ until: '5.15', symbol: 'msix_mask_irq', absent: SETS_AND_CLEARS }],
    pci_msix_unmask: [{ until: '5.15', symbol: 'msix_mask_irq', absent: SETS_AND_CLEARS }],
    pci_msix_write_vector_ctrl: [{ until: '5.15', symbol: '__pci_msix_desc_mask_irq' }],
  },
  'drivers/pci/pci-driver.c': {
    do_pci_add_dynid: before('7.2', ['6.1.188', '6.12.108'], { symbol: 'pci_add_dynid' }),
    'pci_device_remove call pm_runtime_barrier': before('6.8.3', ['5.10.215', '5.15.154', '6.1.84', '6.6.24', '6.7.12'], {
      absent: 'before 6.9, and stable releases of April 2024, nobody waited here for a change of power that was under way',
    }),
    pci_dma_cleanup: [
      {
        until: '5.19',
        path: 'drivers/base/dd.c',
        symbol: '__device_release_driver',
        anchor: 'call arch_teardown_dma_ops',
        absent: NO_CLAIM,
      },
    ],
    'pci_dma_configure call iommu_device_use_default_domain': [{ until: '5.19', absent: NO_CLAIM }],
    'pci_dma_configure name driver_managed_dma': [{ until: '5.19', absent: NO_CLAIM }],
    'pci_match_device call device_match_driver_override': before('7.1', ['6.12'], { anchor: 'name driver_override' }),
    'pci_match_device call do_pci_match_id': before('7.2', ['6.1.188', '6.12.108'], { anchor: 'call pci_match_id', absent: BEFORE_COPIES }),
    'pci_match_device name driver_override': from('7.1', ['6.12'], { anchor: 'call device_match_driver_override' }),
    'pci_pm_runtime_resume call pci_pm_default_resume_early': [{ until: '5.19', anchor: 'call pci_restore_standard_config' }],
  },
  'drivers/pci/pci.c': {
    __pci_set_power_state: before('6.8', ['6.1'], {
      symbol: 'pci_set_power_state',
      absent: 'before 6.8 and 6.1.y pci_set_power_state did this itself',
    }),
    '__pci_set_power_state name current_state': before('6.8', ['6.1'], {}),
    '__pci_set_power_state call pci_set_low_power_state': [{ until: '5.19', anchor: 'call pci_raw_set_power_state' }],
    'pci_power_up call pci_read_config_word': [{ until: '5.19', symbol: 'pci_raw_set_power_state' }],
    'pci_power_up call pci_write_config_word': [{ until: '5.19', symbol: 'pci_raw_set_power_state' }],
    'pci_power_up call platform_pci_set_power_state': [{ until: '5.19', anchor: 'call pci_platform_power_transition' }],
    'pci_power_up write current_state after udelay': [{ until: '5.19', symbol: 'pci_raw_set_power_state' }],
  },
};
