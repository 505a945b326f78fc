/** The error numbers that the models return, as include/uapi/asm-generic/errno*.h has them. */
export const EAGAIN = 11;
export const EWOULDBLOCK = EAGAIN;
export const EBUSY = 16;
export const EINVAL = 22;
export const ENOTTY = 25;
