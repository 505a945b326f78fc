import { t } from '@vscode/l10n';
import { entering, handing, type PartSpec, type ReadCell, type WireSpec } from '../topology';

/** Parts of a virtual machine’s topology that the flows with KVM share. */

const WORDS = [7, 6, 5, 4, 3, 2, 1, 0] as const;

/** The highest vector of a register of 256 bits that is held in 8 words, or -1. */
export function highestVector(cell: ReadCell, register: string): number {
  for (const word of WORDS) {
    const bits = cell(`${register}[${word}]`);
    if (bits > 0) return word * 32 + (31 - Math.clz32(bits));
  }
  return -1;
}

/** What a register of 256 bits holds, in short: its highest vector. */
export const vectors = (name: string, register: string) => ({
  name,
  cells: `${register}[`,
  text: (cell: ReadCell): string => {
    const vector = highestVector(cell, register);
    return vector < 0 ? t('none') : `0x${vector.toString(16)}`;
  },
});

export const irqfd = (id: string, gsi: string): PartSpec => ({
  id,
  title: 'kvm_kernel_irqfd',
  kind: 'irqfd',
  world: 'kvm',
  of: [`kvm_kernel_irqfd(${gsi})`],
  code: ['kvm_irqfd', 'irqfd_wakeup', 'kvm_irqfd_assign', 'kvm_irqfd_deassign', 'irqfd_update', 'irqfd_shutdown', 'irqfd_deactivate'],
  shows: ['gsi', 'active'],
  blocked: [],
});

/** The work by which an irqfd raises a line that cannot be raised from within an interrupt. */
export const inject: PartSpec = {
  id: 'inject',
  title: 'irqfd->inject',
  kind: 'worker',
  world: 'kvm',
  of: ['work_struct(irqfd.inject)'],
  code: ['irqfd_inject'],
  shows: ['WORK_STRUCT_PENDING'],
  blocked: [{ when: (cell) => cell('WORK_STRUCT_PENDING') !== 0, because: 'The work is queued: no worker has taken it yet.' }],
};

export const resampler: PartSpec = {
  id: 'resampler',
  title: 'irqfd_resampler',
  kind: 'irqfd',
  world: 'kvm',
  of: ['kvm_kernel_irqfd_resampler'],
  code: ['irqfd_resampler_ack', 'irqfd_resampler_notify', 'irqfd_resampler_shutdown'],
  shows: ['notifier.gsi'],
};

export const routing: PartSpec = {
  id: 'routing',
  title: 'irq_routing',
  kind: 'route',
  world: 'kvm',
  code: ['virt/kvm/irqchip.c', 'arch/x86/kvm/irq_comm.c'],
};

const at = (cell: ReadCell, register: string, gsi: number): boolean => Math.floor(cell(register) / 2 ** gsi) % 2 === 1;

/** The pin of KVM’s I/O APIC that a GSI leads to. */
export const ioapic = (gsi: number): PartSpec => ({
  id: 'ioapic',
  title: 'kvm_ioapic',
  kind: 'controller',
  world: 'kvm',
  of: ['kvm_ioapic', `kvm_ioapic_redirect_entry(redirtbl[${gsi}])`, `kvm_ioapic_pin(pin ${gsi})`],
  code: ['arch/x86/kvm/ioapic.c'],
  shows: ['irr', 'fields.remote_irr', 'fields.mask'],
  blocked: [
    {
      when: (cell) => at(cell, 'irr', gsi) && cell('fields.mask') !== 0,
      because: 'The pin’s line is up, but its redirection entry is masked.',
    },
    {
      when: (cell) => cell('fields.remote_irr') !== 0,
      because: 'Remote IRR is set: the pin sends nothing more until the guest’s EOI.',
    },
  ],
});

/** The pair of 8259s that KVM models; `pin` counts both, and 8 is the slave’s first. */
export const pic = (pin: number): PartSpec => {
  const [chip, bit] = [pin < 8 ? 'master' : 'slave', pin % 8];
  return {
    id: 'pic',
    title: 'kvm_pic',
    kind: 'controller',
    world: 'kvm',
    of: [`kvm_kpic_state(${chip})`, 'kvm_pic'],
    code: ['arch/x86/kvm/i8259.c'],
    shows: ['irr', 'imr', 'isr'],
    blocked: [
      {
        when: (cell) => at(cell, 'irr', bit) && at(cell, 'imr', bit),
        because: 'The input has a request, but IMR masks it.',
      },
      {
        when: (cell) => at(cell, 'irr', bit) && !at(cell, 'imr', bit) && at(cell, 'isr', bit),
        because: 'The input is in service: its next request waits for the end of this one.',
      },
    ],
  };
};

const GIVEN_TO_CPU = 'A vector waits in IRR, but the processor priority (PPR) is not below it: a more urgent one is in service.';

export const lapic: PartSpec = {
  id: 'lapic',
  title: 'kvm_lapic',
  kind: 'controller',
  world: 'kvm',
  of: ['kvm_lapic(vCPU 0)'],
  code: ['arch/x86/kvm/lapic.c'],
  shows: [vectors('IRR', 'APIC_IRR'), vectors('ISR', 'APIC_ISR')],
  blocked: [
    {
      when: (cell) => {
        const pending = highestVector(cell, 'APIC_IRR');
        return pending >= 0 && pending >> 4 <= cell('APIC_PROCPRI') >> 4;
      },
      because: GIVEN_TO_CPU,
    },
  ],
};

/** The posted-interrupt descriptor of a vCPU, where the CPU has such. */
export const posted: PartSpec = {
  id: 'pi',
  title: 'pi_desc',
  kind: 'object',
  world: 'kvm',
  of: ['pi_desc(vCPU 0)'],
  code: ['vmx_deliver_posted_interrupt'],
  shows: [vectors('pir', 'pir'), 'on'],
  blocked: [{ when: (cell) => cell('sn') !== 0, because: 'SN is set: the vCPU does not run, so nobody is notified.' }],
};

const KVM_MP_STATE_HALTED = 3;

export const vcpu: PartSpec = {
  id: 'vcpu',
  title: 'kvm_vcpu',
  kind: 'cpu',
  world: 'kvm',
  of: ['kvm_vcpu(vCPU 0)'],
  code: ['arch/x86/kvm/x86.c', 'arch/x86/kvm/vmx/vmx.c', 'arch/x86/kvm/svm/svm.c', 'arch/x86/kvm/irq.c', 'virt/kvm/kvm_main.c'],
  shows: ['mode', 'arch.mp_state'],
  blocked: [
    {
      when: (cell) => cell('arch.mp_state') === KVM_MP_STATE_HALTED,
      because: 'The vCPU is halted: it runs again when an interrupt comes.',
    },
  ],
};

/** The guest’s processor. */
export const guestCpu: PartSpec = {
  id: 'cpu',
  title: 'guest CPU',
  kind: 'cpu',
  world: 'guest',
  of: ['guest_cpu(guest CPU 0)'],
  reads: ['kvm_lapic(vCPU 0)'],
  code: ['virt_cpu'],
  shows: ['running', 'IF'],
  blocked: [
    {
      when: (cell) => cell('IF') === 0 && highestVector(cell, 'APIC_IRR') >= 0,
      because: 'IF is clear: the CPU takes no interrupt until the guest sets it.',
    },
  ],
};

/** The guest’s driver of QEMU’s teaching device, by the model that it is. */
export const eduDriver = (code: string): PartSpec => ({
  id: 'driver',
  title: 'edu_driver',
  kind: 'driver',
  world: 'guest',
  of: ['edu_driver'],
  code: [code],
  shows: ['handled', 'spurious'],
});

/** QEMU’s main loop, which polls what it was given to watch. */
export const mainLoop: PartSpec = {
  id: 'loop',
  title: 'main loop',
  kind: 'loop',
  world: 'qemu',
  of: ['AioContext(iohandler_ctx)'],
  code: ['util/main-loop.c', 'util/aio-posix.c', 'util/async.c', 'util/qemu-timer.c', 'fs/select.c'],
  shows: ['notified'],
};

/** What was posted while the vCPU was out of the guest is taken before it enters. */
export const pirToIrr: WireSpec = {
  from: 'pi',
  to: 'lapic',
  kind: 'call',
  label: 'PIR to IRR',
  passed: [entering('__kvm_apic_update_irr')],
};

/** From a vector in the local APIC to the guest, and back to it with the end of the interrupt. */
export const delivery: readonly WireSpec[] = [
  {
    from: 'lapic',
    to: 'pi',
    kind: 'call',
    label: 'post',
    passed: [entering('vmx_deliver_posted_interrupt')],
  },
  {
    from: 'lapic',
    to: 'vcpu',
    kind: 'call',
    label: 'kick',
    passed: [entering('kvm_vcpu_kick', '__apic_accept_irq'), entering('kvm_vcpu_wake_up', '__apic_accept_irq')],
  },
  { from: 'pi', to: 'cpu', kind: 'msi', label: 'notification', passed: [handing('msi', 'post_interrupt')] },
  { from: 'vcpu', to: 'cpu', kind: 'vmentry', passed: [handing('vmentry', 'enter_guest')] },
  { from: 'cpu', to: 'vcpu', kind: 'vmexit', passed: [handing('vmexit', 'leave_guest')] },
  {
    from: 'vcpu',
    to: 'lapic',
    kind: 'call',
    label: 'EOI',
    passed: [entering('kvm_apic_set_eoi_accelerated'), entering('apic_set_eoi')],
  },
];
