import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, behind, preempt, until } from '../../../../engine/steps';
import { arch_fire_hsm_interrupt, emulate_pio_complete } from '../arch/x86/guest/vmx_io';
import { wait_event } from '../common/event';
import type { AcrnVcpu } from '../include/arch/x86/asm/guest/vcpu';
import type { AcrnVm } from '../include/arch/x86/asm/guest/vm';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_STATE_COMPLETE,
  ACRN_IOREQ_STATE_FREE,
  ACRN_IOREQ_STATE_PENDING,
  ACRN_IOREQ_TYPE_MMIO,
  ACRN_IOREQ_TYPE_PORTIO,
  type IoreqState,
} from '../include/public/acrn_common';

/** I/O requests: an access is emulated here, or handed to the Service VM while the vCPU waits. */

const EINVAL = 22;
const ENODEV = 19;
const HYPERVISOR_CALLBACK_HSM_VECTOR = 0xf3;

const { fn } = source('acrn', 'hypervisor/dm/io_req.c');

const get_io_req_state = fn('The state of a vCPU’s slot in the shared page.', function* get_io_req_state(vm: AcrnVm, vcpu_id: number) {
  at('processed');
  return vm.io_shared_page?.req_slot[vcpu_id]?.processed;
});

export const set_io_req_state = fn(
  'Changes the state of a slot. The hypervisor only ever makes it PENDING or FREE.',
  function* set_io_req_state(vm: AcrnVm, vcpu_id: number, state: IoreqState) {
    const slot = vm.io_shared_page?.req_slot[vcpu_id];
    if (slot !== undefined) slot.processed = state;
  },
);

const has_complete_ioreq = fn('Whether the request is done.', function* has_complete_ioreq(vcpu: AcrnVcpu) {
  return (yield* get_io_req_state(vcpu.vm, vcpu.vcpu_id)) === ACRN_IOREQ_STATE_COMPLETE;
});

const get_asyncio_desc = fn(
  'Whether somebody has asked to be told of writes to this address by a queue, without the vCPU waiting. That takes a Service VM kernel that sets such a queue up; the upstream one does not.',
  function* get_asyncio_desc(_vcpu: AcrnVcpu) {
    at('asyncio_sbuf');
    return undefined;
  },
);

export const get_hsm_notification_vector = fn(
  'The vector of the upcall. The Service VM may choose another.',
  function* get_hsm_notification_vector() {
    at('acrn_hsm_notification_vector');
    return HYPERVISOR_CALLBACK_HSM_VECTOR;
  },
);

/** Spins until the request is done, giving the CPU away when somebody else wants it. */
function* poll_for_completion(vcpu: AcrnVcpu): Run {
  while (!(yield* has_complete_ioreq(vcpu))) {
    atCall('asm_pause');
    yield* until(() => vcpu.vm.io_shared_page?.req_slot[vcpu.vcpu_id]?.processed === ACRN_IOREQ_STATE_COMPLETE);
  }
}

const acrn_insert_request = fn(
  'Hands an access to the Service VM: fills the vCPU’s slot, marks it PENDING, calls up, and waits. A slot that is not FREE means that an earlier access never ended.',
  function* acrn_insert_request(vcpu: AcrnVcpu) {
    const { vm, req, vcpu_id } = vcpu;
    const slot = vm.io_shared_page?.req_slot[vcpu_id];
    if (slot === undefined || (yield* get_io_req_state(vm, vcpu_id)) !== ACRN_IOREQ_STATE_FREE) {
      at('EINVAL');
      return -EINVAL;
    }
    slot.type = req.io_type;
    atCall('memcpy_s');
    slot['reqs.direction'] = req.direction;
    slot['reqs.address'] = req.address;
    slot['reqs.size'] = req.size;
    slot['reqs.value'] = req.value;
    const is_polling = vm['sw.is_polling_ioreq'];
    if (is_polling) slot.completion_polling = true;
    atCall('cpu_write_memory_barrier', 'Whoever sees PENDING must see the request.');
    yield* set_io_req_state(vm, vcpu_id, ACRN_IOREQ_STATE_PENDING);
    yield* preempt();
    yield* arch_fire_hsm_interrupt(vm.service_vm!);
    if (is_polling) yield* poll_for_completion(vcpu);
    else yield* wait_event(vcpu.events.VCPU_EVENT_IOREQ);
    return 0;
  },
);

const complete_ioreq = fn(
  'Takes what a read returned out of the slot, and frees it for the next access.',
  function* complete_ioreq(vcpu: AcrnVcpu) {
    const slot = vcpu.vm.io_shared_page!.req_slot[vcpu.vcpu_id]!;
    vcpu.req.value = slot['reqs.value'];
    slot.processed = ACRN_IOREQ_STATE_FREE;
  },
);

const emulate_mmio_complete = fn(
  'The access is done: a read is emulated now that its value is known.',
  function* emulate_mmio_complete(vcpu: AcrnVcpu) {
    at('direction');
    if (vcpu.req.direction !== ACRN_IOREQ_DIR_READ) return;
    atCall('emulate_instruction');
    vcpu.cpu.RAX = vcpu.req.value;
  },
);

const dm_emulate_pio_complete = fn(
  'Ends a port access that the Service VM has performed.',
  function* dm_emulate_pio_complete(vcpu: AcrnVcpu) {
    yield* complete_ioreq(vcpu);
    yield* emulate_pio_complete(vcpu);
  },
);

const dm_emulate_mmio_complete = fn(
  'Ends a memory access that the Service VM has performed.',
  function* dm_emulate_mmio_complete(vcpu: AcrnVcpu) {
    yield* complete_ioreq(vcpu);
    yield* emulate_mmio_complete(vcpu);
  },
);

const dm_emulate_io_complete = fn(
  'The vCPU goes on. It trusts the wake-up only so far: if the slot is not COMPLETE, nothing is taken out of it, and it is not freed either.',
  function* dm_emulate_io_complete(vcpu: AcrnVcpu) {
    if ((yield* get_io_req_state(vcpu.vm, vcpu.vcpu_id)) !== ACRN_IOREQ_STATE_COMPLETE) return;
    // Another CPU of the Service VM may signal once more before the slot is free.
    yield* preempt();
    if (vcpu.req.io_type === ACRN_IOREQ_TYPE_MMIO) yield* dm_emulate_mmio_complete(vcpu);
    else yield* dm_emulate_pio_complete(vcpu);
  },
);

const hv_emulate_pio = fn(
  'Looks for a port that the hypervisor itself answers for: the PIC, the PM timer, the reset register. A post-launched VM’s virtio device is none of them.',
  function* hv_emulate_pio(vcpu: AcrnVcpu) {
    at('emul_pio');
    const handler = vcpu.vm.emul_pio.find(({ port_start, port_end }) => vcpu.req.address >= port_start && vcpu.req.address < port_end);
    if (handler === undefined) return -ENODEV;
    const { address, size, value } = vcpu.req;
    const reads = vcpu.req.direction === ACRN_IOREQ_DIR_READ;
    behind(reads ? 'ACRN_IOREQ_DIR_READ io_read' : 'ACRN_IOREQ_DIR_WRITE io_write');
    if (reads) yield* through('function pointer', 'io_read', handler.io_read)(vcpu, address, size);
    else yield* through('function pointer', 'io_write', handler.io_write)(vcpu, address, size, value);
    return 0;
  },
);

const hv_emulate_mmio = fn(
  'Looks for memory that the hypervisor itself answers for: the I/O APIC.',
  function* hv_emulate_mmio(vcpu: AcrnVcpu) {
    at('emul_mmio');
    const { address } = vcpu.req;
    const handler = vcpu.vm.emul_mmio.find(({ range_start, range_end }) => address >= range_start && address < range_end);
    if (handler === undefined) return -ENODEV;
    behind('emul_mmio read_write read_write read_write');
    return yield* through('function pointer', 'read_write', handler.read_write)(vcpu.req);
  },
);

export const emulate_io = fn(
  'Emulates an access of the guest: in the hypervisor if it has a handler, otherwise by the Service VM.',
  function* emulate_io(vcpu: AcrnVcpu) {
    const { req } = vcpu;
    let status: number;
    if (req.io_type === ACRN_IOREQ_TYPE_PORTIO) {
      status = yield* hv_emulate_pio(vcpu);
      if (status === 0) yield* emulate_pio_complete(vcpu);
    } else {
      status = yield* hv_emulate_mmio(vcpu);
      if (status === 0) yield* emulate_mmio_complete(vcpu);
    }
    at('load_order');
    if (status !== -ENODEV || vcpu.vm.load_order !== 'POST_LAUNCHED_VM') return status;
    yield* get_asyncio_desc(vcpu);
    status = yield* acrn_insert_request(vcpu);
    if (status === 0) yield* dm_emulate_io_complete(vcpu);
    else atCall('pr_fatal');
    return status;
  },
);
