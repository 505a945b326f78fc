import path from 'node:path';
import { agrees, replayFile, reportText, type FileReport } from './report';

const USAGE = `Usage: npm run conform -- [--json] FILE.jsonl...

Replays recordings of real interrupt controllers on the models and compares every result, and all registers after every
operation. The exit status is 1 if anything differs, could not be read, or was passed over without being meant to.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const files = args.filter((arg) => arg !== '--json');
  const unknown = files.find((arg) => arg.startsWith('-'));
  if (files.length === 0 || unknown !== undefined) {
    console.error(unknown === undefined || unknown === '--help' ? USAGE : `unknown option ${unknown}\n\n${USAGE}`);
    return unknown === '--help' ? 0 : 2;
  }
  const reports: FileReport[] = [];
  let unread = 0;
  for (const file of files) {
    try {
      // npm runs this in the project's root; the files are named from where npm was called.
      const report = { ...(await replayFile(path.resolve(process.env['INIT_CWD'] ?? '.', file))), file };
      reports.push(report);
      if (!json) console.log(reportText(report));
    } catch (error) {
      unread++;
      console.error(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const ok = unread === 0 && reports.every(agrees);
  if (json) console.log(JSON.stringify({ ok, files: reports }, undefined, 2));
  return ok ? 0 : 1;
}
