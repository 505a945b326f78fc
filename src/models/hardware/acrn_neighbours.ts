import { source } from '../../engine/fn';
import { vm_irqfd, vm_set_gsi_irq } from '../acrn/devicemodel/core/vmmapi';
import type { Vmctx } from '../acrn/devicemodel/include/dm';
import { eventfd_signal } from '../linux/include/linux/eventfd';

/** Other devices of the User VM beside its console, as far as they interrupt. */

const { fn } = source('hardware', 'acrn_neighbours');

/** The serial port’s line: pin 4, as on every PC. */
const SERIAL_GSI = 4;

export const serial_interrupts = fn(
  'The emulated serial port of acrn-dm interrupts: an edge of its line.',
  function* serial_interrupts(ctx: Vmctx) {
    yield* vm_set_gsi_irq(ctx, SERIAL_GSI, 'GSI_RAISING_PULSE');
  },
);

export const vhost_signals = fn(
  'A worker of the Service VM’s kernel that serves a queue by itself, as vhost does: the device model has given it an eventfd to signal, and the HSM the message to send then.',
  function* vhost_signals(ctx: Vmctx) {
    const fd = ctx.call_fd;
    const [, entry] = ctx.pci_devices[0]?.msix_table ?? [];
    if (entry === undefined) return;
    // The HSM refuses an eventfd that it has already.
    yield* vm_irqfd(ctx, { fd, msi: { msi_addr: entry.addr, msi_data: entry.msg_data } });
    yield* eventfd_signal(fd);
  },
);
