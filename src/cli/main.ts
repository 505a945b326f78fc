import { config } from '@vscode/l10n';
import { helpOn, readCommandLine } from './command';
import { COMMANDS } from './commands';
import { translations } from './language';

/** The terminal's way in: the same flows, engine and references as in the editor. */

const TITLE = 'virtflow: how an interrupt travels through a virtualization stack\n\n';

async function main(args: readonly string[]): Promise<number> {
  const request = readCommandLine(args, COMMANDS);
  switch (request.kind) {
    case 'help':
      process.stdout.write(TITLE + helpOn(request.about));
      return 0;
    case 'nothing':
      process.stderr.write(TITLE + helpOn(COMMANDS));
      return 2;
    case 'command':
      return request.command.run(request.operands, request.values);
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
