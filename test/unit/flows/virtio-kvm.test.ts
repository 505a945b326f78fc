import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName } from '../../../src/flows/text';
import { virtio_kvm } from '../../../src/flows/virtio-kvm';
import { alignBest } from '../../../src/trace/fit';

/** Each parameter changes the chain because the models branch, in the way that the sources do. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(virtio_kvm, { parameters: resolveParameters(virtio_kvm, given), stimuli, seed });

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
const enteredOn = (of: FlowRun, name: string): readonly string[] => [
  ...new Set(steps(of).flatMap(({ kind, site, thread }) => (kind === 'enter' && site.fn.name === name ? [of.threads[thread]!.id] : []))),
];

function state(of: FlowRun, name: string): number {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(of.journal.length - 1);
  return cursor.value(cell.id);
}

/** Asserts that the functions are entered in this order after the first write began, others in between. */
function inOrder(of: FlowRun, names: readonly string[], from = 'hvc_write'): void {
  const all = entered(of);
  let at = all.indexOf(from);
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

const everyWay: readonly Given[] = ['console', 'multiport', 'disk'].flatMap((device) =>
  [true, false].flatMap((ioeventfd) =>
    ['modern', 'legacy'].flatMap((transport) =>
      ['msix', 'intx', 'intx-pc'].flatMap((interrupts) => [
        { device, ioeventfd, transport, interrupts, lapic: ioeventfd ? 'vmx-apicv' : 'vmx-xapic', 'event-idx': true, linux: '6.12' },
        { device, ioeventfd, transport, interrupts, lapic: 'svm-x2apic', 'event-idx': false, linux: '6.1' },
      ]),
    ),
  ),
);

/** What holds whenever everything waits, however it came to that. */
function atRest(of: FlowRun, what: string): void {
  assert.equal(of.ending.kind, 'idle', what);
  assert.equal(state(of, 'guest_cpu(guest CPU 0).IF'), 1, what);
  assert.equal(state(of, 'mutex(BQL).owner'), 0, what);
  const queue = of.inputs.parameters['device'] === 'disk' ? 'req.0' : 'output.0';
  assert.equal(state(of, `vring_avail(${queue}).idx`), state(of, `vring_used(${queue}).idx`), what);
}

test('whatever the parameters, all that was asked for is done, every buffer comes back and no line stays up', () => {
  for (const given of everyWay) {
    const of = run(given);
    const what = JSON.stringify(given);
    atRest(of, what);
    if (given['device'] === 'disk') {
      assert.equal(state(of, 'vring_virtqueue(req.0).vq.num_free'), 8, what);
      for (const name of ['request 1', 'request 2']) {
        assert.equal(state(of, `request(${name}).wait.done`), 1, what);
        assert.equal(state(of, `virtblk_req(${name}).status`), 0, what);
      }
      assert.equal(state(of, 'PCIDevice(virtio-blk-pci).irq_state'), 0, what);
    } else {
      assert.equal(state(of, 'FDChardev(stdio).written'), 10, what);
      assert.equal(state(of, 'port(vport0p0).stats.bytes_sent'), 10, what);
      assert.equal(state(of, 'vring_virtqueue(output.0).vq.num_free'), 4, what);
      assert.equal(state(of, 'PCIDevice(virtio-serial-pci).irq_state'), 0, what);
    }
  }
});

test('with ioeventfd the main loop does the work; without, the vCPU’s own thread, while the guest waits', () => {
  const fast = run();
  inOrder(fast, [
    'vp_notify',
    'handle_ept_misconfig',
    'ioeventfd_write',
    'eventfd_signal',
    'virtio_queue_host_notifier_read',
    'handle_output',
  ]);
  assert.deepEqual(enteredOn(fast, 'do_flush_queued_data'), ['qemu']);
  const slow = run({ ioeventfd: false });
  inOrder(slow, ['vp_notify', 'kvm_mmu_page_fault', 'address_space_rw', 'virtio_pci_notify_write', 'virtio_queue_notify', 'handle_output']);
  assert.deepEqual(enteredOn(slow, 'do_flush_queued_data'), ['vcpu']);
  assert.equal(count(slow, 'ioeventfd_write'), 0);
});

test('the register layout decides the exit, the bus and what is compared', () => {
  const modern = run();
  assert.equal(state(modern, '_ioeventfd(KVM_FAST_MMIO_BUS 0xfe003004).wildcard'), 1);
  const legacy = run({ transport: 'legacy' });
  inOrder(legacy, ['vp_notify', 'handle_io', 'kvm_fast_pio', 'kvm_io_bus_write', 'ioeventfd_in_range', 'eventfd_signal']);
  assert.equal(count(legacy, 'kvm_mem_ioeventfd_add'), 0);
  assert.equal(count(legacy, 'kvm_io_ioeventfd_add'), 4);
  // The queues share the port: those before it in the list are asked first, and decline.
  const asked = entered(legacy)
    .slice(entered(legacy).indexOf('hvc_write'))
    .filter((name) => name === 'ioeventfd_in_range').length;
  assert.ok(asked > 2);
});

test('AMD-V has no fast MMIO bus: the instruction is emulated before the eventfd is found', () => {
  inOrder(run({ lapic: 'svm-x2apic' }), ['vp_notify', 'x86_emulate_instruction', 'vcpu_mmio_write', 'ioeventfd_write', 'eventfd_signal']);
});

test('messages go through KVM_SIGNAL_MSI; the pin through the chipset, until the ISR register is read', () => {
  const msix = run();
  inOrder(msix, [
    'virtio_irq',
    'msix_notify',
    'pci_msi_trigger',
    'kvm_apic_mem_write',
    'kvm_send_userspace_msi',
    'kvm_set_msi',
    'vp_vring_interrupt',
  ]);
  const intx = run({ interrupts: 'intx' });
  inOrder(intx, [
    'virtio_irq',
    'pci_set_irq',
    'ich9_lpc_set_irq',
    'kvm_set_irq',
    'vp_interrupt',
    'virtio_pci_isr_read',
    'pci_irq_deassert',
  ]);
  assert.equal(count(intx, 'kvm_send_userspace_msi'), 0);
  inOrder(run({ interrupts: 'intx-pc' }), [
    'pci_set_irq',
    'piix3_set_irq',
    'kvm_set_irq',
    'kvm_set_pic_irq',
    'kvm_set_ioapic_irq',
    'vp_interrupt',
    'pci_irq_deassert',
  ]);
});

test('control queues: the device tells of its port, and the driver answers', () => {
  const of = run({ device: 'multiport' });
  inOrder(of, ['control_out', 'send_control_event', 'control_intr', 'control_work_handler', 'add_port', 'hvc_alloc'], 'virtcons_probe');
  assert.equal(state(of, 'VirtIOSerialPort(port 0).guest_connected'), 1);
});

test('with event indices a queue that nobody empties is kicked once; without, every time', () => {
  const kicks = (given: Given): number => count(run({ device: 'multiport', ...given }), 'vp_notify');
  assert.ok(kicks({ 'event-idx': false }) > kicks({ 'event-idx': true }));
});

test('a disk: the I/O thread serves the queue, and KVM delivers inside of its write', () => {
  const of = run({ device: 'disk' });
  inOrder(of, ['virtio_queue_rq', 'virtqueue_add_sgs', 'vp_notify', 'ioeventfd_write', 'virtio_blk_handle_vq'], 'blk_mq_dispatch_rq_list');
  inOrder(
    of,
    ['event_notifier_set', 'irqfd_wakeup', 'kvm_arch_set_irq_inatomic', 'vring_interrupt', 'virtblk_done'],
    'virtio_notify_irqfd',
  );
  for (const name of ['virtio_blk_handle_vq', 'virtio_notify_irqfd', 'irqfd_wakeup'])
    assert.deepEqual(enteredOn(of, name), ['iothread'], name);
  assert.equal(count(of, 'kvm_send_userspace_msi'), 0);
  // The first GSI that is no pin of a chip.
  assert.equal(state(of, 'VirtIOIRQFD(virtio-blk-pci vector 1).virq'), 24);
  const slow = run({ device: 'disk', ioeventfd: false });
  assert.deepEqual(enteredOn(slow, 'virtio_blk_handle_vq'), ['vcpu']);
  assert.equal(count(slow, 'virtio_notify_irqfd'), 0);
});

test('a chain of descriptors is taken and freed as a whole', () => {
  const of = run({ device: 'disk' });
  const cell = of.cells.find((candidate) => cellName(candidate) === 'vring_virtqueue(req.0).vq.num_free');
  assert.ok(cell);
  const { count: writes, at } = of.journal.writesTo(cell.id, of.journal.length - 1);
  const free = Array.from({ length: writes }, (_, index) => at(index).new);
  assert.deepEqual(free, [5, 6, 7, 8, 5, 6, 7, 8]);
});

/** The run of a preset. */
function preset(id: string): FlowRun {
  const found = virtio_kvm.presets.find((candidate) => candidate.id === id);
  assert.ok(found, id);
  return run(found.parameters, found.stimuli);
}

test('preset console-drops: the driver has sent everything, the terminal has seen nothing', () => {
  const of = preset('console-drops');
  assert.equal(state(of, 'port(vport0p0).stats.bytes_sent'), 10);
  assert.equal(state(of, 'FDChardev(stdio).written'), 0);
  atRest(of, 'console-drops');
  assert.equal(count(of, 'virtio_serial_throttle_port'), 0);
});

test('preset masked: what QEMU could not send becomes pending, and goes out when the vector is opened', () => {
  const of = preset('masked');
  inOrder(
    of,
    ['msix_set_pending', 'msix_clr_pending', 'msix_notify', 'kvm_send_userspace_msi', 'vring_interrupt'],
    'msix_table_mmio_write',
  );
  const closed = run({}, [{ at: 0, name: 'mask-vector' }]);
  assert.equal(count(closed, 'kvm_send_userspace_msi'), count(run(), 'kvm_send_userspace_msi') - 3);
});

test('preset pending-when-bound: the irqfd finds the event that came while nobody listened', () => {
  const of = preset('pending-when-bound');
  inOrder(
    of,
    ['virtio_pci_vector_mask', 'virtio_notify_irqfd', 'virtio_pci_vector_unmask', 'kvm_irqfd_assign', 'irqfd_inject', 'virtblk_done'],
    'virtblk_probe',
  );
  assert.equal(count(of, 'irqfd_wakeup'), 0);
  assert.equal(state(of, 'request(request 2).wait.done'), 1);
  const closed = run({ device: 'disk' }, [{ at: 0, name: 'mask-vector' }]);
  assert.equal(state(closed, 'request(request 2).wait.done'), 0);
});

test('preset polled-isr: the register says that the device has something, though the driver has messages', () => {
  const of = preset('polled-isr');
  const polled = steps(of).findLast(({ kind, site }) => kind === 'return' && site.fn.name === 'ioread8');
  assert.equal(polled?.result, 1);
  assert.equal(state(of, 'VirtIODevice(virtio-blk-pci).isr'), 0);
});

test('preset batched: the interrupt comes from a bottom half, in the next turn of the event loop', () => {
  const of = preset('batched');
  inOrder(
    of,
    ['qemu_bh_schedule', 'aio_poll', 'aio_bh_poll', 'notify_guest_bh', 'virtio_notify_irqfd', 'irqfd_wakeup'],
    'virtio_blk_data_plane_notify',
  );
  assert.equal(count(run({ device: 'disk' }), 'notify_guest_bh'), 0);
});

test('preset pin: the main loop listens to the guest notifier, and the level stays until the ISR register is read', () => {
  const of = preset('pin');
  inOrder(
    of,
    ['virtio_queue_guest_notifier_read', 'pci_set_irq', 'vp_interrupt', 'virtio_pci_isr_read', 'pci_irq_deassert', 'virtblk_done'],
    'virtio_notify_irqfd',
  );
  assert.deepEqual(enteredOn(of, 'virtio_queue_guest_notifier_read'), ['qemu']);
  assert.equal(count(of, 'irqfd_wakeup'), 0);
});

test('preset unbind: the eventfds are taken back, the device forgets, and what comes later finds nobody', () => {
  for (const transport of ['modern', 'legacy']) {
    const of = run({ transport }, virtio_kvm.presets.find(({ id }) => id === 'unbind')?.stimuli);
    inOrder(
      of,
      [
        'virtio_break_device',
        'vp_reset',
        'virtio_device_stop_ioeventfd_impl',
        'kvm_deassign_ioeventfd',
        'virtio_bus_cleanup_host_notifier',
        'virtio_reset',
      ],
      'virtcons_remove',
    );
    assert.equal(state(of, 'VirtIODevice(virtio-serial-pci).status'), 0);
    assert.equal(state(of, 'VirtIOSerialPort(port 0).guest_connected'), 0);
    assert.equal(state(of, 'VirtioBusState(virtio-serial-pci).ioeventfd_started'), 0);
    assert.equal(count(of, 'hvc_write'), 2);
    assert.equal(entered(of).slice(entered(of).indexOf('virtio_reset')).includes('handle_output'), false);
    atRest(of, transport);
  }
});

test('preset notified-of-nothing: the device looks, finds nothing and interrupts nobody', () => {
  const of = preset('notified-of-nothing');
  assert.equal(count(of, 'handle_output'), count(run(), 'handle_output') + 2);
  atRest(of, 'notified-of-nothing');
});

test('recordings of KVM agree: an eventfd bound to a message, and one that a port signals', () => {
  const lines = (name: string): readonly string[] =>
    gunzipSync(readFileSync(`test/fixtures/traces/${name}.stacks.txt.gz`))
      .toString()
      .split('\n');
  const every = resolveParameters(virtio_kvm, {});
  const irqfd = alignBest(virtio_kvm, { ...every, device: 'disk', lapic: 'vmx-xapic' }, () => lines('kvm-05-irqfd_msi_edge')).alignment;
  assert.ok(irqfd.score >= 0.95 && irqfd.matched >= 30, `${irqfd.score} ${irqfd.matched}`);
  assert.deepEqual([irqfd.onlyInRun.first, irqfd.onlyInTrace.first], [[], []]);
  const ioeventfd = alignBest(virtio_kvm, { ...every, transport: 'legacy' }, () => lines('kvm-11-ioeventfd_pio')).alignment;
  assert.equal(ioeventfd.score, 1);
  assert.ok(ioeventfd.matched >= 8);
});

test('under any schedule and any stimuli the run ends, and nothing that was offered is left behind', () => {
  const names = virtio_kvm.stimuli.map(({ name }) => name);
  const stimuli = fc.array(fc.record({ at: fc.nat(4000), name: fc.constantFrom(...names) }), { maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...everyWay), fc.nat(100_000), stimuli, (way, seed, injected) => {
      atRest(run(way, injected, seed), JSON.stringify([way, seed, injected]));
    }),
    { numRuns: 80 },
  );
});

test('the same inputs give the same journal, and any other schedule the same result', () => {
  assert.equal(run().journal.length, run().journal.length);
  for (const seed of [1, 2, 3, 4, 5]) {
    const of = run({ device: 'multiport' }, [], seed);
    assert.equal(of.ending.kind, 'idle');
    assert.equal(state(of, 'FDChardev(stdio).written'), 10, `seed ${seed}`);
  }
});
