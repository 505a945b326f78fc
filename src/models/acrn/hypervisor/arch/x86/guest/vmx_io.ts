import { source } from '../../../../../../engine/fn';
import { at, atCall, atWrite } from '../../../../../../engine/steps';
import { emulate_io, get_hsm_notification_vector } from '../../../dm/io_req';
import type { AcrnVcpu } from '../../../include/arch/x86/asm/guest/vcpu';
import type { AcrnVm } from '../../../include/arch/x86/asm/guest/vm';
import {
  ACRN_IOREQ_DIR_READ,
  ACRN_IOREQ_DIR_WRITE,
  ACRN_IOREQ_TYPE_MMIO,
  ACRN_IOREQ_TYPE_PORTIO,
} from '../../../include/public/acrn_common';
import { vlapic_set_intr } from './vlapic';

/** Accesses of a guest that leave it. */

const { fn } = source('acrn', 'hypervisor/arch/x86/guest/vmx_io.c');

export const arch_fire_hsm_interrupt = fn(
  'The upcall: an interrupt of the Service VM’s vCPU 0, edge-triggered. It says that there is something, and nothing more.',
  function* arch_fire_hsm_interrupt(service_vm: AcrnVm) {
    at('BSP_CPU_ID');
    const vcpu = service_vm.vcpu_array[0]!;
    yield* vlapic_set_intr(vcpu, yield* get_hsm_notification_vector(), false);
  },
);

export const emulate_pio_complete = fn(
  'The access is done: what a read returned goes into the guest’s RAX.',
  function* emulate_pio_complete({ req, cpu }: AcrnVcpu) {
    at('direction');
    if (req.direction !== ACRN_IOREQ_DIR_READ) return;
    atCall('vcpu_set_gpreg');
    cpu.RAX = req.value;
  },
);

export const pio_instr_vmexit_handler = fn(
  'The guest executed IN or OUT. Port, size and direction are in the exit qualification, the value is in RAX.',
  function* pio_instr_vmexit_handler(vcpu: AcrnVcpu) {
    const { exit } = vcpu.cpu;
    if (exit?.reason !== 'VMX_EXIT_REASON_IO_INSTRUCTION') return 0;
    const { address, size, write, value } = exit.access;
    vcpu.req.io_type = ACRN_IOREQ_TYPE_PORTIO;
    vcpu.req.size = size;
    vcpu.req.address = address;
    vcpu.req.direction = write ? ACRN_IOREQ_DIR_WRITE : ACRN_IOREQ_DIR_READ;
    if (write) vcpu.req.value = value;
    return yield* emulate_io(vcpu);
  },
);

export const ept_violation_vmexit_handler = fn(
  'The guest accessed memory that is not mapped for it. Unlike a port’s, the instruction has to be decoded before the size and the value are known.',
  function* ept_violation_vmexit_handler(vcpu: AcrnVcpu) {
    const { exit } = vcpu.cpu;
    if (exit?.reason !== 'VMX_EXIT_REASON_EPT_VIOLATION') return 0;
    const { address, size, write, value } = exit.access;
    vcpu.req.io_type = ACRN_IOREQ_TYPE_MMIO;
    vcpu.req.direction = write ? ACRN_IOREQ_DIR_WRITE : ACRN_IOREQ_DIR_READ;
    vcpu.req.address = address;
    atCall('decode_instruction');
    atWrite('size', 'decode_instruction');
    vcpu.req.size = size;
    if (write) {
      atCall('emulate_instruction');
      vcpu.req.value = value;
    }
    return yield* emulate_io(vcpu);
  },
);
