import { bool, hex, int, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';
import type { IRQState } from '../../../hw/core/irq';

/** The 8259 as both forms of it in QEMU share it: the emulated one, and the one that only fronts for KVM's. */

/** What the next write to the odd address is taken for. */
const INIT_STATES = { OCW1: 0, 'expects ICW2': 1, 'expects ICW3': 2, 'expects ICW4': 3 } as const;

const PICCommonStateCells = struct('PICCommonState', 'One 8259 of the pair: eight inputs, one output.', {
  last_irr: hex(8),
  irr: hex(8),
  imr: hex(8),
  isr: hex(8),
  priority_add: int(),
  irq_base: hex(8),
  read_reg_select: bool(),
  poll: bool(),
  special_mask: bool(),
  init_state: oneOf(INIT_STATES, 0),
  auto_eoi: bool(),
  rotate_on_auto_eoi: bool(),
  special_fully_nested_mode: bool(),
  init4: bool(),
  single_mode: bool(),
  elcr: hex(8),
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
