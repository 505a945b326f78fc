import { addressOf, bound, source, through, type Fn } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite } from '../../../../../engine/steps';
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
  VFIO_PCI_NUM_IRQS,
} from '../../../include/uapi/linux/vfio';
import { IRQ_HANDLED, IRQ_NONE, type irqreturn_t } from '../../../kernel/irq/irqdesc';
import { disable_irq_nosync, enable_irq, free_irq, IRQF_NO_AUTOEN, IRQF_SHARED, request_irq } from '../../../kernel/irq/manage';
import { pci_check_and_mask_intx, pci_check_and_unmask_intx } from '../../pci/irq';
import { pci_intx } from '../../pci/pci';
import { vfio_virqfd_disable, vfio_virqfd_enable, type VirqfdHost } from '../virqfd';
import { vfio_pci_irq_ctx, type VfioPciCoreDevice, type VfioPciIrqCtx } from './vfio_pci_priv';

/** Interrupts of an assigned PCI device: setting them up, taking them, masking and unmasking them. */

/** What VFIO_DEVICE_SET_IRQS carries. `data` is the eventfd of DATA_EVENTFD, or undefined for fd -1. */
export interface VfioIrqSet {
  readonly index: number;
  readonly flags: number;
  readonly count: number;
  readonly data?: EventfdCtx | undefined;
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
    if (vdev.pci_2_3) yield* pci_intx(vdev.pdev, false);
    else yield* disable_irq_nosync(vdev.pdev.irq);
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
  function* vfio_pci_intx_unmask_handler(vdev: VfioPciCoreDevice, ctx: VfioPciIrqCtx) {
    if (!is_intx(vdev)) {
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
    const ctx = intx_ctx(vdev);
    if ((yield* vfio_pci_intx_unmask_handler(vdev, ctx)) > 0) yield* vfio_send_intx_eventfd(vdev, ctx);
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

export const vfio_pci_set_irqs_ioctl = fn(
  'Chooses the function that serves this interrupt index and action. The caller holds igate.',
  function* vfio_pci_set_irqs_ioctl(vdev: VfioPciCoreDevice, host: VirqfdHost, set: VfioIrqSet) {
    const func = intxAction(set);
    at('func');
    if (func === undefined) return -ENOTTY;
    return yield* through('function pointer', 'func', addressOf(func))(vdev, host, set);
  },
);

function intxAction({ index, flags }: VfioIrqSet): Ioctl | undefined {
  if (index !== VFIO_PCI_INTX_IRQ_INDEX) return undefined;
  switch (flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
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
