import { hex, means, struct, type InstanceOf } from '../../../../../engine/cell';
import { elements, type Element } from '../../../element';
import type { X86CPU } from '../core/cpu';
import * as lapic_registers from '../../../../hardware/registers/lapic';

/** The local APIC as both forms of it in QEMU share it. */

export const APIC_LVT_TIMER = 0;
export const APIC_LVT_LINT0 = 3;
export const APIC_LVT_LINT1 = 4;
export const APIC_LVT_NB = 6;

export const APIC_LVT_MASKED = 1 << 16;
export const APIC_LVT_LEVEL_TRIGGER = 1 << 15;

export const APIC_DM_FIXED = 0;
export const APIC_DM_LOWPRI = 1;
export const APIC_DM_SMI = 2;
export const APIC_DM_NMI = 4;
export const APIC_DM_INIT = 5;
export const APIC_DM_SIPI = 6;
export const APIC_DM_EXTINT = 7;

export const APIC_SV_DIRECTED_IO = 1 << 12;
export const APIC_SV_ENABLE = 1 << 8;

export const APIC_ESR_ILLEGAL_ADDRESS = 1 << 7;

export const MSR_IA32_APICBASE_BSP = 1 << 8;
export const MSR_IA32_APICBASE_ENABLE = 1 << 11;
export const APIC_DEFAULT_ADDRESS = 0xfee00000;
export const APIC_SPACE_SIZE = 0x100000;

const WORDS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
type VectorSet = 'isr' | 'tmr' | 'irr';

/** The entries of the local vector table, in QEMU’s order. */
const LVTS = ['timer', 'thermal', 'performance', 'lint0', 'lint1', 'error'] as const;
const lvts = Object.fromEntries(LVTS.map((which, n) => [`lvt[${n}]`, lapic_registers.lvt(which, APIC_LVT_MASKED)]));

const APICCommonStateCells = struct(
  'APICCommonState',
  'A local APIC: what is requested and in service, and how the CPU’s two pins are used.',
  {
    apicbase: lapic_registers.apicBase(APIC_DEFAULT_ADDRESS | MSR_IA32_APICBASE_ENABLE),
    id: hex(8),
    tpr: lapic_registers.tpr(8),
    spurious_vec: lapic_registers.svr(),
    log_dest: means('The groups of CPUs that this one is in: the logical destination register.', hex(8)),
    dest_mode: means('How logical destinations are read: 0xf flat, 0 cluster.', hex(8, 0xf)),
    esr: lapic_registers.esr(),
    'icr[0]': lapic_registers.icrLow(),
    'icr[1]': lapic_registers.icrHigh(),
    ...lvts,
    ...lapic_registers.vectorWords('isr', lapic_registers.ISR),
    ...lapic_registers.vectorWords('tmr', lapic_registers.TMR),
    ...lapic_registers.vectorWords('irr', lapic_registers.IRR),
  },
);

export type APICCommonState = InstanceOf<typeof APICCommonStateCells> & {
  readonly cpu: X86CPU;
  readonly version: number;
  readonly isr: readonly Element[];
  readonly tmr: readonly Element[];
  readonly irr: readonly Element[];
  readonly lvt: readonly Element[];
};

/** LVT0 of the boot CPU as firmware leaves it: LINT0 is the PIC's. */
const LVT0_FIRMWARE = APIC_LVT_LEVEL_TRIGGER | (APIC_DM_EXTINT << 8);

/** The local APIC of a CPU: as after reset, or as firmware leaves it for an operating system that knows of PICs only. */
export function apic_common_state(cpu: X86CPU, setup: 'reset' | 'virtual wire' = 'reset'): APICCommonState {
  const { cpu_index } = cpu;
  const bsp = cpu_index === 0 ? MSR_IA32_APICBASE_BSP : 0;
  const cells = APICCommonStateCells(`CPU ${cpu_index}`, {
    id: cpu_index,
    apicbase: (APIC_DEFAULT_ADDRESS | MSR_IA32_APICBASE_ENABLE | bsp) >>> 0,
    ...(setup === 'virtual wire' ? { spurious_vec: APIC_SV_ENABLE | 0xff, 'lvt[3]': LVT0_FIRMWARE } : {}),
  });
  const words = (set: VectorSet) => elements(cells, WORDS.length, (word) => `${set}[${word}]`);
  return Object.assign(cells, {
    cpu,
    version: 0x14,
    isr: words('isr'),
    tmr: words('tmr'),
    irr: words('irr'),
    lvt: elements(cells, APIC_LVT_NB, (n) => `lvt[${n}]`),
  });
}

/** apic_get_bit(): whether a vector is in a set. */
export const apic_get_bit = (tab: readonly Element[], index: number): boolean => ((tab[index >> 5]!.value >>> (index & 31)) & 1) !== 0;

/** apic_set_bit(): puts a vector into a set. */
export function apic_set_bit(tab: readonly Element[], index: number): void {
  tab[index >> 5]!.value |= 1 << (index & 31);
}

/** apic_reset_bit(): takes a vector out of a set. */
export function apic_reset_bit(tab: readonly Element[], index: number): void {
  tab[index >> 5]!.value &= ~(1 << (index & 31));
}

/** get_highest_priority_int(): the highest vector of a set, -1 if it is empty. */
export function get_highest_priority_int(tab: readonly Element[]): number {
  for (let word = 7; word >= 0; word--) {
    const { value } = tab[word]!;
    if (value !== 0) return word * 32 + 31 - Math.clz32(value);
  }
  return -1;
}
