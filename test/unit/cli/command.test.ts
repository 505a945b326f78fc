import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { helpOn, readCommandLine, usageOf } from '../../../src/cli/command';
import { COMMANDS } from '../../../src/cli/commands';
import { ParameterError } from '../../../src/flows/flow';

/** Command lines: what is asked for, or what is wrong and what is expected; help says what is understood. */

const read = (...args: readonly string[]) => readCommandLine(args, COMMANDS);

test('options and operands come in any order, and may be given several times', () => {
  const request = read('run', '--set', 'a=1', 'pic', '--set=b=--2', '--seed', '-1');
  assert.ok(request.kind === 'command');
  assert.deepEqual(request.operands, ['pic']);
  assert.deepEqual({ ...request.values }, { set: ['a=1', 'b=--2'], seed: '-1' });
});

test('a scenario’s file is run otherwise than a flow', () => {
  const aboutOf = (operand: string): string => {
    const request = read('run', operand);
    return request.kind === 'command' ? request.command.about : request.kind;
  };
  assert.match(aboutOf('a.virtflow.json'), /^scenarios/);
  assert.match(aboutOf('pic'), /^a run/);
});

const REFUSED: readonly (readonly [message: string, ...args: string[]])[] = [
  ['--format has no value: expected text|json', 'run', 'pic', '--format'],
  ['--format has no value: expected text|json', 'run', 'pic', '--format='],
  ['--format has no value: expected text|json', 'run', 'pic', '--format', '--seed', '3'],
  ['-o has no value: expected FILE', 'export', 'pic', '--format', 'svg', '-o'],
  ['--json takes no value, but has "yes"', 'flows', '--json=yes'],
  ['flows has no option --format; expected virtflow flows [--json]', 'flows', '--format', 'x'],
  ['flows has no option --toString; expected virtflow flows [--json]', 'flows', '--toString'],
  ['flows has no option -x; expected virtflow flows [--json]', 'flows', '-x'],
  ['flows does not take "pic"; expected virtflow flows [--json]', 'flows', 'pic'],
  ['run has no option --set; expected virtflow run FILE.virtflow.json… [--json]', 'run', 'a.json', '--set', 'linux=6.1'],
  ['align needs --trace FILE', 'align', 'pic'],
];

for (const [message, ...args] of REFUSED)
  test(`"${args.join(' ')}" is refused: ${message}`, () => assert.throws(() => read(...args), new ParameterError(message)));

const words = fc.oneof(
  fc.constantFrom(
    ...COMMANDS.map(({ name }) => name),
    ...COMMANDS.flatMap(({ options }) => Object.keys(options).map((name) => `--${name}`)),
  ),
  fc.constantFrom('pic', 'a.json', '-', '--', '-o', '-h', '--=', '--__proto__', '--constructor=1', ''),
  fc.string(),
);

test('no command line makes the reader throw anything but what is told', () => {
  fc.assert(
    fc.property(fc.array(words, { maxLength: 6 }), (args) => {
      try {
        const request = read(...args);
        if (request.kind !== 'command') return;
        for (const name of Object.keys(request.values)) assert.ok(name in request.command.options, name);
      } catch (error) {
        assert.ok(error instanceof ParameterError && error.message !== '', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('help has each command as it is understood', () => {
  const help = helpOn(COMMANDS).replaceAll(/\n {4}(?=\S)/g, ' ');
  for (const command of COMMANDS) {
    assert.ok(help.includes(`  ${usageOf(command)}\n`), usageOf(command));
    const operand = command.operands.split(/[|…]/, 1);
    for (const [name, value] of Object.entries(command.options)) {
      const needed = (command.needs ?? []).flatMap((need) => [`--${need}`, 'x']);
      const args = [command.name, ...(command.most === 0 ? [] : operand), ...needed, `--${name}`, ...(value === '' ? [] : ['x'])];
      assert.equal(read(...args).kind, 'command', args.join(' '));
    }
  }
  assert.deepEqual(read('export', '--help'), { kind: 'help', about: COMMANDS.filter(({ name }) => name === 'export') });
});
