import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { chapterSteps, presetInputs, resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName, resultText } from '../../../src/flows/text';
import { vfio_msi } from '../../../src/flows/vfio-msi';

/** Messages: each parameter changes the chain, each preset shows what it says, and the invariants of posting hold at every step. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(vfio_msi, { parameters: resolveParameters(vfio_msi, given), stimuli, seed });
const preset = (id: string): FlowRun => simulate(vfio_msi, presetInputs(vfio_msi, id));

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
const threadsOf = (of: FlowRun, name: string): string[] => [
  ...new Set(steps(of).flatMap(({ kind, site, thread }) => (kind === 'enter' && site.fn.name === name ? [of.threads[thread]!.id] : []))),
];

function state(of: FlowRun, name: string, step = of.journal.length - 1): number {
  const cell = of.cells.findLast((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(step);
  return cursor.value(cell.id);
}

const handled = (of: FlowRun): number => state(of, 'edu_driver(guest).handled');
const pending = (of: FlowRun): number => state(of, 'pci_function(00:03.0).irq_status');

/** The names entered from the last time that the device wrote a message. */
const delivery = (of: FlowRun): string[] => {
  const all = entered(of);
  return all.slice(all.lastIndexOf('post_message'));
};

/** Asserts that functions are entered in this order, others in between. */
function inOrder(all: readonly string[], names: readonly string[]): void {
  let at = -1;
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

const LINUX = ['6.1', '6.12'];
const TYPES = ['msix', 'msi', 'multi-msi'];
const LAPICS = ['vmx-apicv', 'vmx-xapic', 'vmx-x2apic', 'svm-x2apic'];
const everyWay = LINUX.flatMap((linux) =>
  TYPES.flatMap((type) =>
    ['on', 'nopost', 'off'].flatMap((intremap) =>
      LAPICS.flatMap((lapic) =>
        [true, false].flatMap((kvm) => ['poll', 'hlt'].map((idle): Given => ({ linux, type, intremap, lapic, 'kvm-msi': kvm, idle }))),
      ),
    ),
  ),
);
const aborts = ({ type, intremap }: Given): boolean => type === 'multi-msi' && intremap === 'off';
const posts = (given: Given): boolean => given['intremap'] === 'on' && given['lapic'] === 'vmx-apicv' && given['kvm-msi'] === true;

test('whatever the parameters, the guest serves every message; only a host that has too few vectors ends QEMU', () => {
  for (const given of everyWay) {
    const of = run(given);
    const what = JSON.stringify(given);
    assert.equal(of.ending.kind, 'idle', what);
    assert.equal(handled(of), aborts(given) ? 0 : 3, what);
    assert.equal(count(of, 'post_by_hardware'), posts(given) ? 3 : 0, what);
    assert.equal(count(of, 'vfio_msihandler'), posts(given) || aborts(given) ? 0 : 3, what);
  }
});

test('set-up of MSI: INTx goes, a route and an irqfd for each message, and only then VFIO', () => {
  inOrder(entered(run({ type: 'msi' })), [
    'pci_host_data_write',
    'pci_data_write',
    'pci_host_config_write_common',
    'vfio_pci_write_config',
    'vfio_msi_config_write',
    'msi_write_config',
    'vfio_msi_enable',
    'vfio_intx_disable',
    'vfio_prepare_kvm_msi_virq_batch',
    'vfio_add_kvm_msi_virq',
    'kvm_irqchip_add_msi_route',
    'vfio_commit_kvm_msi_virq_batch',
    'kvm_set_irq_routing',
    'vfio_connect_kvm_msi_virq',
    'kvm_irqfd_assign',
    'irq_bypass_register_consumer',
    'vfio_enable_vectors',
    'vfio_pci_set_msi_trigger',
    'pci_alloc_irq_vectors_affinity',
    'vfio_msi_set_block',
    'request_threaded_irq',
    'irq_bypass_register_producer',
    '__connect',
    'kvm_arch_irq_bypass_add_producer',
    'vmx_pi_update_irte',
    'irq_set_vcpu_affinity',
    'intel_ir_set_vcpu_affinity',
    'modify_irte',
  ]);
});

test('the guest’s MSI enable bit does not reach the device before VFIO has enabled messages', () => {
  const of = run({ type: 'msi' });
  const filtered = steps(of).find(({ kind, site }) => kind === 'return' && site.fn.name === 'vfio_msi_config_write')!;
  assert.equal(state(of, 'vfio_pci_core_device(0000:00:03.0).vconfig.PCI_MSI_FLAGS', filtered.n) & 1, 0);
  assert.equal(state(of, 'msi_capability(00:03.0).PCI_MSI_FLAGS', filtered.n) & 1, 0);
  assert.equal(state(of, 'msi_capability(00:03.0).PCI_MSI_FLAGS') & 1, 1);
});

test('set-up of MSI-X: one vector without KVM at first; a second one takes the first down and up again', () => {
  const of = run();
  const all = entered(of);
  inOrder(all, [
    'msix_write_config',
    'vfio_msix_enable',
    'msix_set_vector_notifiers',
    'vfio_msix_vector_do_use',
    'vfio_msi_enable',
    'vfio_msix_vector_release',
    'msix_table_mmio_write',
    'msix_handle_mask_update',
    'msix_fire_vector_notifier',
    'vfio_msix_vector_use',
    'vfio_set_irq_signaling',
    'irq_bypass_unregister_producer',
    'vfio_msix_vector_use',
    'vfio_disable_irqindex',
    'vfio_msi_disable',
    'vfio_enable_vectors',
  ]);
});

test('messages get the lowest GSIs that are free: 2, then those behind the I/O APIC', () => {
  const routed = steps(run()).flatMap((step) =>
    step.kind === 'return' && step.site.fn.name === 'kvm_irqchip_get_virq' ? [step.result] : [],
  );
  assert.deepEqual(routed, [2, 24]);
});

test('linux: 6.1 looks for a producer wherever there is an irqfd, 6.12 only where it could use one; contexts are an array, then an xarray', () => {
  assert.ok(count(run({ linux: '6.1', intremap: 'nopost' }), '__connect') > 0);
  assert.equal(count(run({ linux: '6.12', intremap: 'nopost' }), '__connect'), 0);
  assert.equal(count(run({ linux: '6.1' }), 'vfio_irq_ctx_alloc'), 0);
  assert.ok(count(run({ linux: '6.12' }), 'vfio_irq_ctx_alloc') > 0);
});

test('lapic: AMD-V without AVIC asks its own function, which leaves the entry alone', () => {
  const of = run({ linux: '6.1', lapic: 'svm-x2apic' });
  assert.ok(count(of, 'avic_pi_update_irte') > 0);
  assert.equal(count(of, 'intel_ir_set_vcpu_affinity'), 0);
});

test('a posted message meets neither Linux nor QEMU before the guest', () => {
  const way = delivery(preset('posted'));
  assert.deepEqual(way.slice(0, way.indexOf('common_interrupt')), [
    'post_message',
    'interrupt_request',
    'post_by_hardware',
    'post_interrupt',
    'process_posted_interrupts',
    'accept_vector',
  ]);
});

test('a vCPU that sleeps is woken by the other notification vector', () => {
  const of = preset('posted-to-a-sleeper');
  inOrder(delivery(of), [
    'post_by_hardware',
    'sysvec_kvm_posted_intr_wakeup_ipi',
    'pi_wakeup_handler',
    'kvm_vcpu_wake_up',
    'vmx_vcpu_pi_load',
    'edu_msi_handler',
  ]);
  assert.equal(count(of, 'vfio_msihandler'), 0);
});

test('preempted: two messages, no notification, one interrupt', () => {
  const of = preset('preempted');
  const raised = steps(of).filter(({ kind, site }) => kind === 'return' && site.fn.name === 'post_by_hardware');
  for (const { n } of raised.slice(-2)) {
    assert.equal(state(of, 'pi_desc(vCPU 0).sn', n), 1);
    assert.equal(state(of, 'pi_desc(vCPU 0).on', n), 0);
  }
  assert.equal(raised.length, 5);
  assert.equal(handled(of), 4);
  assert.equal(pending(of), 0);
});

test('through the host: injected in the hard interrupt, without a worker', () => {
  const of = preset('through-the-host');
  inOrder(delivery(of), [
    'vfio_msihandler',
    'eventfd_signal',
    'irqfd_wakeup',
    'kvm_arch_set_irq_inatomic',
    'kvm_irq_delivery_to_apic_fast',
    '__apic_accept_irq',
  ]);
  assert.deepEqual(threadsOf(of, 'kvm_arch_set_irq_inatomic'), ['hardirq']);
  for (const name of ['irqfd_inject', 'kvm_set_msi', 'kvm_set_irq']) assert.ok(!delivery(of).includes(name), name);
});

test('a broadcast needs a worker', () => {
  const of = preset('broadcast');
  inOrder(delivery(of), ['irqfd_wakeup', 'kvm_arch_set_irq_inatomic', 'irqfd_inject', 'kvm_set_irq', 'kvm_set_msi', 'edu_msi_handler']);
  const refusal = steps(of).findLast(({ kind, site }) => kind === 'return' && site.fn.name === 'kvm_arch_set_irq_inatomic');
  assert.equal(refusal && resultText(refusal), '-EWOULDBLOCK');
  assert.ok(entered(of).length > 0 && threadsOf(of, 'irqfd_inject').includes('kworker'));
});

test('through QEMU: the main loop sends the message on', () => {
  const of = preset('through-qemu');
  inOrder(delivery(of), [
    'vfio_msihandler',
    'vfio_msi_interrupt',
    'msix_notify',
    'msi_send_message',
    'kvm_apic_mem_write',
    'kvm_send_userspace_msi',
    'kvm_set_msi',
  ]);
  assert.deepEqual(threadsOf(of, 'vfio_msi_interrupt'), ['qemu']);
  assert.ok(!entered(of).includes('kvm_irqchip_add_msi_route'));
});

test('masked: pending in QEMU; unmasked: KVM has the vector again before the pending message is sent', () => {
  const of = preset('masked-and-pending');
  const all = entered(of);
  inOrder(all.slice(all.lastIndexOf('guest_masks_vector')), [
    'vfio_msix_vector_release',
    'vfio_msihandler',
    'vfio_msi_interrupt',
    'msix_set_pending',
    'guest_unmasks_vector',
    'vfio_msix_vector_use',
    'irq_bypass_register_producer',
    'msix_clr_pending',
    'msix_notify',
    'kvm_send_userspace_msi',
    'edu_msi_handler',
  ]);
  assert.equal(handled(of), 4);
});

test('a message while the listener is exchanged is late, not lost', () => {
  const of = preset('exchanged-listener');
  const all = entered(of);
  inOrder(all.slice(all.lastIndexOf('guest_masks_vector')), [
    '__free_irq',
    'raise_cause',
    'request_threaded_irq',
    'resend_pending',
    'post_message',
  ]);
  assert.equal(handled(of), 4);
});

test('a message while vectors are added is lost: the next one finds the cause', () => {
  const of = preset('lost-while-growing');
  assert.equal(count(of, 'raise_cause'), 4);
  assert.equal(count(of, 'post_message'), 3);
  assert.equal(handled(of), 3);
});

test('fewer vectors than wanted: the retry finds no batch prepared', () => {
  const of = preset('fewer-vectors');
  assert.equal(count(of, 'vfio_prepare_kvm_msi_virq_batch'), 1);
  assert.equal(count(of, 'vfio_commit_kvm_msi_virq_batch'), 2);
  assert.equal(handled(of), 0);
  assert.equal(state(of, 'mutex(BQL).owner') > 0, true, 'the process ends with the lock held');
});

test('another vector: the table is exchanged, the entry posts the new one, and what comes then uses it', () => {
  const of = preset('another-vector');
  const all = entered(of);
  inOrder(all.slice(all.lastIndexOf('guest_moves_interrupt')), [
    'vfio_update_kvm_msi_virq',
    'kvm_irqchip_update_msi_route',
    'kvm_set_irq_routing',
    'irqfd_update',
    'post_by_hardware',
    'edu_msi_handler',
  ]);
  assert.equal(state(of, 'irte(IRTE 0).p_vector'), 0x40);
  assert.equal(handled(of), 4);
});

test('an MSI whose message changes while KVM has its producer is posted anew from within the routing update', () => {
  const quiet = run({ type: 'msi' });
  const of = run({ type: 'msi' }, [{ at: quiet.journal.length, name: 'move' }]);
  const all = entered(of);
  inOrder(all.slice(all.lastIndexOf('guest_moves_interrupt')), [
    'vfio_update_msi',
    'kvm_irq_routing_update',
    'kvm_arch_irqfd_route_changed',
    'kvm_arch_update_irqfd_routing',
    'vmx_pi_update_irte',
    'modify_irte',
  ]);
});

test('teardown: the producer goes before the interrupt is freed, and INTx comes back', () => {
  const of = preset('teardown');
  const all = entered(of);
  const end = all.slice(all.lastIndexOf('edu_msi_remove'));
  inOrder(end, [
    'irq_bypass_unregister_producer',
    '__disconnect',
    'kvm_arch_irq_bypass_del_producer',
    'vmx_pi_update_irte',
    'free_irq',
    'vfio_msix_disable',
    'pci_free_irq_vectors',
    'kvm_irqfd_deassign',
    'irq_bypass_unregister_consumer',
    'vfio_intx_enable',
  ]);
  assert.equal(state(of, 'kvm_arch(virtual machine).assigned_device_count'), 0);
  assert.equal(state(of, 'irte(IRTE 0).present'), 0);
  assert.equal(state(of, 'vfio_pci_core_device(0000:00:03.0).irq_type'), 0);
});

test('every preset and way has its chapters, and each chapter begins in some of them', () => {
  const seen = new Set<string>();
  for (const { id } of vfio_msi.presets) for (const { chapter } of chapterSteps(preset(id))) seen.add(chapter.title);
  for (const { chapter } of chapterSteps(run({ type: 'msi' }))) seen.add(chapter.title);
  assert.deepEqual(
    vfio_msi.chapters.map(({ title }) => title).filter((title) => !seen.has(title)),
    [],
  );
});

test('under any schedule and any stimuli: an entry posts only while a producer is connected, and ON is never set over an empty PIR', () => {
  const names = vfio_msi.stimuli.map(({ name }) => name);
  const stimuli = fc.array(fc.record({ at: fc.nat(9000), name: fc.constantFrom(...names) }), { maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...everyWay), fc.nat(100_000), stimuli, (way, seed, injected) => {
      const of = run(way, injected, seed);
      assert.notEqual(of.ending.kind, 'limit');
      const connected = state(of, 'kvm_arch(virtual machine).assigned_device_count');
      const posting = of.cells.filter((cell) => cell.component.struct === 'irte' && cell.name === 'p_pst');
      const cursor = createCursor(of);
      cursor.seek(of.journal.length - 1);
      const posted = posting.filter(({ id }) => cursor.value(id) === 1).length;
      assert.ok(posted <= connected, `${posted} entries post, ${connected} producers are connected`);
      if (!aborts(way)) assert.equal(state(of, 'edu_driver(guest).spurious') <= handled(of) + injected.length, true);
    }),
    { numRuns: 60 },
  );
});
