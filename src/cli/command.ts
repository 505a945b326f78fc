import { parseArgs } from 'node:util';
import { t } from '@vscode/l10n';
import { ParameterError } from '../flows/flow';

/** What a command line may say. Help, and what is wrong in a command line, are told from what each command says of itself. */

const OPTIONS = {
  json: { type: 'boolean' },
  format: { type: 'string' },
  preset: { type: 'string' },
  set: { type: 'string', multiple: true },
  inject: { type: 'string', multiple: true },
  seed: { type: 'string' },
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
  help: { type: 'boolean', short: 'h' },
} as const;

type Options = typeof OPTIONS;
type OptionName = keyof Options;

/** The options of a command line, as far as it has them. */
export type Values = {
  readonly [N in OptionName]?:
    (Options[N] extends { multiple: true } ? readonly string[] : Options[N] extends { type: 'string' } ? string : boolean) | undefined;
};

export interface Command {
  readonly name: string;
  /** What stands behind the name, as help shows it: `FLOW`. */
  readonly operands: string;
  /** So many of these there may be. */
  readonly most: number;
  /** Of several commands of the name, whether this one is meant. */
  readonly isFor?: (operands: readonly string[]) => boolean;
  readonly about: string;
  /** What it takes, and what is to be written behind each; nothing behind a switch. */
  readonly options: Readonly<Partial<Record<OptionName, string>>>;
  /** What of that it cannot do without. */
  readonly needs?: readonly OptionName[];
  /** @returns the exit status */
  readonly run: (operands: readonly string[], values: Values) => number | Promise<number>;
}

/** What a command line asks for. */
export type Request =
  | { readonly kind: 'help'; readonly about: readonly Command[] }
  /** It says nothing at all. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'command'; readonly command: Command; readonly operands: readonly string[]; readonly values: Values };

type Tokens = ReturnType<typeof tokenized>['tokens'];

/**
 * Reads a command line.
 * @throws ParameterError naming what it gets wrong, and what is expected
 */
export function readCommandLine(args: readonly string[], commands: readonly Command[]): Request {
  const { tokens, values } = tokenized(args);
  const [name, ...operands] = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const named = commands.filter((command) => command.name === name);
  if (values.help === true) return { kind: 'help', about: named.length > 0 ? named : commands };
  if (name === undefined) return { kind: 'nothing' };
  const command = named.find(({ isFor }) => isFor === undefined || isFor(operands));
  if (command === undefined) {
    const known = [...new Set(commands.map((each) => each.name))];
    throw new ParameterError(t('there is no command "{0}"; the commands are {1}', name, known.join(', ')));
  }
  checkOptions(command, tokens);
  const [extra] = operands.slice(command.most);
  if (extra !== undefined) throw new ParameterError(t('{0} does not take "{1}"; expected {2}', name, extra, usageOf(command)));
  const missing = command.needs?.find((option) => values[option] === undefined);
  if (missing !== undefined) throw new ParameterError(t('{0} needs {1}', name, `--${missing} ${command.options[missing]}`));
  return { kind: 'command', command, operands, values: values as Values };
}

/** Not read strictly: what is wrong then is told by us, in the reader’s language. */
const tokenized = (args: readonly string[]) =>
  parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: false, tokens: true });

function checkOptions(command: Command, tokens: Tokens): void {
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(command.options, name))
      throw new ParameterError(t('{0} has no option {1}; expected {2}', command.name, rawName, usageOf(command)));
    const { type } = OPTIONS[name as OptionName];
    if (type === 'boolean' && inlineValue === true) throw new ParameterError(t('{0} takes no value, but has "{1}"', rawName, value));
    const isValue = value !== undefined && value !== '' && (inlineValue || !/^--?[a-z]/i.test(value));
    if (type === 'string' && !isValue)
      throw new ParameterError(t('{0} has no value: expected {1}', rawName, command.options[name as OptionName] ?? ''));
  }
}

/** How a command is written: `virtflow run FLOW [--preset ID] …`. */
export const usageOf = (command: Command): string => wordsOf(command).join(' ');

function wordsOf({ name, operands, options, needs = [] }: Command): readonly string[] {
  const written = Object.entries(options).map(([option, value]) => {
    const spec = OPTIONS[option as OptionName];
    const text = [`-${'short' in spec ? spec.short : `-${option}`}`, ...(value === '' ? [] : [value])].join(' ');
    return needs.includes(option as OptionName) ? text : `[${text}]${'multiple' in spec ? '…' : ''}`;
  });
  return ['virtflow', name, ...(operands === '' ? [] : [operands]), ...written];
}

const WIDTH = 140;

/** What some commands do, and how each is written. */
export function helpOn(commands: readonly Command[]): string {
  return commands
    .map((command) => {
      const lines = [''];
      for (const word of wordsOf(command)) {
        const line = lines.at(-1)!;
        if (line.length + word.length < WIDTH) lines[lines.length - 1] = line === '' ? `  ${word}` : `${line} ${word}`;
        else lines.push(`    ${word}`);
      }
      return [...lines, ...command.about.split('\n').map((line) => `      ${line}`)].map((line) => `${line}\n`).join('');
    })
    .join('');
}
