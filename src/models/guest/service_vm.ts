import { architecturally } from '../../engine/fn';
import { running } from '../../engine/running';
import { causedBy, until } from '../../engine/steps';
import { runs_on } from '../acrn/hypervisor/include/arch/x86/asm/per_cpu';
import type { AcrnVcpu } from '../acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import { boot, instruction_boundary, interrupted, write_EOI } from '../hardware/vmx_cpu';
import { HYPERVISOR_CALLBACK_VECTOR, sysvec_acrn_hv_callback, type IrqStat } from '../linux/arch/x86/kernel/cpu/acrn';
import type { Hsm } from '../linux/drivers/virt/acrn/acrn_drv';
import { hsm_init } from '../linux/drivers/virt/acrn/hsm';

/** The Service VM’s boot CPU, which gets the upcalls. Whatever else runs on it goes on meanwhile. */
export function service_context(vcpu: AcrnVcpu, hsm: Hsm, stat: IrqStat, priority: number): void {
  running().thread('service', 'Service VM: CPU 0, interrupts', 'hardirq', priority, function* () {
    runs_on(vcpu.pcpu);
    yield* until(() => vcpu.cpu.running);
    causedBy(vcpu.cpu.enteredAt);
    yield* boot(vcpu);
    yield* hsm_init(hsm);
    for (;;) {
      yield* until(() => interrupted(vcpu));
      yield* instruction_boundary(vcpu, function* (event) {
        if (event.kind === 'vector' && event.vector === HYPERVISOR_CALLBACK_VECTOR)
          yield* architecturally('hardirq', sysvec_acrn_hv_callback)(hsm, stat, () => write_EOI(vcpu));
      });
    }
  });
}
