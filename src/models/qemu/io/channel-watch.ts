import { source, through, type Pointer } from '../../../engine/fn';
import type { Pipe } from '../../linux/fs/pipe';

/** A channel that the main loop watches as an event source of GLib's. */
export interface QIOChannelFDSource {
  readonly fd: Pipe;
  readonly callback: Pointer<[], void>;
}

const { fn, ops } = source('qemu', 'io/channel-watch.c');

const qio_channel_fd_source_dispatch = fn(
  'The channel has something: calls who watches it.',
  function* qio_channel_fd_source_dispatch(ssource: QIOChannelFDSource) {
    yield* through('function pointer', 'func', ssource.callback)();
  },
);

export const qio_channel_fd_source_funcs = ops('qio_channel_fd_source_funcs', { dispatch: qio_channel_fd_source_dispatch });
