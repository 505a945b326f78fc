import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeFiles } from '../../../src/cli/files';
import { randomFrom } from '../../../src/engine/random';
import { describeReference, type Reference } from '../../../src/engine/reference';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { claimsOf, everyRun } from '../../../src/flows/places';
import type { SourceFiles } from '../../../src/sources/files';
import { createResolver, type Found, type Resolution } from '../../../src/sources/resolver';
import type { Tree } from '../../../src/sources/tree';
import { realTrees } from '../../trees';
import { HARMLESS, remove, rename, type Marked, type Pick } from './mutate';
import { LINUX, memoryFiles } from './support';

/** How many changed files of each tree; VIRTFLOW_MUTATIONS says otherwise. */
const RUNS = Number(process.env['VIRTFLOW_MUTATIONS'] ?? 40);

/** One file, and what references find in it. */
interface Subject {
  readonly tree: Tree;
  readonly files: SourceFiles;
  readonly path: string;
  readonly text: string;
  readonly found: readonly { readonly reference: Reference; readonly at: Found }[];
}

const OURS = `#include "here.h"

static int level;

static void lower(struct line *line)
{
	line->level = 0; /* raise(line) */
}

#define raise_both(a, b) raise(a), raise(b)

int raise(struct line *line)
{
	if (!line->masked) {
		line->level = 1;
		deliver(line->vector);
	}
	return line->level;
}

static const struct ops line_ops = { .raise = raise, .lower = lower };

int pulse(struct line *line)
{
	int result = raise(line);

	lower(line);
	return result;
}

`;

const within = (symbol: string, ...anchors: readonly NonNullable<Reference['anchor']>[]): readonly Reference[] =>
  [undefined, ...anchors].map((anchor) => ({ project: 'linux', path: 'line.c', symbol, ...(anchor ? { anchor } : {}) }));

describe('in a file of ours', () => {
  holds(async () => [
    await subject(LINUX, memoryFiles({ 'line.c': OURS }), 'line.c', OURS, [
      ...within('lower', { token: 'level', as: 'write' }),
      ...within(
        'raise',
        { token: 'deliver', as: 'call' },
        { token: 'masked', as: 'name' },
        { token: 'level', as: 'name', after: 'deliver' },
      ),
      ...within('line_ops', { token: 'lower', as: 'name' }),
      ...within('pulse', { token: 'raise', as: 'call' }, { token: 'lower', as: 'call' }),
    ]),
  ]);
});

const trees = await realTrees();
const { references } = trees.length === 0 ? { references: [] } : claimsOf(CATALOGUE.flatMap((flow) => [...everyRun(flow, {})]));

for (const { name, root, resolver } of trees) {
  describe(`in ${name}`, () => {
    holds(() => subjectsOf(resolver.tree, root));
  });
}

async function subjectsOf(tree: Tree, root: string): Promise<readonly Subject[]> {
  const files = nodeFiles(root);
  const resolver = createResolver(tree, files);
  const own = references.filter(({ project }) => project === tree.project);
  const resolved = await Promise.all(own.map(async (reference) => ({ reference, at: await resolver.resolve(reference) })));
  const byFile = new Map<string, { reference: Reference; at: Found }[]>();
  for (const { reference, at } of resolved)
    if (at.kind === 'found') byFile.set(at.path, [...(byFile.get(at.path) ?? []), { reference, at }]);
  return [...byFile]
    .filter(([file]) => !file.endsWith('.S'))
    .map(([file, found]) => ({ tree, files, path: file, text: readFileSync(path.join(root, file), 'utf8'), found }));
}

async function subject(tree: Tree, files: SourceFiles, file: string, text: string, own: readonly Reference[]): Promise<Subject> {
  const resolver = createResolver(tree, files);
  const found = await Promise.all(
    own.map(async (reference) => ({ reference, at: expectFound(reference, await resolver.resolve(reference)) })),
  );
  return { tree, files, path: file, text, found };
}

function holds(make: () => Promise<readonly Subject[]>): void {
  it('insertions, blanks, moves and names of others change nothing', async () => {
    const subjects = await make();
    await each(subjects, async (one, pick) => {
      const keep = wordsOf(one);
      let marked: Marked = { text: one.text, marks: one.found.map(({ at }) => offsetIn(one.text, at)) };
      for (let i = 0; i <= pick(4); i++) marked = HARMLESS[pick(HARMLESS.length)]!(marked, pick, keep);
      const resolver = createResolver(one.tree, overlay(one, marked.text));
      for (const [i, { reference, at }] of one.found.entries()) {
        const now = expectFound(reference, await resolver.resolve(reference));
        assert.deepEqual(
          { ...whereIn(marked.text, now), path: now.path },
          { ...wordAt(marked, i, at), path: one.path },
          describeReference(reference),
        );
      }
    });
  });

  it('what got another name, or is gone, is missing, and nothing else', async () => {
    const subjects = await make();
    await each(subjects, async (one, pick) => {
      const victim = one.found[pick(one.found.length)]!.at.symbol;
      const marked: Marked = { text: one.text, marks: one.found.map(({ at }) => offsetIn(one.text, at)) };
      const removed = pick(2) === 0 ? undefined : remove(marked, victim);
      const changed = removed ?? rename(marked, victim, 'zz_renamed');
      const resolver = createResolver(one.tree, overlay(one, changed.text));
      for (const [i, { reference, at }] of one.found.entries()) {
        const now = await resolver.resolve(reference);
        const what = `${describeReference(reference)} without ${victim}`;
        // Outside of the checked releases a neighbour's place may serve, and says so.
        if (at.symbol === victim) assert.ok(now.kind === 'missing' || now.confidence === 'inferred', what);
        else if (removed === undefined && [at.anchor?.token, ...(at.anchor?.after?.split(' ') ?? [])].includes(victim)) {
          assert.ok(now.kind === 'missing' || now.standing.kind === 'stand-in' || now.confidence === 'inferred', what);
        } else {
          const there = expectFound(reference, now);
          assert.deepEqual(whereIn(changed.text, there), wordAt(changed, i, at), what);
        }
      }
    });
  });
}

/** Several changes of files of a tree, each again by its seed. */
async function each(subjects: readonly Subject[], check: (one: Subject, pick: Pick) => Promise<void>): Promise<void> {
  assert.ok(subjects.length > 0);
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const next = randomFrom(seed);
      const pick: Pick = (below) => Math.floor(next() * below);
      await check(subjects[pick(subjects.length)]!, pick);
    }),
    { numRuns: RUNS, endOnFailure: true, includeErrorInReport: true },
  );
}

function expectFound(reference: Reference, resolution: Resolution): Found {
  assert.ok(resolution.kind === 'found', resolution.kind === 'missing' ? resolution.message : describeReference(reference));
  return resolution;
}

/** Every word that a reference of the file depends on. */
function wordsOf({ found }: Subject): ReadonlySet<string> {
  return new Set(
    found.flatMap(({ reference, at }) =>
      [reference, at].flatMap(({ symbol, anchor }) => [symbol, anchor?.token ?? symbol, ...(anchor?.after?.split(' ') ?? [])]),
    ),
  );
}

function overlay({ files, path: file }: Subject, text: string): SourceFiles {
  const changed = memoryFiles({ [file]: text });
  return {
    stat: (asked) => (asked === file ? changed : files).stat(asked),
    read: (asked) => (asked === file ? changed : files).read(asked),
  };
}

function offsetIn(text: string, { line, column }: Found): number {
  let start = 0;
  for (let i = 0; i < line; i++) start = text.indexOf('\n', start) + 1;
  return start + column;
}

interface Word {
  readonly offset: number;
  readonly word: string;
}

function whereIn(text: string, found: Found): Word {
  const offset = offsetIn(text, found);
  return { offset, word: text.slice(offset, offset + found.length) };
}

function wordAt({ text, marks }: Marked, i: number, { length }: Found): Word {
  const offset = marks[i]!;
  return { offset, word: text.slice(offset, offset + length) };
}
