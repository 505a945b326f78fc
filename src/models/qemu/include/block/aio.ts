import { bits, bool, int, pointer, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import { withOpaque } from '../../opaque';
import { aio_context_new } from '../../util/async';
import { initialized_event_notifier, type EventNotifier } from '../../util/event_notifier-posix';

/** The event loop's structures. */

export const G_IO_IN = 1;

/** What is called when a file descriptor can be read. */
export type IOHandler = Pointer<[], void>;

const AioHandlerCells = struct('AioHandler', 'A file descriptor that the main loop watches for QEMU.', {
  'pfd.fd': pointer<EventfdCtx>(),
  'pfd.events': int(),
  'pfd.revents': int(),
});

export type AioHandler = InstanceOf<typeof AioHandlerCells> & { readonly io_read: IOHandler };

/** Makes a handler for input on an eventfd. */
export const aio_handler = (name: string, fd: EventfdCtx, io_read: IOHandler): AioHandler =>
  Object.assign(AioHandlerCells(name, { 'pfd.fd': fd, 'pfd.events': G_IO_IN }), { io_read });

const AioContextCells = struct('AioContext', 'A set of watched file descriptors that one event loop serves.', {
  notify_me: int(),
  notified: bool(),
});

export type AioContext = InstanceOf<typeof AioContextCells> & {
  readonly notifier: EventNotifier;
  /** The newest first, as they are dispatched. */
  readonly aio_handlers: AioHandler[];
};

/** Makes an event loop context, which watches its own notifier. */
export function aio_context(name: string): AioContext {
  const notifier = initialized_event_notifier(`${name}.notifier`);
  const aio_handlers: AioHandler[] = [];
  const ctx: AioContext = Object.assign(AioContextCells(name), { notifier, aio_handlers });
  aio_handlers.push(
    aio_handler(
      notifier.name,
      notifier.rfd!,
      withOpaque(aio_context_new.io_read, () => ctx),
    ),
  );
  return ctx;
}

export const BH_PENDING = 1 << 0;
export const BH_SCHEDULED = 1 << 1;

const QEMUBHCells = struct('QEMUBH', 'A bottom half: something that an event loop is to do in its next turn.', {
  flags: bits(8, ['BH_PENDING', 'BH_SCHEDULED']),
});

export type QEMUBH = InstanceOf<typeof QEMUBHCells> & { readonly ctx: BottomHalves; readonly cb: Pointer<[], void> };

/** An event loop context with bottom halves, the newest first. */
export type BottomHalves = AioContext & { readonly bh_list: QEMUBH[] };

/** aio_bh_new(): a bottom half, not scheduled yet. */
export const aio_bh_new = (name: string, ctx: BottomHalves, cb: Pointer<[], void>): QEMUBH => Object.assign(QEMUBHCells(name), { ctx, cb });
