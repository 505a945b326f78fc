import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCursor } from '../../../src/engine/timeline';
import { resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName } from '../../../src/flows/text';
import { virtio_kvm } from '../../../src/flows/virtio-kvm';

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

const everyWay: readonly Given[] = ['console', 'multiport'].flatMap((device) =>
  [true, false].flatMap((ioeventfd) =>
    ['modern', 'legacy'].flatMap((transport) =>
      ['msix', 'intx'].flatMap((interrupts) =>
        ['vmx-apicv', 'vmx-xapic', 'svm-x2apic'].flatMap((lapic) =>
          [true, false].map((idx): Given => ({
            device,
            ioeventfd,
            transport,
            interrupts,
            lapic,
            'event-idx': idx,
            linux: idx ? '6.12' : '6.1',
          })),
        ),
      ),
    ),
  ),
);

test('whatever the parameters, the terminal gets every character, every buffer comes back and no line stays up', () => {
  for (const given of everyWay) {
    const of = run(given);
    const what = JSON.stringify(given);
    assert.equal(of.ending.kind, 'idle', what);
    assert.equal(state(of, 'FDChardev(stdio).written'), 10, what);
    assert.equal(state(of, 'port(vport0p0).stats.bytes_sent'), 10, what);
    assert.equal(state(of, 'vring_virtqueue(output.0).vq.num_free'), 4, what);
    assert.equal(state(of, 'vring_avail(output.0).idx'), state(of, 'vring_used(output.0).idx'), what);
    assert.equal(state(of, 'PCIDevice(virtio-serial-pci).irq_state'), 0, what);
    assert.equal(state(of, 'guest_cpu(guest CPU 0).IF'), 1, what);
    assert.equal(state(of, 'mutex(BQL).owner'), 0, what);
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

test('the same inputs give the same journal, and any other schedule the same result', () => {
  assert.equal(run().journal.length, run().journal.length);
  for (const seed of [1, 2, 3, 4, 5]) {
    const of = run({ device: 'multiport' }, [], seed);
    assert.equal(of.ending.kind, 'idle');
    assert.equal(state(of, 'FDChardev(stdio).written'), 10, `seed ${seed}`);
  }
});
