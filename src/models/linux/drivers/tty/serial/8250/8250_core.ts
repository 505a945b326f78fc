import { addressOf, bound, source, through } from '../../../../../../engine/fn';
import type { Run } from '../../../../../../engine/machine';
import { at } from '../../../../../../engine/steps';
import { IRQ_HANDLED, IRQ_NONE, type irqreturn_t } from '../../../../kernel/irq/irqdesc';
import { IRQF_SHARED, request_irq } from '../../../../kernel/irq/manage';
import type { UartPort } from '../../../../include/linux/serial_core';

/** Ports of the 8250 driver that share an interrupt, and its handler. */

const PASS_LIMIT = 512;

const { fn, ops } = source('linux', 'drivers/tty/serial/8250/8250_core.c');

const serial8250_interrupt = fn(
  'The interrupt handler: asks every port on this interrupt whether it was the one, again and again, until a whole round finds none. So a cause that comes up meanwhile is served as well.',
  function* serial8250_interrupt(ports: readonly UartPort[]): Run<irqreturn_t> {
    let handled = false;
    let quiet = 0;
    let pass_counter = 0;
    for (let turn = 0; quiet < ports.length; turn = (turn + 1) % ports.length) {
      const port = ports[turn]!;
      if ((yield* through('function pointer', 'handle_irq', port.handle_irq)(port)) !== 0) {
        handled = true;
        quiet = 0;
      } else {
        quiet++;
      }
      if (turn === ports.length - 1 && pass_counter++ > PASS_LIMIT) break;
    }
    return handled ? IRQ_HANDLED : IRQ_NONE;
  },
);

const serial_link_irq_chain = fn(
  'Puts a port on the list of its interrupt number. The first one requests the interrupt.',
  function* serial_link_irq_chain(port: UartPort) {
    const { irq_list } = port;
    at('head');
    irq_list.push(port);
    if (irq_list.length > 1) return 0;
    const handler = addressOf(bound(serial8250_interrupt, () => irq_list));
    return yield* request_irq(port.desc, handler, IRQF_SHARED, 'ttyS', irq_list);
  },
);

const univ8250_setup_irq = fn(
  'Sets the port’s interrupt up: the number that PCI gave it. A port without one would be polled by a timer.',
  function* univ8250_setup_irq(port: UartPort) {
    at('irq');
    return yield* serial_link_irq_chain(port);
  },
);

export const univ8250_driver_ops = ops('univ8250_driver_ops', { setup_irq: univ8250_setup_irq });
