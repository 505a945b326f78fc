import { bits, bool, hex, int, means, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import { irqchip_split, type KvmVcpu } from '../../../virt/kvm/kvm_types';
import { hrtimer, type Hrtimer } from '../../../kernel/time/hrtimer';
import type { KvmIoDevice } from '../../../include/kvm/iodev';
import * as apicdef from '../include/asm/apicdef';
import { lapic_device } from './lapic';
import * as lapic_registers from '../../../../hardware/registers/lapic';

/** What KVM keeps of a local APIC: the register page that the guest sees, and what it remembers beside it. */

const PAGE = {
  APIC_ID: lapic_registers.id(),
  APIC_LVR: hex(32),
  APIC_TASKPRI: lapic_registers.tpr(),
  APIC_PROCPRI: lapic_registers.ppr(),
  APIC_LDR: lapic_registers.ldr(),
  APIC_DFR: lapic_registers.dfr(apicdef.APIC_DFR_FLAT),
  APIC_SPIV: lapic_registers.svr(),
  ...lapic_registers.vectorWords('APIC_ISR', lapic_registers.ISR),
  ...lapic_registers.vectorWords('APIC_TMR', lapic_registers.TMR),
  ...lapic_registers.vectorWords('APIC_IRR', lapic_registers.IRR),
  APIC_ESR: lapic_registers.esr(),
  APIC_ICR: lapic_registers.icrLow(),
  APIC_ICR2: lapic_registers.icrHigh(),
  APIC_LVTT: lapic_registers.lvt('timer'),
  APIC_LVTTHMR: lapic_registers.lvt('thermal'),
  APIC_LVTPC: lapic_registers.lvt('performance'),
  APIC_LVT0: lapic_registers.lvt('lint0'),
  APIC_LVT1: lapic_registers.lvt('lint1'),
  APIC_LVTERR: lapic_registers.lvt('error'),
  APIC_TMICT: means('Timer initial count: what the timer counts down from; 0 stops it.', hex(32)),
  APIC_TDCR: means('Timer divide configuration: how slowly the timer counts.', hex(32)),
} as const;

/** A register of the page, by its name; the 256-bit ones in words. */
export type ApicRegister = keyof typeof PAGE;

/** Every register of the page, in the order of the page. */
export const APIC_REGISTERS = Object.keys(PAGE) as readonly ApicRegister[];

const LapicCells = struct('kvm_lapic', 'A local APIC: vectors requested, in service, and which of them are level-triggered.', {
  ...PAGE,
  base_address: hex(32, apicdef.APIC_DEFAULT_PHYS_BASE),
  apicv_active: means('The CPU delivers and ends interrupts by itself (APICv, AVIC); IRR and ISR are then its own.', bool()),
  sw_enabled: means('The spurious-interrupt vector register says that the APIC is on.', bool()),
  irr_pending: means('IRR may have a bit set: without it the search is spared.', bool()),
  lvt0_in_nmi_mode: means('LINT0 is wired as an NMI: the timer’s watchdog of old.', bool()),
  isr_count: means('How many bits ISR has set; with APICv always 1, as the CPU sets them unseen.', int()),
  highest_isr_cache: means('The highest vector in service, if known; -1: to be searched for.', int(-1)),
  pending_events: bits(32, ['KVM_APIC_INIT', 'KVM_APIC_SIPI']),
  sipi_vector: hex(8),
  divide_count: int(2),
  'lapic_timer.period': int(),
  'lapic_timer.target_expiration': int(),
  'lapic_timer.timer_mode': oneOf({ APIC_LVT_TIMER_ONESHOT: 0, APIC_LVT_TIMER_PERIODIC: apicdef.APIC_LVT_TIMER_PERIODIC }, 0),
  'lapic_timer.pending': int(),
});

export type KvmLapic = InstanceOf<typeof LapicCells> & {
  readonly vcpu: KvmVcpu;
  /** What a load or store of its page reaches. */
  readonly dev: KvmIoDevice;
  readonly lapic_timer: { readonly timer: Hrtimer };
};

/** How many entries the local vector table has: a machine-check interrupt is not offered. */
export const NR_LVT_ENTRIES = 6;
const APIC_VERSION = 0x14;

/** The registers by their offset into the page; a reserved offset has none. */
const AT_OFFSET: ReadonlyMap<number, ApicRegister> = new Map(
  APIC_REGISTERS.map((name) => {
    const [, base = name, word = '0'] = /^(\w+)\[(\d)\]$/.exec(name) ?? [];
    return [(apicdef as Readonly<Record<string, number>>)[base]! + 16 * Number(word), name];
  }),
);

/** The register at an offset into the page, or undefined. */
export const registerAt = (offset: number): ApicRegister | undefined => AT_OFFSET.get(offset);

/** Whether the guest's kernel has set the local APIC up already, or nobody has touched it since the reset. */
export type ApicSetup = 'booted' | 'reset';

/**
 * Makes a vCPU's local APIC: as a reset leaves it, or as a Linux guest does: enabled, logical IDs flat (or those that
 * x2APIC derives from the ID), LINT0 masked on all but the first.
 */
export function kvm_lapic(vcpu: KvmVcpu, setup: ApicSetup, apicv_active: boolean): KvmLapic {
  const { vcpu_id } = vcpu;
  const x2apic = (vcpu['arch.apic_base'] & apicdef.X2APIC_ENABLE) !== 0;
  const booted = setup === 'booted';
  const cells = LapicCells(`vCPU ${vcpu_id}`, {
    APIC_ID: x2apic ? vcpu_id : (vcpu_id << 24) >>> 0,
    // An EOI can be kept from the I/O APIC only if that has a register of its own for it: KVM's has none.
    APIC_LVR: APIC_VERSION | ((NR_LVT_ENTRIES - 1) << 16) | (irqchip_split(vcpu.kvm) ? apicdef.APIC_LVR_DIRECTED_EOI : 0),
    APIC_LVT0: !booted && vcpu_id === 0 ? apicdef.APIC_DM_EXTINT : apicdef.APIC_LVT_MASKED,
    ...(booted ? { APIC_SPIV: 0xff | apicdef.APIC_SPIV_APIC_ENABLED, sw_enabled: true } : {}),
    ...(booted ? { APIC_LDR: x2apic ? x2apic_ldr(vcpu_id) : ((1 << vcpu_id) << 24) >>> 0 } : {}),
    ...(apicv_active ? { apicv_active, irr_pending: true, isr_count: 1 } : {}),
  });
  const apic: KvmLapic = Object.assign(cells, {
    vcpu,
    dev: lapic_device(() => apic),
    lapic_timer: { timer: hrtimer(`vCPU ${vcpu_id} lapic_timer`) },
  });
  return apic;
}

/** kvm_apic_calc_x2apic_ldr(): the logical ID that an x2APIC ID implies. */
export const x2apic_ldr = (id: number): number => (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;

/** apic_x2apic_mode(). */
export const apic_x2apic_mode = (apic: KvmLapic): boolean => (apic.vcpu['arch.apic_base'] & apicdef.X2APIC_ENABLE) !== 0;

/** kvm_apic_hw_enabled(): not switched off in IA32_APIC_BASE. */
export const kvm_apic_hw_enabled = (apic: KvmLapic): boolean => (apic.vcpu['arch.apic_base'] & apicdef.MSR_IA32_APICBASE_ENABLE) !== 0;

/** kvm_apic_present(). */
export const kvm_apic_present = (vcpu: KvmVcpu): boolean => kvm_apic_hw_enabled(vcpu.apic);

/** kvm_apic_sw_enabled(): not switched off in the spurious-vector register. */
export const kvm_apic_sw_enabled = (apic: KvmLapic): boolean => apic.sw_enabled;

/** apic_enabled(): neither in software nor in hardware switched off. */
export const apic_enabled = (apic: KvmLapic): boolean => apic.sw_enabled && kvm_apic_hw_enabled(apic);

/** kvm_xapic_id(): the ID that the guest may have changed. */
export const kvm_xapic_id = (apic: KvmLapic): number => apic.APIC_ID >>> 24;

/** kvm_x2apic_id(): the ID that it may not. */
export const kvm_x2apic_id = (apic: KvmLapic): number => apic.vcpu.vcpu_id;

/** kvm_lapic_readable_reg_mask(): EOI and self-IPI can only be written; arbitration, DFR and ICR2 are xAPIC's. */
export function isReadable(apic: KvmLapic, offset: number): boolean {
  const aligned = offset & ~0xf;
  if (aligned === apicdef.APIC_ARBPRI) return !apic_x2apic_mode(apic);
  if (aligned === apicdef.APIC_TMCCT) return true;
  const register = registerAt(aligned);
  return register !== undefined && !(apic_x2apic_mode(apic) && (register === 'APIC_DFR' || register === 'APIC_ICR2'));
}

/** What a write may set in each entry of the local vector table. */
const LVT_MASK = apicdef.APIC_LVT_MASKED | apicdef.APIC_SEND_PENDING | apicdef.APIC_VECTOR_MASK;
const LINT_MASK =
  LVT_MASK | apicdef.APIC_MODE_MASK | apicdef.APIC_INPUT_POLARITY | apicdef.APIC_LVT_REMOTE_IRR | apicdef.APIC_LVT_LEVEL_TRIGGER;
export const apic_lvt_mask = {
  APIC_LVTT: LVT_MASK | apicdef.APIC_LVT_TIMER_PERIODIC,
  APIC_LVTTHMR: LVT_MASK | apicdef.APIC_MODE_MASK,
  APIC_LVTPC: LVT_MASK | apicdef.APIC_MODE_MASK,
  APIC_LVT0: LINT_MASK,
  APIC_LVT1: LINT_MASK,
  APIC_LVTERR: LVT_MASK,
} as const;
/** The entries of the local vector table. */
export const LVT = Object.keys(apic_lvt_mask) as readonly (keyof typeof apic_lvt_mask)[];

/** Whether IA32_APIC_BASE may hold a value: no reserved bit, not x2APIC without being on, and no way around being off. */
export const isValidBase = (old_value: number, value: number): boolean => {
  const ON = apicdef.MSR_IA32_APICBASE_ENABLE;
  const mode = value & (ON | apicdef.X2APIC_ENABLE);
  const old_mode = old_value & (ON | apicdef.X2APIC_ENABLE);
  if ((value & 0x2ff) !== 0 || mode === apicdef.X2APIC_ENABLE) return false;
  return !(old_mode === (ON | apicdef.X2APIC_ENABLE) && mode === ON) && !(old_mode === 0 && mode === (ON | apicdef.X2APIC_ENABLE));
};
