import { int, means, struct, type Field, type InstanceOf } from '../../../../../engine/cell';
import * as virtio_registers from '../../../../hardware/registers/virtio';

/** The split virtqueue: memory that a driver and a device share. Each side writes its own half and reads the other's. */

export const VRING_DESC_F_NEXT = 1;
export const VRING_DESC_F_WRITE = 2;
export const VRING_USED_F_NO_NOTIFY = 1;
export const VRING_AVAIL_F_NO_INTERRUPT = 1;

/** Fields of an array with `num` elements: `ring[0]`, `ring[1]` …; `member` names one of each element, as in `ring[0].id`. */
export const elements = <N extends string, V, M extends string = ''>(num: number, array: N, field: Field<V>, member?: M) =>
  Object.fromEntries(Array.from({ length: num }, (_, i) => [`${array}[${i}]${member ?? ''}`, field])) as Readonly<
    Record<`${N}[${number}]${M}`, Field<V>>
  >;

const VringDescCells = struct('vring_desc', 'A descriptor: one buffer in the guest’s memory.', {
  len: int(),
  flags: virtio_registers.descriptorFlags(),
  next: int(),
});

/** A piece of guest memory that a descriptor points at. `content` is what was put there last. */
export interface VringBuffer {
  readonly size: number;
  content: unknown;
}

export type VringDesc = InstanceOf<typeof VringDescCells> & { addr: VringBuffer | undefined };

const availOf = (num: number) =>
  struct(
    'vring_avail',
    'What the driver offers, and whether it wants to be interrupted.',
    Object.assign(elements(num, 'ring', int()), {
      flags: virtio_registers.availFlags(),
      idx: means(virtio_registers.AVAIL_IDX, int()),
      // Behind the ring.
      vring_used_event: means(virtio_registers.USED_EVENT, int()),
    }),
  );

const usedOf = (num: number) =>
  struct(
    'vring_used',
    'What the device is done with, and whether it wants to be notified.',
    Object.assign(elements(num, 'ring', int(), '.id'), elements(num, 'ring', int(), '.len'), {
      flags: virtio_registers.usedFlags(),
      idx: means(virtio_registers.USED_IDX, int()),
      // Behind the ring.
      vring_avail_event: means(virtio_registers.AVAIL_EVENT, int()),
    }),
  );

/** A split virtqueue in memory. */
export interface Vring {
  /** The number of descriptors, a power of two. */
  readonly num: number;
  readonly desc: readonly VringDesc[];
  readonly avail: InstanceOf<ReturnType<typeof availOf>>;
  readonly used: InstanceOf<ReturnType<typeof usedOf>>;
}

/** Allocates a ring with `num` descriptors. A driver without a callback says at once that it wants no interrupts. */
export function vring(name: string, num: number, wants_interrupts: boolean): Vring {
  return {
    num,
    desc: Array.from({ length: num }, (_, i) => Object.assign(VringDescCells(`${name} desc[${i}]`), { addr: undefined })),
    avail: availOf(num)(name, { flags: wants_interrupts ? 0 : VRING_AVAIL_F_NO_INTERRUPT }),
    used: usedOf(num)(name),
  };
}

/** vring_need_event(): whether an index that moved from `old` to `next` has passed `event`. All are 16 bits wide and wrap. */
export const vring_need_event = (event: number, next: number, old: number): boolean =>
  ((next - event - 1) & 0xffff) < ((next - old) & 0xffff);

/** An index of a ring after one more entry. */
export const u16 = (index: number): number => index & 0xffff;
