import { bool, means, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import type { IRQState } from '../../../hw/core/irq';
import * as i8259 from '../../../../hardware/registers/i8259';

/** The 8259 as both forms of it in QEMU share it: the emulated one, and the one that only fronts for KVM's. */

/** What the next write to the odd address is taken for. */
const INIT_STATES = { OCW1: 0, 'expects ICW2': 1, 'expects ICW3': 2, 'expects ICW4': 3 } as const;

const PICCommonStateCells = struct('PICCommonState', 'One 8259 of the pair: eight inputs, one output.', {
  last_irr: i8259.lastIrr(),
  irr: i8259.irr(),
  imr: i8259.imr(),
  isr: i8259.isr(),
  priority_add: i8259.priorityAdd(),
  irq_base: i8259.irqBase(),
  read_reg_select: means('OCW3: what a read of the even address gives: the ISR, else the IRR.', bool()),
  poll: i8259.poll(),
  special_mask: i8259.specialMask(),
  init_state: means('What the next write to the odd address is taken for.', oneOf(INIT_STATES, 0)),
  auto_eoi: i8259.autoEoi(),
  rotate_on_auto_eoi: i8259.rotateOnAutoEoi(),
  special_fully_nested_mode: i8259.specialFullyNested(),
  init4: i8259.init4(),
  single_mode: means('ICW1: there is no second chip.', bool()),
  elcr: i8259.elcr(),
});

export type PICCommonState = InstanceOf<typeof PICCommonStateCells> & {
  readonly master: boolean;
  /** Which inputs can be level-triggered at all. */
  readonly elcr_mask: number;
  /** The output: the master's leads to the CPUs, the slave's to input 2 of the master. */
  readonly int_out: [IRQState | undefined];
  /** The inputs, once the chip is realized. */
  gpio_in: readonly IRQState[];
};

/** One chip of the pair, as after power-on. */
export const pic_common_state = (master: boolean): PICCommonState =>
  Object.assign(PICCommonStateCells(master ? 'master' : 'slave'), {
    master,
    elcr_mask: master ? 0xf8 : 0xde,
    int_out: [undefined] as [IRQState | undefined],
    gpio_in: [],
  });
