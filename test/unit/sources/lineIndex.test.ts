import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import * as fc from 'fast-check';
import { referenceKey, type Reference } from '../../../src/engine/reference';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { resolveParameters, simulate } from '../../../src/flows/flow';
import { claimsOf } from '../../../src/flows/places';
import { indexedIn, linesOf, printIndex, readLines, withVersion, type LineIndex, type VersionLines } from '../../../src/sources/lineIndex';
import { upstreamVersions, webLink } from '../../../src/sources/links';
import { createResolver } from '../../../src/sources/resolver';
import { realTrees } from '../../trees';
import { LINUX, memoryFiles } from './support';

const HANDLER: Reference = { project: 'linux', path: 'kernel/a.c', symbol: 'handler' };
const FILES = { 'kernel/a.c': '\nint handler(void)\n{\n go();\n x = 1;\n}\nint b(void) {}\n', 'arch/z.c': '#define z(a) \\\n  a\n' };
const REFERENCES: readonly Reference[] = [
  HANDLER,
  { ...HANDLER, anchor: { token: 'go', as: 'call' } },
  { ...HANDLER, anchor: { token: 'x', as: 'write' } },
  { ...HANDLER, anchor: { token: 'absent', as: 'name' } },
  { ...HANDLER, symbol: 'b' },
  { ...HANDLER, symbol: 'absent' },
  { ...HANDLER, path: 'arch/z.c', symbol: 'z' },
  { ...HANDLER, project: 'qemu' },
];

const EXPECTED = `{
 "linux": {
  "versions": ["6.1.192"],
  "files": {
   "arch/z.c": {
    "z": {"line":"1","length":"2"}
   },
   "kernel/a.c": {
    "b": {"line":"7","length":"1"},
    "handler": {"line":"2","length":"5","anchors":{"call go":"2","write x":"3"}}
   }
  }
 }
}
`;

describe('the index of a tree', () => {
  const read = (references: readonly Reference[]) => readLines(createResolver(LINUX, memoryFiles(FILES)), references);

  it('is the same text in whatever order the references come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...REFERENCES], { minLength: REFERENCES.length }), async (shuffled) => {
        assert.equal(printIndex(withVersion({}, 'linux', '6.1.192', await read(shuffled))), EXPECTED);
      }),
      { numRuns: 20 },
    );
  });

  it('names what it holds of a file', async () => {
    const { linux } = withVersion({}, 'linux', '6.1.192', await read(REFERENCES));
    const inFile = REFERENCES.filter(
      ({ project, path, symbol, anchor }) => project === 'linux' && path === 'kernel/a.c' && ![symbol, anchor?.token].includes('absent'),
    );
    assert.deepEqual(
      new Set(indexedIn(linux, 'linux', 'kernel/a.c').map((one) => JSON.stringify(one))),
      new Set(inFile.map((one) => JSON.stringify(one))),
    );
    assert.deepEqual(indexedIn(linux, 'linux', 'constructor'), []);
  });
});

describe('versions side by side', () => {
  const lines: fc.Arbitrary<VersionLines> = fc
    .uniqueArray(
      fc.record({
        path: fc.constantFrom('a.c', 'b.c'),
        symbol: fc.constantFrom('f', 'g', 'h'),
        line: fc.integer({ min: 1, max: 3 }),
        length: fc.integer({ min: 1, max: 3 }),
        anchors: fc.uniqueArray(fc.tuple(fc.constantFrom('call x', 'name y', 'write z after w v'), fc.integer({ min: 1, max: 6 })), {
          selector: ([key]) => key,
        }),
      }),
      { selector: ({ path, symbol }) => `${path} ${symbol}` },
    )
    .map((entries) => {
      const paths = new Map<string, Map<string, { line: number; length: number; anchors: Map<string, number> }>>();
      for (const { path, symbol, line, length, anchors } of entries)
        paths.set(path, (paths.get(path) ?? new Map()).set(symbol, { line, length, anchors: new Map(anchors) }));
      return paths;
    });
  const VERSIONS = ['5.10.223', '6.1.192', '6.12', '7.1-rc3', '7.1'];

  it('keep what was read of each, in whatever order they are added, and when one is made anew', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...VERSIONS), lines), { minLength: 1, maxLength: 8 }), (added) => {
        const index = added.reduce<LineIndex>((before, [version, read]) => withVersion(before, 'qemu', version, read), {});
        const stored = JSON.parse(printIndex(index)) as LineIndex;
        assert.deepEqual(stored, index);
        const latest = new Map(added);
        assert.deepEqual(
          stored.qemu?.versions,
          VERSIONS.filter((version) => latest.has(version)),
        );
        for (const [version, read] of latest)
          for (const path of ['a.c', 'b.c'])
            for (const symbol of ['f', 'g', 'h'])
              assert.deepEqual(linesOf(stored.qemu, version, path, symbol), read.get(path)?.get(symbol));
      }),
    );
  });
});

test('what the committed index says is so in real trees', async (context) => {
  const trees = (await realTrees()).filter(({ resolver: { tree } }) => upstreamVersions(tree.project).includes(tree.version));
  if (trees.length === 0) return context.skip('there is no source tree of a version that the index knows');
  const runs = CATALOGUE.map((flow) => simulate(flow, { parameters: resolveParameters(flow, {}), stimuli: [], seed: 0 }));
  const { references } = claimsOf(runs);
  for (const { name, resolver } of trees) {
    const { project, version } = resolver.tree;
    let known = 0;
    let found = 0;
    for (const reference of references.filter((each) => each.project === project)) {
      const resolution = await resolver.resolve(reference);
      if (resolution.kind === 'missing') continue;
      found++;
      const link = webLink(reference, version);
      if (link.kind !== 'line') continue;
      known++;
      assert.equal(link.line, resolution.line + 1, `${name}: ${referenceKey(reference)}`);
      assert.ok(link.url.includes(`/${resolution.path}#L${link.line}`), link.url);
    }
    // What changed since it was made is not known yet.
    assert.ok(known > 0.9 * found, `${name}: ${known} of ${found}`);
  }
});
