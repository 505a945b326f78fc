import { bits, bool, hex, int, means, pointer, struct, type InstanceOf } from '../../../../../engine/cell';
import type { Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { Mutex } from '../../../../../engine/mutex';
import type { AcrnIoRequest, AcrnIoRequestBuffer, IoreqType } from '../../../../acrn/hypervisor/include/public/acrn_common';
import type { Vmcall } from '../../../arch/x86/include/asm/acrn';
import type { WorkqueueStruct, WorkStruct } from '../../../kernel/workqueue';
import type { HsmIoeventfd } from './ioeventfd';
import type { HsmIrqfd } from './irqfd';

/** The Hypervisor Service Module: what a Service VM's kernel knows of the User VMs. */

/** What upstream keeps in global variables of the Service VM's kernel. */
export interface Hsm {
  /** How this kernel calls the hypervisor. */
  readonly vmcall: Vmcall;
  readonly acrn_vm_list: AcrnVm[];
  readonly ioreq_wq: WorkqueueStruct;
  readonly ioreq_work: WorkStruct;
  /** The pointer in arch/x86/kernel/cpu/acrn.c that the upcall goes through. */
  acrn_intr_handler: Pointer<[], void> | undefined;
  /** Starts a kernel thread. */
  readonly kthread_run: (name: string, threadfn: () => Run<unknown>) => void;
}

/** A range of ports or of memory whose accesses a client wants. */
export interface AcrnIoreqRange {
  readonly type: IoreqType;
  readonly start: number;
  readonly end: number;
}

const ClientCells = struct('acrn_ioreq_client', 'Somebody who handles a User VM’s I/O requests: a kernel thread, or the device model.', {
  is_default: bool(),
  ioreqs_map: means('A bit per slot that waits for this client.', bits(16, ['slot 0', 'slot 1', 'slot 2', 'slot 3'])),
});

/** Handles a request; a negative result is an error. */
export type IoreqHandler = Pointer<[client: AcrnIoreqClient, req: AcrnIoRequest], number>;

export type AcrnIoreqClient = InstanceOf<typeof ClientCells> & {
  readonly name: string;
  readonly vm: AcrnVm;
  readonly handler: IoreqHandler | undefined;
  readonly range_list: AcrnIoreqRange[];
  /** The step that last woke whoever waits on `wq`. */
  wokenBy: number;
};

/** Allocates a client. */
export const acrn_ioreq_client = (name: string, vm: AcrnVm, handler: IoreqHandler | undefined): AcrnIoreqClient =>
  Object.assign(ClientCells(name), { name, vm, handler, range_list: [], wokenBy: -1 });

const VmCells = struct('acrn_vm', 'A User VM, as the kernel of the Service VM knows it.', {
  vmid: int(-1),
  vcpu_num: int(),
  default_client: pointer<AcrnIoreqClient>(),
  ioeventfd_client: pointer<AcrnIoreqClient>(),
  pci_conf_addr: hex(32),
});

export type AcrnVm = InstanceOf<typeof VmCells> & {
  readonly hsm: Hsm;
  readonly ioreq_clients: AcrnIoreqClient[];
  readonly ioreq_clients_lock: Mutex;
  readonly ioeventfds: HsmIoeventfd[];
  readonly ioeventfds_lock: Mutex;
  readonly irqfds: HsmIrqfd[];
  ioreq_buf: AcrnIoRequestBuffer | undefined;
};

/** What opening /dev/acrn_hsm allocates. */
export const acrn_vm = (hsm: Hsm): AcrnVm =>
  Object.assign(VmCells('/dev/acrn_hsm'), {
    hsm,
    ioreq_clients: [],
    ioreq_clients_lock: Mutex('ioreq_clients_lock'),
    ioeventfds: [],
    ioeventfds_lock: Mutex('ioeventfds_lock'),
    irqfds: [],
    ioreq_buf: undefined,
  });
