import { parseArgs } from 'node:util';
import { config, t } from '@vscode/l10n';
import { printAnchors } from '../flows/anchors';
import { coverage, coveragePage } from '../flows/coverage';
import { furtherCases, printCases } from '../flows/cover';
import { ParameterError } from '../flows/flow';
import { alignCommand } from './align';
import { checkSourcesCommand, indexCommand } from './check';
import { exportCommand } from './export';
import { translations } from './language';
import { flowsCommand, runCommand } from './run';
import { isScenarioFile, scenarioCommand } from './scenario';
import { schemaCommand } from './schema';

/** The terminal's way in: the same flows, engine and references as in the editor. */

const USAGE = `virtflow: how an interrupt travels through a virtualization stack

  virtflow flows [--json]
      the flows, their parameters and stimuli
  virtflow run FLOW [--preset ID] [--set name=value]… [--inject STIMULUS@STEP]… [--seed N] [--format text|json]
      a run: the call chain across execution contexts, and what changed
  virtflow run FILE.virtflow.json [--json]
      a scenario: its outline and what became of its expectations; exit status 1 if one fails, 2 if the file is malformed
  virtflow schema [scenario|notes]
      the JSON schema of scenarios, or of a workspace's notes, for editors
  virtflow export FLOW|FILE.virtflow.json [--preset ID] [--set name=value]… [--inject STIMULUS@STEP]… [--seed N] --format mermaid|svg|perfetto|tour|markdown|link
                  [--from STEP] [--to STEP] [--chapter TITLE] [--theme auto|light|dark] [-o FILE]
                  [--project linux|qemu|acrn] [--linux DIR] [--qemu DIR] [--acrn DIR]
      a run, or a part of it, for others to see: a diagram, a drawing, a trace, a CodeTour for a project’s tree, a page, or the link that
      opens it in VS Code; with trees, what a tour looks for is tried in them
  virtflow align FLOW [--set name=value]… --trace FILE [--json]
      how far a run and a recording (ftrace's text) agree, and where they do not; what is not set is chosen to fit
  virtflow check-sources [FLOW]… [--linux DIR]… [--qemu DIR]… [--acrn DIR]… [--json]
      holds every reference and call edge of these flows, or of all, against real source trees, several of a project if you like: what
      resolves, what moved or has another name in that version, what it does not have, what is gone; exit status 1 if something is
  virtflow coverage
      docs/coverage.md: every function that the flows enter, and older texts' names (for maintainers)
  virtflow anchors
      src/flows/anchors.json: the identifiers in each function that steps stand on (for maintainers)
  virtflow cases
      src/flows/furtherCases.json: the runs by which the editor knows functions that no default, version or preset passes (for maintainers)
  virtflow index [--linux DIR]… [--qemu DIR]… [--acrn DIR]…
      src/sources/lines.json with the parts of these trees made anew (for maintainers)
`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      format: { type: 'string' },
      preset: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      inject: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string', default: '0' },
      from: { type: 'string' },
      to: { type: 'string' },
      chapter: { type: 'string' },
      theme: { type: 'string' },
      output: { type: 'string', short: 'o' },
      trace: { type: 'string' },
      project: { type: 'string' },
      linux: { type: 'string', multiple: true },
      qemu: { type: 'string', multiple: true },
      acrn: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  switch (command) {
    case 'flows':
      return flowsCommand(values.json);
    case 'run':
      return isScenarioFile(rest) ? scenarioCommand(rest, values) : runCommand(rest, values);
    case 'schema':
      return schemaCommand(rest);
    case 'export':
      return exportCommand(rest, values);
    case 'align':
      return alignCommand(rest, values);
    case 'check-sources':
      return checkSourcesCommand(rest, values);
    case 'coverage':
      process.stdout.write(coveragePage(coverage()));
      return 0;
    case 'anchors':
      process.stdout.write(printAnchors(coverage().anchors));
      return 0;
    case 'cases':
      process.stdout.write(printCases(furtherCases()));
      return 0;
    case 'index':
      return indexCommand(values);
    default:
      throw new ParameterError(
        t(
          'there is no command "{0}"; the commands are {1}',
          command,
          'flows, run, schema, export, align, check-sources, coverage, anchors, cases, index',
        ),
      );
  }
}

// Whoever reads may have seen enough: `virtflow run … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

config({ contents: translations(process.env) });
main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`virtflow: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  },
);
