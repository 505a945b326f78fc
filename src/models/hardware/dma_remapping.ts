import { hex, int, pointer, struct, type InstanceOf } from '../../engine/cell';
import { source } from '../../engine/fn';
import { at } from '../../engine/steps';

/**
 * DMA remapping: for every device the IOMMU has a context entry that names the page table which the device's addresses,
 * I/O virtual addresses, go through. Without a table nothing gets through.
 */

/** What a device may do with a range of I/O virtual addresses. */
export interface IoMapping {
  readonly iova: number;
  /** Bytes. */
  readonly size: number;
  readonly paddr: number;
  readonly writable: boolean;
}

const IoPageTableCells = struct('io_page_table', 'A page table of the IOMMU: the memory that the devices behind it can reach.', {
  mapped_pages: int(),
});

export type IoPageTable = InstanceOf<typeof IoPageTableCells> & { readonly mappings: IoMapping[] };

export const io_page_table = (name: string): IoPageTable => Object.assign(IoPageTableCells(name), { mappings: [] });

const ContextEntryCells = struct(
  'context_entry',
  'The IOMMU’s entry for one device: the page table that its DMA goes through; none blocks it.',
  {
    table: pointer<IoPageTable>(),
    faults: int(),
    last_address: hex(32),
  },
);

export type ContextEntry = InstanceOf<typeof ContextEntryCells>;

export const context_entry = (name: string, table?: IoPageTable): ContextEntry => ContextEntryCells(name, { table });

const PAGE_SIZE = 0x1000;

/** The mapping that an address falls into. */
export const translation = (table: IoPageTable, iova: number): IoMapping | undefined =>
  table.mappings.find((mapping) => iova >= mapping.iova && iova < mapping.iova + mapping.size);

const { fn } = source('hardware', 'dma_remapping');

export const set_context = fn(
  'The IOMMU is told which page table a device’s DMA goes through.',
  function* set_context(entry: ContextEntry, table: IoPageTable | undefined) {
    entry.table = table;
  },
);

export const map_pages = fn('Entries are written into a page table.', function* map_pages(table: IoPageTable, mapping: IoMapping) {
  table.mappings.push(mapping);
  table.mapped_pages += mapping.size / PAGE_SIZE;
});

export const unmap_pages = fn(
  'Entries are cleared; the result says how many bytes. A range that cuts an entry in two leaves the rest.',
  function* unmap_pages(table: IoPageTable, iova: number, size: number) {
    const end = iova + size;
    let unmapped = 0;
    for (const mapping of table.mappings.filter((one) => one.iova < end && iova < one.iova + one.size)) {
      table.mappings.splice(table.mappings.indexOf(mapping), 1, ...remains(mapping, iova, end));
      unmapped += Math.min(end, mapping.iova + mapping.size) - Math.max(iova, mapping.iova);
    }
    table.mapped_pages -= unmapped / PAGE_SIZE;
    return unmapped;
  },
);

function remains(mapping: IoMapping, start: number, end: number): IoMapping[] {
  const last = mapping.iova + mapping.size;
  return [
    { ...mapping, size: start - mapping.iova },
    { ...mapping, iova: end, paddr: mapping.paddr + (end - mapping.iova), size: last - end },
  ].filter(({ size }) => size > 0);
}

export const device_writes_memory = fn(
  'The device masters the bus and writes to an address. The IOMMU translates it, or stops it and records a fault.',
  function* device_writes_memory(entry: ContextEntry, iova: number) {
    entry.last_address = iova;
    const found = entry.table === undefined ? undefined : translation(entry.table, iova);
    at('translation', found === undefined ? 'No entry: the write goes nowhere.' : 'The entry gives the physical address.');
    if (found?.writable !== true) entry.faults += 1;
    return found?.writable === true ? 0 : -1;
  },
);
