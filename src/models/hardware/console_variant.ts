import { source } from '../../engine/fn';
import { iothread_create } from '../acrn/devicemodel/core/iothread';
import { baseOf, virtio_set_modern_bar } from '../acrn/devicemodel/hw/pci/virtio/virtio';
import type { PciVdev } from '../acrn/devicemodel/include/pci_core';

/**
 * A console that upstream does not have: the framework for I/O threads and the layout of virtio 1.0 are there for any
 * device, but the console uses neither. Here it is made to, so that the ways can be compared on one device.
 */

const { fn } = source('hardware', 'console_variant');

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
