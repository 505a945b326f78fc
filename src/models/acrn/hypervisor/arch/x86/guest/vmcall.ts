import { source, through, type Pointer } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import { at, atCall, behind } from '../../../../../../engine/steps';
import {
  hcall_create_vm,
  hcall_inject_msi,
  hcall_notify_ioreq_finish,
  hcall_set_ioreq_buffer,
  hcall_set_irqline,
  hcall_start_vm,
} from '../../../common/hypercall';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import type { AcrnVm } from '../../../include/arch/x86/asm/guest/vm';
import type { Hypercall } from '../../../include/public/acrn_hv_defs';

/** Hypercalls: which VM may, and which function does it. */

const ENOTTY = 25;

const { fn, ops } = source('acrn', 'hypervisor/arch/x86/guest/vmcall.c');

const hc_dispatch_table = ops('hc_dispatch_table', {
  HC_CREATE_VM: hcall_create_vm,
  HC_START_VM: hcall_start_vm,
  HC_SET_IOREQ_BUFFER: hcall_set_ioreq_buffer,
  HC_NOTIFY_REQUEST_FINISH: hcall_notify_ioreq_finish,
  HC_INJECT_MSI: hcall_inject_msi,
  HC_SET_IRQLINE: hcall_set_irqline,
});

/** Calls a hypercall's function with the parameters that this one has. */
function dispatch(call: Hypercall, target_vm: AcrnVm): Run<number> {
  const handled = <P>(handler: Pointer<[target_vm: AcrnVm, param: P], number>, param: P): Run<number> =>
    through('function pointer', 'handler', handler)(target_vm, param);
  switch (call.id) {
    case 'HC_CREATE_VM':
      return handled(hc_dispatch_table.HC_CREATE_VM, call.param1);
    case 'HC_START_VM':
      return through('function pointer', 'handler', hc_dispatch_table.HC_START_VM)(target_vm);
    case 'HC_SET_IOREQ_BUFFER':
      return handled(hc_dispatch_table.HC_SET_IOREQ_BUFFER, call.param2);
    case 'HC_NOTIFY_REQUEST_FINISH':
      return handled(hc_dispatch_table.HC_NOTIFY_REQUEST_FINISH, call.param2);
    case 'HC_INJECT_MSI':
      return handled(hc_dispatch_table.HC_INJECT_MSI, call.param2);
    case 'HC_SET_IRQLINE':
      return handled(hc_dispatch_table.HC_SET_IRQLINE, call.param2);
  }
}

const dispatch_hypercall = fn(
  'Finds the VM that is meant and the function that does it, and takes the VM’s lock.',
  function* dispatch_hypercall(vcpu: AcrnVcpu, call: Hypercall) {
    atCall('parse_target_vm');
    const vmid = 'vmid' in call ? call.vmid : 1;
    const target_vm = vcpu.vm.user_vms.find(({ vm_id }) => vm_id === vmid);
    if (target_vm === undefined) return -ENOTTY;
    atCall('get_vm_lock');
    behind('get_vm_lock');
    return yield* dispatch(call, target_vm);
  },
);

export const vmcall_vmexit_handler = fn(
  'A guest calls the hypervisor. Only the Service VM may; another guest gets an invalid-opcode exception. The result goes back in RAX.',
  function* vmcall_vmexit_handler(vcpu: AcrnVcpu) {
    atCall('is_service_vm');
    const { cpu } = vcpu;
    if (cpu.exit?.reason !== 'VMX_EXIT_REASON_VMCALL') return 0;
    const ret = yield* dispatch_hypercall(vcpu, cpu.exit.call);
    at('CPU_REG_RAX');
    cpu.RAX = ret;
    return 0;
  },
);
