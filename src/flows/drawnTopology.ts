import type { Cell, Component } from '../engine/cell';
import type { FnInfo } from '../engine/fn';
import { NO_STEP } from '../engine/journal';
import type { Parameters } from '../engine/machine';
import { lastWrite } from '../engine/timeline';
import type { FlowRun } from './flow';
import type { PartSpec, Shown, WireSpec } from './topology';

/** What a run has of its flow's topology. */

/** A part that a run has. */
export interface DrawnPart {
  readonly spec: PartSpec;
  /** For each entry of `of`, then of `reads`: the instances that fit, in the order of their allocation. */
  readonly instances: readonly (readonly Component[])[];
  /** What it shows of its state in this run. */
  readonly shows: readonly Shown[];
  /** The file that it is modelled in, as upstream calls it; hardware and the guest have none. */
  readonly file: string | undefined;
}

/** A wire that a run has: `from` and `to` are indexes into the drawn parts. */
export interface DrawnWire {
  readonly spec: WireSpec;
  readonly from: number;
  readonly to: number;
}

/** What a run has of its flow's topology. */
export interface DrawnTopology {
  readonly parts: readonly DrawnPart[];
  readonly wires: readonly DrawnWire[];
}

const known = new WeakMap<FlowRun, DrawnTopology>();

/** The parts and wires that a run has. */
export function topologyOf(run: FlowRun): DrawnTopology {
  let drawn = known.get(run);
  if (drawn === undefined) known.set(run, (drawn = draw(run)));
  return drawn;
}

function draw(run: FlowRun): DrawnTopology {
  const { flow, inputs } = run;
  const { topology } = flow;
  const given = (spec: { readonly given?: (parameters: Parameters) => boolean }): boolean => spec.given?.(inputs.parameters) ?? true;
  const parts = topology.parts.filter(given).flatMap((spec) => drawPart(run, spec));
  const places = new Map(parts.map(({ spec }, index) => [spec.id, index]));
  const wires = topology.wires.filter(given).flatMap((spec): DrawnWire[] => {
    const [from, to] = [places.get(spec.from), places.get(spec.to)];
    return from === undefined || to === undefined ? [] : [{ spec, from, to }];
  });
  return { parts, wires };
}

function drawPart(run: FlowRun, spec: PartSpec): DrawnPart[] {
  const own = (spec.of ?? []).map((pattern) => matching(run, pattern));
  const exists = spec.of === undefined ? run.journal.sites.some(({ fn }) => isIn(fn, spec.code ?? [])) : own.some((all) => all.length > 0);
  if (!exists) return [];
  const instances = [...own, ...(spec.reads ?? []).map((pattern) => matching(run, pattern))];
  const names = instances.flat().flatMap(({ cells }) => cells.map(({ name }) => name));
  const shows = (spec.shows ?? []).filter((shown) => names.some((name) => isShownBy(shown, name)));
  return [{ spec, instances, shows, file: fileOf(run, spec.code ?? []) }];
}

/** Whether something that a part shows is made of a cell. */
export const isShownBy = (shown: Shown, cell: string): boolean =>
  typeof shown === 'string' ? cell === shown : cell.startsWith(shown.cells);

/** The file that code names, or that its first function is in. */
const fileOf = ({ journal }: FlowRun, code: readonly string[]): string | undefined =>
  code.find((name) => name.includes('/')) ?? journal.sites.find(({ fn }) => fn.home.path.includes('/') && isIn(fn, code))?.fn.home.path;

/** The instances that `struct` or `struct(name)` means; `*` in a name stands for anything. */
function matching({ components }: FlowRun, pattern: string): readonly Component[] {
  const [, struct, name] = /^([^(]+)(?:\((.*)\))?$/.exec(pattern) ?? [];
  const wanted = name === undefined ? undefined : new RegExp(`^${name.split('*').map(escaped).join('.*')}$`);
  return components.filter((component) => component.struct === struct && (wanted?.test(component.name) ?? true));
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** Whether a function is one of those that names mean, or in one of the files. */
const isIn = (fn: FnInfo, code: readonly string[]): boolean => code.some((name) => fn.home.path === name || isNamed(fn, name));

/** Whether a function is the one that a name means, which may say its world or file. */
export function isNamed(fn: FnInfo, name: string): boolean {
  const colon = name.indexOf(':');
  if (colon === -1) return fn.name === name;
  const place = name.slice(0, colon);
  return fn.name === name.slice(colon + 1) && (fn.home.world === place || fn.home.path === place);
}

/** The instances that a part means at a position: of each pattern the one that was written last, or allocated last. */
export const instancesAt = (run: FlowRun, part: DrawnPart, position: number): readonly Component[] =>
  part.instances.flatMap((all) => {
    const there = all.filter(({ born }) => born <= position);
    if (there.length <= 1) return there;
    const last = (component: Component): number => lastTouched(run, [component], position) ?? component.born;
    return [there.reduce((best, component) => (last(component) >= last(best) ? component : best))];
  });

/** A cell of a part at a position, by its name. */
export function findCell(run: FlowRun, part: DrawnPart, name: string, position: number): Cell | undefined {
  for (const { cells } of instancesAt(run, part, position)) {
    const cell = cells.find((candidate) => candidate.name === name);
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** The last step up to a position that wrote a cell of one of some components. */
export function lastTouched(run: FlowRun, components: readonly Component[], position: number): number | undefined {
  let last: number | undefined;
  for (const { cells } of components) {
    for (const { id } of cells) {
      const step = lastWrite(run, id, position)?.step;
      if (step !== undefined && step > (last ?? NO_STEP)) last = step;
    }
  }
  return last;
}
