import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { ioapic } from '../../../src/flows/ioapic';
import { chapterSteps, presetInputs, resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName } from '../../../src/flows/text';

/** Where the I/O APIC is, how it is triggered and whom it addresses change the chain because the models branch; presets show what they say. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(ioapic, { parameters: resolveParameters(ioapic, given), stimuli, seed });
const preset = (id: string, given: Given = {}): FlowRun => {
  const { parameters, stimuli } = presetInputs(ioapic, id);
  return run({ ...parameters, ...given }, stimuli);
};

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
/** What a function returned, each time. */
const results = (of: FlowRun, name: string): number[] =>
  steps(of).flatMap(({ kind, site, result }) => (kind === 'return' && site.fn.name === name && result !== undefined ? [result] : []));
const threadsOf = (of: FlowRun, name: string): string[] =>
  steps(of).flatMap(({ kind, site, thread }) => (kind === 'enter' && site.fn.name === name ? [of.threads[thread]!.id] : []));

function state(of: FlowRun, name: string): number {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(of.journal.length - 1);
  return cursor.value(cell.id);
}

const handled = (of: FlowRun): number => state(of, 'guest_counts(guest CPU 0).device') + state(of, 'guest_counts(guest CPU 1).device');
const remoteIrr = (of: FlowRun): number =>
  of.inputs.parameters['irqchip'] === 'split'
    ? (state(of, 'IOAPICCommonState(ioapic).ioredtbl[10][31:0]') >>> 14) & 1
    : state(of, 'kvm_ioapic_redirect_entry(redirtbl[10]).fields.remote_irr');

function inOrder(of: FlowRun, names: readonly string[], from: string): void {
  const all = entered(of);
  let at = all.indexOf(from);
  assert.notEqual(at, -1, from);
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

const MODES = ['vmx-apicv', 'vmx-xapic', 'vmx-x2apic', 'svm-x2apic'];
const everyWay = ['6.1', '6.12'].flatMap((linux) =>
  MODES.flatMap((lapic) =>
    ['on', 'split'].flatMap((irqchip) =>
      ['level', 'edge'].flatMap((trigger) =>
        ['cpu0', 'cpu1', 'both', 'lowest-hashed', 'lowest-arbitrated'].map((destination): Given => ({
          linux,
          lapic,
          irqchip,
          trigger,
          destination,
        })),
      ),
    ),
  ),
);

test('whatever the parameters, each interrupt is handled once by whom it is for, and the pin is free at the end', () => {
  for (const given of everyWay) {
    const of = run({ ...given, interrupts: 2 });
    const what = JSON.stringify(given);
    assert.equal(of.ending.kind, 'idle', what);
    assert.equal(handled(of), given['destination'] === 'both' ? 4 : 2, what);
    assert.equal(remoteIrr(of), 0, what);
    assert.equal(state(of, 'line_device(device).line'), 0, what);
    for (const cpu of [0, 1]) {
      for (const word of [0, 1, 2, 3, 4, 5, 6, 7])
        for (const register of ['IRR', 'ISR']) assert.equal(state(of, `kvm_lapic(vCPU ${cpu}).APIC_${register}[${word}]`), 0, what);
      assert.equal(state(of, `guest_cpu(guest CPU ${cpu}).vector`), -1, what);
    }
    assert.equal(state(of, 'guest_counts(guest CPU 0).spurious') + state(of, 'guest_counts(guest CPU 1).spurious'), 0, what);
  }
});

test('every chapter begins somewhere, in its order', () => {
  const found = chapterSteps(run()).map(({ chapter }) => chapter.title);
  assert.deepEqual(
    found,
    ioapic.chapters.map(({ title }) => title),
  );
});

test('in the kernel: both chips of the GSI, one message, the EOI clears remote IRR', () => {
  inOrder(
    run({ lapic: 'vmx-x2apic' }),
    [
      'gsi_handler',
      'kvm_vm_ioctl_irq_line',
      'kvm_set_ioapic_irq',
      'ioapic_service',
      'kvm_irq_delivery_to_apic_fast',
      '__apic_accept_irq',
      'kvm_lapic_set_irr',
      'kvm_vcpu_kick',
      'kvm_set_pic_irq',
      'kvm_check_and_inject_events',
      'vmx_inject_irq',
      'device_handler',
      'kvm_x2apic_msr_write',
      'apic_set_eoi',
      'kvm_ioapic_update_eoi_one',
    ],
    'raise_line',
  );
});

test('split: the pin is a message route, and the EOI leaves for user space', () => {
  const of = run({ irqchip: 'split' });
  inOrder(
    of,
    ['ioapic_update_kvm_routes', 'kvm_irqchip_update_msi_route', 'kvm_irqchip_commit_routes', 'kvm_set_irq_routing'],
    'program_pins',
  );
  inOrder(
    of,
    [
      'ioapic_set_irq',
      'ioapic_service',
      'kvm_set_msi',
      'kvm_set_msi_irq',
      '__apic_accept_irq',
      'device_handler',
      'kvm_arch_handle_exit',
      'ioapic_eoi_broadcast',
    ],
    'raise_line',
  );
  assert.equal(count(of, 'kvm_set_ioapic_irq') + count(of, 'kvm_set_pic_irq') + count(of, 'kvm_ioapic_update_eoi'), 0);
});

test('APICv posts and does not exit for an edge’s EOI; without it vectors are injected and every EOI exits', () => {
  const posted = run({ trigger: 'edge' });
  assert.ok(count(posted, 'post_interrupt') > 0);
  assert.equal(count(posted, 'vmx_inject_irq') + count(posted, 'handle_apic_eoi_induced'), 0);
  assert.ok(count(run({ trigger: 'level' }), 'handle_apic_eoi_induced') > 0);
  const injected = run({ trigger: 'edge', lapic: 'vmx-xapic' });
  assert.equal(count(injected, 'post_interrupt'), 0);
  assert.ok(count(injected, 'vmx_inject_irq') >= 3);
  assert.ok(count(injected, 'kvm_lapic_set_eoi') >= 3);
});

test('an IPI: by the fast path in x2APIC mode, by the APIC-write exit with APICv, by emulation without', () => {
  assert.ok(count(run({ lapic: 'svm-x2apic' }), 'handle_fastpath_set_x2apic_icr_irqoff') > 0);
  inOrder(run({ lapic: 'vmx-apicv' }), ['handle_apic_write', 'kvm_apic_write_nodecode', 'kvm_apic_send_ipi'], 'device_handler');
  inOrder(
    run({ lapic: 'vmx-xapic' }),
    ['handle_apic_access', 'kvm_emulate_instruction', 'apic_mmio_write', 'kvm_apic_send_ipi'],
    'device_handler',
  );
});

test('a halted CPU is woken by whoever interrupts it, and by its timer', () => {
  const of = run();
  assert.deepEqual([...new Set(threadsOf(of, 'rcuwait_wake_up'))].includes('hrtimer1'), true);
  assert.equal(state(of, 'guest_counts(guest CPU 1).ipi'), 1);
  assert.equal(state(of, 'guest_counts(guest CPU 1).timer'), 1);
  assert.equal(state(of, 'kvm_vcpu(vCPU 1).arch.mp_state'), 3);
  assert.equal(count(run({ linux: '6.1' }), 'handle_fastpath_hlt'), 0);
});

test('6.12 takes a vector in two steps, 6.1 in one', () => {
  const given = { lapic: 'svm-x2apic' };
  assert.equal(count(run({ ...given, linux: '6.1' }), 'kvm_apic_ack_interrupt'), 0);
  assert.equal(count(run({ ...given, linux: '6.12' }), 'kvm_get_apic_interrupt'), 0);
});

test('preset coalesced-edge: the second rise gives 0, and the handler runs once', () => {
  const of = preset('coalesced-edge');
  assert.equal(handled(of), 1);
  assert.ok(results(of, 'ioapic_set_irq').includes(0));
});

test('preset merged-in-irr: two messages are accepted, and the handler runs once', () => {
  for (const lapic of MODES) {
    const of = preset('merged-in-irr', { lapic });
    assert.equal(handled(of), 1);
    assert.deepEqual(
      results(of, 'ioapic_service').filter((result) => result === 1),
      [1, 1],
    );
  }
});

test('preset masked-edge: nothing at unmasking, nothing at the next rise, the one after a fall arrives', () => {
  for (const lapic of MODES) {
    const of = preset('masked-edge', { lapic });
    assert.equal(handled(of), 1);
    assert.equal(count(of, 'raise_line'), 3);
  }
  // QEMU's I/O APIC sends at every call with level 1 while the pin is open.
  assert.equal(handled(preset('masked-edge', { irqchip: 'split' })), 2);
});

test('preset still-asserted: the EOI itself sends the interrupt again', () => {
  for (const irqchip of ['on', 'split']) {
    const of = preset('still-asserted', { irqchip });
    assert.equal(handled(of), 2);
    assert.equal(count(of, 'raise_line'), 1);
    assert.equal(remoteIrr(of), 0);
  }
});

test('preset eoi-storm: the 10,000th is left to a worker, and the guest gets its pause', () => {
  const of = preset('eoi-storm');
  assert.equal(handled(of), 4);
  assert.equal(count(of, 'kvm_ioapic_eoi_inject_work'), 1);
  assert.equal(state(of, 'kvm_ioapic_pin(pin 10).irq_eoi'), 0);
});

test('preset stranded-remote-irr: silent until the guest makes the pin an edge for a moment', () => {
  const { parameters } = presetInputs(ioapic, 'stranded-remote-irr');
  const stuck = run(parameters);
  assert.equal(remoteIrr(stuck), 1);
  assert.equal(handled(stuck), 1);
  assert.equal(handled(preset('stranded-remote-irr')), 2);
});

test('presets of a moved pin: in the kernel the EOI is seen; split, 6.1 loses it and 6.12 does not', () => {
  for (const lapic of MODES) {
    const kept = preset('moved-while-in-service', { lapic });
    assert.deepEqual([handled(kept), remoteIrr(kept)], [2, 0], lapic);
    const lost = preset('moved-split-6.1', { lapic });
    assert.deepEqual([handled(lost), remoteIrr(lost)], [1, 1], lapic);
    const found = preset('moved-split-6.1', { lapic, linux: '6.12' });
    assert.deepEqual([handled(found), remoteIrr(found)], [2, 0], lapic);
  }
});

test('preset lost-by-hashing: dropped with hashing, taken by the other CPU without', () => {
  assert.equal(handled(preset('lost-by-hashing')), 0);
  const arbitrated = preset('lost-by-hashing', { destination: 'lowest-arbitrated' });
  assert.equal(state(arbitrated, 'guest_counts(guest CPU 1).device'), 1);
});

test('preset remote-irr-for-nobody: 0 by the table, -1 by asking, and that sets remote IRR', () => {
  const of = preset('remote-irr-for-nobody');
  assert.deepEqual(
    results(of, 'kvm_irq_delivery_to_apic').filter((result) => result <= 0),
    [0, 0, -1],
  );
  assert.deepEqual([remoteIrr(of), handled(of)], [1, 0]);
});

test('preset rtc-coalescing: the second tick is refused, and the guest counts one', () => {
  const of = preset('rtc-coalescing');
  assert.equal(state(of, 'guest_counts(guest CPU 0).rtc'), 1);
  assert.ok(count(of, 'rtc_irq_check_coalesced') > 1);
  assert.equal(state(of, 'kvm_ioapic(I/O APIC).rtc_status.pending_eoi'), 0);
});

test('preset rtc-tick-posted: both ticks count as delivered, and the guest counts one', () => {
  const of = preset('rtc-tick-posted');
  assert.equal(state(of, 'guest_counts(guest CPU 0).rtc'), 1);
  const refused = preset('rtc-coalescing');
  const delivered = (one: FlowRun): number => results(one, 'ioapic_service').filter((result) => result === 1).length;
  assert.deepEqual([delivered(of), delivered(refused)], [2, 1]);
});

test('preset two-cpus-one-level: both accept, both handle, one remote IRR', () => {
  const of = preset('two-cpus-one-level');
  assert.ok(results(of, 'kvm_irq_delivery_to_apic').includes(2));
  assert.equal(handled(of), 2);
});

test('preset eoi-of-nothing: nothing is ended', () => {
  const of = preset('eoi-of-nothing');
  assert.deepEqual(results(of, 'apic_set_eoi'), [-1]);
  assert.equal(count(of, 'kvm_ioapic_send_eoi'), 0);
});

test('messages: to one CPU by the table, to one of both by the vector, to everybody by asking each', () => {
  const after = (name: string): readonly number[] => {
    const of = run({ interrupts: 0 }, [{ at: 100_000, name }]);
    inOrder(
      of,
      ['kvm_apic_mem_write', 'kvm_irqchip_send_msi', 'kvm_send_userspace_msi', 'kvm_set_msi', '__apic_accept_irq'],
      'send_message',
    );
    return [0, 1].map((cpu) => state(of, `guest_counts(guest CPU ${cpu}).message`));
  };
  assert.deepEqual(['message', 'message-lowest', 'message-all'].map(after), [
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
});

test('under any schedule each interrupt is handled, nothing is left in service, and remote IRR is clear', () => {
  fc.assert(
    fc.property(fc.constantFrom(...everyWay), fc.integer({ min: 1, max: 1_000_000 }), (given, seed) => {
      const of = run({ ...given, interrupts: 2 }, [], seed);
      assert.equal(of.ending.kind, 'idle');
      assert.equal(handled(of), given['destination'] === 'both' ? 4 : 2);
      assert.equal(remoteIrr(of), 0);
      for (const cpu of [0, 1]) for (const word of [1, 3, 7]) assert.equal(state(of, `kvm_lapic(vCPU ${cpu}).APIC_ISR[${word}]`), 0);
    }),
    { numRuns: 60 },
  );
});

test('no stimulus at any step, under any schedule, makes a run throw or hang', () => {
  const anyGiven = fc.record({
    irqchip: fc.constantFrom('on', 'split'),
    trigger: fc.constantFrom('level', 'edge'),
    destination: fc.constantFrom('cpu0', 'cpu1', 'both', 'lowest-hashed', 'lowest-arbitrated', 'nobody'),
    handler: fc.constantFrom('services', 'late', 'storm', 'moves-vector', 'moves-cpu'),
    lapic: fc.constantFrom(...MODES),
    linux: fc.constantFrom('6.1', '6.12'),
    interrupts: fc.constantFrom(0, 1, 2),
  });
  const anyStimuli = fc.array(
    fc.record({ at: fc.integer({ min: 0, max: 4000 }), name: fc.constantFrom(...ioapic.stimuli.map(({ name }) => name)) }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(anyGiven, anyStimuli, fc.integer({ min: 0, max: 1000 }), (given, stimuli, seed) => {
      const of = run(given, stimuli, seed);
      assert.equal(of.ending.kind, 'idle');
      // Nobody is left waiting inside QEMU's lock.
      assert.equal(state(of, 'mutex(BQL).owner'), 0);
    }),
    { numRuns: 60 },
  );
});
