import type { History } from '../history';
import { acrn } from './linux/acrn';
import { core } from './linux/core';
import { drivers } from './linux/drivers';
import { iommu } from './linux/iommu';
import { iommufd } from './linux/iommufd';
import { kvm } from './linux/kvm';
import { names } from './linux/names';
import { pci } from './linux/pci';
import { vfio } from './linux/vfio';
import { virt } from './linux/virt';

export const linux: History = {
  checked: ['5.10.223', '6.1.192', '6.12.117', '7.1.13', '7.3.4'],
  names,
  files: { ...vfio, ...acrn, ...drivers, ...iommu, ...iommufd, ...pci, ...kvm, ...virt, ...core },
};
