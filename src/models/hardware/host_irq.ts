import { bool, means, struct, type InstanceOf } from '../../engine/cell';
import { architecturally, source } from '../../engine/fn';
import { running } from '../../engine/running';
import { causedBy, preempt, until } from '../../engine/steps';
import { common_interrupt } from '../linux/arch/x86/kernel/irq';
import type { IrqDesc, IrqPin } from '../linux/kernel/irq/irqdesc';
import { take_vector, waiting_vector, type HostLapic } from './host_lapic';
import type { PciFunction } from './pci_function';
import { MASK, REMOTE_IRR } from './registers/ioapic';

/** The host's way from a wire to a vector: one level-triggered I/O APIC pin and the CPU that it interrupts. */

const HostPin = struct('host_ioapic_pin', 'The physical I/O APIC pin that the device’s INTx wire is soldered to.', {
  mask: means(MASK, bool(true)),
  remote_irr: means(REMOTE_IRR, bool()),
});
type HostPin = InstanceOf<typeof HostPin>;

const { fn } = source('hardware', 'host_irq');

const set_mask = fn('The redirection entry’s mask bit changes.', function* set_mask(pin: HostPin, mask: boolean) {
  pin.mask = mask;
});

const end_of_interrupt = fn(
  'The EOI reaches the pin: if the wire is still up, it interrupts again.',
  function* end_of_interrupt(pin: HostPin) {
    pin.remote_irr = false;
  },
);

const accept = fn(
  'The pin is up and unmasked: a vector is delivered, and no other until its EOI.',
  function* accept(pin: HostPin, desc: IrqDesc) {
    pin.remote_irr = true;
    yield* architecturally('hardirq', common_interrupt)(desc);
  },
);

/** Makes the host's pin. */
export function host_ioapic_pin(): { readonly cells: HostPin; readonly pin: IrqPin } {
  const cells = HostPin('host');
  return {
    cells,
    pin: { mask: () => set_mask(cells, true), unmask: () => set_mask(cells, false), eoi: () => end_of_interrupt(cells) },
  };
}

/**
 * The hard-interrupt context of a host CPU: it runs whenever the wire is up, the pin unmasked and no interrupt in service,
 * and for every vector that reaches its local APIC.
 */
export function hardirq_context(dev: PciFunction, pin: HostPin, desc: IrqDesc, priority: number, lapic?: HostLapic): void {
  const wired = () => dev.INTx && !pin.mask && !pin.remote_irr;
  running().thread('hardirq', 'host hard-IRQ', 'hardirq', priority, function* () {
    for (;;) {
      yield* until(() => wired() || (lapic !== undefined && waiting_vector(lapic) >= 0));
      if (lapic !== undefined && !wired()) {
        const vector = waiting_vector(lapic);
        causedBy(lapic.raisedAt.get(vector)!);
        yield* take_vector(lapic, vector);
      } else {
        causedBy(dev.raisedAt);
        yield* accept(pin, desc);
      }
      yield* preempt();
    }
  });
}
