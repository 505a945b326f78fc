import { createRequire } from 'node:module';
import path from 'node:path';
import { V86 } from 'v86';
import type { Chips } from './operations';

/**
 * v86's interrupt controllers. They are compiled to WebAssembly and reached as its CPU reaches them: by the functions that carry out an
 * OUT, an IN, an access to memory, and the CPU's look at its interrupt line. Its scheduler, and the machine around, stay off.
 */

interface Exports {
  /** OUT and IN with an immediate port; the byte is in AL. */
  instr_E6(port: number): void;
  instr_E4(port: number): void;
  write32(address: number, value: number): void;
  read32s(address: number): number;
  device_raise_irq(pin: number): void;
  device_lower_irq(pin: number): void;
  /** Takes an interrupt if there is one and IF is set. */
  handle_irqs(): void;
}

interface Cpu {
  readonly wm: { readonly exports: Exports };
  readonly wasm_memory: { readonly buffer: ArrayBuffer };
}

/** Where v86 keeps registers, as 32-bit words of its memory. */
const [EAX, ESP, EFLAGS, EIP] = [16, 20, 30, 139];
const IF = 0x200;
/** HLT, wherever its CPU looks. */
const BIOS = new Uint8Array(0x10000).fill(0xf4).buffer;
const MEMORY_BYTES = 2 << 20;
const STACK = 0x8000;

/** v86's pair of 8259s. */
export async function v86Pics(): Promise<Chips> {
  const { cpu, words, line, acknowledge } = await v86();
  return {
    write(port, value) {
      words[EAX] = value;
      cpu.instr_E6(port);
    },
    read(port) {
      cpu.instr_E4(port);
      return words[EAX]! & 0xff;
    },
    line,
    acknowledge,
  };
}

/** v86's I/O APIC and local APIC. Lines reach its 8259s as well, which are masked. */
export async function v86Apics(): Promise<Chips> {
  const { cpu, words, line, acknowledge } = await v86();
  words[EAX] = 0xff;
  for (const port of PIC_MASKS) cpu.instr_E6(port);
  return {
    write: (address, value) => cpu.write32(address | 0, value),
    read: (address) => cpu.read32s(address | 0) >>> 0,
    line,
    acknowledge,
  };
}

const PIC_MASKS = [0x21, 0xa1];

/** Starts v86 without running anything on it. */
async function v86() {
  const wasm_path = path.join(path.dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm');
  const options = {
    wasm_path,
    bios: { buffer: BIOS },
    memory_size: MEMORY_BYTES,
    autostart: false,
    acpi: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
  };
  const emulator = new V86(options);
  await new Promise<void>((resolve) => emulator.add_listener('emulator-ready', () => resolve()));
  const { wm, wasm_memory } = (emulator as unknown as { readonly v86: { readonly cpu: Cpu } }).v86.cpu;
  const cpu = wm.exports;
  const words = new Int32Array(wasm_memory.buffer);
  // In real mode: the handler of a vector is at the address that is its number.
  for (let vector = 0; vector < 256; vector++) cpu.write32(4 * vector, vector);

  function acknowledge(): number {
    words[ESP] = STACK;
    words[EFLAGS] = words[EFLAGS]! | IF;
    cpu.handle_irqs();
    const taken = (words[EFLAGS] & IF) === 0;
    words[EFLAGS] = words[EFLAGS] & ~IF;
    return taken ? words[EIP]! : -1;
  }
  function line(pin: number, level: 0 | 1): void {
    if (level === 1) cpu.device_raise_irq(pin);
    else cpu.device_lower_irq(pin);
  }
  return { cpu, words, line, acknowledge };
}
