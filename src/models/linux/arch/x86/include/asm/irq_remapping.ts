import type { PiDesc } from '../../../../../hardware/pi_desc';

/** A `vcpu_data`: where interrupt remapping has to post, and as which of the guest's vectors. */
export interface VcpuData {
  readonly pi_desc_addr: PiDesc;
  readonly vector: number;
}
