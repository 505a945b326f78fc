import { bit, bool, int, means, register, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import type { VcpuData } from '../../arch/x86/include/asm/irq_remapping';
import type { MsiDesc, MsiMsg } from '../../include/linux/msi';

/** What the interrupt core knows of one interrupt line. */

const IrqDescCells = struct('irq_desc', 'A Linux interrupt number: how often it is disabled, and what became of it meanwhile.', {
  depth: means('How often it is disabled: 0 is enabled.', int(1)),
  istate: register(32, [
    bit(5, 'IRQS_ONESHOT', 'It stays masked until its thread has run.'),
    bit(9, 'IRQS_PENDING', 'It came while it was disabled or in progress: it is replayed.'),
  ]),
  'irq_data.IRQD_IRQ_DISABLED': bool(true),
  'irq_data.IRQD_IRQ_MASKED': bool(true),
  'irq_data.IRQD_IRQ_STARTED': bool(),
  'irq_data.IRQD_ACTIVATED': bool(),
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

/** An `irq_chip`: how the line is masked and acknowledged at the interrupt controller. A chip has what its flow handler calls. */
export interface IrqChip {
  readonly irq_mask?: Pointer<[desc: IrqDesc], void>;
  readonly irq_unmask?: Pointer<[desc: IrqDesc], void>;
  /** Of chips whose interrupts are edges: acknowledges before the handlers run. */
  readonly irq_ack?: Pointer<[desc: IrqDesc], void>;
  /** Of chips that do both at once: masks and acknowledges before the handlers run. */
  readonly irq_mask_ack?: Pointer<[desc: IrqDesc], void>;
  /** Of chips whose interrupts are levels: acknowledges after the handlers ran. */
  readonly irq_eoi?: Pointer<[desc: IrqDesc], void>;
  /** Programs the device with the message behind an interrupt. */
  readonly irq_write_msi_msg?: Pointer<[desc: IrqDesc, msg: MsiMsg], void>;
  /** Has the interrupt posted to a virtual CPU. */
  readonly irq_set_vcpu_affinity?: Pointer<[desc: IrqDesc, info: VcpuData | undefined], number>;
  /** The chip of the domain behind this one: the CPU’s vectors behind a device’s messages. */
  readonly parent?: Pick<IrqChip, 'irq_ack'>;
}

/** A level of an interrupt's domain hierarchy: facing the device, the interrupt remapping, or the CPU. */
export interface IrqLevel {
  readonly chip: IrqChip;
  readonly ops: {
    readonly activate?: Pointer<[desc: IrqDesc, reserve: boolean], void>;
    readonly deactivate?: Pointer<[desc: IrqDesc], void>;
    readonly free?: Pointer<[desc: IrqDesc], void>;
  };
}

export type IrqDesc = InstanceOf<typeof IrqDescCells> & {
  readonly irq: number;
  readonly chip: IrqChip;
  readonly handle_irq: Pointer<[desc: IrqDesc], void>;
  action: IrqAction | undefined;
  /** The I/O APIC pin, or the entry of an MSI-X table, behind this interrupt. */
  readonly pin: IrqPin;
  /** The domain hierarchy, outermost first; empty where it is not modelled. */
  readonly hierarchy: readonly IrqLevel[];
  /** The message that the interrupt is one of. */
  msi_desc: MsiDesc | undefined;
  /** irq_chip_compose_msi_msg(): the message that the level next to the CPU, or the remapping, wants to see. */
  readonly compose_msi_msg: () => MsiMsg;
};

/** What the accessors of an `irq_chip` reach: hardware for the host, an emulated controller for a guest. */
export interface IrqPin {
  mask(): Run;
  unmask(): Run;
  eoi(): Run;
}

/** The cells of a line that its first user has brought up already. */
export const STARTED = {
  depth: 0,
  'irq_data.IRQD_IRQ_DISABLED': false,
  'irq_data.IRQD_IRQ_MASKED': false,
  'irq_data.IRQD_IRQ_STARTED': true,
} as const;

/** Allocates the descriptor of an interrupt number: shut down, unless `initial` says otherwise. */
export function irq_desc(
  name: string,
  irq: number,
  chip: IrqChip,
  handle_irq: Pointer<[desc: IrqDesc], void>,
  pin: IrqPin,
  initial: Parameters<typeof IrqDescCells>[1] = {},
): IrqDesc {
  const message = { hierarchy: [], msi_desc: undefined, compose_msi_msg: () => ({ address_lo: 0, data: 0 }) };
  return Object.assign(IrqDescCells(name, initial), { irq, chip, handle_irq, pin, action: undefined, ...message });
}

/** Allocates the descriptor of a message's interrupt number, with the levels that it passes; the outermost is its chip. */
export function irq_desc_of_message(
  name: string,
  parts: Pick<IrqDesc, 'irq' | 'handle_irq' | 'pin' | 'msi_desc' | 'compose_msi_msg'> & {
    readonly hierarchy: readonly [IrqLevel, ...IrqLevel[]];
  },
): IrqDesc {
  return Object.assign(IrqDescCells(name), { action: undefined, chip: parts.hierarchy[0].chip, ...parts });
}
