import { bool, hex, int, struct, type Field, type InstanceOf } from '../../../../../engine/cell';
import { source, through } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { APIC_EOI } from '../../../../hardware/virt_cpu';
import type { Kvm, KvmVcpu } from '../../../virt/kvm/kvm_types';
import { IOAPIC_EDGE_TRIG, IOAPIC_LEVEL_TRIG, kvm_ioapic_update_eoi } from './ioapic';
import { highestVector, setVector, testVector } from './vectors';
import { kvm_x86_op, make_request } from './x86';

/** KVM's local APIC: accepting messages, priorities, taking a vector, ending it. */

/** A message on its way to local APICs. */
export interface KvmLapicIrq {
  readonly vector: number;
  readonly dest_id: number;
  readonly dest_mode: number;
  readonly delivery_mode: number;
  readonly trig_mode: boolean;
  readonly level: boolean;
  readonly shorthand: number;
  readonly msi_redir_hint: boolean;
}

/** Who wants to know which vCPUs accepted a message: a `struct dest_map`. */
export interface DestMap {
  readonly note: (vcpu: KvmVcpu, vector: number) => void;
}

export const APIC_DEST_PHYSICAL = 0x000;
export const APIC_DEST_LOGICAL = 0x800;
export const APIC_DEST_NOSHORT = 0;

type Words<N extends string> = { readonly [K in `${N}[${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}]`]: Field<number> };
const words = <N extends string>(name: N): Words<N> =>
  Object.fromEntries([...Array(8).keys()].map((i) => [`${name}[${i}]`, hex(32)])) as Words<N>;

const LapicCells = struct('kvm_lapic', 'A local APIC: vectors requested, in service, and which of them are level-triggered.', {
  ...words('APIC_IRR'),
  ...words('APIC_ISR'),
  ...words('APIC_TMR'),
  APIC_TASKPRI: hex(8),
  APIC_PROCPRI: hex(8),
  APIC_LVT0: hex(32, 0x10000),
  APIC_SPIV: hex(32, 0x1ff),
  irr_pending: bool(),
  isr_count: int(),
  apicv_active: bool(),
});

export type KvmLapic = InstanceOf<typeof LapicCells>;
export const kvm_lapic = LapicCells;

const { fn } = source('linux', 'arch/x86/kvm/lapic.c');
const header = source('linux', 'arch/x86/kvm/lapic.h');

export const kvm_lapic_set_irr = header.fn('Requests a vector.', function* kvm_lapic_set_irr(apic: KvmLapic, vec: number) {
  at('APIC_IRR');
  setVector(apic, 'APIC_IRR', vec, true);
  apic.irr_pending = true;
});

const apic_clear_irr = fn('A vector is no longer requested.', function* apic_clear_irr(apic: KvmLapic, vec: number) {
  at('APIC_IRR');
  setVector(apic, 'APIC_IRR', vec, false);
  const pending = highestVector(apic, 'APIC_IRR') !== -1;
  if (apic.irr_pending !== pending) apic.irr_pending = pending;
});

const apic_set_isr = fn('A vector goes into service.', function* apic_set_isr(apic: KvmLapic, vec: number) {
  at('APIC_ISR');
  setVector(apic, 'APIC_ISR', vec, true);
  apic.isr_count += 1;
});

const apic_clear_isr = fn('A vector leaves service.', function* apic_clear_isr(apic: KvmLapic, vec: number) {
  at('APIC_ISR');
  setVector(apic, 'APIC_ISR', vec, false);
  apic.isr_count -= 1;
});

const __apic_update_ppr = fn(
  'The processor priority: the class of what is in service, or the task priority if that is higher.',
  function* __apic_update_ppr(apic: KvmLapic) {
    const isrv = Math.max(highestVector(apic, 'APIC_ISR'), 0);
    const tpr = apic.APIC_TASKPRI;
    const ppr = (tpr & 0xf0) >= (isrv & 0xf0) ? tpr : isrv & 0xf0;
    if (apic.APIC_PROCPRI !== ppr) {
      at('APIC_PROCPRI');
      apic.APIC_PROCPRI = ppr;
    }
    return ppr;
  },
);

const apic_has_interrupt_for_ppr = fn(
  'The highest requested vector, if its class is above the processor priority.',
  function* apic_has_interrupt_for_ppr(apic: KvmLapic, ppr: number) {
    at('highest_irr');
    const highest_irr = highestVector(apic, 'APIC_IRR');
    return highest_irr === -1 || (highest_irr & 0xf0) <= ppr ? -1 : highest_irr;
  },
);

const apic_update_ppr = fn(
  'Recomputes the priority; if it fell and something waits, the vCPU has to look.',
  function* apic_update_ppr(vcpu: KvmVcpu) {
    const before = vcpu.apic.APIC_PROCPRI;
    const ppr = yield* __apic_update_ppr(vcpu.apic);
    if (ppr < before && (yield* apic_has_interrupt_for_ppr(vcpu.apic, ppr)) !== -1) make_request(vcpu, 'KVM_REQ_EVENT');
  },
);

export const kvm_apic_has_interrupt = fn(
  'The vector that the local APIC would give the CPU now, or -1.',
  function* kvm_apic_has_interrupt(vcpu: KvmVcpu) {
    const ppr = yield* __apic_update_ppr(vcpu.apic);
    return yield* apic_has_interrupt_for_ppr(vcpu.apic, ppr);
  },
);

export const kvm_apic_ack_interrupt = fn(
  'Acknowledges a vector: from requested to in service. What kvm_get_apic_interrupt() did until 6.11.',
  function* kvm_apic_ack_interrupt(vcpu: KvmVcpu, vector: number) {
    yield* apic_clear_irr(vcpu.apic, vector);
    yield* apic_set_isr(vcpu.apic, vector);
    yield* __apic_update_ppr(vcpu.apic);
  },
);

export const kvm_get_apic_interrupt = fn(
  'Takes the next vector: from requested to in service.',
  function* kvm_get_apic_interrupt(vcpu: KvmVcpu) {
    const vector = yield* kvm_apic_has_interrupt(vcpu);
    if (vector === -1) return -1;
    yield* apic_clear_irr(vcpu.apic, vector);
    yield* apic_set_isr(vcpu.apic, vector);
    yield* __apic_update_ppr(vcpu.apic);
    return vector;
  },
);

const __apic_accept_irq = fn(
  'A local APIC accepts a message. The TMR bit follows the message’s trigger mode: it decides later whether the EOI is told to the I/O APIC.',
  function* __apic_accept_irq(vcpu: KvmVcpu, vector: number, trig_mode: boolean) {
    const { apic } = vcpu;
    if (testVector(apic, 'APIC_TMR', vector) !== trig_mode) {
      at('APIC_TMR');
      setVector(apic, 'APIC_TMR', vector, trig_mode);
    }
    yield* through('function pointer', kvm_x86_op('deliver_interrupt'), vcpu.kvm.x86_ops.deliver_interrupt)(vcpu, vector);
    return 1;
  },
);

export const kvm_apic_set_irq = fn('Hands a message to one local APIC.', function* kvm_apic_set_irq(vcpu: KvmVcpu, irq: KvmLapicIrq) {
  return yield* __apic_accept_irq(vcpu, irq.vector, irq.trig_mode);
});

export const kvm_irq_delivery_to_apic_fast = fn(
  'Finds the addressed local APICs through the map, without walking all vCPUs.',
  function* kvm_irq_delivery_to_apic_fast(kvm: Kvm, irq: KvmLapicIrq, dest_map: DestMap | undefined) {
    atCall('kvm_apic_map_get_dest_lapic');
    const vcpu = kvm.vcpus[irq.dest_id];
    dest_map?.note(vcpu!, irq.vector);
    return vcpu === undefined ? -1 : yield* kvm_apic_set_irq(vcpu, irq);
  },
);

/** Whether a vector is in the set whose EOI the I/O APIC has to hear of. */
const handles = (vcpu: KvmVcpu, vector: number): boolean =>
  vector < 128 && ((vcpu[`ioapic_handled_vectors[${(vector >>> 5) as 0 | 1 | 2 | 3}]`] >>> (vector & 31)) & 1) === 1;

const kvm_ioapic_send_eoi = fn(
  'Tells the I/O APIC of the end of a vector, if it is one that it has to hear of.',
  function* kvm_ioapic_send_eoi(vcpu: KvmVcpu, vector: number) {
    atCall('kvm_ioapic_handles_vector');
    if (!handles(vcpu, vector)) return;
    at('APIC_TMR');
    const trigger_mode = testVector(vcpu.apic, 'APIC_TMR', vector) ? IOAPIC_LEVEL_TRIG : IOAPIC_EDGE_TRIG;
    yield* kvm_ioapic_update_eoi(vcpu, vector, trigger_mode);
  },
);

const apic_set_eoi = fn('Ends the highest vector in service.', function* apic_set_eoi(vcpu: KvmVcpu) {
  const vector = highestVector(vcpu.apic, 'APIC_ISR');
  atCall('apic_find_highest_isr');
  if (vector === -1) return vector;
  yield* apic_clear_isr(vcpu.apic, vector);
  yield* apic_update_ppr(vcpu);
  yield* kvm_ioapic_send_eoi(vcpu, vector);
  make_request(vcpu, 'KVM_REQ_EVENT');
  return vector;
});

export const kvm_apic_set_eoi_accelerated = fn(
  'The CPU ended the interrupt in the virtual APIC by itself; what is left is to tell the I/O APIC.',
  function* kvm_apic_set_eoi_accelerated(vcpu: KvmVcpu, vector: number) {
    yield* kvm_ioapic_send_eoi(vcpu, vector);
    make_request(vcpu, 'KVM_REQ_EVENT');
  },
);

const kvm_lapic_reg_write = fn(
  'The guest writes a register of its local APIC.',
  function* kvm_lapic_reg_write(vcpu: KvmVcpu, reg: number, val: number) {
    if (reg === APIC_EOI) yield* apic_set_eoi(vcpu);
    return val >>> 31;
  },
);

export const kvm_lapic_set_eoi = fn(
  'An EOI that was recognised without emulating the instruction.',
  function* kvm_lapic_set_eoi(vcpu: KvmVcpu) {
    yield* kvm_lapic_reg_write(vcpu, APIC_EOI, 0);
  },
);

const kvm_lapic_msr_write = fn(
  'An x2APIC register is written as an MSR.',
  function* kvm_lapic_msr_write(vcpu: KvmVcpu, reg: number, data: number) {
    return yield* kvm_lapic_reg_write(vcpu, reg, data);
  },
);

export const kvm_x2apic_msr_write = fn(
  'Turns an x2APIC MSR number into a register offset.',
  function* kvm_x2apic_msr_write(vcpu: KvmVcpu, msr: number, data: number) {
    return yield* kvm_lapic_msr_write(vcpu, (msr - 0x800) << 4, data);
  },
);

/** Whether the guest ends interrupts at the I/O APIC itself: APIC_SPIV_DIRECTED_EOI. */
export const kvm_apic_directed_eoi = (apic: KvmLapic): boolean => (apic.APIC_SPIV & (1 << 12)) !== 0;

export const kvm_apic_accept_pic_intr = fn(
  'Whether this local APIC lets the PIC through: LINT0 open, as ExtINT.',
  function* kvm_apic_accept_pic_intr(vcpu: KvmVcpu) {
    at('APIC_LVT0');
    return (vcpu.apic.APIC_LVT0 & 0x10700) === 0x700;
  },
);

export const kvm_apic_match_dest = fn(
  'Whether a destination addresses this local APIC.',
  function* kvm_apic_match_dest(vcpu: KvmVcpu, _source: KvmLapic | undefined, _shorthand: number, dest: number, dest_mode: number) {
    at('shorthand');
    return dest_mode === APIC_DEST_PHYSICAL ? dest === vcpu.vcpu_id : ((dest >>> vcpu.vcpu_id) & 1) === 1;
  },
);

export const kvm_bitmap_or_dest_vcpus = fn(
  'Collects the vCPUs that a message addresses.',
  function* kvm_bitmap_or_dest_vcpus(kvm: Kvm, irq: KvmLapicIrq, vcpu_bitmap: Set<KvmVcpu>) {
    atCall('kvm_apic_map_get_dest_lapic');
    const vcpu = kvm.vcpus[irq.dest_id];
    if (vcpu !== undefined) vcpu_bitmap.add(vcpu);
  },
);

export const kvm_apic_pending_eoi = fn(
  'Whether a vector is requested or in service here: its EOI is still to come, wherever the pin points now.',
  function* kvm_apic_pending_eoi({ apic }: KvmVcpu, vector: number) {
    at('APIC_ISR');
    return testVector(apic, 'APIC_ISR', vector) || testVector(apic, 'APIC_IRR', vector);
  },
);
