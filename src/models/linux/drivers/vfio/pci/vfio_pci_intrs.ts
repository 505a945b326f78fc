import { addressOf, bound, source, through, type Fn } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite, behind, preempt } from '../../../../../engine/steps';
import { since } from '../../../../version';
import { EINVAL, ENOTTY } from '../../../errno';
import { eventfd_ctx_fdget, eventfd_ctx_put, type EventfdCtx } from '../../../fs/eventfd';
import { eventfd_signal } from '../../../include/linux/eventfd';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '../../../include/uapi/linux/vfio';
import { IRQ_HANDLED, IRQ_NONE, type IrqDesc, type irqreturn_t } from '../../../kernel/irq/irqdesc';
import { disable_irq_nosync, enable_irq, free_irq, IRQF_NO_AUTOEN, IRQF_SHARED, request_irq } from '../../../kernel/irq/manage';
import { pci_check_and_mask_intx, pci_check_and_unmask_intx } from '../../pci/irq';
import { pci_intx } from '../../pci/pci';
import {
  pci_alloc_irq_vectors,
  pci_free_irq_vectors,
  PCI_IRQ_MSI,
  PCI_IRQ_MSIX,
  pci_irq_vector,
  pci_msix_alloc_irq_at,
} from '../../pci/msi/api';
import { get_cached_msi_msg, pci_write_msi_msg } from '../../pci/msi/msi';
import { irq_bypass_register_producer, irq_bypass_unregister_producer } from '../../../virt/lib/irqbypass';
import { vfio_virqfd_disable, vfio_virqfd_enable, type VirqfdHost } from '../virqfd';
import { vfio_pci_eventfd_replace_locked, vfio_pci_memory_lock_and_enable, vfio_pci_memory_unlock_and_restore } from './vfio_pci_core';
import { vfio_pci_irq_ctx, type EventfdTrigger, type VfioPciCoreDevice, type VfioPciIrqCtx } from './vfio_pci_priv';

/** Interrupts of an assigned PCI device: setting them up, taking them, masking and unmasking them. */

/** What VFIO_DEVICE_SET_IRQS carries. `data` is the eventfd of DATA_EVENTFD, or undefined for fd -1; `fds` are several. */
export interface VfioIrqSet {
  readonly index: number;
  readonly flags: number;
  /** The first interrupt of the index that is meant: 0 where not given. */
  readonly start?: number;
  readonly count: number;
  readonly data?: EventfdCtx | undefined;
  readonly fds?: readonly (EventfdCtx | undefined)[];
  /** What DATA_BOOL says of the one interrupt. */
  readonly bool?: boolean;
}

type Ioctl = Fn<[vdev: VfioPciCoreDevice, host: VirqfdHost, set: VfioIrqSet], number>;

const { fn } = source('linux', 'drivers/vfio/pci/vfio_pci_intrs.c');

const is_intx = (vdev: VfioPciCoreDevice): boolean => vdev.irq_type === VFIO_PCI_INTX_IRQ_INDEX;

function intx_ctx(vdev: VfioPciCoreDevice): VfioPciIrqCtx {
  const ctx = vdev.ctx.get(0);
  if (ctx === undefined) throw new Error('INTx has no context: it was never enabled');
  return ctx;
}

const vfio_send_intx_eventfd = fn(
  'Passes the interrupt on by signalling the trigger eventfd, unless the guest has set DisINTx in its view of the device. Whether the source is masked does not matter here.',
  function* vfio_send_intx_eventfd(vdev: VfioPciCoreDevice, ctx: VfioPciIrqCtx) {
    at('virq_disabled');
    if (!is_intx(vdev) || vdev.virq_disabled) return;
    at('trigger');
    if (ctx.trigger !== undefined) yield* eventfd_signal(ctx.trigger);
  },
);

const __vfio_pci_intx_mask = fn(
  'Masks the source, whether or not it is asserting: by DisINTx where the device has it, else by disabling the host’s interrupt.',
  function* __vfio_pci_intx_mask(vdev: VfioPciCoreDevice) {
    if (!is_intx(vdev)) {
      if (vdev.pci_2_3) yield* pci_intx(vdev.pdev, false);
      return false;
    }
    const ctx = intx_ctx(vdev);
    at('masked');
    if (ctx.masked) return false;
    if (vdev.pci_2_3) {
      behind('masked');
      yield* pci_intx(vdev.pdev, false);
    } else yield* disable_irq_nosync(vdev.pdev.irq);
    ctx.masked = true;
    return true;
  },
);

export const vfio_pci_intx_mask = fn(
  'Masks INTx because the guest set DisINTx. igate keeps the interrupt type from changing meanwhile (CVE-2024-26810).',
  function* vfio_pci_intx_mask(vdev: VfioPciCoreDevice) {
    yield* acquire(vdev.igate, 'mutex_lock');
    const changed = yield* __vfio_pci_intx_mask(vdev);
    release(vdev.igate, 'mutex_unlock');
    return changed;
  },
);

const vfio_pci_intx_unmask_handler = fn(
  'Unmasks the source if it can be: a device that still asserts stays masked, and the result 1 asks the caller to signal the user instead. A guest’s DisINTx keeps it masked too.',
  function* vfio_pci_intx_unmask_handler(vdev: VfioPciCoreDevice, ctx: VfioPciIrqCtx | undefined) {
    if (!is_intx(vdev) || ctx === undefined) {
      if (vdev.pci_2_3) yield* pci_intx(vdev.pdev, true);
      return 0;
    }
    at('virq_disabled');
    if (!ctx.masked || vdev.virq_disabled) return 0;
    let ret = 0;
    if (!vdev.pci_2_3) yield* enable_irq(vdev.pdev.irq);
    else if (!(yield* pci_check_and_unmask_intx(vdev.pdev))) ret = 1;
    ctx.masked = ret > 0;
    return ret;
  },
);

const __vfio_pci_intx_unmask = fn(
  'Unmasks in process context; a device that still asserts is signalled at once, right here.',
  function* __vfio_pci_intx_unmask(vdev: VfioPciCoreDevice) {
    // A guest may set and clear DisINTx without ever having had INTx.
    const ctx = vdev.ctx.get(0);
    if ((yield* vfio_pci_intx_unmask_handler(vdev, ctx)) > 0) yield* vfio_send_intx_eventfd(vdev, intx_ctx(vdev));
  },
);

export const vfio_pci_intx_unmask = fn(
  'Unmasks INTx because the guest cleared DisINTx.',
  function* vfio_pci_intx_unmask(vdev: VfioPciCoreDevice) {
    yield* acquire(vdev.igate, 'mutex_lock');
    yield* __vfio_pci_intx_unmask(vdev);
    release(vdev.igate, 'mutex_unlock');
  },
);

const vfio_intx_handler = fn(
  'The host’s interrupt handler of an assigned INTx. It cannot clear the cause, only the guest’s driver can: so it masks the source and tells the user. The line may be shared: with DisINTx it first looks whether this device asserts.',
  function* vfio_intx_handler(vdev: VfioPciCoreDevice, ctx: VfioPciIrqCtx): Run<irqreturn_t> {
    let ret: irqreturn_t = IRQ_NONE;
    at('pci_2_3');
    if (!vdev.pci_2_3) {
      yield* disable_irq_nosync(vdev.pdev.irq);
      ctx.masked = true;
      ret = IRQ_HANDLED;
    } else if (!ctx.masked && (yield* pci_check_and_mask_intx(vdev.pdev))) {
      atWrite('masked', 'pci_check_and_mask_intx');
      ctx.masked = true;
      ret = IRQ_HANDLED;
    }
    if (ret === IRQ_HANDLED) yield* vfio_send_intx_eventfd(vdev, ctx);
    return ret;
  },
);

const vfio_intx_enable = fn(
  'Gives INTx a context, starts from the guest’s DisINTx as the masked state, and requests the host’s interrupt: shared where the device can be masked by itself, exclusive where only the line can.',
  function* vfio_intx_enable(vdev: VfioPciCoreDevice, trigger: EventfdCtx | undefined) {
    if (vdev.irq_type !== VFIO_PCI_NUM_IRQS) return -EINVAL;
    const ctx = vfio_pci_irq_ctx();
    vdev.ctx.set(0, ctx);
    ctx.name = `vfio-intx(${vdev.pdev.name})`;
    ctx.trigger = trigger;
    ctx.masked = vdev.virq_disabled;
    let irqflags = IRQF_SHARED;
    if (vdev.pci_2_3) yield* pci_intx(vdev.pdev, !ctx.masked);
    else irqflags = ctx.masked ? IRQF_NO_AUTOEN : 0;
    vdev.irq_type = VFIO_PCI_INTX_IRQ_INDEX;
    if (!vdev.pci_2_3 && since('linux', '6.12')) {
      atCall('irq_set_status_flags', 'An exclusive line is masked at once: a lazy disable could lose an assertion.');
      vdev.pdev.irq.IRQ_DISABLE_UNLAZY = true;
    }
    const handler = addressOf(
      bound(
        bound(vfio_intx_handler, () => vdev),
        () => ctx,
      ),
    );
    return yield* request_irq(vdev.pdev.irq, handler, irqflags, ctx.name, ctx);
  },
);

const vfio_intx_set_signal = fn(
  'Exchanges the trigger eventfd of an INTx that is enabled already.',
  function* vfio_intx_set_signal(vdev: VfioPciCoreDevice, trigger: EventfdCtx | undefined) {
    const ctx = intx_ctx(vdev);
    atCall('WRITE_ONCE');
    ctx.trigger = trigger;
    atCall('synchronize_irq');
    return 0;
  },
);

const vfio_intx_disable = fn(
  'Takes INTx down: the unmask eventfd, the host’s interrupt, the context.',
  function* vfio_intx_disable(vdev: VfioPciCoreDevice, host: VirqfdHost) {
    const ctx = intx_ctx(vdev);
    yield* vfio_virqfd_disable(ctx, 'unmask', host);
    behind('vfio_virqfd_disable');
    yield* vfio_virqfd_disable(ctx, 'mask', host);
    yield* free_irq(vdev.pdev.irq);
    if (ctx.trigger !== undefined) yield* eventfd_ctx_put(ctx.trigger);
    ctx.trigger = undefined;
    vdev.ctx.delete(0);
    vdev.irq_type = VFIO_PCI_NUM_IRQS;
  },
);

const vfio_pci_set_intx_unmask: Ioctl = fn(
  'Unmasks INTx now, or makes an eventfd do so from now on: the resamplefd of KVM.',
  function* vfio_pci_set_intx_unmask(vdev: VfioPciCoreDevice, host: VirqfdHost, { flags, count, data }: VfioIrqSet) {
    if (!is_intx(vdev) || count !== 1) return -EINVAL;
    if (flags & VFIO_IRQ_SET_DATA_NONE) yield* __vfio_pci_intx_unmask(vdev);
    else if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
      const ctx = intx_ctx(vdev);
      if (data !== undefined) {
        const handler = addressOf(
          bound(
            bound(vfio_pci_intx_unmask_handler, () => vdev),
            () => ctx,
          ),
        );
        const thread = addressOf(
          bound(
            bound(vfio_send_intx_eventfd, () => vdev),
            () => ctx,
          ),
        );
        return yield* vfio_virqfd_enable(host, handler, thread, ctx, data);
      }
      yield* vfio_virqfd_disable(ctx, 'unmask', host);
    }
    return 0;
  },
);

const vfio_pci_set_intx_mask: Ioctl = fn(
  'Masks INTx now. Masking by eventfd was never implemented.',
  function* vfio_pci_set_intx_mask(vdev: VfioPciCoreDevice, host: VirqfdHost, { flags, count }: VfioIrqSet) {
    if (!is_intx(vdev) || count !== 1) return -EINVAL;
    if (flags & VFIO_IRQ_SET_DATA_NONE) yield* __vfio_pci_intx_mask(vdev);
    else if (flags & VFIO_IRQ_SET_DATA_EVENTFD) return -ENOTTY;
    return 0;
  },
);

const vfio_pci_set_intx_trigger: Ioctl = fn(
  'Connects INTx to an eventfd, exchanges it, or (with count 0) takes INTx down.',
  function* vfio_pci_set_intx_trigger(vdev: VfioPciCoreDevice, host: VirqfdHost, { flags, count, data }: VfioIrqSet) {
    if (is_intx(vdev) && count === 0 && flags & VFIO_IRQ_SET_DATA_NONE) {
      yield* vfio_intx_disable(vdev, host);
      return 0;
    }
    if (!(is_intx(vdev) || vdev.irq_type === VFIO_PCI_NUM_IRQS) || count !== 1) return -EINVAL;
    if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
      const trigger = data === undefined ? undefined : yield* eventfd_ctx_fdget(data);
      return is_intx(vdev) ? yield* vfio_intx_set_signal(vdev, trigger) : yield* vfio_intx_enable(vdev, trigger);
    }
    if (!is_intx(vdev)) return -EINVAL;
    yield* vfio_send_intx_eventfd(vdev, intx_ctx(vdev));
    return 0;
  },
);

/** irq_is(), is_irq_none(): what kind of interrupt is enabled. */
const is_irq_none = (vdev: VfioPciCoreDevice): boolean => vdev.irq_type === VFIO_PCI_NUM_IRQS;

const vfio_irq_ctx_alloc = fn(
  'Makes the state of an interrupt and files it under its number.',
  function* vfio_irq_ctx_alloc(vdev: VfioPciCoreDevice, index: number) {
    const ctx = vfio_pci_irq_ctx(index);
    atCall('xa_insert');
    vdev.ctx.set(index, ctx);
    return ctx;
  },
);

const vfio_irq_ctx_free = fn('Forgets an interrupt.', function* vfio_irq_ctx_free(vdev: VfioPciCoreDevice, index: number) {
  atCall('xa_erase');
  vdev.ctx.delete(index);
});

const vfio_msihandler = fn(
  'The host’s interrupt handler of an assigned device’s message: there is nothing to mask and nothing to share, it only tells the user.',
  function* vfio_msihandler(trigger: EventfdCtx): Run<irqreturn_t> {
    yield* eventfd_signal(trigger);
    return IRQ_HANDLED;
  },
);

const vfio_msi_enable = fn(
  'Switches the device to messages and allocates as many interrupts as user space wants. A positive result says how many there would be: user space may try again with those.',
  function* vfio_msi_enable(vdev: VfioPciCoreDevice, nvec: number, msix: boolean) {
    if (!is_irq_none(vdev)) return -EINVAL;
    const cmd = yield* vfio_pci_memory_lock_and_enable(vdev);
    const ret = yield* pci_alloc_irq_vectors(vdev.pdev, 1, nvec, msix ? PCI_IRQ_MSIX : PCI_IRQ_MSI);
    if (ret < nvec) {
      if (ret > 0) yield* pci_free_irq_vectors(vdev.pdev);
      yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);
      return ret;
    }
    behind('vfio_pci_memory_unlock_and_restore');
    yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);
    if (!since('linux', '6.5')) for (let i = 0; i < nvec; i++) vdev.ctx.set(i, vfio_pci_irq_ctx(i));
    vdev.irq_type = msix ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
    if (!msix) vdev.msi_qmax = 31 - Math.clz32(nvec * 2 - 1);
    return 0;
  },
);

const vfio_msi_alloc_irq = fn(
  'The interrupt number of a message; where the kernel can add one to those in use, it does so now. Numbers stay allocated until all are taken down.',
  function* vfio_msi_alloc_irq(vdev: VfioPciCoreDevice, vector: number, msix: boolean): Run<IrqDesc | undefined> {
    atCall('pci_irq_vector');
    const irq = pci_irq_vector(vdev.pdev, vector);
    if (irq !== undefined || !msix || !vdev.has_dyn_msix) return irq;
    const cmd = yield* vfio_pci_memory_lock_and_enable(vdev);
    yield* pci_msix_alloc_irq_at(vdev.pdev, vector);
    yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);
    return pci_irq_vector(vdev.pdev, vector);
  },
);

/** Takes a message away from its listener, in the function that is executing: from KVM before the interrupt is freed. */
function* release_vector(vdev: VfioPciCoreDevice, vector: number, ctx: VfioPciIrqCtx) {
  yield* irq_bypass_unregister_producer(ctx.producer);
  atCall('pci_irq_vector');
  const irq = pci_irq_vector(vdev.pdev, vector);
  const cmd = yield* vfio_pci_memory_lock_and_enable(vdev);
  if (irq !== undefined) yield* free_irq(irq);
  yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);
  if (ctx.trigger !== undefined) yield* eventfd_ctx_put(ctx.trigger);
  if (since('linux', '6.5')) {
    yield* vfio_irq_ctx_free(vdev, vector);
  } else {
    atWrite('trigger', 'eventfd_ctx_put');
    ctx.trigger = undefined;
  }
}

const vfio_msi_set_vector_signal = fn(
  'Gives a message a new listener, or none. The old one is let go of first, and the interrupt freed and requested again: what arrives in between finds no handler. Only the pending bit of a masked entry keeps it.',
  function* vfio_msi_set_vector_signal(vdev: VfioPciCoreDevice, vector: number, fd: EventfdCtx | undefined, msix: boolean) {
    const { pdev } = vdev;
    const old = vdev.ctx.get(vector);
    if (old === undefined && !since('linux', '6.5')) return -EINVAL;
    if (old?.trigger !== undefined) {
      yield* release_vector(vdev, vector, old);
      yield* preempt();
    }
    if (fd === undefined) return 0;

    const irq = since('linux', '6.5') ? yield* vfio_msi_alloc_irq(vdev, vector, msix) : pci_irq_vector(pdev, vector);
    if (irq === undefined) return -EINVAL;
    const ctx = since('linux', '6.5') ? yield* vfio_irq_ctx_alloc(vdev, vector) : old!;
    ctx.name = `vfio-msi${msix ? 'x' : ''}[${vector}](${pdev.name})`;
    const trigger = yield* eventfd_ctx_fdget(fd);

    behind('eventfd_ctx_fdget');
    const cmd = yield* vfio_pci_memory_lock_and_enable(vdev);
    if (msix) {
      atCall('get_cached_msi_msg');
      yield* pci_write_msi_msg(irq, get_cached_msi_msg(irq));
    }
    const handler = addressOf(bound(vfio_msihandler, () => trigger));
    yield* request_irq(irq, handler, 0, ctx.name, trigger);
    behind('request_irq');
    yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);

    atWrite('token', 'vfio_pci_memory_unlock_and_restore');
    ctx.producer.token = trigger;
    ctx.producer.irq = irq;
    const ret = yield* irq_bypass_register_producer(ctx.producer);
    if (ret !== 0) {
      atWrite('token', 'irq_bypass_register_producer');
      ctx.producer.token = undefined;
    }
    atWrite('trigger', 'irq_bypass_register_producer');
    ctx.trigger = trigger;
    return 0;
  },
);

const vfio_msi_set_block = fn(
  'Gives a range of messages their listeners, one after the other; if one fails, none has one.',
  function* vfio_msi_set_block(vdev: VfioPciCoreDevice, start: number, fds: readonly (EventfdCtx | undefined)[], msix: boolean) {
    if (!since('linux', '6.5') && start + fds.length > vdev.ctx.size) return -EINVAL;
    for (const [i, fd] of fds.entries()) {
      const ret = yield* vfio_msi_set_vector_signal(vdev, start + i, fd, msix);
      if (ret === 0) continue;
      for (let j = 0; j <= i; j++) yield* vfio_msi_set_vector_signal(vdev, start + j, undefined, msix);
      return ret;
    }
    return 0;
  },
);

const vfio_msi_disable = fn(
  'Takes all messages from their listeners and switches the device back to INTx.',
  function* vfio_msi_disable(vdev: VfioPciCoreDevice, host: VirqfdHost, msix: boolean) {
    for (const [index, ctx] of [...vdev.ctx]) {
      yield* vfio_virqfd_disable(ctx, 'unmask', host);
      behind('vfio_virqfd_disable');
      yield* vfio_virqfd_disable(ctx, 'mask', host);
      yield* vfio_msi_set_vector_signal(vdev, index, undefined, msix);
    }
    const cmd = yield* vfio_pci_memory_lock_and_enable(vdev);
    yield* pci_free_irq_vectors(vdev.pdev);
    yield* vfio_pci_memory_unlock_and_restore(vdev, cmd);
    if (!since('linux', '6.5')) vdev.ctx.clear();
    vdev.irq_type = VFIO_PCI_NUM_IRQS;
  },
);

const vfio_pci_set_msi_trigger: Ioctl = fn(
  'Connects messages to eventfds: the first time the device is switched to messages, later single ones change their listener. With nothing given it takes them all down.',
  function* vfio_pci_set_msi_trigger(vdev: VfioPciCoreDevice, host: VirqfdHost, set: VfioIrqSet) {
    const { index, flags, count, start = 0 } = set;
    const msix = index === VFIO_PCI_MSIX_IRQ_INDEX;
    if (vdev.irq_type === index && count === 0 && flags & VFIO_IRQ_SET_DATA_NONE) {
      yield* vfio_msi_disable(vdev, host, msix);
      return 0;
    }
    if (!(vdev.irq_type === index || is_irq_none(vdev))) return -EINVAL;
    if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
      const fds = set.fds ?? [set.data];
      if (vdev.irq_type === index) return yield* vfio_msi_set_block(vdev, start, fds, msix);
      const ret = yield* vfio_msi_enable(vdev, start + count, msix);
      if (ret !== 0) return ret;
      behind('vfio_msi_enable');
      const failed = yield* vfio_msi_set_block(vdev, start, fds, msix);
      if (failed !== 0) yield* vfio_msi_disable(vdev, host, msix);
      return failed;
    }
    if (vdev.irq_type !== index) return -EINVAL;
    for (let i = start; i < start + count; i++) {
      const trigger = vdev.ctx.get(i)?.trigger;
      at('trigger');
      if (trigger !== undefined && flags & VFIO_IRQ_SET_DATA_NONE) yield* eventfd_signal(trigger);
    }
    return 0;
  },
);

const vfio_pci_set_ctx_trigger_single = fn(
  'Connects an eventfd to something that is no interrupt of the device, or tries it.',
  function* vfio_pci_set_ctx_trigger_single(vdev: VfioPciCoreDevice, ctx: EventfdTrigger, { flags, count, data }: VfioIrqSet) {
    at('flags');
    const old = vdev[ctx];
    if (flags & VFIO_IRQ_SET_DATA_NONE) {
      if (old === undefined) return -EINVAL;
      if (count > 0) yield* eventfd_signal(old);
      else yield* replace_trigger(vdev, ctx, undefined);
      return 0;
    }
    if (count === 0 || data === undefined) return -EINVAL;
    const trigger = yield* eventfd_ctx_fdget(data);
    behind('eventfd_ctx_fdget');
    yield* replace_trigger(vdev, ctx, trigger);
    return 0;
  },
);

/** The assignment of the eventfd; since 6.19, and in the stable trees of that time, readers need no lock for it. */
function* replace_trigger(vdev: VfioPciCoreDevice, ctx: EventfdTrigger, data: EventfdCtx | undefined): Run {
  if (since('linux', '6.12')) {
    yield* vfio_pci_eventfd_replace_locked(vdev, ctx, data);
    return;
  }
  at('ctx');
  vdev[ctx] = data;
}

const vfio_pci_set_err_trigger: Ioctl = fn(
  'The eventfd by which the kernel tells of an error that the device has reported.',
  function* vfio_pci_set_err_trigger(vdev: VfioPciCoreDevice, _host: VirqfdHost, set: VfioIrqSet) {
    at('index');
    return set.count > 1 ? -EINVAL : yield* vfio_pci_set_ctx_trigger_single(vdev, 'err_trigger', set);
  },
);

const vfio_pci_set_req_trigger: Ioctl = fn(
  'The eventfd by which the kernel asks for the device.',
  function* vfio_pci_set_req_trigger(vdev: VfioPciCoreDevice, _host: VirqfdHost, set: VfioIrqSet) {
    at('index');
    return set.count > 1 ? -EINVAL : yield* vfio_pci_set_ctx_trigger_single(vdev, 'req_trigger', set);
  },
);

export const vfio_pci_set_irqs_ioctl = fn(
  'Chooses the function that serves this interrupt index and action. The caller holds igate.',
  function* vfio_pci_set_irqs_ioctl(vdev: VfioPciCoreDevice, host: VirqfdHost, set: VfioIrqSet) {
    const func = actionOf(vdev, set);
    at('func');
    if (func === undefined) return -ENOTTY;
    behind('ENOTTY');
    return yield* through('function pointer', 'func', addressOf(func))(vdev, host, set);
  },
);

function actionOf({ pdev }: VfioPciCoreDevice, { index, flags }: VfioIrqSet): Ioctl | undefined {
  const action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
  switch (index) {
    case VFIO_PCI_INTX_IRQ_INDEX:
      return intxAction(action);
    case VFIO_PCI_MSI_IRQ_INDEX:
    case VFIO_PCI_MSIX_IRQ_INDEX:
      return action === VFIO_IRQ_SET_ACTION_TRIGGER ? vfio_pci_set_msi_trigger : undefined;
    case VFIO_PCI_ERR_IRQ_INDEX:
      return action === VFIO_IRQ_SET_ACTION_TRIGGER && pdev.pcie ? vfio_pci_set_err_trigger : undefined;
    case VFIO_PCI_REQ_IRQ_INDEX:
      return action === VFIO_IRQ_SET_ACTION_TRIGGER ? vfio_pci_set_req_trigger : undefined;
    default:
      return undefined;
  }
}

function intxAction(action: number): Ioctl | undefined {
  switch (action) {
    case VFIO_IRQ_SET_ACTION_MASK:
      return vfio_pci_set_intx_mask;
    case VFIO_IRQ_SET_ACTION_UNMASK:
      return vfio_pci_set_intx_unmask;
    case VFIO_IRQ_SET_ACTION_TRIGGER:
      return vfio_pci_set_intx_trigger;
    default:
      return undefined;
  }
}
