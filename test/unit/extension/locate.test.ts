import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionsNamed, referenceOf } from '../../../src/engine/fn';
import { locate } from '../../../src/extension/locate';
import type { Outlines } from '../../../src/extension/outline';
import type { SourceTrees } from '../../../src/extension/sourceTrees';
import '../../../src/flows/catalogue';
import { createResolver } from '../../../src/sources/resolver';
import { memoryFiles } from '../sources/support';

/** Where a place is: in the reader's tree only where that has it; nothing is guessed. */

const tree = { project: 'linux', version: '6.12.1' } as const;
const HAS_IT = 'static int\nirqfd_wakeup(void *wait)\n{\n\treturn kvm_arch_set_irq_inatomic(wait);\n}\n';
const [fn] = functionsNamed('irqfd_wakeup');
const place = { fn: fn!, anchor: undefined };

/** Where a kernel tree with this `virt/kvm/eventfd.c` has the place: `tree` or `outline`, and the line. */
async function where(eventfd: string, outline: number | undefined): Promise<string | undefined> {
  const resolver = createResolver(tree, memoryFiles({ 'virt/kvm/eventfd.c': eventfd }));
  const resolve: SourceTrees['resolve'] = async (reference) => ({
    tree,
    uri: 'tree' as never,
    resolution: await resolver.resolve(reference),
  });
  const find: Outlines['find'] = () => (outline === undefined ? undefined : { uri: 'outline' as never, line: outline });
  const target = await locate({ resolve } as SourceTrees, { find } as Outlines, place);
  return target && `${String(target.uri)}:${target.line}`;
}

test('what the tree has is there, whatever stands above it', async () => {
  assert.ok(referenceOf(place.fn));
  assert.equal(await where(HAS_IT, 7), 'tree:1');
  assert.equal(await where(`/* ours */\n\n${HAS_IT}`, 7), 'tree:3');
});

test('what is gone from the tree is in the outline, or nowhere: not on another line of the tree', async () => {
  const renamed = HAS_IT.replace('irqfd_wakeup', 'irqfd_wake');
  assert.equal(await where(renamed, 7), 'outline:7');
  assert.equal(await where(renamed, undefined), undefined);
});
