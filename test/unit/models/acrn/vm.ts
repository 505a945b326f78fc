import type { Run } from '../../../../src/engine/machine';
import { apicv_advanced_ops, apicv_basic_ops, type AcrnApicvOps } from '../../../../src/models/acrn/hypervisor/arch/x86/guest/vlapic';
import { acrn_single_vioapic } from '../../../../src/models/acrn/hypervisor/dm/vioapic';
import { acrn_vpic } from '../../../../src/models/acrn/hypervisor/dm/vpic';
import { acrn_vcpu } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import { acrn_vm, type AcrnVm, type PtirqRemappingInfo } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/guest/vm';
import { pcpu, runs_on } from '../../../../src/models/acrn/hypervisor/include/arch/x86/asm/per_cpu';
import { onMachine } from '../support';

/** A VM of the hypervisor on a machine of its own, for tests of its interrupt controllers. */

interface Options {
  readonly vcpus?: number;
  readonly apicv?: 'basic' | 'advanced';
  readonly ptirq?: readonly PtirqRemappingInfo[];
}

const OPS: Readonly<Record<'basic' | 'advanced', AcrnApicvOps>> = { basic: apicv_basic_ops, advanced: apicv_advanced_ops };

/** Runs `body` with a pre-launched VM whose vCPUs each have a physical CPU; it executes on the first of them. */
export function withVm<T>(body: (vm: AcrnVm) => Run<T>, { vcpus = 1, apicv = 'basic', ptirq = [] }: Options = {}): T {
  return onMachine(function* () {
    const vm = acrn_vm({
      vm_id: 1,
      load_order: 'PRE_LAUNCHED_VM',
      vpic: acrn_vpic('VM1'),
      vioapic_array: [acrn_single_vioapic('VM1')],
      ptirq_entries: ptirq,
    });
    for (let n = 0; n < vcpus; n++) acrn_vcpu(vm, pcpu(n), OPS[apicv]);
    runs_on(vm.vcpu_array[0]!.pcpu);
    return yield* body(vm);
  });
}
