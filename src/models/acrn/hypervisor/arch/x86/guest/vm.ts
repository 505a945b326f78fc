import { source } from '../../../../../../engine/fn';
import { at } from '../../../../../../engine/steps';
import type { AcrnVm } from '../../../include/arch/x86/asm/guest/vm';
import { launch_vcpu } from './vcpu';

/** Virtual machines. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vm.c');

export const create_vm = fn(
  'Makes a VM: its memory, its devices, its vCPUs, none of which runs yet.',
  function* create_vm(vm: AcrnVm, io_completion_polling: boolean) {
    at('guest_flags');
    if (io_completion_polling) vm['sw.is_polling_ioreq'] = true;
    return 0;
  },
);

export const start_vm = fn('Lets the VM’s boot CPU run. It starts the others.', function* start_vm(vm: AcrnVm) {
  at('BSP_CPU_ID');
  yield* launch_vcpu(vm.vcpu_array[0]!);
});
