import type { Flow } from './flow';
import { vfio_intx } from './vfio-intx';

/** Every flow there is, in the order of the catalogue. */
export const CATALOGUE: readonly Flow[] = [vfio_intx];

/** The flow with an id, or undefined. */
export const flowById = (id: string): Flow | undefined => CATALOGUE.find((flow) => flow.id === id);
