import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { allFunctions, referenceOf, type FnInfo } from '../../../src/engine/fn';
import { NO_STEP, type EdgeKind, type Journal } from '../../../src/engine/journal';
import { anchorKey, describeReference, type Reference } from '../../../src/engine/reference';
import { CATALOGUE, requireFlow } from '../../../src/flows/catalogue';
import { casesOf, namedCases } from '../../../src/flows/cases';
import { presetInputs, simulate } from '../../../src/flows/flow';
import { functionKey, knowFunctions, passagesOf, type Edge, type KnownFunction, type KnownFunctions } from '../../../src/flows/functions';
import { aboutFunction, caseText, edgeText, passing, passingText } from '../../../src/flows/functionText';
import { plain } from '../../../src/flows/markdown';
import { claimsOf } from '../../../src/flows/places';
import { UNPASSED } from '../../../src/flows/unpassed';

/** What the flows do in each function. */

let pauses = 0;
const cases = [...casesOf()];
const known = await knowFunctions(cases, () => (pauses++, Promise.resolve()));

function named(name: string, path?: string): KnownFunction {
  const found = [...known.values()].filter(({ fn }) => fn.name === name && (path === undefined || fn.home.path === path));
  assert.equal(found.length, 1, `${name}: ${found.length}`);
  return found[0]!;
}

const edges = (of: KnownFunctions): readonly Edge[] => [...of.values()].flatMap(({ callees }) => callees);

/** A shortest way along callees. */
function way(from: KnownFunction, to: KnownFunction): readonly Edge[] {
  const reached = new Map<KnownFunction, readonly Edge[]>([[from, []]]);
  for (const [at, path] of reached)
    for (const edge of at.callees) {
      const next = known.get(functionKey(edge.to))!;
      if (!reached.has(next)) reached.set(next, [...path, edge]);
    }
  return reached.get(to) ?? [];
}

/** Of each flow: what begins in the device, in the guest or outside, what ends it, and whether that leads there in every run that has both. */
const ENDS: Readonly<Record<string, readonly (readonly [first: string, last: string, when: 'always' | 'at times'])[]>> = {
  'vfio-intx': [['raise_cause', 'edu_irq_handler', 'always']],
  'vfio-msi': [['raise_cause', 'edu_msi_handler', 'always']],
  'vfio-probe': [
    ['kernfs_fop_write_iter', 'vfio_req_notifier_handler', 'always'],
    ['kernfs_fop_write_iter', 'leave', 'at times'],
  ],
  'mdev-mtty': [
    ['uart_write', 'serial8250_interrupt', 'always'],
    // A program that finds the eventfd signalled does not wait for it.
    ['send', 'serve_one', 'at times'],
  ],
  pic: [
    ['raise_edu', 'edu_irq', 'always'],
    ['send', 'uart_irq', 'always'],
    // A kick hands over to nobody where the vCPU is out of the guest anyhow: it looks before it enters.
    ['edu_fact_thread', 'edu_irq', 'at times'],
  ],
  ioapic: [
    ['ask', 'device_handler', 'always'],
    ['ask', 'timer_handler', 'always'],
  ],
  'virtio-kvm': [
    ['hvc_write', 'vp_vring_interrupt', 'always'],
    ['blk_mq_dispatch_rq_list', 'virtblk_done', 'always'],
  ],
  'acrn-virtio-console': [
    ['writes_hello', 'vring_interrupt', 'always'],
    ['type_characters', 'in_intr', 'always'],
  ],
};

function reaches(of: KnownFunctions, direction: 'callers' | 'callees', from: string, to: string): boolean {
  const seen = new Set([...of.values()].filter(({ fn }) => fn.name === from));
  for (const one of seen) {
    if (one.fn.name === to) return true;
    for (const edge of one[direction].filter(({ visits }) => visits.length > 0))
      seen.add(of.get(functionKey(direction === 'callees' ? edge.to : edge.from))!);
  }
  return false;
}

/** What a journal says of an edge. */
interface Said {
  readonly from: FnInfo | undefined;
  readonly to: readonly FnInfo[];
  readonly kind: EdgeKind;
}

function callAt(journal: Journal, n: number): Said {
  const { kind, parent, site, edge } = journal.step(n);
  assert.equal(kind, 'enter');
  return { from: journal.step(parent).site.fn, to: [site.fn], kind: edge };
}

/** The latest hand-over to the thread of a step, and the functions that waited for it. */
function lastHandover(journal: Journal, n: number): Said {
  let at = n;
  while (journal.cause(at) === NO_STEP || journal.thread(at) !== journal.thread(n)) at--;
  const { site, edge } = journal.step(journal.cause(at));
  const waited = journal.step(at).edge === 'root' ? [journal.step(at).site.fn] : stackAt(journal, at);
  return { from: site.fn, to: waited, kind: edge === 'none' ? 'wake-up' : edge };
}

function stackAt(journal: Journal, n: number): readonly FnInfo[] {
  const { parent } = journal.step(n);
  return parent === NO_STEP ? [] : [journal.step(parent).site.fn, ...stackAt(journal, parent)];
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

suite('functions as the flows know them', () => {
  test('are those that the cases pass, each with the steps that they make there', () => {
    for (const of of cases.filter(({ flow }) => ['vfio-intx', 'pic'].includes(flow.id))) {
      const { journal } = simulate(of.flow, of.inputs);
      const steps = new Map<string, number[]>();
      for (let n = 0; n < journal.length; n++) {
        const { kind, site } = journal.step(n);
        if (kind !== 'return') steps.set(functionKey(site.fn), [...(steps.get(functionKey(site.fn)) ?? []), n]);
      }
      for (const [key, all] of steps) {
        const visit = known.get(key)?.visits.find((one) => one.of === of);
        assert.deepEqual({ steps: visit?.steps, first: visit?.first }, { steps: all.length, first: all[0] }, key);
      }
    }
  });

  test('know each edge at both of its ends', () => {
    assert.ok(edges(known).length > 2000);
    for (const { fn, callers, callees } of known.values()) {
      for (const edge of callees) {
        assert.equal(edge.from, fn);
        assert.ok(known.get(functionKey(edge.to))?.callers.includes(edge), `${fn.name} → ${edge.to.name} (${edge.kind})`);
      }
      for (const edge of callers) {
        assert.equal(edge.to, fn);
        assert.ok(known.get(functionKey(edge.from))?.callees.includes(edge), `${fn.name} ← ${edge.from.name} (${edge.kind})`);
      }
    }
  });

  test('call each other as the same runs claim of source', async () => {
    const ofMsi = [...casesOf([requireFlow('vfio-msi')])];
    const own = await knowFunctions(ofMsi, () => Promise.resolve());
    const describe = (from: { readonly symbol: string } | undefined, to: string): string => `${from?.symbol} → ${to}`;
    const found = edges(own)
      .filter(
        ({ from, to, handsOver, kind, registration }) =>
          !handsOver && referenceOf(from) && referenceOf(to) && (kind === 'call' || registration),
      )
      .map(({ from, to }) => describe(referenceOf(from), to.name));
    const claimed = claimsOf(ofMsi.map(({ flow, inputs }) => simulate(flow, inputs))).edges.map((edge) =>
      describe(edge.caller, edge.kind === 'direct' ? edge.callee : edge.callee.symbol),
    );
    assert.deepEqual(
      [...new Set(claimed)].filter((one) => !found.includes(one)),
      [],
    );
  });

  test('have an edge for every call and every hand-over of any step', () => {
    const run = fc.constantFrom(...cases).map((of) => ({ of, run: simulate(of.flow, of.inputs) }));
    const step = run.chain(({ of, run: made }) =>
      fc.record({ of: fc.constant(of), run: fc.constant(made), n: fc.nat(made.journal.length - 1) }),
    );
    fc.assert(
      fc.property(step, ({ run: { journal }, n }) => {
        const { kind, parent, cause, site, edge } = journal.step(n);
        const callees = (before: number): readonly Edge[] => known.get(functionKey(journal.step(before).site.fn))!.callees;
        const isCalled = kind === 'enter' && parent !== NO_STEP && edge !== 'root';
        if (isCalled) assert.ok(callees(parent).some(({ to, handsOver }) => !handsOver && to === site.fn));
        // Who waited goes on: the caller, where the first thing that happens is a call.
        const goesOn = isCalled ? journal.step(parent).site.fn : site.fn;
        if (cause !== NO_STEP) assert.ok(callees(cause).some(({ to, handsOver }) => handsOver && to === goesOn));
      }),
      { numRuns: 200 },
    );
  });

  test('lead only where a model says that they do, never by coming first', () => {
    const runs = new Map(cases.map((of) => [of, lazily(() => simulate(of.flow, of.inputs))]));
    for (const edge of edges(known)) {
      const text = `${edge.from.name} → ${edge.to.name} (${edge.kind})`;
      // What no run passes is read from the models' source: plain calls.
      if (known.get(functionKey(edge.to))!.visits.length === 0) {
        assert.ok(edge.visits.length === 0 && edge.kind === 'call', text);
        continue;
      }
      assert.ok(edge.visits.length > 0 && edge.kind !== 'none' && edge.kind !== 'root', text);
      for (const { of, first } of edge.visits) {
        const { journal } = runs.get(of)!();
        const { from, to, kind } = edge.handsOver ? lastHandover(journal, first) : callAt(journal, first);
        assert.equal(from, edge.from, text);
        assert.ok(to.includes(edge.to), text);
        assert.equal(kind, edge.kind, text);
      }
    }
  });

  test('lead to no interrupt’s handler from what happens to be interrupted, nor on from there to what a thread does next', () => {
    const callersOf = (name: string): readonly string[] => [
      ...new Set([...known.values()].filter(({ fn }) => fn.name === name).flatMap(({ callers }) => callers.map(({ from }) => from.name))),
    ];
    assert.deepEqual(callersOf('common_interrupt').toSorted(), ['accept', 'accept_vector', 'interrupted', 'take_vector']);
    assert.deepEqual(callersOf('accept_vector').toSorted(), ['enter_guest', 'post_interrupt', 'process_posted_interrupts']);
    assert.deepEqual(callersOf('interrupted'), ['cpu_tb_exec']);
    assert.deepEqual(callersOf('kvm_ipi_signal'), ['cpus_kick_thread']);
    for (const name of ['do_exit', 'hvc_write', 'uart_write', 'guest_reads_bar', 'edu_msi_remove'])
      assert.deepEqual(callersOf(name), name === 'hvc_write' ? ['writes_hello'] : [], name);
  });

  test('lead from the device or the guest to the handler, and back, in every run that has both', async () => {
    const found = new Map<string, boolean[]>();
    for (const of of cases) {
      const own = await knowFunctions([of], () => Promise.resolve());
      const names = new Set([...own.values()].filter(({ visits }) => visits.length > 0).map(({ fn }) => fn.name));
      const ends = ENDS[of.flow.id];
      assert.ok(ends !== undefined, `${of.flow.id}: which way is to be followed?`);
      for (const [first, last, when] of ends) {
        if (!names.has(first) || !names.has(last)) continue;
        const leads = reaches(own, 'callees', first, last);
        assert.equal(reaches(own, 'callers', last, first), leads, `${caseText(of)}: ${last} from ${first}`);
        assert.ok(leads || when === 'at times', `${caseText(of)}: ${first} leads to ${last}`);
        const way = `${of.flow.id}: ${first} → ${last}`;
        found.set(way, [...(found.get(way) ?? []), leads]);
      }
    }
    const expected = CATALOGUE.flatMap(({ id }) => ENDS[id]!.map(([first, last]) => `${id}: ${first} → ${last}`));
    assert.deepEqual(
      expected.filter((way) => !found.get(way)?.includes(true)),
      [],
    );
  });

  test('stand where the same runs claim to, and nowhere else', async () => {
    const ofIntx = [...casesOf([requireFlow('vfio-intx')])];
    const own = await knowFunctions(ofIntx, () => Promise.resolve());
    const describe = (reference: Reference): string =>
      `${describeReference(reference)} ${reference.anchor ? anchorKey(reference.anchor) : ''}`;
    const found = new Set(
      [...own.values()].flatMap(({ places }) => places.flatMap(({ reference }) => (reference ? [describe(reference)] : []))),
    );
    const claimed = claimsOf(ofIntx.map(({ flow, inputs }) => simulate(flow, inputs))).references.map(describe);
    assert.deepEqual([...found].toSorted(), [...new Set(claimed)].toSorted());
  });

  test('are reached over what no static tool follows', () => {
    const kinds: readonly EdgeKind[] = [
      'function pointer',
      'ioctl',
      'eventfd',
      'workqueue',
      'timer',
      'hardirq',
      'vmexit',
      'vmentry',
      'msi',
      'line',
      'hypercall',
    ];
    const found = new Set(edges(known).map(({ kind }) => kind));
    for (const kind of kinds) assert.ok(found.has(kind), kind);
    assert.ok(
      named('process_one_work').callers.some(
        ({ from, kind, handsOver }) => from.name === '__queue_work' && kind === 'workqueue' && handsOver,
      ),
    );
    assert.ok(
      named('kvm_vm_ioctl', 'virt/kvm/kvm_main.c').callers.some(({ from, kind }) => from.home.world === 'qemu' && kind === 'ioctl'),
    );
    const injected = named('irqfd_inject').callers.find(({ from }) => from.name === 'process_one_work');
    assert.equal(injected?.registration?.symbol, 'kvm_irqfd_assign');
  });

  test('lead from vfio_msihandler to the guest’s handler', () => {
    const path = way(named('vfio_msihandler'), named('edu_msi_handler'));
    assert.ok(
      path.some(({ kind }) => kind === 'eventfd'),
      'by the eventfd',
    );
    assert.ok(
      path.some(({ kind, to }) => kind === 'hardirq' && to.name === 'common_interrupt'),
      'into the guest',
    );
  });

  test('are all that are modelled of source: those that no case passes are known by who reaches them', () => {
    const modelled = allFunctions().filter((fn) => referenceOf(fn) !== undefined);
    assert.ok(modelled.length > 1900, `${modelled.length}`);
    for (const fn of modelled) assert.ok(known.has(functionKey(fn)), functionKey(fn));
    for (const { fn, callers, storedIn } of UNPASSED) {
      assert.deepEqual(known.get(fn)?.visits, [], fn);
      assert.deepEqual(
        known.get(fn)?.callers.map(({ from }) => functionKey(from)),
        callers,
        fn,
      );
      assert.deepEqual(known.get(fn)?.storedIn, storedIn, fn);
    }
  });

  test('need each of the further cases', () => {
    const alone = new Set([...known.values()].flatMap(({ visits }) => (visits.length === 1 ? visits.map(({ of }) => of) : [])));
    const named = [...namedCases(CATALOGUE)].length;
    for (const of of cases.slice(named)) assert.ok(alone.has(of), `${caseText(of)}: make them anew: npm run cases`);
  });

  test('are found out in slices', () => assert.ok(pauses > cases.length));
});

suite('in words', () => {
  const wakeup = named('irqfd_wakeup');

  test('flows are counted with the steps of the run that is explored', () => {
    const of = requireFlow('vfio-intx');
    const before = passing([wakeup], undefined);
    const run = simulate(of, presetInputs(of, 'twice-by-the-8259'));
    const after = passing([wakeup], run);
    assert.equal(after.get(of), passagesOf(run).get(wakeup.fn)?.steps);
    assert.notEqual(before.get(of), after.get(of));
    assert.deepEqual(new Set(after.keys()), new Set(before.keys()));
  });

  test('one flow and one step are told as such', () => {
    const [flow] = CATALOGUE;
    assert.equal(passingText(new Map([[flow!, 1]])), '1 flow passes here · 1 step');
    assert.equal(passingText(new Map(CATALOGUE.slice(0, 3).map((each) => [each, 4]))), '3 flows pass here · 12 steps');
  });

  test('a function tells what it does, where it comes from, where it leads and what it writes', () => {
    const text = aboutFunction(named('vfio_msihandler'));
    assert.ok(text.startsWith(`**\`vfio_msihandler\`** · ${plain('drivers/vfio/pci/vfio_pci_intrs.c')}\n\n`), text);
    assert.match(text, /Comes from `__handle_irq_event_percpu` \(function pointer, registered in `vfio_msi_set_vector_signal`\)/);
    assert.match(aboutFunction(named('__queue_work')), /Leads to `process_one_work` \(workqueue ⇒ kworker/);
    assert.match(aboutFunction(named('eventfd_ctx_do_read')), /Writes `eventfd_ctx\.count`/);
  });

  test('a function that no run passes says so, and tells who calls it or where its address is', () => {
    const [called, stored] = [named('rtc_irq_eoi_tracking_reset'), named('msix_pba_mmio_write')];
    assert.equal(passingText(passing([called], undefined)), 'Modelled · no run at hand comes here');
    assert.match(aboutFunction(called), /Comes from `kvm_ioapic_inject_all`, `kvm_rtc_eoi_tracking_restore_all`/);
    assert.match(aboutFunction(stored), /Registered in `msix_pba_mmio_ops`/);
  });

  test('a case tells what sets it apart', () => {
    const texts = cases.map(caseText);
    assert.equal(new Set(texts).size, cases.length);
    for (const text of [
      'VFIO INTx',
      'VFIO INTx · Linux of the host: Linux 6.1',
      'VFIO INTx: One line, two controllers',
      'VFIO MSI and MSI-X · PCI Express: on · The device interrupts',
      'VFIO INTx · The guest reads a BAR',
    ])
      assert.ok(texts.includes(text), text);
  });

  test('an edge tells its kind and where it leads', () => {
    assert.equal(edgeText(wakeup.callers[0]!), 'eventfd · vCPU 0, host hard-IRQ, …');
  });
});
