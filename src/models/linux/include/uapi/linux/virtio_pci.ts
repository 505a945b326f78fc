/** Registers of virtio over PCI, by offset. */

/** Legacy, in BAR 0. */
export const VIRTIO_PCI_QUEUE_NOTIFY = 16;
export const VIRTIO_PCI_STATUS = 18;
export const VIRTIO_PCI_ISR = 19;
/** The interrupt is about a queue. */
export const VIRTIO_PCI_ISR_QUEUES = 1;

/** In the common configuration structure of virtio 1.0. */
export const VIRTIO_PCI_COMMON_STATUS = 20;

/** The vector of a queue that has none. */
export const VIRTIO_MSI_NO_VECTOR = 0xffff;
