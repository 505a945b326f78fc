/** A callback with its `opaque` argument filled in when it is called: QEMU keeps the two side by side. */
export { boundPointer as withOpaque } from '../../engine/fn';
