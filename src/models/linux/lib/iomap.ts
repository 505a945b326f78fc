import { source } from '../../../engine/fn';
import { atCall } from '../../../engine/steps';
import type { GuestCpu } from '../../guest/cpu';

/** Device registers that a driver reaches in one way, whether they are ports or memory. */

/** A cookie of pci_iomap(): the low addresses are ports. `cpu` is whose accesses they are. */
export interface IoMem {
  readonly cpu: GuestCpu;
  readonly space: 'port' | 'memory';
  readonly address: number;
}

/** A register behind `base`. */
export const io_offset = ({ cpu, space, address }: IoMem, offset: number): IoMem => ({ cpu, space, address: address + offset });

const { fn } = source('linux', 'lib/iomap.c');

export const ioread8 = fn(
  'Reads a byte from a device: the cookie says whether by an IN instruction or by a load.',
  function* ioread8({ cpu, space, address }: IoMem) {
    atCall(space === 'port' ? 'inb' : 'readb');
    return space === 'port' ? yield* cpu.in(address, 1) : yield* cpu.load(address, 1);
  },
);

export const iowrite8 = fn('Writes a byte to a device.', function* iowrite8(val: number, { cpu, space, address }: IoMem) {
  atCall(space === 'port' ? 'outb' : 'writeb');
  if (space === 'port') yield* cpu.out(address, 1, val);
  else yield* cpu.store(address, 1, val);
});

export const iowrite16 = fn(
  'Writes two bytes to a device: an OUT where the register is a port, a store where it is memory. Either leaves the guest.',
  function* iowrite16(val: number, { cpu, space, address }: IoMem) {
    atCall(space === 'port' ? 'outw' : 'writew');
    if (space === 'port') yield* cpu.out(address, 2, val);
    else yield* cpu.store(address, 2, val);
  },
);
