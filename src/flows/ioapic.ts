import type { Parameters } from '../engine/machine';
import { running } from '../engine/running';
import { sleep } from '../engine/steps';
import {
  DEVICE,
  DEVICE_PIN,
  guest_contexts,
  guest_disables_apic,
  guest_ends_nothing,
  guest_frees_pin,
  guest_interrupts_itself,
  guest_interrupts_others,
  guest_masks_pin,
  guest_reads_pin,
  guest_unmasks_pin,
  guest_uses_clusters,
  MESSAGE_VECTOR,
  RTC_PIN,
  small_kernel,
  type Destination,
  type HandlerKind,
  type SmallKernel,
} from '../models/guest/small_kernel';
import { ask, device_thread, line_device, line_device_ops, type LineDevice } from '../models/hardware/line_device';
import type { LapicMode } from '../models/hardware/virt_cpu';
import { APIC_DM_LOWEST } from '../models/linux/arch/x86/include/asm/apicdef';
import { begin_in_storm } from '../models/linux/arch/x86/kvm/ioapic';
import { lapic_timer_function } from '../models/linux/arch/x86/kvm/lapic';
import { svm_x86_ops } from '../models/linux/arch/x86/kvm/svm/svm';
import { vt_x86_ops } from '../models/linux/arch/x86/kvm/vmx/main';
import { hrtimer_context } from '../models/linux/kernel/time/hrtimer';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { kvm_vcpu, kvm_vm } from '../models/linux/virt/kvm/kvm_main';
import type { Kvm } from '../models/linux/virt/kvm/kvm_types';
import { kvm_vcpu_thread_fn } from '../models/qemu/accel/kvm/kvm-accel-ops';
import { gsis } from '../models/qemu/hw/i386/pc';
import type { IRQState } from '../models/qemu/hw/core/irq';
import { APIC_SPACE, kvm_apic_io_ops } from '../models/qemu/hw/i386/kvm/apic';
import { io_region, memory_region_add_subregion } from '../models/qemu/include/exec/memory';
import { x86_cpu } from '../models/qemu/include/hw/core/cpu';
import { new_kvm_state, split_irq_routes, type KVMState } from '../models/qemu/include/sysemu/kvm_int';
import { own_ioapic, qemu_process, type Process } from '../models/qemu/machine';
import { qemu_init_subsystems, qemu_main_loop } from '../models/qemu/softmmu/runstate';
import { flow, type FlowStimuli } from './flow';
import { ioapicTopology } from './topologies/ioapic';
import { qemuVersion } from './parameters';

/** I/O APIC and local APIC: from a line that rises in QEMU to the guest's handler, and back to remote IRR. */

/** The topology, as the stimuli know it. */
interface World {
  readonly device: LineDevice;
  readonly rtc: LineDevice;
  readonly guest: SmallKernel;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { hardirq: 0, outside: 1, device: 2, kworker: 3, qemu: 4, vcpu: 5, guest: 6 } as const;

const CPUS = 2;
const INTERVAL_MS = 2000;
/** Destination ID and mode of a message, as its address has them. */
const MSI_TO_CPU_1 = 1 << 12;
const MSI_TO_BOTH = (3 << 12) | (1 << 2);
const MSI_TO_ALL = 0xff << 12;
/** A storm is worth showing from its end only: the interrupt that KVM delays is the 10,000th. */
const STORM = { before: 9997, late: 3 } as const;

function setUp(parameters: Parameters): World {
  const kvm = virtualMachine(parameters);
  const mode = parameters['lapic'] as LapicMode;
  const vcpus = Array.from({ length: CPUS }, () => kvm_vcpu(kvm, mode));
  for (const { apic, vcpu_id } of vcpus)
    hrtimer_context(
      apic.lapic_timer.timer,
      lapic_timer_function(apic),
      `hrtimer${vcpu_id}`,
      `host timer of vCPU ${vcpu_id}`,
      PRIORITY.hardirq,
    );

  const split = parameters['irqchip'] === 'split';
  const state = new_kvm_state(kvm, split ? 'split' : 'on', split ? split_irq_routes() : []);
  const q = qemu_process(state, { root: [], listeners: [], current_map: [] });
  const lines = board(q, state);
  const device = line_device('device', lines[DEVICE_PIN], q.qemu_global_mutex, q.address_space_memory);
  const rtc = line_device('real-time clock', lines[RTC_PIN], q.qemu_global_mutex, q.address_space_memory);
  memory_region_add_subregion(
    q.address_space_memory,
    io_region({ name: 'device', addr: DEVICE, size: 0x1000 }, line_device_ops, () => device),
  );

  memory_region_add_subregion(
    q.address_space_memory,
    io_region(APIC_SPACE, kvm_apic_io_ops, () => state),
  );

  running().thread('qemu', 'QEMU main loop', 'qemu', PRIORITY.qemu, function* () {
    yield* qemu_init_subsystems(q);
    yield* qemu_main_loop(q);
  });
  outside(device, Number(parameters['interrupts']));
  device_thread([device, rtc], 'device', 'devices (QEMU)', PRIORITY.device);
  for (const [index, vcpu] of vcpus.entries()) {
    const cpu = x86_cpu(q.board, index, { kvm: vcpu });
    running().thread(`vcpu${index}`, `vCPU ${index}`, 'vcpu', PRIORITY.vcpu, () => kvm_vcpu_thread_fn(q, cpu));
  }
  const guest = small_kernel(vcpus, behaviour(parameters));
  guest_contexts(guest, PRIORITY.guest);
  return { device, rtc, guest };
}

function virtualMachine(parameters: Parameters): Kvm {
  const mode = parameters['lapic'];
  const split = parameters['irqchip'] === 'split';
  const kvm = kvm_vm({
    irqchip_mode: split ? 'KVM_IRQCHIP_SPLIT' : 'KVM_IRQCHIP_KERNEL',
    ...(split ? { routing: split_irq_routes() } : { pic: { master: { imr: 0xff }, slave: { imr: 0xff } } }),
    vector_hashing: parameters['destination'] !== 'lowest-arbitrated',
    system_wq: alloc_workqueue('events', 'kworker', PRIORITY.kworker),
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', PRIORITY.kworker),
    x86_ops: mode === 'svm-x2apic' ? svm_x86_ops : vt_x86_ops(mode === 'vmx-apicv'),
  });
  if (parameters['handler'] === 'storm' && kvm.arch.vioapic !== undefined) begin_in_storm(kvm.arch.vioapic, DEVICE_PIN, STORM.before);
  return kvm;
}

/** The board's lines, and QEMU's own I/O APIC at their end if the kernel has none. */
const board = (q: Process, s: KVMState): readonly IRQState[] => gsis(s, s.kernel_irqchip === 'split' ? own_ioapic(q) : undefined);

function behaviour(parameters: Parameters): Omit<SmallKernel, 'cpus'> {
  const storm = parameters['handler'] === 'storm';
  const destination = String(parameters['destination']);
  return {
    level: parameters['trigger'] === 'level',
    handler: storm ? 'late' : (parameters['handler'] as HandlerKind),
    destination: destination.startsWith('lowest') ? 'lowest' : (destination as Destination),
    late: storm ? STORM.late : 1,
  };
}

/** What happens around the device: it is made to interrupt a few times, each time when everything has come to rest. */
function outside(device: LineDevice, interrupts: number): void {
  running().thread('outside', 'outside', 'device', PRIORITY.outside, function* () {
    for (let i = 0; i < interrupts; i++) {
      yield* sleep(INTERVAL_MS);
      yield* ask(device, true);
    }
  });
}

/** Later than any step: a machine that has come to rest takes the next stimulus whenever it is due. */
const AT_REST = 100_000;
const oneByOne = (...names: readonly string[]): FlowStimuli => names.map((name, index) => ({ at: AT_REST + index, name }));

export const ioapic = flow<World>({
  id: 'ioapic',
  system: 'QEMU/KVM',
  title: 'I/O APIC and local APIC',
  summary:
    'A line rises, an I/O APIC turns it into a message, a local APIC accepts it, a CPU takes it, and its end of interrupt finds the way back to the pin: with edges and levels, one CPU or two, inter-processor interrupts and the local timer.',
  setUp,
  topology: ioapicTopology,
  duration: (parameters) => (Number(parameters['interrupts']) + 1) * INTERVAL_MS,
  parameters: [
    {
      kind: 'choice',
      name: 'irqchip',
      title: 'kernel-irqchip',
      description: 'Where the I/O APIC is emulated. The local APICs are in the kernel either way.',
      default: 'on',
      choices: [
        { value: 'on', title: 'on: all in the kernel' },
        { value: 'split', title: 'split: the I/O APIC is QEMU’s, and its pins are message routes in KVM' },
      ],
    },
    {
      kind: 'choice',
      name: 'trigger',
      title: 'Trigger mode',
      description: 'What the pin’s redirection entry says: an edge is sent and forgotten, a level has to be ended.',
      default: 'level',
      choices: [
        { value: 'level', title: 'Level' },
        { value: 'edge', title: 'Edge' },
      ],
    },
    {
      kind: 'choice',
      name: 'destination',
      title: 'Destination',
      description: 'Whom the pin’s interrupt is for. CPU 0 of the guest polls, CPU 1 halts until something comes.',
      default: 'cpu0',
      choices: [
        { value: 'cpu0', title: 'CPU 0, by its ID' },
        { value: 'cpu1', title: 'CPU 1, by its ID' },
        { value: 'both', title: 'Both, by their logical IDs' },
        { value: 'lowest-hashed', title: 'Lowest priority: the vector picks one of both (vector_hashing=Y)' },
        { value: 'lowest-arbitrated', title: 'Lowest priority: whoever had fewer of these (vector_hashing=N)' },
        { value: 'nobody', title: 'Nobody: logical IDs that no CPU has' },
      ],
    },
    {
      kind: 'choice',
      name: 'handler',
      title: 'The guest’s handler',
      description: 'What the guest does between taking the device’s interrupt and ending it.',
      default: 'services',
      choices: [
        { value: 'services', title: 'Sees to the device' },
        { value: 'late', title: 'Does nothing for the device the first time' },
        { value: 'storm', title: 'Has done nothing for it 9,997 times already' },
        { value: 'moves-vector', title: 'Sees to the device, and gives the pin another vector' },
        { value: 'moves-cpu', title: 'Sees to the device, and sends the pin’s interrupts to the other CPU' },
      ],
    },
    {
      kind: 'choice',
      name: 'lapic',
      title: 'The guest’s local APIC',
      description: 'How the CPU virtualizes it decides how a vector gets in, how its end gets out, and what an IPI costs.',
      default: 'vmx-apicv',
      choices: [
        { value: 'vmx-apicv', title: 'VT-x with APICv, xAPIC: vectors are posted, an EOI exits only if it must' },
        { value: 'vmx-xapic', title: 'VT-x, xAPIC: every access to the APIC page exits' },
        { value: 'vmx-x2apic', title: 'VT-x, x2APIC: every access is a WRMSR' },
        { value: 'svm-x2apic', title: 'AMD-V without AVIC, x2APIC: every access is a WRMSR' },
      ],
    },
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux of the host',
      description:
        'The kernels differ in how a vector is taken, in what HLT costs, and, with a split irqchip, in whose EOI is still seen after a pin was moved.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    qemuVersion,
    {
      kind: 'number',
      name: 'interrupts',
      title: 'Interrupts',
      description: 'How often the device interrupts by itself.',
      default: 1,
      minimum: 0,
      maximum: 2000,
    },
  ],
  stimuli: [
    {
      name: 'raise',
      title: 'The device raises its line',
      description: 'Something happens that the device tells the guest.',
      thread: 'outside',
      body: ({ device }) => ask(device, true),
    },
    {
      name: 'lower',
      title: 'The device lowers its line',
      description: 'The device lets go by itself, whether or not anybody has seen to it.',
      thread: 'outside',
      body: ({ device }) => ask(device, false),
    },
    {
      name: 'raise-twice',
      title: 'The device raises its line twice',
      description: 'Twice, without letting go in between and before the guest can look.',
      thread: 'outside',
      body: ({ device }) => ask(device, true, true),
    },
    {
      name: 'pulse-twice',
      title: 'The device pulses its line twice',
      description: 'Up and down, up and down, before the guest can look.',
      thread: 'outside',
      body: ({ device }) => ask(device, true, false, true, false),
    },
    {
      name: 'tick-twice',
      title: 'The real-time clock ticks twice',
      description: 'Two pulses on GSI 8, the second before the guest has ended the first.',
      thread: 'outside',
      body: ({ rtc }) => ask(rtc, true, false, true, false),
    },
    {
      name: 'message',
      title: 'A device sends a message',
      description: 'An MSI to CPU 1, without a line and without an I/O APIC: KVM_SIGNAL_MSI.',
      thread: 'outside',
      body: ({ device }) => ask(device, { address: APIC_SPACE.addr + MSI_TO_CPU_1, data: MESSAGE_VECTOR }),
    },
    {
      name: 'message-lowest',
      title: 'A device sends a message to one of both',
      description: 'An MSI to the logical IDs of both CPUs, with lowest priority: the vector picks one.',
      thread: 'outside',
      body: ({ device }) => ask(device, { address: APIC_SPACE.addr + MSI_TO_BOTH, data: APIC_DM_LOWEST | MESSAGE_VECTOR }),
    },
    {
      name: 'message-all',
      title: 'A device sends a message to everybody',
      description: 'An MSI to the physical ID 0xff, which no table answers.',
      thread: 'outside',
      body: ({ device }) => ask(device, { address: APIC_SPACE.addr + MSI_TO_ALL, data: MESSAGE_VECTOR }),
    },
    {
      name: 'mask',
      title: 'The guest masks the pin',
      description: 'CPU 0 sets the mask bit of the redirection entry.',
      thread: 'guest0',
      body: ({ guest }) => guest_masks_pin(guest),
    },
    {
      name: 'unmask',
      title: 'The guest unmasks the pin',
      description: 'CPU 0 clears the mask bit, and writes the rest of the entry as it was at first.',
      thread: 'guest0',
      body: ({ guest }) => guest_unmasks_pin(guest),
    },
    {
      name: 'free',
      title: 'The guest frees the pin',
      description: 'CPU 0 makes the pin edge-triggered for a moment, which clears remote IRR.',
      thread: 'guest0',
      body: ({ guest }) => guest_frees_pin(guest),
    },
    {
      name: 'eoi',
      title: 'The guest writes EOI',
      description: 'CPU 0 ends an interrupt without having taken one.',
      thread: 'guest0',
      body: ({ guest }) => guest_ends_nothing(guest),
    },
    {
      name: 'ipi-self',
      title: 'CPU 0 interrupts itself',
      description: 'An inter-processor interrupt with the shorthand “self”.',
      thread: 'guest0',
      body: ({ guest }) => guest_interrupts_itself(guest),
    },
    {
      name: 'ipi-others',
      title: 'CPU 0 interrupts all others',
      description: 'An inter-processor interrupt with the shorthand “all but self”, which no table answers.',
      thread: 'guest0',
      body: ({ guest }) => guest_interrupts_others(guest),
    },
    {
      name: 'clusters',
      title: 'CPU 0 changes its logical addressing',
      description: 'CPU 0 writes its destination format register: clusters instead of flat, unlike CPU 1.',
      thread: 'guest0',
      body: ({ guest }) => guest_uses_clusters(guest),
    },
    {
      name: 'apic-off',
      title: 'The guest switches CPU 0’s local APIC off',
      description: 'CPU 0 clears bit 8 of the spurious-vector register.',
      thread: 'guest0',
      body: ({ guest }) => guest_disables_apic(guest),
    },
    {
      name: 'read-pin',
      title: 'The guest reads the pin’s entry',
      description: 'CPU 0 selects the redirection entry and reads its lower half: what it wrote, and what the I/O APIC notes there.',
      thread: 'guest0',
      body: ({ guest }) => guest_reads_pin(guest),
    },
  ],
  presets: [
    {
      id: 'coalesced-edge',
      title: 'Two edges, one interrupt',
      prose:
        'An edge-triggered pin needs to see its line *fall* before it can see it rise again. The device raises twice without letting go: KVM’s `irr` bit of the pin is the **edge detector**, it is set already, and the second `kvm_ioapic_set_irq` returns 0, “coalesced”. A device that shares such a pin with another loses interrupts that way, which is why PCI’s are levels.',
      parameters: { trigger: 'edge', interrupts: 0 },
      stimuli: oneByOne('raise-twice'),
    },
    {
      id: 'merged-in-irr',
      title: 'Two messages, one interrupt',
      prose:
        'Here the line falls in between, and the I/O APIC sends **two messages**; both count as delivered. But the local APIC has one request bit per vector, and it is still set from the first: the handler runs once. Nobody can tell from the results: “already pending” is accepted like anything else. With APICv the bit is in the posted-interrupt descriptor, and the second message does not even notify.',
      parameters: { trigger: 'edge', interrupts: 0 },
      stimuli: oneByOne('pulse-twice'),
    },
    {
      id: 'masked-edge',
      title: 'An edge that comes while the pin is masked is lost',
      prose:
        'The guest masks the pin, the device raises its line, the guest unmasks. KVM has *recorded* the edge in `irr`, but serves only level-triggered pins when an entry is written, so nothing is sent. Worse, the next rise merges with the recorded one, since the line never fell: the pin stays silent until it does. The 82093AA does not latch a masked edge either; QEMU’s own I/O APIC forgets it at once (try `irqchip` split).',
      parameters: { trigger: 'edge', interrupts: 0 },
      stimuli: oneByOne('mask', 'raise', 'unmask', 'raise', 'lower', 'raise'),
    },
    {
      id: 'still-asserted',
      title: 'A level that is still up at the EOI comes again',
      prose:
        'The handler ends the interrupt without having seen to the device. **Remote IRR** is cleared, `irr` shows that the line is still up, and `kvm_ioapic_update_eoi_one` sends the interrupt again at once, from inside the guest’s EOI. That is what makes levels safe to share: nothing is lost, whatever the handler forgets.',
      parameters: { handler: 'late' },
    },
    {
      id: 'eoi-storm',
      title: 'An interrupt storm, and how KVM slows it down',
      prose:
        'A guest that ends a level interrupt without serving its device would never get out of its handler: each EOI injects the next. KVM counts in `irq_eoi` how often in a row that happened, and at 10,000 hands the pin to a **delayed work item**, so that the guest has 10 ms to do something else. The run begins after 9,997 such rounds.',
      parameters: { handler: 'storm' },
    },
    {
      id: 'stranded-remote-irr',
      title: 'Remote IRR is stranded by a change of the vector',
      prose:
        'While the interrupt is in service, the guest gives its pin another vector. The EOI is for the old one, no entry has that any more, and nobody clears **remote IRR**: the pin will never send again, though its line goes up. Guests know this from real chips; Linux frees a pin by making it edge-triggered for a moment (`__eoi_ioapic_pin`), as the last stimulus does. With the line up, the interrupt is sent at once.',
      parameters: { handler: 'moves-vector', interrupts: 2 },
      stimuli: oneByOne('free'),
    },
    {
      id: 'moved-while-in-service',
      title: 'The pin is moved to another CPU while its interrupt is in service',
      prose:
        'CPU 0 serves the interrupt and sends the pin’s next ones to CPU 1. Its set of vectors whose EOI has to be seen is rebuilt from the entries, and none is for CPU 0 any more. KVM keeps a vector in the set while it is **requested or in service** there (`kvm_apic_pending_eoi`), and so hears of its end; before that was added, remote IRR stayed set for ever.',
      parameters: { handler: 'moves-cpu', interrupts: 2 },
    },
    {
      id: 'moved-split-6.1',
      title: 'The same with a split irqchip on Linux 6.1: the EOI is never seen',
      prose:
        'With the I/O APIC in QEMU the set is built from the message routes by `kvm_scan_ioapic_routes`. Linux 6.1 looks only at whom a route addresses *now*: CPU 0 ends the interrupt, the vector is no longer in its set, there is no `KVM_EXIT_IOAPIC_EOI`, and QEMU’s remote IRR stays set. The second interrupt never leaves the pin. Compare with 6.12, which asks `kvm_apic_pending_eoi` here as well.',
      parameters: { irqchip: 'split', handler: 'moves-cpu', linux: '6.1', interrupts: 2 },
    },
    {
      id: 'lost-by-hashing',
      title: 'A lowest-priority interrupt that vector hashing drops',
      prose:
        'Two CPUs are addressed, and CPU 0’s local APIC is off. With **vector hashing** the vector modulo the number of addressed bits picks one of the *bits*, not one of the CPUs that are there: 0x60 picks CPU 0, and the interrupt is dropped (`disabled_lapic_found`), though CPU 1 could have taken it. With `vector_hashing=N` CPU 1 gets it. For a level the result is 0, so remote IRR stays clear, and the next rise tries again.',
      parameters: { destination: 'lowest-hashed', interrupts: 0 },
      stimuli: oneByOne('apic-off', 'raise'),
    },
    {
      id: 'remote-irr-for-nobody',
      title: 'Remote IRR is set for an interrupt that nobody got',
      prose:
        'The entry addresses logical IDs that no CPU has. As long as all CPUs understand logical IDs alike, the table answers: nobody, **0**, and nothing else happens. CPU 0 then changes to clusters, CPU 1 stays flat, the table is given up (`KVM_APIC_MODE_MAP_DISABLED`), and every local APIC is asked; that nobody was meant is now **-1**. `ioapic_service` sets remote IRR for whatever is not 0, and no EOI will ever clear it: the pin is dead until the guest makes it an edge for a moment.',
      parameters: { destination: 'nobody', lapic: 'vmx-xapic', interrupts: 0 },
      stimuli: oneByOne('raise', 'lower', 'clusters', 'raise'),
    },
    {
      id: 'rtc-coalescing',
      title: 'The clock’s tick that KVM reports as lost',
      prose:
        'A guest that gets its time from the RTC’s periodic interrupt loses time with every tick that merges with one before. So GSI 8 is special: KVM notes which CPUs the tick went to (`rtc_status.dest_map`), and while one of them **owes the EOI** a further tick is refused with the status 0. QEMU then delivers it later (`-rtc driftfix=slew`). The price is that KVM must see these EOIs, edge-triggered or not.',
      parameters: { interrupts: 0, lapic: 'vmx-x2apic' },
      stimuli: oneByOne('tick-twice'),
    },
    {
      id: 'rtc-tick-posted',
      title: 'The same with APICv: a tick is lost, and reported as delivered',
      prose:
        'With APICv the end of an edge-triggered interrupt may never be seen, so before each tick KVM looks whether the last one is still **requested or in service** (`ioapic_lazy_update_eoi`). A vector that has only just been *posted* is in neither IRR nor ISR: KVM takes it for ended, clears `pending_eoi`, and accepts the next tick, which then merges with the first in the descriptor. The window is as long as the guest takes to notice the notification.',
      parameters: { interrupts: 0, lapic: 'vmx-apicv' },
      stimuli: oneByOne('tick-twice'),
    },
    {
      id: 'two-cpus-one-level',
      title: 'One level for two CPUs',
      prose:
        'The entry addresses both CPUs by their logical IDs, and both accept the message; the result is 2. There is **one remote IRR** for two EOIs: the first that arrives clears it. Had the device still been asserting then, the interrupt would have been sent again while the other CPU is in its handler.',
      parameters: { destination: 'both' },
    },
    {
      id: 'eoi-of-nothing',
      title: 'An EOI with nothing in service',
      prose:
        'The guest writes EOI without having taken an interrupt, as Linux does when it tries out its timer at boot. The local APIC looks for the highest vector in service, finds none, and ignores it. An EOI names no vector: one too many ends *whatever* is in service.',
      parameters: { interrupts: 0, lapic: 'vmx-x2apic' },
      stimuli: oneByOne('eoi'),
    },
  ],
  historical: [
    {
      name: 'inject_pending_event',
      project: 'linux',
      was: 'arch/x86/kvm/x86.c until 6.0',
      today: ['kvm_check_and_inject_events'],
      since: 'Renamed in 6.1, when exceptions and events got one place where their order is decided.',
    },
    {
      name: 'ioapic_init',
      project: 'qemu',
      was: 'hw/pc.c of qemu-kvm 0.12: made the I/O APIC at 0xfec00000',
      today: ['ioapic_set_irq', 'ioapic_mem_write'],
      since: 'A qdev device since 0.13: the board creates it in ioapic_init_gsi() and wires its pins to the GSIs.',
    },
  ],
  chapters: [
    {
      title: 'The guest programs its pin',
      starts: 'program_pins',
      prose: `An I/O APIC has 24 pins and for each a **redirection entry**: which vector, to whom, edge or level, masked or not. The guest writes it through a window of two registers, and each store exits. Behind the write KVM (or QEMU, with a split irqchip) has a second job: it works out for which vectors a CPU must let the hypervisor see the **EOI**, and every vCPU that the entry reaches is told to look again before it enters the guest.`,
    },
    {
      title: 'A device raises its line',
      starts: 'raise_line',
      prose: `The device is emulated by QEMU. Its line is a \`qemu_irq\`: a call to whatever is at the other end, here the board’s **GSI**. With the chips in the kernel a GSI below 16 is both a pin of the 8259 pair and one of the I/O APIC, and QEMU’s two stand-ins for them each make the same ioctl, \`KVM_IRQ_LINE_STATUS\`: the second call finds everything done.`,
    },
    {
      title: 'KVM finds the pins of the GSI',
      starts: 'kvm_irq_map_gsi',
      prose: `The **routing table** says what a GSI is connected to. Nobody here knows which chip the guest uses, so all of them are driven; the 8259’s pin is masked in its IMR. Several sources may hold one pin up: each has a bit in \`irq_states\`, and the pin is up while any is set. With a split irqchip the GSI is a *message* instead, which QEMU keeps up to date.`,
    },
    {
      title: 'The pin becomes a message',
      starts: 'ioapic_service',
      prose: `The I/O APIC does not wire anything through: it **sends a message** with a vector to local APICs. A masked pin sends nothing. A level pin sends once and then waits, with **remote IRR** set, until the interrupt has been ended, however long the line stays up. An edge pin sends at every rise.`,
    },
    {
      title: 'Whom does it mean?',
      starts: 'kvm_irq_delivery_to_apic',
      prose: `Physical destinations are IDs. Logical ones are bits, whose meaning the guest chooses (flat, clusters, or derived from the ID in x2APIC mode). KVM keeps a table, \`kvm_apic_map\`, which answers without asking every vCPU, as long as all local APICs use one mode and no ID twice. **Lowest priority** means one of the addressed: KVM picks by the vector, so that the same interrupt always meets the same CPU’s cache, or by who had the fewest.`,
    },
    {
      title: 'A local APIC accepts it',
      starts: '__apic_accept_irq',
      prose: `The vector’s bit in **TMR** takes over the message’s trigger mode: it decides at the EOI whether the I/O APIC is told. Then the vendor’s code delivers. With **APICv** the vector is *posted* into a descriptor in memory, and the CPU that runs the guest is sent a notification which it understands by itself, without an exit. Without, the bit is set in IRR and the vCPU is kicked out of the guest, to be injected at the next entry. A vCPU whose guest has halted is woken up in either case.`,
    },
    {
      title: 'The guest’s handler',
      starts: 'device_handler',
      prose: `The CPU moves the vector from IRR to **ISR** and raises its processor priority (PPR) to the vector’s class, the upper four bits: only a higher class can interrupt now. An edge is ended *before* the device is served, because the next one may come at any time; a level *after*, when the device has let go of its line. Each store to the device exits all the way to QEMU.`,
    },
    {
      title: 'The end of the interrupt',
      starts: 'kvm_ioapic_send_eoi',
      prose: `An **EOI** names no vector: it ends the highest one in service. With APICv the CPU does that alone, and exits only for vectors in the EOI-exit bitmap; otherwise every EOI exits. If the I/O APIC has to hear of it, all pins that *now* have this vector are ended: ack notifiers first, then remote IRR is cleared, and a level that is still up is sent again. With a split irqchip KVM has to leave for user space (\`KVM_EXIT_IOAPIC_EOI\`) and QEMU does it.`,
    },
    {
      title: 'One CPU tells the other',
      starts: 'kvm_apic_send_ipi',
      prose: `An **inter-processor interrupt** is the same kind of message, sent by a CPU: it writes its interrupt command register (ICR), and from there on delivery is what it was for the pin. In x2APIC mode that is one WRMSR, and KVM has a *fast path* for the most frequent form (one CPU, by ID, fixed): it is sent before interrupts are even enabled again, and the guest goes on. CPU 1 has halted, so its vCPU’s thread sleeps: it is **woken up** and finds out in \`kvm_vcpu_has_events\` why.`,
    },
    {
      title: 'The local timer',
      starts: 'apic_timer_fn',
      prose: `Each local APIC has a timer; nobody counts it down. KVM arms a **timer of the host** for when it would reach zero (or, on VT-x, the VMX preemption timer, which is taken to be off here: \`kvm_intel.preemption_timer=0\`). In the host’s interrupt nothing can be injected: it notes that the timer is *pending* and wakes the vCPU, whose own thread then delivers through the entry of the **local vector table**.`,
    },
  ],
});
