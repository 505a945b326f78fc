import { bool, struct, type InstanceOf } from '../../../../engine/cell';
import { addressOf, source, through } from '../../../../engine/fn';
import { holding, Mutex, MUTEX } from '../../../../engine/mutex';
import { at, atCall, behind } from '../../../../engine/steps';
import { since } from '../../../version';
import { kvm_arch_end_assignment, kvm_arch_start_assignment } from '../../arch/x86/kvm/x86';
import {
  vfio_file_enforced_coherent,
  vfio_file_is_group,
  vfio_file_is_valid,
  vfio_file_set_kvm,
  type VfioFile,
} from '../../drivers/vfio/vfio_main';
import { EBUSY, EEXIST, EINVAL, ENOENT } from '../../errno';
import { fput, type File } from '../../fs/file_table';
import type { KvmDevice, KvmDeviceAttr, KvmDeviceOps } from './kvm_device';
import type { Kvm } from './kvm_types';

/** The device that makes KVM and VFIO know of each other: no hardware, only a list of VFIO's files that belong to this virtual machine. */

const KvmVfioCells = struct('kvm_vfio', 'What KVM knows of VFIO. noncoherent: some DMA goes past the CPUs’ caches.', {
  noncoherent: bool(),
});

export type KvmVfio = InstanceOf<typeof KvmVfioCells> & { readonly lock: Mutex; readonly file_list: VfioFile[] };

/** What it is made with, before anybody knows it. */
export const kvm_vfio = (): KvmVfio => Object.assign(KvmVfioCells('kvm-vfio'), { lock: Mutex('kvm_vfio.lock'), file_list: [] });

/** The open file behind one of VFIO's: what a reference is held on. */
const filp = (file: VfioFile): File => (file.f_op === 'vfio_device_fops' ? file.file : file);

const { fn, ops } = source('linux', 'virt/kvm/vfio.c');

// KVM can be there without VFIO: each function of VFIO's is looked up by its name when it is needed.

const kvm_vfio_file_set_kvm = fn(
  'Tells VFIO which virtual machine the file belongs to.',
  function* kvm_vfio_file_set_kvm(file: VfioFile, kvm: Kvm | undefined) {
    yield* through('function pointer', 'fn', addressOf(vfio_file_set_kvm))(file, kvm?.arch.assignment);
  },
);

const kvm_vfio_file_enforced_coherent = fn(
  'Asks VFIO whether the IOMMU makes all of this DMA coherent.',
  function* kvm_vfio_file_enforced_coherent(file: VfioFile) {
    return yield* through('function pointer', 'fn', addressOf(vfio_file_enforced_coherent))(file);
  },
);

const kvm_vfio_file_is_group = fn('Asks VFIO whether a file is a group.', function* kvm_vfio_file_is_group(file: VfioFile) {
  return yield* through('function pointer', 'fn', addressOf(vfio_file_is_group))(file);
});

const kvm_vfio_file_is_valid = fn('Asks VFIO whether a file is a group or a device.', function* kvm_vfio_file_is_valid(file: VfioFile) {
  return yield* through('function pointer', 'fn', addressOf(vfio_file_is_valid))(file);
});

/** kvm_vfio_update_coherency() but for its lock. */
function* look_at_coherency({ private: kv }: KvmDevice) {
  let noncoherent = false;
  for (const file of kv.file_list) {
    noncoherent = !(yield* kvm_vfio_file_enforced_coherent(file));
    if (noncoherent) break;
  }
  behind('kvm_vfio_file_enforced_coherent noncoherent');
  at('noncoherent');
  if (noncoherent === kv.noncoherent) return;
  kv.noncoherent = noncoherent;
  atCall(noncoherent ? 'kvm_arch_register_noncoherent_dma' : 'kvm_arch_unregister_noncoherent_dma');
}

const kvm_vfio_update_coherency = fn(
  'Looks at all files again: where a device’s writes may go past the caches, KVM has to take the guest’s cache control for what it says.',
  function* kvm_vfio_update_coherency(dev: KvmDevice) {
    if (since('linux', '6.2')) yield* look_at_coherency(dev);
    else yield* holding(dev.private.lock, MUTEX, () => look_at_coherency(dev));
  },
);

const kvm_vfio_file_add = fn(
  'A file of VFIO’s now belongs to this virtual machine. From the first on, vCPUs that halt have to look out for interrupts of hardware.',
  function* kvm_vfio_file_add(dev: KvmDevice, file: VfioFile) {
    const { kvm, private: kv } = dev;
    const valid = since('linux', '6.2') ? kvm_vfio_file_is_valid : kvm_vfio_file_is_group;
    if (!(yield* valid(file))) return -EINVAL;
    const ret = yield* holding(kv.lock, MUTEX, function* () {
      at('file_list');
      if (kv.file_list.includes(file)) return -EEXIST;
      atCall(since('linux', '6.2') ? 'get_file' : 'fget');
      filp(file).f_count += 1;
      atCall('list_add_tail');
      kv.file_list.push(file);
      yield* kvm_arch_start_assignment(kvm);
      yield* kvm_vfio_file_set_kvm(file, kvm);
      if (since('linux', '6.2')) yield* kvm_vfio_update_coherency(dev);
      return 0;
    });
    if (ret === 0 && !since('linux', '6.2')) yield* kvm_vfio_update_coherency(dev);
    return ret;
  },
);

const kvm_vfio_file_del = fn(
  'A file of VFIO’s no longer belongs to this virtual machine.',
  function* kvm_vfio_file_del(dev: KvmDevice, file: VfioFile) {
    const { kvm, private: kv } = dev;
    const ret = yield* holding(kv.lock, MUTEX, function* () {
      at('file_list');
      const index = kv.file_list.indexOf(file);
      if (index >= 0) {
        kv.file_list.splice(index, 1);
        yield* kvm_arch_end_assignment(kvm);
        yield* kvm_vfio_file_set_kvm(file, undefined);
        fput(filp(file));
      }
      if (since('linux', '6.2')) yield* kvm_vfio_update_coherency(dev);
      return index >= 0 ? 0 : -ENOENT;
    });
    if (!since('linux', '6.2')) yield* kvm_vfio_update_coherency(dev);
    return ret;
  },
);

const kvm_vfio_set_file = fn('Adds a file, or takes one away.', function* kvm_vfio_set_file(dev: KvmDevice, { attr, file }: KvmDeviceAttr) {
  at('attr');
  return attr === 'KVM_DEV_VFIO_GROUP_ADD' ? yield* kvm_vfio_file_add(dev, file) : yield* kvm_vfio_file_del(dev, file);
});

const kvm_vfio_set_attr = fn(
  'The one attribute that it has is the list of files.',
  function* kvm_vfio_set_attr(dev: KvmDevice, attr: KvmDeviceAttr) {
    at('group');
    return yield* kvm_vfio_set_file(dev, attr);
  },
);

const kvm_vfio_release = fn('The virtual machine goes: lets go of every file.', function* kvm_vfio_release(dev: KvmDevice) {
  const { kvm, private: kv } = dev;
  for (const file of kv.file_list.splice(0)) {
    yield* kvm_vfio_file_set_kvm(file, undefined);
    fput(filp(file));
    yield* kvm_arch_end_assignment(kvm);
  }
  yield* kvm_vfio_update_coherency(dev);
});

const kvm_vfio_create = fn('Makes it: once for a virtual machine.', function* kvm_vfio_create(dev: KvmDevice) {
  at('devices');
  if (dev.kvm.devices.some(({ ops: other }) => other === dev.ops)) return -EBUSY;
  atCall('kzalloc');
  return 0;
});

export const kvm_vfio_ops: KvmDeviceOps = ops('kvm_vfio_ops', {
  create: kvm_vfio_create,
  release: kvm_vfio_release,
  set_attr: kvm_vfio_set_attr,
});
