import { source } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { create_vm, start_vm } from '../arch/x86/guest/vm';
import { vlapic_inject_msi } from '../arch/x86/guest/vlapic';
import { set_io_req_state } from '../dm/io_req';
import { vioapic_set_irqline_lock } from '../dm/vioapic';
import { vpic_set_irqline } from '../dm/vpic';
import type { AcrnVm } from '../include/arch/x86/asm/guest/vm';
import {
  ACRN_IOREQ_STATE_FREE,
  type AcrnIoRequestBuffer,
  type AcrnIrqlineOps,
  type AcrnMsiEntry,
  type AcrnVmCreation,
} from '../include/public/acrn_common';
import { signal_event } from './event';

/** What the Service VM may ask for. */

const VPIC_PINS = 16;

const { fn } = source('acrn', 'hypervisor/common/hypercall.c');

export const hcall_create_vm = fn(
  'Makes a User VM. The result is its number.',
  function* hcall_create_vm(target_vm: AcrnVm, cv: AcrnVmCreation) {
    yield* create_vm(target_vm, cv.io_completion_polling);
    return target_vm.vm_id;
  },
);

export const hcall_start_vm = fn(
  'Lets a User VM run: only after its page of I/O requests is known.',
  function* hcall_start_vm(target_vm: AcrnVm) {
    at('io_shared_page');
    if (target_vm.io_shared_page === undefined) return -1;
    yield* start_vm(target_vm);
    return 0;
  },
);

export const hcall_set_irqline = fn(
  'Drives an interrupt line: the first sixteen are wired to both interrupt controllers, the others to the I/O APIC alone.',
  function* hcall_set_irqline(target_vm: AcrnVm, ops: AcrnIrqlineOps) {
    at('gsi');
    if (ops.gsi < VPIC_PINS) yield* vpic_set_irqline(target_vm, ops.gsi === 2 ? 0 : ops.gsi, ops.op);
    yield* vioapic_set_irqline_lock(target_vm, ops.gsi, ops.op);
    return 0;
  },
);

export const hcall_inject_msi = fn('Sends an MSI into a User VM.', function* hcall_inject_msi(target_vm: AcrnVm, msi: AcrnMsiEntry) {
  atCall('copy_from_gpa');
  return yield* vlapic_inject_msi(target_vm, msi.msi_addr, msi.msi_data);
});

export const hcall_set_ioreq_buffer = fn(
  'Remembers where the page of I/O requests is, and frees every slot.',
  function* hcall_set_ioreq_buffer(target_vm: AcrnVm, iobuf: AcrnIoRequestBuffer) {
    at('io_shared_page');
    target_vm.io_shared_page = iobuf;
    for (const i of iobuf.req_slot.keys()) yield* set_io_req_state(target_vm, i, ACRN_IOREQ_STATE_FREE);
    return 0;
  },
);

export const hcall_notify_ioreq_finish = fn(
  'A request is COMPLETE: wakes the vCPU that waits for it. Whether it is, is not looked at here; one that polls sees it by itself.',
  function* hcall_notify_ioreq_finish(target_vm: AcrnVm, vcpu_id: number) {
    at('created_vcpus');
    const target_vcpu = target_vm.vcpu_array[vcpu_id];
    if (target_vcpu === undefined) return -1;
    if (!target_vm['sw.is_polling_ioreq']) yield* signal_event(target_vcpu.events.VCPU_EVENT_IOREQ);
    return 0;
  },
);
