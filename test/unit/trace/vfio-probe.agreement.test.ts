import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { vfio_probe } from '../../../src/flows/vfio-probe';
import { callText, everyCall, prune, splice, type Call } from '../../../src/trace/call';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { readTrace } from '../../../src/trace/read';
import { recording, rootsOf } from './support';

/**
 * Runs of the flow vfio-probe against recordings of a real host: binding and unbinding vfio-pci, a virtual machine that takes
 * a device, and its end. The functions that both know come in the same order and in the same nesting. Others are spliced
 * out of both, since the compiler inlined some and the tracer's filter left out more. Every other difference is an exception
 * below, or a failure.
 */

const run: FlowRun = simulate(vfio_probe, { parameters: resolveParameters(vfio_probe, { linux: '6.1' }), stimuli: [], seed: 0 });
const ran = rootsOf(run, 'linux');
const modelled = new Set(ran.flatMap(({ call }) => [...everyCall(call)].map(({ name }) => name)));
const on = (id: string): Call[] => ran.filter(({ kind }) => kind === id).map(({ call }) => call);
const administrator = ran.filter(({ kind }) => kind !== 'kworker' && kind !== 'qemu').map(({ call }) => call);
const worker = on('kworker');
const main = on('qemu');

const calls = (call: Call, wanted: string): boolean => [...everyCall(call)].some(({ name }) => name === wanted);

interface Exception {
  readonly reason: string;
  readonly applies: (call: Call, chain: readonly Call[]) => boolean;
}

const parent = (chain: readonly Call[]): string | undefined => chain.at(-1)?.name;

const EXCEPTIONS: readonly Exception[] = [
  {
    reason: 'Within pci.c and pci-driver.c the compiler has put pci_set_power_state() into its callers.',
    applies: ({ name }, chain) => name === 'pci_set_power_state' && parent(chain) !== 'vfio_pci_set_power_state',
  },
  {
    reason: 'Class devices are added and removed in the recording too, with power states that nobody looks at.',
    applies: ({ name }) => name === 'pm_runtime_reinit' || name === 'pm_runtime_remove',
  },
];

const excepted: Exception['applies'] = (call, chain) => EXCEPTIONS.some(({ applies }) => applies(call, chain));

/** What is left of calls when the exceptions are gone and only functions that both know are kept; what repeats, once. */
function left(roots: readonly Call[], known: ReadonlySet<string>, besides: readonly string[] = []): Call[] {
  const kept = splice(prune(roots, excepted), ({ name }) => known.has(name) && !besides.includes(name));
  return collapse(kept);
}

/** Memory is pinned and mapped piece by piece, and the pieces are not the same: a sequence of calls that repeats at once counts once. */
function collapse(siblings: readonly Call[]): Call[] {
  const inner = siblings.map((call) => ({ ...call, calls: collapse(call.calls) }));
  const result: Call[] = [];
  for (const call of inner) {
    result.push(call);
    for (const period of [1, 2]) {
      const last = result.slice(-period);
      const before = result.slice(-2 * period, -period);
      if (before.length === period && callText(last) === callText(before)) result.splice(-period);
    }
  }
  return result;
}

const both = (names: ReadonlySet<string>): ReadonlySet<string> => new Set([...names].filter((name) => modelled.has(name)));
const containing = (roots: readonly Call[], name: string): Call => {
  const found = roots.find((call) => call.name === name || calls(call, name));
  assert.ok(found, `nobody calls ${name}`);
  return found;
};
const below = (call: Call, name: string): Call => {
  const found = [...everyCall(call)].find((inner) => inner.name === name);
  assert.ok(found, `${name} is not called`);
  return found;
};
const lines = (kept: readonly Call[]): string[] => callText(kept).split('\n');

/** The calls of a recording that is not cut into windows, those of kernel workers apart. */
function uncut(file: string): { readonly others: Call[]; readonly workers: Call[]; readonly names: ReadonlySet<string> } {
  const text = gunzipSync(readFileSync(`test/fixtures/traces/${file}.gz`)).toString();
  const items = [...readTrace(text.split('\n'), () => undefined)].flatMap((item) => (item.kind === 'call' ? [item] : []));
  const ofWorkers = items.filter(({ task }) => task.comm.startsWith('kworker'));
  const others = items.filter((item) => !ofWorkers.includes(item));
  return {
    others: others.map(({ call }) => call),
    workers: ofWorkers.map(({ call }) => call),
    names: new Set(items.flatMap(({ call }) => [...everyCall(call)].map(({ name }) => name))),
  };
}

test('f5a: unbinding vfio-pci and giving it the device again', () => {
  const { others, workers, names } = uncut('f5a-vfio-pci-probe.graph.txt');
  const known = both(names);
  for (const name of ['vfio_pci_remove', 'driver_override_store', 'vfio_pci_probe']) {
    const recorded = left([containing(others, name)], known);
    assert.ok(lines(recorded).length > 2);
    assert.deepEqual(lines(left([containing(administrator, name)], known)), lines(recorded));
  }
  const asleep = 'vfio_pci_core_runtime_suspend';
  assert.deepEqual(lines(left([containing(worker, asleep)], known)), lines(left([containing(workers, asleep)], known)));
});

/** The tracer was told to look four levels deep. */
const DEPTH = 4;
const shallow = (of: readonly Call[]): Call[] => prune(of, (_, chain) => chain.length >= DEPTH);

test('f5a2: everything below vfio_pci_remove and vfio_pci_probe', () => {
  const { others, names } = uncut('f5a2-vfio-pci-probe-all-functions.graph.txt');
  const known = both(names);
  for (const name of ['vfio_pci_remove', 'vfio_pci_probe']) {
    const recorded = left([below(containing(others, name), name)], known);
    assert.ok(lines(recorded).length > 8);
    assert.deepEqual(lines(shallow(left([below(containing(administrator, name), name)], known))), lines(recorded));
  }
});

test('f5b: a virtual machine takes the device, and its process ends', () => {
  const { cuts, names } = recording('f5b-attach-dmamap.graph.txt');
  const known = both(names);
  const [attach, open, release, end] = cuts.map(({ roots }) => roots.filter(({ kind }) => kind === 'qemu').map(({ call }) => call));
  const from = (of: readonly Call[] | undefined, name: string): Call[] =>
    of!.slice(of!.findIndex((call) => call.name === name || calls(call, name)));

  // Another virtual machine had the device before: its blocking domain was there already. The window ends within the first mapping.
  const taken = left(from(attach, 'vfio_group_fops_open'), known, ['intel_iommu_domain_alloc']).slice(0, -1);
  const mine = left(from(main, 'vfio_group_fops_open'), known, ['intel_iommu_domain_alloc']);
  assert.ok(lines(taken).length > 50);
  assert.deepEqual(lines(mine.slice(0, taken.length)), lines(taken));

  const pieces = ['vaddr_get_pfns', 'vfio_lock_acct'];
  const mapping = lines(left([containing(main, 'vfio_pin_pages_remote')], known, pieces)).slice(0, -1);
  assert.ok(mapping.length > 5);
  assert.deepEqual(mapping, lines(left([containing(attach!, 'vfio_pin_pages_remote')], known, pieces)).slice(0, mapping.length));

  const opened = left(from(open, 'vfio_pci_open_device'), known);
  assert.ok(lines(opened).length > 20);
  assert.deepEqual(lines(left(from(main, 'vfio_pci_open_device'), known).slice(0, opened.length)), lines(opened));

  // The window ends within the unmapping; the next one begins there.
  const released = lines(left(from(release, 'vfio_device_fops_release'), known));
  const whole = lines(left(from(main, 'vfio_device_fops_release'), known));
  const cut = released.indexOf(`${' '.repeat(8)}vfio_unmap_unpin`);
  assert.ok(cut > 20);
  assert.deepEqual(whole.slice(0, cut), released.slice(0, cut));
  const last = left(from(end, 'iommu_domain_free'), known).flatMap((call) => [...everyCall(call)].map(({ name }) => name));
  const names_after = whole.map((line) => line.trim());
  const freed = names_after.indexOf('iommu_domain_free');
  assert.ok(last.length > 7);
  assert.deepEqual(names_after.slice(freed, freed + last.length), last);
});
