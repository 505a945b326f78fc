import { bindingFigures } from './binding';
import { isMet, type Figure } from './figure';
import { journalFigures } from './journal';
import { pastFigures } from './past';
import { registerFigures } from './registers';
import { timelineFigures } from './timeline';

const USAGE = `Usage: npm run bench -- [--json]

Measures what the engine and the panel cost, as ratios within one run. The exit status is 1 if a target is missed.
VIRTFLOW_LINUX=DIR: a whole Linux tree, in which references are bound.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const unknown = args.find((arg) => arg !== '--json');
  if (unknown !== undefined) {
    console.error(unknown === '--help' ? USAGE : `unknown option ${unknown}\n\n${USAGE}`);
    return unknown === '--help' ? 0 : 2;
  }
  const figures: Figure[] = [];
  for await (const figure of measured()) {
    figures.push(figure);
    if (!json) console.log(line(figure));
  }
  const met = figures.every((each) => isMet(each) !== false);
  if (json) console.log(JSON.stringify({ met, figures: figures.map((each) => ({ ...each, met: isMet(each) })) }, undefined, 2));
  return met ? 0 : 1;
}

/** Every figure, as it is known. */
async function* measured(): AsyncGenerator<Figure> {
  yield* journalFigures();
  yield* pastFigures();
  yield* registerFigures();
  yield* timelineFigures();
  yield* bindingFigures();
}

function line(figure: Figure): string {
  const { name, compared, value, unit, target, samples } = figure;
  const number = `${value.toFixed(2)} ${unit}`;
  const verdict = target === undefined ? '' : `${isMet(figure) ? 'met' : 'MISSED'}, ${target.kind} ${target.value}`;
  return `${name.padEnd(18)}${number.padStart(14)}  ${verdict.padEnd(22)}${compared}; median of ${samples.length}`;
}
