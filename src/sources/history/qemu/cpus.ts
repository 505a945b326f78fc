import type { Fact, History } from '../../history';

const TCG_CPUS = 'accel/tcg/tcg-cpus.c';

const COMMITTED_AT_ONCE: readonly Fact[] = [
  {
    until: '7.0',
    path: 'accel/kvm/kvm-all.c',
    symbol: 'kvm_irqchip_add_msi_route',
    anchor: 'call kvm_irqchip_commit_routes',
    absent: 'before 7.0 kvm_irqchip_add_msi_route itself commits each route that it adds',
  },
];

const NO_EXTENDED_DESTINATION = 'before 6.0 the destination of a message has no extension: the message is taken as it is';
const QUEUED = 'since 8.0 changes of memory slots are only queued here: kvm_region_commit applies them at the end of the transaction';
const SIGNAL_MSI_REQUIRED = 'since 8.2 QEMU requires KVM_SIGNAL_MSI, and sends every message with it';
const HLT_INLINED = 'since 9.1 helper_hlt itself halts the CPU and leaves the loop';
const SET_BY_FUNCTION: readonly Fact[] = [{ since: '10.2', anchor: 'call cpu_set_interrupt' }];
const RESET_POLL: readonly Fact[] = [{ since: '10.2', anchor: 'call cpu_reset_interrupt after CPU_INTERRUPT_POLL' }];
const READ_STEP: readonly Fact[] = [{ since: '9.0', symbol: 'flatview_read_continue_step' }];
const WRITE_STEP: readonly Fact[] = [{ since: '9.0', symbol: 'flatview_write_continue_step' }];

/** What TCG does with an interrupt that a halted CPU may take, since it has a function of its own. */
const inExecHalt = (anchor?: string, since = '9.0'): readonly Fact[] => {
  const there = { symbol: 'x86_cpu_exec_halt', ...(anchor === undefined ? {} : { anchor }) };
  return [
    { since: '10.0', path: 'target/i386/tcg/system/seg_helper.c', ...there },
    { since, path: 'target/i386/tcg/sysemu/seg_helper.c', ...there },
  ];
};

/** `accel`, `include`, `softmmu`, `target/i386` and `util`: what runs CPUs, and what they reach. */
export const cpus: History['files'] = {
  'accel/kvm/kvm-accel-ops.c': {
    '*': [{ until: '6.0', path: 'accel/kvm/kvm-cpus.c' }],
  },
  'accel/kvm/kvm-all.c': {
    'kvm_irqchip_send_msi name kvm_direct_msi_allowed': [{ since: '8.2', anchor: 'call kvm_vm_ioctl', absent: SIGNAL_MSI_REQUIRED }],
    'kvm_region_add call kvm_set_phys_mem': [
      { since: '8.0', symbol: 'kvm_region_commit', anchor: 'call kvm_set_phys_mem after memory_region_ref', absent: QUEUED },
    ],
    'kvm_region_del call kvm_set_phys_mem': [
      { since: '8.0', symbol: 'kvm_region_commit', anchor: 'call kvm_set_phys_mem', absent: QUEUED },
    ],
  },
  'accel/tcg/cpu-exec.c': {
    'cpu_exec call cpu_handle_interrupt': [{ since: '8.0', symbol: 'cpu_exec_loop' }],
    'cpu_exec call cpu_loop_exec_tb': [{ since: '8.0', symbol: 'cpu_exec_loop' }],
    'cpu_handle_interrupt call qatomic_set': [
      {
        since: '10.2',
        path: 'system/cpus.c',
        symbol: 'qemu_process_cpu_events',
        anchor: 'call qatomic_set',
        absent: 'since 10.2 a request to leave the loop stays until the thread looks for work of other kinds',
      },
    ],
    'cpu_handle_halt call apic_poll_irq': inExecHalt(),
    'cpu_handle_halt call cpu_has_work': inExecHalt(undefined, '9.1'),
    'cpu_handle_halt call cpu_reset_interrupt': inExecHalt(),
    'cpu_handle_halt call qemu_mutex_lock_iothread': inExecHalt('call bql_lock'),
    'cpu_handle_halt call qemu_mutex_unlock_iothread': inExecHalt('call bql_unlock'),
  },
  'accel/tcg/tcg-accel-ops-mttcg.c': {
    '*': [{ until: '6.0', path: TCG_CPUS }],
    'mttcg_cpu_thread_fn call qatomic_mb_set': [
      { since: '10.2', path: 'system/cpus.c', symbol: 'qemu_process_cpu_events', anchor: 'call qatomic_set' },
    ],
    mttcg_cpu_thread_fn: [{ until: '6.0', path: TCG_CPUS, symbol: 'tcg_cpu_thread_fn' }],
    mttcg_kick_vcpu_thread: [
      { until: '6.0', path: TCG_CPUS, symbol: 'tcg_kick_vcpu_thread' },
      { since: '10.2', path: 'accel/tcg/cpu-exec.c', symbol: 'tcg_kick_vcpu_thread' },
    ],
    'mttcg_kick_vcpu_thread call cpu_exit': [
      {
        since: '10.2',
        anchor: 'call qatomic_store_release',
        absent: 'since 10.2 a kick itself asks the CPU to leave its loop: cpu_exit kicks, and not the other way round',
      },
    ],
  },
  'accel/tcg/tcg-accel-ops.c': {
    '*': [{ until: '6.0', path: TCG_CPUS }],
    tcg_accel_ops_init: [{ until: '6.0', path: TCG_CPUS, symbol: 'tcg_cpus' }],
    'tcg_handle_interrupt write interrupt_request': SET_BY_FUNCTION,
    tcg_cpus_exec: [
      { until: '6.0', path: TCG_CPUS, symbol: 'tcg_cpu_exec' },
      { since: '9.0', symbol: 'tcg_cpu_exec' },
    ],
  },
  'include/sysemu/kvm.h': {
    '*': [{ since: '10.0', path: 'include/system/kvm.h' }],
    kvm_irqchip_begin_route_changes: COMMITTED_AT_ONCE,
    kvm_irqchip_commit_route_changes: COMMITTED_AT_ONCE,
  },
  'softmmu/cpus.c': {
    '*': [{ since: '8.2', path: 'system/cpus.c' }],
    'cpu_interrupt call generic_handle_interrupt': [
      {
        since: '10.2',
        anchor: 'name handle_interrupt',
        absent: 'since 10.2 every accelerator says how it is interrupted: KVM names generic_handle_interrupt in its table',
      },
    ],
    'cpus_kick_thread write thread_kicked': [{ since: '10.2', anchor: 'call qatomic_set' }],
    'generic_handle_interrupt write interrupt_request': SET_BY_FUNCTION,
    qemu_wait_io_event: [{ since: '10.2', symbol: 'qemu_process_cpu_events' }],
    qemu_wait_io_event_common: [{ since: '10.2', symbol: 'qemu_process_cpu_events_common' }],
  },
  'softmmu/memory.c': {
    '*': [{ since: '8.2', path: 'system/memory.c' }],
  },
  'softmmu/physmem.c': {
    '*': [{ since: '8.2', path: 'system/physmem.c' }],
    'flatview_read_continue call memory_region_dispatch_read': READ_STEP,
    'flatview_read_continue call prepare_mmio_access': READ_STEP,
    'flatview_read_continue call qemu_mutex_unlock_iothread': [
      { since: '9.0', symbol: 'flatview_read_continue_step', anchor: 'call bql_unlock' },
    ],
    'flatview_write_continue call memory_region_dispatch_write': WRITE_STEP,
    'flatview_write_continue call prepare_mmio_access': WRITE_STEP,
    'flatview_write_continue call qemu_mutex_unlock_iothread': [
      { since: '9.0', symbol: 'flatview_write_continue_step', anchor: 'call bql_unlock' },
    ],
  },
  'softmmu/runstate.c': {
    '*': [
      { until: '6.0', path: 'softmmu/vl.c' },
      { since: '8.2', path: 'system/runstate.c' },
    ],
    qemu_init_subsystems: [{ until: '6.0', path: 'softmmu/vl.c', symbol: 'qemu_init' }],
  },
  'target/i386/kvm/kvm.c': {
    '*': [{ until: '6.0', path: 'target/i386/kvm.c' }],
    'kvm_arch_pre_run write interrupt_request after ready_for_interrupt_injection': [
      { since: '10.2', anchor: 'call cpu_reset_interrupt after ready_for_interrupt_injection' },
    ],
    'kvm_arch_process_async_events write interrupt_request after CPU_INTERRUPT_POLL': RESET_POLL,
    'kvm_arch_fixup_msi_route call kvm_swizzle_msi_ext_dest_id': [{ until: '6.0', absent: NO_EXTENDED_DESTINATION }],
  },
  'target/i386/tcg/seg_helper.c': {
    '*': [{ until: '6.0', path: 'target/i386/seg_helper.c' }],
  },
  'target/i386/tcg/sysemu/misc_helper.c': {
    '*': [
      { until: '6.0', path: 'target/i386/misc_helper.c' },
      { until: '6.1', path: 'target/i386/tcg/misc_helper.c' },
      { since: '10.0', path: 'target/i386/tcg/system/misc_helper.c' },
    ],
    do_hlt: [
      { since: '10.0', path: 'target/i386/tcg/system/misc_helper.c', symbol: 'helper_hlt', anchor: 'write halted', absent: HLT_INLINED },
      { since: '9.1', symbol: 'helper_hlt', anchor: 'write halted', absent: HLT_INLINED },
    ],
    'do_hlt write halted': [{ since: '9.1' }],
    'do_hlt call cpu_loop_exit': [{ since: '9.1' }],
  },
  'target/i386/tcg/sysemu/seg_helper.c': {
    '*': [
      { until: '6.0', path: 'target/i386/seg_helper.c' },
      { until: '6.2', path: 'target/i386/tcg/seg_helper.c' },
      { since: '10.0', path: 'target/i386/tcg/system/seg_helper.c' },
    ],
    'x86_cpu_exec_interrupt write interrupt_request after CPU_INTERRUPT_HARD': [
      { since: '10.2', anchor: 'call cpu_reset_interrupt after CPU_INTERRUPT_HARD' },
    ],
    'x86_cpu_exec_interrupt write interrupt_request after CPU_INTERRUPT_POLL': RESET_POLL,
  },
  'target/i386/tcg/tcg-cpu.c': {
    x86_tcg_ops: [{ until: '6.0', path: 'target/i386/cpu.c', symbol: 'x86_cpu_common_class_init' }],
  },
  'util/aio-posix.c': {
    aio_dispatch_handlers: [
      {
        since: '10.2',
        symbol: 'aio_dispatch_ready_handlers',
        absent: 'since 10.2 the descriptor monitor in use lists what is ready, and aio_dispatch_ready_handlers calls that',
      },
    ],
    'aio_dispatch_handlers call aio_dispatch_handler': [{ since: '10.2' }],
    'aio_pending name revents': [
      {
        since: '10.2',
        path: 'util/fdmon-poll.c',
        symbol: 'fdmon_poll_gsource_check',
        absent: 'since 10.2 the descriptor monitor in use is asked: with poll(2) this is fdmon_poll_gsource_check',
        anchor: 'name revents',
      },
    ],
  },
  'util/event_notifier-posix.c': {
    'event_notifier_cleanup write initialized': [
      { until: '6.0', anchor: 'write wfd', absent: 'before 6.0 descriptors of -1 alone say that an EventNotifier is not initialized' },
    ],
  },
};
