import type { Fact, History } from '../../history';
import { before, from } from '../backports';
import { each } from '../each';

const HRTIMER_COMMON: readonly Fact[] = [{ since: '7.3', symbol: 'hrtimer_start_range_ns_common' }];
const ALL_AT_ONCE = 'until 6.2 the interrupts of a domain are allocated all at once: none is added later';
const CALLED_DIRECTLY = 'since 6.2 the table holds a function only where a domain brings its own: else the default one is called directly';

const TEMPLATE: Fact = { since: '6.2', path: 'drivers/pci/msi/irqdomain.c', symbol: 'pci_msi_template' };
const ACK_IN_PARENT: readonly Fact[] = [{ since: '6.2', path: 'arch/x86/kernel/apic/msi.c', symbol: 'x86_init_dev_msi_info' }];
const SENDS_EVENTS_PROC: Fact = { until: '5.11', symbol: 'ep_send_events_proc' };
const DELIVERS = from('7.1', ['6.12'], { symbol: 'ep_deliver_event' });

/** When an eventfd could be signalled with flags of the caller's: 6.2, and stable releases of January 2023. */
const MASKS = ['6.1.3', ['5.10.162', '5.15.90', '6.0.17']] as const;

/** When a grace period of SRCU could be started without a callback. */
const POLLING = ['5.12', ['5.10.62']] as const;
const STARTED_BY_CALL = 'before 5.12 and 5.10.62 only __call_srcu starts a grace period, and does so itself';

/** What 6.2 divided: it had one function, which called the domain's own. */
const ALLOC: readonly Fact[] = [
  { until: '5.17', symbol: 'msi_domain_alloc_irqs' },
  { until: '6.2', symbol: 'msi_domain_alloc_irqs_descs_locked' },
];
const FREE: readonly Fact[] = [
  { until: '5.17', symbol: 'msi_domain_free_irqs' },
  { until: '6.2', symbol: 'msi_domain_free_irqs_descs_locked' },
];
const through = (facts: readonly Fact[], anchor: string): readonly Fact[] => facts.map((fact) => ({ ...fact, anchor }));

/** `arch/x86` without KVM and ACRN, `kernel`, `fs`, `lib` and `include`. */
export const core: History['files'] = {
  'arch/x86/include/asm/kvm_host.h': {
    __kvm_irq_line_state: [{ since: '7.3', path: 'arch/x86/kvm/ioapic.h' }],
    kvm_irq_is_postable: [{ since: '7.3', path: 'arch/x86/kvm/irq.c' }],
  },
  'arch/x86/kernel/apic/msi.c': {
    pci_msi_controller: [TEMPLATE],
    'pci_msi_controller name irq_chip_ack_parent': ACK_IN_PARENT,
    'pci_msi_controller name pci_msi_mask_irq': [{ ...TEMPLATE, anchor: 'name pci_irq_mask_msi' }],
    'pci_msi_controller name pci_msi_unmask_irq': [{ ...TEMPLATE, anchor: 'name pci_irq_unmask_msi' }],
    pci_msi_ir_controller: [TEMPLATE],
    'pci_msi_ir_controller name irq_chip_ack_parent': ACK_IN_PARENT,
    'pci_msi_ir_controller name pci_msi_mask_irq': [{ ...TEMPLATE, anchor: 'name pci_irq_mask_msi' }],
    'pci_msi_ir_controller name pci_msi_unmask_irq': [{ ...TEMPLATE, anchor: 'name pci_irq_unmask_msi' }],
    'x86_init_dev_msi_info name handle_edge_irq': [{ until: '6.2', symbol: 'pci_msi_domain_info' }],
    'x86_init_dev_msi_info name irq_chip_ack_parent': [{ until: '6.2', symbol: 'pci_msi_controller' }],
  },
  'arch/x86/kernel/i8259.c': {
    'mask_and_ack_8259A call atomic_inc': [{ since: '7.3', anchor: 'call irq_stat_inc_and_enable' }],
  },
  'arch/x86/kernel/irq.c': {
    call_irq_handler: [{ until: '6.10', symbol: 'common_interrupt' }],
    'call_irq_handler call reevaluate_vector': [
      { until: '6.10', symbol: 'common_interrupt', anchor: 'name VECTOR_UNUSED' },
      ...before('6.17', ['6.12'], { anchor: 'name VECTOR_UNUSED' }),
    ],
    'common_interrupt call call_irq_handler': [{ until: '6.10', anchor: 'call handle_irq' }],
    'common_interrupt call handle_irq': [{ since: '6.10', symbol: 'call_irq_handler' }],
    'handle_irq call generic_handle_irq_desc': [{ until: '5.12', anchor: 'call run_irq_on_irqstack_cond' }],
    reevaluate_vector: [{ until: '6.10', symbol: 'common_interrupt' }, ...before('6.17', ['6.12'], { symbol: 'call_irq_handler' })],
  },
  'arch/x86/kernel/kvm.c': {
    'kvm_guest_apic_eoi_write call apic_native_eoi': [{ until: '6.6', anchor: 'call native_eoi_write' }],
    'kvm_guest_apic_eoi_write call native_eoi_write': [{ since: '6.6', anchor: 'call apic_native_eoi' }],
  },
  'fs/eventfd.c': {
    eventfd_signal_mask: before(...MASKS, { symbol: 'eventfd_signal' }),
  },
  'fs/eventpoll.c': {
    'do_epoll_ctl call ep_insert': [{ since: '7.3', symbol: 'do_epoll_ctl_file' }],
    ep_deliver_event: [SENDS_EVENTS_PROC, ...before('7.1', ['6.12'], { symbol: 'ep_send_events' })],
    'ep_poll call ep_send_events': [{ since: '6.15', symbol: 'ep_try_send_events' }],
    'ep_poll_callback call list_add_tail': before('6.17', ['6.1', '6.12'], { anchor: 'call list_add_tail_lockless' }),
    'ep_send_events call ep_deliver_event': [
      { until: '5.11', anchor: 'name ep_send_events_proc' },
      ...before('7.1', ['6.12'], { anchor: 'call ep_item_poll' }),
    ],
    'ep_send_events call ep_item_poll': [SENDS_EVENTS_PROC, ...DELIVERS],
    'ep_send_events call ep_start_scan': [{ until: '5.11', anchor: 'call ep_scan_ready_list' }],
    'ep_send_events call list_add_tail': [SENDS_EVENTS_PROC, ...DELIVERS],
  },
  'fs/pipe.c': {
    'pipefifo_fops name pipe_read': [{ since: '6.15', anchor: 'name fifo_pipe_read' }],
    pipe_read: [{ since: '6.15', symbol: 'anon_pipe_read' }],
    'pipe_read write tail': [{ since: '6.15', symbol: 'pipe_update_tail' }],
    pipe_write: [{ since: '6.15', symbol: 'anon_pipe_write' }],
  },
  'fs/select.c': {
    'do_pollfd name revents': [{ since: '6.13', symbol: 'do_poll' }],
  },
  'include/linux/eventfd.h': {
    '*': [{ until: '6.8', path: 'fs/eventfd.c' }],
    'eventfd_signal call eventfd_signal_mask': before(...MASKS, { anchor: 'call wake_up_locked_poll' }),
  },
  'kernel/irq/chip.c': {
    'handle_edge_irq call mask_ack_irq after mask_ack_irq': [{ since: '6.16', anchor: 'call mask_ack_irq' }],
    'handle_edge_irq write istate after irqd_irq_disabled': [{ since: '6.16', anchor: 'write istate after irq_can_handle' }],
    'handle_fasteoi_irq write istate': [{ until: '6.12', anchor: 'write istate after irqd_irq_disabled' }],
    'handle_fasteoi_irq name irq_eoi': [{ since: '6.16', symbol: 'cond_unmask_eoi_irq' }],
    'handle_level_irq write istate after irqd_irq_disabled': [{ since: '6.16', symbol: 'irq_can_handle_actions' }],
  },
  'kernel/irq/manage.c': {
    '__free_irq call __synchronize_hardirq': [{ since: '6.6', anchor: 'call __synchronize_irq' }],
    '__free_irq call __synchronize_irq': [{ until: '6.6', anchor: 'call __synchronize_hardirq' }],
  },
  'kernel/irq/msi.c': {
    __msi_domain_alloc_irq_at: [
      { until: '6.2', nowhere: ALL_AT_ONCE },
      { until: '6.9', symbol: 'msi_domain_alloc_irq_at' },
    ],
    '__msi_domain_alloc_irqs call msi_init_virq': [{ until: '5.17', anchor: 'call irq_domain_activate_irq' }],
    __msi_domain_alloc_locked: ALLOC,
    '__msi_domain_alloc_locked call __msi_domain_alloc_irqs': through(ALLOC, 'name domain_alloc_irqs'),
    '__msi_domain_free_irqs call irq_domain_deactivate_irq': before('5.13.12', ['5.10.60'], {
      anchor: 'call irq_domain_free_irqs',
      absent: 'before 5.14, 5.13.12 and 5.10.60 an interrupt that is still activated is freed as it is',
    }),
    msi_domain_alloc_irq_at: [{ until: '6.2', nowhere: ALL_AT_ONCE }],
    msi_domain_alloc_irqs_all_locked: ALLOC,
    'msi_domain_alloc_irqs_all_locked call msi_domain_alloc_locked': through(ALLOC, 'name domain_alloc_irqs'),
    msi_domain_alloc_irqs_descs_locked: [
      { until: '5.17', symbol: 'msi_domain_alloc_irqs' },
      { since: '6.2', symbol: '__msi_domain_alloc_locked' },
    ],
    msi_domain_alloc_locked: ALLOC,
    'msi_domain_alloc_locked call __msi_domain_alloc_locked': through(ALLOC, 'name domain_alloc_irqs'),
    msi_domain_free_irqs_all_locked: FREE,
    'msi_domain_free_irqs_all_locked call msi_domain_free_irqs_range_locked': through(FREE, 'name domain_free_irqs'),
    msi_domain_free_irqs_descs_locked: [
      { until: '5.17', symbol: 'msi_domain_free_irqs' },
      { since: '6.2', symbol: 'msi_domain_free_locked' },
    ],
    msi_domain_free_irqs_range_locked: FREE,
    'msi_domain_free_irqs_range_locked call msi_domain_free_locked': through(FREE, 'name domain_free_irqs'),
    msi_domain_free_locked: FREE,
    'msi_domain_free_locked call __msi_domain_free_irqs': through(FREE, 'name domain_free_irqs'),
    'msi_domain_ops_default name __msi_domain_alloc_irqs': [
      { since: '6.2', symbol: '__msi_domain_alloc_locked', anchor: 'call __msi_domain_alloc_irqs', absent: CALLED_DIRECTLY },
    ],
    'msi_domain_ops_default name __msi_domain_free_irqs': [
      { since: '6.2', symbol: 'msi_domain_free_locked', anchor: 'call __msi_domain_free_irqs', absent: CALLED_DIRECTLY },
    ],
    msi_init_virq: [{ until: '5.17', symbol: '__msi_domain_alloc_irqs' }],
  },
  'kernel/rcu/srcutree.c': {
    'init_srcu_struct_data name srcu_invoke_callbacks': [{ until: '5.19', symbol: 'init_srcu_struct_nodes' }],
    'srcu_funnel_gp_start call queue_delayed_work': [{ since: '7.0', symbol: 'srcu_irq_work' }],
    srcu_gp_start_if_needed: before(...POLLING, { symbol: '__call_srcu', anchor: 'call rcu_segcblist_enqueue', absent: STARTED_BY_CALL }),
    ...each(['srcu_gp_start_if_needed call srcu_funnel_gp_start', 'srcu_gp_start_if_needed name srcu_cblist'], ...before(...POLLING, {})),
    'srcu_gp_end call srcu_schedule_cbs_sdp': [{ until: '5.19', anchor: 'call srcu_schedule_cbs_snp' }],
  },
  'kernel/time/hrtimer.c': {
    'hrtimer_start_range_ns call __hrtimer_start_range_ns': HRTIMER_COMMON,
    'hrtimer_start_range_ns name __hrtimer_start_range_ns': HRTIMER_COMMON,
  },
  'kernel/sched/wait.c': {
    add_wait_queue_priority: [
      {
        until: '5.11',
        symbol: 'add_wait_queue',
        absent: 'until 5.11 wait queues have no priorities: who waits for the same eventfd in user space is told as well',
      },
      { since: '6.17', symbol: 'add_wait_queue_priority_exclusive' },
    ],
  },
};
