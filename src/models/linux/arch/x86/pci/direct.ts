import { source } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import type { GuestCpu } from '../../../../guest/cpu';

/** Configuration space by two ports: select the register, then access its data. */

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

const address = (devfn: number, reg: number): number => (0x80000000 | (devfn << 8) | (reg & 0xfc)) >>> 0;

const { fn } = source('linux', 'arch/x86/pci/direct.c');

export const pci_conf1_read = fn(
  'Reads a register of a device on bus 0: selects it by one port, and reads its data from the other.',
  function* pci_conf1_read(cpu: GuestCpu, devfn: number, reg: number, len: number) {
    atCall('outl');
    yield* cpu.out(CONFIG_ADDRESS, 4, address(devfn, reg));
    at('len');
    return yield* cpu.in(CONFIG_DATA + (reg & 3), len);
  },
);

export const pci_conf1_write = fn(
  'Writes a register of a device on bus 0. In a guest each of the two port accesses leaves it.',
  function* pci_conf1_write(cpu: GuestCpu, devfn: number, reg: number, len: number, value: number) {
    atCall('outl');
    yield* cpu.out(CONFIG_ADDRESS, 4, address(devfn, reg));
    at('len');
    yield* cpu.out(CONFIG_DATA + (reg & 3), len, value);
  },
);
