import { source } from '../../../../engine/fn';
import { at } from '../../../../engine/steps';
import { kvm_irqchip_commit_routes } from '../../accel/kvm/kvm-all';
import type { Board } from '../../board';
import type { KVMState } from './kvm_int';

/** Which interrupt controllers are in the kernel: macros upstream, which look at global variables. */

/** kvm_irqchip_in_kernel(): at least the local APICs are. */
export const kvm_irqchip_in_kernel = ({ kvm_state }: Board): boolean => kvm_state !== undefined && kvm_state.kernel_irqchip !== 'off';

/** kvm_irqchip_is_split(): the local APICs are, the PIC and the I/O APIC are not. */
export const kvm_irqchip_is_split = ({ kvm_state }: Board): boolean => kvm_state?.kernel_irqchip === 'split';

/** kvm_pic_in_kernel(): everything is. */
export const kvm_pic_in_kernel = (board: Board): boolean => kvm_irqchip_in_kernel(board) && !kvm_irqchip_is_split(board);

/** kvm_ioapic_in_kernel(): the same condition, under the name that the I/O APIC's code asks by. */
export const kvm_ioapic_in_kernel = kvm_pic_in_kernel;

/** A `KVMRouteChange`: routes that were noted and not committed yet. */
export interface KVMRouteChange {
  readonly s: KVMState;
  changes: number;
}

const { fn } = source('qemu', 'include/sysemu/kvm.h');

export const kvm_irqchip_begin_route_changes = fn('Begins to note routes.', function* kvm_irqchip_begin_route_changes(s: KVMState) {
  at('changes');
  const change: KVMRouteChange = { s, changes: 0 };
  return change;
});

export const kvm_irqchip_commit_route_changes = fn(
  'Commits what was noted, all at once: each commit has KVM wait for everybody who may still use the old table.',
  function* kvm_irqchip_commit_route_changes(c: KVMRouteChange) {
    at('changes');
    if (c.changes === 0) return;
    yield* kvm_irqchip_commit_routes(c.s);
    c.changes = 0;
  },
);
