import { referenceKey, type Reference, type Whereabouts } from '../../engine/reference';

/** Where the references of an export stand: looked up before it is written. */
export type Sources = (reference: Reference) => Whereabouts;

/** Looks up references, each once. */
export async function locateAll(
  references: readonly Reference[],
  locate: (reference: Reference) => Promise<Whereabouts>,
): Promise<Sources> {
  const found = new Map<string, Whereabouts>();
  for (const reference of references) {
    const key = referenceKey(reference);
    if (!found.has(key)) found.set(key, await locate(reference));
  }
  return (reference) => {
    const whereabouts = found.get(referenceKey(reference));
    if (whereabouts === undefined) throw new Error(`${referenceKey(reference)} was not looked up`);
    return whereabouts;
  };
}
