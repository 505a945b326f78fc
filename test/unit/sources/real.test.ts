import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeReference, type Reference } from '../../../src/engine/reference';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { claimsOf, everyRun } from '../../../src/flows/places';
import type { Found, Resolver } from '../../../src/sources/resolver';
import { realTrees } from '../../trees';

interface Place {
  readonly reference: Reference;
  readonly found: Found;
  readonly line: string;
}

/** A line that declares variables without giving them values, read in another way than the scanner's. */
const DECLARES = /^\s*(?!return\b|goto\b|case\b|else\b)(?:\w+\s+)*\w+[\s*]+\w+(?:\[[^\]]*\])?(?:\s*,\s*\**\w+(?:\[[^\]]*\])?)*\s*;/;
/** A line that only asserts something: what it calls is done, but nothing that it names. */
const ASSERTS = /^\s*(?:g_assert\w*|assert|ASSERT|lockdep_assert\w*|(?:KVM_)?BUG_ON|WARN_ON(?:_ONCE)?)\s*\(/;
/** A call of a function, whose name a parenthesis follows. */
const CALLS = /^\s*\(/;

describe('in real trees', async () => {
  const { references } = claimsOf(CATALOGUE.flatMap((flow) => [...everyRun(flow, {})]));
  for (const { name, resolver } of await realTrees()) {
    it(`no reference stands where a variable is only declared (${name})`, async () => {
      const places = await placesIn(resolver, references);
      assert.deepEqual(places.filter(({ found, line }) => found.anchor !== undefined && DECLARES.test(line)).map(describePlace), []);
    });

    it(`no reference stands on what is only asserted (${name})`, async () => {
      const places = await placesIn(resolver, references);
      const asserted = places.filter(({ found, line }) => {
        const asserts = ASSERTS.exec(line);
        return asserts !== null && found.column >= asserts[0].length && !CALLS.test(line.slice(found.column + found.length));
      });
      assert.deepEqual(asserted.map(describePlace), []);
    });

    it(`what is found is the identifier, and is called where it is said to be (${name})`, async () => {
      for (const place of await placesIn(resolver, references)) {
        const { found, line } = place;
        const token = found.anchor?.token ?? found.symbol;
        assert.equal(line.slice(found.column, found.column + found.length), token, describePlace(place));
        const rest = line.slice(found.column + found.length);
        if (found.anchor?.as === 'call' && rest.trim() !== '') assert.match(rest, CALLS, describePlace(place));
      }
    });

    it(`what stands elsewhere stands within the function that history names (${name})`, async () => {
      for (const { found, ...place } of await placesIn(resolver, references))
        if (found.anchor !== undefined)
          assert.ok(found.definitionLine <= found.line && found.line <= found.endLine, describePlace({ ...place, found }));
    });
  }
});

async function placesIn(resolver: Resolver, references: readonly Reference[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const reference of references.filter(({ project }) => project === resolver.tree.project)) {
    const found = await resolver.resolve(reference);
    if (found.kind !== 'found') continue;
    const text = (await resolver.textOf(found.path)) ?? '';
    places.push({ reference, found, line: linesOf(text)[found.line] ?? '' });
  }
  return places;
}

const lines = new Map<string, readonly string[]>();

function linesOf(text: string): readonly string[] {
  const known = lines.get(text) ?? text.split(/\r\n|[\r\n]/);
  lines.set(text, known);
  return known;
}

const describePlace = ({ reference, found, line }: Place): string =>
  `${describeReference(reference)}: ${found.path}:${found.line + 1} ${line.trim()}`;
