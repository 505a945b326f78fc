import type { Pointer } from '../../../../engine/fn';
import type { VfioFile } from '../../drivers/vfio/vfio_main';
import type { File } from '../../fs/file_table';
import type { Kvm } from './kvm_types';
import type { KvmVfio } from './vfio';

/** Devices of KVM's that user space makes and talks to by a file: `struct kvm_device`. Modelled is the one that VFIO needs. */

/** What an attribute is set to: a file of VFIO's, to add or to take away. */
export interface KvmDeviceAttr {
  readonly attr: 'KVM_DEV_VFIO_GROUP_ADD' | 'KVM_DEV_VFIO_GROUP_DEL';
  readonly file: VfioFile;
}

export interface KvmDeviceOps {
  readonly create: Pointer<[dev: KvmDevice], number>;
  readonly release: Pointer<[dev: KvmDevice], void>;
  readonly set_attr: Pointer<[dev: KvmDevice, attr: KvmDeviceAttr], number>;
}

export interface KvmDevice {
  readonly ops: KvmDeviceOps;
  readonly kvm: Kvm;
  /** Its own part: what create() allocates. */
  readonly private: KvmVfio;
}

/** The file that user space gets for a device. */
export type KvmDeviceFile = File & { readonly dev: KvmDevice };
