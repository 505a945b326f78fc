import type { Mutex } from '../../engine/mutex';
import type { Pointer } from '../../engine/fn';
import type { AddressSpace } from './include/exec/memory';
import type { X86CPU } from './include/hw/core/cpu';
import type { APICCommonState } from './include/hw/i386/apic_internal';
import type { IOAPICCommonState } from './include/hw/i386/ioapic_internal';
import type { PICCommonState } from './include/hw/isa/i8259_internal';
import type { KVMState } from './include/sysemu/kvm_int';

/** The part of a machine that interrupts pass through. Upstream keeps these in global variables; the names are theirs. */
export interface Board {
  /** The big QEMU lock, BQL: all of this is under it. */
  readonly qemu_global_mutex: Mutex;
  /** The 8259 pair: undefined while it is not there, or not in QEMU. */
  isa_pic: PICCommonState | undefined;
  slave_pic: PICCommonState | undefined;
  readonly ioapics: IOAPICCommonState[];
  /** The local APICs that QEMU emulates, by their number. */
  readonly local_apics: APICCommonState[];
  /** CPU_FOREACH() goes through these; the first is first_cpu. */
  readonly cpus: X86CPU[];
  /** Where I/O APICs send their messages. */
  readonly ioapic_as: AddressSpace;
  /** Undefined with another accelerator. */
  readonly kvm_state: KVMState | undefined;
  readonly cpus_accel: CpusAccel;
}

/** What an accelerator does in its own way. */
export interface CpusAccel {
  readonly handle_interrupt?: Pointer<[cpu: X86CPU, mask: number], void>;
  readonly kick_vcpu_thread?: Pointer<[cpu: X86CPU], void>;
}
