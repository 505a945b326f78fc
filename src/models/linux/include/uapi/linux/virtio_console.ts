/** What a console device and its driver tell each other over the control queues. */

export const VIRTIO_CONSOLE_EVENTS = {
  VIRTIO_CONSOLE_DEVICE_READY: 0,
  VIRTIO_CONSOLE_PORT_ADD: 1,
  VIRTIO_CONSOLE_PORT_REMOVE: 2,
  VIRTIO_CONSOLE_PORT_READY: 3,
  VIRTIO_CONSOLE_CONSOLE_PORT: 4,
  VIRTIO_CONSOLE_RESIZE: 5,
  VIRTIO_CONSOLE_PORT_OPEN: 6,
  VIRTIO_CONSOLE_PORT_NAME: 7,
} as const;
export type VirtioConsoleEvent = keyof typeof VIRTIO_CONSOLE_EVENTS;

/** A control message. Its length in memory is 8 bytes, and a name’s own behind it. */
export interface VirtioConsoleControl {
  readonly id: number;
  readonly event: VirtioConsoleEvent;
  readonly value: number;
  readonly name?: string;
}
export const CONTROL_SIZE = 8;

/** The port number of messages that are about the device as such. */
export const VIRTIO_CONSOLE_BAD_ID = 0xffffffff;
