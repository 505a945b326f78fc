import type { Fact, History } from '../../history';

const QUEUED = 'since 8.0 changes of memory slots are only queued here: kvm_region_commit applies them at the end of the transaction';
const SIGNAL_MSI_REQUIRED = 'since 8.2 QEMU requires KVM_SIGNAL_MSI, and sends every message with it';
const HLT_INLINED = 'since 9.1 helper_hlt itself halts the CPU and leaves the loop';
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
    'cpu_handle_halt call apic_poll_irq': inExecHalt(),
    'cpu_handle_halt call cpu_has_work': inExecHalt(undefined, '9.1'),
    'cpu_handle_halt call cpu_reset_interrupt': inExecHalt(),
    'cpu_handle_halt call qemu_mutex_lock_iothread': inExecHalt('call bql_lock'),
    'cpu_handle_halt call qemu_mutex_unlock_iothread': inExecHalt('call bql_unlock'),
  },
  'accel/tcg/tcg-accel-ops.c': {
    tcg_cpus_exec: [{ since: '9.0', symbol: 'tcg_cpu_exec' }],
  },
  'include/sysemu/kvm.h': {
    '*': [{ since: '10.0', path: 'include/system/kvm.h' }],
  },
  'softmmu/cpus.c': {
    '*': [{ since: '8.2', path: 'system/cpus.c' }],
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
    '*': [{ since: '8.2', path: 'system/runstate.c' }],
  },
  'target/i386/tcg/sysemu/misc_helper.c': {
    '*': [{ since: '10.0', path: 'target/i386/tcg/system/misc_helper.c' }],
    do_hlt: [
      { since: '10.0', path: 'target/i386/tcg/system/misc_helper.c', symbol: 'helper_hlt', absent: HLT_INLINED },
      { since: '9.1', symbol: 'helper_hlt', absent: HLT_INLINED },
    ],
    'do_hlt write halted': [{ since: '9.1' }],
    'do_hlt call cpu_loop_exit': [{ since: '9.1' }],
  },
  'target/i386/tcg/sysemu/seg_helper.c': {
    '*': [{ since: '10.0', path: 'target/i386/tcg/system/seg_helper.c' }],
  },
};
