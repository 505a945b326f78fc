import { CATALOGUE, requireFlow } from '../flows/catalogue';
import { type Flow, type FlowRun } from '../flows/flow';
import { claimsOf, everyRun } from '../flows/places';
import { claimsOfUnpassed } from '../flows/unpassed';
import { checkSources, type CheckReport, type Drift } from '../sources/check';
import { printIndex, readLines, withVersion, type LineIndex } from '../sources/lineIndex';
import committed from '../sources/lines.json';
import { openSomeTrees, type Directories } from './trees';

/** `virtflow check-sources [FLOW]…`: every reference and edge of these flows, or of all, against real trees. */
export async function checkSourcesCommand(
  ids: readonly string[],
  options: Directories & { readonly json?: boolean | undefined },
): Promise<number> {
  const flows = ids.length === 0 ? CATALOGUE : ids.map(requireFlow);
  const resolvers = await openSomeTrees(options);
  const runs = claimsOf(everyRunOf(flows));
  const others = ids.length === 0 ? claimsOfUnpassed() : undefined;
  const claims = { references: [...runs.references, ...(others?.references ?? [])], edges: [...runs.edges, ...(others?.edges ?? [])] };
  const reports = await checkSources(resolvers, claims);
  process.stdout.write(options.json ? `${JSON.stringify(reports, undefined, 2)}\n` : `${reports.map(describe).join('\n\n')}\n`);
  return reports.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

/** `virtflow index`: the committed index with the parts of these trees made anew. It serves readers without a tree. */
export async function indexCommand(options: Directories): Promise<number> {
  const resolvers = await openSomeTrees(options);
  const { references } = claimsOf(everyRunOf(CATALOGUE));
  let index: LineIndex = committed;
  for (const resolver of resolvers) {
    const { project, version } = resolver.tree;
    index = withVersion(index, project, version, await readLines(resolver, references));
  }
  process.stdout.write(printIndex(index));
  return 0;
}

/** All that the flows claim, whatever version they model: a reader may explore any of them beside any tree. */
function* everyRunOf(flows: readonly Flow[]): Generator<FlowRun> {
  for (const flow of flows) yield* everyRun(flow, {});
}

function describe({ project, version, confidence, references, edges, drift, failures }: CheckReport): string {
  const skipped = edges.indirect.skipped > 0 ? ` (${edges.indirect.skipped} registered in a tree that was not given)` : '';
  const absent = (count: number): string => (count > 0 ? `, ${count} not in this version` : '');
  return [
    `${project} ${version}${confidence === 'inferred' ? ' (between or beyond the versions that were checked: found by names)' : ''}`,
    `  references   ${references.resolved} of ${references.total} resolved${absent(references.absent)}`,
    `  direct edges ${edges.direct.confirmed} of ${edges.direct.total} confirmed${absent(edges.direct.absent)}`,
    `  pointers     ${edges.indirect.confirmed} of ${edges.indirect.total} confirmed${absent(edges.indirect.absent)}${skipped}`,
    `  drift        ${DRIFT.map((kind) => `${drift.filter((each) => each.kind === kind).length} ${kind}`).join(', ')}, ${failures.length} gone`,
    ...DRIFT.flatMap((kind) => drift.filter((each) => each.kind === kind)).map(describeDrift),
    ...failures.map((failure) => `  FAILED ${failure.kind}: ${failure.place}: expected ${failure.expected}; ${failure.message}`),
  ].join('\n');
}

const DRIFT: readonly Drift['kind'][] = ['moved', 'renamed', 'absent'];

function describeDrift({ kind, place, message, spot: { path, line } }: Drift): string {
  return `  ${kind.padEnd(7)} ${place}: ${message}${line === undefined ? '' : ` (${path}:${line})`}`;
}
