import type { Parameters } from '../../engine/machine';
import { entering, handing, writing, type PartSpec, type ReadCell, type Topology } from '../topology';
import { guestCpu, routing, vcpu } from './kvm';

/** The pair of 8259s: two devices, the master and the slave, and a CPU that is translated or virtualized. */

const kernelPic = { given: (parameters: Parameters) => parameters['irqchip'] === 'on' };
const qemuPic = { given: (parameters: Parameters) => parameters['irqchip'] !== 'on' };
const tcg = { given: (parameters: Parameters) => parameters['accel'] === 'tcg' };

const highest = (bits: number): number => (bits === 0 ? 8 : 31 - Math.clz32(bits & -bits));

/** Whether a request waits behind an input that is in service and at least as urgent, as long as priorities do not rotate. */
const waitsInService = (cell: ReadCell): boolean => {
  const requests = cell('irr') & ~cell('imr') & 0xff;
  return requests !== 0 && cell('isr') !== 0 && highest(cell('isr')) <= highest(requests);
};

const chip = (id: string, name: string, where: 'qemu' | 'kvm'): PartSpec => ({
  id,
  title: where === 'qemu' ? `PICCommonState ${name}` : `kvm_kpic_state ${name}`,
  kind: 'controller',
  world: where,
  of: [`${where === 'qemu' ? 'PICCommonState' : 'kvm_kpic_state'}(${name})`],
  code: [where === 'qemu' ? 'hw/intc/i8259.c' : 'arch/x86/kvm/i8259.c'],
  shows: ['irr', 'imr', 'isr'],
  blocked: [
    { when: (cell) => (cell('irr') & cell('imr')) !== 0, because: 'An input has a request that IMR masks.' },
    { when: waitsInService, because: 'A request waits: an input in service is at least as urgent, until its EOI.' },
  ],
  ...(where === 'qemu' ? qemuPic : kernelPic),
});

const edu: PartSpec = {
  id: 'edu',
  title: 'EduState',
  kind: 'device',
  world: 'qemu',
  of: ['EduState'],
  code: ['hw/misc/edu.c', 'hw/pci/pci.c', 'hw/isa/piix3.c'],
  shows: ['irq_status', 'status'],
};

const serial = (port: number): PartSpec => ({
  id: `serial${port}`,
  title: `SerialState ${port}`,
  kind: 'device',
  world: 'qemu',
  of: [`SerialState(serial ${port})`],
  code: ['hw/char/serial.c'],
  shows: ['iir', 'ier'],
});

const cpu: PartSpec = {
  id: 'x86cpu',
  title: 'X86CPU',
  kind: 'cpu',
  world: 'qemu',
  of: ['X86CPU(CPU 0)', 'APICCommonState(CPU 0)'],
  code: ['accel/tcg/cpu-exec.c', 'target/i386/tcg/sysemu/seg_helper.c', 'hw/intc/apic.c', 'accel/kvm/kvm-all.c'],
  shows: ['interrupt_request', 'halted'],
  blocked: [
    {
      when: (cell) => (cell('interrupt_request') & 2) !== 0 && (cell('env.eflags') & 0x200) === 0,
      because: 'CPU_INTERRUPT_HARD is set, but IF is clear: the CPU takes no interrupt until the guest sets it.',
    },
    { when: (cell) => cell('halted') !== 0, because: 'The CPU is halted: it runs again when an interrupt comes.' },
  ],
};

const translated: PartSpec = {
  id: 'code',
  title: 'guest CPU',
  kind: 'cpu',
  world: 'guest',
  of: ['translated_code'],
  code: ['tcg_cpu', 'translated_code'],
  shows: ['running', 'vector'],
  ...tcg,
};

const driver: PartSpec = {
  id: 'driver',
  title: 'guest’s handlers',
  kind: 'driver',
  world: 'guest',
  of: ['pc_drivers', 'legacy_pic'],
  code: ['pc', 'pic_programs', 'arch/x86/kernel/i8259.c', 'kernel/irq/chip.c'],
  shows: ['spurious', 'received', 'sent'],
};

export const picTopology: Topology = {
  parts: [
    routing,
    chip('kslave', 'slave', 'kvm'),
    chip('kmaster', 'master', 'kvm'),
    vcpu,
    guestCpu,
    translated,
    driver,
    edu,
    serial(0),
    chip('slave', 'slave', 'qemu'),
    chip('master', 'master', 'qemu'),
    cpu,
  ],
  wires: [
    {
      from: 'edu',
      to: 'slave',
      kind: 'line',
      label: 'IRQ 10',
      passed: [writing('slave', 'irr', undefined, 'edu_raise_irq'), writing('slave', 'last_irr', undefined, 'edu_raise_irq')],
    },
    {
      from: 'serial0',
      to: 'master',
      kind: 'line',
      label: 'IRQ 4',
      passed: [writing('master', 'last_irr', undefined, 'serial_update_irq')],
    },
    {
      from: 'slave',
      to: 'master',
      kind: 'line',
      label: 'INT to input 2',
      passed: [writing('master', 'irr', undefined, 'pic_update_irq'), writing('master', 'last_irr', undefined, 'pic_update_irq')],
    },
    { from: 'master', to: 'x86cpu', kind: 'line', label: 'INTR', passed: [entering('qemu:pic_irq_request')] },
    {
      from: 'edu',
      to: 'routing',
      kind: 'ioctl',
      label: 'KVM_IRQ_LINE',
      passed: [entering('kvm_vm_ioctl_irq_line', 'edu_raise_irq'), entering('kvm_vm_ioctl_irq_line', 'edu_lower_irq')],
      ...kernelPic,
    },
    {
      from: 'serial0',
      to: 'routing',
      kind: 'ioctl',
      label: 'KVM_IRQ_LINE',
      passed: [entering('kvm_vm_ioctl_irq_line', 'serial_update_irq')],
      ...kernelPic,
    },
    { from: 'routing', to: 'kslave', kind: 'line', label: 'pin', passed: [writing('kslave', 'last_irr', undefined, 'kvm_set_pic_irq')] },
    { from: 'routing', to: 'kmaster', kind: 'line', label: 'pin', passed: [writing('kmaster', 'last_irr', undefined, 'kvm_set_pic_irq')] },
    {
      from: 'kslave',
      to: 'kmaster',
      kind: 'line',
      label: 'input 2',
      passed: [writing('kmaster', 'last_irr', undefined, 'linux:pic_update_irq')],
    },
    {
      from: 'kmaster',
      to: 'vcpu',
      kind: 'line',
      label: 'INTR',
      passed: [entering('kvm_vcpu_kick', 'pic_unlock'), entering('kvm_pic_read_irq')],
    },
    { from: 'vcpu', to: 'cpu', kind: 'vmentry', passed: [handing('vmentry', 'enter_guest')] },
    { from: 'cpu', to: 'vcpu', kind: 'vmexit', passed: [handing('vmexit', 'leave_guest')] },
    { from: 'x86cpu', to: 'vcpu', kind: 'ioctl', label: 'KVM_RUN', passed: [entering('kvm_arch_vcpu_ioctl_run')] },
    { from: 'vcpu', to: 'x86cpu', kind: 'syscall', label: 'exit', passed: [entering('kvm_arch_post_run')] },
    { from: 'x86cpu', to: 'code', kind: 'translated code', label: 'vector', passed: [handing('translated code', 'cpu_tb_exec')] },
    { from: 'code', to: 'x86cpu', kind: 'translated code', label: 'helper', passed: [handing('translated code', 'leave_code')] },
    {
      from: 'code',
      to: 'driver',
      kind: 'function pointer',
      label: 'runs',
      passed: [entering('common_interrupt'), entering('nested_interrupt'), entering('special_mask_interrupt'), entering('poll_pair')],
    },
    {
      from: 'cpu',
      to: 'driver',
      kind: 'function pointer',
      label: 'runs',
      passed: [entering('common_interrupt'), entering('nested_interrupt'), entering('special_mask_interrupt'), entering('poll_pair')],
    },
    {
      from: 'x86cpu',
      to: 'slave',
      kind: 'mmio',
      label: 'INTA, ports',
      passed: [
        writing('slave', 'isr', 'qemu:pic_intack'),
        writing('slave', 'imr', 'qemu:pic_ioport_write'),
        writing('slave', 'isr', 'qemu:pic_ioport_write'),
      ],
    },
    {
      from: 'x86cpu',
      to: 'master',
      kind: 'mmio',
      label: 'INTA, ports',
      passed: [
        entering('qemu:pic_read_irq'),
        writing('master', 'imr', 'qemu:pic_ioport_write'),
        writing('master', 'isr', 'qemu:pic_ioport_write'),
      ],
    },
    { from: 'vcpu', to: 'kslave', kind: 'mmio', label: 'ports', passed: [entering('picdev_slave_write')] },
    { from: 'vcpu', to: 'kmaster', kind: 'mmio', label: 'ports', passed: [entering('picdev_master_write')] },
    { from: 'x86cpu', to: 'edu', kind: 'mmio', passed: [entering('edu_mmio_write'), entering('edu_mmio_read')] },
    {
      from: 'x86cpu',
      to: 'serial0',
      kind: 'mmio',
      label: 'ports',
      passed: [entering('serial_ioport_write'), entering('serial_ioport_read')],
    },
  ],
};
