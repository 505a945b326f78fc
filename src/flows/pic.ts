import { through } from '../engine/fn';
import type { Parameters, Run as Coroutine } from '../engine/machine';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { pipefifo_fops } from '../models/linux/fs/pipe';
import { running } from '../engine/running';
import { pc_guest, pc_guest_context, type Mistake, type Overlap, type PcGuest } from '../models/guest/pc';
import { auto_eoi, nested, polling, rotating, special_mask, type PicProgram } from '../models/guest/pic_programs';
import { kvm_cpu } from '../models/guest/kvm_cpu';
import { tcg_cpu } from '../models/guest/tcg_cpu';
import { translated_code } from '../models/hardware/translated_code';
import { mttcg_cpu_thread_fn } from '../models/qemu/accel/tcg/tcg-accel-ops-mttcg';
import { tcg_accel_ops_init } from '../models/qemu/accel/tcg/tcg-accel-ops';
import { edu_fact_thread } from '../models/qemu/hw/misc/edu';
import { pc_machine, pc_main, type PcMachine } from '../models/qemu/pc_machine';
import { flow } from './flow';

/** The 8259 pair of a PC: in QEMU and in KVM, from a device's line to the guest's handler and its end of interrupt. */

interface World {
  readonly machine: PcMachine;
  readonly guest: PcGuest;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { host: 1, kworker: 2, qemu: 3, edu: 4, vcpu: 5, guest: 6 } as const;

const PROGRAMS: Readonly<Record<string, PicProgram | undefined>> = {
  linux: undefined,
  nested,
  rotating,
  'special-mask': special_mask,
  'auto-eoi': auto_eoi,
  polling,
};

function setUp(parameters: Parameters): World {
  const { machine, cpu } = parameters['accel'] === 'tcg' ? translated() : virtualized(parameters);
  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, () => pc_main(machine));
  running().thread('edu', 'edu’s thread', 'qemu', PRIORITY.edu, () => edu_fact_thread(machine.edu));
  running().thread('host', 'a process of the host', 'user', PRIORITY.host, function* () {});
  const guest = pc_guest(cpu, {
    program: PROGRAMS[String(parameters['guest'])],
    overlap: parameters['overlap'] as Overlap,
    mistake: parameters['mistake'] as Mistake,
  });
  pc_guest_context(guest, PRIORITY.guest);
  return { machine, guest };
}

/** QEMU by itself: TCG translates the guest's code. */
function translated() {
  const code = translated_code('guest CPU 0');
  const machine = pc_machine(undefined, { code }, tcg_accel_ops_init());
  const cpu = machine.board.cpus[0]!;
  running().thread('vcpu', 'CPU 0/TCG', 'vcpu', PRIORITY.vcpu, () => mttcg_cpu_thread_fn(machine, cpu, code));
  return { machine, cpu: tcg_cpu(cpu) };
}

const IRQCHIP_MODES = { off: 'KVM_IRQCHIP_NONE', split: 'KVM_IRQCHIP_SPLIT', on: 'KVM_IRQCHIP_KERNEL' } as const;

/** QEMU with KVM, and as many of the interrupt controllers in the kernel as `kernel-irqchip` says. */
function virtualized(parameters: Parameters) {
  const kernel_irqchip = parameters['irqchip'] as keyof typeof IRQCHIP_MODES;
  const amd = parameters['accel'] === 'svm';
  const kvm = kvm_vm({
    system_wq: alloc_workqueue('events', 'kworker', PRIORITY.kworker),
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: amd ? svm_x86_ops : vt_x86_ops(false),
    irqchip_mode: IRQCHIP_MODES[kernel_irqchip],
  });
  const vcpu = kvm_vcpu(kvm, amd ? 'svm-x2apic' : 'vmx-xapic', { setup: 'reset' });
  const machine = pc_machine({ vmfd: kvm, kernel_irqchip, irq_routes: [] }, { kvm: vcpu }, {});
  running().thread('vcpu', 'vCPU 0', 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(machine, machine.board.cpus[0]!));
  return { machine, cpu: kvm_cpu(vcpu) };
}

export const pic = flow<World>({
  id: 'pic',
  system: 'Interrupt controllers',
  title: 'The 8259 pair',
  summary:
    'The PC’s old interrupt controller, emulated: a device’s line, two chips in cascade, the CPU’s acknowledge cycle, the guest’s handler and its end of interrupt.',
  setUp,
  duration: () => 1000,
  parameters: [
    {
      kind: 'choice',
      name: 'accel',
      title: 'Accelerator',
      description: 'What runs the guest’s instructions.',
      default: 'tcg',
      choices: [
        { value: 'tcg', title: 'TCG: QEMU translates them' },
        { value: 'vmx', title: 'KVM on VT-x' },
        { value: 'svm', title: 'KVM on AMD-V' },
      ],
    },
    {
      kind: 'choice',
      name: 'irqchip',
      title: 'kernel-irqchip',
      description: 'Which interrupt controllers KVM emulates. With TCG all are in QEMU.',
      default: 'off',
      choices: [
        { value: 'off', title: 'off: PIC, I/O APIC and local APICs in QEMU' },
        { value: 'split', title: 'split: only the local APICs in the kernel' },
        { value: 'on', title: 'on: all in the kernel' },
      ],
    },
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux',
      description: 'The guest’s kernel.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'qemu',
      title: 'QEMU',
      description: 'The QEMU that is modelled.',
      default: '7.2',
      choices: [{ value: '7.2', title: 'QEMU 7.2' }],
    },
    {
      kind: 'choice',
      name: 'guest',
      title: 'How the guest uses the chips',
      description: 'Linux has one way. The other guests are small programs that show one mode of the 8259 each.',
      default: 'linux',
      choices: [
        { value: 'linux', title: 'Linux: mask, specific EOI, handle, unmask' },
        { value: 'nested', title: 'Fully nested: handlers with interrupts on, EOI at the end' },
        { value: 'rotating', title: 'Rotating: each EOI makes its input the least urgent' },
        { value: 'special-mask', title: 'Special mask mode: what is masked holds nobody back' },
        { value: 'auto-eoi', title: 'Automatic EOI on both chips' },
        { value: 'polling', title: 'Polling: no interrupts at all' },
      ],
    },
    {
      kind: 'choice',
      name: 'overlap',
      title: 'What comes together',
      description: 'Interrupts by themselves are simple. Priorities, the cascade and what can get lost show when two meet.',
      default: 'none',
      choices: [
        { value: 'none', title: 'Nothing: one after the other' },
        { value: 'more-urgent', title: 'IRQ 10 while IRQ 4 is being handled' },
        { value: 'less-urgent', title: 'IRQ 4 while IRQ 10 is being handled' },
        { value: 'together', title: 'Both devices of the slave at once' },
        { value: 'withdrawn', title: 'A level that is gone before it is acknowledged' },
        { value: 'reinitialized', title: 'ICW1 while an interrupt is in service' },
        { value: 'forgotten', title: 'ICW1 while an interrupt is requested' },
      ],
    },
    {
      kind: 'choice',
      name: 'mistake',
      title: 'What the guest gets wrong',
      description: 'Two mistakes that lose interrupts.',
      default: 'none',
      choices: [
        { value: 'none', title: 'Nothing' },
        { value: 'elcr', title: 'Firmware leaves the PCI interrupt edge-triggered' },
        { value: 'hasty', title: 'The serial driver serves one reason per interrupt' },
      ],
    },
  ],
  stimuli: [
    {
      name: 'byte',
      title: 'A byte comes in at the first serial port',
      description: 'Somebody writes to the pipe behind COM1: IRQ 4, an edge.',
      thread: 'host',
      body: ({ machine }) => type_at(machine, 0),
    },
    {
      name: 'byte-2',
      title: 'A byte comes in at the second serial port',
      description: 'Somebody writes to the pipe behind the port on IRQ 12: an edge at the slave.',
      thread: 'host',
      body: ({ machine }) => type_at(machine, 1),
    },
    {
      name: 'look',
      title: 'The guest looks',
      description: 'A polling guest asks the chips now. Others do nothing.',
      thread: 'host',
      body: ({ guest }) => look(guest),
    },
  ],
  presets: [],
  historical: [],
  chapters: [],
});

/** Another process of the host writes to the pipe behind a serial port. */
const type_at = (machine: PcMachine, port: 0 | 1): Coroutine =>
  through('syscall', 'write', pipefifo_fops.write_iter)(machine.pipes[port]!, 0x41);

function* look(guest: PcGuest): Coroutine {
  guest.look = true;
}
