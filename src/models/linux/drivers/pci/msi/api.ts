import { source, via } from '../../../../../engine/fn';
import { since } from '../../../../version';
import { ENOSPC } from '../../../errno';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import { msi_domain_alloc_irq_at } from '../../../kernel/irq/msi';
import type { AnyPciDev } from '../pci';
import { __pci_enable_msi_range, __pci_enable_msix_range, pci_free_msi_irqs, pci_msi_shutdown, pci_msix_shutdown } from './msi';

/** What drivers call to have their device signal by messages. */

export const PCI_IRQ_MSI = 1 << 1;
export const PCI_IRQ_MSIX = 1 << 2;

const { fn } = source('linux', 'drivers/pci/msi/api.c');

export const pci_alloc_irq_vectors_affinity = fn(
  'Enables MSI-X or MSI, whichever is allowed and works, and allocates the interrupts. The result is how many there are.',
  function* pci_alloc_irq_vectors_affinity(dev: AnyPciDev, min_vecs: number, max_vecs: number, flags: number) {
    let nvecs: number = -ENOSPC;
    if (flags & PCI_IRQ_MSIX) {
      nvecs = yield* __pci_enable_msix_range(dev, min_vecs, max_vecs);
      if (nvecs > 0) return nvecs;
    }
    if (flags & PCI_IRQ_MSI) nvecs = yield* __pci_enable_msi_range(dev, min_vecs, max_vecs);
    return nvecs;
  },
);

export const pci_alloc_irq_vectors = fn(
  'The same without a wish about CPUs.',
  function* pci_alloc_irq_vectors(dev: AnyPciDev, min_vecs: number, max_vecs: number, flags: number) {
    return yield* pci_alloc_irq_vectors_affinity(dev, min_vecs, max_vecs, flags);
  },
);

const pci_disable_msi = fn('Switches MSI off and frees its interrupts.', function* pci_disable_msi(dev: AnyPciDev) {
  if (dev.msi?.msi_enabled !== true) return;
  yield* pci_msi_shutdown(dev);
  yield* via(since('linux', '6.2') ? 'pci_free_msi_irqs' : 'free_msi_irqs', pci_free_msi_irqs)(dev);
});

const pci_disable_msix = fn('Switches MSI-X off and frees its interrupts.', function* pci_disable_msix(dev: AnyPciDev) {
  if (dev.msi?.msix_enabled !== true) return;
  yield* pci_msix_shutdown(dev);
  yield* via(since('linux', '6.2') ? 'pci_free_msi_irqs' : 'free_msi_irqs', pci_free_msi_irqs)(dev);
});

export const pci_free_irq_vectors = fn(
  'Takes a device’s messages down, whichever kind it uses: it signals by INTx again.',
  function* pci_free_irq_vectors(dev: AnyPciDev) {
    yield* pci_disable_msix(dev);
    yield* pci_disable_msi(dev);
  },
);

export const pci_msix_alloc_irq_at = fn(
  'Adds an interrupt to a device whose MSI-X is in use: the others go on undisturbed.',
  function* pci_msix_alloc_irq_at(dev: AnyPciDev, index: number) {
    return yield* msi_domain_alloc_irq_at(dev, index);
  },
);

/** pci_irq_vector(): the interrupt behind a message; undefined stands for -EINVAL. */
export const pci_irq_vector = ({ msi }: AnyPciDev, nr: number): IrqDesc | undefined =>
  msi?.msi_enabled === true ? msi.descs.get(0)?.irqs[nr] : msi?.descs.get(nr)?.irqs[0];
