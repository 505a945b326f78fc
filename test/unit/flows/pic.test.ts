import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { presetInputs, resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { pic } from '../../../src/flows/pic';
import { cellName } from '../../../src/flows/text';

/** The 8259 pair, wherever it is: what the parameters change, and that the presets show what they say. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(pic, { parameters: resolveParameters(pic, given), stimuli, seed });
const preset = (id: string, changed: Given = {}): FlowRun => {
  const inputs = presetInputs(pic, id);
  return simulate(pic, {
    ...inputs,
    parameters: { ...inputs.parameters, ...resolveParameters(pic, { ...inputs.parameters, ...changed }) },
  });
};

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;

function state(of: FlowRun, name: string): number {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(of.journal.length - 1);
  return cursor.value(cell.id);
}

/** How often each handler had something to do, and how often nobody had. */
const handled = (of: FlowRun) => ({
  serial: state(of, 'pc_drivers(guest).handled[4]'),
  edu: state(of, 'pc_drivers(guest).handled[10]'),
  second: state(of, 'pc_drivers(guest).handled[12]'),
  spurious: state(of, 'pc_drivers(guest).spurious'),
});

/** Asserts that the functions are entered in this order, others in between. */
function inOrder(of: FlowRun, from: string, names: readonly string[]): void {
  const all = entered(of);
  let at = all.indexOf(from);
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

const WAYS: readonly Given[] = [
  { accel: 'tcg' },
  ...['vmx', 'svm'].flatMap((accel) => ['off', 'split', 'on'].map((irqchip): Given => ({ accel, irqchip }))),
];
const ON: Given = { accel: 'vmx', irqchip: 'on' };

describe('wherever the chips are', () => {
  for (const way of WAYS) {
    const what = Object.values(way).join(' ');
    it(`${what}: every guest gets every interrupt`, () => {
      for (const guest of ['linux', 'nested', 'rotating', 'special-mask']) {
        for (const overlap of ['none', 'more-urgent', 'less-urgent', 'again', 'together']) {
          const of = run({ ...way, guest, overlap });
          const { serial, edu, second } = handled(of);
          const expected = {
            none: [1, 2, 0],
            'more-urgent': [1, 3, 0],
            'less-urgent': [2, 2, 0],
            again: [1, 3, 0],
            together: [1, 3, 1],
          }[overlap];
          assert.equal(of.ending.kind, 'idle');
          assert.deepEqual([serial, edu, second], expected, `${guest} ${overlap}`);
          assert.equal(state(of, 'EduState(edu).irq_status'), 0);
        }
      }
    });
  }
});

test('TCG: the vector is fetched and delivered between two blocks of translated code', () => {
  inOrder(run(), 'send', ['pic_set_irq', 'pic_irq_request', 'apic_local_deliver', 'cpu_interrupt', 'tcg_handle_interrupt']);
  inOrder(run(), 'tcg_handle_interrupt', [
    'cpu_handle_interrupt',
    'x86_cpu_exec_interrupt',
    'pic_read_irq',
    'pic_intack',
    'do_interrupt_x86_hardirq',
    'common_interrupt',
  ]);
});

test('KVM without chips: the vector is fetched by QEMU and queued', () => {
  const of = run({ accel: 'svm', irqchip: 'off' });
  inOrder(of, 'send', [
    'pic_set_irq',
    'pic_irq_request',
    'generic_handle_interrupt',
    'kvm_arch_pre_run',
    'pic_read_irq',
    'kvm_vcpu_ioctl_interrupt',
    'kvm_check_and_inject_events',
    'svm_inject_irq',
    'common_interrupt',
    'mask_and_ack_8259A',
  ]);
  assert.ok(count(of, 'kvm_handle_halt') > 0, 'the guest halts in QEMU');
  assert.equal(count(of, 'vcpu_block'), 0);
});

test('split: KVM keeps the vector of QEMU’s PIC until the guest can take it', () => {
  const of = run({ accel: 'vmx', irqchip: 'split' });
  inOrder(of, 'send', [
    'pic_set_irq',
    'pic_irq_request',
    'pic_read_irq',
    'kvm_vcpu_ioctl_interrupt',
    'kvm_cpu_get_extint',
    'vmx_inject_irq',
  ]);
  assert.equal(count(of, 'apic_local_deliver'), 0, 'QEMU has no local APIC then');
});

test('the kernel: a line is an ioctl, and the acknowledge cycle happens before the entry', () => {
  const of = run(ON);
  inOrder(of, 'send', [
    'kvm_pic_set_irq',
    'kvm_vm_ioctl_irq_line',
    'kvm_set_pic_irq',
    'pic_set_irq1',
    'kvm_pic_read_irq',
    'vmx_inject_irq',
    'common_interrupt',
  ]);
  assert.equal(count(of, 'pic_read_irq'), 0);
  assert.ok(count(of, 'picdev_master_write') > 0);
});

test('set-up tells the kernel a PC’s routes: 15 to the PIC and 23 to the I/O APIC, none for GSI 2', () => {
  assert.equal(count(run(ON), 'kvm_irqchip_add_irq_route'), 38);
  assert.equal(count(run({ accel: 'vmx', irqchip: 'off' }), 'kvm_irqchip_add_irq_route'), 0);
});

test('a device’s thread kicks a CPU that runs, and wakes one that sleeps', () => {
  const of = run({ accel: 'vmx', irqchip: 'off' });
  inOrder(of, 'compute_factorial', ['edu_raise_irq', 'cpu_interrupt', 'qemu_cpu_kick', 'cpus_kick_thread', 'pic_read_irq', 'edu_irq']);
  assert.ok(count(of, 'kvm_ipi_signal') > 0, 'the signal’s handler runs on the CPU’s thread');
});

describe('presets', () => {
  it('masked-edge: the second edge comes with the unmask, and nobody has a use for it', () => {
    const of = preset('masked-edge');
    inOrder(of, 'mask_and_ack_8259A', [
      'uart_transmit',
      'pic_set_irq',
      'cond_unmask_irq',
      'unmask_8259A_irq',
      'pic_read_irq',
      'mask_and_ack_8259A',
      'uart_irq',
    ]);
    assert.equal(handled(of).spurious, 1);
  });

  it('lost-edge-elcr: level-triggered the same thing is harmless', () => {
    assert.equal(handled(preset('lost-edge-elcr')).edu, 1);
    assert.equal(state(preset('lost-edge-elcr'), 'EduState(edu).irq_status'), 0x5);
    assert.equal(handled(preset('lost-edge-elcr', { mistake: 'none' })).edu, 3);
  });

  it('lost-edge-hasty: the byte is never sent, and the line stays high', () => {
    const of = preset('lost-edge-hasty');
    assert.equal(state(of, 'pc_drivers(guest).sent'), 0);
    assert.equal(state(of, 'PICCommonState(master).last_irr') & 0x10, 0x10);
    assert.equal(state(of, 'PICCommonState(master).irr') & 0x10, 0);
  });

  it('spurious-15: only the master had something in service', () => {
    for (const way of WAYS) {
      const of = preset('spurious-15', way);
      assert.equal(count(of, 'spurious_interrupt'), 1, JSON.stringify(way));
      assert.equal(handled(of).edu, 2);
    }
  });

  it('spurious-7: with KVM’s chips only', () => {
    for (const way of WAYS)
      assert.equal(
        count(preset('spurious-7', { irqchip: 'off', ...way }), 'spurious_interrupt'),
        way['irqchip'] === 'on' ? 1 : 0,
        JSON.stringify(way),
      );
  });

  it('slave-aeoi-lost: with QEMU’s chips only', () => {
    for (const way of WAYS) {
      const { second, edu } = handled(preset('slave-aeoi-lost', way));
      assert.deepEqual([edu, second], way['irqchip'] === 'on' ? [3, 1] : [2, 0], JSON.stringify(way));
    }
  });

  it('kvm-aeoi-spurious: one for each interrupt of edu', () => {
    assert.equal(handled(preset('kvm-aeoi-spurious')).spurious, 3);
    assert.equal(handled(preset('kvm-aeoi-spurious', { irqchip: 'off' })).spurious, 1);
  });

  it('isr-survives-icw1: nothing is delivered any more', () => {
    const of = preset('isr-survives-icw1');
    assert.deepEqual([handled(of).edu, handled(of).serial], [1, 1]);
    assert.equal(state(of, 'kvm_kpic_state(master).isr'), 0x4);
    assert.deepEqual(handled(preset('isr-survives-icw1', { irqchip: 'off' })).serial, 2);
  });

  it('special-mask and special-mask-ignored: the less urgent one interrupts the handler, or waits', () => {
    const nests = (of: FlowRun): boolean => {
      const all = steps(of);
      let depth = 0;
      for (const { kind, site } of all) {
        if (site.fn.name === 'edu_irq') depth += kind === 'enter' ? 1 : kind === 'return' ? -1 : 0;
        if (depth > 0 && kind === 'enter' && site.fn.name === 'uart_irq') return true;
      }
      return false;
    };
    assert.equal(nests(preset('special-mask')), true);
    assert.equal(nests(preset('special-mask-ignored')), false);
  });

  it('poll-6.1: nothing is ever served; 6.12 serves all', () => {
    assert.deepEqual(handled(preset('poll-6.1')), { serial: 0, edu: 0, second: 0, spurious: 0 });
    assert.equal(handled(preset('poll-6.1', { linux: '6.12' })).edu, 1);
  });

  it('poll-level: the second reason is not found', () => {
    assert.equal(handled(preset('poll-level')).edu, 1);
    assert.equal(handled(preset('poll-level', { irqchip: 'off' })).edu, 2);
  });

  it('rotation: the second port goes before edu', () => {
    const order = (of: FlowRun): string[] =>
      entered(of).filter((name, index, all) => name === 'edu_irq' || (name === 'uart_irq' && all.indexOf(name) !== index));
    assert.notDeepEqual(order(preset('rotation')), order(preset('rotation', { guest: 'nested' })));
  });

  it('nesting: edu is served in the middle of the port’s handler', () => {
    const of = preset('nesting');
    const uart = steps(of).findIndex(({ kind, site }) => kind === 'enter' && site.fn.name === 'uart_irq');
    const end = steps(of).findIndex(({ kind, site }) => kind === 'return' && site.fn.name === 'uart_irq');
    const edu = steps(of).findIndex(({ kind, site }) => kind === 'enter' && site.fn.name === 'edu_irq');
    assert.ok(uart < edu && edu < end);
  });

  it('interrupt-window: KVM comes back when the guest can take the vector', () => {
    const of = preset('interrupt-window');
    inOrder(of, 'work', [
      'kvm_arch_pre_run',
      'svm_enable_irq_window',
      'interrupt_window_interception',
      'kvm_vcpu_ready_for_interrupt_injection',
      'pic_read_irq',
      'kvm_vcpu_ioctl_interrupt',
    ]);
  });

  it('kernel-twice: each change of an ISA line is two ioctls', () => {
    const of = preset('kernel-twice');
    assert.equal(count(of, 'kvm_vm_ioctl_irq_line'), 2 * count(of, 'gsi_handler'));
  });
});

test('a name of older texts is gone, and some run enters what does its work today', () => {
  const known = new Set(
    WAYS.flatMap((way) => steps(run(way)).flatMap(({ kind, site: { fn } }) => (kind === 'enter' ? [`${fn.home.world} ${fn.name}`] : []))),
  );
  for (const { name, today } of pic.historical) {
    assert.ok(!known.has(`qemu ${name}`), `${name} is not a thing of the past`);
    for (const now of today)
      assert.ok(known.has(`qemu ${now}`) || known.has(`linux ${now}`), `${name} is done by ${now}, which no run enters`);
  }
});

test('the board is made, and its lines are driven, by functions that already stood in qemu-kvm 0.12', () => {
  const known = new Set(WAYS.flatMap((way) => entered(run(way))));
  const old =
    'pc_init1 qemu_allocate_irqs i8259_init kvm_i8259_init pic_irq_request qemu_set_irq qemu_irq_raise pic_update_irq pic_get_irq pic_set_irq1';
  assert.deepEqual(
    old.split(' ').filter((name) => !known.has(name)),
    [],
  );
});

test('whatever happens from outside, and in whatever order threads run, the run comes to rest', () => {
  const names = pic.stimuli.map(({ name }) => name);
  const stimuli = fc.array(fc.record({ at: fc.integer({ min: 0, max: 9000 }), name: fc.constantFrom(...names) }), { maxLength: 6 });
  const given = fc.record({
    way: fc.constantFrom(...WAYS),
    guest: fc.constantFrom('linux', 'nested', 'rotating', 'special-mask', 'auto-eoi', 'polling'),
    overlap: fc.constantFrom('none', 'more-urgent', 'less-urgent', 'again', 'together', 'withdrawn', 'reinitialized', 'forgotten'),
    mistake: fc.constantFrom('none', 'elcr', 'hasty'),
    linux: fc.constantFrom('6.1', '6.12'),
  });
  fc.assert(
    fc.property(given, stimuli, fc.nat({ max: 20 }), ({ way, ...rest }, inputs, seed) => {
      assert.equal(run({ ...way, ...rest }, inputs, seed).ending.kind, 'idle');
    }),
    { numRuns: 60 },
  );
});
