import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import { vioapic_set_irqline_lock } from '../../../dm/vioapic';
import { vpic_set_irqline } from '../../../dm/vpic';
import type { AcrnVm, PtirqRemappingInfo } from '../../../include/arch/x86/asm/guest/vm';
import { ioapic_gsi_unmask_irq } from '../ioapic';

/** Interrupt lines that are passed through to a VM. */

const ENODEV = 19;
type IntxCtlr = PtirqRemappingInfo['ctlr'];

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/assign.c');

/** find_ptirq_entry(): the passed-through line behind a virtual pin, if there is one. */
function find_ptirq_entry(vm: AcrnVm, virt_gsi: number, ctlr: IntxCtlr): PtirqRemappingInfo | undefined {
  atCall('find_ptirq_entry');
  return vm.ptirq_entries.find((entry) => entry.virt_gsi === virt_gsi && entry.ctlr === ctlr);
}

export const ptirq_intx_ack = fn(
  'The guest ended a level interrupt. If its device is passed through, the virtual line falls and the physical one is opened again: it rises once more if the device still asserts.',
  function* ptirq_intx_ack(vm: AcrnVm, virt_gsi: number, vgsi_ctlr: IntxCtlr) {
    const entry = find_ptirq_entry(vm, virt_gsi, vgsi_ctlr);
    if (entry === undefined) return;
    switch (vgsi_ctlr) {
      case 'INTX_CTLR_IOAPIC':
        yield* vioapic_set_irqline_lock(vm, virt_gsi, entry.polarity === 0 ? 'GSI_SET_LOW' : 'GSI_SET_HIGH');
        break;
      case 'INTX_CTLR_PIC':
        yield* vpic_set_irqline(vm, virt_gsi, 'GSI_SET_LOW');
        break;
    }
    yield* ioapic_gsi_unmask_irq(virt_gsi);
  },
);

export const ptirq_intx_pin_remap = fn(
  'A virtual pin was opened or rewritten. If a line is passed through to it, the physical entry follows.',
  function* ptirq_intx_pin_remap(vm: AcrnVm, virt_gsi: number, vgsi_ctlr: IntxCtlr) {
    if (find_ptirq_entry(vm, virt_gsi, vgsi_ctlr) === undefined) return -ENODEV;
    atCall('activate_ioapic_rte');
    return 0;
  },
);
