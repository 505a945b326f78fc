import { through } from '../engine/fn';
import type { Parameters, Run as Coroutine } from '../engine/machine';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import { new_kvm_state } from '../models/qemu/include/sysemu/kvm_int';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { pipefifo_fops } from '../models/linux/fs/pipe';
import { running } from '../engine/running';
import { pc_guest, pc_guest_context, type Mistake, type Overlap, type PcGuest } from '../models/guest/pc';
import { virtual_wire } from '../models/guest/apic_program';
import { auto_eoi, nested, polling, rotating, special_mask, type PicProgram } from '../models/guest/pic_programs';
import { kvm_cpu } from '../models/guest/kvm_cpu';
import { tcg_cpu } from '../models/guest/tcg_cpu';
import { translated_code } from '../models/hardware/translated_code';
import { mttcg_cpu_thread_fn } from '../models/qemu/accel/tcg/tcg-accel-ops-mttcg';
import { tcg_accel_ops_init } from '../models/qemu/accel/tcg/tcg-accel-ops';
import { edu_fact_thread } from '../models/qemu/hw/misc/edu';
import { pc_machine, pc_main, type PcMachine } from '../models/qemu/pc_machine';
import { flow } from './flow';
import { picTopology } from './topologies/pic';
import { qemuVersion } from './parameters';

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
  'virtual-wire': virtual_wire,
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
  const machine = pc_machine(new_kvm_state(kvm, kernel_irqchip, []), { kvm: vcpu }, {});
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
  topology: picTopology,
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
    qemuVersion,
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
        { value: 'virtual-wire', title: 'Virtual wire: the pair behind a local APIC that has vectors of its own' },
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
        { value: 'again', title: 'IRQ 10 again while IRQ 10 is being handled' },
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
  presets: [
    {
      id: 'masked-edge',
      title: 'An edge while masked is remembered',
      prose: `Linux masks IRQ 4 and ends it, then its handler writes a byte: the serial port is busy and empty again, which is a new edge. \`irr\` remembers it behind the mask, and the unmask delivers it: a second interrupt, for which the port has no reason any more. An I/O APIC of QEMU would have **forgotten** that edge.`,
      parameters: {},
    },
    {
      id: 'lost-edge-elcr',
      title: 'The lost edge: a PCI interrupt on an edge-triggered input',
      prose: `Firmware has left IRQ 10 edge-triggered. While the handler runs a second reason comes up, and the device **keeps its line high**. The handler acknowledges what it had seen; the line does not fall, so it can never rise again: no interrupt comes from this device any more, the factorial's included. With the ELCR set the same thing is harmless: after the EOI the level is still there, and interrupts again.`,
      parameters: { mistake: 'elcr', overlap: 'again' },
    },
    {
      id: 'lost-edge-hasty',
      title: 'The lost edge: a driver that serves one reason only',
      prose: `A byte has come in before the driver opens the port, and the driver opens it to send: there are two reasons at once, and one edge. The hasty handler serves the one that the port names first, and returns. The line **stays high** for the other, nothing will ever rise again, and the guest's byte is never sent. Look at \`SerialState.iir\`, and at \`last_irr\`, which still has bit 4.`,
      parameters: { mistake: 'hasty' },
      stimuli: [{ at: 1, name: 'byte' }],
    },
    {
      id: 'spurious-15',
      title: 'Spurious IRQ 15: a level that is gone',
      prose: `With interrupts off the guest has edu raise IRQ 10, and acknowledges it. The slave's request falls with the line; but its output was an **edge at the master**, which remembers. The CPU acknowledges, the master says 2, the slave has nothing: it answers with its input **7**, which is IRQ 15. Only the master has something in service, so only the master may be sent an EOI.`,
      parameters: { guest: 'nested', overlap: 'withdrawn' },
    },
    {
      id: 'spurious-7',
      title: 'Spurious IRQ 7: KVM’s output goes stale',
      prose: `IRQ 4 is requested, and the guest writes ICW1. KVM's \`kvm_pic_reset\` clears the request, but nobody recomputes \`output\`: the CPU still sees an interrupt, acknowledges, and the chip, which has none, answers with **7**, and puts nothing in service. That is how a handler tells it: the ISR does not have it. QEMU's chip drives its output in \`pic_init_reset\`, and nothing happens there.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'nested', overlap: 'forgotten' },
    },
    {
      id: 'slave-aeoi-lost',
      title: 'QEMU: a slave that ends interrupts itself loses one',
      prose: `Both inputs of the slave are requested, and the slave is in **automatic EOI** mode. The first is acknowledged: the slave has the second one already, so its output **never falls**. The master has taken its input 2, and waits for an edge there that does not come: \`last_irr\` has bit 2 all the time. IRQ 12 is not delivered, nor is anything else of the slave, until its output toggles. KVM's slave pulses the master's input at every update, and does not have this defect.`,
      parameters: { guest: 'auto-eoi', overlap: 'together' },
    },
    {
      id: 'kvm-aeoi-spurious',
      title: 'KVM: automatic EOI and a level make IRQ 15',
      prose: `KVM's slave has no wire to the master: whenever anything is recomputed and the slave has a request, it **pulses** the master's input 2. A level is still requested when it has just been acknowledged, and ended automatically: the pulse makes another request at the master, which remains when the device's line falls. The CPU acknowledges it, and the slave has nothing: spurious IRQ 15, one for each interrupt of edu.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'auto-eoi' },
    },
    {
      id: 'isr-survives-icw1',
      title: 'KVM: what is in service survives ICW1',
      prose: `In the handler of IRQ 10 the guest initializes both chips anew, and sends no EOI any more: it expects the chips to have forgotten. KVM's \`kvm_pic_reset\` **keeps \`isr\`**, except for inputs that had an edge requested. Input 2 stays in service for ever: nothing less urgent is delivered, and that is everything that the guest's devices have. On real chips, and in QEMU, ICW1 clears it.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'nested', overlap: 'reinitialized' },
    },
    {
      id: 'special-mask',
      title: 'Special mask mode lets the less urgent through',
      prose: `The handler of IRQ 10 masks the cascade at the master and sets **special mask mode**: what is in service but masked no longer holds anybody back. The serial port's IRQ 4, less urgent than the whole slave, interrupts the handler. The mode is for handlers that take long; everybody else uses priorities.`,
      parameters: { guest: 'special-mask', overlap: 'less-urgent' },
    },
    {
      id: 'special-mask-ignored',
      title: 'KVM ignores special mask mode',
      prose: `The same guest, with KVM's chips. \`special_mask\` is stored and saved with the machine, but KVM's \`pic_get_irq\` never looks at it: IRQ 4 waits until IRQ 10 has been ended.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'special-mask', overlap: 'less-urgent' },
    },
    {
      id: 'poll-6.1',
      title: 'Polling before Linux 6.12: the bit that was missing',
      prose: `A **poll** is an acknowledge cycle without an interrupt: the next read gives 0x80 and the input, or bit 7 clear if nobody asks. KVM of Linux 6.1 gives the number without bit 7. The guest takes that for "nobody", and since the read *was* the acknowledgement the request is gone: nothing is ever served. 6.12 sets the bit. QEMU says 0 where nobody asks, KVM of either version 7.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'polling', linux: '6.1' },
    },
    {
      id: 'poll-level',
      title: 'KVM: a poll takes a level request away',
      prose: `The guest polls, and serves edu; meanwhile edu has another reason and keeps its line high. In QEMU a level request is its line, also for a poll: the next poll finds it. KVM's poll **clears the request, level or not**, and puts nothing in service; it comes back only when the line is driven again, and a line that is up already never is.`,
      parameters: { accel: 'vmx', irqchip: 'on', guest: 'polling', overlap: 'again' },
    },
    {
      id: 'rotation',
      title: 'Rotation: both devices of the slave take turns',
      prose: `Each end of an interrupt **rotates**: its input becomes the least urgent, the next one the most urgent. edu (IRQ 10) has just been served, so when both devices of the slave ask, it is the serial port's turn (IRQ 12). In the fully nested guest edu would go first again. \`priority_add\` is the input that is the most urgent now.`,
      parameters: { guest: 'rotating', overlap: 'together' },
    },
    {
      id: 'nesting',
      title: 'Nesting: a more urgent interrupt in the middle of a handler',
      prose: `The handler of IRQ 4 runs with interrupts on. edu's IRQ 10 comes through the slave, and the slave is input **2** of the master: more urgent than 4. So it interrupts the handler, and is ended first. Linux would have kept interrupts off, and served it afterwards.`,
      parameters: { guest: 'nested', overlap: 'more-urgent' },
    },
    {
      id: 'interrupt-window',
      title: 'The PIC in QEMU, and a guest that cannot take it now',
      prose: `Two interrupts come while the guest has interrupts off. \`kvm_arch_pre_run\` sees \`CPU_INTERRUPT_HARD\` but may not ask the chip for a vector yet: it would be the wrong one if something more urgent came. So it sets \`request_interrupt_window\`; KVM has the CPU exit as soon as the guest's IF is set, and returns \`KVM_EXIT_IRQ_WINDOW_OPEN\`. Then comes the acknowledge cycle, and \`KVM_INTERRUPT\`.`,
      parameters: { accel: 'svm', irqchip: 'off', guest: 'nested', overlap: 'together' },
    },
    {
      id: 'kernel-twice',
      title: 'The PIC in the kernel, and each line driven twice',
      prose: `\`gsi_handler\` drives the PIC's input and then the I/O APIC's. With both in the kernel each of the two is a \`KVM_IRQ_LINE_STATUS\` of the *same* GSI, and the routing table takes each to **both** chips. The second call changes nothing, but every change of an ISA line costs two ioctls. Since QEMU 5.0, when \`kvm_pc_gsi_handler\` was removed. Look also at \`wakeup_needed\`: KVM kicks the vCPU whenever the output *was* 0, even if it stays 0.`,
      parameters: { accel: 'vmx', irqchip: 'on' },
    },
  ],
  historical: [
    {
      name: 'isa_irq_handler',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/pc.c',
      today: ['gsi_handler'],
      since: 'October 2011 (b881fbe9f7); in hw/i386/x86.c since December 2019. It drove the same two chips.',
    },
    {
      name: 'IsaIrqState',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/pc.c',
      today: ['pc_gsi_create'],
      since: 'October 2011 (b881fbe9f7): GSIState, which pc_gsi_create() makes.',
    },
    {
      name: 'isa_irq_state',
      project: 'qemu',
      was: 'qemu-kvm 0.12, a variable of pc_init1()',
      today: ['pc_gsi_create'],
      since: 'October 2011 (b881fbe9f7): gsi_state.',
    },
    {
      name: 'i8259_set_irq',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/i8259.c',
      today: ['pic_set_irq'],
      since: 'October 2011 (747c70af78): one function for all sixteen inputs became one for each chip.',
    },
    {
      name: 'pic_set_irq1',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/i8259.c',
      today: ['pic_set_irq', 'pic_set_irq1'],
      since: 'October 2011 (747c70af78): merged into pic_set_irq(). KVM, whose 8259 was made from the old one, still has the name.',
    },
    {
      name: 'PicState2',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/i8259.c',
      today: ['i8259_init', 'i8259_init_chip'],
      since:
        'October 2011 (c17725f473, 512709f559): the pair in one structure became two PICCommonState, wired like any devices. Before that the slave’s request was a pulse at the master’s input 2, as it is in KVM today.',
    },
    {
      name: 'PicState',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/i8259.c',
      today: ['i8259_init_chip'],
      since: 'January 2012 (512709f559): PICCommonState.',
    },
    {
      name: 'kvm_i8259_set_irq',
      project: 'qemu',
      was: 'qemu-kvm 0.12, hw/i8259.c',
      today: ['kvm_pic_set_irq'],
      since: 'January 2012 (10b6188275), when QEMU itself learned of KVM’s chips.',
    },
    {
      name: 'kvm_set_irq_level',
      project: 'qemu',
      was: 'qemu-kvm 0.12, qemu-kvm.c',
      today: ['kvm_set_irq'],
      since: '2011, with the end of qemu-kvm.c.',
    },
    {
      name: 'cpu_irq',
      project: 'qemu',
      was: 'qemu-kvm 0.12, a variable of pc_init1()',
      today: ['x86_allocate_cpu_irq'],
      since: 'December 2019 (89a289c7e9): the line that the PIC’s output leads to.',
    },
    {
      name: 'kvm_arch_try_push_interrupts',
      project: 'qemu',
      was: 'qemu-kvm 0.12, qemu-kvm-x86.c',
      today: ['kvm_arch_pre_run'],
      since: 'May 2011 (c94391b61), when qemu-kvm took over QEMU’s kvm_cpu_exec().',
    },
    {
      name: 'kvm_inject_irq',
      project: 'qemu',
      was: 'qemu-kvm 0.12, qemu-kvm.c',
      today: ['kvm_arch_pre_run', 'kvm_vcpu_ioctl'],
      since: 'May 2011 (c94391b61): the ioctl KVM_INTERRUPT is made where the decision is.',
    },
    {
      name: 'kvm_update_interrupt_request',
      project: 'qemu',
      was: 'qemu-kvm 0.12, qemu-kvm.c',
      today: ['qemu_cpu_kick', 'cpus_kick_thread'],
      since: '2011, with the end of qemu-kvm.c.',
    },
    {
      name: 'qemu_mallocz',
      project: 'qemu',
      was: 'qemu-kvm 0.12, qemu-malloc.c',
      today: ['pc_gsi_create', 'i8259_init'],
      since: 'August 2011 (7267c0947d): GLib’s g_malloc0(), here in those who called it.',
    },
    {
      name: 'kvm_pc_gsi_handler',
      project: 'qemu',
      was: 'QEMU 1.1 to 4.2, hw/i386/kvm/ioapic.c',
      today: ['gsi_handler'],
      since: 'December 2019 (64c033badd). Its “else” went with it: since then a line below GSI 16 is driven twice.',
    },
    {
      name: 'kvm_enabled',
      project: 'qemu',
      was: 'qemu-kvm 0.12, kvm.h',
      today: ['pc_gsi_create'],
      since: 'Still a macro, of include/sysemu/kvm.h: what it chose in pc_init1() is chosen by kvm_ioapic_in_kernel() in pc_gsi_create().',
    },
    {
      name: 'kvm_irqchip_in_kernel',
      project: 'qemu',
      was: 'qemu-kvm 0.12, kvm.h',
      today: ['pc_i8259_create', 'pic_irq_request', 'kvm_arch_process_async_events'],
      since: 'Still a macro, beside kvm_pic_in_kernel() and kvm_ioapic_in_kernel() since the split irqchip of December 2015 (15eafc2e60).',
    },
  ],
  chapters: [
    {
      title: 'The board: GSIs, and what they lead to',
      starts: 'pc_init1',
      prose: `QEMU builds a PC. Its devices never see an interrupt controller: they drive **GSIs**, and one function, \`gsi_handler\`, stands behind all of these. It passes a level on to the inputs of the 8259 pair (GSI 0 to 15) *and* to the I/O APIC, because the board cannot know which of the two the guest will use.

The pair is two equal chips of eight inputs. The **slave**'s output is wired to input 2 of the **master**, the master's output leads to the CPU. Where KVM emulates the chips, QEMU makes only fronts for them, and tells KVM by \`KVM_SET_GSI_ROUTING\` which GSI leads to which pins.`,
    },
    {
      title: 'Firmware makes PCI interrupts level-triggered',
      starts: 'firmware',
      prose: `An ISA interrupt is an **edge**: the chip remembers that its line rose, and that is all it knows. PCI devices share lines, and hold them up until they are served: these inputs have to be **level**-triggered. The original 8259 could only be switched as a whole; PCs have a register of their own beside it, the **ELCR**, one bit for each input. The timer, the keyboard, the cascade, the clock and the coprocessor (0, 1, 2, 8 and 13) cannot be level.`,
    },
    {
      title: 'Linux initializes the pair',
      starts: 'native_init_IRQ',
      prose: `**ICW1** starts an initialization: the chip forgets everything, and takes the next writes to its odd port for **ICW2** (the vectors), **ICW3** (who is wired to whom) and **ICW4** (the mode). After that the odd port is **OCW1**, the mask. Linux takes vectors 0x30 to 0x3f, masks everything, and unmasks an input when a driver requests its interrupt. IRQ 2 is requested for nobody: it is the cascade.`,
    },
    {
      title: 'A program initializes the pair',
      starts: 'boot_program',
      prose: `**ICW1** starts an initialization: the chip forgets everything, and takes the next writes to its odd port for **ICW2** (the vectors), **ICW3** (who is wired to whom) and **ICW4** (the mode: an automatic end of interrupt, for one). After that the odd port is **OCW1**, the mask. Small as it is, the program shows what Linux leaves alone: priorities, rotation, special mask mode, polling.`,
    },
    {
      title: 'An edge: the serial port interrupts',
      starts: 'work',
      prose: `The guest wants to send a byte. It allows the port to interrupt when it is empty, which it is: the port raises IRQ 4 while the guest's store is still being carried out. In \`pic_set_irq\` (QEMU) or \`pic_set_irq1\` (KVM) \`last_irr\` is the level that the line had: only a **change from low to high** sets the request bit in \`irr\`. The output follows from the registers: an input that is requested, not masked, and more urgent than everything in service.

Nothing is injected here. In QEMU \`cpu_interrupt\` notes \`CPU_INTERRUPT_HARD\`, and kicks the CPU's thread if another one raised the line; in KVM \`pic_unlock\` makes a request of the first vCPU that takes the PIC's interrupts.`,
    },
    {
      title: 'The CPU acknowledges',
      starts: 'pic_read_irq',
      prose: `When the guest can take an interrupt, the CPU's thread performs what was a bus cycle once, **INTA**: now, and not when the line rose, the chip decides *which* vector it is. The request bit becomes an in-service bit, for an edge at least: a level request stays what its line is. Without KVM's chips the vector is then handed over by \`KVM_INTERRUPT\`; with TCG it goes straight through the guest's interrupt table.

If the guest has interrupts off, QEMU sets \`request_interrupt_window\`, and KVM comes back with \`KVM_EXIT_IRQ_WINDOW_OPEN\` as soon as it can.`,
    },
    {
      title: 'KVM acknowledges for the CPU',
      starts: 'kvm_pic_read_irq',
      prose: `Before it enters the guest KVM asks \`kvm_cpu_has_injectable_intr\`; the PIC goes before the local APIC, whatever the priorities. If the guest can take it, \`kvm_pic_read_irq\` is the acknowledge cycle, **INTA**: now, and not when the line rose, the chip decides *which* vector it is. The request bit becomes an in-service bit. If not, KVM asks the CPU for an exit when the **interrupt window** opens.`,
    },
    {
      title: 'Linux ends the interrupt before it handles it',
      starts: 'mask_and_ack_8259A',
      prose: `Linux **masks** the input, sends a **specific EOI** (to the slave first, then to the master's input 2), runs the handler and unmasks. So the chip has nothing in service while the handler runs: its priorities hardly matter to Linux. An edge that comes meanwhile is remembered in \`irr\`, and interrupts again at the unmask. A level that is still high would come again at once without the mask.

Before that it looks for spurious interrupts: one for an input that it has masked itself, and that the chip does not have in service.`,
    },
    {
      title: 'The handler',
      starts: 'uart_irq',
      prose: `A serial port has one line for several reasons, and an edge only when there was no reason before. So its handler must not return while there is any: it asks again until the port says that it has none. Writing the byte makes the port busy and, in QEMU, empty again at once: the line falls and rises, and that edge makes a second interrupt, for which there is nothing left to do.`,
    },
    {
      title: 'A level, through the slave',
      starts: 'raise_edu',
      prose: `edu is a PCI device. Its pin goes through the PIIX3's routing registers to IRQ 10: an input of the **slave**. The slave's output is an edge at input 2 of the master. The acknowledge cycle asks the master, hears 2, and asks the slave; both now have something in service, and both need an EOI. The request stays in the slave's \`irr\` until the guest acknowledges the *device*: only that lowers the line.`,
    },
    {
      title: 'From another thread',
      starts: 'compute_factorial',
      prose: `edu computes on a thread of its own, and raises its interrupt from there. Everything about the chips is under the big QEMU lock, the **BQL**, so any thread that holds it may drive a line. The CPU's thread may be in the guest, or asleep because the guest has halted: \`qemu_cpu_kick\` wakes it, with a signal that makes \`KVM_RUN\` return.`,
    },
  ],
});

/** Another process of the host writes to the pipe behind a serial port. */
const type_at = (machine: PcMachine, port: 0 | 1): Coroutine =>
  through('syscall', 'write', pipefifo_fops.write_iter)(machine.pipes[port]!, 0x41);

function* look(guest: PcGuest): Coroutine {
  guest.look = true;
}
