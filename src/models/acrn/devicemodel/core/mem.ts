import { source, through, type Pointer } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import { ACRN_IOREQ_DIR_READ, type AcrnIoRequest } from '../../hypervisor/include/public/acrn_common';
import type { Vmctx } from '../include/dm';
import type { PciVdev } from '../include/pci_core';

/** Accesses to memory that devices answer for. */

export type MemFunc = Pointer<
  [dir: 'MEM_F_READ' | 'MEM_F_WRITE', addr: number, size: number, val: AcrnIoRequest, arg1: PciVdev, arg2: number],
  number
>;

/** Memory that somebody answers for. */
export interface MemRange {
  readonly base: number;
  readonly size: number;
  readonly handler: MemFunc;
  readonly arg1: PciVdev;
  /** The BAR. */
  readonly arg2: number;
}

const ESRCH = 3;

const { fn } = source('acrn', 'devicemodel/core/mem.c');

const mem_read = fn('A load.', function* mem_read(mr: MemRange, gpa: number, size: number, req: AcrnIoRequest) {
  return yield* through('function pointer', 'handler', mr.handler)('MEM_F_READ', gpa, size, req, mr.arg1, mr.arg2);
});

const mem_write = fn('A store.', function* mem_write(mr: MemRange, gpa: number, size: number, req: AcrnIoRequest) {
  return yield* through('function pointer', 'handler', mr.handler)('MEM_F_WRITE', gpa, size, req, mr.arg1, mr.arg2);
});

export const emulate_mem = fn(
  'Finds who answers for an address: the last one first, because accesses come in runs, then the tree of all.',
  function* emulate_mem(ctx: Vmctx, mmio_req: AcrnIoRequest) {
    const paddr = mmio_req['reqs.address'];
    const has = ({ base, size }: MemRange): boolean => paddr >= base && paddr < base + size;
    at('mmio_hint');
    if (ctx.mmio_hint === undefined || !has(ctx.mmio_hint)) ctx.mmio_hint = ctx.mmio_rb_root.find(has);
    const entry = ctx.mmio_hint;
    if (entry === undefined) return -ESRCH;
    const read = mmio_req['reqs.direction'] === ACRN_IOREQ_DIR_READ;
    return yield* (read ? mem_read : mem_write)(entry, paddr, mmio_req['reqs.size'], mmio_req);
  },
);

export const register_mem = fn('A device claims memory.', function* register_mem(ctx: Vmctx, memp: MemRange) {
  at('mmio_rb_root');
  ctx.mmio_rb_root.push(memp);
  return 0;
});
