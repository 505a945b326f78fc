import type { TopologyView } from '../protocol';

/** From left to right: what drives the machine, the kernels and the hypervisor, and whom they serve. Worlds in one entry share columns. */
const ORDER: readonly (readonly string[])[] = [['hardware'], ['host'], ['kvm'], ['hypervisor'], ['guest', 'qemu', 'user']];

/**
 * The parts of each column, top down. A world of more parts than there may be rows takes several columns beside each other, about
 * equally long.
 */
export function columnsOf({ worlds, parts }: TopologyView, rows: number): readonly (readonly number[])[] {
  const known = new Set(ORDER.flat());
  const places = [...ORDER, worlds.map(({ id }) => id).filter((id) => !known.has(id))];
  return places.flatMap((ids) => {
    const stacks = ids.flatMap((id) => {
      const world = worlds.findIndex((candidate) => candidate.id === id);
      const inside = [...parts.keys()].filter((part) => parts[part]?.world === world);
      return inside.length > 0 ? [inside] : [];
    });
    return stack(stacks, rows);
  });
}

/** Worlds above each other while they fit into the rows; the next one beside them where they do not. */
function stack(worlds: readonly (readonly number[])[], rows: number): number[][] {
  const columns: number[][] = [];
  let open: number[] | undefined;
  for (const world of worlds) {
    if (open && open.length + world.length <= rows) {
      open.push(...world);
      continue;
    }
    const pieces = Math.ceil(world.length / rows);
    const length = Math.ceil(world.length / pieces);
    for (let piece = 0; piece < pieces; piece++) columns.push(world.slice(piece * length, (piece + 1) * length));
    open = pieces === 1 ? columns.at(-1) : undefined;
  }
  return columns;
}
