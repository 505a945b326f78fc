import { bool, hex, means, pointer, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import { at } from '../../engine/steps';
import { receive_vector, type HostLapic } from './host_lapic';
import { post_by_hardware, type PiDesc } from './pi_desc';

/**
 * Interrupt remapping (VT-d): a message does not name a vector but an entry of a table, and the entry says where it goes:
 * to a vector of the host, or into a guest’s posted-interrupt descriptor.
 */

const IrteCells = struct(
  'irte',
  'An interrupt remapping table entry. p_pst: it posts to a guest, with p_vector into the descriptor at pda.',
  {
    present: means('The entry is valid: a message that names it is remapped.', bool()),
    vector: means('The vector of the host, unless it posts.', hex(8)),
    p_pst: means('Posts to a guest instead of interrupting the host.', bool()),
    p_vector: means('The vector of the guest, if it posts.', hex(8)),
    pda: means('The descriptor that it posts to.', pointer<PiDesc>()),
  },
);
export type Irte = InstanceOf<typeof IrteCells>;

/** The IOMMU, with the CPU that the device’s interrupts go to. */
export interface Iommu {
  /** Whether messages are remapped; off, they mean what they say. */
  readonly remapping: boolean;
  readonly ir_table: Irte[];
  readonly lapic: HostLapic;
}

/** Allocates the table entry of the next interrupt; the result is its index. */
export function alloc_irte({ ir_table }: Iommu): number {
  return ir_table.push(IrteCells(`IRTE ${ir_table.length}`)) - 1;
}

/** The address of a message in remappable format: it carries the index, not a destination. */
export const remappable_address = (index: number): number => (0xfee00010 | (index << 5)) >>> 0;
const REMAPPABLE = 0x10;
const indexOf = (address: number, data: number): number => ((address >>> 5) & 0x7fff) + data;

const { fn } = source('hardware', 'iommu');

export const interrupt_request = fn(
  'A write to the interrupt address range arrives. In remappable format it selects a table entry; an entry that is not present blocks it, and the interrupt is lost.',
  function* interrupt_request(iommu: Iommu, address: number, data: number) {
    if (!iommu.remapping) {
      yield* receive_vector(iommu.lapic, data & 0xff);
      return;
    }
    const irte = address & REMAPPABLE ? iommu.ir_table[indexOf(address, data)] : undefined;
    at('irte', irte?.present ? undefined : 'Not present: the request is blocked, and a fault recorded.');
    if (!irte?.present) return;
    if (irte.p_pst && irte.pda !== undefined) yield* post_by_hardware(irte.pda, irte.p_vector);
    else yield* receive_vector(iommu.lapic, irte.vector);
  },
);
