import { casesOf } from '../../src/flows/cases';
import { knowFunctions } from '../../src/flows/functions';
import type { Unpassed } from '../../src/flows/unpassed';
import { mentionsInModels } from './scan';

/** The modelled functions that no case passes, with who reaches them as the models' source says. */
export async function unpassed(): Promise<readonly Unpassed[]> {
  const known = await knowFunctions(casesOf(), () => Promise.resolve());
  const mentions = mentionsInModels();
  const keys = [...known].flatMap(([key, { visits }]) => (visits.length === 0 ? [key] : []));
  return keys.toSorted().map((fn) => {
    const own = mentions.filter(({ of }) => of === fn);
    return {
      fn,
      callers: own.flatMap((mention) => ('by' in mention ? [mention.by] : [])).toSorted(),
      storedIn: own.flatMap((mention) => ('storedIn' in mention ? [mention.storedIn] : [])).toSorted(),
    };
  });
}
