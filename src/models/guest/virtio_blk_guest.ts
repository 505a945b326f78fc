import { boundPointer } from '../../engine/fn';
import { blk_mq_dispatch_rq_list } from '../linux/block/blk-mq';
import { get_id_request, init_vq, virtblk_hctx, virtblk_probe, type VirtioBlk } from '../linux/drivers/block/virtio_blk';
import type { VirtioPciDevice } from '../linux/drivers/virtio/virtio_pci_common';
import type { Vring } from '../linux/include/uapi/linux/virtio_ring';
import { virtio_guest_context, type VirtioGuest, type VirtioInterrupt } from './virtio_driver';
import { virtio_transport, type VirtioRegisters } from './virtio_transport';

/** A guest with a virtio disk: the driver, and programs that ask for the disk’s serial number. */

/** Upstream’s queue has 256 descriptors; eight are two requests at a time. */
const QUEUE_SIZE = 8;

/** The driver’s side of the disk, and the ring that it has set up. */
export interface DiskGuest {
  readonly device: VirtioPciDevice;
  readonly vblk: VirtioBlk;
  readonly rings: readonly Vring[];
}

/** Makes the driver’s side of the disk, and the guest’s thread. */
export function virtio_blk_guest(
  made: VirtioGuest,
  {
    registers,
    interrupt,
    event_idx,
  }: { readonly registers: VirtioRegisters; readonly interrupt: VirtioInterrupt; readonly event_idx: boolean },
  priority: number,
): DiskGuest {
  const own = (): VirtioBlk => vblk;
  const queue = { name: 'req.0', num: QUEUE_SIZE, callback: boundPointer(init_vq.virtblk_done, own) };
  const { device, vqs } = virtio_transport(made.cpu, registers, [queue], { msix: interrupt.gsi === undefined, event_idx });
  const vq = vqs[0]!;
  const vblk: VirtioBlk = { vdev: device, cpu: made.cpu, vq, hctx: virtblk_hctx(own) };
  virtio_guest_context(made, device, interrupt, () => virtblk_probe(vblk), priority);
  return { device, vblk, rings: [vq.vring] };
}

/** A program reads the disk’s serial number from sysfs, and sleeps until it is there. */
export function guest_reads_serial({ tasks }: VirtioGuest, vblk: VirtioBlk, name: string): void {
  const rq = get_id_request(name, vblk);
  tasks.push(function* () {
    yield* blk_mq_dispatch_rq_list(vblk.hctx, [rq]);
  });
}
