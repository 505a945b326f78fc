import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { vfio_msi } from '../../../src/flows/vfio-msi';
import type { Differences } from '../../../src/trace/align';
import { alignBest, type Fit } from '../../../src/trace/fit';

/**
 * Runs of the flow vfio-msi against recordings of a real host: a virtio-net function with MSI-X, assigned to a guest of
 * Linux 6.1 on a host of Linux 6.1, once as its driver programs and stops the device, once as packets come in.
 */

const HOST = { linux: '6.1', lapic: 'svm-x2apic', type: 'msix' };

function fitted(file: string): Fit {
  const lines = gunzipSync(readFileSync(`test/fixtures/traces/${file}.gz`))
    .toString()
    .split('\n');
  return alignBest(vfio_msi, HOST, () => lines);
}

const namesOf = ({ first }: Differences<{ readonly name: string }>): string[] => [...new Set(first.map(({ name }) => name))].sort();

test('MSI-X is set up, grows, and is taken down in the order of the recording', () => {
  const { alignment, parameters } = fitted('f2a-msix-setup.func-stacks.txt');
  assert.equal(parameters['kvm-msi'], true);
  assert.ok(alignment.score > 0.85 && alignment.matched > 350, JSON.stringify([alignment.score, alignment.matched]));
  assert.equal(alignment.handOvers.lost.count, 0);
  // A compiler made two functions of it, and mostly only the recorded half is called: eventfd_ctx_fileget.part.0.
  assert.deepEqual(namesOf(alignment.onlyInRun), ['eventfd_ctx_fileget', 'eventfd_ctx_put']);
  assert.deepEqual(namesOf(alignment.onlyInTrace), [
    // The guest's timer, which the model's guest does not use.
    '__apic_accept_irq',
    // The recorded driver has a vector more, and takes it down like the others.
    'eventfd_ctx_put',
    'irq_bypass_unregister_producer',
    'kvm_vcpu_kick',
    'svm_deliver_interrupt',
    'vfio_msi_set_vector_signal',
    'vfio_pci_memory_lock_and_enable',
    'vfio_pci_memory_unlock_and_restore',
    'vfio_virqfd_disable',
  ]);
});

test('messages are delivered in the order of the recording', () => {
  const { alignment } = fitted('f2b-msix-delivery.func-stacks.txt');
  assert.ok(alignment.score > 0.85 && alignment.matched > 75, JSON.stringify([alignment.score, alignment.matched]));
  assert.deepEqual([alignment.onlyInRun.count, alignment.onlyInTrace.count, alignment.handOvers.lost.count], [0, 0, 0]);
  // The guest's timer interrupts in between, and lets KVM see an end of interrupt earlier than the next exit would.
  assert.deepEqual(namesOf(alignment.breaks), ['apic_set_eoi', 'kvm_check_and_inject_events']);
});
