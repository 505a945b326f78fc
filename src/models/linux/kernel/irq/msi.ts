import { source, through } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { atCall } from '../../../../engine/steps';
import { msi_desc, type MsiDesc, type MsiMsg } from '../../include/linux/msi';
import type { AnyPciDev } from '../../drivers/pci/pci';
import type { IrqDesc } from './irqdesc';
import { irq_domain_activate_irq, irq_domain_deactivate_irq, irq_domain_free_irqs } from './irqdomain';

/** Message-signalled interrupts of any device: interrupt numbers for messages, and messages for interrupts. */

const { fn, ops } = source('linux', 'kernel/irq/msi.c');

function* write_msi_msg(desc: IrqDesc, msg: MsiMsg): Run {
  if (desc.chip.irq_write_msi_msg !== undefined) {
    atCall('irq_chip_write_msi_msg');
    yield* through('function pointer', 'irq_chip_write_msi_msg', desc.chip.irq_write_msi_msg)(desc, msg);
  }
}

const msi_domain_activate = fn(
  'The levels below are ready: asks them for the message and has the device programmed with it.',
  function* msi_domain_activate(irq_data: IrqDesc, _early: boolean) {
    atCall('irq_chip_compose_msi_msg');
    yield* write_msi_msg(irq_data, irq_data.compose_msi_msg());
  },
);

const msi_domain_deactivate = fn(
  'Programs the device with a message that means nothing.',
  function* msi_domain_deactivate(irq_data: IrqDesc) {
    yield* write_msi_msg(irq_data, { address_lo: 0, data: 0 });
  },
);

/** What an interrupt domain for messages does, whatever the device is. */
export const msi_domain_ops = ops('msi_domain_ops', { activate: msi_domain_activate, deactivate: msi_domain_deactivate });

const msi_init_virq = fn(
  'Activates a message early: the device must have a valid message before the capability is enabled. In reservation mode that message leads nowhere until somebody requests the interrupt.',
  function* msi_init_virq(irqd: IrqDesc, can_reserve: boolean) {
    yield* irq_domain_activate_irq(irqd, can_reserve);
    if (!can_reserve) return;
    atCall('irqd_clr_activated');
    irqd['irq_data.IRQD_ACTIVATED'] = false;
  },
);

const __msi_domain_alloc_irqs = fn(
  'Allocates interrupt numbers for descriptors that have none. A message that can be masked keeps its vector only while it is in use.',
  function* __msi_domain_alloc_irqs(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    atCall('msi_check_reservation_mode');
    for (const desc of descs) {
      atCall('__irq_domain_alloc_irqs');
      const count = desc.is_msix ? 1 : nvec;
      for (let i = 0; i < count; i++) desc.irqs.push(dev.msi!.alloc_irq(desc, i));
      for (const irq of desc.irqs) yield* msi_init_virq(irq, desc.is_msix);
    }
    return 0;
  },
);

const __msi_domain_alloc_locked = fn(
  'Finds the device’s interrupt domain.',
  function* __msi_domain_alloc_locked(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    return yield* __msi_domain_alloc_irqs(dev, descs, nvec);
  },
);

const msi_domain_alloc_locked = fn(
  'Allocates, and undoes everything if that fails.',
  function* msi_domain_alloc_locked(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    return yield* __msi_domain_alloc_locked(dev, descs, nvec);
  },
);

export const msi_domain_alloc_irqs_all_locked = fn(
  'Allocates the interrupts of all of a device’s messages.',
  function* msi_domain_alloc_irqs_all_locked(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    return yield* msi_domain_alloc_locked(dev, descs, nvec);
  },
);

const __msi_domain_free_irqs = fn(
  'Deactivates what is still active and frees the interrupt numbers.',
  function* __msi_domain_free_irqs(dev: AnyPciDev) {
    for (const desc of dev.msi!.descs.values()) {
      for (const irq of desc.irqs) if (irq['irq_data.IRQD_ACTIVATED']) yield* irq_domain_deactivate_irq(irq);
      for (const irq of desc.irqs.splice(0)) yield* irq_domain_free_irqs(irq);
    }
  },
);

/** What a domain uses where it brings nothing of its own; called through a pointer until 6.3. */
const msi_domain_ops_default = ops('msi_domain_ops_default', {
  domain_alloc_irqs: __msi_domain_alloc_irqs,
  domain_free_irqs: __msi_domain_free_irqs,
});

export const msi_domain_alloc_irqs_descs_locked = fn(
  'Allocates the interrupts of a device’s messages through its domain.',
  function* msi_domain_alloc_irqs_descs_locked(dev: AnyPciDev, descs: readonly MsiDesc[], nvec: number) {
    return yield* through('function pointer', 'domain_alloc_irqs', msi_domain_ops_default.domain_alloc_irqs)(dev, descs, nvec);
  },
);

export const msi_domain_free_irqs_descs_locked = fn(
  'Frees the interrupts of a device’s messages through its domain.',
  function* msi_domain_free_irqs_descs_locked(dev: AnyPciDev) {
    yield* through('function pointer', 'domain_free_irqs', msi_domain_ops_default.domain_free_irqs)(dev);
  },
);

const msi_domain_free_locked = fn('Frees interrupts, and the descriptors with them.', function* msi_domain_free_locked(dev: AnyPciDev) {
  yield* __msi_domain_free_irqs(dev);
});

const msi_domain_free_irqs_range_locked = fn(
  'Frees the interrupts of a range of messages.',
  function* msi_domain_free_irqs_range_locked(dev: AnyPciDev) {
    yield* msi_domain_free_locked(dev);
  },
);

export const msi_domain_free_irqs_all_locked = fn(
  'Frees the interrupts of all of a device’s messages.',
  function* msi_domain_free_irqs_all_locked(dev: AnyPciDev) {
    yield* msi_domain_free_irqs_range_locked(dev);
  },
);

const __msi_domain_alloc_irq_at = fn(
  'Adds one message to those that the device has, without touching the others.',
  function* __msi_domain_alloc_irq_at(dev: AnyPciDev, index: number) {
    const desc = msi_desc(dev, true, index);
    atCall('msi_insert_desc');
    dev.msi!.descs.set(index, desc);
    return yield* __msi_domain_alloc_irqs(dev, [desc], 1);
  },
);

export const msi_domain_alloc_irq_at = fn(
  'Allocates the interrupt of one message while others are in use.',
  function* msi_domain_alloc_irq_at(dev: AnyPciDev, index: number) {
    return yield* __msi_domain_alloc_irq_at(dev, index);
  },
);
