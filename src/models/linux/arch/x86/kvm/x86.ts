import { addressOf, source, through, type Fn, type OpsTable, type Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { running } from '../../../../../engine/running';
import { at, atCall, atWrite, behind, preempt } from '../../../../../engine/steps';
import { since } from '../../../../version';
import type { VmExit } from '../../../../hardware/virt_cpu';
import { EEXIST, EINTR, ENXIO } from '../../../errno';
import { kvm_iodevice_read, kvm_iodevice_write, type IoBuffer } from '../../../include/kvm/iodev';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import type { KvmKernelIrqfd } from '../../../virt/kvm/eventfd';
import { kvm_set_irq } from '../../../virt/kvm/irqchip';
import type { IrqBypassProducer } from '../../../virt/lib/irqbypass';
import { kvm_io_bus_read, kvm_io_bus_write, kvm_vcpu_block, kvm_vcpu_halt, kvm_vcpu_kick } from '../../../virt/kvm/kvm_main';
import {
  EXITING_GUEST_MODE,
  IN_GUEST_MODE,
  ioapic_in_kernel,
  irqchip_split,
  KVM_EXIT_HLT,
  KVM_EXIT_INTR,
  lapic_in_kernel,
  KVM_EXIT_IOAPIC_EOI,
  KVM_IRQCHIP_IOAPIC,
  type KVM_IRQCHIP_PIC_MASTER,
  type KVM_IRQCHIP_PIC_SLAVE,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_MP_STATE_HALTED,
  KVM_MP_STATE_INIT_RECEIVED,
  KVM_MP_STATE_RUNNABLE,
  requestBit,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_MMIO,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  OUTSIDE_GUEST_MODE,
  type Kvm,
  type KvmKernelIrqRoutingEntry,
  type KvmRequest,
  type KvmVcpu,
} from '../../../virt/kvm/kvm_types';
import { x86_emulate_insn } from './emulate';
import {
  APIC_BASE_MSR,
  APIC_DEST_ALLBUT,
  APIC_DEST_LOGICAL,
  APIC_DM_FIXED,
  APIC_ICR,
  APIC_MODE_MASK,
  MSR_IA32_APICBASE,
} from '../include/asm/apicdef';
import {
  kvm_cpu_get_interrupt,
  kvm_cpu_has_extint,
  kvm_cpu_has_injectable_intr,
  kvm_cpu_has_interrupt,
  kvm_cpu_has_pending_timer,
  kvm_inject_pending_timer_irqs,
} from './irq';
import { kvm_pic_update_irq, savePic, type KvmPicState } from './i8259';
import { kvm_get_ioapic, kvm_ioapic_scan_entry, kvm_set_ioapic, type KvmIoapicState } from './ioapic';
import { kvm_scan_ioapic_routes } from './irq_comm';
import {
  kvm_apic_accept_events,
  kvm_apic_accept_pic_intr,
  kvm_apic_set_base,
  kvm_lapic_reset,
  kvm_lapic_sync_from_vapic,
  kvm_lapic_sync_to_vapic,
  kvm_x2apic_icr_write,
  kvm_x2apic_msr_read,
  kvm_x2apic_msr_write,
} from './lapic';
import { apic_x2apic_mode, kvm_apic_present, type KvmLapic } from './lapic_state';

/** The x86 part of KVM's main loop: requests, injection, entry, exit, emulation. */

/** Whether an exit was handled with interrupts still off, and the guest can be entered again without another look. */
export type Fastpath = 'EXIT_FASTPATH_NONE' | 'EXIT_FASTPATH_EXIT_USERSPACE' | 'EXIT_FASTPATH_REENTER_GUEST' | 'EXIT_FASTPATH_EXIT_HANDLED';

/** What VT-x and AMD-V do differently: the `kvm_x86_ops` that the models call. */
export type KvmX86Ops = OpsTable<{
  readonly vcpu_run: Fn<[vcpu: KvmVcpu], Fastpath>;
  readonly handle_exit: Fn<[vcpu: KvmVcpu, exit: VmExit, exit_fastpath: Fastpath], number>;
  readonly deliver_interrupt: Fn<[apic: KvmLapic, delivery_mode: number, trig_mode: boolean, vector: number], void>;
  readonly inject_irq: Fn<[vcpu: KvmVcpu], void>;
  readonly enable_irq_window: Fn<[vcpu: KvmVcpu], void>;
  readonly interrupt_allowed: Fn<[vcpu: KvmVcpu], boolean>;
  readonly set_msr: Fn<[vcpu: KvmVcpu, msr: number, data: bigint], number>;
}> & {
  /** Only what virtualizes the local APIC has these. */
  readonly apicv?: OpsTable<{
    readonly sync_pir_to_irr: Fn<[vcpu: KvmVcpu], number>;
    readonly load_eoi_exitmap: Fn<[vcpu: KvmVcpu], void>;
    readonly hwapic_irr_update: Fn<[vcpu: KvmVcpu, max_irr: number], void>;
    readonly hwapic_isr_update: Fn<[vcpu: KvmVcpu, max_isr: number], void>;
  }>;
  readonly sched: OpsTable<{
    readonly vcpu_load: Fn<[vcpu: KvmVcpu], void>;
    readonly vcpu_put: Fn<[vcpu: KvmVcpu], void>;
  }>;
  readonly posting: OpsTable<{
    readonly pi_update_irte: Fn<[kvm: Kvm, host_irq: IrqDesc, guest_irq: number, set: boolean], number>;
  }> & {
    readonly pi_start_assignment?: Pointer<[kvm: Kvm], void>;
  };
};

/** kvm_make_request(): asks a vCPU to do something before it enters the guest again. */
export function make_request(vcpu: KvmVcpu, request: KvmRequest): void {
  at(request);
  vcpu.requests |= requestBit(request);
}

/** kvm_check_request(): whether it was asked, which it then no longer is. */
export function check_request(vcpu: KvmVcpu, request: KvmRequest): boolean {
  if (!(vcpu.requests & requestBit(request))) return false;
  at(request);
  vcpu.requests &= ~requestBit(request);
  return true;
}

const { fn, ops } = source('linux', 'arch/x86/kvm/x86.c');

export const kvm_make_scan_ioapic_request = fn(
  'Asks every vCPU to find out again which EOIs have to be seen.',
  function* kvm_make_scan_ioapic_request(kvm: Kvm) {
    for (const vcpu of kvm.vcpus) make_request(vcpu, 'KVM_REQ_SCAN_IOAPIC');
  },
);

export const kvm_make_scan_ioapic_request_mask = fn(
  'Asks the vCPUs that a redirection entry reaches to find out again which EOIs have to be seen.',
  function* kvm_make_scan_ioapic_request_mask(_kvm: Kvm, vcpu_bitmap: ReadonlySet<KvmVcpu>) {
    for (const vcpu of vcpu_bitmap) make_request(vcpu, 'KVM_REQ_SCAN_IOAPIC');
  },
);

/** What KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS carry; `status` is what became of it. */
export interface KvmIrqLevel {
  readonly irq: number;
  readonly level: number;
  status?: number;
}

export const kvm_vm_ioctl_irq_line = fn(
  'KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS: user space changes a GSI’s level. The second gets told whether that interrupted anybody.',
  function* kvm_vm_ioctl_irq_line(kvm: Kvm, irq_event: KvmIrqLevel, line_status: boolean) {
    atCall('irqchip_in_kernel');
    if (kvm.arch.irqchip_mode === 'KVM_IRQCHIP_NONE') return -ENXIO;
    irq_event.status = yield* kvm_set_irq(kvm, KVM_USERSPACE_IRQ_SOURCE_ID, irq_event.irq, irq_event.level, line_status);
    return 0;
  },
);

/** What KVM_GET_IRQCHIP and KVM_SET_IRQCHIP carry. */
export type KvmIrqchip =
  | { readonly chip_id: typeof KVM_IRQCHIP_PIC_MASTER | typeof KVM_IRQCHIP_PIC_SLAVE; readonly pic: KvmPicState }
  | { readonly chip_id: typeof KVM_IRQCHIP_IOAPIC; readonly ioapic: KvmIoapicState };

export const kvm_vm_ioctl_get_irqchip = fn(
  'KVM_GET_IRQCHIP: saves a chip’s registers.',
  function* kvm_vm_ioctl_get_irqchip(kvm: Kvm, chip_id: KvmIrqchip['chip_id']): Run<KvmIrqchip> {
    if (chip_id === KVM_IRQCHIP_IOAPIC) return { chip_id, ioapic: yield* kvm_get_ioapic(kvm) };
    atCall('memcpy');
    return { chip_id, pic: savePic(kvm.arch.vpic!.pics[chip_id]) };
  },
);

export const kvm_vm_ioctl_set_irqchip = fn(
  'KVM_SET_IRQCHIP: loads a chip’s registers, as after a migration, and recomputes the PIC’s output.',
  function* kvm_vm_ioctl_set_irqchip(kvm: Kvm, chip: KvmIrqchip) {
    if (chip.chip_id === KVM_IRQCHIP_IOAPIC) yield* kvm_set_ioapic(kvm, chip.ioapic);
    else {
      atCall('memcpy');
      Object.assign(kvm.arch.vpic!.pics[chip.chip_id], chip.pic);
    }
    yield* kvm_pic_update_irq(kvm.arch.vpic!);
    return 0;
  },
);

export const vcpu_scan_ioapic = fn('Rebuilds the set of vectors whose EOI has to be seen.', function* vcpu_scan_ioapic(vcpu: KvmVcpu) {
  if (!kvm_apic_present(vcpu)) return;
  const { apicv } = vcpu.kvm.x86_ops;
  if (apicv !== undefined) yield* through('function pointer', 'sync_pir_to_irr', apicv.sync_pir_to_irr)(vcpu);
  const handled = new Set<number>();
  vcpu.highest_stale_pending_ioapic_eoi = -1;
  const split = irqchip_split(vcpu.kvm);
  if (split) yield* kvm_scan_ioapic_routes(vcpu, handled);
  else if (vcpu.kvm.arch.vioapic !== undefined) yield* kvm_ioapic_scan_entry(vcpu, handled);
  behind(split ? 'kvm_scan_ioapic_routes' : 'kvm_ioapic_scan_entry');
  at('ioapic_handled_vectors');
  for (const word of [0, 1, 2, 3, 4, 5, 6, 7] as const) {
    const cell = `ioapic_handled_vectors[${word}]` as const;
    const bits = [...handled].reduce((set, vector) => (vector >>> 5 === word ? set | (1 << (vector & 31)) : set), 0) >>> 0;
    if (vcpu[cell] !== bits) vcpu[cell] = bits;
  }
  make_request(vcpu, 'KVM_REQ_LOAD_EOI_EXITMAP');
});

const vcpu_load_eoi_exitmap = fn('Tells the CPU which EOIs shall exit.', function* vcpu_load_eoi_exitmap(vcpu: KvmVcpu) {
  const { apicv } = vcpu.kvm.x86_ops;
  at('ioapic_handled_vectors');
  if (apicv !== undefined) yield* through('function pointer', 'load_eoi_exitmap', apicv.load_eoi_exitmap)(vcpu);
});

export const kvm_inject_nmi = fn('Queues an NMI for a vCPU.', function* kvm_inject_nmi(vcpu: KvmVcpu) {
  atCall('atomic_inc');
  vcpu['arch.nmi_queued'] += 1;
  make_request(vcpu, 'KVM_REQ_NMI');
});

export const process_nmi = fn(
  'Takes the queued NMIs: a CPU remembers one beside the one that it handles, all others merge with that.',
  function* process_nmi(vcpu: KvmVcpu) {
    const limit = vcpu['arch.nmi_injected'] ? 1 : 2;
    const queued = vcpu['arch.nmi_queued'];
    atCall('atomic_xchg');
    vcpu['arch.nmi_queued'] = 0;
    vcpu['arch.nmi_pending'] = Math.min(vcpu['arch.nmi_pending'] + queued, limit);
    make_request(vcpu, 'KVM_REQ_EVENT');
  },
);

const kvm_check_and_inject_events = fn(
  'Injects what waits, if the guest can take it; if not, asks for an exit as soon as it can. What an earlier exit kept from being delivered goes first.',
  function* kvm_check_and_inject_events(vcpu: KvmVcpu) {
    const { x86_ops } = vcpu.kvm;
    if (vcpu['arch.interrupt.injected']) {
      at('interrupt', 'User space has queued this vector, or the guest left while it was on its way in.');
      yield* through('function pointer', 'inject_irq', x86_ops.inject_irq)(vcpu);
      if (!(yield* kvm_cpu_has_injectable_intr(vcpu))) return;
      at('req_immediate_exit', 'Something may have to follow: the guest enters only to take this one.');
      vcpu.req_immediate_exit = true;
      return;
    }
    if (!(yield* kvm_cpu_has_injectable_intr(vcpu))) return;
    if (yield* through('function pointer', 'interrupt_allowed', x86_ops.interrupt_allowed)(vcpu)) {
      const irq = yield* kvm_cpu_get_interrupt(vcpu);
      if (irq !== -1) {
        atCall('kvm_queue_interrupt');
        vcpu['arch.interrupt.nr'] = irq;
        vcpu['arch.interrupt.injected'] = true;
        behind('kvm_queue_interrupt');
        yield* through('function pointer', 'inject_irq', x86_ops.inject_irq)(vcpu);
      }
    }
    behind('interrupt_allowed');
    if (yield* kvm_cpu_has_injectable_intr(vcpu)) yield* through('function pointer', 'enable_irq_window', x86_ops.enable_irq_window)(vcpu);
  },
);

const vcpu_enter_guest = fn(
  'One round: serve the requests, inject, enter the guest, and handle what made it exit. A positive result means another round, 0 a return to user space.',
  function* vcpu_enter_guest(vcpu: KvmVcpu) {
    const { x86_ops } = vcpu.kvm;
    if (check_request(vcpu, 'KVM_REQ_SMI'))
      at('process_smi', 'System management mode is outside of this model: what an SMI does ends here.');
    if (check_request(vcpu, 'KVM_REQ_NMI')) yield* process_nmi(vcpu);
    if (check_request(vcpu, 'KVM_REQ_IOAPIC_EOI_EXIT') && handlesVector(vcpu, vcpu['arch.pending_ioapic_eoi'])) {
      at('KVM_EXIT_IOAPIC_EOI', 'The I/O APIC is user space’s: it has to be told which vector has ended.');
      vcpu['run.exit_reason'] = KVM_EXIT_IOAPIC_EOI;
      vcpu['run.eoi.vector'] = vcpu['arch.pending_ioapic_eoi'];
      return 0;
    }
    if (check_request(vcpu, 'KVM_REQ_SCAN_IOAPIC')) yield* vcpu_scan_ioapic(vcpu);
    if (check_request(vcpu, 'KVM_REQ_LOAD_EOI_EXITMAP')) yield* vcpu_load_eoi_exitmap(vcpu);
    const req_int_win = dm_request_for_irq_injection(vcpu) && (yield* kvm_cpu_accept_dm_intr(vcpu));
    if (check_request(vcpu, 'KVM_REQ_EVENT') || req_int_win) {
      if (vcpu.apic.pending_events !== 0) yield* kvm_apic_accept_events(vcpu);
      if (vcpu['arch.mp_state'] === KVM_MP_STATE_INIT_RECEIVED) return 1;
      yield* kvm_check_and_inject_events(vcpu);
      if (req_int_win) yield* through('function pointer', 'enable_irq_window', x86_ops.enable_irq_window)(vcpu);
      // For a guest that shares no word with KVM there is nothing to say.
      if (vcpu.pv_eoi !== undefined) yield* kvm_lapic_sync_to_vapic(vcpu);
    }
    at('IN_GUEST_MODE');
    vcpu.mode = IN_GUEST_MODE;
    yield* sync_posted(vcpu);
    // A request that came since it was looked for: upstream cancels the entry and starts over.
    if (vcpu.requests !== 0) {
      atCall('kvm_vcpu_exit_request');
      vcpu.mode = OUTSIDE_GUEST_MODE;
      return 1;
    }
    if (vcpu.TIF_SIGPENDING) {
      atCall('kvm_vcpu_exit_request');
      vcpu.mode = OUTSIDE_GUEST_MODE;
      return 1;
    }
    if (vcpu.req_immediate_exit) {
      behind('kvm_vcpu_exit_request');
      make_request(vcpu, 'KVM_REQ_EVENT');
      vcpu.req_immediate_exit = false;
      vcpu.cpu.immediate_exit = true;
    }
    const exit_fastpath = yield* run_guest(vcpu);
    atWrite('mode', 'vcpu_run');
    vcpu.mode = OUTSIDE_GUEST_MODE;
    if (vcpu['arch.interrupt.injected']) {
      at('vcpu_run');
      vcpu['arch.interrupt.injected'] = false;
    }
    if (vcpu['arch.apic_attention'] !== 0) yield* kvm_lapic_sync_from_vapic(vcpu);
    return yield* through('function pointer', 'handle_exit', x86_ops.handle_exit)(vcpu, vcpu.cpu.exit!, exit_fastpath);
  },
);

/** The loop around the entry: what was handled with interrupts off goes straight back into the guest. */
function* run_guest(vcpu: KvmVcpu) {
  for (;;) {
    const exit_fastpath = yield* through('function pointer', 'vcpu_run', vcpu.kvm.x86_ops.vcpu_run)(vcpu);
    if (exit_fastpath !== 'EXIT_FASTPATH_REENTER_GUEST') return exit_fastpath;
    yield* sync_posted(vcpu, 'vcpu_run');
    if (vcpu.requests !== 0 || vcpu.mode === EXITING_GUEST_MODE) {
      behind('vcpu_run');
      atCall('kvm_vcpu_exit_request');
      return 'EXIT_FASTPATH_EXIT_HANDLED';
    }
  }
}

/** Where the CPU can post: takes what was posted into the virtual APIC. */
function* sync_posted(vcpu: KvmVcpu, after?: string) {
  const { apicv } = vcpu.kvm.x86_ops;
  if (apicv === undefined) return;
  if (after !== undefined) behind(after);
  yield* through('function pointer', 'sync_pir_to_irr', apicv.sync_pir_to_irr)(vcpu);
}

/** Whether a vector is in the set whose EOI has to be seen. */
const handlesVector = (vcpu: KvmVcpu, vector: number): boolean =>
  ((vcpu[`ioapic_handled_vectors[${(vector >>> 5) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}]`] >>> (vector & 31)) & 1) === 1;

/** dm_request_for_irq_injection(): user space has a vector of its 8259, and waits until the guest can take it. */
const dm_request_for_irq_injection = (vcpu: KvmVcpu): boolean => vcpu['run.request_interrupt_window'] && !ioapic_in_kernel(vcpu.kvm);

const kvm_cpu_accept_dm_intr = fn(
  'Whether there is a place to keep a vector of user space’s 8259, and this CPU takes such vectors.',
  function* kvm_cpu_accept_dm_intr(vcpu: KvmVcpu) {
    if (yield* kvm_cpu_has_extint(vcpu)) return false;
    return !lapic_in_kernel(vcpu) || (yield* kvm_apic_accept_pic_intr(vcpu));
  },
);

const kvm_vcpu_ready_for_interrupt_injection = fn(
  'Whether user space may inject now: the guest can take it, and nothing else is on its way in.',
  function* kvm_vcpu_ready_for_interrupt_injection(vcpu: KvmVcpu) {
    if (!(yield* kvm_arch_interrupt_allowed(vcpu))) return false;
    return (yield* kvm_cpu_accept_dm_intr(vcpu)) && !vcpu['arch.interrupt.injected'];
  },
);

const kvm_arch_interrupt_allowed = fn('Whether the guest can take an interrupt.', function* kvm_arch_interrupt_allowed(vcpu: KvmVcpu) {
  return yield* through('function pointer', 'interrupt_allowed', vcpu.kvm.x86_ops.interrupt_allowed)(vcpu);
});

export const kvm_vcpu_ioctl_interrupt = fn(
  'KVM_INTERRUPT: user space’s 8259 was acknowledged. Without a local APIC in the kernel the vector goes in at the next entry, whatever the guest is doing; with one, KVM keeps it until the guest can take it.',
  function* kvm_vcpu_ioctl_interrupt(vcpu: KvmVcpu, irq: number) {
    if (!lapic_in_kernel(vcpu)) {
      atCall('kvm_queue_interrupt');
      vcpu['arch.interrupt.nr'] = irq;
      vcpu['arch.interrupt.injected'] = true;
      make_request(vcpu, 'KVM_REQ_EVENT');
      return 0;
    }
    atCall('pic_in_kernel');
    at('pending_external_vector');
    if (ioapic_in_kernel(vcpu.kvm)) return -ENXIO;
    if (vcpu['arch.pending_external_vector'] !== -1) return -EEXIST;
    vcpu['arch.pending_external_vector'] = irq;
    behind('pending_external_vector');
    make_request(vcpu, 'KVM_REQ_EVENT');
    return 0;
  },
);

export const kvm_arch_vcpu_ioctl = fn(
  'The ioctls of a virtual CPU that only x86 has.',
  function* kvm_arch_vcpu_ioctl(vcpu: KvmVcpu, { irq }: { readonly irq: number }) {
    return yield* kvm_vcpu_ioctl_interrupt(vcpu, irq);
  },
);

export const kvm_vcpu_reset = fn(
  'Resets a vCPU: on INIT, as far as interrupts go.',
  function* kvm_vcpu_reset(vcpu: KvmVcpu, init_event: boolean) {
    yield* kvm_lapic_reset(vcpu, init_event);
    at('nmi_queued');
    vcpu['arch.nmi_queued'] = 0;
    vcpu['arch.nmi_pending'] = 0;
    vcpu['arch.nmi_injected'] = false;
    vcpu['arch.interrupt.injected'] = false;
  },
);

const kvm_vcpu_has_events = fn('Whether a halted guest has a reason to go on.', function* kvm_vcpu_has_events(vcpu: KvmVcpu) {
  at('pv_unhalted');
  if (vcpu.apic.pending_events !== 0 || vcpu['arch.pv.pv_unhalted']) return true;
  at('KVM_REQ_NMI');
  if (vcpu['arch.nmi_queued'] + vcpu['arch.nmi_pending'] > 0) return true;
  return (yield* kvm_arch_interrupt_allowed(vcpu)) && (yield* kvm_cpu_has_interrupt(vcpu));
});

/** kvm_vcpu_running(). */
const kvm_vcpu_running = (vcpu: KvmVcpu): boolean => vcpu['arch.mp_state'] === KVM_MP_STATE_RUNNABLE;

export const kvm_arch_vcpu_runnable = fn(
  'Whether a vCPU can run: it was never halted, or it has been given a reason to go on.',
  function* kvm_arch_vcpu_runnable(vcpu: KvmVcpu) {
    atCall('kvm_vcpu_running');
    return kvm_vcpu_running(vcpu) || (yield* kvm_vcpu_has_events(vcpu));
  },
);

const vcpu_block = fn(
  'The guest has halted: the vCPU’s thread sleeps until there is something to do for it, and lets it run again.',
  function* vcpu_block(vcpu: KvmVcpu) {
    if (!(yield* kvm_arch_vcpu_runnable(vcpu))) {
      if (vcpu['arch.mp_state'] === KVM_MP_STATE_HALTED) yield* kvm_vcpu_halt(vcpu);
      else yield* kvm_vcpu_block(vcpu);
      behind('kvm_arch_vcpu_runnable');
      if (!(yield* kvm_arch_vcpu_runnable(vcpu))) return 1;
    }
    if (vcpu.apic.pending_events !== 0) yield* kvm_apic_accept_events(vcpu);
    if (vcpu['arch.mp_state'] === KVM_MP_STATE_HALTED) {
      at('pv_unhalted');
      vcpu['arch.pv.pv_unhalted'] = false;
      behind('pv_unhalted');
      at('mp_state');
      vcpu['arch.mp_state'] = KVM_MP_STATE_RUNNABLE;
    }
    return 1;
  },
);

const __kvm_emulate_halt = fn(
  'The guest has nothing to do: the run loop will find that it cannot run, and sleep. What came in the meantime keeps it awake (since 6.12 seen here already).',
  function* __kvm_emulate_halt(vcpu: KvmVcpu, state: typeof KVM_MP_STATE_HALTED) {
    atCall('lapic_in_kernel');
    if (!lapic_in_kernel(vcpu)) {
      at('exit_reason', 'The local APIC is in user space, and so is the reason to go on.');
      vcpu['run.exit_reason'] = KVM_EXIT_HLT;
      return 0;
    }
    if (since('linux', '6.12') && (yield* kvm_vcpu_has_events(vcpu))) {
      at('pv_unhalted');
      vcpu['arch.pv.pv_unhalted'] = false;
      return 1;
    }
    at('mp_state');
    vcpu['arch.mp_state'] = state;
    return 1;
  },
);

const kvm_emulate_halt_noskip = fn('Halts the vCPU.', function* kvm_emulate_halt_noskip(vcpu: KvmVcpu) {
  return yield* __kvm_emulate_halt(vcpu, KVM_MP_STATE_HALTED);
});

export const kvm_emulate_halt = fn('The guest executed HLT.', function* kvm_emulate_halt(vcpu: KvmVcpu) {
  atCall('kvm_skip_emulated_instruction');
  return yield* kvm_emulate_halt_noskip(vcpu);
});

const vcpu_run = fn('Rounds through the guest until user space has something to do.', function* vcpu_run(vcpu: KvmVcpu) {
  for (;;) {
    const r = kvm_vcpu_running(vcpu) ? yield* vcpu_enter_guest(vcpu) : yield* vcpu_block(vcpu);
    if (r <= 0) return r;
    check_request(vcpu, 'KVM_REQ_UNBLOCK');
    if (lapic_in_kernel(vcpu) && vcpu.apic['lapic_timer.pending'] > 0 && (yield* kvm_cpu_has_pending_timer(vcpu)) > 0)
      yield* kvm_inject_pending_timer_irqs(vcpu);
    if (dm_request_for_irq_injection(vcpu) && (yield* kvm_vcpu_ready_for_interrupt_injection(vcpu))) {
      at('KVM_EXIT_IRQ_WINDOW_OPEN');
      vcpu['run.exit_reason'] = KVM_EXIT_IRQ_WINDOW_OPEN;
      return 0;
    }
    if (vcpu.TIF_SIGPENDING) {
      atCall('xfer_to_guest_mode_handle_work', 'User space has a signal for this thread.');
      vcpu['run.exit_reason'] = KVM_EXIT_INTR;
      return -EINTR;
    }
    yield* preempt();
  }
});

export const kvm_arch_vcpu_ioctl_run = fn(
  'KVM_RUN: completes what user space did for the guest, and runs it on.',
  function* kvm_arch_vcpu_ioctl_run(vcpu: KvmVcpu) {
    vcpu.thread = running().currentThread;
    at('complete_userspace_io');
    const cui = vcpu.complete_userspace_io;
    vcpu.complete_userspace_io = undefined;
    if (cui !== undefined) yield* through('function pointer', 'cui', cui)(vcpu);
    const r = vcpu['run.immediate_exit'] ? interrupted_before_entry() : yield* vcpu_run(vcpu);
    yield* post_kvm_run_save(vcpu);
    return r;
  },
);

/** User space has said that it only wants the last instruction completed. */
function interrupted_before_entry(): number {
  behind('complete_userspace_io');
  at('wants_to_run', 'user space wants this thread back at once');
  return -EINTR;
}

const post_kvm_run_save = fn(
  'Leaves for user space what it needs to know of the guest, above all whether it could take an interrupt now.',
  function* post_kvm_run_save(vcpu: KvmVcpu) {
    at('if_flag');
    const { IF } = vcpu.cpu.guest;
    if (vcpu['run.if_flag'] !== IF) vcpu['run.if_flag'] = IF;
    const ready = ioapic_in_kernel(vcpu.kvm) || (yield* kvm_vcpu_ready_for_interrupt_injection(vcpu));
    at('ready_for_interrupt_injection');
    if (vcpu['run.ready_for_interrupt_injection'] !== ready) vcpu['run.ready_for_interrupt_injection'] = ready;
  },
);

export const kvm_set_msr_common = fn(
  'A guest writes an MSR that VT-x and AMD-V treat alike. 1 if it is to get a #GP for it.',
  function* kvm_set_msr_common(vcpu: KvmVcpu, msr: number, data: bigint): Run<number> {
    if (msr === MSR_IA32_APICBASE) {
      const base = Number(data & 0xffffffffn);
      return yield* kvm_apic_set_base(vcpu, base);
    }
    if (msr >= APIC_BASE_MSR && msr <= APIC_BASE_MSR + 0xff) return yield* kvm_x2apic_msr_write(vcpu, msr, data);
    at('msr');
    return 1;
  },
);

export const kvm_get_msr_common = fn(
  'A guest reads an MSR that VT-x and AMD-V treat alike; undefined if it is to get a #GP for it.',
  function* kvm_get_msr_common(vcpu: KvmVcpu, msr: number): Run<bigint | undefined> {
    if (msr >= APIC_BASE_MSR && msr <= APIC_BASE_MSR + 0xff) return yield* kvm_x2apic_msr_read(vcpu, msr);
    at('MSR_IA32_APICBASE');
    return msr === MSR_IA32_APICBASE ? BigInt(vcpu['arch.apic_base']) : undefined;
  },
);

const __kvm_set_msr = fn('Hands an MSR write to the vendor’s code.', function* __kvm_set_msr(vcpu: KvmVcpu, msr: number, data: bigint) {
  return yield* through('function pointer', 'set_msr', vcpu.kvm.x86_ops.set_msr)(vcpu, msr, data);
});

const _kvm_set_msr = fn(
  'Gives __kvm_set_msr() the signature that reads and writes share.',
  function* _kvm_set_msr(vcpu: KvmVcpu, msr: number, data: bigint) {
    return yield* __kvm_set_msr(vcpu, msr, data);
  },
);

type MsrAccess = Pointer<[vcpu: KvmVcpu, msr: number, data: bigint], number>;

const kvm_do_msr_access = fn(
  'Accesses an MSR, and forgives unknown ones if asked to.',
  function* kvm_do_msr_access(vcpu: KvmVcpu, msr: number, data: bigint, msr_access_fn: MsrAccess) {
    return yield* through('function pointer', 'msr_access_fn', msr_access_fn)(vcpu, msr, data);
  },
);

const kvm_set_msr_ignored_check = fn(
  'Writes an MSR, and forgives unknown ones if asked to.',
  function* kvm_set_msr_ignored_check(vcpu: KvmVcpu, msr: number, data: bigint) {
    if (since('linux', '6.11')) return yield* kvm_do_msr_access(vcpu, msr, data, addressOf(_kvm_set_msr));
    return yield* __kvm_set_msr(vcpu, msr, data);
  },
);

const kvm_set_msr_with_filter = fn(
  'Writes an MSR if user space did not filter it.',
  function* kvm_set_msr_with_filter(vcpu: KvmVcpu, msr: number, data: bigint) {
    return yield* kvm_set_msr_ignored_check(vcpu, msr, data);
  },
);

export const kvm_emulate_wrmsr = fn('Emulates WRMSR.', function* kvm_emulate_wrmsr(vcpu: KvmVcpu) {
  const { exit } = vcpu.cpu;
  if (exit?.kind === 'wrmsr') yield* kvm_set_msr_with_filter(vcpu, exit.msr, exit.value);
  return 1;
});

const handle_fastpath_set_x2apic_icr_irqoff = fn(
  'An IPI to one CPU, named by its ID, is sent before interrupts are enabled again: what most IPIs of a Linux guest are.',
  function* handle_fastpath_set_x2apic_icr_irqoff(vcpu: KvmVcpu, data: bigint) {
    const low = Number(data & 0xffffffffn);
    at('APIC_DEST_PHYSICAL');
    const one = (low & APIC_DEST_ALLBUT) === 0 && (low & APIC_DEST_LOGICAL) === 0 && data >> 32n !== 0xffffffffn;
    if (!apic_x2apic_mode(vcpu.apic) || !one || (low & APIC_MODE_MASK) !== APIC_DM_FIXED) return 1;
    return yield* kvm_x2apic_icr_write(vcpu.apic, data);
  },
);

export const handle_fastpath_set_msr_irqoff = fn(
  'Looks whether a WRMSR can be done right behind the exit, with interrupts off.',
  function* handle_fastpath_set_msr_irqoff(vcpu: KvmVcpu): Run<Fastpath> {
    const { exit } = vcpu.cpu;
    at('APIC_ICR');
    if (exit?.kind !== 'wrmsr' || exit.msr !== APIC_BASE_MSR + (APIC_ICR >> 4)) return 'EXIT_FASTPATH_NONE';
    return (yield* handle_fastpath_set_x2apic_icr_irqoff(vcpu, exit.value)) === 0 ? 'EXIT_FASTPATH_REENTER_GUEST' : 'EXIT_FASTPATH_NONE';
  },
);

export const handle_fastpath_hlt = fn(
  'HLT is dealt with right behind the exit: with something pending the guest goes on at once.',
  function* handle_fastpath_hlt(vcpu: KvmVcpu): Run<Fastpath> {
    if ((yield* kvm_emulate_halt(vcpu)) === 0) return 'EXIT_FASTPATH_EXIT_USERSPACE';
    atCall('kvm_vcpu_running');
    return kvm_vcpu_running(vcpu) ? 'EXIT_FASTPATH_REENTER_GUEST' : 'EXIT_FASTPATH_EXIT_HANDLED';
  },
);

/** The width of the memory access that is being emulated, in bytes. */
const mmio_size = ({ cpu: { exit } }: KvmVcpu): number => (exit?.kind === 'mmio' ? (exit.size ?? 4) : 4);

const vcpu_mmio_write = fn(
  'Offers an MMIO write to the devices in the kernel: the vCPU’s own local APIC, then the bus.',
  function* vcpu_mmio_write(vcpu: KvmVcpu, addr: number, val: number) {
    if (lapic_in_kernel(vcpu) && (yield* kvm_iodevice_write(vcpu, vcpu.apic.dev, addr, mmio_size(vcpu), val)) === 0) return true;
    return (yield* kvm_io_bus_write(vcpu, 'KVM_MMIO_BUS', addr, mmio_size(vcpu), val)) === 0;
  },
);

const write_mmio = fn('An emulated write to what is not memory.', function* write_mmio(vcpu: KvmVcpu, gpa: number, val: IoBuffer) {
  return yield* vcpu_mmio_write(vcpu, gpa, val.value);
});

const vcpu_mmio_read = fn(
  'Offers an MMIO read to the devices in the kernel: the vCPU’s own local APIC, then the bus.',
  function* vcpu_mmio_read(vcpu: KvmVcpu, addr: number, val: IoBuffer) {
    if (lapic_in_kernel(vcpu) && (yield* kvm_iodevice_read(vcpu, vcpu.apic.dev, addr, mmio_size(vcpu), val)) === 0) return true;
    return (yield* kvm_io_bus_read(vcpu, 'KVM_MMIO_BUS', addr, mmio_size(vcpu), val)) === 0;
  },
);

export const read_emultor = ops('read_emultor', { read_write_mmio: vcpu_mmio_read });
export const write_emultor = ops('write_emultor', { read_write_mmio: write_mmio });

const emulator_read_write_onepage = fn(
  'Tries memory, then the devices in the kernel.',
  function* emulator_read_write_onepage(vcpu: KvmVcpu, addr: number, val: IoBuffer, emultor: typeof read_emultor | typeof write_emultor) {
    return yield* through('function pointer', 'read_write_mmio', emultor.read_write_mmio)(vcpu, addr, val);
  },
);

const emulator_read_write = fn(
  'Performs an emulated memory access; what no device in the kernel takes becomes a KVM_EXIT_MMIO.',
  function* emulator_read_write(vcpu: KvmVcpu, addr: number, val: IoBuffer, is_write: boolean) {
    if (yield* emulator_read_write_onepage(vcpu, addr, val, is_write ? write_emultor : read_emultor)) {
      // The guest finds it where a read from user space would have left it.
      vcpu.run.mmio = { ...vcpu.run.mmio, data: val.value };
      return;
    }
    vcpu.run.mmio = { phys_addr: addr, data: val.value, len: mmio_size(vcpu), is_write };
    at('exit_reason');
    vcpu['run.exit_reason'] = KVM_EXIT_MMIO;
  },
);

const emulator_read_emulated = fn('The emulator reads memory.', function* emulator_read_emulated(vcpu: KvmVcpu, addr: number) {
  yield* emulator_read_write(vcpu, addr, { value: 0 }, false);
});

const emulator_write_emulated = fn(
  'The emulator writes memory.',
  function* emulator_write_emulated(vcpu: KvmVcpu, addr: number, val: number) {
    yield* emulator_read_write(vcpu, addr, { value: val }, true);
  },
);

export const emulate_ops = ops('emulate_ops', { read_emulated: emulator_read_emulated, write_emulated: emulator_write_emulated });

export const x86_emulate_instruction = fn(
  'Decodes and executes the instruction that caused the exit. 0 if user space has to do its part first.',
  function* x86_emulate_instruction(vcpu: KvmVcpu) {
    vcpu.run.mmio = { phys_addr: 0, data: 0, len: 0, is_write: false };
    yield* x86_emulate_insn(vcpu);
    behind('pio');
    at('mmio_needed');
    return vcpu.run.mmio.len > 0 ? 0 : 1;
  },
);

export const kvm_emulate_instruction = fn(
  'Emulates the instruction that caused the exit.',
  function* kvm_emulate_instruction(vcpu: KvmVcpu) {
    return yield* x86_emulate_instruction(vcpu);
  },
);

const emulator_pio_in_out = fn(
  'Offers a port access to the devices in the kernel; what none of them takes becomes a KVM_EXIT_IO. 1 if it is done, 0 if user space has to do its part first.',
  function* emulator_pio_in_out(vcpu: KvmVcpu, size: number, port: number, data: IoBuffer, is_in: boolean) {
    const r = is_in
      ? yield* kvm_io_bus_read(vcpu, 'KVM_PIO_BUS', port, size, data)
      : yield* kvm_io_bus_write(vcpu, 'KVM_PIO_BUS', port, size, data.value);
    if (r >= 0) return 1;
    vcpu.run.io = { port, size, data: is_in ? 0 : data.value, direction: is_in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT };
    at('exit_reason');
    vcpu['run.exit_reason'] = KVM_EXIT_IO;
    return 0;
  },
);

const emulator_pio_out = fn('Writes to a port.', function* emulator_pio_out(vcpu: KvmVcpu, size: number, port: number, val: IoBuffer) {
  return yield* emulator_pio_in_out(vcpu, size, port, val, false);
});

const emulator_pio_in = fn('Reads from a port.', function* emulator_pio_in(vcpu: KvmVcpu, size: number, port: number, val: IoBuffer) {
  return yield* emulator_pio_in_out(vcpu, size, port, val, true);
});

const complete_fast_pio_out = fn(
  'User space has done the OUT: on to the next instruction.',
  function* complete_fast_pio_out(_vcpu: KvmVcpu) {
    atCall('kvm_skip_emulated_instruction');
    return 1;
  },
);

const complete_fast_pio_in = fn(
  'User space has done the IN: what it read goes into the guest’s RAX, and the guest goes on with the next instruction.',
  function* complete_fast_pio_in(vcpu: KvmVcpu) {
    atCall('kvm_rax_write');
    vcpu['arch.regs[VCPU_REGS_RAX]'] = vcpu.run.io.data;
    atCall('kvm_skip_emulated_instruction');
    return 1;
  },
);

const kvm_fast_pio_out = fn(
  'An OUT of one value. The instruction is finished only when user space has seen it.',
  function* kvm_fast_pio_out(vcpu: KvmVcpu, size: number, port: number, val: number) {
    const ret = yield* emulator_pio_out(vcpu, size, port, { value: val });
    if (ret !== 0) return ret;
    at('complete_userspace_io');
    vcpu.complete_userspace_io = addressOf(complete_fast_pio_out);
    return 0;
  },
);

const kvm_fast_pio_in = fn(
  'An IN of one value. RAX is written when user space has answered.',
  function* kvm_fast_pio_in(vcpu: KvmVcpu, size: number, port: number) {
    const val = { value: 0 };
    const ret = yield* emulator_pio_in(vcpu, size, port, val);
    if (ret !== 0) {
      atCall('kvm_rax_write');
      vcpu['arch.regs[VCPU_REGS_RAX]'] = val.value;
      return ret;
    }
    at('complete_userspace_io');
    vcpu.complete_userspace_io = addressOf(complete_fast_pio_in);
    return 0;
  },
);

export const kvm_fast_pio = fn(
  'A port access of one value: no instruction has to be decoded, the CPU says all that is needed. 0 if user space has to do its part first.',
  function* kvm_fast_pio(vcpu: KvmVcpu, exit: Extract<VmExit, { kind: 'io' }>) {
    const { port, size, value } = exit;
    return exit.in ? yield* kvm_fast_pio_in(vcpu, size, port) : yield* kvm_fast_pio_out(vcpu, size, port, value);
  },
);

export const kvm_arch_vcpu_put = fn('A CPU is left behind.', function* kvm_arch_vcpu_put(vcpu: KvmVcpu) {
  yield* through('function pointer', 'vcpu_put', vcpu.kvm.x86_ops.sched.vcpu_put)(vcpu);
});

export const kvm_arch_vcpu_load = fn('A CPU is made this vCPU’s.', function* kvm_arch_vcpu_load(vcpu: KvmVcpu) {
  yield* through('function pointer', 'vcpu_load', vcpu.kvm.x86_ops.sched.vcpu_load)(vcpu);
});

export const kvm_arch_start_assignment = fn(
  'The virtual machine takes an interrupt directly from now on. The first time, vCPUs that sleep have to look up: they may have to be woken by the hardware next time.',
  function* kvm_arch_start_assignment(kvm: Kvm) {
    atCall('atomic_inc_return');
    kvm.arch.assignment.assigned_device_count += 1;
    const { pi_start_assignment } = kvm.x86_ops.posting;
    if (kvm.arch.assignment.assigned_device_count === 1 && pi_start_assignment !== undefined)
      yield* through('function pointer', 'pi_start_assignment', pi_start_assignment)(kvm);
  },
);

export const kvm_arch_end_assignment = fn('One interrupt less.', function* kvm_arch_end_assignment(kvm: Kvm) {
  atCall('atomic_dec');
  kvm.arch.assignment.assigned_device_count -= 1;
});

export const kvm_arch_has_assigned_device = fn(
  'Whether the virtual machine takes any interrupt directly.',
  function* kvm_arch_has_assigned_device(kvm: Kvm) {
    at('assigned_device_count');
    return kvm.arch.assignment.assigned_device_count > 0;
  },
);

export const kvm_arch_has_irq_bypass = fn(
  'Whether it makes sense to look for a hardware interrupt behind an eventfd. 6.1 always looks, and finds later that it cannot use it.',
  function* kvm_arch_has_irq_bypass(kvm: Kvm) {
    if (!since('linux', '6.12')) return true;
    at('enable_apicv');
    return kvm.x86_ops.apicv !== undefined && kvm.arch.irq_posting_cap;
  },
);

export const kvm_arch_irq_bypass_add_producer = fn(
  'VFIO’s interrupt has met this irqfd: from now on the hardware may deliver it to the guest, if it can.',
  function* kvm_arch_irq_bypass_add_producer(irqfd: KvmKernelIrqfd, prod: IrqBypassProducer) {
    const { kvm } = irqfd;
    yield* kvm_arch_start_assignment(kvm);
    irqfd.producer = prod;
    const ret = yield* through('function pointer', 'pi_update_irte', kvm.x86_ops.posting.pi_update_irte)(kvm, prod.irq!, irqfd.gsi, true);
    if (ret !== 0) yield* kvm_arch_end_assignment(kvm);
    return ret;
  },
);

export const kvm_arch_irq_bypass_del_producer = fn(
  'VFIO takes its interrupt back: it has to reach the host again before anything else happens to it.',
  function* kvm_arch_irq_bypass_del_producer(irqfd: KvmKernelIrqfd, prod: IrqBypassProducer) {
    const { kvm } = irqfd;
    irqfd.producer = undefined;
    yield* through('function pointer', 'pi_update_irte', kvm.x86_ops.posting.pi_update_irte)(kvm, prod.irq!, irqfd.gsi, false);
    yield* kvm_arch_end_assignment(kvm);
  },
);

export const kvm_arch_update_irqfd_routing = fn(
  'The message behind an irqfd has changed: the hardware has to deliver another vector, or to another vCPU.',
  function* kvm_arch_update_irqfd_routing(kvm: Kvm, host_irq: IrqDesc, guest_irq: number, set: boolean) {
    return yield* through('function pointer', 'pi_update_irte', kvm.x86_ops.posting.pi_update_irte)(kvm, host_irq, guest_irq, set);
  },
);

export const kvm_arch_irqfd_route_changed = fn(
  'Whether an irqfd’s route is another one than before. A table is replaced as a whole: most entries are the same as they were.',
  function* kvm_arch_irqfd_route_changed(old: KvmKernelIrqRoutingEntry | undefined, now: KvmKernelIrqRoutingEntry | undefined) {
    at('type');
    if (old?.type !== 'KVM_IRQ_ROUTING_MSI' || now?.type !== 'KVM_IRQ_ROUTING_MSI') return true;
    return old.msi.address_lo !== now.msi.address_lo || old.msi.address_hi !== now.msi.address_hi || old.msi.data !== now.msi.data;
  },
);

export const kvm_arch_memslots_updated = fn(
  'The slots have changed: forgets which pages were known to be nobody’s, and kicks the vCPUs.',
  function* kvm_arch_memslots_updated(kvm: Kvm) {
    atCall('kvm_mmu_invalidate_mmio_sptes');
    for (const vcpu of kvm.vcpus) yield* kvm_vcpu_kick(vcpu);
  },
);
