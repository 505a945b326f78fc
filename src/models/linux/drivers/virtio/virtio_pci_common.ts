import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { IRQ_HANDLED, IRQ_NONE, type irqreturn_t } from '../../kernel/irq/irqdesc';
import { ioread8, iowrite16, type IoMem } from '../../lib/iomap';
import type { VirtioDevice } from '../../include/linux/virtio_config';
import { vring_interrupt, type Virtqueue } from './virtio_ring';

/** virtio over PCI: what the legacy and the modern layout have in common. */

const VirtioPciCells = struct('virtio_pci_device', 'A virtio device behind PCI, and which kind of interrupt its driver got.', {
  msix_enabled: bool(),
  intx_enabled: bool(),
});

export type VirtioPciDevice = InstanceOf<typeof VirtioPciCells> &
  VirtioDevice & {
    /** A read of it tells what an interrupt was about, and takes the interrupt back. */
    readonly isr: IoMem;
    /** The queues whose driver wants to be called. */
    readonly virtqueues: Virtqueue[];
  };

/** Makes a device whose driver got MSI-X, or the one interrupt line. */
export const virtio_pci_device = (
  name: string,
  parts: Pick<VirtioPciDevice, 'config' | 'common' | 'isr'>,
  { msix }: { readonly msix: boolean },
): VirtioPciDevice => Object.assign(VirtioPciCells(name, { msix_enabled: msix, intx_enabled: !msix }), parts, { virtqueues: [] });

const { fn, ops } = source('linux', 'drivers/virtio/virtio_pci_common.c');

export const vp_notify = fn(
  'Writes the queue’s number into the notification register. The register is a port or memory; under a hypervisor either access leaves the guest.',
  function* vp_notify(vq: Virtqueue) {
    yield* iowrite16(vq.index, vq.priv);
    return true;
  },
);

const vp_vring_interrupt = fn(
  'One interrupt for all queues: asks each whether it has something.',
  function* vp_vring_interrupt(vp_dev: VirtioPciDevice): Run<irqreturn_t> {
    let ret: irqreturn_t = IRQ_NONE;
    for (const vq of vp_dev.virtqueues) if ((yield* vring_interrupt(vq)) === IRQ_HANDLED) ret = IRQ_HANDLED;
    return ret;
  },
);

const vp_interrupt = fn(
  'The handler of the interrupt line, which devices share. Reading the ISR register says whether it was this one, and lowers the line in the same breath.',
  function* vp_interrupt(vp_dev: VirtioPciDevice): Run<irqreturn_t> {
    if ((yield* ioread8(vp_dev.isr)) === 0) return IRQ_NONE;
    yield* vp_vring_interrupt(vp_dev);
    return IRQ_HANDLED;
  },
);

/** Where a driver’s interrupt handlers were installed: one for each queue, or one for the line. */
export const vp_find_vqs_msix = ops('vp_find_one_vq_msix', { vring_interrupt });
export const vp_find_vqs_intx = ops('vp_find_vqs_intx', { vp_interrupt });
/** The handler of the one message that all queues share, where there are not enough for one each. */
export const vp_request_msix_vectors = ops('vp_request_msix_vectors', { vp_vring_interrupt });
