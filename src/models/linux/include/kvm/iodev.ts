import { bound, source, through, type Pointer } from '../../../../engine/fn';
import { EOPNOTSUPP } from '../../errno';
import type { KvmVcpu } from '../../virt/kvm/kvm_types';

/** Devices on KVM's own buses: a port or MMIO access of the guest that one of them takes never reaches user space. */

/** Where a read leaves what it read. */
export interface IoBuffer {
  value: number;
}

/** A device on a bus. Its operations return 0, or an error to have the access offered to the next device. */
export interface KvmIoDevice {
  readonly read?: Pointer<[vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer], number>;
  readonly write?: Pointer<[vcpu: KvmVcpu, addr: number, len: number, val: number], number>;
  readonly destructor?: Pointer<[], void>;
}

/** A device's operations as its file defines them: their first argument is what container_of() finds. */
export interface KvmIoDeviceOps<T> {
  readonly read?: Pointer<[self: T, vcpu: KvmVcpu, addr: number, len: number, val: IoBuffer], number>;
  readonly write?: Pointer<[self: T, vcpu: KvmVcpu, addr: number, len: number, val: number], number>;
  readonly destructor?: Pointer<[self: T], void>;
}

/** kvm_iodevice_init(): makes the device that a structure embeds. */
export function kvm_iodevice_init<T>(ops: KvmIoDeviceOps<T>, self: () => T): KvmIoDevice {
  return {
    ...(ops.read && { read: of(ops.read, self) }),
    ...(ops.write && { write: of(ops.write, self) }),
    ...(ops.destructor && { destructor: of(ops.destructor, self) }),
  };
}

const of = <T, A extends readonly unknown[], R>({ target, registration }: Pointer<[T, ...A], R>, self: () => T): Pointer<A, R> => ({
  target: bound(target, self),
  registration,
});

const { fn } = source('linux', 'include/kvm/iodev.h');

export const kvm_iodevice_read = fn(
  'Calls a device’s read operation.',
  function* kvm_iodevice_read(vcpu: KvmVcpu, dev: KvmIoDevice, addr: number, l: number, v: IoBuffer) {
    return dev.read === undefined ? -EOPNOTSUPP : yield* through('function pointer', 'read', dev.read)(vcpu, addr, l, v);
  },
);

export const kvm_iodevice_write = fn(
  'Calls a device’s write operation.',
  function* kvm_iodevice_write(vcpu: KvmVcpu, dev: KvmIoDevice, addr: number, l: number, v: number) {
    return dev.write === undefined ? -EOPNOTSUPP : yield* through('function pointer', 'write', dev.write)(vcpu, addr, l, v);
  },
);
