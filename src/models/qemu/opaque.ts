import { bound, type Pointer } from '../../engine/fn';

/** A callback with its `opaque` argument filled in when it is called: QEMU keeps the two side by side. */
export function withOpaque<T, A extends readonly unknown[], R>(callback: Pointer<[T, ...A], R>, opaque: () => T): Pointer<A, R> {
  return { target: bound(callback.target, opaque), registration: callback.registration };
}
