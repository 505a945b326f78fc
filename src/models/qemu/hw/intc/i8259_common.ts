import { source } from '../../../../engine/fn';
import type { PICCommonState } from '../../include/hw/isa/i8259_internal';

const { fn } = source('qemu', 'hw/intc/i8259_common.c');

export const pic_reset_common = fn(
  'Forgets everything but which inputs are level-triggered. A level request survives: its line is still high.',
  function* pic_reset_common(s: PICCommonState) {
    s.last_irr = 0;
    s.irr &= s.elcr;
    s.imr = 0;
    s.isr = 0;
    s.priority_add = 0;
    s.irq_base = 0;
    s.read_reg_select = false;
    s.poll = false;
    s.special_mask = false;
    s.init_state = 0;
    s.auto_eoi = false;
    s.rotate_on_auto_eoi = false;
    s.special_fully_nested_mode = false;
    s.init4 = false;
    s.single_mode = false;
  },
);
