import { source } from '../../../../../../engine/fn';
import { atCall } from '../../../../../../engine/steps';
import type { X86CPU } from '../../../../include/hw/core/cpu';
import type { Process } from '../../../../machine';
import { address_space_ld, address_space_st } from '../../../../softmmu/physmem';

/** What translated code calls for port accesses and HLT. */

const { fn } = source('qemu', 'target/i386/tcg/sysemu/misc_helper.c');

export const helper_outb = fn(
  'The guest’s OUT of a byte: carried out in the I/O address space, under the BQL.',
  function* helper_outb(q: Process, port: number, data: number) {
    yield* address_space_st('address_space_stb', q.qemu_global_mutex, q.address_space_io, port, data, 1);
  },
);

export const helper_inb = fn('The guest’s IN of a byte.', function* helper_inb(q: Process, port: number) {
  return yield* address_space_ld('address_space_ldub', q.qemu_global_mutex, q.address_space_io, port, 1);
});

const do_hlt = fn('The CPU has nothing to do: leaves the loop, and sleeps.', function* do_hlt(cpu: X86CPU) {
  cpu.halted = true;
  atCall('cpu_loop_exit');
});

export const helper_hlt = fn('The guest’s HLT.', function* helper_hlt(cpu: X86CPU) {
  yield* do_hlt(cpu);
});
