import { t } from '@vscode/l10n';
import type { Component } from '../engine/cell';
import type { FnInfo } from '../engine/fn';
import { stackAt, type Cursor } from '../engine/timeline';
import { instancesAt, isNamed, isShownBy, lastTouched, topologyOf, type DrawnPart, type DrawnWire } from './drawnTopology';
import type { FlowRun } from './flow';
import { wayTo, type Hop } from './passedWires';
import { valueText, writesOf } from './text';
import type { ReadCell } from './topology';

/** A run's topology at a position. */

/** A part at a position. */
export interface PartReading {
  /** Whether what it stands for has been allocated. */
  readonly there: boolean;
  /** The instances that it stands for now. */
  readonly components: readonly Component[];
  readonly cells: readonly { readonly name: string; readonly value: string; readonly changed: boolean }[];
  /** Why a signal does not get past it; empty where it does. */
  readonly blocked: readonly string[];
  /** The last step up to the position that wrote its state. */
  readonly written: number | undefined;
}

/** The topology at a position. Indexes are those of the drawn topology. */
export interface TopologyReading {
  /** The way so far, the newest hop last. */
  readonly way: readonly Hop[];
  /** The part in whose code or by whose wire the position stands. */
  readonly active: number | undefined;
  readonly parts: readonly PartReading[];
}

/**
 * Reads the topology at a cursor's position. What it costs depends on how many hand-overs led to the position since the signal
 * began, not on how long the run is.
 */
export function readTopology(run: FlowRun, cursor: Cursor): TopologyReading {
  const { parts, wires } = topologyOf(run);
  const { position } = cursor;
  const way = wayTo(run, cursor);
  const changed = new Set(writesOf(run, position).map(({ cell }) => cell));
  return {
    way,
    active: activePart(run, wires, position, way),
    parts: parts.map((part) => readPart(run, cursor, part, changed)),
  };
}

/** The part whose code the position stands in, innermost frame first; of several that share it, the one that was passed last. */
function activePart(run: FlowRun, wires: readonly DrawnWire[], position: number, way: readonly Hop[]): number | undefined {
  if (position < 0) return undefined;
  const homes = homesOf(run);
  const passed = way.toReversed().flatMap(({ wire }) => [wires[wire]!.to, wires[wire]!.from]);
  for (const { enter } of stackAt(run, position)) {
    const parts = homes.get(enter.site.fn) ?? [];
    if (parts.length > 0) return passed.find((part) => parts.includes(part)) ?? parts[0];
  }
  return passed[0];
}

const known = new WeakMap<FlowRun, ReadonlyMap<FnInfo, readonly number[]>>();

/** For each function of a run, the parts whose code it is. */
function homesOf(run: FlowRun): ReadonlyMap<FnInfo, readonly number[]> {
  const before = known.get(run);
  if (before !== undefined) return before;
  const { parts } = topologyOf(run);
  const homes = new Map<FnInfo, readonly number[]>();
  for (const { fn } of run.journal.sites) {
    if (homes.has(fn)) continue;
    const those = (meant: (name: string) => boolean) => parts.flatMap(({ spec }, part) => (spec.code?.some(meant) === true ? [part] : []));
    const byName = those((name) => isNamed(fn, name));
    // A part that names the function itself means it more than one that names its file.
    homes.set(fn, byName.length > 0 ? byName : those((name) => fn.home.path === name));
  }
  known.set(run, homes);
  return homes;
}

function readPart(run: FlowRun, cursor: Cursor, part: DrawnPart, changed: ReadonlySet<number>): PartReading {
  const { position } = cursor;
  const { spec } = part;
  const all = instancesAt(run, part, position);
  const own = new Set(part.instances.slice(0, spec.of?.length ?? 0).flat());
  const mine = all.filter((component) => own.has(component));
  if (spec.of !== undefined && mine.length === 0) return { there: false, components: [], cells: [], blocked: [], written: undefined };
  const cells = all.flatMap((component) => component.cells);
  const read: ReadCell = (name) => {
    const cell = cells.find((candidate) => candidate.name === name);
    return cell === undefined ? Number.NaN : cursor.value(cell.id);
  };
  const shown = part.shows.flatMap((shows) => {
    const meant = cells.filter(({ name }) => isShownBy(shows, name));
    if (meant.length === 0) return [];
    const value = typeof shows === 'string' ? valueText(run, meant[0]!, cursor.value(meant[0]!.id)) : shows.text(read);
    return [{ name: typeof shows === 'string' ? shows : shows.name, value, changed: meant.some(({ id }) => changed.has(id)) }];
  });
  return {
    there: true,
    components: mine,
    cells: shown,
    blocked: (spec.blocked ?? []).flatMap(({ when, because }) => (holds(when, read) ? [t(because)] : [])),
    written: lastTouched(run, mine, position),
  };
}

/** Whether a condition holds of cells that are there: of what is not allocated yet, nothing does. */
function holds(when: (cell: ReadCell) => boolean, read: ReadCell): boolean {
  let there = true;
  const value = when((name) => {
    const held = read(name);
    there &&= !Number.isNaN(held);
    return held;
  });
  return value && there;
}
