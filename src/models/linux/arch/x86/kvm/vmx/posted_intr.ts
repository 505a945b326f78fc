import { source } from '../../../../../../engine/fn';
import { at, atCall, behind } from '../../../../../../engine/steps';
import { irq_set_vcpu_affinity } from '../../../../kernel/irq/manage';
import type { IrqDesc } from '../../../../kernel/irq/irqdesc';
import { pir_empty, POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR } from '../../../../../hardware/pi_desc';
import { kvm_vcpu_wake_up } from '../../../../virt/kvm/kvm_main';
import type { Kvm, KvmVcpu } from '../../../../virt/kvm/kvm_types';
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

export const vmx_vcpu_pi_load = fn(
  'The vCPU’s thread runs again: notifications come to this CPU, as POSTED_INTR_VECTOR, and are wanted. What was posted while they were not has to be noticed now, so ON is set.',
  function* vmx_vcpu_pi_load(vcpu: KvmVcpu) {
    const { pi } = vcpu.cpu;
    at('enable_apicv');
    if (pi === undefined) return;
    if (pi.nv === POSTED_INTR_WAKEUP_VECTOR) {
      atCall('list_del');
      wakeupList(vcpu).delete(vcpu);
      at('control');
      pi.sn = false;
      pi.nv = POSTED_INTR_VECTOR;
    } else {
      atCall('pi_test_and_clear_sn');
      if (!pi.sn) return;
      pi.sn = false;
    }
    atCall('pi_is_pir_empty');
    if (pir_empty(pi)) return;
    atCall('pi_set_on');
    pi.on = true;
  },
);

const pi_enable_wakeup_handler = fn(
  'The vCPU goes to sleep: from now on the hardware notifies by a vector whose handler wakes it. Whatever was posted before that took effect came by the other vector, so the CPU interrupts itself.',
  function* pi_enable_wakeup_handler(vcpu: KvmVcpu) {
    const pi = vcpu.cpu.pi!;
    atCall('list_add_tail');
    wakeupList(vcpu).add(vcpu);
    at('nv');
    pi.nv = POSTED_INTR_WAKEUP_VECTOR;
    atCall('pi_test_on');
    if (!pi.on) return;
    at('POSTED_INTR_WAKEUP_VECTOR');
    yield* pi.notify(POSTED_INTR_WAKEUP_VECTOR);
  },
);

const vmx_needs_pi_wakeup = fn(
  'Whether anybody but KVM can post to this vCPU: then it must be wakeable without KVM.',
  function* vmx_needs_pi_wakeup(vcpu: KvmVcpu) {
    return yield* vmx_can_use_vtd_pi(vcpu.kvm);
  },
);

export const vmx_vcpu_pi_put = fn(
  'The vCPU’s thread stops running. If it sleeps, the hardware shall wake it; if it was only preempted, notifications would find nobody and are suppressed.',
  function* vmx_vcpu_pi_put(vcpu: KvmVcpu) {
    const { pi } = vcpu.cpu;
    if (!(yield* vmx_needs_pi_wakeup(vcpu)) || pi === undefined) return;
    atCall('kvm_vcpu_is_blocking');
    if (vcpu['wait.task'] && vcpu.cpu.guest.IF) yield* pi_enable_wakeup_handler(vcpu);
    at('preempted');
    if (!vcpu.preempted) return;
    atCall('pi_set_sn');
    pi.sn = true;
  },
);

/** wakeup_vcpus_on_cpu: the vCPUs that sleep on the one CPU that these models run them on, of each virtual machine. */
const sleepers = new WeakMap<Kvm, Set<KvmVcpu>>();

function wakeupList({ kvm }: KvmVcpu): Set<KvmVcpu> {
  const list = sleepers.get(kvm) ?? new Set<KvmVcpu>();
  sleepers.set(kvm, list);
  return list;
}

export const pi_wakeup_handler = fn(
  'A device has posted to a vCPU that sleeps on this CPU: wakes those that have something.',
  function* pi_wakeup_handler(kvm: Kvm) {
    for (const vcpu of sleepers.get(kvm) ?? []) {
      atCall('pi_test_on');
      if (vcpu.cpu.pi?.on === true) yield* kvm_vcpu_wake_up(vcpu);
    }
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
      behind('pi_desc_addr');
      const ret = yield* irq_set_vcpu_affinity(host_irq, { pi_desc_addr: vcpu.cpu.pi, vector: irq.vector });
      if (ret < 0) return ret;
    }
    if (enable_remapped_mode) {
      behind('pi_desc_addr irq_set_vcpu_affinity');
      yield* irq_set_vcpu_affinity(host_irq, undefined);
    }
    return 0;
  },
);
