import { bound, source, via, type Pointer } from '../../../../engine/fn';
import { atCall, behind } from '../../../../engine/steps';
import type { MemoryRegion } from '../../include/exec/memory';
import { device_set_realized } from '../core/qdev';
import { isa_register_ioport, type ISABus } from '../isa/isa-bus';
import { pic_common_state, type PICCommonState } from '../../include/hw/isa/i8259_internal';

const { fn, ops } = source('qemu', 'hw/intc/i8259_common.c');

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

const pic_common_realize = fn(
  'Puts a chip’s two registers and its ELCR at their ports.',
  function* pic_common_realize(isa: ISABus, base_io: MemoryRegion | undefined, elcr_io: MemoryRegion | undefined) {
    yield* isa_register_ioport(isa, base_io);
    behind('isa_register_ioport');
    yield* isa_register_ioport(isa, elcr_io);
  },
);

/** What a chip's own class calls when it has done its part. */
export const i8259_common_class_init = ops('pic_common_class_init', { realize: pic_common_realize });

/** Brings one kind of 8259 to life. */
export type RealizePic = Pointer<[s: PICCommonState, isa: ISABus], void>;

/** The ports of a chip. */
export const picPorts = (s: PICCommonState) =>
  s.master
    ? { base: { name: 'pic', addr: 0x20, size: 2 }, elcr: { name: 'elcr', addr: 0x4d0, size: 1 } }
    : { base: { name: 'pic', addr: 0xa0, size: 2 }, elcr: { name: 'elcr', addr: 0x4d1, size: 1 } };

export const i8259_init_chip = fn(
  'Makes one chip of the pair: master or slave, at its ports, with the inputs that can be level-triggered on a PC.',
  function* i8259_init_chip(realize: RealizePic, bus: ISABus, master: boolean) {
    atCall('qdev_prop_set_uint8');
    const s = pic_common_state(master);
    const bring_to_life: Pointer<[], void> = {
      target: bound(
        bound(realize.target, () => s),
        () => bus,
      ),
      registration: realize.registration,
    };
    yield* via('isa_realize_and_unref', device_set_realized)(bring_to_life);
    return s;
  },
);
