import { bool, hex, int, means, oneOf, struct, type InstanceOf } from '../../../../../engine/cell';

/** What hypervisor, Service VM kernel and device model share: the page of I/O requests. */

/** Who owns a slot: the hypervisor while it is FREE or COMPLETE, the Service VM while it is PENDING or PROCESSING. */
export const ACRN_IOREQ_STATES = {
  ACRN_IOREQ_STATE_PENDING: 0,
  ACRN_IOREQ_STATE_COMPLETE: 1,
  ACRN_IOREQ_STATE_PROCESSING: 2,
  ACRN_IOREQ_STATE_FREE: 3,
} as const;
export type IoreqState = (typeof ACRN_IOREQ_STATES)[keyof typeof ACRN_IOREQ_STATES];
export const { ACRN_IOREQ_STATE_PENDING, ACRN_IOREQ_STATE_COMPLETE, ACRN_IOREQ_STATE_PROCESSING, ACRN_IOREQ_STATE_FREE } =
  ACRN_IOREQ_STATES;

export const ACRN_IOREQ_TYPES = { ACRN_IOREQ_TYPE_PORTIO: 0, ACRN_IOREQ_TYPE_MMIO: 1, ACRN_IOREQ_TYPE_PCICFG: 2 } as const;
export type IoreqType = (typeof ACRN_IOREQ_TYPES)[keyof typeof ACRN_IOREQ_TYPES];
export const { ACRN_IOREQ_TYPE_PORTIO, ACRN_IOREQ_TYPE_MMIO, ACRN_IOREQ_TYPE_PCICFG } = ACRN_IOREQ_TYPES;

export const ACRN_IOREQ_DIRS = { ACRN_IOREQ_DIR_READ: 0, ACRN_IOREQ_DIR_WRITE: 1 } as const;
export const { ACRN_IOREQ_DIR_READ, ACRN_IOREQ_DIR_WRITE } = ACRN_IOREQ_DIRS;

/** How a port and a memory request begin: alike. */
export const request_fields = {
  'reqs.direction': oneOf(ACRN_IOREQ_DIRS, ACRN_IOREQ_DIR_READ),
  'reqs.address': hex(32),
  'reqs.size': int(),
  'reqs.value': hex(32),
} as const;

const IoRequestCells = struct('acrn_io_request', 'A slot of the shared page: the one access that a vCPU of the User VM waits for.', {
  type: oneOf(ACRN_IOREQ_TYPES, ACRN_IOREQ_TYPE_PORTIO),
  completion_polling: means('The hypervisor looks for the completion itself; else it is told of it.', bool()),
  ...request_fields,
  kernel_handled: means('A client in the kernel handles it, not the device model.', bool()),
  processed: means(
    'Whose turn it is: the hypervisor’s while FREE or COMPLETE, the Service VM’s while PENDING or PROCESSING.',
    oneOf(ACRN_IOREQ_STATES, ACRN_IOREQ_STATE_FREE),
  ),
});

export type AcrnIoRequest = InstanceOf<typeof IoRequestCells>;

/** The shared page of a VM: a slot per vCPU. */
export interface AcrnIoRequestBuffer {
  readonly req_slot: readonly AcrnIoRequest[];
}

/** Allocates the page, as the device model does. */
export const acrn_io_request_buffer = (vm: string, vcpus: number): AcrnIoRequestBuffer => ({
  req_slot: Array.from({ length: vcpus }, (_, vcpu) => IoRequestCells(`${vm} slot ${vcpu}`)),
});

/** An MSI to inject. */
export interface AcrnMsiEntry {
  readonly msi_addr: number;
  readonly msi_data: number;
}

/** What a caller wants of an interrupt line: a level, or a pulse. */
export type GsiOperation = 'GSI_SET_HIGH' | 'GSI_SET_LOW' | 'GSI_RAISING_PULSE' | 'GSI_FALLING_PULSE';

/** The levels that an operation drives, one after the other. */
export function levelsOf(operation: GsiOperation): readonly (0 | 1)[] {
  switch (operation) {
    case 'GSI_SET_HIGH':
      return [1];
    case 'GSI_SET_LOW':
      return [0];
    case 'GSI_RAISING_PULSE':
      return [1, 0];
    case 'GSI_FALLING_PULSE':
      return [0, 1];
  }
}

/** What to do to an interrupt line. */
export interface AcrnIrqlineOps {
  readonly gsi: number;
  readonly op: GsiOperation;
}

/** What a VM shall be like. */
export interface AcrnVmCreation {
  readonly vcpu_num: number;
  readonly ioreq_buf: AcrnIoRequestBuffer;
  /** GUEST_FLAG_IO_COMPLETION_POLLING. */
  readonly io_completion_polling: boolean;
}
