import { bool, hex, int, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import { addressOf, source } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import { at } from '../../../../../engine/steps';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_TYPE_MMIO,
  ACRN_IOREQ_TYPE_PORTIO,
  ACRN_IOREQ_TYPES,
  type AcrnIoRequest,
} from '../../../../acrn/hypervisor/include/public/acrn_common';
import { EEXIST } from '../../../errno';
import { eventfd_ctx_fdget, type EventfdCtx } from '../../../fs/eventfd';
import { eventfd_signal } from '../../../include/linux/eventfd';
import type { AcrnIoreqClient, AcrnVm } from './acrn_drv';
import { acrn_ioreq_client_create, acrn_ioreq_range_add } from './ioreq';

/** ioeventfds: a write of the guest that means nothing but "look" becomes an eventfd's signal, in the kernel. */

/** `struct acrn_ioeventfd`: what user space asks for. */
export interface AcrnIoeventfd {
  readonly fd: EventfdCtx;
  readonly addr: number;
  readonly len: number;
  readonly pio: boolean;
  /** ACRN_IOEVENTFD_FLAG_DATAMATCH, with the value; undefined matches any. */
  readonly data: number | undefined;
}

const IoeventfdCells = struct('hsm_ioeventfd', 'An address of the User VM whose writes signal an eventfd.', {
  addr: hex(32),
  data: int(),
  length: int(),
  type: oneOf(ACRN_IOREQ_TYPES, ACRN_IOREQ_TYPE_PORTIO),
  wildcard: bool(),
});

export type HsmIoeventfd = InstanceOf<typeof IoeventfdCells> & { readonly eventfd: EventfdCtx };

const { fn } = source('linux', 'drivers/virt/acrn/ioeventfd.c');

const acrn_ioeventfd_assign = fn(
  'Makes the ioeventfd and claims its address for the client that serves all of them.',
  function* acrn_ioeventfd_assign(vm: AcrnVm, args: AcrnIoeventfd) {
    const eventfd = yield* eventfd_ctx_fdget(args.fd);
    const p: HsmIoeventfd = Object.assign(IoeventfdCells(`${vm.ioeventfds.length}`), { eventfd });
    p.addr = args.addr;
    p.length = args.len;
    p.type = args.pio ? ACRN_IOREQ_TYPE_PORTIO : ACRN_IOREQ_TYPE_MMIO;
    if (args.data === undefined) p.wildcard = true;
    else p.data = args.data;
    yield* acquire(vm.ioeventfds_lock, 'mutex_lock');
    at('hsm_ioeventfd_is_conflict');
    if (vm.ioeventfds.some((other) => conflicts(other, p))) {
      release(vm.ioeventfds_lock, 'mutex_unlock');
      return -EEXIST;
    }
    const ret = yield* acrn_ioreq_range_add(vm.ioeventfd_client!, p.type, p.addr, p.addr + p.length - 1);
    if (ret === 0) vm.ioeventfds.push(p);
    release(vm.ioeventfds_lock, 'mutex_unlock');
    return ret;
  },
);

const conflicts = (a: HsmIoeventfd, b: HsmIoeventfd): boolean =>
  a.eventfd === b.eventfd && a.addr === b.addr && a.type === b.type && (a.wildcard || b.wildcard || a.data === b.data);

const hsm_ioeventfd_match = fn(
  'Which ioeventfd a write is for: the address must be the same, and the value where that was asked for.',
  function* hsm_ioeventfd_match(vm: AcrnVm, addr: number, data: number, len: number, type: number) {
    at('addr');
    return vm.ioeventfds.find((p) => p.type === type && p.addr === addr && p.length >= len && (p.wildcard || p.data === data));
  },
);

const acrn_ioeventfd_handler = fn(
  'A request in a range that ioeventfds have claimed. A write signals; a read is answered with 0, because a driver only writes here. The request completes in any case.',
  function* acrn_ioeventfd_handler(client: AcrnIoreqClient, req: AcrnIoRequest) {
    const { vm } = client;
    at(req.type === ACRN_IOREQ_TYPE_MMIO ? 'mmio_request' : 'pio_request');
    if (req['reqs.direction'] === ACRN_IOREQ_DIR_READ) {
      req['reqs.value'] = 0;
      return 0;
    }
    yield* acquire(vm.ioeventfds_lock, 'mutex_lock');
    const p = yield* hsm_ioeventfd_match(vm, req['reqs.address'], req['reqs.value'], req['reqs.size'], req.type);
    if (p !== undefined) yield* eventfd_signal(p.eventfd);
    release(vm.ioeventfds_lock, 'mutex_unlock');
    return 0;
  },
);

export const acrn_ioeventfd_config = fn('ACRN_IOCTL_IOEVENTFD.', function* acrn_ioeventfd_config(vm: AcrnVm, args: AcrnIoeventfd) {
  return yield* acrn_ioeventfd_assign(vm, args);
});

export const acrn_ioeventfd_init = fn(
  'Makes the client that serves a VM’s ioeventfds: it exists even while there are none.',
  function* acrn_ioeventfd_init(vm: AcrnVm) {
    const client = yield* acrn_ioreq_client_create(vm, addressOf(acrn_ioeventfd_handler), false, `ioeventfd-${vm.vmid}`);
    vm.ioeventfd_client = client;
    return 0;
  },
);
