import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { attributesOf } from '../../../../src/extension/debug/attributes';
import { readLaunch } from '../../../../src/extension/debug/launch';
import { CATALOGUE } from '../../../../src/flows/catalogue';
import { manifest } from '../../../l10n/manifest';
import { debugging } from './support';

/** What a `launch.json` or a client says is anybody’s: it is refused by name, and nothing hangs or breaks. */

const REFUSED: readonly (readonly [what: string, configuration: unknown, message: RegExp])[] = [
  ['no flow', {}, /"flow" is missing, expected text/],
  ['a flow that is a number', { flow: 7 }, /"flow" is 7, expected text/],
  ['a flow that there is not', { flow: 'vfio' }, /no flow "vfio"; the flows are .*vfio-intx/],
  ['a preset that there is not', { flow: 'vfio-intx', preset: 'nope' }, /no preset "nope"/],
  ['parameters that are a list', { flow: 'vfio-intx', parameters: ['kvm-intx'] }, /"parameters" is \["kvm-intx"\], expected an object/],
  ['a parameter that there is not', { flow: 'vfio-intx', parameters: { colour: 'red' } }, /no parameter "colour"/],
  ['a parameter out of range', { flow: 'vfio-intx', parameters: { interrupts: -1 } }, /interrupts is -1/],
  ['stimuli that are text', { flow: 'vfio-intx', stimuli: 'raise' }, /"stimuli" is "raise", expected a list/],
  ['a stimulus that is none', { flow: 'vfio-intx', stimuli: [7] }, /"stimuli\[0\]" is 7, expected an object/],
  ['a stimulus that there is not', { flow: 'vfio-intx', stimuli: [{ name: 'explode', at: 1 }] }, /no stimulus "explode"/],
  ['a stimulus at no step', { flow: 'vfio-intx', stimuli: [{ name: 'raise', at: 1.5 }] }, /"at" is 1.5, expected a whole number/],
  ['a flag that is none', { flow: 'vfio-intx', stopOnEntry: 'yes' }, /"stopOnEntry" is "yes", expected true or false/],
];

for (const [what, configuration, message] of REFUSED)
  test(`a launch with ${what} is refused by name`, () => {
    assert.throws(() => readLaunch(attributesOf(configuration)), message);
  });

test('a launch that is refused leaves the session as it was, and another one may follow', async () => {
  await using debug = await debugging();
  await debug.client.initializeRequest();
  await assert.rejects(debug.client.launchRequest({ flow: 'vfio' } as object), /no flow "vfio"/);
  assert.equal(debug.session.position, -1);
  await assert.rejects(debug.client.threadsRequest(), /launch a flow first/);
  await debug.launch({ flow: 'pic' });
  assert.equal(debug.session.run?.flow.id, 'pic');
});

test('whatever a client sends is answered, with an error in words where it is wrong', async () => {
  await using debug = await debugging();
  await debug.launch({ flow: 'vfio-intx' });
  const commands = [
    ...['threads', 'stackTrace', 'scopes', 'variables', 'evaluate', 'completions', 'setVariable', 'setExpression', 'setBreakpoints'],
    ...['setFunctionBreakpoints', 'setDataBreakpoints', 'dataBreakpointInfo', 'breakpointLocations', 'gotoTargets', 'goto', 'next'],
    ...['stepIn', 'stepBack', 'continue', 'reverseContinue', 'reverseNext', 'pause', 'disassemble', 'constructor', '__proto__'],
  ];
  const names = ['source', 'path', 'breakpoints', 'line', 'name', 'dataId', 'condition', 'hitCondition', 'logMessage', 'expression'];
  const more = ['context', 'frameId', 'threadId', 'variablesReference', 'value', 'text', 'column', 'targetId', 'start', 'count', 'levels'];
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(1, 7, 2 ** 31, -1, 1e300, '{', '${x}', '1 + ', 'isr', '('.repeat(400), 'a'.repeat(5000)),
  );
  const attributes = fc.dictionary(fc.constantFrom(...names, ...more), value, { maxKeys: 6, noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...commands), attributes, async (command, args) => {
      // The client rejects what is answered with an error: that is an answer too, if it is one of ours.
      await debug.client.send(command, args).catch((error: unknown) => {
        assert.ok(error instanceof Error);
        assert.doesNotMatch(error.message, /undefined|is not a function|Cannot read|\n\s+at /, `${command}: ${error.message}`);
      });
    }),
    { numRuns: 400 },
  );
  assert.ok((await debug.client.threadsRequest()).body.threads.length > 0);
});

test('the manifest offers every flow, and its snippets are launches that work', () => {
  const { contributes } = manifest() as Manifest;
  const [debuggers] = contributes.debuggers;
  assert.ok(debuggers);
  const { properties } = debuggers.configurationAttributes.launch;
  assert.deepEqual(
    properties.flow.enum,
    CATALOGUE.map(({ id }) => id),
  );
  assert.deepEqual(
    properties.flow.enumDescriptions,
    CATALOGUE.map(({ title }) => title),
  );
  // A snippet's `${1:text}` stands for its text, and `^${1:value}` for a value without quotes.
  const plain = (snippet: object): unknown =>
    JSON.parse(
      JSON.stringify(snippet)
        .replaceAll(/"\^\$\{\d+:([^}]*)\}"/g, '$1')
        .replaceAll(/\$\{\d+:([^}]*)\}/g, '$1'),
    );
  const offered = [...debuggers.initialConfigurations, ...debuggers.configurationSnippets.map(({ body }) => plain(body))];
  for (const configuration of offered.map(attributesOf)) if (configuration['request'] === 'launch') readLaunch(configuration);
});

interface Manifest {
  readonly contributes: {
    readonly debuggers: readonly {
      readonly configurationAttributes: {
        readonly launch: {
          readonly properties: { readonly flow: { readonly enum: readonly string[]; readonly enumDescriptions: readonly string[] } };
        };
      };
      readonly initialConfigurations: readonly object[];
      readonly configurationSnippets: readonly { readonly body: object }[];
    }[];
  };
}
