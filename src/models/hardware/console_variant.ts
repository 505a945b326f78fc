import { source } from '../../engine/fn';
import { vm_irqfd, vm_set_gsi_irq } from '../acrn/devicemodel/core/vmmapi';
import type { Vmctx } from '../acrn/devicemodel/include/dm';
import { iothread_create } from '../acrn/devicemodel/core/iothread';
import { baseOf, virtio_set_modern_bar } from '../acrn/devicemodel/hw/pci/virtio/virtio';
import type { PciVdev } from '../acrn/devicemodel/include/pci_core';
import { eventfd_signal } from '../linux/include/linux/eventfd';

/**
 * A console that upstream does not have: the framework for I/O threads and the layout of virtio 1.0 are there for any
 * device, but the console uses neither. Here it is made to, so that the ways can be compared on one device.
 */

const { fn } = source('hardware', 'console_variant');

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

export const give_iothread = fn(
  'The console gets an I/O thread, as virtio-blk does with its option `iothread`.',
  function* give_iothread(dev: PciVdev) {
    const base = baseOf(dev);
    const ioctx = iothread_create(`iothr-0-${dev.name}`);
    for (const vq of base.queues) vq.viothrd.ioctx = ioctx;
    base.iothread = true;
  },
);

export const make_modern = fn(
  'The console offers VIRTIO_F_VERSION_1 and gets the registers of virtio 1.0, as virtio-i2c and vhost-vsock have them.',
  function* make_modern(dev: PciVdev) {
    const base = baseOf(dev);
    base['device_caps.VIRTIO_F_VERSION_1'] = true;
    yield* virtio_set_modern_bar(base);
  },
);
