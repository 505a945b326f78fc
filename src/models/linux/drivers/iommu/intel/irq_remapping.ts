import { bool, hex, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import { boundPointer, source } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { alloc_irte, type Iommu, type Irte } from '../../../../hardware/iommu';
import type { VcpuData } from '../../../arch/x86/include/asm/irq_remapping';
import { apic_ack_irq, type ApicChipData } from '../../../arch/x86/kernel/apic/vector';
import type { IrqDesc, IrqLevel } from '../../../kernel/irq/irqdesc';

/** VT-d interrupt remapping: the table entry of each interrupt, pointing to the host or to a guest. */

const IRQ_REMAPPING = 0;
const IRQ_POSTING = 1;

const IntelIrDataCells = struct(
  'intel_ir_data',
  'What the driver knows of an entry: what it is (or will be again) when it points to the host, and whether it posts to a guest now.',
  {
    'irte_entry.present': bool(),
    'irte_entry.vector': hex(8),
    'irq_2_iommu.mode': oneOf({ IRQ_REMAPPING, IRQ_POSTING }, IRQ_REMAPPING),
    'irq_2_iommu.posted_vcpu': bool(),
  },
);

/** An interrupt's entry, with the entry in the table that the hardware reads. */
export type IntelIrData = InstanceOf<typeof IntelIrDataCells> & {
  readonly index: number;
  readonly irte: Irte;
  readonly apicd: ApicChipData;
};

/** Allocates the remapping entry of an interrupt. */
export function intel_ir_data(name: string, iommu: Iommu, apicd: ApicChipData): IntelIrData {
  const index = alloc_irte(iommu);
  return Object.assign(IntelIrDataCells(name), { index, irte: iommu.ir_table[index]!, apicd });
}

/** The fields of an entry that software changes, all at once. */
type IrteImage = Pick<Irte, 'present' | 'vector' | 'p_pst' | 'p_vector' | 'pda'>;
const NOT_PRESENT: IrteImage = { present: false, vector: 0, p_pst: false, p_vector: 0, pda: undefined };

const { fn, ops } = source('linux', 'drivers/iommu/intel/irq_remapping.c');

const modify_irte = fn(
  'Exchanges the table entry in one go, and has the IOMMU forget what it has cached of it. An interrupt sees the old entry or the new one, never half of each.',
  function* modify_irte(data: IntelIrData, irte_modified: IrteImage) {
    const { irte } = data;
    const mode = irte_modified.p_pst ? IRQ_POSTING : IRQ_REMAPPING;
    at('irte');
    irte.present = irte_modified.present;
    irte.vector = irte_modified.vector;
    irte.p_pst = irte_modified.p_pst;
    irte.p_vector = irte_modified.p_vector;
    irte.pda = irte_modified.pda;
    atCall('qi_flush_iec');
    if (!since('linux', '6.12') && data['irq_2_iommu.mode'] !== mode) data['irq_2_iommu.mode'] = mode;
    return 0;
  },
);

const remapped = (data: IntelIrData): IrteImage => ({
  ...NOT_PRESENT,
  present: data['irte_entry.present'],
  vector: data['irte_entry.vector'],
});

const __intel_ir_reconfigure_irte = fn(
  'Writes the host’s form of the entry, unless a guest has it: a change of the host’s affinity must not take a posted interrupt away.',
  function* __intel_ir_reconfigure_irte(data: IntelIrData, force_host: boolean) {
    if (data['irq_2_iommu.posted_vcpu'] && !force_host) return;
    if (data['irq_2_iommu.posted_vcpu']) data['irq_2_iommu.posted_vcpu'] = false;
    yield* modify_irte(data, remapped(data));
  },
);

const intel_ir_reconfigure_irte = fn(
  'Takes the interrupt’s vector over into the entry.',
  function* intel_ir_reconfigure_irte(data: IntelIrData, force_host: boolean) {
    at('irte');
    data['irte_entry.present'] = true;
    data['irte_entry.vector'] = data.apicd.vector;
    if (since('linux', '6.12')) yield* __intel_ir_reconfigure_irte(data, force_host);
    else if (force_host || data['irq_2_iommu.mode'] === IRQ_REMAPPING) yield* modify_irte(data, remapped(data));
  },
);

const intel_ir_set_vcpu_affinity = fn(
  'Makes the entry post into a guest’s descriptor, or with no vCPU puts the host’s form back.',
  function* intel_ir_set_vcpu_affinity(data: IntelIrData, _desc: IrqDesc, vcpu_pi_info: VcpuData | undefined) {
    if (vcpu_pi_info === undefined) {
      if (since('linux', '6.12')) yield* __intel_ir_reconfigure_irte(data, true);
      else yield* modify_irte(data, remapped(data));
      return 0;
    }
    if (since('linux', '6.12')) data['irq_2_iommu.posted_vcpu'] = true;
    yield* modify_irte(data, {
      ...remapped(data),
      p_pst: true,
      p_vector: vcpu_pi_info.vector,
      pda: vcpu_pi_info.pi_desc_addr,
    });
    return 0;
  },
);

const intel_irq_remapping_activate = fn(
  'The interrupt has a vector now: its entry becomes present.',
  function* intel_irq_remapping_activate(data: IntelIrData, _desc: IrqDesc, _reserve: boolean) {
    yield* intel_ir_reconfigure_irte(data, true);
  },
);

const intel_irq_remapping_deactivate = fn(
  'The interrupt has no user: its entry is cleared, and whatever the device sends is blocked.',
  function* intel_irq_remapping_deactivate(data: IntelIrData, _desc: IrqDesc) {
    if (since('linux', '6.12') && data['irq_2_iommu.posted_vcpu']) data['irq_2_iommu.posted_vcpu'] = false;
    yield* modify_irte(data, NOT_PRESENT);
  },
);

const intel_ir_chip = ops('intel_ir_chip', { irq_ack: apic_ack_irq, irq_set_vcpu_affinity: intel_ir_set_vcpu_affinity });
const intel_ir_domain_ops = ops('intel_ir_domain_ops', {
  activate: intel_irq_remapping_activate,
  deactivate: intel_irq_remapping_deactivate,
});

/** The remapping level of an interrupt's hierarchy. */
export const intel_ir_level = (data: IntelIrData): IrqLevel => ({
  chip: { irq_ack: intel_ir_chip.irq_ack, irq_set_vcpu_affinity: boundPointer(intel_ir_chip.irq_set_vcpu_affinity, () => data) },
  ops: {
    activate: boundPointer(intel_ir_domain_ops.activate, () => data),
    deactivate: boundPointer(intel_ir_domain_ops.deactivate, () => data),
  },
});
