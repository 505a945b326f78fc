import { addressOf, source, through, type Pointer } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import { ACRN_IOREQ_DIR_READ, type AcrnIoRequest } from '../../hypervisor/include/public/acrn_common';
import type { PciVdev } from '../include/pci_core';
import type { Vmctx } from '../include/dm';

/** Accesses to ports. */

/** Answers an access: a write changes nothing of `value`, a read sets it. */
export type InoutFunc = Pointer<[port: number, input: boolean, bytes: number, value: AcrnIoRequest, arg: PciVdev | undefined], number>;

/** Ports that somebody answers for. */
export interface InoutPort {
  readonly port: number;
  readonly size: number;
  readonly handler: InoutFunc;
  readonly arg: PciVdev | undefined;
}

const { fn } = source('acrn', 'devicemodel/core/inout.c');

const default_inout = fn(
  'A port that no device has: reads as all ones.',
  function* default_inout(_port: number, input: boolean, bytes: number, value: AcrnIoRequest, _arg: PciVdev | undefined) {
    at('eax');
    if (input) value['reqs.value'] = bytes === 4 ? 0xffffffff : (1 << (8 * bytes)) - 1;
    return 0;
  },
);

const register_default_iohandler = fn('Every port has a handler from the start.', function* register_default_iohandler(ctx: Vmctx) {
  yield* register_inout(ctx, { port: 0, size: 0x10000, handler: addressOf(default_inout), arg: undefined });
});

export const init_inout = fn('Starts with ports that nobody has.', function* init_inout(ctx: Vmctx) {
  yield* register_default_iohandler(ctx);
});

export const register_inout = fn('A device claims ports.', function* register_inout(ctx: Vmctx, iop: InoutPort) {
  at('inout_handlers');
  ctx.inout_handlers.unshift(iop);
  return 0;
});

export const emulate_inout = fn('Finds who answers for a port, and asks.', function* emulate_inout(ctx: Vmctx, pio_request: AcrnIoRequest) {
  const port = pio_request['reqs.address'];
  const bytes = pio_request['reqs.size'];
  at('inout_handlers');
  const found = ctx.inout_handlers.find((iop) => port >= iop.port && port < iop.port + iop.size);
  if (found === undefined) return -1;
  const input = pio_request['reqs.direction'] === ACRN_IOREQ_DIR_READ;
  return yield* through('function pointer', 'handler', found.handler)(port, input, bytes, pio_request, found.arg);
});
