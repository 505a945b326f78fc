import { source } from '../../../../../../engine/fn';
import type { KvmX86Ops } from '../x86';
import { vmx_pi_start_assignment, vmx_pi_update_irte } from './posted_intr';
import {
  vmx_deliver_interrupt,
  vmx_enable_irq_window,
  vmx_handle_exit,
  vmx_hwapic_irr_update,
  vmx_hwapic_isr_update,
  vmx_inject_irq,
  vmx_interrupt_allowed,
  vmx_load_eoi_exitmap,
  vmx_set_msr,
  vmx_sync_pir_to_irr,
  vmx_vcpu_load,
  vmx_vcpu_put,
  vmx_vcpu_run,
} from './vmx';

/** VT-x’s `kvm_x86_ops`. */

const { ops } = source('linux', 'arch/x86/kvm/vmx/main.c');

const table = ops('vt_x86_ops', {
  vcpu_run: vmx_vcpu_run,
  handle_exit: vmx_handle_exit,
  deliver_interrupt: vmx_deliver_interrupt,
  inject_irq: vmx_inject_irq,
  enable_irq_window: vmx_enable_irq_window,
  interrupt_allowed: vmx_interrupt_allowed,
  set_msr: vmx_set_msr,
});

const apicv = ops('vt_x86_ops', {
  sync_pir_to_irr: vmx_sync_pir_to_irr,
  load_eoi_exitmap: vmx_load_eoi_exitmap,
  hwapic_irr_update: vmx_hwapic_irr_update,
  hwapic_isr_update: vmx_hwapic_isr_update,
});

const sched = ops('vt_x86_ops', { vcpu_load: vmx_vcpu_load, vcpu_put: vmx_vcpu_put });

const posting = ops('vt_x86_ops', { pi_update_irte: vmx_pi_update_irte, pi_start_assignment: vmx_pi_start_assignment });

/** The table, with or without virtualization of the local APIC. */
export const vt_x86_ops = (withApicv: boolean): KvmX86Ops => ({ ...table, sched, posting, ...(withApicv ? { apicv } : {}) });
