import { hex, struct, type InstanceOf } from '../../../../../engine/cell';
import { addressOf, bound, source } from '../../../../../engine/fn';
import { at } from '../../../../../engine/steps';
import type { AcrnMsiEntry } from '../../../../acrn/hypervisor/include/public/acrn_common';
import { EBUSY } from '../../../errno';
import { eventfd_ctx_fileget, type EventfdCtx } from '../../../fs/eventfd';
import { vfs_poll } from '../../../include/linux/poll';
import { add_wait_queue, EPOLLIN, type WaitQueueEntry, type WaitQueueHead } from '../../../kernel/sched/wait';
import type { AcrnVm } from './acrn_drv';
import { acrn_msi_inject } from './vm';

/** irqfds: an eventfd’s signal becomes an MSI, in the signaller’s own context. */

/** `struct acrn_irqfd`: what user space asks for. */
export interface AcrnIrqfd {
  readonly fd: EventfdCtx;
  readonly msi: AcrnMsiEntry;
}

const IrqfdCells = struct('hsm_irqfd', 'An eventfd whose signal sends a message to the User VM.', {
  'msi.msi_addr': hex(32),
  'msi.msi_data': hex(32),
});

export type HsmIrqfd = InstanceOf<typeof IrqfdCells> & { readonly vm: AcrnVm; readonly eventfd: EventfdCtx; readonly wait: WaitQueueEntry };

const { fn } = source('linux', 'drivers/virt/acrn/irqfd.c');

const acrn_irqfd_inject = fn(
  'Sends the message. Unlike KVM’s irqfds there is no work item in between: a hypercall does not sleep.',
  function* acrn_irqfd_inject(irqfd: HsmIrqfd) {
    yield* acrn_msi_inject(irqfd.vm, irqfd['msi.msi_addr'], irqfd['msi.msi_data']);
  },
);

const hsm_irqfd_wakeup = fn(
  'The eventfd was signalled. Runs in the signaller’s context, with the wait queue’s lock held. The count is left as it is: nobody reads this eventfd.',
  function* hsm_irqfd_wakeup(irqfd: HsmIrqfd, key: number) {
    at('POLLIN');
    if (key & EPOLLIN) yield* acrn_irqfd_inject(irqfd);
    return 0;
  },
);

const hsm_irqfd_poll_func = fn(
  'Puts the irqfd on the eventfd’s wait queue.',
  function* hsm_irqfd_poll_func(irqfd: HsmIrqfd, wqh: WaitQueueHead) {
    yield* add_wait_queue(wqh, irqfd.wait);
  },
);

const acrn_irqfd_assign = fn(
  'Ties an eventfd to a message. What was signalled before counts.',
  function* acrn_irqfd_assign(vm: AcrnVm, args: AcrnIrqfd) {
    const eventfd = yield* eventfd_ctx_fileget(args.fd);
    at('irqfds');
    if (vm.irqfds.some((other) => other.eventfd === eventfd)) return -EBUSY;
    const irqfd: HsmIrqfd = Object.assign(
      IrqfdCells(`${vm.irqfds.length}`, { 'msi.msi_addr': args.msi.msi_addr, 'msi.msi_data': args.msi.msi_data }),
      {
        vm,
        eventfd,
        wait: { func: addressOf(bound(hsm_irqfd_wakeup, () => irqfd)), exclusive: false },
      },
    );
    const events = yield* vfs_poll(args.fd, { _qproc: addressOf(bound(hsm_irqfd_poll_func, () => irqfd)) });
    vm.irqfds.push(irqfd);
    if (events & EPOLLIN) yield* acrn_irqfd_inject(irqfd);
    return 0;
  },
);

export const acrn_irqfd_config = fn('ACRN_IOCTL_IRQFD.', function* acrn_irqfd_config(vm: AcrnVm, args: AcrnIrqfd) {
  return yield* acrn_irqfd_assign(vm, args);
});

export const acrn_irqfd_init = fn('A new VM has no irqfds yet.', function* acrn_irqfd_init(_vm: AcrnVm) {
  at('irqfds');
  return 0;
});
