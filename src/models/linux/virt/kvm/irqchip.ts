import { source, through } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import type { Kvm, KvmKernelIrqRoutingEntry } from './kvm_types';

/** The routing table: which pins of which interrupt chips a GSI reaches. */

const { fn } = source('linux', 'virt/kvm/irqchip.c');

export const kvm_irq_map_gsi = fn(
  'Copies the entries of a GSI out of the routing table: below 16 that is a pin of the PIC and one of the I/O APIC, from 16 to 23 the I/O APIC’s alone.',
  function* kvm_irq_map_gsi(kvm: Kvm, gsi: number) {
    at('map');
    return kvm.irq_routing.filter((entry) => entry.gsi === gsi);
  },
);

export const kvm_set_irq = fn(
  'Changes the level of a GSI as seen by one source, at every chip that the GSI is routed to. The result adds up over the chips: at least 1 if an interrupt got through, 0 if it merged with one pending, negative if it was ignored.',
  function* kvm_set_irq(kvm: Kvm, irq_source_id: number, irq: number, level: number) {
    const irq_set: KvmKernelIrqRoutingEntry[] = yield* kvm_irq_map_gsi(kvm, irq);
    let ret = -1;
    // Upstream walks the copied entries from the last to the first; the table lists the I/O APIC first.
    for (const entry of irq_set.reverse()) {
      const r = yield* through('function pointer', 'set', entry.set)(entry, kvm, irq_source_id, level);
      if (r < 0) continue;
      ret = r + (ret < 0 ? 0 : ret);
    }
    return ret;
  },
);
