import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { acrn_virtio_console } from '../../../src/flows/acrn-virtio-console';
import { presetInputs, resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName } from '../../../src/flows/text';

/** Each parameter changes the chain because the models branch, in the way that the sources do. */

type Given = Readonly<Record<string, unknown>>;
type Stimuli = FlowRun['inputs']['stimuli'];

const run = (given: Given = {}, stimuli: Stimuli = [], seed = 0): FlowRun =>
  simulate(acrn_virtio_console, { parameters: resolveParameters(acrn_virtio_console, given), stimuli, seed });
const preset = (id: string): FlowRun => simulate(acrn_virtio_console, presetInputs(acrn_virtio_console, id));

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
const threadsOf = (of: FlowRun, name: string): ReadonlySet<string> =>
  new Set(steps(of).flatMap(({ kind, site, thread }) => (kind === 'enter' && site.fn.name === name ? [of.threads[thread]!.id] : [])));

function cellOf(of: FlowRun, name: string) {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  return cell;
}

function state(of: FlowRun, name: string): number {
  const cursor = createCursor(of);
  cursor.seek(of.journal.length - 1);
  return cursor.value(cellOf(of, name).id);
}

/** Every write to a cell: the old value, the new one, and the thread that made it. */
const writes = (of: FlowRun, name: string) => {
  const { id } = cellOf(of, name);
  return Array.from({ length: of.journal.writeCount }, (_, i) => of.journal.write(i))
    .filter(({ cell }) => cell === id)
    .map(({ old, new: value, step }) => ({ old, value, step, thread: of.threads[of.journal.thread(step)]!.id }));
};

/** Asserts that the functions are entered in this order, others in between, after the first entry of `from`. */
function inOrder(of: FlowRun, names: readonly string[], from: string): void {
  const all = entered(of);
  let at = all.indexOf(from);
  assert.notEqual(at, -1, `${from} is not entered`);
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

const FREE = 3;
const PENDING = 0;
const PROCESSING = 2;
const COMPLETE = 1;
const SLOT = 'acrn_io_request(VM1 slot 0).processed';
const SHOWN = 'tty_struct(host terminal).shown';
const READ = 'hvc_struct(hvc0).read_total';
const HELLO = 5;

const everyWay = ['6.1', '6.12'].flatMap((linux) =>
  ['legacy', 'modern'].flatMap((transport) =>
    ['msix', 'intx'].flatMap((interrupt) =>
      ['advanced', 'basic'].flatMap((apicv) =>
        [false, true].flatMap((iothread) =>
          [false, true].map((polling): Given => ({ linux, transport, interrupt, apicv, iothread, polling })),
        ),
      ),
    ),
  ),
);

/** What holds when everything has come to rest and nobody made a mistake. */
function allIsWell(of: FlowRun, what: string): void {
  assert.equal(of.ending.kind, 'idle', what);
  assert.equal(state(of, SLOT), FREE, what);
  assert.equal(state(of, 'guest(VM1).oops'), 0, what);
  for (const client of ['acrndm', 'ioeventfd-1']) assert.equal(state(of, `acrn_ioreq_client(${client}).ioreqs_map`), 0, what);
  assert.equal(state(of, 'mutex(ioreq_clients_lock).owner'), 0, what);
  assert.equal(state(of, 'sched_event(VM1 vCPU 0 VCPU_EVENT_IOREQ).set'), 0, what);
  assert.equal(state(of, 'vring_virtqueue(output).vq.num_free'), 4, what);
  assert.equal(state(of, 'vring_virtqueue(input).vq.num_free'), 0, what);
}

test('whatever the parameters, what is written is shown, what is typed is read, and everything is free again at the end', () => {
  for (const given of everyWay) {
    const of = run({ ...given, writes: 2 });
    const what = JSON.stringify(given);
    allIsWell(of, what);
    assert.equal(state(of, SHOWN), 2 * HELLO, what);
    assert.equal(state(of, READ), 2, what);
  }
});

test('a slot goes round: FREE, PENDING by the hypervisor, PROCESSING and COMPLETE by the Service VM, FREE by the hypervisor', () => {
  for (const given of [{}, { iothread: true }, { polling: true }]) {
    const changes = writes(run(given), SLOT).filter(({ old, value }) => old !== value);
    const round = [
      { from: FREE, to: PENDING, by: ['hv-user'] },
      { from: PENDING, to: PROCESSING, by: ['ioreq_wq'] },
      { from: PROCESSING, to: COMPLETE, by: ['dm-vcpu', 'ioeventfd'] },
      { from: COMPLETE, to: FREE, by: ['hv-user'] },
    ] as const;
    for (const [i, { old, value, thread }] of changes.entries()) {
      const { from, to, by } = round[i % round.length]!;
      assert.deepEqual([old, value], [from, to]);
      assert.ok((by as readonly string[]).includes(thread), `${from} → ${to} by ${thread}`);
    }
    assert.equal(changes.length % round.length, 0);
  }
});

test('the default client: the kick is served by the device model’s request thread, inside of the access', () => {
  const of = run();
  inOrder(
    of,
    [
      'put_chars',
      '__send_to_port',
      'virtqueue_kick',
      'vp_notify',
      'pio_instr_vmexit_handler',
      'emulate_io',
      'hv_emulate_pio',
      'acrn_insert_request',
      'arch_fire_hsm_interrupt',
      'sysvec_acrn_hv_callback',
      'ioreq_intr_handler',
      'ioreq_dispatcher',
      'acrn_ioreq_dispatch',
      'find_ioreq_client',
      'handle_vmexit',
      'emulate_inout',
      'pci_emul_io_handler',
      'virtio_pci_write',
      'virtio_pci_legacy_write',
      'virtio_console_notify_tx',
      'virtio_console_backend_write',
      'vq_endchains',
      'hcall_inject_msi',
      'vm_notify_request_done',
      'hcall_notify_ioreq_finish',
      'dm_emulate_io_complete',
      'complete_ioreq',
    ],
    'hvc_write',
  );
  assert.deepEqual([...threadsOf(of, 'virtio_console_notify_tx')], ['dm-vcpu']);
  assert.equal(count(of, 'acrn_ioeventfd_handler'), 0);
  assert.equal(count(of, 'virtio_set_iothread'), 0);
});

test('the upcall is a hard interrupt, its work a worker’s: the handler touches no slot', () => {
  const of = run();
  assert.deepEqual([...threadsOf(of, 'ioreq_intr_handler')], ['service']);
  assert.deepEqual([...threadsOf(of, 'acrn_ioreq_dispatch')], ['ioreq_wq']);
  assert.equal(writes(of, SLOT).filter(({ thread }) => thread === 'service').length, 0);
  assert.equal(state(of, 'irq_cpustat_t(Service VM CPU 0).irq_hv_callback_count'), count(of, 'acrn_insert_request'));
});

test('iothread: after DRIVER_OK every kick stays in the kernel, and the I/O thread serves the queue', () => {
  const of = run({ iothread: true });
  inOrder(
    of,
    ['virtio_set_iothread', 'iothread_add', 'virtio_register_ioeventfd', 'acrn_ioeventfd_assign', 'acrn_ioreq_range_add'],
    'virtio_pci_status_handler',
  );
  inOrder(of, ['ioreq_task', 'acrn_ioeventfd_handler', 'eventfd_signal', 'ep_poll_callback'], 'virtio_console_init');
  inOrder(of, ['acrn_ioeventfd_handler', 'iothread_handler', 'virtio_console_notify_tx', 'virtio_console_backend_write'], 'hvc_write');
  assert.deepEqual([...threadsOf(of, 'virtio_console_notify_tx')], ['dm-iothread']);
  // Reading the status and setting it, before there were ioeventfds.
  assert.equal(count(of, 'handle_vmexit'), 2);
  assert.equal(state(of, 'acrn_io_request(VM1 slot 0).kernel_handled'), 1);
});

test('iothread: the driver spins for its buffer, because the access ends before the queue is served', () => {
  const spins = (of: FlowRun): number => steps(of).filter(({ site }) => site.anchor?.token === 'cpu_relax').length;
  assert.equal(spins(run()), 0);
  assert.ok(spins(run({ iothread: true })) > 0);
});

test('polling: no hypercall at completion, no sleep, and completion_polling is set', () => {
  const of = run({ polling: true });
  assert.equal(count(of, 'hcall_notify_req_finish'), 0);
  assert.equal(count(of, 'hcall_notify_ioreq_finish'), 0);
  assert.ok(count(of, 'has_complete_ioreq') >= count(of, 'acrn_insert_request'));
  assert.equal(state(of, 'acrn_io_request(VM1 slot 0).completion_polling'), 1);
  const asleep = steps(of).filter(({ site }) => site.fn.name === 'wait_event' && site.anchor?.token === 'waiting_thread');
  assert.ok(asleep.length > 0, 'an idle guest still sleeps');
  assert.equal(writes(of, 'sched_event(VM1 vCPU 0 VCPU_EVENT_IOREQ).waiting_thread').length, 0);
});

test('transport: ports exit as I/O instructions, memory as EPT violations that have to be decoded', () => {
  const legacy = run();
  assert.ok(count(legacy, 'pio_instr_vmexit_handler') > 0 && count(legacy, 'ept_violation_vmexit_handler') === 0);
  const modern = run({ transport: 'modern' });
  assert.ok(count(modern, 'pio_instr_vmexit_handler') === 0 && count(modern, 'ept_violation_vmexit_handler') > 0);
  inOrder(
    modern,
    [
      'hv_emulate_mmio',
      'acrn_insert_request',
      'vmexit_mmio_emul',
      'emulate_mem',
      'mem_write',
      'pci_emul_mem_handler',
      'virtio_pci_modern_mmio_write',
      'virtio_notify_cfg_write',
    ],
    'hvc_write',
  );
});

test('intx: the handler reads the ISR register, which lets the line go; the EOI frees the pin', () => {
  for (const apicv of ['advanced', 'basic']) {
    const of = run({ interrupt: 'intx', apicv });
    inOrder(
      of,
      [
        'pci_lintr_assert',
        'hcall_set_irqline',
        'vioapic_set_irqline_lock',
        'vlapic_receive_intr',
        'vp_interrupt',
        'virtio_pci_legacy_read',
        'pci_lintr_deassert',
        'vp_vring_interrupt',
        'vring_interrupt',
        'vioapic_broadcast_eoi',
      ],
      'virtcons_probe',
    );
    assert.equal(state(of, 'pci_vdev(virtio-console).lintr.state'), 0);
    assert.equal(state(of, 'virtio_base(virtio-console).isr'), 0);
    assert.equal(count(of, 'hcall_inject_msi'), 0);
    // The PIC is deaf to pins from 16 up.
    assert.equal(count(of, 'vpic_set_irqline'), 0);
    const rte = of.cells.find((cell) => cell.component.name.endsWith('rtbl[16]') && cell.name === 'u.lo_32');
    const cursor = createCursor(of);
    cursor.seek(of.journal.length - 1);
    assert.equal(cursor.value(rte!.id) & 0x4000, 0, 'remote IRR');
  }
});

test('apicv: advanced takes posted vectors without an exit; basic kicks, injects, asks for the window and exits at EOI', () => {
  const advanced = run();
  const basic = run({ apicv: 'basic' });
  for (const name of ['apicv_advanced_accept_intr', 'process_posted_interrupts', 'virtualize_EOI']) {
    assert.ok(count(advanced, name) > 0 && count(basic, name) === 0, name);
  }
  for (const name of [
    'apicv_basic_accept_intr',
    'interrupt_window_vmexit_handler',
    'wrmsr_vmexit_handler',
    'external_interrupt_vmexit_handler',
  ]) {
    assert.ok(count(advanced, name) === 0 && count(basic, name) > 0, name);
  }
});

test('linux: 6.12 looks a vector up in a function of its own, and epoll delivers in one', () => {
  const names = (linux: string) => new Set(entered(run({ linux })));
  const [old, recent] = [names('6.1'), names('6.12')];
  for (const name of ['call_irq_handler', 'ep_deliver_event']) assert.ok(!old.has(name) && recent.has(name), name);
});

test('the control queue: ready, a port, its name, opened; then ready, a console; and the driver opens it', () => {
  const of = run();
  const notes = (name: string): (string | undefined)[] =>
    steps(of).flatMap(({ kind, site }) =>
      kind === 'at' && site.fn.name === name && site.note?.startsWith('VIRTIO_CONSOLE_') ? [site.note] : [],
    );
  assert.deepEqual(notes('__send_control_msg'), ['VIRTIO_CONSOLE_DEVICE_READY', 'VIRTIO_CONSOLE_PORT_READY', 'VIRTIO_CONSOLE_PORT_OPEN']);
  assert.deepEqual(notes('virtio_console_control_send'), [
    'VIRTIO_CONSOLE_PORT_ADD',
    'VIRTIO_CONSOLE_PORT_NAME',
    'VIRTIO_CONSOLE_PORT_OPEN',
    'VIRTIO_CONSOLE_CONSOLE_PORT',
  ]);
  // Output is not control.
  assert.equal(count(of, 'virtio_console_control_tx'), 3);
  assert.equal(count(of, 'virtio_console_backend_write'), 1);
});

test('three answers at once are one interrupt: the vector is a bit', () => {
  const of = run();
  const from = entered(of).indexOf('virtio_console_control_tx');
  const firstHandler = entered(of).indexOf('control_intr', from);
  const sent = entered(of).slice(from, firstHandler);
  assert.equal(
    sent.filter((name) => name === 'hcall_inject_msi').length,
    6,
    'the Service VM’s wrapper and the hypervisor’s function, three times',
  );
  assert.equal(sent.filter((name) => name === 'vring_interrupt').length, 1);
});

test('the interrupt of the output queue comes too late: the writer has spun, and nothing is left', () => {
  const of = run();
  const results = steps(of).flatMap(({ kind, site, result }) => (kind === 'return' && site.fn.name === 'vring_interrupt' ? [result] : []));
  assert.ok(results.includes(0));
  assert.equal(count(of, 'out_intr'), 0);
});

test('stimulus read-config: the address is kept in the kernel, the data becomes a configuration request', () => {
  const of = run({}, [{ at: 10_000, name: 'read-config' }]);
  assert.equal(state(of, 'acrn_vm(/dev/acrn_hsm).pci_conf_addr'), 0x80000000);
  assert.equal(count(of, 'vmexit_pci_emul'), 1);
  assert.equal(state(of, 'guest_cpu(VM1 vCPU 0).RAX'), 0xffffffff);
  // The first access never reached the device model.
  assert.equal(count(of, 'handle_vmexit'), count(run(), 'handle_vmexit') + 1);
});

test('stimulus move-interrupt alone loses nothing', () => {
  const of = run({}, [{ at: 0, name: 'move-interrupt' }]);
  allIsWell(of, 'moved');
  assert.equal(state(of, READ), 2);
  inOrder(of, ['pci_emul_msix_twrite', 'pci_emul_msix_twrite', 'pci_emul_msix_twrite', 'pci_emul_msix_tread'], 'moves_interrupt');
});

test('preset masked-message: the message is dropped, and the input waits for the next one', () => {
  const of = preset('masked-message');
  const typed = writes(of, 'tty_struct(host terminal).typed').filter(({ value }) => value > 0);
  const read = writes(of, READ);
  assert.equal(typed.length, 2);
  assert.equal(read.length, 1, 'both are read at once');
  assert.ok(read[0]!.step > typed[1]!.step);
  assert.equal(read[0]!.value, 4);
});

test('preset late-finish: a wait that does not wait, then a slot that is not free, then a fault', () => {
  const of = preset('late-finish');
  assert.equal(state(of, 'guest(VM1).oops'), 1);
  assert.equal(count(of, 'vcpu_inject_gp'), 1);
  // PENDING was never taken back by the hypervisor: the access after it was refused.
  const kicks = steps(of).filter(({ kind, site }) => kind === 'return' && site.fn.name === 'acrn_insert_request');
  assert.equal(kicks.at(-1)?.result, -22);
  assert.equal(state(of, SHOWN), 2 * HELLO, 'what was written before is shown, also by the access that did not wait');
});

test('preset finish-of-a-free-slot: COMPLETE that nobody will free', () => {
  const of = preset('finish-of-a-free-slot');
  assert.equal(state(of, SLOT), COMPLETE);
  assert.equal(state(of, 'guest(VM1).oops'), 1);
  assert.ok(writes(of, SLOT).some(({ old, value }) => old === FREE && value === COMPLETE));
});

test('the PIC: its ports are answered by the hypervisor itself, and the serial port’s edge reaches the guest', () => {
  const quiet = run({}, [{ at: 0, name: 'use-pic' }]);
  assert.equal(count(quiet, 'acrn_insert_request'), count(run(), 'acrn_insert_request'));
  assert.ok(count(quiet, 'vpic_primary_io_write') > 0);
  const of = run({}, [...quiet.inputs.stimuli, { at: 10_000, name: 'serial-line' }]);
  assert.equal(state(of, 'guest(VM1).pic_interrupts'), 1);
  assert.equal(state(of, 'i8259_reg_state(VM1 primary).intr_raised'), 0);
});

test('preset pic-latch: the request goes before the VM entry, and neither it nor the next one ever arrives', () => {
  const of = preset('pic-latch');
  assert.equal(state(of, 'guest(VM1).pic_interrupts'), 0);
  assert.equal(state(of, 'i8259_reg_state(VM1 primary).intr_raised'), 1);
  assert.equal(count(of, 'vcpu_do_pending_extint'), 1);
  assert.equal(count(of, 'serial_interrupts'), 2);
  // With the edge outside of the masking everything arrives.
  const well = run({}, [
    { at: 0, name: 'use-pic' },
    { at: 10_000, name: 'serial-line' },
    { at: 10_001, name: 'mask-pic' },
    { at: 10_002, name: 'serial-line' },
  ]);
  assert.equal(state(well, 'guest(VM1).pic_interrupts'), 2);
});

test('intx: the guest opens its pin by accesses that never leave the hypervisor', () => {
  const of = run({ interrupt: 'intx' });
  inOrder(of, ['ept_violation_vmexit_handler', 'hv_emulate_mmio', 'vioapic_mmio_access_handler'], 'routes_line');
});

test('stimulus vhost-call: an eventfd’s signal becomes an interrupt in the signaller’s context, and the device model takes no part', () => {
  const quiet = run();
  const of = run({}, [{ at: 10_000, name: 'vhost-call' }]);
  inOrder(of, ['hsm_irqfd_wakeup', 'acrn_irqfd_inject', 'acrn_msi_inject', 'vlapic_inject_msi', 'vring_interrupt'], 'acrn_irqfd_assign');
  assert.equal(count(of, 'handle_vmexit'), count(quiet, 'handle_vmexit'));
  const twice = run({}, [...of.inputs.stimuli, { at: 10_001, name: 'vhost-call' }]);
  assert.equal(count(twice, 'hsm_irqfd_wakeup'), 2, 'the second time the irqfd is there already');
});

test('every preset and every historical name means something', () => {
  const known = new Set(everyWay.slice(0, 64).flatMap((given) => entered(run(given))));
  for (const { name, today } of acrn_virtio_console.historical) {
    assert.ok(!known.has(name), `${name} is not a thing of the past`);
    for (const function_ of today) assert.ok(known.has(function_), `${name} is done by ${function_}, which no run enters`);
  }
  for (const { id } of acrn_virtio_console.presets) assert.notEqual(preset(id).ending.kind, 'limit', id);
});

const MISTAKES = new Set(['finish', 'finish-late']);
const honest = acrn_virtio_console.stimuli.map(({ name }) => name).filter((name) => !MISTAKES.has(name));

test('under any schedule, and whatever happens from outside, every access ends and every character arrives', () => {
  const stimuli = fc.array(fc.record({ at: fc.nat(6000), name: fc.constantFrom(...honest) }), { maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...everyWay), fc.nat(100_000), stimuli, (way, seed, injected) => {
      const of = run(way, injected, seed);
      allIsWell(of, JSON.stringify(way));
      const written = 1 + injected.filter(({ name }) => name === 'write').length;
      assert.equal(state(of, SHOWN), written * HELLO);
    }),
    { numRuns: 60 },
  );
});

test('a device model that finishes what it should not can only hurt its own guest: no run hangs', () => {
  const all = acrn_virtio_console.stimuli.map(({ name }) => name);
  const stimuli = fc.array(fc.record({ at: fc.nat(6000), name: fc.constantFrom(...all) }), { maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...everyWay), fc.nat(100_000), stimuli, (way, seed, injected) => {
      assert.notEqual(run(way, injected, seed).ending.kind, 'limit');
    }),
    { numRuns: 60 },
  );
});
