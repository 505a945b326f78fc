import { t } from '@vscode/l10n';
import type { Cursor } from '../engine/timeline';
import type { FlowRun } from '../flows/flow';
import { topologyOf } from '../flows/drawnTopology';
import { PART_WORLDS, type PartWorld, type Shown } from '../flows/topology';
import { titleText } from '../flows/text';
import { readTopology } from '../flows/topologyReading';
import type { TopologyStateView, TopologyView } from '../webview/protocol';

/** What the webviews get to see of a run's topology. */

const worldTitles = (): Readonly<Record<PartWorld, string>> => ({
  hardware: t('Hardware'),
  host: t('Host kernel'),
  kvm: 'KVM',
  hypervisor: t('Hypervisor'),
  qemu: 'QEMU',
  user: t('User space'),
  guest: t('Guest'),
});

/** The parts and wires of a run: sent once with it. */
export function topologyView(run: FlowRun): TopologyView {
  const { parts, wires } = topologyOf(run);
  const worlds = PART_WORLDS.filter((world) => parts.some(({ spec }) => spec.world === world));
  return {
    worlds: worlds.map((id) => ({ id, title: t(run.flow.topology.worlds?.[id] ?? worldTitles()[id]) })),
    parts: parts.map(({ spec, shows, file }) => {
      const struct = spec.of?.[0]?.replace(/\(.*/, '');
      return {
        title: titleText(spec.title),
        kind: spec.kind,
        world: worlds.indexOf(spec.world),
        ...(struct === undefined ? {} : { struct }),
        ...(file === undefined ? {} : { file }),
        cells: shows.map(nameOf),
      };
    }),
    wires: wires.map(({ spec, from, to }) => ({ from, to, kind: spec.kind, label: t(spec.label ?? spec.kind) })),
  };
}

const nameOf = (shown: Shown): string => (typeof shown === 'string' ? shown : t(shown.name));

/** The topology at a cursor's position. */
export function topologyStateView(run: FlowRun, cursor: Cursor): TopologyStateView {
  const drawn = topologyOf(run);
  const { way, active, parts } = readTopology(run, cursor);
  return {
    way,
    ...(active === undefined ? {} : { active }),
    parts: parts.map(({ there, components, cells, blocked, written }, index) => {
      const names = drawn.parts[index]!.shows.map(nameOf);
      return {
        there,
        components: components.map(({ id }) => id),
        cells: cells.map(({ name, value, changed }) => ({ cell: names.indexOf(name), value, changed })),
        blocked,
        ...(written === undefined ? {} : { writtenAt: written }),
      };
    }),
  };
}
