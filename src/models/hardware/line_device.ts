import { bool, int, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { acquire, release, type Mutex } from '../../engine/mutex';
import { running } from '../../engine/running';
import { at, atCall, causedBy, signal, until } from '../../engine/steps';
import { qemu_set_irq, type IRQState } from '../qemu/hw/core/irq';

/**
 * The simplest device that interrupts: a wire that it holds up until the guest writes its one register. A program
 * emulates it, on a thread of its own, and drives the wire under that program's lock.
 */

const DeviceCells = struct('line_device', 'A device that holds its line up until the guest acknowledges.', { line: bool(), asked: int() });

/** A device at the end of a line. */
export type LineDevice = InstanceOf<typeof DeviceCells> & {
  readonly irq: IRQState | undefined;
  readonly bql: Mutex;
  /** The levels that its outside asks for, oldest first, each with the step that asked. */
  readonly wanted: { readonly level: boolean; readonly step: number }[];
};

/** Makes a device at the end of `irq`. */
export const line_device = (name: string, irq: IRQState | undefined, bql: Mutex): LineDevice =>
  Object.assign(DeviceCells(name), { irq, bql, wanted: [] });

const { fn, ops } = source('hardware', 'line_device');

export const ask = fn(
  'Something happens in the outside world that the device tells by its line.',
  function* ask(device: LineDevice, ...levels: readonly boolean[]) {
    device.asked += 1;
    for (const level of levels) device.wanted.push({ level, step: signal('line', 'wanted') });
  },
);

const drive = fn('The wire changes.', function* drive(device: LineDevice, level: boolean) {
  at('line');
  device.line = level;
  yield* qemu_set_irq(device.irq, level ? 1 : 0);
});

const raise_line = fn(
  'The device asks for the guest’s attention: its line goes up, or is up already.',
  function* raise_line(device: LineDevice) {
    yield* acquire(device.bql, 'qemu_mutex_lock_iothread');
    yield* drive(device, true);
    release(device.bql, 'qemu_mutex_unlock_iothread');
  },
);

const lower_line = fn('The device takes its line down by itself.', function* lower_line(device: LineDevice) {
  yield* acquire(device.bql, 'qemu_mutex_lock_iothread');
  yield* drive(device, false);
  release(device.bql, 'qemu_mutex_unlock_iothread');
});

/** The thread that emulates some devices. */
export function device_thread(devices: readonly LineDevice[], thread: string, title: string, priority: number): void {
  const waiting = (): LineDevice | undefined => devices.find(({ wanted }) => wanted.length > 0);
  running().thread(thread, title, 'qemu', priority, function* (): Run {
    for (;;) {
      yield* until(() => waiting() !== undefined);
      const device = waiting()!;
      const { level, step } = device.wanted.shift()!;
      causedBy(step);
      yield* level ? raise_line(device) : lower_line(device);
    }
  });
}

const read_status = fn(
  'The guest reads the register: whether the device asks.',
  function* read_status(device: LineDevice, _addr: number, _size: number) {
    at('line');
    return Number(device.line);
  },
);

const write_acknowledge = fn(
  'The guest writes the register: it has seen to the device, which takes its line down.',
  function* write_acknowledge(device: LineDevice, _addr: number, _data: number, _size: number) {
    atCall('drive');
    yield* drive(device, false);
  },
);

/** What the device's register does. */
export const line_device_ops = ops('line_device_ops', { read: read_status, write: write_acknowledge });
