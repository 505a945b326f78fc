import { STEP_KINDS, type SiteView, type StepColumns, type StepView } from '../../src/webview/protocol';

/** Steps in the columns of the protocol. */
export function columnsOf(steps: readonly StepView[]): StepColumns {
  const sites = table(({ symbol, anchor, world }: SiteView) => JSON.stringify([symbol, anchor, world]));
  const edges = table((edge: string) => edge);
  edges.idOf('');
  return {
    length: steps.length,
    kinds: Uint8Array.from(steps, ({ kind }) => STEP_KINDS.indexOf(kind)),
    lanes: Uint16Array.from(steps, ({ lane }) => lane),
    depths: Uint16Array.from(steps, ({ depth }) => depth),
    sites: Uint32Array.from(steps, ({ symbol, anchor, world }) =>
      sites.idOf(anchor === undefined ? { symbol, world } : { symbol, anchor, world }),
    ),
    edges: Uint8Array.from(steps, ({ edge }) => edges.idOf(edge ?? '')),
    causes: Int32Array.from(steps, ({ cause }) => cause ?? -1),
    writes: Uint8Array.from(steps, ({ writes }) => Number(writes)),
    siteTable: sites.entries,
    edgeTable: edges.entries,
  };
}

function table<T>(keyOf: (entry: T) => string): { readonly entries: readonly T[]; idOf(entry: T): number } {
  const entries: T[] = [];
  const ids = new Map<string, number>();
  return {
    entries,
    idOf(entry) {
      const key = keyOf(entry);
      const id = ids.get(key) ?? entries.push(entry) - 1;
      ids.set(key, id);
      return id;
    },
  };
}
