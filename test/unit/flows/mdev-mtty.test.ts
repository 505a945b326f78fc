import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { chapterSteps, presetInputs, resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { mdev_mtty } from '../../../src/flows/mdev-mtty';
import { cellName } from '../../../src/flows/text';

/** mtty: who carries the interrupt depends on what the device answers, and each preset shows what it says. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(mdev_mtty, { parameters: resolveParameters(mdev_mtty, given), stimuli, seed });
const preset = (id: string): FlowRun => simulate(mdev_mtty, presetInputs(mdev_mtty, id));
/** The preset’s stimuli with another version of Linux. */
const presetOnLinux = (id: string, linux: string): FlowRun => {
  const { parameters } = presetInputs(mdev_mtty, id);
  const names = (presetInputs(mdev_mtty, id).stimuli ?? []).map(({ name }) => name);
  let of = run({ ...parameters, linux });
  const stimuli: { at: number; name: string }[] = [];
  for (const name of names) {
    stimuli.push({ at: of.journal.length, name });
    of = run({ ...parameters, linux }, stimuli);
  }
  return of;
};

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
const threadsOf = (of: FlowRun, name: string): ReadonlySet<string> =>
  new Set(steps(of).flatMap(({ kind, site, thread }) => (kind === 'enter' && site.fn.name === name ? [of.threads[thread]!.id] : [])));
const notes = (of: FlowRun): string =>
  steps(of)
    .flatMap(({ site: { note } }) => (note === undefined ? [] : [note]))
    .join('\n');

function state(of: FlowRun, name: string): number {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(of.journal.length - 1);
  return cursor.value(cell.id);
}

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const STATE = `mdev_state(${UUID})`;
const KREF = (eventfd: number): string => `eventfd_ctx(irq_fd ${eventfd}).kref`;
const COUNT = (eventfd: number): string => `eventfd_ctx(irq_fd ${eventfd}).count`;
const SERVED = 'program(driver in user space).served';
const FAILED = 'program(driver in user space).failed';

const everyWay = ['5.10', '6.1', '6.12'].flatMap((linux) =>
  ['qemu', 'program-intx', 'program-msi'].flatMap((user) => ['mtty-1', 'mtty-2'].map((type): Given => ({ linux, user, type }))),
);

test('whoever uses it, on whatever kernel: the run comes to rest, every lock is free, and the device has its ports', () => {
  for (const given of everyWay) {
    const of = run(given);
    const what = JSON.stringify(given);
    assert.equal(of.ending.kind, 'idle', what);
    assert.equal(state(of, `${STATE}.nr_ports`), given['type'] === 'mtty-2' ? 2 : 1, what);
    for (const lock of ['ops_lock', 'rxtx_lock']) assert.equal(state(of, `mutex(${UUID} ${lock}).owner`), 0, what);
    assert.ok(count(of, 'mtty_trigger_interrupt') > 0, what);
  }
});

test('what the guest sends comes back to it: the FIFO is empty at the end', () => {
  for (const linux of ['6.1', '6.12']) {
    for (const characters of [0, 1, 2, 15]) {
      const of = run({ linux, characters });
      const what = `${characters} on ${linux}`;
      assert.equal(of.ending.kind, 'idle', what);
      assert.equal(state(of, `rxtx(${UUID} port 0).count`), 0, what);
      assert.equal(state(of, `rxtx(${UUID} port 0).head`), state(of, `rxtx(${UUID} port 0).tail`), what);
      assert.equal(count(of, 'serial8250_interrupt') > 0, true, what);
      assert.equal(count(of, 'serial8250_read_char'), characters, what);
    }
  }
});

test('until 6.6 INTx goes through KVM, since mtty accepts an eventfd that shall unmask; since 6.7 it stays with QEMU', () => {
  for (const lapic of ['vmx-apicv', 'svm-x2apic']) {
    const old = run({ linux: '6.1', lapic });
    assert.ok(count(old, 'irqfd_inject') > 0, lapic);
    assert.equal(count(old, 'vfio_intx_interrupt'), 0, lapic);
    const today = run({ linux: '6.12', lapic });
    assert.equal(count(today, 'irqfd_inject'), 0, lapic);
    assert.ok(count(today, 'vfio_intx_interrupt') > 0, lapic);
    assert.ok(count(today, 'vfio_intx_eoi') > 0, lapic);
  }
  const off = run({ linux: '6.1', 'kvm-intx': false });
  assert.equal(count(off, 'irqfd_inject'), 0);
  assert.ok(count(off, 'vfio_intx_interrupt') > 0);
});

test('the interrupt is raised on the thread that accesses the register: the vCPU’s, or the program’s own', () => {
  assert.deepEqual([...threadsOf(run(), 'mtty_trigger_interrupt')], ['vcpu']);
  assert.deepEqual([...threadsOf(run({ user: 'program-intx' }), 'mtty_trigger_interrupt')], ['program']);
});

test('5.10 has the parent’s operations and vfio_mdev; later there is a driver of mediated devices', () => {
  const old = entered(run({ linux: '5.10' }));
  for (const name of ['mdev_register_device', 'mtty_create', 'mtty_open', 'vfio_mdev_probe']) assert.ok(old.includes(name), name);
  assert.ok(!old.includes('mtty_probe'));
  const today = entered(run({ linux: '6.12' }));
  for (const name of ['mdev_register_parent', 'mdev_register_driver', 'mtty_probe', 'mtty_init_dev']) assert.ok(today.includes(name), name);
  assert.ok(!today.includes('vfio_mdev_probe'));
});

test('a careful program serves every port that interrupted it, with MSI on every kernel, and with INTx until 6.6', () => {
  for (const [linux, user] of [
    ['5.10', 'program-intx'],
    ['6.1', 'program-intx'],
    ['6.1', 'program-msi'],
    ['6.12', 'program-msi'],
  ]) {
    const of = run({ linux, user, type: 'mtty-2', characters: 1 });
    assert.equal(state(of, SERVED), 2, `${user} on ${linux}`);
    for (const port of [0, 1]) assert.equal(state(of, `rxtx(${UUID} port ${port}).count`), 0, `${user} on ${linux}`);
  }
});

test('preset through-kvm: nobody unmasks, the resamplefd only counts', () => {
  const of = preset('through-kvm');
  assert.ok(count(of, 'irqfd_resampler_ack') > 0);
  assert.ok(count(of, 'irqfd_inject') > 0);
});

test('preset refused-by-6.12: -ENOTTY, and QEMU says so', () => {
  const of = preset('refused-by-6.12');
  assert.ok(count(of, 'vfio_intx_enable_kvm') > 0);
  assert.equal(count(of, 'irqfd_inject'), 0);
});

test('preset null-eventfd: the program dies in its own write, with the lock held; on 6.12 it lives, without interrupts', () => {
  const of = preset('null-eventfd');
  assert.match(notes(of), /A NULL pointer: the kernel oopses/);
  assert.notEqual(state(of, `mutex(${UUID} ops_lock).owner`), 0);
  assert.equal(state(of, FAILED), 1);
  const today = presetOnLinux('null-eventfd', '6.12');
  assert.doesNotMatch(notes(today), /oopses/);
  assert.equal(state(today, `mutex(${UUID} ops_lock).owner`), 0);
  assert.equal(state(today, FAILED), 1);
});

test('preset freed-eventfd: signalled after it was freed; on 6.12 mtty has let go of it', () => {
  const of = preset('freed-eventfd');
  assert.equal(state(of, KREF(1)), 0);
  assert.match(notes(of), /The eventfd has been freed/);
  const today = presetOnLinux('freed-eventfd', '6.12');
  assert.equal(state(today, KREF(1)), 0);
  assert.doesNotMatch(notes(today), /has been freed/);
});

test('preset leaked-eventfd: closed, replaced, and still referenced; on 6.12 freed', () => {
  assert.equal(state(preset('leaked-eventfd'), KREF(1)), 1);
  assert.equal(state(presetOnLinux('leaked-eventfd', '6.12'), KREF(1)), 0);
});

test('preset msi-once: the second eventfd is never signalled; on 6.12 it is', () => {
  const of = preset('msi-once');
  assert.equal(state(of, KREF(2)), 1);
  assert.equal(state(of, SERVED), 1);
  assert.equal(state(of, `rxtx(${UUID} port 0).count`), 1);
  const today = presetOnLinux('msi-once', '6.12');
  assert.equal(state(today, KREF(2)), 2);
  assert.ok(state(today, COUNT(2)) === 1 || state(today, SERVED) === 2);
});

test('preset previous-user: the eventfd of the one before is signalled; on 6.12 closing disconnects it', () => {
  const signals = (of: FlowRun): number => count(of, 'mtty_trigger_interrupt') - count(presetWithoutSend(of), 'mtty_trigger_interrupt');
  const presetWithoutSend = ({ inputs }: FlowRun): FlowRun => simulate(mdev_mtty, { ...inputs, stimuli: inputs.stimuli.slice(0, 1) });
  const of = preset('previous-user');
  assert.equal(signals(of), 1);
  assert.equal(state(of, SERVED), 2);
  const today = presetOnLinux('previous-user', '6.12');
  assert.equal(state(today, SERVED), 1);
  assert.equal(state(today, `${STATE}.intx_evtfd`), 0);
});

test('preset loopback-disables: a reference goes instead of a signal; on 6.12 the interrupt comes', () => {
  const of = preset('loopback-disables');
  assert.equal(count(of, 'mtty_trigger_interrupt'), 0);
  assert.equal(state(of, KREF(1)), 1);
  const today = presetOnLinux('loopback-disables', '6.12');
  assert.equal(count(today, 'mtty_trigger_interrupt'), 1);
  assert.equal(state(today, KREF(1)), 2);
});

test('preset lost-edge: one signal, one port served, and the other’s byte stays; on 6.1 nothing is lost', () => {
  const of = preset('lost-edge');
  assert.equal(state(of, SERVED), 1);
  assert.equal(state(of, `rxtx(${UUID} port 0).count`), 0);
  assert.equal(state(of, `rxtx(${UUID} port 1).count`), 1);
  assert.equal(state(of, `${STATE}.intx_mask`), 0);
  assert.equal(state(presetOnLinux('lost-edge', '6.1'), SERVED), 2);
});

test('preset full-looks-empty: sixteen bytes, and none to be read', () => {
  const of = preset('full-looks-empty');
  assert.equal(state(of, `rxtx(${UUID} port 0).count`), 16);
  assert.equal(state(of, `rxtx(${UUID} port 0).head`), state(of, `rxtx(${UUID} port 0).tail`));
});

test('every chapter is in a run of QEMU or of a program', () => {
  const titles = (given: Given) => chapterSteps(run(given)).map(({ chapter }) => chapter.title);
  const found = new Set([{}, { user: 'program-intx' }].flatMap(titles));
  assert.deepEqual(
    mdev_mtty.chapters.filter(({ title }) => !found.has(title)),
    [],
  );
  assert.equal(titles({}).length, mdev_mtty.chapters.length - 1);
});

test('whatever happens and in whatever order: the run ends, and since 6.7 nobody dies and no freed eventfd is signalled', () => {
  const stimulus = fc.record({
    at: fc.integer({ min: 0, max: 4000 }),
    name: fc.constantFrom(...mdev_mtty.stimuli.map(({ name }) => name)),
  });
  fc.assert(
    fc.property(
      fc.constantFrom('5.10', '6.1', '6.12'),
      fc.constantFrom('program-intx', 'program-msi', 'program-hasty'),
      fc.constantFrom('mtty-1', 'mtty-2'),
      fc.nat({ max: 16 }),
      fc.array(stimulus, { maxLength: 8 }),
      fc.nat(),
      (linux, user, type, characters, stimuli, seed) => {
        const sorted = stimuli.toSorted((a, b) => a.at - b.at).map(({ at, name }) => ({ at, name }));
        const of = run({ linux, user, type, characters }, sorted, seed);
        assert.equal(of.ending.kind, 'idle');
        if (linux === '6.12') assert.doesNotMatch(notes(of), /oopses|has been freed/);
      },
    ),
    { numRuns: 60 },
  );
});

test('a guest gets all its characters, whatever the order of the threads', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('6.1', '6.12'),
      fc.nat(),
      fc.array(fc.integer({ min: 0, max: 12000 }), { maxLength: 3 }),
      (linux, seed, writes) => {
        const stimuli = writes.toSorted((a, b) => a - b).map((at) => ({ at, name: 'write' }));
        const of = run({ linux, type: 'mtty-1' }, stimuli, seed);
        assert.equal(of.ending.kind, 'idle');
        assert.equal(count(of, 'serial8250_read_char'), 1 + count(of, 'uart_write'));
      },
    ),
    { numRuns: 12 },
  );
});
