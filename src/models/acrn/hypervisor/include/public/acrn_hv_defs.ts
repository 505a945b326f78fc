import type { AcrnIoRequestBuffer, AcrnIrqlineOps, AcrnMsiEntry, AcrnVmCreation } from './acrn_common';

/** The hypercalls that the models speak. Their parameters lie in the caller's memory, whence the hypervisor copies them. */
export type Hypercall =
  | { readonly id: 'HC_CREATE_VM'; readonly param1: AcrnVmCreation }
  | { readonly id: 'HC_START_VM'; readonly vmid: number }
  | { readonly id: 'HC_SET_IOREQ_BUFFER'; readonly vmid: number; readonly param2: AcrnIoRequestBuffer }
  | { readonly id: 'HC_NOTIFY_REQUEST_FINISH'; readonly vmid: number; readonly param2: number }
  | { readonly id: 'HC_INJECT_MSI'; readonly vmid: number; readonly param2: AcrnMsiEntry }
  | { readonly id: 'HC_SET_IRQLINE'; readonly vmid: number; readonly param2: AcrnIrqlineOps };
