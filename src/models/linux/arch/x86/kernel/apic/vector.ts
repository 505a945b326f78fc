import { bool, hex, struct, type InstanceOf } from '../../../../../../engine/cell';
import { boundPointer, source } from '../../../../../../engine/fn';
import { at, atCall } from '../../../../../../engine/steps';
import { since } from '../../../../../version';
import type { IrqDesc, IrqLevel } from '../../../../kernel/irq/irqdesc';

/** The level next to the CPU: which vector an interrupt has. */

/** A vector that nothing is behind: where a message goes whose interrupt nobody has requested yet. */
export const MANAGED_IRQ_SHUTDOWN_VECTOR = 0xef;
/** The first vector that a device gets here: aligned, as several messages of one MSI capability have to be. */
const FIRST_DEVICE_VECTOR = 0x24;

const ApicChipDataCells = struct('apic_chip_data', 'The vector of an interrupt, and whether it has one for good.', {
  vector: hex(8),
  has_reserved: bool(),
  can_reserve: bool(),
});
export type ApicChipData = InstanceOf<typeof ApicChipDataCells>;

/** The vectors of a CPU: `vector_irq`, with what is taken. */
export interface VectorDomain {
  readonly vector_irq: Map<number, IrqDesc>;
}

/** Allocates an interrupt's vector data. With `can_reserve` it gets a vector when it is requested, and keeps none. */
export const apic_chip_data = (name: string, can_reserve: boolean): ApicChipData =>
  ApicChipDataCells(name, { can_reserve, has_reserved: can_reserve });

const { fn, ops } = source('linux', 'arch/x86/kernel/apic/vector.c');

const assign_irq_vector_any_locked = fn(
  'Takes a free vector of the CPU and puts the interrupt behind it.',
  function* assign_irq_vector_any_locked(domain: VectorDomain, apicd: ApicChipData, desc: IrqDesc) {
    let vector = FIRST_DEVICE_VECTOR;
    while (domain.vector_irq.has(vector)) vector++;
    atCall('assign_vector_locked');
    apicd.vector = vector;
    domain.vector_irq.set(vector, desc);
  },
);

const activate_reserved = fn(
  'The interrupt is requested: it gets a vector of its own now.',
  function* activate_reserved(domain: VectorDomain, apicd: ApicChipData, desc: IrqDesc) {
    yield* assign_irq_vector_any_locked(domain, apicd, desc);
    apicd.has_reserved = false;
  },
);

const vector_assign_managed_shutdown = fn(
  'Lets the interrupt’s message point to a vector that nobody uses.',
  function* vector_assign_managed_shutdown(apicd: ApicChipData) {
    at('MANAGED_IRQ_SHUTDOWN_VECTOR');
    apicd.vector = MANAGED_IRQ_SHUTDOWN_VECTOR;
  },
);

const x86_vector_activate = fn(
  'Gives the interrupt a vector: at once, or only a reservation as long as nobody has requested it.',
  function* x86_vector_activate(domain: VectorDomain, apicd: ApicChipData, desc: IrqDesc, reserve: boolean) {
    if (!apicd.can_reserve) yield* assign_irq_vector_any_locked(domain, apicd, desc);
    else if (reserve) yield* vector_assign_managed_shutdown(apicd);
    else if (apicd.has_reserved) yield* activate_reserved(domain, apicd, desc);
  },
);

const clear_irq_vector = fn(
  'Gives the vector back. An interrupt that is still on its way to it finds nobody.',
  function* clear_irq_vector(domain: VectorDomain, apicd: ApicChipData) {
    domain.vector_irq.delete(apicd.vector);
    apicd.vector = 0;
  },
);

const reserve_irq_vector_locked = fn(
  'Goes back to a reservation, for the next request.',
  function* reserve_irq_vector_locked(apicd: ApicChipData) {
    apicd.has_reserved = true;
  },
);

const x86_vector_deactivate = fn(
  'The interrupt has no user any more: its vector becomes free, unless it was assigned for good.',
  function* x86_vector_deactivate(domain: VectorDomain, apicd: ApicChipData, _desc: IrqDesc) {
    at('can_reserve');
    if (!apicd.can_reserve || apicd.has_reserved) return;
    yield* clear_irq_vector(domain, apicd);
    yield* reserve_irq_vector_locked(apicd);
  },
);

const x86_vector_free_irqs = fn(
  'The interrupt number is given back: with it goes a vector that was assigned for good.',
  function* x86_vector_free_irqs(domain: VectorDomain, apicd: ApicChipData, _desc: IrqDesc) {
    if (apicd.vector !== 0) yield* clear_irq_vector(domain, apicd);
  },
);

export const apic_ack_irq = fn('Ends the interrupt at the CPU’s local APIC.', function* apic_ack_irq(desc: IrqDesc) {
  atCall(since('linux', '6.6') ? 'apic_eoi' : 'ack_APIC_irq');
  yield* desc.pin.eoi();
});

const apic_ack_edge = fn(
  'Acknowledges an edge: first lets go of the vector on a CPU that the interrupt has moved away from.',
  function* apic_ack_edge(desc: IrqDesc) {
    atCall('irq_complete_move');
    yield* apic_ack_irq(desc);
  },
);

export const lapic_controller = ops('lapic_controller', { irq_ack: apic_ack_edge });
const x86_vector_domain_ops = ops('x86_vector_domain_ops', {
  activate: x86_vector_activate,
  deactivate: x86_vector_deactivate,
  free: x86_vector_free_irqs,
});

/** The CPU's level of an interrupt's hierarchy. */
export const vector_level = (domain: VectorDomain, apicd: ApicChipData): IrqLevel => ({
  chip: lapic_controller,
  ops: {
    activate: boundPointer(
      boundPointer(x86_vector_domain_ops.activate, () => domain),
      () => apicd,
    ),
    deactivate: boundPointer(
      boundPointer(x86_vector_domain_ops.deactivate, () => domain),
      () => apicd,
    ),
    free: boundPointer(
      boundPointer(x86_vector_domain_ops.free, () => domain),
      () => apicd,
    ),
  },
});
