import type { Find, Reference, Whereabouts } from '../engine/reference';
import { placesOf } from './history';
import { webLink } from './links';
import { patternFor, patternOf } from './pattern';
import { remarkOn } from './remark';
import type { Resolver } from './resolver';

/** Says where a reference stands: in the reader's tree if there is one, else as upstream has it in `version`, whose page it is in either case. */
export async function whereaboutsOf(reference: Reference, version: string, resolver: Resolver | undefined): Promise<Whereabouts> {
  const page = webLink(reference, version).url;
  return { page, ...(resolver === undefined ? upstream(reference, version) : await inTree(reference, resolver)) };
}

type Place = Omit<Whereabouts, 'page'>;

function upstream(reference: Reference, version: string): Place {
  const place = placesOf(reference, version)[0]!;
  const { path, symbol, anchor, standing } = place;
  const remark = remarkOn(reference, { project: reference.project, version }, { kind: 'found', ...place });
  const find: Find = standing.kind === 'nowhere' ? { kind: 'missing' } : { kind: 'pattern', pattern: patternOf(symbol, anchor) };
  return { path, find, ...(remark ? { remark: remark.text } : {}) };
}

async function inTree(reference: Reference, resolver: Resolver): Promise<Place> {
  const resolution = await resolver.resolve(reference);
  const { path } = resolution;
  const remark = remarkOn(reference, resolver.tree, resolution);
  const said = remark ? { remark: remark.text } : {};
  if (resolution.kind === 'missing') return { path, find: { kind: 'missing' }, ...said };
  const { symbol, anchor, line } = resolution;
  const pattern = patternFor(symbol, anchor, (await resolver.textOf(path)) ?? '', line);
  return { path, find: pattern === undefined ? { kind: 'line', line: line + 1 } : { kind: 'pattern', pattern }, ...said };
}
