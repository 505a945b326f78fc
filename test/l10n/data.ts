import type { BitField } from '../../src/engine/cell';
import { EDGE_KINDS } from '../../src/engine/journal';
import { PROJECTS } from '../../src/engine/reference';
import { CATALOGUE } from '../../src/flows/catalogue';
import { defaults, presetInputs, simulate, type Flow, type FlowRun } from '../../src/flows/flow';
import { topologyOf } from '../../src/flows/drawnTopology';
import { historyOf } from '../../src/sources/history';

/** What flows and their runs say as data, read from the objects themselves. */

/** Every text of every flow and of its runs: as by default, and each preset's; and of upstream's history. */
export const spokenData = (): ReadonlySet<string> =>
  new Set(
    [...EDGE_KINDS, ...CATALOGUE.flatMap((flow) => [...flowTexts(flow), ...runs(flow).flatMap(runTexts)]), ...historyTexts()].filter(
      (text) => text !== undefined,
    ),
  );

/** Why things are not there in some versions. */
const historyTexts = (): readonly (string | undefined)[] =>
  PROJECTS.map(historyOf)
    .flatMap(({ names, files }) => [names, ...Object.values(files)])
    .flatMap((facts) => Object.values(facts).flat())
    .flatMap(({ absent, nowhere }) => [absent, nowhere]);

const runs = (flow: Flow): readonly FlowRun[] => [
  simulate(flow, { parameters: defaults(flow), stimuli: [], seed: 0 }),
  ...flow.presets.map(({ id }) => simulate(flow, presetInputs(flow, id))),
];

const flowTexts = ({ title, summary, system, parameters, stimuli, chapters, presets, topology }: Flow): readonly (string | undefined)[] => [
  title,
  summary,
  system,
  ...parameters.flatMap((spec) => [
    spec.title,
    spec.description,
    ...(spec.kind === 'choice' ? spec.choices.map((choice) => choice.title) : []),
  ]),
  ...stimuli.flatMap((stimulus) => [stimulus.title, stimulus.description]),
  ...chapters.flatMap((chapter) => [chapter.title, chapter.prose]),
  ...presets.flatMap((preset) => [preset.title, preset.prose]),
  ...topology.parts.flatMap((part) => [part.title, ...(part.blocked ?? []).map(({ because }) => because)]),
  ...topology.wires.map(({ label }) => label),
  ...Object.values(topology.worlds ?? {}),
];

const runTexts = (run: FlowRun): readonly (string | undefined)[] => [
  ...run.threads.map(({ title }) => title),
  ...run.journal.sites.flatMap(({ fn, note }) => [fn.does, note]),
  ...run.components.map(({ doc }) => doc),
  ...run.cells.flatMap(({ means, type }) => [means, ...(type.kind === 'bits' ? type.fields.flatMap(fieldTexts) : [])]),
  ...topologyOf(run).parts.flatMap(({ shows }) => shows.map((shown) => (typeof shown === 'string' ? undefined : shown.name))),
];

const fieldTexts = ({ means, values }: BitField): readonly (string | undefined)[] => [means, ...(values ?? [])];
