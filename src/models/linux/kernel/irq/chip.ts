import { source, through } from '../../../../engine/fn';
import { atCall, atWrite, behind } from '../../../../engine/steps';
import { handle_irq_event } from './handle';
import { irq_domain_activate_irq } from './irqdomain';
import { IRQS_PENDING, type IrqDesc } from './irqdesc';

/** Flow handlers and the state of an interrupt line: the half of the interrupt core that faces the controller. */

const { fn } = source('linux', 'kernel/irq/chip.c');

export const mask_irq = fn('Masks the line at its controller, unless it is masked already.', function* mask_irq(desc: IrqDesc) {
  if (desc['irq_data.IRQD_IRQ_MASKED']) return;
  yield* through('function pointer', 'irq_mask', desc.chip.irq_mask!)(desc);
  setFlag(desc, 'irq_data.IRQD_IRQ_MASKED', true, 'irq_state_set_masked');
});

export const unmask_irq = fn('Unmasks the line at its controller.', function* unmask_irq(desc: IrqDesc) {
  if (!desc['irq_data.IRQD_IRQ_MASKED']) return;
  yield* through('function pointer', 'irq_unmask', desc.chip.irq_unmask!)(desc);
  setFlag(desc, 'irq_data.IRQD_IRQ_MASKED', false, 'irq_state_clr_masked');
});

const __irq_disable = fn(
  'Marks the line disabled. Only with `mask` is the controller touched now; otherwise the next interrupt will find it disabled and mask it.',
  function* __irq_disable(desc: IrqDesc, mask: boolean) {
    if (desc['irq_data.IRQD_IRQ_DISABLED']) {
      if (mask) yield* mask_irq(desc);
      return;
    }
    setFlag(desc, 'irq_data.IRQD_IRQ_DISABLED', true, 'irq_state_set_disabled');
    if (mask) {
      behind('irq_state_set_disabled');
      yield* mask_irq(desc);
    }
  },
);

export const irq_disable = fn(
  'Disables a line, lazily unless IRQ_DISABLE_UNLAZY asks for the mask at once.',
  function* irq_disable(desc: IrqDesc) {
    yield* __irq_disable(desc, desc.IRQ_DISABLE_UNLAZY);
  },
);

export const irq_enable = fn('Enables a line: unmasks it where it had been masked.', function* irq_enable(desc: IrqDesc) {
  if (desc['irq_data.IRQD_IRQ_DISABLED']) {
    setFlag(desc, 'irq_data.IRQD_IRQ_DISABLED', false, 'irq_state_clr_disabled');
    behind('irq_state_clr_disabled');
  }
  yield* unmask_irq(desc);
});

const __irq_startup = fn('Starts a line for the first time.', function* __irq_startup(desc: IrqDesc) {
  yield* irq_enable(desc);
  setFlag(desc, 'irq_data.IRQD_IRQ_STARTED', true, 'irq_state_set_started');
});

export const irq_startup = fn(
  'Brings a line up: its first user, or the last enable_irq() of as many disables.',
  function* irq_startup(desc: IrqDesc) {
    desc.depth = 0;
    if (desc['irq_data.IRQD_IRQ_STARTED']) yield* irq_enable(desc);
    else yield* __irq_startup(desc);
  },
);

export const irq_activate = fn(
  'Gives the interrupt what it needs to be delivered: a vector, a remapping entry, the message in the device.',
  function* irq_activate(desc: IrqDesc) {
    yield* irq_domain_activate_irq(desc, false);
  },
);

export const irq_shutdown = fn(
  'Takes a line down after its last user: disabled, and masked at once.',
  function* irq_shutdown(desc: IrqDesc) {
    if (!desc['irq_data.IRQD_IRQ_STARTED']) return;
    desc.depth = 1;
    yield* __irq_disable(desc, true);
    setFlag(desc, 'irq_data.IRQD_IRQ_STARTED', false, 'irq_state_clr_started');
  },
);

const cond_unmask_eoi_irq = fn(
  'Acknowledges the interrupt at its controller, after the handlers.',
  function* cond_unmask_eoi_irq(desc: IrqDesc) {
    yield* through('function pointer', 'irq_eoi', desc.chip.irq_eoi!)(desc);
  },
);

export const handle_fasteoi_irq = fn(
  'The flow handler of level-triggered I/O APIC pins: handlers first, end-of-interrupt after. A disabled line is masked instead and remembered as pending.',
  function* handle_fasteoi_irq(desc: IrqDesc) {
    if (desc.action === undefined || desc['irq_data.IRQD_IRQ_DISABLED']) {
      desc.istate |= IRQS_PENDING;
      yield* mask_irq(desc);
      yield* through('function pointer', 'irq_eoi', desc.chip.irq_eoi!)(desc);
      return;
    }
    yield* handle_irq_event(desc);
    yield* cond_unmask_eoi_irq(desc);
  },
);

const mask_ack_irq = fn('Masks the line and acknowledges what it sent.', function* mask_ack_irq(desc: IrqDesc) {
  const { irq_mask_ack } = desc.chip;
  if (irq_mask_ack !== undefined) {
    yield* through('function pointer', 'irq_mask_ack', irq_mask_ack)(desc);
    return setFlag(desc, 'irq_data.IRQD_IRQ_MASKED', true, 'irq_state_set_masked');
  }
  yield* mask_irq(desc);
  yield* through('function pointer', 'irq_ack', desc.chip.irq_ack!)(desc);
});

const cond_unmask_irq = fn(
  'Unmasks the line after its handlers, unless somebody disabled it meanwhile.',
  function* cond_unmask_irq(desc: IrqDesc) {
    if (!desc['irq_data.IRQD_IRQ_DISABLED'] && desc['irq_data.IRQD_IRQ_MASKED']) yield* unmask_irq(desc);
  },
);

export const handle_level_irq = fn(
  'The flow handler of the 8259’s interrupts, edges too: masked and acknowledged first, handled then. One that nobody handles stays masked.',
  function* handle_level_irq(desc: IrqDesc) {
    yield* mask_ack_irq(desc);
    if (desc.action === undefined || desc['irq_data.IRQD_IRQ_DISABLED']) {
      atWrite('istate', 'irqd_irq_disabled');
      desc.istate |= IRQS_PENDING;
      return;
    }
    yield* handle_irq_event(desc);
    yield* cond_unmask_irq(desc);
  },
);

export const handle_edge_irq = fn(
  'The flow handler of edges and messages: acknowledged before the handlers run, because nothing would repeat an edge that comes meanwhile.',
  function* handle_edge_irq(desc: IrqDesc) {
    if (desc.action === undefined || desc['irq_data.IRQD_IRQ_DISABLED']) {
      atWrite('istate', 'irqd_irq_disabled');
      desc.istate |= IRQS_PENDING;
      behind('mask_ack_irq');
      yield* mask_ack_irq(desc);
      return;
    }
    yield* through('function pointer', 'irq_ack', desc.chip.irq_ack!)(desc);
    yield* handle_irq_event(desc);
  },
);

export const irq_chip_ack_parent = fn(
  'A message has no acknowledgement of its own: the parent domain, the CPU’s local APIC, has.',
  function* irq_chip_ack_parent(desc: IrqDesc) {
    yield* through('function pointer', 'irq_ack', desc.chip.parent!.irq_ack!)(desc);
  },
);

type Flag = 'irq_data.IRQD_IRQ_DISABLED' | 'irq_data.IRQD_IRQ_MASKED' | 'irq_data.IRQD_IRQ_STARTED';

function setFlag(desc: IrqDesc, flag: Flag, value: boolean, setter: string): void {
  atCall(setter);
  desc[flag] = value;
}
