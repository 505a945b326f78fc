import { addressOf, source, through, via } from '../../../../../engine/fn';
import { at, atCall } from '../../../../../engine/steps';
import { handle_level_irq } from '../../../kernel/irq/chip';
import { no_action } from '../../../kernel/irq/handle';
import { irq_desc, type IrqDesc, type IrqPin } from '../../../kernel/irq/irqdesc';
import { request_threaded_irq } from '../../../kernel/irq/manage';
import { default_legacy_pic, i8259A_chip, PIC_CASCADE_IR, type LegacyPic } from './i8259';
import { x86_init } from './x86_init';

/** How Linux takes over the interrupts of a PC without an I/O APIC. */

const { fn, ops } = source('linux', 'arch/x86/kernel/irqinit.c');

/** The flow handler of the 8259's interrupts, for a guest that has booted before a run begins. */
export const init_ISA_irqs_handler = ops('init_ISA_irqs', { handle_irq: handle_level_irq });

/** The 8259 has no registers of a pin: its chip's operations do everything. */
export const NO_PIN: IrqPin = {
  mask: () => unused(),
  unmask: () => unused(),
  eoi: () => unused(),
};
function* unused(): Generator<never, void> {}

export const init_ISA_irqs = fn(
  'Initializes the 8259 pair, and gives each of its sixteen interrupts a descriptor: masked and ended first, handled then, and unmasked after that.',
  function* init_ISA_irqs(pic: LegacyPic) {
    atCall('init_bsp_APIC');
    yield* through('function pointer', 'init', default_legacy_pic.init)(pic, false);
    atCall('irq_set_chip_and_handler');
    const chip = i8259A_chip(pic);
    const flow = addressOf(handle_level_irq);
    return Array.from({ length: 16 }, (_, irq) => irq_desc(`guest irq ${irq}`, irq, chip, flow, NO_PIN));
  },
);

export const native_init_IRQ = fn(
  'Sets the interrupts up. Input 2 of the master is the slave: its interrupt is requested for nobody, only to be unmasked.',
  function* native_init_IRQ(pic: LegacyPic) {
    const descs: readonly IrqDesc[] = yield* through('function pointer', 'pre_vector_init', x86_init().pre_vector_init)(pic);
    at('no_action');
    yield* via('request_irq', request_threaded_irq)(descs[PIC_CASCADE_IR]!, addressOf(no_action), 0, 'cascade', undefined);
    return descs;
  },
);
