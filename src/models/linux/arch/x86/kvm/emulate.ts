import { source, through } from '../../../../../engine/fn';
import type { KvmVcpu } from '../../../virt/kvm/kvm_types';
import { emulate_ops } from './x86';

/** KVM's instruction emulator, as far as one MOV between a register and memory goes. */

const { fn } = source('linux', 'arch/x86/kvm/emulate.c');

const read_emulated = fn('Reads memory through the emulator’s host.', function* read_emulated(vcpu: KvmVcpu, addr: number) {
  yield* through('function pointer', 'read_emulated', emulate_ops.read_emulated)(vcpu, addr);
});

const segmented_read = fn('Reads from a segmented address.', function* segmented_read(vcpu: KvmVcpu, addr: number) {
  yield* read_emulated(vcpu, addr);
});

const segmented_write = fn('Writes to a segmented address.', function* segmented_write(vcpu: KvmVcpu, addr: number, val: number) {
  yield* through('function pointer', 'write_emulated', emulate_ops.write_emulated)(vcpu, addr, val);
});

const writeback = fn('Writes an instruction’s result back.', function* writeback(vcpu: KvmVcpu, addr: number, val: number) {
  yield* segmented_write(vcpu, addr, val);
});

export const x86_emulate_insn = fn(
  'Executes a decoded instruction: reads its source, writes its destination.',
  function* x86_emulate_insn(vcpu: KvmVcpu) {
    const { exit } = vcpu.cpu;
    if (exit?.kind !== 'mmio' && exit?.kind !== 'apic access') return;
    const address = exit.kind === 'mmio' ? exit.phys_addr : vcpu.apic.base_address + exit.offset;
    if (exit.is_write) yield* writeback(vcpu, address, exit.value);
    else yield* segmented_read(vcpu, address);
  },
);
