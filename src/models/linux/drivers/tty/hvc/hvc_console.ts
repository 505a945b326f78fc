import { bool, int, struct, type InstanceOf } from '../../../../../engine/cell';
import { source, through, type Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, behind } from '../../../../../engine/steps';
import { spin_lock_irqsave, spin_unlock_irqrestore, type GuestCpu } from '../../../../guest/cpu';
import { EAGAIN } from '../../../errno';
import type { Port } from '../../char/virtio_console';

/** hvc: the tty in front of consoles that a hypervisor provides. */

const HvcCells = struct('hvc_struct', 'A hypervisor console: what waits to be written, and what the tty has been given.', {
  n_outbuf: int(),
  do_wakeup: bool(),
  read_total: int(),
});

export type HvcStruct = InstanceOf<typeof HvcCells> & {
  /** The console behind the number. */
  readonly vtermno: Port;
  readonly cpu: GuestCpu;
  readonly ops: {
    readonly put_chars: Pointer<[vtermno: Port, buf: string], number>;
    readonly get_chars: Pointer<[vtermno: Port], string>;
  };
  outbuf: string;
};

const { fn } = source('linux', 'drivers/tty/hvc/hvc_console.c');

export const hvc_alloc = fn(
  'Makes the tty of a console: `/dev/hvc0`, for the first one.',
  function* hvc_alloc(vtermno: Port, cpu: GuestCpu, ops: HvcStruct['ops']): Run<HvcStruct> {
    at('vtermno');
    return Object.assign(HvcCells('hvc0'), { vtermno, cpu, ops, outbuf: '' });
  },
);

const hvc_push = fn(
  'Hands what waits to the driver. What the driver does not take stays, and is tried again later.',
  function* hvc_push(hp: HvcStruct) {
    const n = yield* through('function pointer', 'put_chars', hp.ops.put_chars)(hp.vtermno, hp.outbuf);
    if (n === 0 || n === -EAGAIN) {
      hp.do_wakeup = true;
      return 0;
    }
    hp.outbuf = n < 0 ? '' : hp.outbuf.slice(n);
    hp.n_outbuf = hp.outbuf.length;
    if (hp.n_outbuf === 0) {
      behind('do_wakeup');
      hp.do_wakeup = true;
    }
    return n;
  },
);

const hvc_kick = fn('Wakes the thread that polls consoles and pushes what is left.', function* hvc_kick() {
  atCall('wake_up_process', 'khvcd finds the queues empty and goes back to sleep.');
});

export const hvc_write = fn(
  'A write to `/dev/hvc0`. The console’s lock is held with interrupts off until the driver has returned.',
  function* hvc_write(hp: HvcStruct, buf: string) {
    const flags = yield* spin_lock_irqsave(hp.cpu);
    hp.outbuf += buf;
    hp.n_outbuf += buf.length;
    yield* hvc_push(hp);
    yield* spin_unlock_irqrestore(hp.cpu, flags);
    yield* hvc_kick();
    return buf.length;
  },
);

const __hvc_poll = fn('Pushes what waits, and reads until the driver has nothing more.', function* __hvc_poll(hp: HvcStruct) {
  const flags = yield* spin_lock_irqsave(hp.cpu);
  if (hp.n_outbuf > 0) yield* hvc_push(hp);
  let read_total = 0;
  for (;;) {
    const read = yield* through('function pointer', 'get_chars', hp.ops.get_chars)(hp.vtermno);
    if (read.length === 0) break;
    atCall('tty_insert_flip_char');
    read_total += read.length;
  }
  if (hp.do_wakeup) hp.do_wakeup = false;
  behind('do_wakeup');
  yield* spin_unlock_irqrestore(hp.cpu, flags);
  if (read_total > 0) {
    behind('HVC_ATOMIC_READ_MAX');
    at('read_total', 'Whoever reads the tty gets the characters now.');
    hp.read_total += read_total;
  }
  return 0;
});

export const hvc_poll = fn('A console’s interrupt: reads what has come.', function* hvc_poll(hp: HvcStruct) {
  return yield* __hvc_poll(hp);
});
