import { addressOf, source, through, type Fn, type OpsTable, type Pointer } from '../../../../../engine/fn';
import type { Run } from '../../../../../engine/machine';
import { at, atCall, atWrite, preempt } from '../../../../../engine/steps';
import { since } from '../../../../version';
import type { VmExit } from '../../../../hardware/virt_cpu';
import { ENXIO } from '../../../errno';
import type { IoBuffer } from '../../../include/kvm/iodev';
import type { IrqDesc } from '../../../kernel/irq/irqdesc';
import type { KvmKernelIrqfd } from '../../../virt/kvm/eventfd';
import { kvm_set_irq } from '../../../virt/kvm/irqchip';
import type { IrqBypassProducer } from '../../../virt/lib/irqbypass';
import { kvm_io_bus_read, kvm_io_bus_write } from '../../../virt/kvm/kvm_main';
import {
  IN_GUEST_MODE,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_MMIO,
  KVM_REQ_EVENT,
  KVM_REQ_LOAD_EOI_EXITMAP,
  KVM_REQ_SCAN_IOAPIC,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  OUTSIDE_GUEST_MODE,
  type Kvm,
  type KvmKernelIrqRoutingEntry,
  type KvmVcpu,
} from '../../../virt/kvm/kvm_types';
import { x86_emulate_insn } from './emulate';
import { kvm_cpu_get_interrupt, kvm_cpu_has_injectable_intr } from './irq';
import { kvm_ioapic_scan_entry } from './ioapic';
import { kvm_scan_ioapic_routes } from './irq_comm';
import { kvm_x2apic_msr_write } from './lapic';

/** The x86 part of KVM's main loop: requests, injection, entry, exit, emulation. */

/** What VT-x and AMD-V do differently: the `kvm_x86_ops` that the models call. */
export type KvmX86Ops = OpsTable<{
  readonly vcpu_run: Fn<[vcpu: KvmVcpu], void>;
  readonly handle_exit: Fn<[vcpu: KvmVcpu, exit: VmExit], number>;
  readonly deliver_interrupt: Fn<[vcpu: KvmVcpu, vector: number], void>;
  readonly inject_irq: Fn<[vcpu: KvmVcpu], void>;
  readonly enable_irq_window: Fn<[vcpu: KvmVcpu], void>;
  readonly interrupt_allowed: Fn<[vcpu: KvmVcpu], boolean>;
  readonly set_msr: Fn<[vcpu: KvmVcpu, msr: number, data: number], number>;
}> & {
  /** Only what virtualizes the local APIC has these. */
  readonly apicv?: OpsTable<{
    readonly sync_pir_to_irr: Fn<[vcpu: KvmVcpu], number>;
    readonly load_eoi_exitmap: Fn<[vcpu: KvmVcpu], void>;
  }>;
  readonly posting: OpsTable<{
    readonly pi_update_irte: Fn<[kvm: Kvm, host_irq: IrqDesc, guest_irq: number, set: boolean], number>;
  }> & {
    readonly pi_start_assignment?: Pointer<[kvm: Kvm], void>;
  };
};

/** The identifier that dispatches to a member of kvm_x86_ops: static_call(kvm_x86_NAME) until 6.10, kvm_x86_call(NAME) since. */
export const kvm_x86_op = (name: string): string => (since('linux', '6.11') ? name : `kvm_x86_${name}`);

const REQUESTS = { KVM_REQ_EVENT, KVM_REQ_SCAN_IOAPIC, KVM_REQ_LOAD_EOI_EXITMAP };
type Request = keyof typeof REQUESTS;

/** kvm_make_request(): asks a vCPU to do something before it enters the guest again. */
export function make_request(vcpu: KvmVcpu, request: Request): void {
  at(request);
  vcpu.requests |= REQUESTS[request];
}

/** kvm_check_request(): whether it was asked, which it then no longer is. */
function check_request(vcpu: KvmVcpu, request: Request): boolean {
  if (!(vcpu.requests & REQUESTS[request])) return false;
  at(request);
  vcpu.requests &= ~REQUESTS[request];
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

const vcpu_scan_ioapic = fn('Rebuilds the set of vectors whose EOI has to be seen.', function* vcpu_scan_ioapic(vcpu: KvmVcpu) {
  const { apicv } = vcpu.kvm.x86_ops;
  if (apicv !== undefined) yield* through('function pointer', kvm_x86_op('sync_pir_to_irr'), apicv.sync_pir_to_irr)(vcpu);
  const handled = new Set<number>();
  if (vcpu.kvm.arch.irqchip_mode === 'KVM_IRQCHIP_SPLIT') yield* kvm_scan_ioapic_routes(vcpu, handled);
  else if (vcpu.kvm.arch.vioapic !== undefined) yield* kvm_ioapic_scan_entry(vcpu, handled);
  at('ioapic_handled_vectors');
  for (const word of [0, 1, 2, 3] as const) {
    const cell = `ioapic_handled_vectors[${word}]` as const;
    const bits = [...handled].reduce((set, vector) => (vector >>> 5 === word ? set | (1 << (vector & 31)) : set), 0) >>> 0;
    if (vcpu[cell] !== bits) vcpu[cell] = bits;
  }
  make_request(vcpu, 'KVM_REQ_LOAD_EOI_EXITMAP');
});

const vcpu_load_eoi_exitmap = fn('Tells the CPU which EOIs shall exit.', function* vcpu_load_eoi_exitmap(vcpu: KvmVcpu) {
  const { apicv } = vcpu.kvm.x86_ops;
  at('ioapic_handled_vectors');
  if (apicv !== undefined) yield* through('function pointer', kvm_x86_op('load_eoi_exitmap'), apicv.load_eoi_exitmap)(vcpu);
});

const kvm_check_and_inject_events = fn(
  'Injects what waits, if the guest can take it; if not, asks for an exit as soon as it can.',
  function* kvm_check_and_inject_events(vcpu: KvmVcpu) {
    const { x86_ops } = vcpu.kvm;
    if (!(yield* kvm_cpu_has_injectable_intr(vcpu))) return;
    if (yield* through('function pointer', kvm_x86_op('interrupt_allowed'), x86_ops.interrupt_allowed)(vcpu)) {
      const irq = yield* kvm_cpu_get_interrupt(vcpu);
      atCall('kvm_queue_interrupt');
      vcpu['arch.interrupt.nr'] = irq;
      vcpu['arch.interrupt.injected'] = true;
      yield* through('function pointer', kvm_x86_op('inject_irq'), x86_ops.inject_irq)(vcpu);
    }
    if (yield* kvm_cpu_has_injectable_intr(vcpu))
      yield* through('function pointer', kvm_x86_op('enable_irq_window'), x86_ops.enable_irq_window)(vcpu);
  },
);

const vcpu_enter_guest = fn(
  'One round: serve the requests, inject, enter the guest, and handle what made it exit. A positive result means another round, 0 a return to user space.',
  function* vcpu_enter_guest(vcpu: KvmVcpu) {
    const { x86_ops } = vcpu.kvm;
    if (check_request(vcpu, 'KVM_REQ_SCAN_IOAPIC')) yield* vcpu_scan_ioapic(vcpu);
    if (check_request(vcpu, 'KVM_REQ_LOAD_EOI_EXITMAP')) yield* vcpu_load_eoi_exitmap(vcpu);
    if (check_request(vcpu, 'KVM_REQ_EVENT')) yield* kvm_check_and_inject_events(vcpu);
    vcpu.mode = IN_GUEST_MODE;
    if (x86_ops.apicv !== undefined) yield* through('function pointer', kvm_x86_op('sync_pir_to_irr'), x86_ops.apicv.sync_pir_to_irr)(vcpu);
    // A request that came since it was looked for: upstream cancels the entry and starts over.
    if (vcpu.requests !== 0) {
      atCall('kvm_vcpu_exit_request');
      vcpu.mode = OUTSIDE_GUEST_MODE;
      return 1;
    }
    yield* through('function pointer', kvm_x86_op('vcpu_run'), x86_ops.vcpu_run)(vcpu);
    atWrite('mode', kvm_x86_op('vcpu_run'));
    vcpu.mode = OUTSIDE_GUEST_MODE;
    if (vcpu['arch.interrupt.injected']) {
      at(kvm_x86_op('vcpu_run'));
      vcpu['arch.interrupt.injected'] = false;
    }
    return yield* through('function pointer', kvm_x86_op('handle_exit'), x86_ops.handle_exit)(vcpu, vcpu.cpu.exit!);
  },
);

const vcpu_run = fn('Rounds through the guest until user space has something to do.', function* vcpu_run(vcpu: KvmVcpu) {
  for (;;) {
    const r = yield* vcpu_enter_guest(vcpu);
    if (r <= 0) return r;
    yield* preempt();
  }
});

export const kvm_arch_vcpu_ioctl_run = fn(
  'KVM_RUN: completes what user space did for the guest, and runs it on.',
  function* kvm_arch_vcpu_ioctl_run(vcpu: KvmVcpu) {
    at('complete_userspace_io');
    const cui = vcpu.complete_userspace_io;
    vcpu.complete_userspace_io = undefined;
    if (cui !== undefined) yield* through('function pointer', 'cui', cui)(vcpu);
    return yield* vcpu_run(vcpu);
  },
);

export const kvm_set_msr_common = fn(
  'A guest writes an MSR that VT-x and AMD-V treat alike.',
  function* kvm_set_msr_common(vcpu: KvmVcpu, msr: number, data: number): Run<number> {
    return yield* kvm_x2apic_msr_write(vcpu, msr, data);
  },
);

const __kvm_set_msr = fn('Hands an MSR write to the vendor’s code.', function* __kvm_set_msr(vcpu: KvmVcpu, msr: number, data: number) {
  return yield* through('function pointer', kvm_x86_op('set_msr'), vcpu.kvm.x86_ops.set_msr)(vcpu, msr, data);
});

const _kvm_set_msr = fn(
  'Gives __kvm_set_msr() the signature that reads and writes share.',
  function* _kvm_set_msr(vcpu: KvmVcpu, msr: number, data: number) {
    return yield* __kvm_set_msr(vcpu, msr, data);
  },
);

type MsrAccess = Pointer<[vcpu: KvmVcpu, msr: number, data: number], number>;

const kvm_do_msr_access = fn(
  'Accesses an MSR, and forgives unknown ones if asked to.',
  function* kvm_do_msr_access(vcpu: KvmVcpu, msr: number, data: number, msr_access_fn: MsrAccess) {
    return yield* through('function pointer', 'msr_access_fn', msr_access_fn)(vcpu, msr, data);
  },
);

const kvm_set_msr_ignored_check = fn(
  'Writes an MSR, and forgives unknown ones if asked to.',
  function* kvm_set_msr_ignored_check(vcpu: KvmVcpu, msr: number, data: number) {
    if (since('linux', '6.11')) return yield* kvm_do_msr_access(vcpu, msr, data, addressOf(_kvm_set_msr));
    return yield* __kvm_set_msr(vcpu, msr, data);
  },
);

const kvm_set_msr_with_filter = fn(
  'Writes an MSR if user space did not filter it.',
  function* kvm_set_msr_with_filter(vcpu: KvmVcpu, msr: number, data: number) {
    return yield* kvm_set_msr_ignored_check(vcpu, msr, data);
  },
);

export const kvm_emulate_wrmsr = fn('Emulates WRMSR.', function* kvm_emulate_wrmsr(vcpu: KvmVcpu) {
  const { exit } = vcpu.cpu;
  if (exit?.kind === 'wrmsr') yield* kvm_set_msr_with_filter(vcpu, exit.msr, exit.value);
  return 1;
});

const vcpu_mmio_write = fn(
  'Offers an MMIO write to the devices in the kernel: the local APIC, then the bus.',
  function* vcpu_mmio_write(vcpu: KvmVcpu, addr: number, val: number) {
    return (yield* kvm_io_bus_write(vcpu, 'KVM_MMIO_BUS', addr, 4, val)) === 0;
  },
);

const write_mmio = fn('An emulated write to what is not memory.', function* write_mmio(vcpu: KvmVcpu, gpa: number, val: number) {
  return yield* vcpu_mmio_write(vcpu, gpa, val);
});

const vcpu_mmio_read = fn(
  'Offers an MMIO read to the devices in the kernel.',
  function* vcpu_mmio_read(_vcpu: KvmVcpu, _gpa: number, _val: number) {
    atCall('kvm_io_bus_read');
    return false;
  },
);

export const read_emultor = ops('read_emultor', { read_write_mmio: vcpu_mmio_read });
export const write_emultor = ops('write_emultor', { read_write_mmio: write_mmio });

const emulator_read_write_onepage = fn(
  'Tries memory, then the devices in the kernel.',
  function* emulator_read_write_onepage(vcpu: KvmVcpu, addr: number, val: number, emultor: typeof read_emultor | typeof write_emultor) {
    return yield* through('function pointer', 'read_write_mmio', emultor.read_write_mmio)(vcpu, addr, val);
  },
);

const emulator_read_write = fn(
  'Performs an emulated memory access; what no device in the kernel takes becomes a KVM_EXIT_MMIO.',
  function* emulator_read_write(vcpu: KvmVcpu, addr: number, val: number, is_write: boolean) {
    if (yield* emulator_read_write_onepage(vcpu, addr, val, is_write ? write_emultor : read_emultor)) return;
    vcpu.run.mmio = { phys_addr: addr, data: val, len: 4, is_write };
    at('exit_reason');
    vcpu['run.exit_reason'] = KVM_EXIT_MMIO;
  },
);

const emulator_read_emulated = fn('The emulator reads memory.', function* emulator_read_emulated(vcpu: KvmVcpu, addr: number) {
  yield* emulator_read_write(vcpu, addr, 0, false);
});

const emulator_write_emulated = fn(
  'The emulator writes memory.',
  function* emulator_write_emulated(vcpu: KvmVcpu, addr: number, val: number) {
    yield* emulator_read_write(vcpu, addr, val, true);
  },
);

export const emulate_ops = ops('emulate_ops', { read_emulated: emulator_read_emulated, write_emulated: emulator_write_emulated });

export const x86_emulate_instruction = fn(
  'Decodes and executes the instruction that caused the exit. 0 if user space has to do its part first.',
  function* x86_emulate_instruction(vcpu: KvmVcpu) {
    vcpu.run.mmio = { phys_addr: 0, data: 0, len: 0, is_write: false };
    yield* x86_emulate_insn(vcpu);
    at('mmio_needed');
    return vcpu.run.mmio.len > 0 ? 0 : 1;
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

const kvm_arch_start_assignment = fn(
  'The virtual machine takes an interrupt directly from now on. The first time, vCPUs that sleep have to look up: they may have to be woken by the hardware next time.',
  function* kvm_arch_start_assignment(kvm: Kvm) {
    atCall('atomic_inc_return');
    kvm.arch.assignment.assigned_device_count += 1;
    const { pi_start_assignment } = kvm.x86_ops.posting;
    if (kvm.arch.assignment.assigned_device_count === 1 && pi_start_assignment !== undefined)
      yield* through('function pointer', kvm_x86_op('pi_start_assignment'), pi_start_assignment)(kvm);
  },
);

const kvm_arch_end_assignment = fn('One interrupt less.', function* kvm_arch_end_assignment(kvm: Kvm) {
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
    const ret = yield* through('function pointer', kvm_x86_op('pi_update_irte'), kvm.x86_ops.posting.pi_update_irte)(
      kvm,
      prod.irq!,
      irqfd.gsi,
      true,
    );
    if (ret !== 0) yield* kvm_arch_end_assignment(kvm);
    return ret;
  },
);

export const kvm_arch_irq_bypass_del_producer = fn(
  'VFIO takes its interrupt back: it has to reach the host again before anything else happens to it.',
  function* kvm_arch_irq_bypass_del_producer(irqfd: KvmKernelIrqfd, prod: IrqBypassProducer) {
    const { kvm } = irqfd;
    irqfd.producer = undefined;
    yield* through('function pointer', kvm_x86_op('pi_update_irte'), kvm.x86_ops.posting.pi_update_irte)(kvm, prod.irq!, irqfd.gsi, false);
    yield* kvm_arch_end_assignment(kvm);
  },
);

export const kvm_arch_update_irqfd_routing = fn(
  'The message behind an irqfd has changed: the hardware has to deliver another vector, or to another vCPU.',
  function* kvm_arch_update_irqfd_routing(kvm: Kvm, host_irq: IrqDesc, guest_irq: number, set: boolean) {
    return yield* through('function pointer', kvm_x86_op('pi_update_irte'), kvm.x86_ops.posting.pi_update_irte)(
      kvm,
      host_irq,
      guest_irq,
      set,
    );
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
