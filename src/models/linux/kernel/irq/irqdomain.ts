import { architecturally, source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { atCall } from '../../../../engine/steps';
import type { IrqDesc } from './irqdesc';

/** Interrupt domains: an interrupt passes several controllers on its way, and each has to be made ready for it. */

const { fn } = source('linux', 'kernel/irq/irqdomain.c');

const __irq_domain_activate_irq = fn(
  'Makes the levels ready from the CPU outwards: the vector first, the message in the device last.',
  function* __irq_domain_activate_irq(desc: IrqDesc, level: number, reserve: boolean): Run {
    const here = desc.hierarchy[level];
    if (here === undefined) return;
    if (level + 1 < desc.hierarchy.length) yield* __irq_domain_activate_irq(desc, level + 1, reserve);
    if (here.ops.activate !== undefined) yield* through('function pointer', 'activate', here.ops.activate)(desc, reserve);
  },
);

export const irq_domain_activate_irq = fn(
  'Activates an interrupt unless it is. With `reserve` it gets no vector of its own yet, only a place to go astray.',
  function* irq_domain_activate_irq(desc: IrqDesc, reserve: boolean) {
    if (desc['irq_data.IRQD_ACTIVATED']) return;
    yield* __irq_domain_activate_irq(desc, 0, reserve);
    atCall('irqd_set_activated');
    desc['irq_data.IRQD_ACTIVATED'] = true;
  },
);

const __irq_domain_deactivate_irq = fn(
  'Takes the levels down from the device to the CPU: nothing is sent any more before its vector is given away.',
  function* __irq_domain_deactivate_irq(desc: IrqDesc, level: number): Run {
    const here = desc.hierarchy[level];
    if (here === undefined) return;
    if (here.ops.deactivate !== undefined) yield* through('function pointer', 'deactivate', here.ops.deactivate)(desc);
    if (level + 1 < desc.hierarchy.length) yield* __irq_domain_deactivate_irq(desc, level + 1);
  },
);

export const irq_domain_deactivate_irq = fn(
  'Deactivates an interrupt if it is active.',
  function* irq_domain_deactivate_irq(desc: IrqDesc) {
    if (!desc['irq_data.IRQD_ACTIVATED']) return;
    yield* __irq_domain_deactivate_irq(desc, 0);
    atCall('irqd_clr_activated');
    desc['irq_data.IRQD_ACTIVATED'] = false;
  },
);

export const irq_domain_free_irqs = fn(
  'Gives an interrupt number back, and what each level holds for it.',
  function* irq_domain_free_irqs(desc: IrqDesc) {
    for (const { ops } of desc.hierarchy) if (ops.free !== undefined) yield* architecturally('function pointer', ops.free.target)(desc);
  },
);
