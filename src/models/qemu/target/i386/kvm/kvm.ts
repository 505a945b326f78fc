import { source } from '../../../../../engine/fn';
import { acquire, release } from '../../../../../engine/mutex';
import { at, atCall, atWrite, behind } from '../../../../../engine/steps';
import { KVM_EXIT_HLT, KVM_EXIT_IOAPIC_EOI } from '../../../../linux/virt/kvm/kvm_types';
import { kvm_vcpu_ioctl } from '../../../accel/kvm/kvm-all';
import { cpu_get_pic_interrupt } from '../../../hw/i386/x86';
import { apic_poll_irq } from '../../../hw/intc/apic';
import { cpu_get_apic_tpr, cpu_set_apic_tpr } from '../../../hw/intc/apic_common';
import { ioapic_eoi_broadcast } from '../../../hw/intc/ioapic';
import { CPU_INTERRUPT_HARD, CPU_INTERRUPT_POLL, IF_MASK, type X86CPU } from '../../../include/hw/core/cpu';
import { kvm_irqchip_in_kernel, kvm_pic_in_kernel } from '../../../include/sysemu/kvm';
import type { KvmMsi } from '../../../../linux/virt/kvm/kvm_types';

/** What QEMU does around KVM_RUN for an x86 CPU: before it, after it, and while the CPU does not run. */

const EXCP_HLT = 0x10001;

const { fn } = source('qemu', 'target/i386/kvm/kvm.c');

export const kvm_arch_pre_run = fn(
  'Before KVM_RUN: where the PIC is in QEMU, its vector is fetched and handed to KVM, if the guest can take it. If not, KVM is to come back as soon as it can.',
  function* kvm_arch_pre_run(cpu: X86CPU) {
    atCall('kvm_pic_in_kernel');
    if (kvm_pic_in_kernel(cpu.board)) return;
    behind('kvm_pic_in_kernel');
    yield* acquire(cpu.board.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    const kvm = cpu.kvm!;
    at('ready_for_interrupt_injection');
    if (kvm['run.ready_for_interrupt_injection'] && cpu.interrupt_request & CPU_INTERRUPT_HARD && cpu['env.eflags'] & IF_MASK) {
      atWrite('interrupt_request', 'ready_for_interrupt_injection');
      cpu.interrupt_request &= ~CPU_INTERRUPT_HARD;
      const irq = yield* cpu_get_pic_interrupt(cpu);
      if (irq >= 0) {
        behind('cpu_get_pic_interrupt');
        yield* kvm_vcpu_ioctl(cpu, { cmd: 'KVM_INTERRUPT', irq });
      }
    }
    const window = (cpu.interrupt_request & CPU_INTERRUPT_HARD) !== 0;
    if (kvm['run.request_interrupt_window'] !== window) kvm['run.request_interrupt_window'] = window;
    if (cpu.apic_state !== undefined) {
      const cr8 = yield* cpu_get_apic_tpr(cpu.apic_state);
      if (kvm['run.cr8'] !== cr8) kvm['run.cr8'] = cr8;
    }
    behind('ready_for_interrupt_injection');
    release(cpu.board.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
  },
);

export const kvm_arch_post_run = fn(
  'After KVM_RUN: takes over what KVM left of the guest’s state. A local APIC in QEMU is told the task priority, which may let an interrupt through.',
  function* kvm_arch_post_run(cpu: X86CPU) {
    const kvm = cpu.kvm!;
    const eflags = kvm['run.if_flag'] ? cpu['env.eflags'] | IF_MASK : cpu['env.eflags'] & ~IF_MASK;
    if (cpu['env.eflags'] !== eflags) {
      at('eflags');
      cpu['env.eflags'] = eflags;
    }
    if (cpu.apic_state === undefined) return;
    yield* acquire(cpu.board.qemu_global_mutex, 'qemu_mutex_lock_iothread');
    yield* cpu_set_apic_tpr(cpu.apic_state, kvm['run.cr8']);
    release(cpu.board.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
  },
);

export const kvm_arch_process_async_events = fn(
  'Before the CPU goes on: does it have a reason to? With the local APICs in the kernel that knows, and the CPU is never halted here.',
  function* kvm_arch_process_async_events(cpu: X86CPU) {
    atCall('kvm_irqchip_in_kernel');
    if (kvm_irqchip_in_kernel(cpu.board)) return false;
    if (cpu.interrupt_request & CPU_INTERRUPT_POLL) {
      atWrite('interrupt_request', 'CPU_INTERRUPT_POLL');
      cpu.interrupt_request &= ~CPU_INTERRUPT_POLL;
      if (cpu.apic_state !== undefined) yield* apic_poll_irq(cpu.apic_state);
    }
    if (canTakeInterrupt(cpu) && cpu.halted) {
      atWrite('halted', 'CPU_INTERRUPT_HARD');
      cpu.halted = false;
    }
    return cpu.halted;
  },
);

/** Whether a hardware interrupt waits that the guest can take. */
const canTakeInterrupt = (cpu: X86CPU): boolean =>
  (cpu.interrupt_request & CPU_INTERRUPT_HARD) !== 0 && (cpu['env.eflags'] & IF_MASK) !== 0;

const kvm_handle_halt = fn(
  'The guest has nothing to do: unless an interrupt waits already, the CPU’s thread goes to sleep in QEMU.',
  function* kvm_handle_halt(cpu: X86CPU) {
    if (canTakeInterrupt(cpu)) return 0;
    cpu.halted = true;
    return EXCP_HLT;
  },
);

export const kvm_arch_handle_exit = fn(
  'Exits that only an x86 CPU has: a guest that halts where the local APIC is in QEMU, and the end of a vector that the kernel could not tell its own I/O APIC, since that is here.',
  function* kvm_arch_handle_exit(cpu: X86CPU) {
    const { board } = cpu;
    const kvm = cpu.kvm!;
    at('exit_reason');
    switch (kvm.run.exit_reason) {
      case KVM_EXIT_HLT: {
        yield* acquire(board.qemu_global_mutex, 'qemu_mutex_lock_iothread');
        const ret = yield* kvm_handle_halt(cpu);
        release(board.qemu_global_mutex, 'qemu_mutex_unlock_iothread');
        return ret;
      }
      case KVM_EXIT_IOAPIC_EOI:
        yield* ioapic_eoi_broadcast(board, kvm['run.eoi.vector']);
    }
    return 0;
  },
);

export const kvm_arch_fixup_msi_route = fn(
  'A virtual IOMMU would remap the message here, once for all; without one it stays what it is.',
  function* kvm_arch_fixup_msi_route(msi: KvmMsi) {
    atCall('kvm_swizzle_msi_ext_dest_id');
    return msi;
  },
);
