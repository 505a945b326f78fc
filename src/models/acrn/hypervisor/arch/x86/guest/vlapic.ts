import { hex, int, struct, type Field, type InstanceOf } from '../../../../../../engine/cell';
import { source, through, type Fn, type OpsTable } from '../../../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../../../engine/steps';
import { bitmap, bitmap_assign, bitmap_test, highest_above_31 } from '../../../bitmaps';
import { signal_event } from '../../../common/event';
import { vioapic_broadcast_eoi } from '../../../dm/vioapic';
import { IOAPIC_RTE_DELMODE_EXINT, IOAPIC_RTE_DELMODE_FIXED, IOAPIC_RTE_DELMODE_LOPRI } from '../../../include/arch/x86/asm/apicreg';
import { ACRN_REQUESTS, type AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import { VPIC_WIRE_MODES, type AcrnVm } from '../../../include/arch/x86/asm/guest/vm';
import { on_pcpu, type Pcpu } from '../../../include/arch/x86/asm/per_cpu';
import { send_single_ipi } from '../lapic';
import { vcpu_clear_eoi_exit_bitmap, vcpu_set_eoi_exit_bitmap } from './vcpu';
import { vcpu_inject_extint, vcpu_inject_nmi, vcpu_make_request, VMX_INT_INFO_VALID } from './virq';
import * as lapic_registers from '../../../../../hardware/registers/lapic';

/** The hypervisor's local APICs: accepting messages, priorities, giving a vector to the CPU, ending it. */

export const BROADCAST_CPU_ID = 0xfffe;

export const APIC_LVT_TIMER = 0;
export const APIC_LVT_THERMAL = 1;
export const APIC_LVT_PMC = 2;
export const APIC_LVT_LINT0 = 3;
export const APIC_LVT_LINT1 = 4;
export const APIC_LVT_ERROR = 5;
export const APIC_LVT_CMCI = 6;
const LVTS = [0, 1, 2, 3, 4, 5, 6] as const;
type LvtIndex = (typeof LVTS)[number];
/** The entries of the local vector table, in ACRN’s order. */
const LVT_NAMES = ['timer', 'thermal', 'performance', 'lint0', 'lint1', 'error', 'cmci'] as const;

const APIC_LVT_VECTOR = 0xff;
const APIC_LVT_DM = 0x700;
const APIC_LVT_DM_FIXED = 0x000;
const APIC_LVT_DM_NMI = 0x400;
const APIC_LVT_DM_EXTINT = 0x700;
const APIC_LVT_DS = 0x1000;
const APIC_LVT_IIPP = 0x2000;
const APIC_LVT_RIRR = 0x4000;
const APIC_LVT_TM = 0x8000;
const APIC_LVT_M = 0x10000;
const APIC_LVTT_TM = 0x60000;

const APIC_SVR_ENABLE = 0x100;
const APIC_SVR_VECTOR = 0xff;
const APIC_ESR_SEND_ILLEGAL_VECTOR = 0x20;
const APIC_ESR_RECEIVE_ILLEGAL_VECTOR = 0x40;
const APICBASE_X2APIC = 0x400;
const APICBASE_ENABLED = 0x800;
const VLAPIC_VERSION = 0x10 | (APIC_LVT_CMCI << 16);

const APIC_DELMODE_FIXED = 0x000;
const APIC_DELMODE_NMI = 0x400;
const APIC_DELMODE_INIT = 0x500;
const APIC_DELMODE_STARTUP = 0x600;
const APIC_DESTMODE_LOG = 0x800;
const APIC_DELSTAT_PEND = 0x1000;
const APIC_DEST_MASK = 0xc0000;
const APIC_DEST_SELF = 0x40000;
const APIC_DEST_ALLISELF = 0x80000;
const APIC_DEST_ALLESELF = 0xc0000;
const EACCES = 13;
const EINVAL = 22;

/** Register offsets in the APIC page. */
const OFFSET = {
  ID: 0x20,
  VER: 0x30,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR0: 0x100,
  TMR0: 0x180,
  IRR0: 0x200,
  ESR: 0x280,
  CMCI_LVT: 0x2f0,
  ICR_LOW: 0x300,
  ICR_HI: 0x310,
  TIMER_LVT: 0x320,
  ERROR_LVT: 0x370,
  TIMER_ICR: 0x380,
  TIMER_CCR: 0x390,
  TIMER_DCR: 0x3e0,
  SELF_IPI: 0x3f0,
} as const;

const VlapicCells = struct('acrn_vlapic', 'A local APIC: vectors requested, in service, and which of them are level-triggered.', {
  msr_apicbase: lapic_registers.apicBase(0xfee00000 | APICBASE_ENABLED),
  'apic_page.id': lapic_registers.id(),
  'apic_page.tpr': lapic_registers.tpr(8),
  'apic_page.ppr': lapic_registers.ppr(8),
  'apic_page.ldr': lapic_registers.ldr(),
  'apic_page.dfr': lapic_registers.dfr(0xffffffff),
  'apic_page.svr': lapic_registers.svr(APIC_SVR_VECTOR),
  ...bitmap('apic_page.isr', lapic_registers.ISR),
  ...bitmap('apic_page.tmr', lapic_registers.TMR),
  ...bitmap('apic_page.irr', lapic_registers.IRR),
  'apic_page.esr': lapic_registers.esr(),
  'apic_page.icr_lo': lapic_registers.icrLow(),
  'apic_page.icr_hi': lapic_registers.icrHigh(),
  ...lvts('apic_page.lvt'),
  'apic_page.icr_timer': hex(32),
  'apic_page.dcr_timer': hex(32),
  'apic_page.self_ipi': hex(32),
  isrv: hex(8),
  svr_last: hex(32, APIC_SVR_VECTOR),
  ...lvts('lvt_last'),
  esr_pending: hex(32),
  esr_firing: int(),
  'vtimer.mode': hex(32),
  'vtimer.tmicr': hex(32),
  'vtimer.divisor_shift': int(1),
});

function lvts<N extends string>(name: N): { readonly [K in `${N}[${LvtIndex}]`]: Field<number> } {
  return Object.fromEntries(LVT_NAMES.map((which, index) => [`${name}[${index}]`, lapic_registers.lvt(which, APIC_LVT_M)])) as {
    [K in `${N}[${LvtIndex}]`]: Field<number>;
  };
}

/** What a CPU with or without posted interrupts does differently: `acrn_apicv_ops`. */
export type AcrnApicvOps = OpsTable<{
  readonly accept_intr: Fn<[vcpu: AcrnVcpu, vector: number, level: boolean], void>;
  readonly inject_intr: Fn<[vcpu: AcrnVcpu, guest_irq_enabled: boolean, injected: boolean], void>;
  readonly has_pending_delivery_intr: Fn<[vcpu: AcrnVcpu], boolean>;
  readonly has_pending_intr: Fn<[vcpu: AcrnVcpu], boolean>;
  readonly x2apic_read_msr_may_valid: Fn<[offset: number], boolean>;
  readonly x2apic_write_msr_may_valid: Fn<[offset: number], boolean>;
}>;

export type AcrnVlapic = InstanceOf<typeof VlapicCells> & { readonly vapic_id: number; readonly ops: AcrnApicvOps };

/** Makes a local APIC as vlapic_create() and a power-on reset leave it: enabled by its MSR, not yet by software. */
export const acrn_vlapic = (name: string, vapic_id: number, ops: AcrnApicvOps): AcrnVlapic =>
  Object.assign(VlapicCells(name, { 'apic_page.id': (vapic_id << 24) >>> 0 }), { vapic_id, ops });

const lvtIndexAt = (offset: number): LvtIndex =>
  offset === OFFSET.CMCI_LVT ? APIC_LVT_CMCI : (((offset - OFFSET.TIMER_LVT) >> 4) as LvtIndex);
const isLvt = (offset: number): boolean =>
  offset === OFFSET.CMCI_LVT || (offset >= OFFSET.TIMER_LVT && offset <= OFFSET.ERROR_LVT && (offset & 0xf) === 0);
const prio = (vector: number): number => vector >> 4;

const { fn, ops } = source('acrn', 'hypervisor/arch/x86/guest/vlapic.c');

const is_x2apic_enabled = fn('Whether the guest switched its local APIC to x2APIC mode.', function* is_x2apic_enabled(vlapic: AcrnVlapic) {
  at('APICBASE_X2APIC');
  return (vlapic.msr_apicbase & APICBASE_X2APIC) !== 0;
});

const vlapic_enabled = fn(
  'Whether messages reach the local APIC: it is enabled by its MSR and by software.',
  function* vlapic_enabled(vlapic: AcrnVlapic) {
    at('svr');
    return (vlapic.msr_apicbase & APICBASE_ENABLED) !== 0 && (vlapic['apic_page.svr'] & APIC_SVR_ENABLE) !== 0;
  },
);

const vlapic_set_tmr = fn(
  'The vector’s trigger mode, as of the message that was accepted last. An EOI of a level vector has to exit, so that the vIOAPIC hears of it.',
  function* vlapic_set_tmr(vcpu: AcrnVcpu, vector: number, level: boolean) {
    at('tmrptr');
    const was = bitmap_assign(vcpu.vlapic, 'apic_page.tmr', vector, level);
    if (level && !was) yield* vcpu_set_eoi_exit_bitmap(vcpu, vector);
    if (!level && was) yield* vcpu_clear_eoi_exit_bitmap(vcpu, vector);
  },
);

const apicv_basic_accept_intr = fn(
  'Requests the vector in the APIC page, and makes the vCPU look. A vector that is requested already changes nothing, not even the trigger mode.',
  function* apicv_basic_accept_intr(vcpu: AcrnVcpu, vector: number, level: boolean) {
    atCall('bitmap32_test_and_set_lock');
    if (bitmap_assign(vcpu.vlapic, 'apic_page.irr', vector, true)) return;
    yield* vlapic_set_tmr(vcpu, vector, level);
    yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EVENT');
  },
);

const apicv_set_intr_ready = fn(
  'Posts the vector in the descriptor. A notification is due only for a new vector, and only if none is outstanding.',
  function* apicv_set_intr_ready(vcpu: AcrnVcpu, vector: number) {
    atCall('bitmap_test_and_set_lock', 'pir');
    if (bitmap_assign(vcpu.pid, 'pir', vector, true) || vcpu.pid.POSTED_INTR_ON) return false;
    at('POSTED_INTR_ON');
    vcpu.pid.POSTED_INTR_ON = true;
    return true;
  },
);

const apicv_trigger_pi_anv = fn(
  'Sends the notification vector: a CPU that runs guest code takes the posted vectors without leaving it.',
  function* apicv_trigger_pi_anv(dest: Pcpu) {
    yield* send_single_ipi(dest, 'POSTED_INTR_VECTOR');
  },
);

const apicv_advanced_accept_intr = fn(
  'Posts the vector for a CPU that takes it by itself, and asks for a look at the next entry in case that it is not running now.',
  function* apicv_advanced_accept_intr(vcpu: AcrnVcpu, vector: number, level: boolean) {
    yield* vlapic_set_tmr(vcpu, vector, level);
    if (!(yield* apicv_set_intr_ready(vcpu, vector))) return;
    at('ACRN_REQUEST_EVENT');
    vcpu['arch.pending_req'] |= 1 << ACRN_REQUESTS.ACRN_REQUEST_EVENT;
    if (!on_pcpu(vcpu.pcpu)) yield* apicv_trigger_pi_anv(vcpu.pcpu);
  },
);

const vlapic_accept_intr = fn(
  'The local APIC accepts a message, unless software switched it off; then the message is lost.',
  function* vlapic_accept_intr(vcpu: AcrnVcpu, vector: number, level: boolean) {
    const { vlapic } = vcpu;
    at('APIC_SVR_ENABLE');
    if (!(vlapic['apic_page.svr'] & APIC_SVR_ENABLE)) return;
    yield* through('function pointer', 'accept_intr', vlapic.ops.accept_intr)(vcpu, vector, level);
    yield* signal_event(vcpu.events.VCPU_EVENT_VIRTUAL_INTERRUPT);
  },
);

const vlapic_set_error = fn(
  'Notes an error, and interrupts if the error entry is open. An error while reporting one reports nothing.',
  function* vlapic_set_error(vcpu: AcrnVcpu, mask: number) {
    const { vlapic } = vcpu;
    vlapic.esr_pending |= mask;
    if (vlapic.esr_firing !== 0) return;
    vlapic.esr_firing = 1;
    const lvt = vlapic[`lvt_last[${APIC_LVT_ERROR}]`];
    const vec = lvt & APIC_LVT_VECTOR;
    if (!(lvt & APIC_LVT_M) && vec >= 16) yield* vlapic_accept_intr(vcpu, vec, false);
    atWrite('esr_firing', 'vlapic_accept_intr');
    vlapic.esr_firing = 0;
  },
);

export const vlapic_set_intr = fn(
  'Hands a vector to one local APIC. Vectors below 16 are an error.',
  function* vlapic_set_intr(vcpu: AcrnVcpu, vector: number, level: boolean) {
    if (vector < 16) yield* vlapic_set_error(vcpu, APIC_ESR_RECEIVE_ILLEGAL_VECTOR);
    else yield* vlapic_accept_intr(vcpu, vector, level);
  },
);

const is_dest_field_matched = fn(
  'Whether a logical destination means this local APIC: a bit mask, or a cluster and a bit mask in it.',
  function* is_dest_field_matched(vlapic: AcrnVlapic, dest: number) {
    const ldr = vlapic['apic_page.ldr'];
    if (yield* is_x2apic_enabled(vlapic)) return ldr >>> 16 === dest >>> 16 && (ldr & dest & 0xffff) !== 0;
    at('dfr');
    switch (vlapic['apic_page.dfr'] >>> 28) {
      case 0xf:
        return ((ldr >>> 24) & dest & 0xff) !== 0;
      case 0x0:
        return ldr >>> 28 === ((dest >>> 4) & 0xf) && ((ldr >>> 24) & dest & 0xf) !== 0;
      default:
        return false;
    }
  },
);

/** The one with the lowest processor priority; the first of several. */
const lowestPriority = (vcpus: readonly AcrnVcpu[]): readonly AcrnVcpu[] =>
  vcpus.toSorted((a, b) => a.vlapic['apic_page.ppr'] - b.vlapic['apic_page.ppr']).slice(0, 1);

const vlapic_calc_dest_noshort = fn(
  'The vCPUs that a destination addresses. Lowest priority chooses among them, but only in logical mode.',
  function* vlapic_calc_dest_noshort(vm: AcrnVm, is_broadcast: boolean, dest: number, phys: boolean, lowprio: boolean) {
    at('is_broadcast');
    if (is_broadcast) return vm.vcpu_array;
    if (phys) return vm.vcpu_array.filter(({ vlapic }) => vlapic.vapic_id === dest).slice(0, 1);
    const matched: AcrnVcpu[] = [];
    for (const vcpu of vm.vcpu_array) if (yield* is_dest_field_matched(vcpu.vlapic, dest)) matched.push(vcpu);
    return lowprio ? lowestPriority(matched) : matched;
  },
);

const vlapic_calc_dest = fn(
  'The vCPUs that an inter-processor interrupt addresses, by a shorthand or by a destination.',
  function* vlapic_calc_dest(vcpu: AcrnVcpu, shorthand: number, is_broadcast: boolean, dest: number, phys: boolean) {
    const { vm } = vcpu;
    at('shorthand');
    switch (shorthand) {
      case APIC_DEST_SELF:
        return [vcpu];
      case APIC_DEST_ALLISELF:
        return vm.vcpu_array;
      case APIC_DEST_ALLESELF:
        return vm.vcpu_array.filter((other) => other !== vcpu);
      default:
        return yield* vlapic_calc_dest_noshort(vm, is_broadcast, dest, phys, false);
    }
  },
);

export const vlapic_receive_intr = fn(
  'Delivers a message of the vIOAPIC or an MSI. Modes other than fixed, lowest priority and ExtINT are dropped.',
  function* vlapic_receive_intr(vm: AcrnVm, level: boolean, dest: number, phys: boolean, delmode: number, vec: number, rh: boolean) {
    at('delmode');
    if (delmode !== IOAPIC_RTE_DELMODE_FIXED && delmode !== IOAPIC_RTE_DELMODE_LOPRI && delmode !== IOAPIC_RTE_DELMODE_EXINT) return;
    const lowprio = delmode === IOAPIC_RTE_DELMODE_LOPRI || rh;
    for (const target of yield* vlapic_calc_dest_noshort(vm, false, dest, phys, lowprio)) {
      if (!(yield* vlapic_enabled(target.vlapic))) continue;
      if (delmode === IOAPIC_RTE_DELMODE_EXINT) yield* vcpu_inject_extint(target);
      else yield* vlapic_set_intr(target, vec, level);
    }
  },
);

const inject_msi_for_non_lapic_pt = fn(
  'Takes an MSI’s address and data apart. Its trigger mode is ignored: MSIs are edges.',
  function* inject_msi_for_non_lapic_pt(vm: AcrnVm, addr: number, msg: number) {
    at('addr_base');
    if (addr >>> 20 !== 0xfee) return -1;
    const phys = ((addr >>> 2) & 1) === 0;
    const rh = ((addr >>> 3) & 1) === 1;
    yield* vlapic_receive_intr(vm, false, (addr >>> 12) & 0xff, phys, (msg >>> 8) & 7, msg & 0xff, rh);
    return 0;
  },
);

export const vlapic_inject_msi = fn(
  'Injects an MSI into a VM. One whose local APICs are virtual gets it as a message to them; one that owns its physical ones would get an IPI.',
  function* vlapic_inject_msi(vm: AcrnVm, addr: number, data: number) {
    return yield* inject_msi_for_non_lapic_pt(vm, addr, data);
  },
);

const vlapic_fire_lvt = fn(
  'A local source interrupts by its entry, if that is not masked.',
  function* vlapic_fire_lvt(vcpu: AcrnVcpu, lvt: number) {
    at('APIC_LVT_M');
    if (lvt & APIC_LVT_M) return;
    switch (lvt & APIC_LVT_DM) {
      case APIC_LVT_DM_FIXED:
        yield* vlapic_set_intr(vcpu, lvt & APIC_LVT_VECTOR, false);
        break;
      case APIC_LVT_DM_NMI:
        yield* vcpu_inject_nmi(vcpu);
        break;
      case APIC_LVT_DM_EXTINT:
        yield* vcpu_inject_extint(vcpu);
        break;
      default:
        atCall('pr_warn');
    }
  },
);

const vlapic_get_lvt = fn(
  'An entry of the local vector table, as it was accepted.',
  function* vlapic_get_lvt(vlapic: AcrnVlapic, offset: number) {
    at('lvt_last');
    return vlapic[`lvt_last[${lvtIndexAt(offset)}]`];
  },
);

const lvtOffset = (index: LvtIndex): number => (index === APIC_LVT_CMCI ? OFFSET.CMCI_LVT : OFFSET.TIMER_LVT + (index << 4));

const vlapic_trigger_lvt = fn(
  'A local source interrupts. While the local APIC is off, LINT0 and LINT1 are the CPU’s plain INTR and NMI pins.',
  function* vlapic_trigger_lvt(vcpu: AcrnVcpu, lvt_index: number) {
    const index = LVTS.find((known) => known === lvt_index);
    if (!(yield* vlapic_enabled(vcpu.vlapic))) {
      if (index === APIC_LVT_LINT0) yield* vcpu_inject_extint(vcpu);
      if (index === APIC_LVT_LINT1) yield* vcpu_inject_nmi(vcpu);
      return 0;
    }
    // Thermal interrupts need a vTM, which no VM here has.
    if (index === undefined || index === APIC_LVT_THERMAL) return -EINVAL;
    yield* vlapic_fire_lvt(vcpu, yield* vlapic_get_lvt(vcpu.vlapic, lvtOffset(index)));
    return 0;
  },
);

export const vlapic_set_local_intr = fn(
  'Raises a local source of one vCPU, or of all.',
  function* vlapic_set_local_intr(vm: AcrnVm, vcpu_id: number, lvt_index: number) {
    const targets = vcpu_id === BROADCAST_CPU_ID ? vm.vcpu_array : vm.vcpu_array.slice(vcpu_id, vcpu_id + 1);
    at('BROADCAST_CPU_ID');
    if (targets.length === 0) return -EINVAL;
    for (const vcpu of targets) {
      const error = yield* vlapic_trigger_lvt(vcpu, lvt_index);
      if (error !== 0) return error;
    }
    return 0;
  },
);

export const vlapic_timer_expired = fn(
  'The timer fired in the hypervisor: the guest gets its timer vector, if the entry is open.',
  function* vlapic_timer_expired(vcpu: AcrnVcpu) {
    const lvt = vcpu.vlapic[`apic_page.lvt[${APIC_LVT_TIMER}]`];
    atCall('vlapic_lvtt_masked');
    if (!(lvt & APIC_LVT_M)) yield* vlapic_set_intr(vcpu, lvt & APIC_LVT_VECTOR, false);
  },
);

const vlapic_update_ppr = fn(
  'The processor priority: the class of what is in service, or the task priority if that is at least as high.',
  function* vlapic_update_ppr(vlapic: AcrnVlapic) {
    const tpr = vlapic['apic_page.tpr'];
    const ppr = prio(tpr) >= prio(vlapic.isrv) ? tpr : vlapic.isrv & 0xf0;
    at('ppr');
    if (vlapic['apic_page.ppr'] !== ppr) vlapic['apic_page.ppr'] = ppr;
  },
);

const vlapic_find_isrv = fn(
  'The highest vector in service. The search ends above vector 31: what lies below is never found again.',
  function* vlapic_find_isrv(vlapic: AcrnVlapic) {
    at('isrptr');
    return highest_above_31(vlapic, 'apic_page.isr');
  },
);

const vlapic_find_highest_irr = fn(
  'The highest requested vector. The search ends above vector 31, though 16 to 31 would be legal.',
  function* vlapic_find_highest_irr(vlapic: AcrnVlapic) {
    at('irrptr');
    return highest_above_31(vlapic, 'apic_page.irr');
  },
);

const vlapic_find_deliverable_intr = fn(
  'The highest requested vector, if its class is above the processor priority; 0 if there is none.',
  function* vlapic_find_deliverable_intr(vlapic: AcrnVlapic) {
    const vec = yield* vlapic_find_highest_irr(vlapic);
    at('ppr');
    return prio(vec) > prio(vlapic['apic_page.ppr']) ? vec : 0;
  },
);

const vlapic_get_deliverable_intr = fn(
  'The vector goes from requested to in service.',
  function* vlapic_get_deliverable_intr(vlapic: AcrnVlapic, vector: number) {
    atCall('bitmap32_clear_lock');
    bitmap_assign(vlapic, 'apic_page.irr', vector, false);
    atCall('bitmap32_set_nolock');
    bitmap_assign(vlapic, 'apic_page.isr', vector, true);
    vlapic.isrv = vector;
    yield* vlapic_update_ppr(vlapic);
  },
);

const vlapic_update_tpr_threshold = fn(
  'Asks for an exit when the guest lowers its task priority enough for the highest request.',
  function* vlapic_update_tpr_threshold(vcpu: AcrnVcpu) {
    const { vlapic, vmcs } = vcpu;
    const tpr = prio(vlapic['apic_page.tpr']);
    const irr = prio(yield* vlapic_find_highest_irr(vlapic));
    const threshold = irr > tpr ? 0 : irr;
    atCall('exec_vmwrite32');
    if (vmcs.VMX_TPR_THRESHOLD !== threshold) vmcs.VMX_TPR_THRESHOLD = threshold;
  },
);

const apicv_basic_inject_intr = fn(
  'Injects the highest deliverable vector, if the guest takes interrupts and nothing else was injected.',
  function* apicv_basic_inject_intr(vcpu: AcrnVcpu, guest_irq_enabled: boolean, injected: boolean) {
    const { vlapic, vmcs } = vcpu;
    if (guest_irq_enabled && !injected) {
      yield* vlapic_update_ppr(vlapic);
      const vector = yield* vlapic_find_deliverable_intr(vlapic);
      if (vector !== 0) {
        atCall('exec_vmwrite32');
        vmcs.VMX_ENTRY_INT_INFO_FIELD = VMX_INT_INFO_VALID | vector;
        yield* vlapic_get_deliverable_intr(vlapic, vector);
      }
    }
    yield* vlapic_update_tpr_threshold(vcpu);
  },
);

const apicv_advanced_inject_intr = fn(
  'Leaves it to the CPU: a notification to itself, which it takes right after the entry, moves the posted vectors in.',
  function* apicv_advanced_inject_intr(vcpu: AcrnVcpu, _guest_irq_enabled: boolean, _injected: boolean) {
    at('POSTED_INTR_ON');
    if (vcpu.pid.POSTED_INTR_ON) yield* apicv_trigger_pi_anv(vcpu.pcpu);
  },
);

export const vlapic_inject_intr = fn(
  'Gives the CPU what waits in the local APIC.',
  function* vlapic_inject_intr(vcpu: AcrnVcpu, guest_irq_enabled: boolean, injected: boolean) {
    yield* through('function pointer', 'inject_intr', vcpu.vlapic.ops.inject_intr)(vcpu, guest_irq_enabled, injected);
  },
);

const apicv_basic_has_pending_delivery_intr = fn(
  'Whether something is left to be delivered: then the request is made again.',
  function* apicv_basic_has_pending_delivery_intr(vcpu: AcrnVcpu) {
    yield* vlapic_update_ppr(vcpu.vlapic);
    if ((yield* vlapic_find_deliverable_intr(vcpu.vlapic)) !== 0) yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EVENT');
    return vcpu['arch.pending_req'] !== 0;
  },
);

const apicv_advanced_has_pending_delivery_intr = fn(
  'The CPU evaluates what is pending by itself: no window is needed.',
  function* apicv_advanced_has_pending_delivery_intr(_vcpu: AcrnVcpu) {
    return false;
  },
);

export const vlapic_has_pending_delivery_intr = fn(
  'Whether the local APIC has something that could not be delivered yet.',
  function* vlapic_has_pending_delivery_intr(vcpu: AcrnVcpu) {
    return yield* through('function pointer', 'has_pending_delivery_intr', vcpu.vlapic.ops.has_pending_delivery_intr)(vcpu);
  },
);

const vlapic_get_next_pending_intr = fn('The highest requested vector, or 0.', function* vlapic_get_next_pending_intr(vcpu: AcrnVcpu) {
  return yield* vlapic_find_highest_irr(vcpu.vlapic);
});

const apicv_basic_has_pending_intr = fn('Whether any vector is requested.', function* apicv_basic_has_pending_intr(vcpu: AcrnVcpu) {
  return (yield* vlapic_get_next_pending_intr(vcpu)) !== 0;
});

const apicv_advanced_has_pending_intr = fn(
  'Whether any vector is requested in the APIC page; posted ones are not looked at.',
  function* apicv_advanced_has_pending_intr(vcpu: AcrnVcpu) {
    return yield* apicv_basic_has_pending_intr(vcpu);
  },
);

export const vlapic_has_pending_intr = fn('Whether a halted vCPU has to wake up.', function* vlapic_has_pending_intr(vcpu: AcrnVcpu) {
  return yield* through('function pointer', 'has_pending_intr', vcpu.vlapic.ops.has_pending_intr)(vcpu);
});

const vlapic_process_eoi = fn(
  'Ends the highest vector in service, whichever the handler meant. A level vector is told to the vIOAPICs; that software can suppress this is not looked at.',
  function* vlapic_process_eoi(vcpu: AcrnVcpu) {
    const { vlapic } = vcpu;
    const vector = vlapic.isrv;
    at('isrv');
    if (vector === 0) return;
    atCall('bitmap32_clear_nolock');
    bitmap_assign(vlapic, 'apic_page.isr', vector, false);
    vlapic.isrv = yield* vlapic_find_isrv(vlapic);
    yield* vlapic_update_ppr(vlapic);
    if (bitmap_test(vlapic, 'apic_page.tmr', vector)) yield* vioapic_broadcast_eoi(vcpu.vm, vector);
    yield* vcpu_make_request(vcpu, 'ACRN_REQUEST_EVENT');
  },
);

export const veoi_vmexit_handler = fn(
  'The CPU ended the interrupt in the APIC page by itself; what is left is to tell the vIOAPICs.',
  function* veoi_vmexit_handler(vcpu: AcrnVcpu) {
    const vector = vcpu.exit_qualification & 0xff;
    at('tmrptr');
    if (bitmap_test(vcpu.vlapic, 'apic_page.tmr', vector)) yield* vioapic_broadcast_eoi(vcpu.vm, vector);
    return 0;
  },
);

const vlapic_write_icrlo = fn(
  'Sends an inter-processor interrupt. Fixed ones below vector 16 are an error; NMI, INIT and start-up to oneself are ignored.',
  function* vlapic_write_icrlo(vcpu: AcrnVcpu) {
    const { vlapic } = vcpu;
    at('icr_lo');
    vlapic['apic_page.icr_lo'] &= ~APIC_DELSTAT_PEND;
    const icr_low = vlapic['apic_page.icr_lo'];
    const x2apic = yield* is_x2apic_enabled(vlapic);
    const dest = x2apic ? vlapic['apic_page.icr_hi'] : vlapic['apic_page.icr_hi'] >>> 24;
    const is_broadcast = dest === (x2apic ? 0xffffffff : 0xff);
    const vec = icr_low & 0xff;
    const mode = icr_low & 0x700;
    const shorthand = icr_low & APIC_DEST_MASK;

    if (mode === APIC_DELMODE_FIXED && vec < 16) return yield* vlapic_set_error(vcpu, APIC_ESR_SEND_ILLEGAL_VECTOR);
    const special = mode === APIC_DELMODE_NMI || mode === APIC_DELMODE_INIT || mode === APIC_DELMODE_STARTUP;
    if (special && (shorthand === APIC_DEST_SELF || shorthand === APIC_DEST_ALLISELF)) return;
    const targets = yield* vlapic_calc_dest(vcpu, shorthand, is_broadcast, dest, (icr_low & APIC_DESTMODE_LOG) === 0);
    for (const target of targets) {
      if (mode === APIC_DELMODE_FIXED) yield* vlapic_set_intr(target, vec, false);
      else if (mode === APIC_DELMODE_NMI) yield* vcpu_inject_nmi(target);
      else if (mode === APIC_DELMODE_INIT || mode === APIC_DELMODE_STARTUP) atCall('vlapic_process_init_sipi');
    }
  },
);

const vlapic_x2apic_self_ipi_handler = fn(
  'The x2APIC’s short way to interrupt oneself.',
  function* vlapic_x2apic_self_ipi_handler(vcpu: AcrnVcpu) {
    const vector = vcpu.vlapic['apic_page.self_ipi'] & 0xff;
    if (vector < 16) yield* vlapic_set_error(vcpu, APIC_ESR_SEND_ILLEGAL_VECTOR);
    else yield* vlapic_set_intr(vcpu, vector, false);
  },
);

/** The bits of an entry that exist, by which entry it is. */
function lvtMask(index: LvtIndex): number {
  const common = APIC_LVT_M | APIC_LVT_DS | APIC_LVT_VECTOR;
  switch (index) {
    case APIC_LVT_TIMER:
      return common | APIC_LVTT_TM;
    case APIC_LVT_ERROR:
      return common;
    case APIC_LVT_LINT0:
    case APIC_LVT_LINT1:
      return common | APIC_LVT_TM | APIC_LVT_RIRR | APIC_LVT_IIPP | APIC_LVT_DM;
    case APIC_LVT_THERMAL:
    case APIC_LVT_PMC:
    case APIC_LVT_CMCI:
      return common | APIC_LVT_DM;
  }
}

/** Opening LINT0 for ExtINT wires the vPIC to this local APIC; `undefined` if it is wired elsewhere already. */
function rewire(vm: AcrnVm, last: number, val: number): AcrnVm['wire_mode'] | undefined {
  const { VPIC_WIRE_INTR, VPIC_WIRE_LAPIC, VPIC_WIRE_NULL } = VPIC_WIRE_MODES;
  const opens = (last & APIC_LVT_M) !== 0 && (val & APIC_LVT_M) === 0;
  const closes = (last & APIC_LVT_M) === 0 && (val & APIC_LVT_M) !== 0;
  if (opens) return vm.wire_mode === VPIC_WIRE_INTR || vm.wire_mode === VPIC_WIRE_NULL ? VPIC_WIRE_LAPIC : undefined;
  return closes && vm.wire_mode === VPIC_WIRE_LAPIC ? VPIC_WIRE_NULL : vm.wire_mode;
}

const vlapic_update_lvtt = fn('A changed timer mode disarms the timer.', function* vlapic_update_lvtt(vlapic: AcrnVlapic, val: number) {
  const timer_mode = val & APIC_LVTT_TM;
  at('timer_mode');
  if (vlapic['vtimer.mode'] === timer_mode) return;
  atCall('del_timer');
  vlapic['vtimer.mode'] = timer_mode;
});

const vlapic_write_lvt = fn(
  'An entry of the local vector table was written: it keeps the bits that exist, and stays masked while the local APIC is off. LINT0 in ExtINT mode also says where the vPIC is wired to.',
  function* vlapic_write_lvt(vcpu: AcrnVcpu, offset: number) {
    const { vlapic, vm } = vcpu;
    const index = lvtIndexAt(offset);
    const cell = `apic_page.lvt[${index}]` as const;
    at('lvtptr');
    const held = vlapic['apic_page.svr'] & APIC_SVR_ENABLE ? vlapic[cell] : vlapic[cell] | APIC_LVT_M;
    const val = (held & lvtMask(index)) >>> 0;

    if (index === APIC_LVT_LINT0 && (val & APIC_LVT_DM) === APIC_LVT_DM_EXTINT) {
      const mode = rewire(vm, yield* vlapic_get_lvt(vlapic, offset), val);
      if (mode === undefined) return;
      if (mode !== vm.wire_mode) vm.wire_mode = mode;
    } else if (index === APIC_LVT_TIMER) {
      yield* vlapic_update_lvtt(vlapic, val);
    }
    atWrite('lvtptr', 'vlapic_update_lvtt');
    vlapic[cell] = val;
    vlapic[`lvt_last[${index}]`] = val;
  },
);

const vlapic_mask_lvts = fn('Masks every local source.', function* vlapic_mask_lvts(vcpu: AcrnVcpu) {
  for (const [index, name] of [
    [APIC_LVT_CMCI, 'lvt_cmci'],
    [APIC_LVT_TIMER, 'APIC_LVT_TIMER'],
    [APIC_LVT_THERMAL, 'APIC_LVT_THERMAL'],
    [APIC_LVT_PMC, 'APIC_LVT_PMC'],
    [APIC_LVT_LINT0, 'APIC_LVT_LINT0'],
    [APIC_LVT_LINT1, 'APIC_LVT_LINT1'],
    [APIC_LVT_ERROR, 'APIC_LVT_ERROR'],
  ] as const) {
    at(name);
    vcpu.vlapic[`apic_page.lvt[${index}]`] |= APIC_LVT_M;
    behind(name);
    yield* vlapic_write_lvt(vcpu, lvtOffset(index));
  }
});

const vlapic_write_svr = fn(
  'The guest switches its local APIC on or off by software. Off masks every local source; if the vPIC was wired to none, it is back at the CPU’s pin.',
  function* vlapic_write_svr(vcpu: AcrnVcpu) {
    const { vlapic, vm } = vcpu;
    const next = vlapic['apic_page.svr'];
    const changed = (vlapic.svr_last ^ next) & APIC_SVR_ENABLE;
    vlapic.svr_last = next;
    if (!changed || next & APIC_SVR_ENABLE) return;
    atCall('del_timer');
    yield* vlapic_mask_lvts(vcpu);
    if (vm.wire_mode === VPIC_WIRE_MODES.VPIC_WIRE_NULL) vm.wire_mode = VPIC_WIRE_MODES.VPIC_WIRE_INTR;
  },
);

const vlapic_write_ldr = fn('The logical destination: only its top byte can be set.', function* vlapic_write_ldr(vlapic: AcrnVlapic) {
  vlapic['apic_page.ldr'] = (vlapic['apic_page.ldr'] & 0xff000000) >>> 0;
});

const vlapic_write_dfr = fn('The logical model: flat or cluster.', function* vlapic_write_dfr(vlapic: AcrnVlapic) {
  vlapic['apic_page.dfr'] = (vlapic['apic_page.dfr'] | 0x0fffffff) >>> 0;
});

const vlapic_write_esr = fn('Shows the errors since the last look, and forgets them.', function* vlapic_write_esr(vlapic: AcrnVlapic) {
  vlapic['apic_page.esr'] = vlapic.esr_pending;
  vlapic.esr_pending = 0;
});

const vlapic_write_dcr = fn('The timer’s divider.', function* vlapic_write_dcr(vlapic: AcrnVlapic) {
  const dcr = vlapic['apic_page.dcr_timer'];
  vlapic['vtimer.divisor_shift'] = (((dcr & 3) | ((dcr & 8) >> 1)) + 1) & 7;
});

const vlapic_write_icrtmr = fn('The timer’s count, with which it starts.', function* vlapic_write_icrtmr(vlapic: AcrnVlapic) {
  vlapic['vtimer.tmicr'] = vlapic['apic_page.icr_timer'];
  atCall('add_timer');
});

/** A register that reads as the page has it. */
const PLAIN = new Map<
  number,
  | 'apic_page.id'
  | 'apic_page.ppr'
  | 'apic_page.ldr'
  | 'apic_page.dfr'
  | 'apic_page.svr'
  | 'apic_page.esr'
  | 'apic_page.icr_lo'
  | 'apic_page.icr_hi'
  | 'apic_page.icr_timer'
  | 'apic_page.dcr_timer'
>([
  [OFFSET.ID, 'apic_page.id'],
  [OFFSET.PPR, 'apic_page.ppr'],
  [OFFSET.LDR, 'apic_page.ldr'],
  [OFFSET.DFR, 'apic_page.dfr'],
  [OFFSET.SVR, 'apic_page.svr'],
  [OFFSET.ESR, 'apic_page.esr'],
  [OFFSET.ICR_LOW, 'apic_page.icr_lo'],
  [OFFSET.ICR_HI, 'apic_page.icr_hi'],
  [OFFSET.TIMER_ICR, 'apic_page.icr_timer'],
  [OFFSET.TIMER_DCR, 'apic_page.dcr_timer'],
]);

const bitmapAt = (offset: number): 'apic_page.isr' | 'apic_page.tmr' | 'apic_page.irr' =>
  offset < OFFSET.TMR0 ? 'apic_page.isr' : offset < OFFSET.IRR0 ? 'apic_page.tmr' : 'apic_page.irr';

const vlapic_read = fn(
  'Reads a register of the APIC page; -EACCES for one that there is not. The task priority is not among them: the CPU answers that itself.',
  function* vlapic_read(vlapic: AcrnVlapic, offset_arg: number) {
    const offset = offset_arg & ~3;
    at('offset');
    const plain = PLAIN.get(offset);
    if (plain !== undefined) return vlapic[plain];
    if (offset === OFFSET.VER) return VLAPIC_VERSION;
    // The EOI register is never written in the page; the count has run down, for the timer is not followed.
    if (offset === OFFSET.EOI || offset === OFFSET.TIMER_CCR) return 0;
    if (isLvt(offset)) return yield* vlapic_get_lvt(vlapic, offset);
    if (offset >= OFFSET.ISR0 && offset < OFFSET.ESR && (offset & 0xf) === 0)
      return vlapic[`${bitmapAt(offset)}[${((offset >> 4) & 7) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}]`];
    return -EACCES;
  },
);

const vlapic_write = fn(
  'Writes a register of the APIC page; -EACCES for one that there is not or that is read-only. The identifier cannot be changed.',
  function* vlapic_write(vcpu: AcrnVcpu, offset: number, data: number, high: number) {
    const { vlapic } = vcpu;
    at('offset');
    if (isLvt(offset)) {
      at('regptr');
      vlapic[`apic_page.lvt[${lvtIndexAt(offset)}]`] = data;
      yield* vlapic_write_lvt(vcpu, offset);
      return 0;
    }
    switch (offset) {
      case OFFSET.ID:
        return 0;
      case OFFSET.EOI:
        yield* vlapic_process_eoi(vcpu);
        return 0;
      case OFFSET.LDR:
        vlapic['apic_page.ldr'] = data;
        yield* vlapic_write_ldr(vlapic);
        return 0;
      case OFFSET.DFR:
        vlapic['apic_page.dfr'] = data;
        yield* vlapic_write_dfr(vlapic);
        return 0;
      case OFFSET.SVR:
        vlapic['apic_page.svr'] = data;
        yield* vlapic_write_svr(vcpu);
        return 0;
      case OFFSET.ICR_LOW:
        if (yield* is_x2apic_enabled(vlapic)) vlapic['apic_page.icr_hi'] = high;
        vlapic['apic_page.icr_lo'] = data;
        yield* vlapic_write_icrlo(vcpu);
        return 0;
      case OFFSET.ICR_HI:
        atWrite('icr_hi', 'APIC_OFFSET_ICR_HI');
        vlapic['apic_page.icr_hi'] = data;
        return 0;
      case OFFSET.TIMER_ICR:
        vlapic['apic_page.icr_timer'] = data;
        yield* vlapic_write_icrtmr(vlapic);
        return 0;
      case OFFSET.TIMER_DCR:
        vlapic['apic_page.dcr_timer'] = data;
        yield* vlapic_write_dcr(vlapic);
        return 0;
      case OFFSET.ESR:
        yield* vlapic_write_esr(vlapic);
        return 0;
      case OFFSET.SELF_IPI:
        if (!(yield* is_x2apic_enabled(vlapic))) return -EACCES;
        vlapic['apic_page.self_ipi'] = data;
        yield* vlapic_x2apic_self_ipi_handler(vcpu);
        return 0;
      default:
        return -EACCES;
    }
  },
);

/** The offset of an x2APIC register in the APIC page. */
const x2apic_msr_to_regoff = (msr: number): number => ((msr - 0x800) & 0x3ff) << 4;

export const vlapic_x2apic_read = fn(
  'RDMSR of an x2APIC register; a negative result is a general protection fault for the guest.',
  function* vlapic_x2apic_read(vcpu: AcrnVcpu, msr: number) {
    const { vlapic } = vcpu;
    if (!(yield* is_x2apic_enabled(vlapic))) return -1;
    const offset = x2apic_msr_to_regoff(msr);
    if (!(yield* through('function pointer', 'x2apic_read_msr_may_valid', vlapic.ops.x2apic_read_msr_may_valid)(offset))) return -1;
    behind('x2apic_read_msr_may_valid');
    return yield* vlapic_read(vlapic, offset);
  },
);

export const vlapic_x2apic_write = fn(
  'WRMSR of an x2APIC register; a negative result is a general protection fault for the guest.',
  function* vlapic_x2apic_write(vcpu: AcrnVcpu, msr: number, val: number, high: number) {
    const { vlapic } = vcpu;
    if (!(yield* is_x2apic_enabled(vlapic))) return -1;
    const offset = x2apic_msr_to_regoff(msr);
    if (!(yield* through('function pointer', 'x2apic_write_msr_may_valid', vlapic.ops.x2apic_write_msr_may_valid)(offset))) return -1;
    behind('x2apic_write_msr_may_valid');
    return yield* vlapic_write(vcpu, offset, val, high);
  },
);

export const vlapic_set_apicbase = fn(
  'The guest writes IA32_APIC_BASE. The one change that is followed is the switch to x2APIC mode, which also fixes the logical destination.',
  function* vlapic_set_apicbase(vcpu: AcrnVcpu, value: number) {
    const { vlapic } = vcpu;
    const mode = APICBASE_ENABLED | APICBASE_X2APIC;
    at('change_in_vlapic_mode');
    if (((vlapic.msr_apicbase ^ value) & mode) === 0 || (value & mode) !== mode) return 0;
    vlapic.msr_apicbase = value;
    yield* vlapic_build_x2apic_id(vlapic);
    atCall('switch_apicv_mode_x2apic');
    return 0;
  },
);

const vlapic_build_x2apic_id = fn(
  'In x2APIC mode the logical destination follows from the identifier: the cluster above, one bit below.',
  function* vlapic_build_x2apic_id(vlapic: AcrnVlapic) {
    vlapic['apic_page.id'] = vlapic.vapic_id;
    vlapic['apic_page.ldr'] = (((vlapic.vapic_id & 0xffff0) << 12) | (1 << (vlapic.vapic_id & 0xf))) >>> 0;
  },
);

export const apic_write_vmexit_handler = fn(
  'The guest wrote the APIC page itself, and the CPU exits afterwards: what the write means is done now.',
  function* apic_write_vmexit_handler(vcpu: AcrnVcpu) {
    const { vlapic } = vcpu;
    const offset = vcpu.exit_qualification & 0xfff;
    at('offset');
    if (isLvt(offset)) {
      yield* vlapic_write_lvt(vcpu, offset);
      return 0;
    }
    switch (offset) {
      case OFFSET.ID:
        return 0;
      case OFFSET.LDR:
        yield* vlapic_write_ldr(vlapic);
        return 0;
      case OFFSET.DFR:
        yield* vlapic_write_dfr(vlapic);
        return 0;
      case OFFSET.SVR:
        yield* vlapic_write_svr(vcpu);
        return 0;
      case OFFSET.ESR:
        yield* vlapic_write_esr(vlapic);
        return 0;
      case OFFSET.ICR_LOW:
        yield* vlapic_write_icrlo(vcpu);
        return 0;
      case OFFSET.TIMER_ICR:
        yield* vlapic_write_icrtmr(vlapic);
        return 0;
      case OFFSET.TIMER_DCR:
        yield* vlapic_write_dcr(vlapic);
        return 0;
      case OFFSET.SELF_IPI:
        if (!(yield* is_x2apic_enabled(vlapic))) return -EACCES;
        yield* vlapic_x2apic_self_ipi_handler(vcpu);
        return 0;
      default:
        return -EACCES;
    }
  },
);

const NOT_IN_X2APIC: readonly number[] = [OFFSET.DFR, OFFSET.ICR_HI];

const apicv_basic_x2apic_read_msr_may_valid = fn(
  'Every register that x2APIC has.',
  function* apicv_basic_x2apic_read_msr_may_valid(offset: number) {
    at('offset');
    return !NOT_IN_X2APIC.includes(offset);
  },
);

const apicv_advanced_x2apic_read_msr_may_valid = fn(
  'The CPU answers reads by itself, all but that of the timer’s count.',
  function* apicv_advanced_x2apic_read_msr_may_valid(offset: number) {
    at('offset');
    return offset === OFFSET.TIMER_CCR;
  },
);

const apicv_basic_x2apic_write_msr_may_valid = fn(
  'Every register that x2APIC has.',
  function* apicv_basic_x2apic_write_msr_may_valid(offset: number) {
    at('offset');
    return !NOT_IN_X2APIC.includes(offset);
  },
);

const apicv_advanced_x2apic_write_msr_may_valid = fn(
  'The CPU performs an EOI and a self-IPI by itself.',
  function* apicv_advanced_x2apic_write_msr_may_valid(offset: number) {
    at('offset');
    return !NOT_IN_X2APIC.includes(offset) && offset !== OFFSET.EOI && offset !== OFFSET.SELF_IPI;
  },
);

/** For a CPU without posted interrupts: the hypervisor injects. */
export const apicv_basic_ops: AcrnApicvOps = ops('apicv_basic_ops', {
  accept_intr: apicv_basic_accept_intr,
  inject_intr: apicv_basic_inject_intr,
  has_pending_delivery_intr: apicv_basic_has_pending_delivery_intr,
  has_pending_intr: apicv_basic_has_pending_intr,
  x2apic_read_msr_may_valid: apicv_basic_x2apic_read_msr_may_valid,
  x2apic_write_msr_may_valid: apicv_basic_x2apic_write_msr_may_valid,
});

/** For a CPU with posted interrupts: it takes vectors by itself. */
export const apicv_advanced_ops: AcrnApicvOps = ops('apicv_advanced_ops', {
  accept_intr: apicv_advanced_accept_intr,
  inject_intr: apicv_advanced_inject_intr,
  has_pending_delivery_intr: apicv_advanced_has_pending_delivery_intr,
  has_pending_intr: apicv_advanced_has_pending_intr,
  x2apic_read_msr_may_valid: apicv_advanced_x2apic_read_msr_may_valid,
  x2apic_write_msr_may_valid: apicv_advanced_x2apic_write_msr_may_valid,
});
