import { source, through, type Pointer } from '../../../../engine/fn';
import type { IoMem } from '../../lib/iomap';

/** A virtio device as its driver sees it, whatever bus it is on. */
export interface VirtioDevice {
  readonly config: {
    readonly get_status: Pointer<[vdev: VirtioDevice], number>;
    readonly set_status: Pointer<[vdev: VirtioDevice, status: number], void>;
    readonly reset: Pointer<[vdev: VirtioDevice], void>;
  };
  /** The transport’s registers: BAR 0 of a legacy PCI device, the common configuration of a modern one. */
  readonly common: IoMem;
}

export const VIRTIO_CONFIG_S_DRIVER_OK = 4;

const { fn } = source('linux', 'include/linux/virtio_config.h');

export const virtio_device_ready = fn(
  'The driver is set up and the device may use the queues: sets DRIVER_OK. A device that serves its queues from a thread of its own starts that now.',
  function* virtio_device_ready(dev: VirtioDevice) {
    const status = yield* through('function pointer', 'get_status', dev.config.get_status)(dev);
    yield* through('function pointer', 'set_status', dev.config.set_status)(dev, status | VIRTIO_CONFIG_S_DRIVER_OK);
  },
);
