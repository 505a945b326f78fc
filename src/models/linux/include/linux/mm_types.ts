import { int, struct, type InstanceOf } from '../../../../engine/cell';
import type { Pointer } from '../../../../engine/fn';

/** The memory of a process, as far as somebody outside of it pins it. */

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;

/** A page fault in a mapping of a device. */
export interface VmFault {
  readonly vma: VmAreaStruct;
  readonly address: number;
}

export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_NOPAGE = 0x100;

/** What is mapped at a range of a process's addresses: memory, or, where there is a fault handler, a device's BAR. */
export interface VmAreaStruct {
  readonly vm_start: number;
  /** Where it ends; this address no longer belongs to it. */
  readonly vm_end: number;
  /** The page frame behind a page of it, counted from its start. */
  readonly frame: (page: number) => number;
  /** VM_PFNMAP: no memory behind it, so that its pages are inserted when they are touched. */
  readonly pfnmap?: { readonly fault: Pointer<[vmf: VmFault], number>; readonly present: Set<number> };
}

const MmCells = struct('mm_struct', 'The memory of a process. locked_vm: pages of it that may not be moved or swapped.', {
  locked_vm: int(),
});

export type MmStruct = InstanceOf<typeof MmCells> & { readonly mmap: VmAreaStruct[] };

export const mm_struct = (name: string): MmStruct => Object.assign(MmCells(name), { mmap: [] });

/** Where the host's memory ends and its devices begin: a page frame from here on has no `struct page` to pin. */
const FIRST_DEVICE_FRAME = 0xf0000;
export const isDeviceFrame = (pfn: number): boolean => pfn >= FIRST_DEVICE_FRAME;
