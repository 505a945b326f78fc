/** What virtio block devices and their drivers say to each other. */

/** struct virtio_blk_outhdr: what is to be done. The models ask only for the disk’s serial number, which needs no medium. */
export interface VirtioBlkOuthdr {
  readonly type: 'VIRTIO_BLK_T_GET_ID';
}

export const OUTHDR_SIZE = 16;
export const VIRTIO_BLK_ID_BYTES = 20;

/** The status that the device writes behind the data. */
export const VIRTIO_BLK_S_OK = 0;
export const VIRTIO_BLK_S_UNSUPP = 2;
