import { source } from '../../../../../../engine/fn';
import { at, atCall } from '../../../../../../engine/steps';
import { irq_set_vcpu_affinity } from '../../../../kernel/irq/manage';
import type { IrqDesc } from '../../../../kernel/irq/irqdesc';
import type { Kvm } from '../../../../virt/kvm/kvm_types';
import { kvm_irq_is_postable } from '../../include/asm/kvm_host';
import { kvm_intr_is_single_vcpu, kvm_set_msi_irq } from '../irq_comm';
import { kvm_arch_has_assigned_device } from '../x86';

/** Posted interrupts of VT-x and VT-d: having devices reach a vCPU, running or not, without the host. */

const { fn } = source('linux', 'arch/x86/kvm/vmx/posted_intr.c');

const vmx_can_use_vtd_pi = fn(
  'Whether devices can post to this virtual machine: local APICs in the kernel and virtualized, an interrupt to post, and an IOMMU that does it.',
  function* vmx_can_use_vtd_pi(kvm: Kvm) {
    at('enable_apicv');
    if (kvm.x86_ops.apicv === undefined) return false;
    const assigned = yield* kvm_arch_has_assigned_device(kvm);
    atCall('irq_remapping_cap');
    return assigned && kvm.arch.irq_posting_cap;
  },
);

export const vmx_pi_start_assignment = fn(
  'The first interrupt to post: a vCPU that sleeps since before has not asked the hardware to wake it, so it is made to look.',
  function* vmx_pi_start_assignment(kvm: Kvm) {
    atCall('irq_remapping_cap');
    if (!kvm.arch.irq_posting_cap) return;
    atCall('kvm_make_all_cpus_request');
  },
);

export const vmx_pi_update_irte = fn(
  'Has the IOMMU post a host interrupt into a vCPU’s descriptor, or (`set` false, or a route that cannot be posted) puts it back to the host. Only a message for exactly one vCPU can be posted.',
  function* vmx_pi_update_irte(kvm: Kvm, host_irq: IrqDesc, guest_irq: number, set: boolean) {
    if (!(yield* vmx_can_use_vtd_pi(kvm))) return 0;
    const routes = kvm.irq_routing.map.get(guest_irq) ?? [];
    at('irq_rt');
    if (routes.length === 0) return 0;
    let enable_remapped_mode = true;
    for (const e of routes) {
      if (e.type !== 'KVM_IRQ_ROUTING_MSI') continue;
      const irq = yield* kvm_set_msi_irq(kvm, e);
      const vcpu = yield* kvm_intr_is_single_vcpu(kvm, irq);
      if (vcpu?.cpu.pi === undefined || !(yield* kvm_irq_is_postable(irq))) continue;
      at('vcpu_info');
      if (!set) continue;
      enable_remapped_mode = false;
      const ret = yield* irq_set_vcpu_affinity(host_irq, { pi_desc_addr: vcpu.cpu.pi, vector: irq.vector });
      if (ret < 0) return ret;
    }
    if (enable_remapped_mode) yield* irq_set_vcpu_affinity(host_irq, undefined);
    return 0;
  },
);
