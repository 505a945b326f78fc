import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import { context_entry, translation, type ContextEntry } from '../../../../src/models/hardware/dma_remapping';
import { intel_iommu } from '../../../../src/models/linux/drivers/iommu/intel/iommu';
import { iommu_group, type IommuGroup } from '../../../../src/models/linux/drivers/iommu/iommu';
import {
  iommufd_device_attach,
  iommufd_device_bind,
  iommufd_device_detach,
} from '../../../../src/models/linux/drivers/iommu/iommufd/device';
import { iommufd_fops } from '../../../../src/models/linux/drivers/iommu/iommufd/main';
import { VFIO_EMULATED_IOMMU, VFIO_IOMMU, vfio_core } from '../../../../src/models/linux/drivers/vfio/vfio';
import { vfio_iommu_type1_init } from '../../../../src/models/linux/drivers/vfio/vfio_iommu_type1';
import { EEXIST, EINVAL, ENOENT } from '../../../../src/models/linux/errno';
import { device, type Device } from '../../../../src/models/linux/include/linux/device';
import { mm_struct, PAGE_SIZE, type MmStruct } from '../../../../src/models/linux/include/linux/mm_types';
import { VFIO_TYPE1v2_IOMMU } from '../../../../src/models/linux/include/uapi/linux/vfio';
import { onMachine } from '../support';

/** Laws of mapping memory for devices, by type1 and by iommufd: what a device reaches is what its user mapped, and that is pinned. */

const PAGES = 16;
const VADDR = 0x7f000000;
const LINUX = ['6.1', '6.12'] as const;

interface MapOp {
  readonly op: 'map';
  readonly at: number;
  readonly pages: number;
  readonly from: number;
}
interface UnmapOp {
  readonly op: 'unmap';
  readonly at: number;
  readonly pages: number;
}
type Op = MapOp | UnmapOp;

const page = fc.nat(PAGES - 1);
const length = fc.integer({ min: 1, max: 5 });
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constant('map' as const), at: page, pages: length, from: fc.nat(PAGES - 6) }),
  fc.record({ op: fc.constant('unmap' as const), at: page, pages: length }),
);
/** Which frame is behind each page of the process: often one after the other, so that pieces hang together. */
const frames = fc
  .array(fc.integer({ min: 1, max: 0x40 }), { minLength: PAGES, maxLength: PAGES })
  .map((starts) => starts.map((start, n) => (start % 2 === 0 ? 0x100 + n : start)));

/**
 * What should be mapped: whole mappings, which do not overlap. A range that cuts one in two is not unmapped: by type1 not at
 * all, by iommufd not from there on.
 */
function reference(by: 'type1' | 'iommufd') {
  let mappings: readonly MapOp[] = [];
  return {
    /** What the operation should return, after it was done here. */
    apply(one: Op): number {
      const touched = mappings.filter(({ at, pages }) => at < one.at + one.pages && one.at < at + pages);
      if (one.op === 'map') {
        if (touched.length > 0) return -EEXIST;
        mappings = [...mappings, one];
        return 0;
      }
      const inOrder = [...touched].sort((a, b) => a.at - b.at);
      const cut = inOrder.findIndex(({ at, pages }) => at < one.at || at + pages > one.at + one.pages);
      if (cut >= 0 && by === 'type1') return -EINVAL;
      const gone = cut < 0 ? inOrder : inOrder.slice(0, cut);
      mappings = mappings.filter((other) => !gone.includes(other));
      return cut < 0 ? 0 : -ENOENT;
    },
    /** The frame that the device should reach at a page. */
    frame(n: number, of: readonly number[]): number | undefined {
      const found = mappings.find(({ at, pages }) => n >= at && n < at + pages);
      return found === undefined ? undefined : of[found.from + n - found.at];
    },
    count: () => mappings.length,
    pages: () => mappings.reduce((sum, { pages }) => sum + pages, 0),
  };
}

function process(of: readonly number[]): MmStruct {
  const mm = mm_struct('process');
  mm.mmap.push({ vm_start: VADDR, vm_end: VADDR + PAGES * PAGE_SIZE, frame: (n) => of[n] ?? 0 });
  return mm;
}

function behindIommu(): { readonly dev: Device; readonly group: IommuGroup; readonly context: ContextEntry } {
  const iommu = intel_iommu();
  const context = context_entry('device', iommu.default_domain.table);
  const group = iommu_group(1, iommu.default_domain);
  const dev = device('device', undefined, { iommu: { ops: iommu.ops, context, isolated_msi: true }, iommu_group: group });
  group.devices.push(dev);
  return { dev, group, context };
}

/** The device reaches what the reference says. */
function reaches({ table }: ContextEntry, expected: ReturnType<typeof reference>, of: readonly number[]): void {
  for (let n = 0; n < PAGES + 6; n++) {
    const found = table === undefined ? undefined : translation(table, n * PAGE_SIZE);
    const frame = found === undefined ? undefined : (found.paddr + n * PAGE_SIZE - found.iova) / PAGE_SIZE;
    assert.equal(frame, expected.frame(n, of), `page ${n}`);
  }
}

const host = { system_wq: undefined, vfio_irqfd_cleanup_wq: undefined } as never;

test('type1: a device reaches what is mapped, all of it is pinned, and mappings do not overlap', () => {
  fc.assert(
    fc.property(fc.constantFrom(...LINUX), frames, fc.array(op, { maxLength: 25 }), (linux, of, ops) => {
      onMachine(
        function* (): Run {
          const { group, context } = behindIommu();
          const vfio = vfio_core(host);
          yield* vfio_iommu_type1_init(vfio);
          const driver = vfio.iommu_drivers_list[0]!.ops;
          const iommu = (yield* driver.open.target(VFIO_TYPE1v2_IOMMU))!;
          assert.equal(yield* driver.attach_group.target(iommu, group, VFIO_IOMMU), 0);
          const mm = process(of);
          const expected = reference('type1');
          for (const one of ops) {
            const [iova, size] = [one.at * PAGE_SIZE, one.pages * PAGE_SIZE];
            const ret =
              one.op === 'map'
                ? yield* driver.ioctl.target(iommu, {
                    cmd: 'VFIO_IOMMU_MAP_DMA',
                    map: { iova, size, vaddr: VADDR + one.from * PAGE_SIZE, flags: 3, mm },
                  })
                : yield* driver.ioctl.target(iommu, { cmd: 'VFIO_IOMMU_UNMAP_DMA', iova, size });
            assert.equal(ret, expected.apply(one), JSON.stringify(one));
            reaches(context, expected, of);
            assert.equal(mm.locked_vm, expected.pages());
            assert.equal(iommu.dma_avail, 65535 - expected.count());
          }
          yield* driver.detach_group.target(iommu, group);
          assert.equal(mm.locked_vm, 0);
        },
        { linux },
      );
    }),
    { numRuns: 60 },
  );
});

test('type1: what was noted for mediated devices is pinned when a real one joins, and let go of when it leaves', () => {
  fc.assert(
    fc.property(fc.constantFrom(...LINUX), frames, fc.array(op, { maxLength: 12 }), (linux, of, ops) => {
      onMachine(
        function* (): Run {
          const { group, context } = behindIommu();
          const vfio = vfio_core(host);
          yield* vfio_iommu_type1_init(vfio);
          const driver = vfio.iommu_drivers_list[0]!.ops;
          const iommu = (yield* driver.open.target(VFIO_TYPE1v2_IOMMU))!;
          yield* driver.attach_group.target(iommu, iommu_group(2), VFIO_EMULATED_IOMMU);
          const mm = process(of);
          const expected = reference('type1');
          for (const one of ops) {
            const [iova, size] = [one.at * PAGE_SIZE, one.pages * PAGE_SIZE];
            const ret =
              one.op === 'map'
                ? yield* driver.ioctl.target(iommu, {
                    cmd: 'VFIO_IOMMU_MAP_DMA',
                    map: { iova, size, vaddr: VADDR + one.from * PAGE_SIZE, flags: 3, mm },
                  })
                : yield* driver.ioctl.target(iommu, { cmd: 'VFIO_IOMMU_UNMAP_DMA', iova, size });
            assert.equal(ret, expected.apply(one));
            assert.equal(mm.locked_vm, 0);
          }
          assert.equal(yield* driver.attach_group.target(iommu, group, VFIO_IOMMU), 0);
          reaches(context, expected, of);
          assert.equal(mm.locked_vm, expected.pages());
          yield* driver.detach_group.target(iommu, group);
          assert.equal(mm.locked_vm, 0);
        },
        { linux },
      );
    }),
    { numRuns: 60 },
  );
});

test('type1: the megabyte of interrupt messages cannot be mapped', () => {
  onMachine(
    function* (): Run {
      const { group } = behindIommu();
      const vfio = vfio_core(host);
      yield* vfio_iommu_type1_init(vfio);
      const driver = vfio.iommu_drivers_list[0]!.ops;
      const iommu = (yield* driver.open.target(VFIO_TYPE1v2_IOMMU))!;
      yield* driver.attach_group.target(iommu, group, VFIO_IOMMU);
      const mm = process(Array.from({ length: PAGES }, (_, n) => n + 1));
      for (const [iova, ret] of [
        [0xfedff000, 0],
        [0xfee00000, -EINVAL],
        [0xfeeff000, -EINVAL],
        [0xfef00000, 0],
      ] as const)
        assert.equal(
          yield* driver.ioctl.target(iommu, { cmd: 'VFIO_IOMMU_MAP_DMA', map: { iova, size: PAGE_SIZE, vaddr: VADDR, flags: 3, mm } }),
          ret,
        );
    },
    { linux: '6.1' },
  );
});

test('iommufd: an address space is for every device that is attached, whenever it is', () => {
  fc.assert(
    fc.property(frames, fc.array(op, { maxLength: 20 }), fc.nat(20), (of, ops, attach_at) => {
      onMachine(
        function* (): Run {
          const { dev, context } = behindIommu();
          const file = yield* iommufd_fops.open.target();
          const idev = yield* iommufd_device_bind(file.ictx, dev);
          assert.ok(typeof idev !== 'number');
          assert.equal(context.table, undefined, 'bound, the device reaches nothing');
          const out = { ioas_id: 0 };
          yield* iommufd_fops.unlocked_ioctl.target(file, { cmd: 'IOMMU_IOAS_ALLOC', out });
          const { ioas_id } = out;
          const mm = process(of);
          const expected = reference('iommufd');
          let attached = false;
          for (const [n, one] of ops.entries()) {
            if (n === attach_at) {
              assert.equal(yield* iommufd_device_attach(idev, ioas_id), 0);
              attached = true;
            }
            const [iova, len] = [one.at * PAGE_SIZE, one.pages * PAGE_SIZE];
            const ret =
              one.op === 'map'
                ? yield* iommufd_fops.unlocked_ioctl.target(file, {
                    cmd: 'IOMMU_IOAS_MAP',
                    ioas_id,
                    iova,
                    user_va: VADDR + one.from * PAGE_SIZE,
                    length: len,
                    writeable: true,
                    mm,
                  })
                : yield* iommufd_fops.unlocked_ioctl.target(file, { cmd: 'IOMMU_IOAS_UNMAP', ioas_id, iova, length: len });
            assert.equal(ret, expected.apply(one), JSON.stringify(one));
            if (attached) reaches(context, expected, of);
            assert.equal(mm.locked_vm, attached ? expected.pages() : 0);
          }
          if (attached) yield* iommufd_device_detach(idev);
          assert.equal(mm.locked_vm, 0);
        },
        { linux: '6.12' },
      );
    }),
    { numRuns: 60 },
  );
});
