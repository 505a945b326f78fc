import { bits, bool, int, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';

/** What the interrupt core knows of one interrupt line. */

const IrqDescCells = struct('irq_desc', 'A Linux interrupt number: how often it is disabled, and what became of it meanwhile.', {
  depth: int(1),
  istate: bits(32, [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    'IRQS_ONESHOT',
    undefined,
    undefined,
    undefined,
    'IRQS_PENDING',
  ]),
  'irq_data.IRQD_IRQ_DISABLED': bool(true),
  'irq_data.IRQD_IRQ_MASKED': bool(true),
  'irq_data.IRQD_IRQ_STARTED': bool(),
  IRQ_DISABLE_UNLAZY: bool(),
});

export const IRQS_PENDING = 0x200;
export const IRQ_NONE = 0;
export const IRQ_HANDLED = 1;
export type irqreturn_t = typeof IRQ_NONE | typeof IRQ_HANDLED;

/** An `irqaction`: who handles the interrupt. */
export interface IrqAction {
  readonly handler: Pointer<[irq: number], irqreturn_t>;
  readonly name: string;
  readonly dev_id: unknown;
}

/** An `irq_chip`: how the line is masked and acknowledged at the interrupt controller. */
export interface IrqChip {
  readonly irq_mask: Pointer<[desc: IrqDesc], void>;
  readonly irq_unmask: Pointer<[desc: IrqDesc], void>;
  readonly irq_eoi: Pointer<[desc: IrqDesc], void>;
}

export type IrqDesc = InstanceOf<typeof IrqDescCells> & {
  readonly irq: number;
  readonly chip: IrqChip;
  readonly handle_irq: Pointer<[desc: IrqDesc], void>;
  action: IrqAction | undefined;
  /** The I/O APIC pin behind this interrupt. */
  readonly pin: IrqPin;
};

/** What the accessors of an `irq_chip` reach: hardware for the host, an emulated controller for a guest. */
export interface IrqPin {
  mask(): Run;
  unmask(): Run;
  eoi(): Run;
}

/** Allocates the descriptor of an interrupt number. */
export function irq_desc(name: string, irq: number, chip: IrqChip, handle_irq: Pointer<[desc: IrqDesc], void>, pin: IrqPin): IrqDesc {
  return Object.assign(IrqDescCells(name), { irq, chip, handle_irq, pin, action: undefined });
}
