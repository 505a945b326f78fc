import { bool, hex, int, means, struct, type InstanceOf } from '../../../../../../../engine/cell';
import { running } from '../../../../../../../engine/running';
import { bitmap } from '../../../../bitmaps';
import * as lapic_registers from '../../../../../../hardware/registers/lapic';

/** Physical CPUs, and the VT-x control structure of the vCPU that one runs. */

const VmcsCells = struct('vmcs', 'The control structure of VT-x: what to inject at entry, which EOIs exit, whether an open window does.', {
  VMX_ENTRY_INT_INFO_FIELD: lapic_registers.entryInterruption(),
  'VMX_PROC_VM_EXEC_CONTROLS.VMX_PROCBASED_CTLS_IRQ_WIN': means('The guest exits as soon as it can take an interrupt.', bool()),
  VMX_TPR_THRESHOLD: hex(8),
  // VMX_EOI_EXIT0_FULL to VMX_EOI_EXIT3_FULL, in 32-bit words.
  ...bitmap('VMX_EOI_EXIT', lapic_registers.EOI_EXIT_BITMAP),
  'VMX_GUEST_INTR_STATUS.RVI': lapic_registers.rvi(),
  'VMX_GUEST_INTR_STATUS.SVI': lapic_registers.svi(),
  'VMX_GUEST_RFLAGS.IF': bool(true),
});

export type Vmcs = InstanceOf<typeof VmcsCells>;
export const vmcs = VmcsCells;

const PcpuCells = struct('per_cpu_region', 'A physical CPU: whether it runs guest code, and the interrupt messages that wait for it.', {
  /** The vCPU, by its number plus one, whose VMCS the CPU has entered. */
  vmcs_run: int(),
  'irr.NOTIFY_VCPU_VECTOR': bool(),
  'irr.POSTED_INTR_VECTOR': bool(),
});

export type Pcpu = InstanceOf<typeof PcpuCells> & {
  readonly pcpu_id: number;
  /** The simulated threads that execute on this CPU, by index. */
  readonly threads: Set<number>;
  /** The step that sent the last message which waits for the CPU. */
  interruptedAt: number;
};

/** Makes a physical CPU. */
export const pcpu = (pcpu_id: number): Pcpu =>
  Object.assign(PcpuCells(`pCPU ${pcpu_id}`), { pcpu_id, threads: new Set<number>(), interruptedAt: -1 });

/** Whether the running thread executes on `cpu`: the comparison of get_pcpu_id() with pcpuid_from_vcpu(). */
export const on_pcpu = (cpu: Pcpu): boolean => cpu.threads.has(running().currentThread);

/** Says that the running thread executes on `cpu`. */
export const runs_on = (cpu: Pcpu): void => void cpu.threads.add(running().currentThread);
