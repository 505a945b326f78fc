import type { FnInfo, World } from '../engine/fn';
import { anchorKey } from '../engine/reference';
import { homeKey } from './anchors';
import { CATALOGUE } from './catalogue';
import type { Flow, HistoricalName } from './flow';
import { everyRun } from './places';
import { sitesOf } from './sites';

/** Which functions the flows know: found by running them, so it cannot say more than they do. */

export interface Coverage {
  /** By home, `linux virt/kvm/eventfd.c`, and name: the flows that enter the function. */
  readonly functions: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
  /** By home and name as well: the keys of the anchors in the function that steps stand on. */
  readonly anchors: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
  /** Macros and inline functions that stand between a caller and what it calls, and calls that steps stand on and do not follow. */
  readonly wrappers: ReadonlySet<string>;
  readonly historical: readonly { readonly flow: string; readonly name: HistoricalName }[];
}

/** Runs every flow in every way that `everyRun` knows, and collects what was entered. */
export function coverage(flows: readonly Flow[] = CATALOGUE): Coverage {
  const functions = new Map<string, Map<string, Set<string>>>();
  const anchors = new Map<string, Map<string, Set<string>>>();
  const wrappers = new Set<string>();
  for (const flow of flows) {
    for (const run of everyRun(flow, {})) {
      for (const { fn, anchor } of sitesOf(run)) if (anchor !== undefined) addTo(anchors, fn, anchorKey(anchor));
      const { journal } = run;
      for (let n = 0; n < journal.length; n++) {
        const { kind, site, link } = journal.step(n);
        if (site.anchor?.as === 'call') wrappers.add(site.anchor.token);
        if (kind !== 'enter') continue;
        addTo(functions, site.fn, flow.id);
        if (link?.kind === 'call' && link.token !== undefined) wrappers.add(link.token);
      }
    }
  }
  const historical = flows.flatMap((flow) => flow.historical.map((name) => ({ flow: flow.id, name })));
  return { functions, anchors, wrappers, historical };
}

/** Adds something to what is known of a function, by its home and name. */
function addTo(known: Map<string, Map<string, Set<string>>>, fn: FnInfo, what: string): void {
  const home = homeKey(fn);
  const names = known.get(home) ?? new Map<string, Set<string>>();
  known.set(home, names.set(fn.name, (names.get(fn.name) ?? new Set()).add(what)));
}

const WORLDS: readonly { readonly world: World; readonly title: string }[] = [
  { world: 'linux', title: 'Linux' },
  { world: 'qemu', title: 'QEMU' },
  { world: 'acrn', title: 'ACRN' },
  { world: 'hardware', title: 'Hardware' },
  { world: 'guest', title: 'Guests' },
];

/** The coverage as a page of Markdown. */
export function coveragePage({ functions, wrappers, historical }: Coverage): string {
  const homes = [...functions].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const count = homes.reduce((sum, [, names]) => sum + names.size, 0);
  const sections = WORLDS.flatMap(({ world, title }) => {
    const own = homes.filter(([home]) => home.startsWith(`${world} `));
    return own.length === 0 ? [] : [`## ${title}`, ...own.map(([home, names]) => homeText(home.slice(world.length + 1), names))];
  });
  return [
    '# What the models cover',
    'Made by `npm run coverage` from runs of every flow; a test keeps it true. Behind a function stand the flows that enter it.',
    `${count} functions in ${homes.length} files.`,
    ...sections,
    '## Macros and inline functions on the way, and calls that are named and not followed',
    [...wrappers]
      .toSorted()
      .map((name) => `\`${name}\``)
      .join(', '),
    '## Names of older texts',
    historicalTable(historical),
    '',
  ].join('\n\n');
}

function homeText(path: string, names: ReadonlyMap<string, ReadonlySet<string>>): string {
  const lines = [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, flows]) => `- \`${name}\`: ${[...flows].join(', ')}`);
  return [`### ${path}`, '', ...lines].join('\n');
}

function historicalTable(historical: Coverage['historical']): string {
  const rows = historical
    .toSorted((a, b) => (a.name.name < b.name.name ? -1 : 1))
    .map(({ flow, name: { name, was, today, since } }) => {
      const now = today.map((each) => `\`${each}\``).join(', ') || 'nothing';
      return `| \`${name}\` | ${was} | ${now} | ${since} | ${flow} |`;
    });
  return ['| name | was | today | since when, and what became of it | flow |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}
