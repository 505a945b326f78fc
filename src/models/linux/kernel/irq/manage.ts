import { source, through, via, type Pointer } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import { irq_activate, irq_disable, irq_shutdown, irq_startup } from './chip';
import { irq_domain_deactivate_irq } from './irqdomain';
import type { VcpuData } from '../../arch/x86/include/asm/irq_remapping';
import { ENOSYS } from '../../errno';
import type { IrqDesc, irqreturn_t } from './irqdesc';

/** What drivers ask of the interrupt core. */

export const IRQF_SHARED = 0x80;
export const IRQF_NO_AUTOEN = 0x80000;

const { fn } = source('linux', 'kernel/irq/manage.c');

export const __disable_irq = fn('Disables a line on the first of nested calls.', function* __disable_irq(desc: IrqDesc) {
  desc.depth += 1;
  if (desc.depth === 1) yield* irq_disable(desc);
});

const __disable_irq_nosync = fn('Disables an interrupt number under its descriptor’s lock.', function* __disable_irq_nosync(desc: IrqDesc) {
  yield* __disable_irq(desc);
});

export const disable_irq_nosync = fn(
  'Disables an interrupt without waiting for handlers that run: the only form that a handler may call for its own line.',
  function* disable_irq_nosync(desc: IrqDesc) {
    yield* __disable_irq_nosync(desc);
  },
);

export const __enable_irq = fn('Undoes one disable; the last one starts the line again.', function* __enable_irq(desc: IrqDesc) {
  if (desc.depth === 1) yield* irq_startup(desc);
  else if (desc.depth > 1) desc.depth -= 1;
  else at('depth', 'Unbalanced: the kernel warns here.');
});

export const enable_irq = fn('Undoes one disable_irq() of this line.', function* enable_irq(desc: IrqDesc) {
  yield* __enable_irq(desc);
});

const __setup_irq = fn(
  'Installs an action and, unless IRQF_NO_AUTOEN says otherwise, starts the line.',
  function* __setup_irq(desc: IrqDesc, irqflags: number) {
    yield* irq_activate(desc);
    atCall('irq_settings_can_autoenable');
    if (irqflags & IRQF_NO_AUTOEN) desc.depth = 1;
    else yield* irq_startup(desc);
  },
);

export const request_threaded_irq = fn(
  'Installs a handler for an interrupt number. What request_irq() expands to.',
  function* request_threaded_irq(
    desc: IrqDesc,
    handler: Pointer<[irq: number], irqreturn_t>,
    irqflags: number,
    name: string,
    dev_id: unknown,
  ) {
    at('action');
    desc.action = { handler, name, dev_id };
    yield* __setup_irq(desc, irqflags);
    return 0;
  },
);

const __free_irq = fn(
  'Removes the handler; the last one shuts the line down, waits for a handler that still runs, and gives back vector and remapping entry.',
  function* __free_irq(desc: IrqDesc) {
    at('action');
    desc.action = undefined;
    yield* irq_shutdown(desc);
    atCall(since('linux', '6.4') ? '__synchronize_irq' : '__synchronize_hardirq');
    yield* irq_domain_deactivate_irq(desc);
  },
);

export const free_irq = fn('Removes a handler from an interrupt number.', function* free_irq(desc: IrqDesc) {
  yield* __free_irq(desc);
});

export const irq_set_vcpu_affinity = fn(
  'Has an interrupt delivered to a virtual CPU without the host, or (with no vCPU) to the host again. Only a level of the hierarchy that remaps interrupts can; -ENOSYS if there is none.',
  function* irq_set_vcpu_affinity(desc: IrqDesc, vcpu_info: VcpuData | undefined) {
    const level = desc.hierarchy.find(({ chip }) => chip.irq_set_vcpu_affinity !== undefined);
    if (level?.chip.irq_set_vcpu_affinity === undefined) return -ENOSYS;
    return yield* through('function pointer', 'irq_set_vcpu_affinity', level.chip.irq_set_vcpu_affinity)(desc, vcpu_info);
  },
);

export const request_irq = via('request_irq', request_threaded_irq);
