import { source } from '../../../../engine/fn';
import { eventfd_signal_mask, type EventfdCtx } from '../../fs/eventfd';

const { fn } = source('linux', 'include/linux/eventfd.h');

export const eventfd_signal = fn('Signals an eventfd from inside the kernel, from any context.', function* eventfd_signal(ctx: EventfdCtx) {
  yield* eventfd_signal_mask(ctx);
});
