import type { Board } from '../../board';

/** Which interrupt controllers are in the kernel: macros upstream, which look at global variables. */

/** kvm_irqchip_in_kernel(): at least the local APICs are. */
export const kvm_irqchip_in_kernel = ({ kvm_state }: Board): boolean => kvm_state !== undefined && kvm_state.kernel_irqchip !== 'off';

/** kvm_irqchip_is_split(): the local APICs are, the PIC and the I/O APIC are not. */
export const kvm_irqchip_is_split = ({ kvm_state }: Board): boolean => kvm_state?.kernel_irqchip === 'split';

/** kvm_pic_in_kernel(): everything is. */
export const kvm_pic_in_kernel = (board: Board): boolean => kvm_irqchip_in_kernel(board) && !kvm_irqchip_is_split(board);

/** kvm_ioapic_in_kernel(): the same condition, under the name that the I/O APIC's code asks by. */
export const kvm_ioapic_in_kernel = kvm_pic_in_kernel;
