import { bool, hex, int, struct, type InstanceOf } from '../../../../../engine/cell';
import { bound, source } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import type { GuestCpu } from '../../../../guest/cpu';
import type { IrqChip, IrqDesc } from '../../../kernel/irq/irqdesc';

/** How Linux drives the 8259 pair of a PC: masked and ended before the handler runs, unmasked after it. */

const PIC_MASTER_CMD = 0x20;
const PIC_MASTER_IMR = 0x21;
const PIC_SLAVE_CMD = 0xa0;
const PIC_SLAVE_IMR = 0xa1;
export const PIC_CASCADE_IR = 2;
const PIC_ICW4_AEOI = 2;
const ICW4_DEFAULT = 0x01;
const SPECIFIC_EOI = 0x60;

/** The vector of an ISA interrupt. */
export const ISA_IRQ_VECTOR = (irq: number): number => 0x30 + irq;

const LegacyPicCells = struct(
  'legacy_pic',
  'What Linux remembers of the 8259 pair: which inputs it has masked, and what it took for spurious.',
  {
    cached_irq_mask: hex(16, 0xffff),
    i8259A_auto_eoi: bool(),
    spurious_irq_mask: hex(16),
    irq_err_count: int(),
  },
);

/** The pair as a driver sees it, and the CPU that drives it. */
export type LegacyPic = InstanceOf<typeof LegacyPicCells> & { readonly cpu: Pick<GuestCpu, 'in' | 'out'> };

export const legacy_pic = (cpu: LegacyPic['cpu'], initial: Parameters<typeof LegacyPicCells>[1] = {}): LegacyPic =>
  Object.assign(LegacyPicCells('guest', initial), { cpu });

function* outb(pic: LegacyPic, value: number, port: number): Run {
  atCall('outb');
  yield* pic.cpu.out(port, 1, value);
}

function* outb_pic(pic: LegacyPic, value: number, port: number): Run {
  atCall('outb_pic');
  yield* pic.cpu.out(port, 1, value);
}

function* inb(pic: LegacyPic, port: number): Run<number> {
  atCall('inb');
  return yield* pic.cpu.in(port, 1);
}

const cached_master_mask = (pic: LegacyPic): number => pic.cached_irq_mask & 0xff;
const cached_slave_mask = (pic: LegacyPic): number => pic.cached_irq_mask >> 8;

const { fn, ops } = source('linux', 'arch/x86/kernel/i8259.c');

const mask_8259A_irq = fn('Masks an input: OCW1 of its chip.', function* mask_8259A_irq(pic: LegacyPic, irq: number) {
  pic.cached_irq_mask |= 1 << irq;
  if (irq & 8) yield* outb(pic, cached_slave_mask(pic), PIC_SLAVE_IMR);
  else yield* outb(pic, cached_master_mask(pic), PIC_MASTER_IMR);
});

const disable_8259A_irq = fn('Masks an interrupt.', function* disable_8259A_irq(pic: LegacyPic, data: IrqDesc) {
  yield* mask_8259A_irq(pic, data.irq);
});

const unmask_8259A_irq = fn(
  'Unmasks an input. An edge that came while it was masked is still requested, and interrupts now.',
  function* unmask_8259A_irq(pic: LegacyPic, irq: number) {
    pic.cached_irq_mask &= ~(1 << irq);
    if (irq & 8) yield* outb(pic, cached_slave_mask(pic), PIC_SLAVE_IMR);
    else {
      behind('outb');
      yield* outb(pic, cached_master_mask(pic), PIC_MASTER_IMR);
    }
  },
);

const enable_8259A_irq = fn('Unmasks an interrupt.', function* enable_8259A_irq(pic: LegacyPic, data: IrqDesc) {
  yield* unmask_8259A_irq(pic, data.irq);
});

/** i8259A_irq_real(), which the compiler always inlines: whether the chip says that the interrupt is in service. */
function* i8259A_irq_real(pic: LegacyPic, irq: number): Run<boolean> {
  atCall('i8259A_irq_real', 'what is in service? A spurious interrupt is not');
  const port = irq < 8 ? PIC_MASTER_CMD : PIC_SLAVE_CMD;
  yield* pic.cpu.out(port, 1, 0x0b);
  const isr = yield* pic.cpu.in(port, 1);
  yield* pic.cpu.out(port, 1, 0x0a);
  return (isr & (1 << (irq & 7))) !== 0;
}

const mask_and_ack_8259A = fn(
  'Masks an interrupt, then ends it at the chip, slave first. Its handler has not even run: this is why a level that is still high needs the mask.',
  function* mask_and_ack_8259A(pic: LegacyPic, { irq }: IrqDesc) {
    const irqmask = 1 << irq;
    if (pic.cached_irq_mask & irqmask) {
      if (!(yield* i8259A_irq_real(pic, irq))) {
        at('spurious_irq_mask', 'nobody asked for this: counted, ended like any other, and that is all');
        pic.spurious_irq_mask |= irqmask;
        atCall('atomic_inc');
        pic.irq_err_count += 1;
      }
    } else pic.cached_irq_mask |= irqmask;
    if (irq & 8) {
      yield* inb(pic, PIC_SLAVE_IMR);
      yield* outb(pic, cached_slave_mask(pic), PIC_SLAVE_IMR);
      behind('outb');
      yield* outb(pic, SPECIFIC_EOI + (irq & 7), PIC_SLAVE_CMD);
      behind('outb outb');
      yield* outb(pic, SPECIFIC_EOI + PIC_CASCADE_IR, PIC_MASTER_CMD);
    } else {
      behind('inb');
      yield* inb(pic, PIC_MASTER_IMR);
      behind('inb inb');
      yield* outb(pic, cached_master_mask(pic), PIC_MASTER_IMR);
      behind('inb inb outb');
      yield* outb(pic, SPECIFIC_EOI + irq, PIC_MASTER_CMD);
    }
  },
);

const init_8259A = fn(
  'Initializes the pair: ICW1 to ICW4 of each, then the masks. Where the guest wants the end of an interrupt to be automatic, only the master is told so.',
  function* init_8259A(pic: LegacyPic, auto_eoi: boolean) {
    pic.i8259A_auto_eoi = auto_eoi;
    yield* outb(pic, 0xff, PIC_MASTER_IMR);
    yield* outb_pic(pic, 0x11, PIC_MASTER_CMD);
    behind('outb_pic');
    yield* outb_pic(pic, ISA_IRQ_VECTOR(0), PIC_MASTER_IMR);
    behind('ISA_IRQ_VECTOR');
    yield* outb_pic(pic, 1 << PIC_CASCADE_IR, PIC_MASTER_IMR);
    behind(auto_eoi ? 'PIC_CASCADE_IR' : 'PIC_ICW4_AEOI');
    yield* outb_pic(pic, auto_eoi ? ICW4_DEFAULT | PIC_ICW4_AEOI : ICW4_DEFAULT, PIC_MASTER_IMR);
    behind('PIC_ICW4_AEOI MASTER_ICW4_DEFAULT');
    yield* outb_pic(pic, 0x11, PIC_SLAVE_CMD);
    behind('PIC_SLAVE_CMD');
    yield* outb_pic(pic, ISA_IRQ_VECTOR(8), PIC_SLAVE_IMR);
    behind('PIC_SLAVE_IMR');
    yield* outb_pic(pic, PIC_CASCADE_IR, PIC_SLAVE_IMR);
    behind('PIC_SLAVE_IMR PIC_SLAVE_IMR');
    yield* outb_pic(pic, ICW4_DEFAULT, PIC_SLAVE_IMR);
    atWrite('irq_mask_ack', 'auto_eoi');
    behind('irq_mask_ack');
    yield* outb(pic, cached_master_mask(pic), PIC_MASTER_IMR);
    behind('irq_mask_ack outb');
    yield* outb(pic, cached_slave_mask(pic), PIC_SLAVE_IMR);
  },
);

/** The chip's operations, for the guest whose pair this is. */
export const i8259A_chip = (pic: LegacyPic): IrqChip =>
  ops('i8259A_chip', {
    irq_mask: bound(disable_8259A_irq, () => pic),
    irq_unmask: bound(enable_8259A_irq, () => pic),
    irq_mask_ack: bound(mask_and_ack_8259A, () => pic),
  });

export const default_legacy_pic = ops('default_legacy_pic', { init: init_8259A });
