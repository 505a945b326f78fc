import type { Fact, History } from '../../history';
import { before, from } from '../backports';

const SLOW_HLT = 'until 6.12 every HLT takes the slow path, through kvm_emulate_halt';
const NO_FAST_EVENTS = 'until 6.12 a vCPU halts first and finds the event that is pending when it is about to block';
const BLOCKS_FIRST = 'until 5.17 vcpu_block prepares the descriptor before the vCPU blocks, in its pre_block hook';
const VENDOR_SETS_IRR =
  'until 5.17 __apic_accept_irq does what the vendor’s code cannot: it sets the vector in IRR, requests KVM_REQ_EVENT and kicks the vCPU';
export const COUNTS_IRQS = 'since 6.17 KVM counts the interrupts that may bypass it, not the devices: where a producer comes and goes';
const POSTING_ASKED_ONCE =
  'since 6.17 kvm_arch_has_irq_bypass answers this: whether interrupts can be posted is found out once, when KVM is loaded';
const NOT_TOLD = 'until 5.13 nobody tells vCPUs that already block of the first device: its interrupt may not wake them';
const NO_ACCESSOR = 'until 6.12 kvm_set_msr_ignored_check calls __kvm_set_msr itself';

/** Since 6.16 `vt_x86_ops` names its functions by their members, as `vt_op(NAME)`: TDX has others. */
const vtOp = (member: string): readonly Fact[] => [{ since: '6.16', anchor: `name ${member}` }];

const POSTED_BYPASS = { since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_pi_update_irte' };
export const ADD_PRODUCER = { since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_arch_irq_bypass_add_producer' };
export const DEL_PRODUCER = { since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_arch_irq_bypass_del_producer' };
const MOVED_TO_IRQ: readonly Fact[] = [{ since: '6.17', path: 'arch/x86/kvm/irq.c' }];
const ACCEPT_IRQ: Fact = { until: '5.17', path: 'arch/x86/kvm/lapic.c', symbol: '__apic_accept_irq' };
const SERVICED_AGAIN: readonly Fact[] = [
  {
    until: '6.3',
    anchor: 'call ioapic_service',
    absent: 'until 6.3 a pin that is up when it is unmasked is serviced again, without asking its owner whether it still should be',
  },
];
const POSTS_FIRST: readonly Fact[] = [
  { ...ACCEPT_IRQ, until: '5.12', anchor: 'name deliver_posted_interrupt' },
  { ...ACCEPT_IRQ, anchor: 'name kvm_x86_deliver_posted_interrupt' },
];
/** Until 5.18 the upper half of a command is written first, as a register of its own. */
const WRITES_COMMAND = 'call kvm_lapic_reg_write after APIC_ICR2 APIC_ICR2';
/** When all were given one condition for posting: 5.16, and stable releases of December 2021. */
const ONE_CONDITION = ['5.15.7', ['5.10.84']] as const;
const ASKED_IN_PUT = before(...ONE_CONDITION, { symbol: 'vmx_vcpu_pi_put' });
const ASKED_EACH_TIME = ASKED_IN_PUT.map((fact): Fact => ({
  ...fact,
  anchor: 'call kvm_arch_has_assigned_device',
  absent: 'before 5.15.7 and 5.10.84 each function that posts interrupts, or waits for them, asks itself whether a device may post any',
}));
const TO_MSRS: Fact = { since: '7.3', path: 'arch/x86/kvm/msrs.c' };
const SCAN_IRQ: readonly Fact[] = [
  { since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_scan_ioapic_irq' },
  { since: '6.15', path: 'arch/x86/kvm/irq_comm.c', symbol: 'kvm_scan_ioapic_irq' },
];

/** `arch/x86/kvm`. */
export const kvm: History['files'] = {
  'arch/x86/kvm/i8259.c': {
    picdev_elcr_ops: [{ until: '5.15', symbol: 'picdev_eclr_ops' }],
    picdev_elcr_read: [{ until: '5.15', symbol: 'picdev_eclr_read' }],
    picdev_elcr_write: [{ until: '5.15', symbol: 'picdev_eclr_write' }],
  },
  'arch/x86/kvm/ioapic.c': {
    'ioapic_write_indirect call kvm_notify_irqfd_resampler': SERVICED_AGAIN,
    'ioapic_write_indirect write irr after kvm_notify_irqfd_resampler': SERVICED_AGAIN,
    'kvm_ioapic_scan_entry call kvm_apic_match_dest': SCAN_IRQ,
    'kvm_ioapic_scan_entry call kvm_apic_pending_eoi': SCAN_IRQ,
    'kvm_ioapic_scan_entry name dest_map': [{ since: '7.0', anchor: 'name map' }],
    'rtc_irq_eoi name dest_map': [{ since: '7.0', anchor: 'name map' }],
  },
  'arch/x86/kvm/irq.c': {
    kvm_arch_irqchip_in_kernel: [
      {
        until: '6.2',
        path: 'arch/x86/kvm/irq.h',
        symbol: 'irqchip_in_kernel',
        absent: 'until 6.2 KVM’s common code calls irqchip_in_kernel itself',
      },
    ],
    'kvm_cpu_get_extint write pending_external_vector': [{ since: '6.17', symbol: 'get_userspace_extint' }],
    'kvm_cpu_get_interrupt call kvm_apic_has_interrupt': [
      { until: '6.12', path: 'arch/x86/kvm/lapic.c', symbol: 'kvm_get_apic_interrupt' },
    ],
  },
  'arch/x86/kvm/irq_comm.c': {
    '*': MOVED_TO_IRQ,
    kvm_arch_post_irq_routing_update: [{ since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_arch_irq_routing_update' }],
    kvm_fire_mask_notifiers: [{ since: '6.17', path: 'arch/x86/kvm/ioapic.c' }],
    kvm_intr_is_single_vcpu: [{ since: '6.17', path: 'arch/x86/kvm/lapic.c' }],
    kvm_irq_delivery_to_apic: [
      { since: '7.0', path: 'arch/x86/kvm/lapic.c', symbol: '__kvm_irq_delivery_to_apic' },
      { since: '6.17', path: 'arch/x86/kvm/lapic.c' },
    ],
    'kvm_scan_ioapic_routes call kvm_apic_match_dest': SCAN_IRQ,
    kvm_set_ioapic_irq: [
      {
        since: '6.17',
        path: 'arch/x86/kvm/ioapic.c',
        symbol: 'kvm_ioapic_set_irq',
        absent: 'since 6.17 the routing entry holds kvm_ioapic_set_irq itself',
      },
    ],
    kvm_set_msi_irq: [{ since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_msi_to_lapic_irq' }],
    'kvm_set_msi_irq call x86_msi_msg_get_destid': [{ until: '5.11', anchor: 'name MSI_ADDR_DEST_ID_MASK' }],
    kvm_set_pic_irq: [
      {
        since: '6.17',
        path: 'arch/x86/kvm/i8259.c',
        symbol: 'kvm_pic_set_irq',
        absent: 'since 6.17 the routing entry holds kvm_pic_set_irq itself',
      },
    ],
  },
  'arch/x86/kvm/lapic.c': {
    __kvm_apic_set_base: [{ until: '6.12.1', symbol: 'kvm_lapic_set_base' }],
    '__kvm_apic_update_irr call xchg': [{ since: '6.16', anchor: 'call pi_harvest_pir' }],
    'apic_clear_isr name APIC_ISR': [{ since: '6.17', anchor: 'call apic_vector_to_isr' }],
    'apic_set_isr name APIC_ISR': [{ since: '6.17', anchor: 'call apic_vector_to_isr' }],
    cancel_apic_timer: [
      {
        until: '5.14',
        symbol: 'kvm_lapic_reg_write',
        anchor: 'call hrtimer_cancel',
        absent: 'until 5.14 kvm_lapic_reg_write cancels the timer itself',
      },
    ],
    kvm_apic_ack_interrupt: [{ until: '6.12', symbol: 'kvm_get_apic_interrupt' }],
    kvm_apic_set_base: [{ until: '6.12.1', path: 'arch/x86/kvm/x86.c', symbol: 'kvm_set_apic_base' }],
    kvm_get_apic_interrupt: [{ since: '6.12', symbol: 'kvm_apic_ack_interrupt' }],
    'kvm_get_apic_interrupt call kvm_apic_has_interrupt': [{ since: '6.12', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_cpu_get_interrupt' }],
    kvm_irq_delivery_to_apic_fast: [{ since: '7.0', symbol: '__kvm_irq_delivery_to_apic_fast' }],
    kvm_lapic_msr_read: [{ until: '5.18', symbol: 'kvm_x2apic_msr_read' }],
    kvm_lapic_msr_write: [{ until: '5.18', symbol: 'kvm_x2apic_msr_write' }],
    'kvm_lapic_msr_write call kvm_lapic_reg_write': [{ until: '5.18', symbol: 'kvm_x2apic_msr_write', anchor: WRITES_COMMAND }],
    'kvm_lapic_msr_write call kvm_x2apic_icr_write': [{ until: '5.18', symbol: 'kvm_x2apic_msr_write', anchor: WRITES_COMMAND }],
    'kvm_lapic_reg_write call cancel_apic_timer': [{ until: '5.14', anchor: 'call hrtimer_cancel' }],
    'kvm_lapic_reg_write name APIC_LVTT': [{ until: '6.0', anchor: 'name APIC_LVTT after APIC_LVTERR APIC_LVTT' }],
    'kvm_lapic_reg_write name nr_lvt_entries': [{ until: '6.0', anchor: 'name KVM_APIC_LVT_NUM' }],
    kvm_x2apic_icr_write: [
      { until: '5.18', symbol: 'kvm_lapic_reg_write' },
      { since: '6.18', symbol: '__kvm_x2apic_icr_write' },
    ],
    'kvm_x2apic_icr_write name APIC_ICR': [
      { until: '5.18', symbol: 'kvm_lapic_reg_write', anchor: 'name APIC_ICR after kvm_apic_send_ipi' },
    ],
    'kvm_x2apic_icr_write name data': [{ until: '5.18', symbol: 'kvm_lapic_reg_write', anchor: 'name val after APIC_ICR' }],
    'kvm_x2apic_msr_read call kvm_lapic_msr_read': [{ until: '5.18', anchor: 'call kvm_lapic_reg_read' }],
    'kvm_x2apic_msr_write call kvm_lapic_msr_write': [{ until: '5.18', anchor: WRITES_COMMAND }],
    pv_eoi_test_and_clr_pending: [{ until: '5.16', symbol: 'pv_eoi_get_pending' }],
    'pv_eoi_test_and_clr_pending call __clear_bit': [{ until: '5.16', symbol: 'pv_eoi_clr_pending' }],
    'pv_eoi_test_and_clr_pending call pv_eoi_put_user': [{ until: '5.16', symbol: 'pv_eoi_clr_pending' }],
  },
  'arch/x86/kvm/smm.h': {
    kvm_inject_smi: [
      {
        until: '6.2',
        path: 'arch/x86/kvm/lapic.c',
        symbol: '__apic_accept_irq',
        anchor: 'name KVM_REQ_SMI',
        absent: 'until 6.2 __apic_accept_irq itself requests KVM_REQ_SMI',
      },
    ],
  },
  'arch/x86/kvm/svm/avic.c': {
    avic_pi_update_irte: [{ until: '5.18', symbol: 'svm_update_pi_irte' }],
    'avic_pi_update_irte call irq_remapping_cap': [
      { ...POSTED_BYPASS, anchor: 'call kvm_arch_has_irq_bypass', absent: POSTING_ASKED_ONCE },
    ],
    'avic_pi_update_irte call kvm_arch_has_assigned_device': [
      {
        ...POSTED_BYPASS,
        absent: 'since 6.17 nobody asks: only an irqfd that has a producer, and so a device, gets here',
        anchor: 'name producer',
      },
    ],
  },
  'arch/x86/kvm/svm/svm.c': {
    'msr_interception call kvm_emulate_wrmsr': [{ until: '5.13', symbol: 'wrmsr_interception' }],
    svm_complete_interrupt_delivery: [{ ...ACCEPT_IRQ, anchor: 'name KVM_REQ_EVENT', absent: VENDOR_SETS_IRR }],
    'svm_complete_interrupt_delivery call kvm_vcpu_kick': [ACCEPT_IRQ],
    'svm_complete_interrupt_delivery name KVM_REQ_EVENT': [ACCEPT_IRQ],
    svm_deliver_interrupt: [{ until: '5.17', path: 'arch/x86/kvm/svm/avic.c', symbol: 'svm_deliver_avic_intr', absent: VENDOR_SETS_IRR }],
    'svm_deliver_interrupt call kvm_lapic_set_irr': [ACCEPT_IRQ],
    'svm_deliver_interrupt call svm_complete_interrupt_delivery': [{ ...ACCEPT_IRQ, anchor: 'name KVM_REQ_EVENT' }],
    svm_enable_irq_window: [{ until: '5.12', symbol: 'enable_irq_window' }],
    'svm_exit_handlers name kvm_emulate_halt': [{ until: '5.13', anchor: 'name halt_interception' }],
    svm_handle_exit: [{ until: '5.18', symbol: 'handle_exit' }],
    'svm_handle_exit call svm_invoke_exit_handler': [{ until: '5.11', symbol: 'handle_exit', anchor: 'name svm_exit_handlers' }],
    svm_inject_irq: [{ until: '5.18', symbol: 'svm_set_irq' }],
    svm_invoke_exit_handler: [{ until: '5.11', symbol: 'handle_exit' }],
    'svm_invoke_exit_handler name svm_exit_handlers': [
      { until: '5.11', symbol: 'handle_exit', anchor: 'name svm_exit_handlers after svm_exit_handlers svm_exit_handlers' },
      { since: '7.0', anchor: 'name svm_exit_handlers after svm_exit_handlers svm_exit_handlers svm_exit_handlers' },
    ],
    'svm_vcpu_load call kvm_vcpu_apicv_active': [{ until: '5.15', path: 'arch/x86/kvm/svm/avic.c', symbol: 'avic_vcpu_load' }],
    'svm_vcpu_put call svm_prepare_host_switch': [
      { until: '5.12', anchor: 'call kvm_load_ldt', absent: 'until 5.12 svm_vcpu_put restores the host’s segments and MSRs itself' },
    ],
  },
  'arch/x86/kvm/vmx/common.h': {
    __vmx_handle_ept_violation: before('6.16', ['6.12'], { path: 'arch/x86/kvm/vmx/vmx.c', symbol: 'handle_ept_violation' }),
  },
  'arch/x86/kvm/vmx/main.c': {
    vt_x86_ops: [{ until: '6.10', path: 'arch/x86/kvm/vmx/vmx.c', symbol: 'vmx_x86_ops' }],
    'vt_x86_ops name vmx_deliver_interrupt': [{ until: '5.17', anchor: 'name vmx_deliver_posted_interrupt' }, ...vtOp('deliver_interrupt')],
    'vt_x86_ops name vmx_enable_irq_window': [{ until: '5.12', anchor: 'name enable_irq_window' }, ...vtOp('enable_irq_window')],
    'vt_x86_ops name vmx_handle_exit': vtOp('handle_exit'),
    'vt_x86_ops name vmx_inject_irq': vtOp('inject_irq'),
    'vt_x86_ops name vmx_interrupt_allowed': vtOp('interrupt_allowed'),
    'vt_x86_ops name vmx_load_eoi_exitmap': vtOp('load_eoi_exitmap'),
    'vt_x86_ops name vmx_set_msr': vtOp('set_msr'),
    'vt_x86_ops name vmx_sync_pir_to_irr': vtOp('sync_pir_to_irr'),
    'vt_x86_ops name vmx_vcpu_load': vtOp('vcpu_load'),
    'vt_x86_ops name vmx_vcpu_put': vtOp('vcpu_put'),
    'vt_x86_ops name vmx_vcpu_run': vtOp('vcpu_run'),
  },
  'arch/x86/kvm/vmx/posted_intr.c': {
    pi_enable_wakeup_handler: [{ until: '5.17', symbol: 'pi_pre_block' }],
    'pi_wakeup_handler call kvm_vcpu_wake_up': [{ until: '5.17', anchor: 'call kvm_vcpu_kick' }],
    vmx_can_use_vtd_pi: ASKED_EACH_TIME,
    'vmx_can_use_vtd_pi call irq_remapping_cap': [...ASKED_IN_PUT, { since: '6.17', anchor: 'call kvm_arch_has_irq_bypass' }],
    'vmx_can_use_vtd_pi call kvm_arch_has_assigned_device': [...ASKED_IN_PUT, { since: '6.17', anchor: 'name nr_possible_bypass_irqs' }],
    'vmx_can_use_vtd_pi name enable_apicv': [
      ...before(...ONE_CONDITION, { symbol: 'vmx_vcpu_pi_put', anchor: 'call kvm_vcpu_apicv_active' }),
      { since: '6.17', anchor: 'call kvm_arch_has_irq_bypass' },
    ],
    vmx_needs_pi_wakeup: [
      ...ASKED_EACH_TIME,
      {
        until: '6.0',
        symbol: 'vmx_can_use_vtd_pi',
        absent: 'until 6.0 only devices can post an interrupt to a vCPU that sleeps: vmx_can_use_vtd_pi alone decides',
      },
    ],
    'vmx_needs_pi_wakeup call vmx_can_use_vtd_pi': [...ASKED_EACH_TIME, { until: '6.0', symbol: 'vmx_vcpu_pi_put' }],
    vmx_pi_start_assignment: [
      {
        until: '5.13',
        path: 'arch/x86/kvm/x86.c',
        symbol: 'kvm_arch_start_assignment',
        absent: NOT_TOLD,
      },
      { since: '6.17', symbol: 'vmx_pi_start_bypass' },
    ],
    'vmx_pi_start_assignment call irq_remapping_cap': [{ since: '6.17', symbol: 'vmx_pi_start_bypass', anchor: 'call vmx_can_use_vtd_pi' }],
    vmx_pi_update_irte: [{ until: '5.18', symbol: 'pi_update_irte' }],
    'vmx_pi_update_irte call kvm_intr_is_single_vcpu': [POSTED_BYPASS],
    'vmx_pi_update_irte call kvm_irq_is_postable': [POSTED_BYPASS],
    'vmx_pi_update_irte call kvm_set_msi_irq': [{ ...POSTED_BYPASS, anchor: 'call kvm_msi_to_lapic_irq' }],
    'vmx_pi_update_irte call vmx_can_use_vtd_pi': [{ ...POSTED_BYPASS, anchor: 'call kvm_arch_has_irq_bypass' }],
    'vmx_pi_update_irte name irq_rt': [
      {
        ...POSTED_BYPASS,
        anchor: 'name entry',
        absent: 'since 6.17 the caller passes the irqfd’s own copy of its route: the table is not searched',
      },
    ],
    'vmx_pi_update_irte name vcpu_info': [{ since: '6.17', anchor: 'name pi_data' }],
    'vmx_vcpu_pi_load call list_del': [{ until: '5.17', symbol: '__pi_post_block' }],
    'vmx_vcpu_pi_load call pi_test_and_clear_sn': [{ until: '5.17', anchor: 'call pi_clear_sn' }],
    'vmx_vcpu_pi_load name enable_apicv': [
      { until: '5.17', absent: 'until 5.17 the descriptor follows the vCPU to its CPU whether or not there is APICv' },
    ],
    'vmx_vcpu_pi_put call kvm_vcpu_is_blocking': [
      { until: '5.17', path: 'arch/x86/kvm/x86.c', symbol: 'vcpu_block', anchor: 'name pre_block', absent: BLOCKS_FIRST },
    ],
    'vmx_vcpu_pi_put call pi_enable_wakeup_handler': [
      { until: '5.17', path: 'arch/x86/kvm/x86.c', symbol: 'vcpu_block', anchor: 'name pre_block', absent: BLOCKS_FIRST },
    ],
  },
  'arch/x86/kvm/vmx/vmx.c': {
    __vmx_handle_exit: [{ until: '5.12', symbol: 'vmx_handle_exit' }],
    'handle_ept_violation call __vmx_handle_ept_violation': before('6.16', ['6.12'], { anchor: 'call kvm_mmu_page_fault' }),
    'handle_ept_violation call kvm_mmu_page_fault': from('6.16', ['6.12'], {
      path: 'arch/x86/kvm/vmx/common.h',
      symbol: '__vmx_handle_ept_violation',
    }),
    kvm_vcpu_trigger_posted_interrupt: [{ since: '6.16', path: 'arch/x86/kvm/vmx/common.h' }],
    'kvm_vcpu_trigger_posted_interrupt call kvm_get_running_vcpu': [
      {
        until: '5.17',
        anchor: 'name send_IPI_mask',
        absent: 'until 5.17 the notification is sent even if the vCPU’s own thread posts the interrupt',
      },
    ],
    'kvm_vcpu_trigger_posted_interrupt call kvm_vcpu_wake_up': [
      { until: '5.17', symbol: 'vmx_deliver_posted_interrupt', anchor: 'call kvm_vcpu_kick' },
    ],
    vmx_deliver_interrupt: POSTS_FIRST.map((fact) => ({ ...fact, absent: VENDOR_SETS_IRR })),
    'vmx_deliver_interrupt call kvm_lapic_set_irr': [ACCEPT_IRQ],
    'vmx_deliver_interrupt call kvm_vcpu_kick': [ACCEPT_IRQ],
    'vmx_deliver_interrupt call vmx_deliver_posted_interrupt': POSTS_FIRST,
    'vmx_deliver_interrupt name KVM_REQ_EVENT': [ACCEPT_IRQ],
    'vmx_deliver_posted_interrupt call kvm_vcpu_trigger_posted_interrupt': [
      { since: '6.16', path: 'arch/x86/kvm/vmx/common.h', symbol: '__vmx_deliver_posted_interrupt' },
    ],
    'vmx_deliver_posted_interrupt call pi_test_and_set_on': [
      { since: '6.16', path: 'arch/x86/kvm/vmx/common.h', symbol: '__vmx_deliver_posted_interrupt' },
    ],
    'vmx_deliver_posted_interrupt call pi_test_and_set_pir': [
      { since: '6.16', path: 'arch/x86/kvm/vmx/common.h', symbol: '__vmx_deliver_posted_interrupt' },
    ],
    vmx_enable_irq_window: [{ until: '5.12', symbol: 'enable_irq_window' }],
    'vmx_exit_handlers_fastpath name exit_reason': [{ since: '6.16', anchor: 'call vmx_get_exit_reason' }],
    'vmx_handle_exit call __vmx_handle_exit': [{ until: '5.12', anchor: 'name exit_reason' }],
    vmx_hardware_setup: [{ until: '6.10', symbol: 'hardware_setup' }],
    vmx_hwapic_irr_update: [
      {
        since: '6.14',
        symbol: 'vmx_sync_pir_to_irr',
        anchor: 'call vmx_set_rvi',
        absent: 'since 6.14 the CPU is told the highest requested vector only where posted ones are taken',
      },
    ],
    'vmx_sync_pir_to_irr call vmx_set_rvi': [{ until: '5.15', anchor: 'call vmx_hwapic_irr_update' }],
  },
  'arch/x86/kvm/x86.c': {
    __kvm_emulate_halt: [
      { until: '5.11', symbol: 'kvm_vcpu_halt' },
      { until: '5.17', symbol: '__kvm_vcpu_halt' },
    ],
    '__kvm_emulate_halt call kvm_vcpu_has_events': [{ until: '6.12', anchor: 'name mp_state', absent: NO_FAST_EVENTS }],
    '__kvm_emulate_halt name mp_state': [{ since: '6.15', anchor: 'call kvm_set_mp_state' }],
    '__kvm_emulate_halt name pv_unhalted': [
      { until: '6.12', anchor: 'name mp_state', absent: NO_FAST_EVENTS },
      { since: '6.15', path: 'arch/x86/kvm/x86.h', symbol: 'kvm_set_mp_state' },
    ],
    __kvm_set_msr: [TO_MSRS],
    _kvm_set_msr: [{ until: '6.12', symbol: '__kvm_set_msr', absent: NO_ACCESSOR }, TO_MSRS],
    '_kvm_set_msr call __kvm_set_msr': [{ until: '6.12', symbol: 'kvm_set_msr_ignored_check' }],
    'emulator_pio_in call emulator_pio_in_out': [{ since: '5.15', until: '6.0', symbol: '__emulator_pio_in' }],
    'emulator_pio_in_out call kvm_io_bus_read': [{ until: '6.0', symbol: 'kernel_pio' }],
    'emulator_pio_in_out call kvm_io_bus_write': [{ until: '6.0', symbol: 'kernel_pio' }],
    'emulator_read_write name exit_reason': [{ since: '7.1', anchor: 'call kvm_prepare_emulated_mmio_exit' }],
    handle_fastpath_hlt: [{ until: '6.12', symbol: 'kvm_emulate_halt', absent: SLOW_HLT }],
    'handle_fastpath_hlt call kvm_vcpu_running': [{ until: '6.12', symbol: 'vcpu_run', anchor: 'call kvm_vcpu_running', absent: SLOW_HLT }],
    handle_fastpath_set_msr_irqoff: [
      { ...TO_MSRS, symbol: '__handle_fastpath_wrmsr' },
      { since: '6.18', symbol: '__handle_fastpath_wrmsr' },
    ],
    handle_fastpath_set_x2apic_icr_irqoff: [{ since: '6.18', path: 'arch/x86/kvm/lapic.c', symbol: 'kvm_x2apic_icr_write_fast' }],
    'handle_fastpath_set_x2apic_icr_irqoff call kvm_x2apic_icr_write': [
      { until: '5.18', anchor: 'call kvm_apic_send_ipi' },
      { since: '6.18', path: 'arch/x86/kvm/lapic.c', symbol: 'kvm_x2apic_icr_write_fast', anchor: 'call __kvm_x2apic_icr_write' },
    ],
    'handle_fastpath_set_x2apic_icr_irqoff name APIC_DEST_PHYSICAL': [
      {
        since: '6.18',
        path: 'arch/x86/kvm/lapic.c',
        symbol: '__kvm_x2apic_icr_write',
        anchor: 'call kvm_irq_delivery_to_apic_fast',
        absent: 'since 6.18 the fast path takes every IPI that the map of local APICs can deliver, whatever its destination mode',
      },
    ],
    kvm_arch_end_assignment: [{ ...DEL_PRODUCER, anchor: 'name nr_possible_bypass_irqs', absent: COUNTS_IRQS }],
    kvm_arch_has_assigned_device: [
      {
        since: '6.17',
        path: 'arch/x86/kvm/vmx/posted_intr.c',
        symbol: 'vmx_can_use_vtd_pi',
        anchor: 'name nr_possible_bypass_irqs',
        absent: COUNTS_IRQS,
      },
    ],
    kvm_arch_has_irq_bypass: [{ since: '6.16', path: 'arch/x86/include/asm/kvm_host.h' }],
    'kvm_arch_has_irq_bypass name enable_apicv': [
      { until: '6.12', absent: 'always true: every irqfd looks for a producer, and finds out later that the interrupt cannot be posted' },
      { since: '6.16', path: 'arch/x86/include/asm/kvm_host.h', anchor: 'name enable_device_posted_irqs' },
    ],
    kvm_arch_interrupt_allowed: [{ since: '7.3', symbol: 'kvm_is_interrupt_allowed' }],
    kvm_arch_irq_bypass_add_producer: MOVED_TO_IRQ,
    'kvm_arch_irq_bypass_add_producer call kvm_arch_start_assignment': [{ ...ADD_PRODUCER, anchor: 'name nr_possible_bypass_irqs' }],
    'kvm_arch_irq_bypass_add_producer name pi_update_irte': [POSTED_BYPASS],
    kvm_arch_irq_bypass_del_producer: MOVED_TO_IRQ,
    'kvm_arch_irq_bypass_del_producer call kvm_arch_end_assignment': [{ ...DEL_PRODUCER, anchor: 'name nr_possible_bypass_irqs' }],
    'kvm_arch_irq_bypass_del_producer name pi_update_irte': [POSTED_BYPASS],
    kvm_arch_irqfd_route_changed: [
      {
        until: '5.16',
        path: 'virt/kvm/eventfd.c',
        symbol: 'kvm_irq_routing_update',
        anchor: 'call kvm_arch_update_irqfd_routing',
        absent: 'until 5.16 every new table updates every bypassed interrupt, whether its route has changed or not',
      },
      { since: '6.17', path: 'arch/x86/kvm/irq.c', symbol: 'kvm_arch_update_irqfd_routing' },
    ],
    kvm_arch_start_assignment: [{ ...ADD_PRODUCER, anchor: 'name nr_possible_bypass_irqs', absent: COUNTS_IRQS }],
    'kvm_arch_start_assignment call atomic_inc_return': [
      { until: '5.13', anchor: 'call atomic_inc' },
      { ...ADD_PRODUCER, anchor: 'name nr_possible_bypass_irqs' },
    ],
    'kvm_arch_start_assignment name pi_start_assignment': [
      { until: '5.13', anchor: 'name assigned_device_count', absent: NOT_TOLD },
      { ...ADD_PRODUCER, anchor: 'name pi_start_bypass' },
    ],
    kvm_arch_update_irqfd_routing: MOVED_TO_IRQ,
    'kvm_arch_update_irqfd_routing name pi_update_irte': [POSTED_BYPASS],
    'kvm_arch_vcpu_ioctl_run name wants_to_run after complete_userspace_io': before('6.11', ['6.1'], {
      anchor: 'name immediate_exit after complete_userspace_io',
    }),
    kvm_check_and_inject_events: [{ until: '6.1', symbol: 'inject_pending_event' }],
    kvm_do_msr_access: [{ until: '6.12', symbol: 'kvm_set_msr_ignored_check', absent: NO_ACCESSOR }, TO_MSRS],
    'kvm_do_msr_access name msr_access_fn': [
      { until: '6.12', symbol: 'kvm_set_msr_ignored_check', anchor: 'call __kvm_set_msr', absent: NO_ACCESSOR },
    ],
    kvm_emulate_halt_noskip: [{ until: '5.17', symbol: 'kvm_vcpu_halt' }],
    'kvm_emulate_halt_noskip call __kvm_emulate_halt': [
      { until: '5.11', symbol: 'kvm_vcpu_halt', anchor: 'name mp_state' },
      { until: '5.17', symbol: 'kvm_vcpu_halt', anchor: 'call __kvm_vcpu_halt' },
    ],
    kvm_emulate_wrmsr: [TO_MSRS],
    'kvm_emulate_wrmsr call kvm_set_msr_with_filter': [
      { until: '5.18', anchor: 'call kvm_set_msr' },
      { since: '6.18', symbol: '__kvm_emulate_wrmsr', anchor: 'call kvm_emulate_msr_write' },
    ],
    kvm_get_msr_common: [TO_MSRS],
    kvm_set_msr_common: [TO_MSRS],
    kvm_vm_ioctl_get_irqchip: MOVED_TO_IRQ,
    kvm_vm_ioctl_set_irqchip: MOVED_TO_IRQ,
    kvm_set_msr_ignored_check: [TO_MSRS],
    'kvm_set_msr_ignored_check call __kvm_set_msr': [{ since: '6.12', symbol: '_kvm_set_msr' }],
    'kvm_set_msr_ignored_check call kvm_do_msr_access': [{ until: '6.12', anchor: 'call __kvm_set_msr', absent: NO_ACCESSOR }],
    kvm_set_msr_with_filter: [
      { until: '5.18', symbol: 'kvm_set_msr' },
      { ...TO_MSRS, symbol: 'kvm_emulate_msr_write' },
      { since: '6.18', symbol: 'kvm_emulate_msr_write' },
    ],
    'kvm_set_msr_with_filter call kvm_set_msr_ignored_check': [
      { until: '5.18', symbol: 'kvm_set_msr' },
      { since: '6.18', symbol: '__kvm_emulate_msr_write' },
    ],
    'kvm_vcpu_has_events name pv_unhalted': [{ since: '6.15', symbol: 'kvm_arch_vcpu_runnable' }],
    kvm_vm_ioctl_irq_line: MOVED_TO_IRQ,
    read_emultor: [{ since: '7.1', symbol: 'emulator_read_emulated' }],
    'vcpu_block call kvm_arch_vcpu_runnable after kvm_arch_vcpu_runnable': [
      { until: '6.1', anchor: 'name KVM_REQ_UNHALT', absent: 'until 6.1 KVM_REQ_UNHALT says that the vCPU was woken for something to do' },
    ],
    'vcpu_block name mp_state after pv_unhalted': [{ since: '6.15', anchor: 'call kvm_set_mp_state' }],
    'vcpu_block name pv_unhalted': [{ since: '6.15', path: 'arch/x86/kvm/x86.h', symbol: 'kvm_set_mp_state' }],
    // In 5.10 the table's member is just “run”, which the function names before.
    'vcpu_enter_guest name vcpu_run': [{ until: '5.12', anchor: 'call run' }],
    'vcpu_enter_guest write mode after vcpu_run': [{ until: '5.12', anchor: 'write mode after last_guest_tsc' }],
    'vcpu_run call xfer_to_guest_mode_handle_work': [{ since: '6.18', anchor: 'call kvm_xfer_to_guest_mode_handle_work' }],
    write_emultor: [{ since: '7.1', symbol: 'emulator_write_emulated' }],
    write_mmio: [
      { since: '7.1', symbol: 'vcpu_mmio_write', absent: 'since 7.1 the emulator’s table for writes holds vcpu_mmio_write itself' },
    ],
  },
};
