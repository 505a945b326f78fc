import { PROJECTS, type Project } from '../engine/reference';
import { printAnchors } from '../flows/anchors';
import { coverage, coveragePage } from '../flows/coverage';
import { furtherCases, printCases } from '../flows/cover';
import { SVG_THEMES } from '../flows/export/svg';
import { alignCommand } from './align';
import { checkSourcesCommand, indexCommand } from './check';
import type { Command } from './command';
import { exportCommand, EXPORT_FORMATS } from './export';
import { flowsCommand, runCommand, RUN_FORMATS } from './run';
import { isScenarioFile, scenarioCommand } from './scenario';
import { schemaCommand } from './schema';

/** A switch has nothing behind it. */
const SWITCH = '';
const RUN = { preset: 'ID', set: 'NAME=VALUE', inject: 'STIMULUS@STEP', seed: 'N' };
const TREES: Readonly<Record<Project, string>> = { linux: 'DIR', qemu: 'DIR', acrn: 'DIR' };

/** All that the terminal can be asked for. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'flows',
    operands: '',
    most: 0,
    about: 'the flows, their parameters and stimuli',
    options: { json: SWITCH },
    run: (_, values) => flowsCommand(values),
  },
  {
    name: 'run',
    operands: 'FLOW',
    most: 1,
    isFor: (operands) => !isScenarioFile(operands),
    about: 'a run: the call chain across execution contexts, and what changed',
    options: { ...RUN, format: RUN_FORMATS.join('|') },
    run: runCommand,
  },
  {
    name: 'run',
    operands: 'FILE.virtflow.json…',
    most: Infinity,
    isFor: isScenarioFile,
    about: `scenarios: the outline of each and what became of its expectations; exit status 1 if a run does not do what is expected,
2 if a file is wrong`,
    options: { json: SWITCH },
    run: scenarioCommand,
  },
  {
    name: 'schema',
    operands: '[scenario|notes]',
    most: 1,
    about: 'the JSON schema of scenarios, or of a workspace’s notes, for editors',
    options: {},
    run: schemaCommand,
  },
  {
    name: 'export',
    operands: 'FLOW|FILE.virtflow.json',
    most: 1,
    about: `a run, or a part of it, for others to see: a diagram, a drawing, a trace, a CodeTour for a project’s tree, a page, or the link that
opens it in VS Code; with trees, what a tour looks for is tried in them`,
    options: {
      format: EXPORT_FORMATS.join('|'),
      ...RUN,
      from: 'STEP',
      to: 'STEP',
      chapter: 'TITLE',
      theme: SVG_THEMES.join('|'),
      output: 'FILE',
      project: PROJECTS.join('|'),
      ...TREES,
    },
    needs: ['format'],
    run: exportCommand,
  },
  {
    name: 'align',
    operands: 'FLOW',
    most: 1,
    about: 'how far a run and a recording (ftrace’s text) agree, and where they do not; what is not set is chosen to fit',
    options: { trace: 'FILE', set: RUN.set, json: SWITCH },
    needs: ['trace'],
    run: alignCommand,
  },
  {
    name: 'check-sources',
    operands: '[FLOW]…',
    most: Infinity,
    about: `holds every reference and call edge of these flows, or of all, against real source trees, several of a project if you like: what
resolves, what moved or has another name in that version, what it does not have, what is gone; exit status 1 if something is`,
    options: { ...TREES, json: SWITCH },
    run: checkSourcesCommand,
  },
  {
    name: 'coverage',
    operands: '',
    most: 0,
    about: 'docs/coverage.md: every function that the flows enter, and older texts’ names (for maintainers)',
    options: {},
    run: () => print(coveragePage(coverage())),
  },
  {
    name: 'anchors',
    operands: '',
    most: 0,
    about: 'src/flows/anchors.json: the identifiers in each function that steps stand on (for maintainers)',
    options: {},
    run: () => print(printAnchors(coverage().anchors)),
  },
  {
    name: 'cases',
    operands: '',
    most: 0,
    about:
      'src/flows/furtherCases.json: the runs by which the editor knows functions that no default, version or preset passes (for maintainers)',
    options: {},
    run: () => print(printCases(furtherCases())),
  },
  {
    name: 'index',
    operands: '',
    most: 0,
    about: 'src/sources/lines.json with the parts of these trees made anew (for maintainers)',
    options: TREES,
    run: (_, values) => indexCommand(values),
  },
];

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
