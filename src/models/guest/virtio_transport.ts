import { legacy_config_ops, legacy_setup_vq } from '../linux/drivers/virtio/virtio_pci_legacy';
import { modern_config_ops, modern_setup_vq } from '../linux/drivers/virtio/virtio_pci_modern';
import { virtio_pci_device, type VirtioPciDevice } from '../linux/drivers/virtio/virtio_pci_common';
import { virtqueue, type Virtqueue } from '../linux/drivers/virtio/virtio_ring';
import { VIRTIO_PCI_ISR, VIRTIO_PCI_QUEUE_NOTIFY } from '../linux/include/uapi/linux/virtio_pci';
import { io_offset, type IoMem } from '../linux/lib/iomap';
import type { GuestCpu } from './cpu';

/** A virtio PCI device as its driver in the guest holds it once the transport has set it up: registers mapped, queues made. */

/** Where the device’s registers are: ports of BAR 0, or structures in memory. */
export type VirtioRegisters =
  | { readonly layout: 'legacy'; readonly port: number }
  | {
      readonly layout: 'modern';
      readonly common: number;
      readonly isr: number;
      readonly notify: number;
      readonly notify_multiplier: number;
    };

/** A queue as its driver asks for it. */
export interface WantedQueue {
  readonly name: string;
  readonly num: number;
  readonly callback: Virtqueue['callback'];
}

/** What the transport made of a device. */
export interface VirtioTransport {
  readonly device: VirtioPciDevice;
  readonly vqs: readonly Virtqueue[];
}

/** Sets a device up: the transport’s probe and find_vqs(), as they leave things behind. */
export function virtio_transport(
  cpu: GuestCpu,
  registers: VirtioRegisters,
  queues: readonly WantedQueue[],
  { msix, event_idx }: { readonly msix: boolean; readonly event_idx: boolean },
): VirtioTransport {
  const memory = (address: number): IoMem => ({ cpu, space: 'memory', address });
  const legacy = registers.layout === 'legacy';
  const common: IoMem = legacy ? { cpu, space: 'port', address: registers.port } : memory(registers.common);
  const isr = legacy ? io_offset(common, VIRTIO_PCI_ISR) : memory(registers.isr);
  const notifyOf = (index: number): IoMem =>
    legacy ? io_offset(common, VIRTIO_PCI_QUEUE_NOTIFY) : memory(registers.notify + index * registers.notify_multiplier);
  const { notify } = legacy ? legacy_setup_vq : modern_setup_vq;
  const device = virtio_pci_device('virtio0', { config: legacy ? legacy_config_ops : modern_config_ops, common, isr }, { msix });
  const vqs = queues.map(({ name, num, callback }, index) =>
    virtqueue({ name, index, notify, callback, priv: notifyOf(index) }, num, event_idx),
  );
  device.virtqueues.push(...vqs.filter(({ callback }) => callback !== undefined));
  return { device, vqs };
}
