import { source, through } from '../../../../engine/fn';
import { at, atCall } from '../../../../engine/steps';
import { since } from '../../../version';
import { EINVAL } from '../../errno';
import { kvm_arch_irqchip_in_kernel } from '../../arch/x86/kvm/irq';
import {
  kvm_arch_irq_routing_update,
  kvm_arch_post_irq_routing_update,
  kvm_set_msi,
  kvm_set_routing_entry,
  routed,
} from '../../arch/x86/kvm/irq_comm';
import { synchronize_srcu_expedited } from '../../kernel/rcu/srcutree';
import { kvm_irq_routing_update } from './eventfd';
import {
  KVM_MAX_IRQ_ROUTES,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  type Kvm,
  type KvmIrqRoutingEntry,
  type KvmIrqRoutingTable,
  type KvmKernelIrqRoutingEntry,
  type KvmMsi,
  type SetRoutedIrq,
} from './kvm_types';

/** The routing table: which pins of which interrupt chips, or which message, a GSI reaches. */

/**
 * The table that user space has set before a run begins. Throws for an entry that KVM_SET_GSI_ROUTING would refuse.
 */
export function irq_routing_table(ue: readonly KvmIrqRoutingEntry[]): KvmIrqRoutingTable {
  const table = emptyRoutingTable(ue);
  for (const one of ue) {
    const e = routed(one);
    if (e === undefined) throw new Error(`GSI ${one.gsi} is routed to a pin that its chip does not have`);
    linkRoutingEntry(table, e);
  }
  return table;
}

const { fn } = source('linux', 'virt/kvm/irqchip.c');

/** A routing table while it is filled. */
export interface RoutingTableInTheMaking extends KvmIrqRoutingTable {
  readonly map: Map<number, KvmKernelIrqRoutingEntry[]>;
  readonly chip: Map<number, Map<number, number>>;
}

/** An empty table that is long enough for the given entries. */
export const emptyRoutingTable = (ue: readonly KvmIrqRoutingEntry[]): RoutingTableInTheMaking => ({
  nr_rt_entries: ue.reduce((most, { gsi }) => Math.max(most, gsi), 0) + 1,
  map: new Map(),
  chip: new Map(),
});

/** Links an entry: GSIs are looked up from the last entry to the first, and a chip's pin belongs to who claimed it last. */
export function linkRoutingEntry(rt: RoutingTableInTheMaking, e: KvmKernelIrqRoutingEntry): void {
  rt.map.set(e.gsi, [e, ...(rt.map.get(e.gsi) ?? [])]);
  if (e.type !== 'KVM_IRQ_ROUTING_IRQCHIP') return;
  const pins = rt.chip.get(e.irqchip.irqchip) ?? new Map<number, number>();
  rt.chip.set(e.irqchip.irqchip, pins.set(e.irqchip.pin, e.gsi));
}

export const kvm_irq_map_gsi = fn(
  'Copies the entries of a GSI out of the routing table: below 16 that is usually a pin of the PIC and one of the I/O APIC, from 16 to 23 the I/O APIC’s alone, above a message.',
  function* kvm_irq_map_gsi(kvm: Kvm, gsi: number) {
    at('map');
    return kvm.irq_routing.map.get(gsi) ?? [];
  },
);

export const kvm_irq_map_chip_pin = fn(
  'Finds the GSI that reaches a chip’s pin by the routing of now, which need not be the one by which the interrupt came.',
  function* kvm_irq_map_chip_pin(kvm: Kvm, irqchip: number, pin: number) {
    at('chip');
    return kvm.irq_routing.chip.get(irqchip)?.get(pin) ?? -1;
  },
);

export const kvm_send_userspace_msi = fn(
  'KVM_SIGNAL_MSI: user space sends a message as if a device had, without any GSI.',
  function* kvm_send_userspace_msi(kvm: Kvm, msi: KvmMsi) {
    if (since('linux', '6.12')) {
      if (!(yield* kvm_arch_irqchip_in_kernel(kvm))) return -EINVAL;
    } else {
      atCall('irqchip_in_kernel');
      if (kvm.arch.irqchip_mode === 'KVM_IRQCHIP_NONE') return -EINVAL;
    }
    return yield* kvm_set_msi({ msi }, kvm, KVM_USERSPACE_IRQ_SOURCE_ID, 1, false);
  },
);

export const kvm_set_irq = fn(
  'Changes the level of a GSI as seen by one source, at everything that the GSI is routed to: nobody here knows which chip the guest uses. The result adds up: at least 1 if an interrupt got through, 0 if it merged with one pending, negative if it was ignored.',
  function* kvm_set_irq(kvm: Kvm, irq_source_id: number, irq: number, level: number, line_status: boolean) {
    const irq_set = yield* kvm_irq_map_gsi(kvm, irq);
    let ret = -1;
    for (const e of irq_set.toReversed()) {
      const r = yield* through('function pointer', 'set', e.set as SetRoutedIrq)(e, kvm, irq_source_id, level, line_status);
      if (r >= 0) ret = r + Math.max(ret, 0);
    }
    return ret;
  },
);

const setup_routing_entry = fn(
  'Checks an entry and links it: a GSI may reach several chips, but each only once, and a message only by itself.',
  function* setup_routing_entry(kvm: Kvm, rt: RoutingTableInTheMaking, ue: KvmIrqRoutingEntry) {
    for (const ei of rt.map.get(ue.gsi) ?? [])
      if (ei.type !== 'KVM_IRQ_ROUTING_IRQCHIP' || ue.type !== 'KVM_IRQ_ROUTING_IRQCHIP' || ue.irqchip.irqchip === ei.irqchip.irqchip)
        return -EINVAL;
    const e = yield* kvm_set_routing_entry(kvm, ue);
    if (typeof e === 'number') return e;
    atCall('hlist_add_head');
    linkRoutingEntry(rt, e);
    return 0;
  },
);

export const kvm_set_irq_routing = fn(
  'KVM_SET_GSI_ROUTING: builds a whole new table and puts it in place at once, or leaves the old one if an entry is wrong. Every irqfd then looks its GSI up again.',
  function* kvm_set_irq_routing(kvm: Kvm, ue: readonly KvmIrqRoutingEntry[]) {
    if (ue.some(({ gsi }) => gsi >= KVM_MAX_IRQ_ROUTES)) return -EINVAL;
    const table = emptyRoutingTable(ue);
    for (const one of ue) {
      const r = yield* setup_routing_entry(kvm, table, one);
      if (r !== 0) return r;
    }
    atCall('rcu_assign_pointer');
    kvm.irq_routing = table;
    yield* kvm_irq_routing_update(kvm);
    yield* kvm_arch_irq_routing_update(kvm);
    yield* kvm_arch_post_irq_routing_update(kvm);
    yield* synchronize_srcu_expedited(kvm.irq_srcu);
    return 0;
  },
);
