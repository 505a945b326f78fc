import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { preempt } from '../../../../engine/steps';
import { open_interrupts } from '../../../hardware/vmx_cpu';
import { run_vcpu } from '../arch/x86/guest/vcpu';
import { acrn_handle_pending_request, vcpu_inject_gp } from '../arch/x86/guest/virq';
import { vmexit_handler } from '../arch/x86/guest/vmexit';
import type { AcrnVcpu } from '../include/arch/x86/asm/guest/vcpu';
import { reset_event } from './event';

/** The hypervisor's main loop: a thread for each vCPU. */

const { fn } = source('acrn', 'hypervisor/common/hv_main.c');

export const vcpu_thread = fn(
  'A vCPU: serves its requests, enters the guest, handles the exit, for ever. An exit that cannot be handled becomes a general protection fault.',
  function* vcpu_thread(vcpu: AcrnVcpu): Run<never> {
    for (;;) {
      yield* acrn_handle_pending_request(vcpu);
      yield* reset_event(vcpu.events.VCPU_EVENT_VIRTUAL_INTERRUPT);
      yield* run_vcpu(vcpu);
      yield* open_interrupts(vcpu);
      if ((yield* vmexit_handler(vcpu)) < 0) yield* vcpu_inject_gp(vcpu);
      yield* preempt();
      yield* open_interrupts(vcpu);
    }
  },
);
