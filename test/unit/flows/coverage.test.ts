import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { printAnchors } from '../../../src/flows/anchors';
import { casesOf } from '../../../src/flows/cases';
import { coverage, coveragePage } from '../../../src/flows/coverage';
import { knowFunctions } from '../../../src/flows/functions';
import { UNPASSED } from '../../../src/flows/unpassed';
import { unpassed } from '../../calls/unpassed';

const covered = coverage();
const entered = new Set([...covered.functions.values()].flatMap((names) => [...names.keys()]));

test('docs/coverage.md is what the models cover', () => {
  assert.equal(readFileSync('docs/coverage.md', 'utf8'), coveragePage(covered), 'make it anew: npm run coverage');
});

test('src/flows/anchors.json has every identifier that some run stands on', () => {
  assert.equal(readFileSync('src/flows/anchors.json', 'utf8'), printAnchors(covered.anchors), 'make it anew: npm run coverage');
});

test('the editor knows every function that some run enters', async () => {
  const known = await knowFunctions(casesOf(), () => Promise.resolve());
  const passed = [...known.values()].filter(({ visits }) => visits.length > 0);
  const names = new Set(passed.map(({ fn: { home, name } }) => `${home.world} ${home.path} ${name}`));
  const all = [...covered.functions].flatMap(([home, entries]) => [...entries.keys()].map((name) => `${home} ${name}`));
  assert.deepEqual(
    all.filter((one) => !names.has(one)),
    [],
    'make the further cases anew: npm run cases',
  );
});

test('src/flows/unpassed.json is what no case passes, with who reaches it as the models’ source says', async () => {
  assert.deepEqual(UNPASSED, await unpassed(), 'make it anew: npm run cases');
});

/** What only the replays of recordings enter, in test/conform/: ioctls and an exit by which a real KVM was asked. */
const ENTERED_BY_REPLAYS = [
  'linux:arch/x86/kvm/lapic.c kvm_apic_set_state',
  'linux:arch/x86/kvm/x86.c kvm_get_msr_common',
  'linux:arch/x86/kvm/x86.c kvm_vm_ioctl_get_irqchip',
  'linux:arch/x86/kvm/x86.c kvm_vm_ioctl_set_irqchip',
];

test('what no case passes is reached by other models, else by replays of recordings: nothing is modelled for nobody', () => {
  const reached = new Set(UNPASSED.flatMap(({ fn, callers, storedIn }) => (callers.length + storedIn.length > 0 ? [fn] : [])));
  assert.deepEqual(
    UNPASSED.map(({ fn }) => fn).filter((fn) => !reached.has(fn)),
    ENTERED_BY_REPLAYS,
  );
});

/** Function names of texts about these paths, old and new. */
const NAMES = JSON.parse(readFileSync('test/fixtures/names.json', 'utf8')) as Readonly<Record<string, readonly string[]>>;

for (const [text, names] of Object.entries(NAMES)) {
  test(`every function that ${text} names is entered, or known as history`, () => {
    const historical = new Set(covered.historical.map(({ name }) => name.name));
    const missing = names.filter((name) => !entered.has(name) && !covered.wrappers.has(name) && !historical.has(name));
    assert.deepEqual(missing, []);
  });
}

test('what does the work of a historical name is entered by some run', () => {
  for (const { name } of covered.historical)
    for (const today of name.today) assert.ok(entered.has(today) || covered.wrappers.has(today), `${name.name}: ${today}`);
});
