import type { Parameters } from '../../engine/machine';
import { entering, onThread, writing, type PartSpec, type Topology, type WireSpec } from '../topology';
import { guestCpu, ioapic, lapic, posted, routing, vcpu } from './kvm';
import { qemuIoapic } from './qemu';

/** The I/O APIC: from a device’s line to one of two CPUs, through KVM’s I/O APIC or QEMU’s. */

const inKernel = { given: (parameters: Parameters) => parameters['irqchip'] === 'on' };
const split = { given: (parameters: Parameters) => parameters['irqchip'] === 'split' };

const lineDevice = (id: string, name: string): PartSpec => ({
  id,
  title: name,
  kind: 'device',
  world: 'qemu',
  of: [`line_device(${name})`],
  code: ['line_device'],
  shows: ['line', 'asked'],
});

const gsi: PartSpec = {
  id: 'gsi',
  title: 'gsi_handler',
  kind: 'route',
  world: 'qemu',
  code: ['hw/i386/x86.c', 'hw/core/irq.c', 'hw/i386/kvm/ioapic.c', 'qemu:kvm_set_irq'],
};

const CPUS = [0, 1] as const;

/** A part of the first CPU, for any. */
const ofCpu = (part: PartSpec, cpu: number): PartSpec => {
  const patterns = (all: readonly string[] | undefined) => all?.map((pattern) => pattern.replace('CPU 0', `CPU ${cpu}`));
  const [of, reads] = [patterns(part.of), patterns(part.reads)];
  return { ...part, id: `${part.id}${cpu}`, title: `${part.title} ${cpu}`, ...(of ? { of } : {}), ...(reads ? { reads } : {}) };
};

/** A vector arrives at a CPU’s local APIC, or at its descriptor of posted ones. */
const arrives = (cpu: number, under: string) => [
  writing(`lapic${cpu}`, 'APIC_IRR*', undefined, under),
  writing(`pi${cpu}`, 'pir*', undefined, under),
];

const wiresOf = (cpu: number): readonly WireSpec[] => {
  const [own, vcpuThread] = [cpu, `vcpu${cpu}`];
  const other = 1 - cpu;
  return [
    { from: 'ioapic', to: `lapic${own}`, kind: 'msi', label: 'vector', passed: arrives(own, 'ioapic_service'), ...inKernel },
    { from: 'routing', to: `lapic${own}`, kind: 'msi', passed: arrives(own, 'kvm_set_msi'), ...split },
    {
      from: `lapic${other}`,
      to: `lapic${own}`,
      kind: 'msi',
      label: 'IPI',
      passed: arrives(own, 'kvm_apic_send_ipi').map((mark) => onThread(`vcpu${other}`, mark)),
    },
    {
      from: `lapic${own}`,
      to: `pi${own}`,
      kind: 'call',
      label: 'post',
      passed: [writing(`pi${own}`, 'pir*', 'vmx_deliver_posted_interrupt')],
    },
    {
      from: `lapic${own}`,
      to: `vcpu${own}`,
      kind: 'call',
      label: 'kick',
      passed: [
        writing(`vcpu${own}`, 'requests', undefined, '__apic_accept_irq'),
        writing(`vcpu${own}`, 'mode', undefined, '__apic_accept_irq'),
      ],
    },
    {
      from: `pi${own}`,
      to: `cpu${own}`,
      kind: 'msi',
      label: 'notification',
      passed: [writing(`pi${own}`, 'on', 'process_posted_interrupts')],
    },
    { from: `vcpu${own}`, to: `cpu${own}`, kind: 'vmentry', passed: [writing(`cpu${own}`, 'running', 'enter_guest')] },
    { from: `cpu${own}`, to: `vcpu${own}`, kind: 'vmexit', passed: [writing(`cpu${own}`, 'running', 'leave_guest')] },
    {
      from: `vcpu${own}`,
      to: `lapic${own}`,
      kind: 'call',
      label: 'EOI',
      passed: [
        entering('kvm_apic_set_eoi_accelerated'),
        entering('apic_set_eoi'),
        entering('kvm_apic_write_nodecode'),
        entering('kvm_lapic_reg_write'),
      ].map((mark) => onThread(vcpuThread, mark)),
    },
    {
      from: `lapic${own}`,
      to: 'ioapic',
      kind: 'call',
      label: 'EOI',
      passed: [onThread(vcpuThread, entering('linux:kvm_ioapic_update_eoi'))],
    },
    { from: `vcpu${own}`, to: 'ioapic', kind: 'mmio', passed: [onThread(vcpuThread, entering('ioapic_mmio_write'))] },
    {
      from: `vcpu${own}`,
      to: 'qemu-ioapic',
      kind: 'mmio',
      passed: [entering('ioapic_mem_write'), entering('ioapic_eoi_broadcast')].map((mark) => onThread(vcpuThread, mark)),
    },
    { from: `vcpu${own}`, to: 'device', kind: 'mmio', label: 'acknowledge', passed: [onThread(vcpuThread, entering('write_acknowledge'))] },
  ];
};

export const ioapicTopology: Topology = {
  parts: [
    routing,
    { ...ioapic(10), ...inKernel },
    { ...ioapic(8), id: 'ioapic8', title: 'kvm_ioapic, pin 8', code: [], blocked: [], ...inKernel },
    ...CPUS.flatMap((cpu) => [lapic, { ...posted, blocked: [] }, vcpu].map((part) => ofCpu(part, cpu))),
    ...CPUS.map((cpu) => ofCpu(guestCpu, cpu)),
    lineDevice('device', 'device'),
    lineDevice('rtc', 'real-time clock'),
    gsi,
    { ...qemuIoapic, shows: ['irr'], ...split },
  ],
  wires: [
    { from: 'device', to: 'gsi', kind: 'line', passed: [writing('device', 'line')] },
    { from: 'rtc', to: 'gsi', kind: 'line', passed: [writing('rtc', 'line')] },
    { from: 'gsi', to: 'routing', kind: 'ioctl', label: 'KVM_IRQ_LINE', passed: [entering('kvm_vm_ioctl_irq_line')], ...inKernel },
    { from: 'gsi', to: 'qemu-ioapic', kind: 'line', label: 'pin', passed: [entering('qemu:ioapic_set_irq')] },
    {
      from: 'qemu-ioapic',
      to: 'routing',
      kind: 'ioctl',
      label: 'KVM_IRQ_LINE',
      passed: [entering('kvm_vm_ioctl_irq_line', 'qemu:ioapic_service')],
    },
    { from: 'qemu-ioapic', to: 'routing', kind: 'ioctl', label: 'SET_GSI_ROUTING', passed: [entering('kvm_set_irq_routing')] },
    { from: 'routing', to: 'ioapic', kind: 'line', label: 'pin 10', passed: [writing('ioapic', 'irq_states')] },
    { from: 'routing', to: 'ioapic8', kind: 'line', label: 'pin 8', passed: [writing('ioapic8', 'irq_states')] },
    ...CPUS.flatMap(wiresOf),
  ],
};
