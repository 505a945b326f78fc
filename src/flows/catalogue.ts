import { t } from '@vscode/l10n';
import { ParameterError, type Flow } from './flow';
import { acrn_virtio_console } from './acrn-virtio-console';
import { ioapic } from './ioapic';
import { mdev_mtty } from './mdev-mtty';
import { pic } from './pic';
import { vfio_intx } from './vfio-intx';
import { vfio_msi } from './vfio-msi';
import { vfio_probe } from './vfio-probe';
import { virtio_kvm } from './virtio-kvm';

/** Every flow there is, in the order of the catalogue. */
export const CATALOGUE: readonly Flow[] = [mdev_mtty, vfio_probe, vfio_msi, vfio_intx, pic, ioapic, acrn_virtio_console, virtio_kvm];

/** The flow with an id, or undefined. */
export const flowById = (id: string): Flow | undefined => CATALOGUE.find((flow) => flow.id === id);

/**
 * The flow with an id.
 * @throws ParameterError if there is none, naming those that are
 */
export function requireFlow(id: string): Flow {
  const flow = flowById(id);
  if (flow === undefined)
    throw new ParameterError(t('there is no flow "{0}"; the flows are {1}', id, CATALOGUE.map((known) => known.id).join(', ')));
  return flow;
}
