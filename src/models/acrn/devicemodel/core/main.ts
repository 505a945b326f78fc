import { addressOf, bound, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, causedBy, preempt, signal } from '../../../../engine/steps';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_STATE_PROCESSING,
  ACRN_IOREQ_TYPE_MMIO,
  ACRN_IOREQ_TYPE_PCICFG,
  ACRN_IOREQ_TYPE_PORTIO,
  type AcrnIoRequest,
} from '../../hypervisor/include/public/acrn_common';
import { init_pci } from '../hw/pci/core';
import type { Vmctx } from '../include/dm';
import { emulate_inout, init_inout } from './inout';
import { emulate_mem } from './mem';
import { mevent_dispatch } from './mevent';
import { vm_attach_ioreq_client, vm_create, vm_create_ioreq_client, vm_notify_request_done, vm_run } from './vmmapi';

/** acrn-dm: the process that is a User VM’s hardware. */

const { fn, ops } = source('acrn', 'devicemodel/core/main.c');

const start_thread = fn(
  'The thread that serves I/O requests. It is named after a vCPU, but serves them all.',
  function* start_thread(ctx: Vmctx) {
    yield* vm_loop(ctx);
  },
);

const add_cpu = fn('Starts the thread that will let the VM run.', function* add_cpu(ctx: Vmctx) {
  const { target } = addressOf(bound(start_thread, () => ctx));
  const step = signal('function pointer', 'pthread_create');
  ctx.pthread_create('vcpu 0', function* () {
    causedBy(step);
    yield* target();
  });
  return 0;
});

const vmexit_inout = fn('A port. If nobody answers, a read returns all ones.', function* vmexit_inout(ctx: Vmctx, io_req: AcrnIoRequest) {
  const error = yield* emulate_inout(ctx, io_req);
  if (error !== 0 && io_req['reqs.direction'] === ACRN_IOREQ_DIR_READ) io_req['reqs.value'] = 0xffffffff;
});

const vmexit_mmio_emul = fn(
  'Memory. If nobody answers, a read returns all ones.',
  function* vmexit_mmio_emul(ctx: Vmctx, io_req: AcrnIoRequest) {
    const err = yield* emulate_mem(ctx, io_req);
    if (err !== 0 && io_req['reqs.direction'] === ACRN_IOREQ_DIR_READ) io_req['reqs.value'] = 0xffffffff;
  },
);

const vmexit_pci_emul = fn('A register of a device’s configuration space.', function* vmexit_pci_emul(_ctx: Vmctx, io_req: AcrnIoRequest) {
  atCall('emulate_pci_cfgrw', 'No device answers at that address.');
  if (io_req['reqs.direction'] === ACRN_IOREQ_DIR_READ) io_req['reqs.value'] = 0xffffffff;
});

const handler = ops('handler', {
  VM_EXITCODE_INOUT: vmexit_inout,
  VM_EXITCODE_MMIO_EMUL: vmexit_mmio_emul,
  VM_EXITCODE_PCI_CFG: vmexit_pci_emul,
});

/** A request’s type is an index into the table of handlers. */
const byType = {
  [ACRN_IOREQ_TYPE_PORTIO]: handler.VM_EXITCODE_INOUT,
  [ACRN_IOREQ_TYPE_MMIO]: handler.VM_EXITCODE_MMIO_EMUL,
  [ACRN_IOREQ_TYPE_PCICFG]: handler.VM_EXITCODE_PCI_CFG,
} as const;

const handle_vmexit = fn(
  'Emulates one access, then says that it is done. While the VM suspends or resets it would not say so: the vCPU would run on.',
  function* handle_vmexit(ctx: Vmctx, io_req: AcrnIoRequest, vcpu: number) {
    yield* through('function pointer', 'handler', byType[io_req.type])(ctx, io_req);
    yield* vm_notify_request_done(ctx, vcpu);
  },
);

const vm_loop = fn(
  'Sleeps in the kernel until a request waits, then looks at every slot itself: what is PROCESSING and not the kernel’s is to be done here.',
  function* vm_loop(ctx: Vmctx) {
    yield* vm_create_ioreq_client(ctx);
    if ((yield* vm_run(ctx)) !== 0) return;
    while ((yield* vm_attach_ioreq_client(ctx)) === 0) {
      for (const [vcpu_id, io_req] of ctx.ioreq_buf.req_slot.entries()) {
        at('processed');
        if (io_req.processed === ACRN_IOREQ_STATE_PROCESSING && !io_req.kernel_handled) yield* handle_vmexit(ctx, io_req, vcpu_id);
      }
      yield* preempt();
    }
  },
);

const vm_init_vdevs = fn('Makes the VM’s devices.', function* vm_init_vdevs(ctx: Vmctx) {
  yield* init_inout(ctx);
  return yield* init_pci(ctx);
});

export const main = fn(
  'Starts: has a VM made, makes its devices, starts the thread that serves requests, and stays to serve events.',
  function* main(ctx: Vmctx): Run<number> {
    const created = yield* vm_create(ctx);
    if (created < 0) return created;
    yield* vm_init_vdevs(ctx);
    yield* ctx.variant(ctx.pci_devices[0]!);
    yield* add_cpu(ctx);
    return yield* mevent_dispatch(ctx);
  },
);
