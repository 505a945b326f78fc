import { boundPointer } from '../../engine/fn';
import { init_vqs, virtcons_probe, virtcons_remove, type PortsDevice } from '../linux/drivers/char/virtio_console';
import { hvc_write } from '../linux/drivers/tty/hvc/hvc_console';
import type { VirtioPciDevice } from '../linux/drivers/virtio/virtio_pci_common';
import type { Vring } from '../linux/include/uapi/linux/virtio_ring';
import { virtio_guest_context, type VirtioGuest, type VirtioInterrupt } from './virtio_driver';
import { virtio_transport, type VirtioRegisters, type WantedQueue } from './virtio_transport';

/** A guest with a virtio console: the driver, and programs that write to `/dev/hvc0`. */

/** Upstream’s device has 128 and 32 descriptors; four are enough to see it work. */
const QUEUE_SIZE = 4;

/** What the guest needs to know of its device. */
export interface ConsoleDevice {
  readonly registers: VirtioRegisters;
  readonly interrupt: VirtioInterrupt;
  readonly event_idx: boolean;
  /** VIRTIO_CONSOLE_F_MULTIPORT: the device may have several ports, and tells of them over control queues. */
  readonly multiport: boolean;
}

/** The driver’s side of the device, and the rings that it has set up, in the order of the queues. */
export interface ConsoleGuest {
  readonly device: VirtioPciDevice;
  readonly portdev: PortsDevice;
  readonly rings: readonly (Vring | undefined)[];
}

/** Makes the driver’s side of the device, and the guest’s thread. */
export function virtio_console_guest(
  made: VirtioGuest,
  { registers, interrupt, event_idx, multiport }: ConsoleDevice,
  priority: number,
): ConsoleGuest {
  const own = (): PortsDevice => portdev;
  const queue = (name: string, callback: WantedQueue['callback']): WantedQueue => ({ name, num: QUEUE_SIZE, callback });
  const input = boundPointer(init_vqs.in_intr, own);
  const output = boundPointer(init_vqs.out_intr, own);
  const port = (id: number) => [queue(`input.${id}`, input), queue(`output.${id}`, output)];
  const control = [queue('control-i', boundPointer(init_vqs.control_intr, own)), queue('control-o', undefined)];
  const queues = multiport ? [...port(0), ...control, ...port(1)] : port(0);
  const { device, vqs } = virtio_transport(made.cpu, registers, queues, { msix: interrupt.gsi === undefined, event_idx });
  const portdev: PortsDevice = {
    vdev: device,
    cpu: made.cpu,
    use_multiport: multiport,
    in_vqs: vqs.filter(({ name }) => name.startsWith('input')),
    out_vqs: vqs.filter(({ name }) => name.startsWith('output')),
    // Nobody touches these without VIRTIO_CONSOLE_F_MULTIPORT.
    c_ivq: vqs[2] ?? vqs[0]!,
    c_ovq: vqs[3] ?? vqs[1]!,
    ports: [],
    system_wq: made.system_wq,
    control_work: undefined,
    // The device is made with the rings that the driver will set up.
    queues_found: () => {},
  };
  virtio_guest_context(made, device, interrupt, () => virtcons_probe(portdev), priority);
  const rings = vqs.map(({ vring }) => vring);
  return { device, portdev, rings: multiport ? rings : [...rings, undefined, undefined] };
}

/** A program writes to `/dev/hvc0`, if that is there. */
export function guest_writes({ tasks }: VirtioGuest, { ports }: PortsDevice, text: string): void {
  tasks.push(function* () {
    const hvc = ports[0]?.hvc;
    if (hvc !== undefined) yield* hvc_write(hvc, text);
  });
}

/** The driver lets its device go; it does not come back. */
export function guest_unbinds({ tasks }: VirtioGuest, portdev: PortsDevice): void {
  tasks.push(function* () {
    // Probed and not removed yet: the one port is there, or the control queues will bring it.
    if (portdev.out_vqs.every(({ broken }) => !broken)) yield* virtcons_remove(portdev);
  });
}
