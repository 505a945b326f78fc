import type { History } from '../history';
import { core } from './linux/core';
import { drivers } from './linux/drivers';
import { iommu } from './linux/iommu';
import { kvm } from './linux/kvm';
import { names } from './linux/names';
import { pci } from './linux/pci';
import { vfio } from './linux/vfio';
import { virt } from './linux/virt';

export const linux: History = {
  checked: ['5.10', '6.1', '6.12', '7.1'],
  names,
  files: { ...vfio, ...drivers, ...iommu, ...pci, ...kvm, ...virt, ...core },
};
