import { addressOf, bound, boundPointer, source, through } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { acquire, release } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind, causedBy, preempt, signal, until } from '../../../../../engine/steps';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_DIR_WRITE,
  ACRN_IOREQ_STATE_COMPLETE,
  ACRN_IOREQ_STATE_PENDING,
  ACRN_IOREQ_STATE_PROCESSING,
  ACRN_IOREQ_TYPE_PCICFG,
  ACRN_IOREQ_TYPE_PORTIO,
  type AcrnIoRequest,
  type AcrnIoRequestBuffer,
  type IoreqType,
} from '../../../../acrn/hypervisor/include/public/acrn_common';
import { EEXIST, EINVAL } from '../../../errno';
import { acrn_setup_intr_handler } from '../../../arch/x86/kernel/cpu/acrn';
import { declare_work, queue_work, type WorkStruct } from '../../../kernel/workqueue';
import { acrn_ioreq_client, type AcrnIoreqClient, type AcrnIoreqRange, type AcrnVm, type Hsm, type IoreqHandler } from './acrn_drv';
import { hcall_notify_req_finish, hcall_set_ioreq_buffer } from './hypercall';

/** I/O requests: from the hypervisor's upcall to the client that handles them, and back. */

const { fn, ops } = source('linux', 'drivers/virt/acrn/ioreq.c');

const has_pending_request = fn(
  'Whether a slot waits for this client. The thread looks at its own bitmap, not at the shared page.',
  function* has_pending_request({ ioreqs_map }: AcrnIoreqClient) {
    atCall('bitmap_empty');
    return ioreqs_map !== 0;
  },
);

const ioreq_complete_request = fn(
  'Hands a slot back to the hypervisor. In polling mode that is all; otherwise a hypercall wakes the vCPU.',
  function* ioreq_complete_request(vm: AcrnVm, vcpu: number, acrn_req: AcrnIoRequest) {
    // Read before the store: afterwards the hypervisor may have put the next request into the slot.
    const polling_mode = acrn_req.completion_polling;
    atCall('smp_store_release');
    acrn_req.processed = ACRN_IOREQ_STATE_COMPLETE;
    yield* preempt();
    return polling_mode ? 0 : yield* hcall_notify_req_finish(vm.hsm.vmcall, vm.vmid, vcpu);
  },
);

const acrn_ioreq_complete_request = fn(
  'A client is done with a slot: takes it off the client’s map, then completes it.',
  function* acrn_ioreq_complete_request(client: AcrnIoreqClient, vcpu: number, acrn_req: AcrnIoRequest | undefined) {
    const { vm } = client;
    const req = acrn_req ?? vm.ioreq_buf?.req_slot[vcpu];
    at('vcpu_num');
    if (vcpu >= vm.vcpu_num || req === undefined) return -EINVAL;
    atCall('clear_bit');
    client.ioreqs_map &= ~(1 << vcpu);
    return yield* ioreq_complete_request(vm, vcpu, req);
  },
);

export const acrn_ioreq_request_default_complete = fn(
  'The device model is done with a slot. Under the same lock as the dispatcher, which marks the slot and the map as one.',
  function* acrn_ioreq_request_default_complete(vm: AcrnVm, vcpu: number) {
    yield* acquire(vm.ioreq_clients_lock, 'spin_lock_bh');
    const ret = vm.default_client === undefined ? 0 : yield* acrn_ioreq_complete_request(vm.default_client, vcpu, undefined);
    release(vm.ioreq_clients_lock, 'spin_unlock_bh');
    return ret;
  },
);

export const acrn_ioreq_range_add = fn(
  'From now on accesses in this range go to this client.',
  function* acrn_ioreq_range_add(client: AcrnIoreqClient, type: IoreqType, start: number, end: number) {
    if (end < start) return -EINVAL;
    at('range_list');
    client.range_list.unshift({ type, start, end });
    return 0;
  },
);

const ioreq_task = fn(
  'The thread of a client in the kernel: sleeps until the dispatcher has something for it, and works through its map.',
  function* ioreq_task(client: AcrnIoreqClient): Run<never> {
    const { vm, handler } = client;
    for (;;) {
      yield* acrn_ioreq_client_wait(client);
      while (yield* has_pending_request(client)) {
        atCall('find_first_bit');
        const vcpu = 31 - Math.clz32(client.ioreqs_map & -client.ioreqs_map);
        const req = vm.ioreq_buf!.req_slot[vcpu]!;
        // An error would leave the bit set; no handler returns one.
        if ((yield* through('function pointer', 'handler', handler!)(client, req)) < 0) break;
        yield* acrn_ioreq_complete_request(client, vcpu, req);
        yield* preempt();
      }
    }
  },
);

export const acrn_ioreq_client_wait = fn(
  'Sleeps until a slot waits for this client.',
  function* acrn_ioreq_client_wait(client: AcrnIoreqClient) {
    if (yield* has_pending_request(client)) return 0;
    at('wq');
    yield* until(() => client.ioreqs_map !== 0);
    causedBy(client.wokenBy);
    yield* has_pending_request(client);
    return 0;
  },
);

const CONF1_ENABLE = 0x80000000;
const isPort = (req: AcrnIoRequest, first: number, count: number): boolean =>
  req.type === ACRN_IOREQ_TYPE_PORTIO && req['reqs.address'] >= first && req['reqs.address'] < first + count;

const handle_cf8cfc = fn(
  'Joins the two steps of a PCI configuration access: the address that was written to 0xCF8 is kept here, and the access to 0xCFC becomes one request for a configuration register.',
  function* handle_cf8cfc(vm: AcrnVm, req: AcrnIoRequest, vcpu: number) {
    if (!isPort(req, 0xcf8, 1) && !isPort(req, 0xcfc, 4)) {
      atCall('is_cfg_addr');
      return false;
    }
    if (isPort(req, 0xcf8, 1)) {
      if (req['reqs.direction'] === ACRN_IOREQ_DIR_WRITE) vm.pci_conf_addr = req['reqs.value'];
      else req['reqs.value'] = vm.pci_conf_addr;
    } else if ((vm.pci_conf_addr & CONF1_ENABLE) === 0) {
      atWrite('value', 'CONF1_ENABLE');
      if (req['reqs.direction'] === ACRN_IOREQ_DIR_READ) req['reqs.value'] = 0xffffffff;
    } else {
      req.type = ACRN_IOREQ_TYPE_PCICFG;
      return false;
    }
    yield* ioreq_complete_request(vm, vcpu, req);
    return true;
  },
);

const acrn_in_range = fn(
  'Whether an access lies wholly in a client’s range.',
  function* acrn_in_range({ type, start, end }: AcrnIoreqRange, req: AcrnIoRequest) {
    at('address');
    return type === req.type && req['reqs.address'] >= start && req['reqs.address'] + req['reqs.size'] - 1 <= end;
  },
);

const find_ioreq_client = fn(
  'The first client with a range for this access; otherwise the device model.',
  function* find_ioreq_client(vm: AcrnVm, req: AcrnIoRequest) {
    for (const client of vm.ioreq_clients) {
      for (const range of client.range_list) if (yield* acrn_in_range(range, req)) return client;
    }
    at('default_client');
    return vm.default_client;
  },
);

export const acrn_ioreq_client_create = fn(
  'Makes a client. One with a handler gets a kernel thread; the default client is a place where the device model’s own thread will wait.',
  function* acrn_ioreq_client_create(vm: AcrnVm, handler: IoreqHandler | undefined, is_default: boolean, name: string) {
    const client = acrn_ioreq_client(name, vm, handler);
    if (is_default) client.is_default = true;
    if (handler !== undefined) {
      const { target: threadfn } = addressOf(bound(ioreq_task, () => client));
      const step = signal('function pointer', 'kthread_run', 'A thread of its own: a request that it handles never leaves the kernel.');
      vm.hsm.kthread_run(`VM${vm.vmid}-${name}`, function* () {
        causedBy(step);
        yield* threadfn();
      });
    }
    yield* acquire(vm.ioreq_clients_lock, 'spin_lock_bh');
    if (is_default) vm.default_client = client;
    else vm.ioreq_clients.unshift(client);
    release(vm.ioreq_clients_lock, 'spin_unlock_bh');
    return client;
  },
);

const acrn_ioreq_dispatch = fn(
  'Looks at every slot of a VM. A PENDING one becomes PROCESSING, is marked in the map of its client, and the client wakes.',
  function* acrn_ioreq_dispatch(vm: AcrnVm) {
    for (const [i, req] of vm.ioreq_buf!.req_slot.entries()) {
      atCall('smp_load_acquire');
      if (req.processed !== ACRN_IOREQ_STATE_PENDING) continue;
      if (yield* handle_cf8cfc(vm, req, i)) continue;
      yield* acquire(vm.ioreq_clients_lock, 'spin_lock_bh');
      const client = yield* find_ioreq_client(vm, req);
      if (client === undefined) {
        release(vm.ioreq_clients_lock, 'spin_unlock_bh');
        return -EINVAL;
      }
      req.kernel_handled = !client.is_default;
      atCall('smp_store_release');
      req.processed = ACRN_IOREQ_STATE_PROCESSING;
      // The device model may see the slot from here on, but not finish it before the lock is free.
      yield* preempt();
      atCall('set_bit');
      client.ioreqs_map |= 1 << i;
      client.wokenBy = signal('wake-up', 'wake_up_interruptible');
      behind('wake_up_interruptible');
      release(vm.ioreq_clients_lock, 'spin_unlock_bh');
    }
    return 0;
  },
);

const ioreq_dispatcher = fn(
  'The work of the upcall: goes through all VMs, because the vector does not say whose request it was. So upcalls may merge, and none is lost.',
  function* ioreq_dispatcher(hsm: Hsm) {
    for (const vm of hsm.acrn_vm_list) {
      at('ioreq_buf');
      if (vm.ioreq_buf === undefined) break;
      yield* acrn_ioreq_dispatch(vm);
    }
  },
);

const ioreq_work = ops('ioreq_work', { func: ioreq_dispatcher });

/** The work item of the upcall, which is there from the start. */
export const ioreq_work_of = (hsm: () => Hsm): WorkStruct => declare_work('ioreq_work', boundPointer(ioreq_work.func, hsm));

const ioreq_intr_handler = fn(
  'The upcall, in hard-interrupt context: leaves everything to an ordered workqueue. While the work is still queued, another upcall adds nothing.',
  function* ioreq_intr_handler(hsm: Hsm) {
    yield* queue_work(hsm.ioreq_wq, hsm.ioreq_work);
  },
);

export const acrn_ioreq_intr_setup = fn('Makes the upcall reach this module.', function* acrn_ioreq_intr_setup(hsm: Hsm) {
  yield* acrn_setup_intr_handler(hsm, addressOf(bound(ioreq_intr_handler, () => hsm)));
  at('ioreq_wq');
  return 0;
});

export const acrn_ioreq_init = fn(
  'Pins the page of requests, which the device model has allocated, and tells the hypervisor where it is.',
  function* acrn_ioreq_init(vm: AcrnVm, buf: AcrnIoRequestBuffer) {
    at('ioreq_buf');
    if (vm.ioreq_buf !== undefined) return -EEXIST;
    atCall('pin_user_pages_fast');
    vm.ioreq_buf = buf;
    return yield* hcall_set_ioreq_buffer(vm.hsm.vmcall, vm.vmid, buf);
  },
);
