/** The function that emits a trace event, and whether it does so where it begins or where it ends. */
export interface Emitter {
  readonly name: string;
  readonly when: 'entry' | 'return';
  /** Not quite at its end: as soon as this function, which it calls, has returned. */
  readonly behind?: string;
}

const entry = (name: string): Emitter => ({ name, when: 'entry' });
const end = (name: string): Emitter => ({ name, when: 'return' });
const behind = (callee: string, name: string): Emitter => ({ name, when: 'return', behind: callee });

/** Trace events of the kernel. */
export const KERNEL_EVENTS: ReadonlyMap<string, Emitter> = new Map([
  ['kvm_set_irq', entry('kvm_set_irq')],
  ['kvm_ioapic_set_irq', end('ioapic_set_irq')],
  ['kvm_pic_set_irq', end('kvm_pic_set_irq')],
  ['kvm_apic_accept_irq', entry('__apic_accept_irq')],
  ['kvm_eoi', entry('apic_set_eoi')],
  ['kvm_ack_irq', entry('kvm_notify_acked_irq')],
  ['kvm_msi_set_irq', entry('kvm_set_msi_irq')],
  ['kvm_apic_ipi', entry('kvm_apic_send_ipi')],
  ['kvm_ioapic_delayed_eoi_inj', entry('kvm_ioapic_eoi_inject_work')],
  ['kvm_vcpu_wakeup', end('kvm_vcpu_halt')],
]);

/** Trace events of QEMU that a function emits on every way through it. */
export const USER_EVENTS: ReadonlyMap<string, Emitter> = new Map([
  ['apic_local_deliver', entry('apic_local_deliver')],
  ['ioapic_set_irq', entry('ioapic_set_irq')],
  ['pic_interrupt', end('pic_read_irq')],
  ['pic_set_irq', entry('pic_set_irq')],
  ['vfio_intx_disable', end('vfio_intx_disable')],
  ['vfio_intx_enable', end('vfio_intx_enable')],
  ['vfio_intx_interrupt', entry('vfio_intx_interrupt')],
  ['vfio_msi_disable', end('vfio_msi_disable')],
  ['vfio_msi_enable', end('vfio_msi_enable')],
  ['vfio_msix_enable', end('vfio_msix_enable')],
  ['vfio_msix_disable', end('vfio_msix_disable')],
  ['vfio_msix_vector_do_use', entry('vfio_msix_vector_do_use')],
  ['vfio_msix_vector_release', entry('vfio_msix_vector_release')],
  ['vfio_region_mmaps_set_enabled', end('vfio_region_mmaps_set_enabled')],
  ['vfio_region_read', behind('ksys_pread64', 'vfio_region_read')],
  ['vfio_region_write', behind('ksys_pwrite64', 'vfio_region_write')],
]);
