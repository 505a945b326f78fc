import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { config } from '@vscode/l10n';
import { namedCases } from '../../../src/flows/cases';
import { knowFunctions } from '../../../src/flows/functions';
import { aboutFunction, edgeText } from '../../../src/flows/functionText';
import { vfio_intx } from '../../../src/flows/vfio-intx';
import { bundleOf } from '../../l10n/bundle';

const bundle = bundleOf('zh-cn');
before(() => config({ contents: bundle }));

test('what carries an edge is told in the reader’s language, in a hierarchy and in a hover', async () => {
  const [first] = namedCases([vfio_intx]);
  const known = await knowFunctions([first!], async () => undefined);
  const kinds = new Set<string>();
  for (const one of known.values())
    for (const edge of one.callers) {
      kinds.add(edge.kind);
      const kind = bundle[edge.kind] ?? edge.kind;
      assert.ok(edgeText(edge).startsWith(kind), edgeText(edge));
      if (edge.kind !== 'call' && one.callers.length === 1) assert.ok(aboutFunction(one).includes(`(${kind}`), aboutFunction(one));
    }
  for (const kind of ['call', 'function pointer', 'syscall']) {
    assert.ok(kinds.has(kind));
    assert.match(bundle[kind] ?? '', /\p{Script=Han}/u);
  }
});
