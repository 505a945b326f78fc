import type { Pointer } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import type { AcrnIoRequestBuffer } from '../../hypervisor/include/public/acrn_common';
import type { AcrnVm } from '../../../linux/drivers/virt/acrn/acrn_drv';
import type { EventfdCtx } from '../../../linux/fs/eventfd';
import type { Eventpoll } from '../../../linux/fs/eventpoll';
import type { TtyStruct } from '../../../linux/drivers/tty/tty_io';
import type { InoutPort } from '../core/inout';
import type { MemRange } from '../core/mem';
import type { PciVdev } from './pci_core';

/** The process of a device model, `acrn-dm`: `struct vmctx`, and what upstream keeps in global variables. */
export interface Vmctx {
  /** The open file /dev/acrn_hsm. */
  readonly fd: AcrnVm;
  readonly ioreq_buf: AcrnIoRequestBuffer;
  readonly guest_ncpus: number;
  /** --rtvm: the hypervisor shall poll for completions. */
  readonly is_rtvm: boolean;
  /** virtio_uses_msix(). */
  readonly virtio_msix: boolean;
  readonly inout_handlers: InoutPort[];
  readonly mmio_rb_root: MemRange[];
  mmio_hint: MemRange | undefined;
  /** The set of the main thread's event loop. */
  readonly epoll_fd: Eventpoll;
  readonly pci_devices: PciVdev[];
  /** The terminal that the console's backend is. */
  readonly stdio: TtyStruct;
  /** An eventfd for a worker of the kernel to signal. */
  readonly call_fd: EventfdCtx;
  /** Where the next BAR goes. */
  readonly pci_emul_base: { io: number; mem32: number };
  /** pthread_create(). */
  readonly pthread_create: (name: string, start_routine: () => Run<unknown>) => void;
  /** What is done to the console between its making and the start of the VM: nothing, in upstream. */
  readonly variant: (dev: PciVdev) => Run;
}

/** A function that is called when a file is ready: an event of the main thread, or of an I/O thread. */
export type Callback = Pointer<[], void>;
