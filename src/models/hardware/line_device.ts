import { bool, int, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import type { Run } from '../../engine/machine';
import { acquire, release, type Mutex } from '../../engine/mutex';
import { running } from '../../engine/running';
import { at, atCall, causedBy, signal, until } from '../../engine/steps';
import type { AddressSpace } from '../qemu/include/exec/memory';
import { address_space_st } from '../qemu/softmmu/physmem';
import { qemu_set_irq, type IRQState } from '../qemu/hw/core/irq';

/**
 * The simplest device that interrupts: a wire that it holds up until the guest writes its one register, and messages,
 * which it forgets. A program emulates it, on a thread of its own, and does either under that program's lock.
 */

const DeviceCells = struct('line_device', 'A device that holds its line up until the guest acknowledges.', { line: bool(), asked: int() });

/** What a device may be made to do: drive its wire up or down, or send a message. */
export type Doing = boolean | { readonly address: number; readonly data: number };

/** A device at the end of a line. */
export type LineDevice = InstanceOf<typeof DeviceCells> & {
  readonly irq: IRQState | undefined;
  readonly bql: Mutex;
  /** Where its messages go. */
  readonly memory: AddressSpace;
  /** What its outside asks for, oldest first, each with the step that asked. */
  readonly wanted: { readonly what: Doing; readonly step: number }[];
};

/** Makes a device at the end of `irq`, which sends its messages into `memory`. */
export const line_device = (name: string, irq: IRQState | undefined, bql: Mutex, memory: AddressSpace): LineDevice =>
  Object.assign(DeviceCells(name), { irq, bql, memory, wanted: [] });

const { fn, ops } = source('hardware', 'line_device');

export const ask = fn(
  'Something happens in the outside world that the device tells the guest.',
  function* ask(device: LineDevice, ...what: readonly Doing[]) {
    device.asked += 1;
    for (const each of what) device.wanted.push({ what: each, step: signal('line', 'wanted') });
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

const send_message = fn(
  'The device interrupts without a wire: it stores to an address that is no memory, but the local APICs’.',
  function* send_message(device: LineDevice, address: number, data: number) {
    yield* acquire(device.bql, 'qemu_mutex_lock_iothread');
    yield* address_space_st('stl_le_phys', device.bql, device.memory, address, data, 4);
    release(device.bql, 'qemu_mutex_unlock_iothread');
  },
);

/** The thread that emulates some devices. */
export function device_thread(devices: readonly LineDevice[], thread: string, title: string, priority: number): void {
  const waiting = (): LineDevice | undefined => devices.find(({ wanted }) => wanted.length > 0);
  running().thread(thread, title, 'qemu', priority, function* (): Run {
    for (;;) {
      yield* until(() => waiting() !== undefined);
      const device = waiting()!;
      const { what, step } = device.wanted.shift()!;
      causedBy(step);
      if (typeof what === 'object') yield* send_message(device, what.address, what.data);
      else yield* what ? raise_line(device) : lower_line(device);
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
