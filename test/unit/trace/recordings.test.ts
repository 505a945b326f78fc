import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { requireFlow } from '../../../src/flows/catalogue';
import { alignBest } from '../../../src/trace/fit';

/** Flows against recordings of real machines. docs/traces.md has the scores, and says what the differences are; a score may not fall below these. */
const RECORDINGS: readonly (readonly [file: string, flow: string, atLeast: number])[] = [
  ['f1a-intx-kvm-setup.graph.txt', 'vfio-intx', 0.95],
  ['f1b-intx-kvm-delivery.graph.txt', 'vfio-intx', 0.95],
  ['f1d-intx-kvm-setup.func-stacks.txt', 'vfio-intx', 0.95],
  ['f2a-msix-setup.func-stacks.txt', 'vfio-msi', 0.95],
  ['f2b-msix-delivery.func-stacks.txt', 'vfio-msi', 0.95],
  ['f3a-intx-userspace.graph.txt', 'vfio-intx', 0.95],
  ['f4a-mtty-mdev-create.graph.txt', 'mdev-mtty', 0.95],
  ['f4b-mtty-setup-delivery.graph.txt', 'mdev-mtty', 0.95],
  ['f5a-vfio-pci-probe.graph.txt', 'vfio-probe', 0.95],
  ['f5a2-vfio-pci-probe-all-functions.graph.txt', 'vfio-probe', 0.95],
  ['f5b-attach-dmamap.graph.txt', 'vfio-probe', 0.95],
  ['f6a-userspace-pic-emulated-dev.func.txt', 'pic', 0.95],
  ['f6c-kernel-pic-vfio-intx.graph.txt', 'pic', 0.95],
  ['f6c-kernel-pic-vfio-intx.graph.txt', 'vfio-intx', 0.84],
  ['u1-intx-kvm-qemu-side.user.txt', 'vfio-intx', 0.95],
  ['u3-intx-userspace-qemu-side.user.txt', 'vfio-intx', 0.95],
  ['u4-mtty-qemu-side.user.txt', 'mdev-mtty', 0.95],
  ['kvm-01-irq_line_edge_pic.events.txt', 'ioapic', 0.95],
  ['kvm-01-irq_line_edge_pic.stacks.txt', 'ioapic', 0.95],
  ['kvm-02-irq_line_level_ioapic.events.txt', 'ioapic', 0.95],
  ['kvm-02-irq_line_level_ioapic.stacks.txt', 'ioapic', 0.95],
  ['kvm-03-ioapic_level_sw_intack_guest_eoi.events.txt', 'ioapic', 0.95],
  ['kvm-03-ioapic_level_sw_intack_guest_eoi.stacks.txt', 'ioapic', 0.95],
  ['kvm-05-irqfd_msi_edge.events.txt', 'vfio-msi', 0.95],
  ['kvm-05-irqfd_msi_edge.events.txt', 'virtio-kvm', 0.95],
  ['kvm-05-irqfd_msi_edge.stacks.txt', 'vfio-msi', 0.95],
  ['kvm-05-irqfd_msi_edge.stacks.txt', 'virtio-kvm', 0.95],
  ['kvm-07-irqfd_resample_ioapic.events.txt', 'vfio-intx', 0.95],
  ['kvm-07-irqfd_resample_ioapic.stacks.txt', 'vfio-intx', 0.95],
  ['kvm-09-irqfd_resample_pic.events.txt', 'vfio-intx', 0.95],
  ['kvm-09-irqfd_resample_pic.stacks.txt', 'vfio-intx', 0.95],
  ['kvm-11-ioeventfd_pio.stacks.txt', 'virtio-kvm', 0.95],
  ['kvm-13-kvm_interrupt_userspace_pic.stacks.txt', 'pic', 0.95],
  ['kvm-14-split_irqchip_eoi_exit.events.txt', 'ioapic', 0.95],
  ['kvm-14-split_irqchip_eoi_exit.stacks.txt', 'ioapic', 0.95],
  ['kvm-17-icr_ipi.events.txt', 'ioapic', 0.95],
  ['kvm-17-icr_ipi.stacks.txt', 'ioapic', 0.95],
  ['kvm-18-lapic_timer.events.txt', 'ioapic', 0.95],
  ['kvm-18-lapic_timer.stacks.txt', 'ioapic', 0.95],
  ['kvm-19-pit_irq0.events.txt', 'ioapic', 0.95],
  ['kvm-19-pit_irq0.stacks.txt', 'ioapic', 0.95],
  ['kvm-20-irqfd_deassign_and_hup.events.txt', 'vfio-intx', 0.95],
  ['kvm-20-irqfd_deassign_and_hup.stacks.txt', 'vfio-intx', 0.95],
  ['kvm-21-split_irqchip_irq_window.events.txt', 'ioapic', 0.95],
  ['kvm-21-split_irqchip_irq_window.stacks.txt', 'ioapic', 0.95],
];

for (const [file, id, atLeast] of RECORDINGS) {
  test(`${id} agrees with ${file}`, () => {
    const lines = gunzipSync(readFileSync(`test/fixtures/traces/${file}.gz`))
      .toString()
      .split('\n');
    // The host of the laboratory ran 6.1; the program that used KVM directly ran on a newer kernel than the models know.
    const given = file.startsWith('kvm-') ? {} : { linux: '6.1' };
    const { alignment } = alignBest(requireFlow(id), given, () => lines);
    assert.ok(alignment.score >= atLeast, alignment.score.toFixed(3));
  });
}
