import { handoversTo } from '../../src/flows/handovers';
import type {
  BitFieldView,
  CellType,
  ChapterView,
  ComponentView,
  HandoverView,
  HistoryView,
  Lane,
  ParameterView,
  PositionView,
  RunOutline,
  RunView,
  StateView,
  StepView,
  TopologyStateView,
  TopologyView,
} from '../../src/webview/protocol';
import { columnsOf } from './columns';

/**
 * A plausible run for the views to show: VFIO INTx through KVM's irqfd and resamplefd. Nothing is simulated here; what the real
 * models do is tested elsewhere.
 */
export interface Sample {
  readonly outline: RunOutline;
  readonly run: RunView;
  readonly steps: readonly StepView[];
  positionAt(step: number): PositionView;
  /** What the extension answers to `history`. */
  history(component: number, cell: string): HistoryView;
}

const [DEVICE, HARDIRQ, KWORKER, QEMU, VCPU, GUEST] = [0, 1, 2, 3, 4, 5] as const;

const LANES: readonly Lane[] = [
  { index: DEVICE, title: 'PCI function', context: 'device' },
  { index: HARDIRQ, title: 'Host hard-IRQ', context: 'hardirq' },
  { index: KWORKER, title: 'kworker/0:1', context: 'kworker' },
  { index: QEMU, title: 'QEMU main loop', context: 'qemu' },
  { index: VCPU, title: 'vCPU 0 in KVM', context: 'vcpu' },
  { index: GUEST, title: 'Guest CPU 0', context: 'guest' },
];

interface Cell {
  readonly name: string;
  readonly initial: string | number;
  /** Names of the bits, most significant first, with their masks. */
  readonly bits?: readonly (readonly [name: string, mask: number])[];
  readonly fields?: readonly BitFieldView[];
  /** The first vector of a word that has one bit for each. */
  readonly vectors?: number;
  readonly means?: string;
}

interface Component extends Pick<ComponentView, 'struct' | 'name' | 'doc'> {
  readonly cells: readonly Cell[];
}

/** A word's bits with their meaning, as data sheets have them. */
const ENTRY: readonly BitFieldView[] = [
  { name: 'vector', low: 0, width: 8, means: 'The vector that the pin’s message carries.' },
  { name: 'delivery mode', low: 8, width: 3, means: 'What the interrupt is for the CPU.', values: ['Fixed', 'Lowest priority'] },
  { name: 'LOW', low: 13, width: 1, means: 'Active low; clear: active high.' },
  { name: 'REMOTE_IRR', low: 14, width: 1, means: 'A level was accepted and its EOI is due.' },
  { name: 'LEVEL', low: 15, width: 1, means: 'Level-triggered; clear: edge.' },
  { name: 'MASKED', low: 16, width: 1, means: 'The pin sends nothing.' },
];

/** A 256-bit register as eight words. */
function vectorWords(name: string, means: string): readonly Cell[] {
  return Array.from({ length: 8 }, (_, word) => ({ name: `${name}[${word}]`, initial: 0, vectors: 32 * word, means }));
}

const COMPONENTS: readonly Component[] = [
  {
    struct: 'pci_dev',
    name: '0000:03:00.0',
    doc: 'The assigned function: what its configuration space holds.',
    cells: [
      {
        name: 'PCI_COMMAND',
        initial: 0x0006,
        bits: [
          ['INTX_DISABLE', 0x400],
          ['SERR', 0x100],
          ['PARITY', 0x40],
          ['MASTER', 4],
          ['MEMORY', 2],
          ['IO', 1],
        ],
      },
      {
        name: 'PCI_STATUS',
        initial: 0x0010,
        bits: [
          ['CAP_LIST', 0x10],
          ['INTERRUPT', 8],
        ],
      },
    ],
  },
  {
    struct: 'vfio_pci_core_device',
    name: '0000:03:00.0',
    doc: "VFIO's view of the function.",
    cells: [
      { name: 'irq_type', initial: 'VFIO_PCI_NUM_IRQS' },
      { name: 'pci_2_3', initial: 'true' },
      { name: 'virq_disabled', initial: 'false' },
    ],
  },
  {
    struct: 'vfio_pci_irq_ctx',
    name: 'INTx',
    doc: 'How an interrupt of the function is passed on.',
    cells: [
      { name: 'trigger', initial: 'NULL' },
      { name: 'unmask', initial: 'NULL' },
      { name: 'masked', initial: 'false' },
    ],
  },
  { struct: 'eventfd_ctx', name: 'intx.interrupt', doc: 'Written by VFIO, read by KVM.', cells: [{ name: 'count', initial: '0' }] },
  {
    struct: 'eventfd_ctx',
    name: 'intx.unmask',
    doc: 'Written by KVM when the guest is done, read by VFIO.',
    cells: [{ name: 'count', initial: '0' }],
  },
  {
    struct: 'kvm_kernel_irqfd',
    name: 'GSI 21',
    doc: 'Ties an eventfd to an interrupt line of the guest.',
    cells: [
      { name: 'gsi', initial: '21' },
      { name: 'eventfd', initial: 'NULL' },
      { name: 'resamplefd', initial: 'NULL' },
      { name: 'inject.pending', initial: 'false' },
    ],
  },
  {
    struct: 'kvm_ioapic',
    name: 'VM 1',
    doc: 'The I/O APIC in the kernel.',
    cells: [
      {
        name: 'irq_states[21]',
        initial: 0,
        bits: [
          ['RESAMPLE', 2],
          ['USERSPACE', 1],
        ],
      },
      { name: 'irr', initial: 0 },
      {
        name: 'redirtbl[21]',
        initial: 0x8041,
        fields: ENTRY,
        means: 'A redirection entry’s lower half: which message the pin becomes.',
      },
    ],
  },
  {
    struct: 'kvm_lapic',
    name: 'vCPU 0',
    doc: 'The local APIC of a vCPU.',
    cells: [
      ...vectorWords('IRR', 'Vectors that have arrived and that the CPU has not taken yet.'),
      ...vectorWords('ISR', 'Vectors that the CPU has taken and whose EOI is due.'),
      ...vectorWords('TMR', 'Vectors that came level-triggered.'),
      { name: 'PPR', initial: 0 },
    ],
  },
  {
    struct: 'kvm_vcpu',
    name: 'vCPU 0',
    doc: 'A virtual CPU.',
    cells: [
      { name: 'mode', initial: 'IN_GUEST_MODE' },
      { name: 'arch.ioapic_handled_vectors', initial: '{0x41}' },
      {
        name: 'requests',
        initial: 0,
        bits: [
          ['KVM_REQ_EVENT', 2],
          ['KVM_REQ_UNBLOCK', 1],
        ],
      },
    ],
  },
];

const PARAMETERS: readonly ParameterView[] = [
  {
    kind: 'choice',
    name: 'irqchip',
    title: 'Interrupt controller',
    description: 'Where the I/O APIC and the PIC live.',
    value: 'kernel',
    choices: [
      { value: 'kernel', title: 'In the kernel' },
      { value: 'split', title: 'Split' },
      { value: 'qemu', title: 'In QEMU' },
    ],
  },
  {
    kind: 'choice',
    name: 'linux',
    title: 'Linux',
    description: 'Whose code runs on the host.',
    value: '6.1',
    choices: [
      { value: '6.1', title: '6.1' },
      { value: '6.12', title: '6.12' },
    ],
  },
  {
    kind: 'number',
    name: 'gsi',
    title: 'GSI',
    description: 'The line of the guest that the function is wired to.',
    value: 21,
    minimum: 0,
    maximum: 23,
  },
  {
    kind: 'boolean',
    name: 'disintx',
    title: 'DisINTx supported',
    description: 'Whether the function can mask its own interrupt (PCI 2.3).',
    value: true,
  },
  {
    kind: 'boolean',
    name: 'resamplefd',
    title: 'resamplefd',
    description: 'Whether KVM tells VFIO of the end of the interrupt.',
    value: true,
  },
  {
    kind: 'boolean',
    name: 'apicv',
    title: 'Posted interrupts',
    description: 'Whether the CPU delivers to a running guest by itself.',
    value: false,
  },
];

const TOPOLOGY: TopologyView = {
  worlds: [
    { id: 'hardware', title: 'Hardware' },
    { id: 'host', title: 'Host kernel' },
  ],
  parts: [
    { title: 'PCI function', kind: 'device', world: 0, struct: 'pci_dev', cells: ['PCI_COMMAND'] },
    {
      title: 'vfio_pci_irq_ctx',
      kind: 'driver',
      world: 1,
      struct: 'vfio_pci_irq_ctx',
      file: 'drivers/vfio/pci/vfio_pci_intrs.c',
      cells: ['masked'],
    },
  ],
  wires: [{ from: 0, to: 1, kind: 'line', label: 'INTx' }],
};

/** Makes the sample, with the interrupt delivered and ended `cycles` times. One cycle is about 110 steps. */
export function createSample(cycles = 3): Sample {
  const recording = record();
  const { chapters, injected } = recording;
  chapter('Set up');
  setUp(recording);
  for (let cycle = 1; cycle <= cycles; cycle++) {
    if (cycle <= 4) chapter(cycle === 1 ? 'The device interrupts' : `Again (${cycle})`);
    if (cycle === 2) injected.push({ title: 'Device asserts INTx', at: recording.steps.length });
    deliver(recording, () => cycle === 1 && chapter('The guest ends the interrupt'));
  }
  function chapter(title: string): void {
    chapters.push({ title, step: recording.steps.length });
  }
  const outline: RunOutline = {
    flow: 'vfio-intx-kvm',
    title: 'VFIO INTx through KVM: irqfd and resamplefd',
    lanes: LANES,
    length: recording.steps.length,
    parameters: PARAMETERS,
    stimuli: [
      { name: 'assert', title: 'Device asserts INTx', description: 'The function raises its line again.' },
      { name: 'disintx', title: 'Guest sets DisINTx', description: 'The guest masks the function through its command register.' },
      { name: 'mask-pin', title: 'Guest masks the pin', description: 'The guest masks the redirection table entry.' },
    ],
    injected,
    chapters,
    topology: TOPOLOGY,
    ...componentViews(recording.writes),
  };
  const run = { ...outline, steps: columnsOf(recording.steps) };
  return {
    outline,
    run,
    steps: recording.steps,
    positionAt: (step) => positionAt(recording, step),
    history: (component, cell) => historyOf(recording.writes, component, cell),
  };
}

interface Write {
  readonly step: number;
  readonly cell: string;
  readonly value: string | number;
}

interface Options {
  readonly edge?: string;
  readonly cause?: number;
}

interface Recording {
  readonly steps: StepView[];
  readonly writes: Write[];
  readonly chapters: ChapterView[];
  readonly injected: { readonly title: string; readonly at: number }[];
  /** A call in a lane, and what happens in it. */
  call(lane: number, symbol: string, options: Options, body?: () => void): void;
  /** A step on an identifier of the executing function, with what it writes: `struct name.cell`. */
  at(lane: number, anchor: string, writes?: Readonly<Record<string, string | number>>): void;
  /** A hand-over to another lane. */
  signal(lane: number, anchor: string, edge: string): number;
}

function record(): Recording {
  const steps: StepView[] = [];
  const writes: Write[] = [];
  const stacks = LANES.map((): string[] => []);
  const world = (lane: number) => ['hardware', 'linux', 'linux', 'qemu', 'linux', 'guest'][lane] ?? 'linux';
  const push = (lane: number, step: Pick<StepView, 'kind' | 'symbol'> & Partial<StepView>) => {
    steps.push({ n: steps.length, lane, depth: Math.max(0, (stacks[lane]?.length ?? 1) - 1), world: world(lane), writes: false, ...step });
    return steps.length - 1;
  };
  const top = (lane: number) => stacks[lane]?.at(-1) ?? '';
  return {
    steps,
    writes,
    chapters: [],
    injected: [],
    call(lane, symbol, options, body) {
      stacks[lane]?.push(symbol);
      push(lane, { kind: 'enter', symbol, ...options });
      body?.();
      push(lane, { kind: 'return', symbol });
      stacks[lane]?.pop();
    },
    at(lane, anchor, changes = {}) {
      const step = push(lane, { kind: 'at', symbol: top(lane), anchor, writes: Object.keys(changes).length > 0 });
      for (const [cell, value] of Object.entries(changes)) writes.push({ step, cell, value });
    },
    signal: (lane, anchor, edge) => push(lane, { kind: 'signal', symbol: top(lane), anchor, edge }),
  };
}

const CTX = 'vfio_pci_irq_ctx INTx';
const PCI = 'pci_dev 0000:03:00.0';
const IRQFD = 'kvm_kernel_irqfd GSI 21';
const IOAPIC = 'kvm_ioapic VM 1';
const LAPIC = 'kvm_lapic vCPU 0';
const VCPU_0 = 'kvm_vcpu vCPU 0';
const INTERRUPT = 'eventfd_ctx intx.interrupt.count';
const UNMASK = 'eventfd_ctx intx.unmask.count';

function setUp({ call, at }: Recording): void {
  call(QEMU, 'vfio_intx_enable', {}, () => {
    call(QEMU, 'event_notifier_init', {});
    call(QEMU, 'vfio_set_irq_signaling', {}, () => {
      call(QEMU, 'vfio_pci_ioctl_set_irqs', { edge: 'ioctl' }, () => {
        call(QEMU, 'vfio_pci_set_intx_trigger', { edge: 'function pointer' }, () => {
          call(QEMU, 'vfio_intx_enable', {}, () =>
            at(QEMU, 'irq_type', { 'vfio_pci_core_device 0000:03:00.0.irq_type': 'VFIO_PCI_INTX_IRQ_INDEX' }),
          );
          call(QEMU, 'vfio_intx_set_signal', {}, () => {
            at(QEMU, 'trigger', { [`${CTX}.trigger`]: '&eventfd_ctx intx.interrupt' });
            call(QEMU, 'request_threaded_irq', {});
          });
        });
      });
    });
    call(QEMU, 'vfio_intx_enable_kvm', {}, () => {
      call(QEMU, 'kvm_irqchip_add_irqfd_notifier_gsi', {}, () => {
        call(QEMU, 'kvm_irqfd', { edge: 'ioctl' }, () => {
          call(QEMU, 'kvm_irqfd_assign', {}, () => {
            at(QEMU, 'eventfd', { [`${IRQFD}.eventfd`]: '&eventfd_ctx intx.interrupt' });
            at(QEMU, 'resamplefd', { [`${IRQFD}.resamplefd`]: '&eventfd_ctx intx.unmask' });
          });
        });
      });
      call(QEMU, 'vfio_virqfd_enable', { edge: 'ioctl' }, () => at(QEMU, 'unmask', { [`${CTX}.unmask`]: '&virqfd intx.unmask' }));
    });
  });
}

function deliver(recording: Recording, guestStarts: () => void): void {
  const { call, at, signal } = recording;
  let cause = 0;
  call(DEVICE, 'pci_function_assert_intx', {}, () => {
    at(DEVICE, 'PCI_STATUS_INTERRUPT', { [`${PCI}.PCI_STATUS`]: 0x0018 });
    cause = signal(DEVICE, 'INTA#', 'line');
  });
  call(HARDIRQ, 'common_interrupt', { edge: 'hardirq', cause }, () => {
    nest(
      recording,
      HARDIRQ,
      [
        'handle_irq',
        'generic_handle_irq_desc',
        'handle_fasteoi_irq',
        'handle_irq_event',
        'handle_irq_event_percpu',
        '__handle_irq_event_percpu',
      ],
      () => {
        call(HARDIRQ, 'vfio_intx_handler', { edge: 'function pointer' }, () => {
          at(HARDIRQ, 'spin_lock_irqsave');
          call(HARDIRQ, 'pci_check_and_mask_intx', {}, () => {
            call(HARDIRQ, 'pci_check_and_set_intx_mask', {}, () =>
              at(HARDIRQ, 'PCI_COMMAND_INTX_DISABLE', { [`${PCI}.PCI_COMMAND`]: 0x0406 }),
            );
          });
          at(HARDIRQ, 'masked', { [`${CTX}.masked`]: 'true' });
          call(HARDIRQ, 'vfio_send_intx_eventfd', {}, () => {
            nest(recording, HARDIRQ, ['eventfd_signal', 'eventfd_signal_mask'], () => {
              at(HARDIRQ, 'count', { [INTERRUPT]: '1' });
              nest(recording, HARDIRQ, ['__wake_up_locked_key', '__wake_up_common'], () => {
                call(HARDIRQ, 'irqfd_wakeup', { edge: 'eventfd' }, () => {
                  at(HARDIRQ, 'eventfd_ctx_do_read', { [INTERRUPT]: '0' });
                  call(HARDIRQ, 'kvm_arch_set_irq_inatomic', {});
                  at(HARDIRQ, 'schedule_work', { [`${IRQFD}.inject.pending`]: 'true' });
                  cause = signal(HARDIRQ, 'schedule_work', 'workqueue');
                });
              });
            });
          });
        });
      },
    );
  });
  call(KWORKER, 'process_one_work', { edge: 'workqueue', cause }, () => {
    call(KWORKER, 'irqfd_inject', { edge: 'function pointer' }, () => {
      at(KWORKER, 'irqfd', { [`${IRQFD}.inject.pending`]: 'false' });
      call(KWORKER, 'kvm_set_irq', {}, () => {
        call(KWORKER, 'kvm_irq_map_gsi', {});
        call(KWORKER, 'kvm_set_ioapic_irq', { edge: 'function pointer' }, () => {
          call(KWORKER, 'kvm_ioapic_set_irq', {}, () => {
            at(KWORKER, '__kvm_irq_line_state', { [`${IOAPIC}.irq_states[21]`]: 2 });
            call(KWORKER, 'ioapic_set_irq', {}, () => {
              at(KWORKER, 'irr', { [`${IOAPIC}.irr`]: 0x200000 });
              call(KWORKER, 'ioapic_service', {}, () => {
                nest(
                  recording,
                  KWORKER,
                  ['kvm_irq_delivery_to_apic', 'kvm_irq_delivery_to_apic_fast', 'kvm_apic_set_irq', '__apic_accept_irq'],
                  () => {
                    at(KWORKER, 'apic_set_vector', { [`${LAPIC}.TMR[2]`]: 2, [`${LAPIC}.IRR[2]`]: 2 });
                    at(KWORKER, 'kvm_make_request', { [`${VCPU_0}.requests`]: 2 });
                    cause = signal(KWORKER, 'kvm_vcpu_kick', 'hardirq');
                  },
                );
                at(KWORKER, 'remote_irr', { [`${IOAPIC}.redirtbl[21]`]: 0xc041 });
              });
            });
          });
        });
      });
    });
  });
  call(VCPU, 'vcpu_enter_guest', { edge: 'vmexit', cause }, () => {
    at(VCPU, 'requests', { [`${VCPU_0}.requests`]: 0, [`${VCPU_0}.mode`]: 'OUTSIDE_GUEST_MODE' });
    call(VCPU, 'kvm_check_and_inject_events', {}, () => {
      call(VCPU, 'kvm_cpu_get_interrupt', {}, () =>
        at(VCPU, 'apic_set_isr', { [`${LAPIC}.IRR[2]`]: 0, [`${LAPIC}.ISR[2]`]: 2, [`${LAPIC}.PPR`]: 0x40 }),
      );
      call(VCPU, 'vmx_inject_irq', { edge: 'function pointer' });
    });
    at(VCPU, 'IN_GUEST_MODE', { [`${VCPU_0}.mode`]: 'IN_GUEST_MODE' });
    cause = signal(VCPU, 'vmx_vcpu_run', 'vmentry');
  });
  guestStarts();
  call(GUEST, 'driver_interrupt', { edge: 'vmentry', cause }, () => {
    at(GUEST, 'status');
    at(GUEST, 'ack', { [`${PCI}.PCI_STATUS`]: 0x0010 });
    call(GUEST, 'apic_eoi', {}, () => (cause = signal(GUEST, 'APIC_EOI', 'vmexit')));
  });
  call(VCPU, 'handle_apic_eoi_induced', { edge: 'vmexit', cause }, () => {
    call(VCPU, 'kvm_apic_set_eoi_accelerated', {}, () => {
      at(VCPU, 'isr', { [`${LAPIC}.ISR[2]`]: 0, [`${LAPIC}.PPR`]: 0 });
      nest(recording, VCPU, ['kvm_ioapic_send_eoi', 'kvm_ioapic_update_eoi', 'kvm_ioapic_update_eoi_one'], () => {
        nest(recording, VCPU, ['kvm_notify_acked_irq', 'kvm_notify_acked_gsi'], () => {
          call(VCPU, 'irqfd_resampler_ack', { edge: 'function pointer' }, () => {
            call(VCPU, 'kvm_set_irq', {}, () => at(VCPU, 'irq_states', { [`${IOAPIC}.irq_states[21]`]: 0, [`${IOAPIC}.irr`]: 0 }));
            nest(recording, VCPU, ['eventfd_signal', 'eventfd_signal_mask'], () => {
              at(VCPU, 'count', { [UNMASK]: '1' });
              nest(recording, VCPU, ['__wake_up_locked_key', '__wake_up_common'], () => {
                call(VCPU, 'virqfd_wakeup', { edge: 'eventfd' }, () => {
                  at(VCPU, 'eventfd_ctx_do_read', { [UNMASK]: '0' });
                  call(VCPU, 'vfio_pci_intx_unmask_handler', { edge: 'function pointer' }, () => {
                    call(VCPU, 'pci_check_and_unmask_intx', {}, () =>
                      at(VCPU, 'PCI_COMMAND_INTX_DISABLE', { [`${PCI}.PCI_COMMAND`]: 0x0006 }),
                    );
                    at(VCPU, 'masked', { [`${CTX}.masked`]: 'false' });
                  });
                });
              });
            });
          });
        });
        at(VCPU, 'remote_irr', { [`${IOAPIC}.redirtbl[21]`]: 0x8041 });
      });
    });
  });
}

/** Calls that only lead to one another. */
function nest({ call }: Recording, lane: number, symbols: readonly string[], body: () => void): void {
  const inside = symbols.toReversed().reduce((inner, symbol) => () => call(lane, symbol, {}, inner), body);
  inside();
}

const FILES: Readonly<Record<string, string>> = {
  vfio_intx_handler: 'linux:drivers/vfio/pci/vfio_pci_intrs.c',
  irqfd_inject: 'linux:virt/kvm/eventfd.c',
  ioapic_service: 'linux:arch/x86/kvm/ioapic.c',
};

function positionAt({ steps, writes }: Recording, at: number): PositionView {
  const step = steps[at];
  if (!step) throw new Error(`the sample has no step ${at}`);
  const place = step.anchor === undefined ? step.symbol : `${step.symbol} › ${step.anchor}`;
  return {
    step: at,
    here: step,
    way: wayTo(steps, at),
    ...(step.world === 'hardware' ? {} : { reference: `${FILES[step.symbol] ?? 'linux:virt/kvm/eventfd.c'} ${place}` }),
    does: 'Handles the line interrupt of an assigned function: masks it at the function, and tells whoever listens on the eventfd.',
    ...(step.anchor === 'masked'
      ? {
          note: 'From here until the guest is done the function stays quiet: at most one interrupt is on its way at a time.',
          notes: ['Is this the same with **MSI**?'],
        }
      : {}),
    ...(step.kind === 'return' ? { result: '0' } : {}),
    stack: stackAt(steps, step),
    state: stateAt(writes, at),
    topology: topologyAt(writes, at),
  };
}

/** The line is lit from the first step on, and the context blocks while it is masked. */
function topologyAt(writes: readonly Write[], at: number): TopologyStateView {
  const { values, writers, changes } = stateAt(writes, at);
  const parts = TOPOLOGY.parts.map(({ struct, cells: [name] }) => {
    const component = COMPONENTS.findIndex((candidate) => candidate.struct === struct);
    const cell = CELLS.findIndex(({ key }) => key === `${struct} ${COMPONENTS[component]?.name}.${name}`);
    const [number = 0, writtenAt = -1] = [values[cell], writers[cell]];
    return {
      there: true,
      components: [component],
      cells: [
        {
          cell: 0,
          value: name === 'masked' ? String(number === 1) : `0x${number.toString(16)}`,
          changed: changes.some((change) => change.cell === cell),
        },
      ],
      blocked: name === 'masked' && number === 1 ? ['masked is set.'] : [],
      ...(writtenAt < 0 ? {} : { writtenAt }),
    };
  });
  return { way: [{ wire: 0, step: at }], active: 1, parts };
}

function wayTo(steps: readonly StepView[], at: number): readonly HandoverView[] {
  const read =
    <T>(property: (step: StepView) => T) =>
    (n: number) =>
      property(steps[n]!);
  const journal = {
    length: steps.length,
    kind: read(({ kind }) => kind),
    thread: read(({ lane }) => lane),
    depth: read(({ depth }) => depth),
    cause: read(({ cause }) => cause ?? -1),
  };
  return handoversTo({ journal, threads: LANES }, at).map(({ cause, step }) => {
    const { lane, symbol } = steps[cause]!;
    const { edge } = steps[step]!;
    return { cause, step, lane, symbol, ...(edge === undefined ? {} : { edge }) };
  });
}

/** Texts are the names of an enumeration in the order in which they occur. */
const NAMES = [
  'NULL',
  'VFIO_PCI_NUM_IRQS',
  'VFIO_PCI_INTX_IRQ_INDEX',
  '&eventfd_ctx intx.interrupt',
  '&eventfd_ctx intx.unmask',
  '&virqfd intx.unmask',
  'IN_GUEST_MODE',
  'OUTSIDE_GUEST_MODE',
  '{0x41}',
];

/** All cells, in the order of their numbers, with the names that writes know them by and their types. */
const CELLS = COMPONENTS.flatMap(({ struct, name, cells }) =>
  cells.map((cell, index) => ({ ...cell, key: `${struct} ${name}.${cell.name}`, type: typeOf(cell), first: index === 0 })),
);

function typeOf({ initial, bits, fields, vectors }: Cell): CellType {
  if (vectors !== undefined) return { kind: 'vectors', first: vectors };
  if (fields) return { kind: 'bits', bits: 32, fields };
  if (bits) return { kind: 'bits', bits: 16, fields: bits.map(([name, mask]) => ({ name, low: Math.log2(mask), width: 1 })).toReversed() };
  if (initial === 'true' || initial === 'false') return { kind: 'bool' };
  if (typeof initial === 'number') return { kind: 'hex', bits: 32 };
  return /^\d+$/.test(initial) ? { kind: 'int' } : { kind: 'enum', names: NAMES.map((name, value) => ({ value, name })) };
}

function numberOf(value: string | number): number {
  if (typeof value === 'number') return value;
  if (value === 'true' || value === 'false') return Number(value === 'true');
  return /^\d+$/.test(value) ? Number(value) : NAMES.indexOf(value);
}

function componentViews(writes: readonly Write[]): Pick<RunView, 'components' | 'types'> {
  const touched = new Set(writes.map(({ cell }) => cell));
  let first = 0;
  const components = COMPONENTS.map(({ struct, name, doc, cells }): ComponentView => {
    const mine = CELLS.slice(first, first + cells.length);
    const views = mine.map(({ name: cell, key, means }, index) => ({
      name: cell,
      type: first + index,
      touched: touched.has(key),
      ...(means ? { means } : {}),
    }));
    first += cells.length;
    return { struct, name, doc, born: 0, first: first - cells.length, cells: views };
  });
  return { components, types: CELLS.map(({ type }) => type) };
}

function stateAt(writes: readonly Write[], at: number): StateView {
  const values = Float64Array.from(CELLS, ({ initial }) => numberOf(initial));
  const writers = new Int32Array(CELLS.length).fill(-1);
  const changes: { cell: number; was: number }[] = [];
  for (const { step, cell, value } of writes) {
    if (step > at) break;
    const number = CELLS.findIndex(({ key }) => key === cell);
    const was = values[number] ?? 0;
    values[number] = numberOf(value);
    writers[number] = step;
    if (step === at && was !== values[number]) changes.push({ cell: number, was });
  }
  return { values, writers, changes };
}

/** The answer to a request for a cell's history. */
function historyOf(writes: readonly Write[], component: number, name: string): HistoryView {
  const number = componentViews(writes).components[component]!.first + COMPONENTS[component]!.cells.findIndex((cell) => cell.name === name);
  const { key, initial, type } = CELLS[number]!;
  const mine = writes.filter(({ cell }) => cell === key);
  const numbers = [...new Set(mine.map(({ value }) => numberOf(value)))];
  const text = (value: number) =>
    type.kind === 'enum' ? (NAMES[value] ?? '') : type.kind === 'bool' ? String(value === 1) : String(value);
  return {
    component,
    cell: name,
    steps: Uint32Array.from(mine, ({ step }) => step),
    values: Uint32Array.from(mine, ({ value }) => numbers.indexOf(numberOf(value))),
    texts: numbers.map(text),
    numbers,
    initial: text(numberOf(initial)),
    before: numberOf(initial),
    writers: new Uint32Array(mine.length),
    places: [
      {
        symbol: 'vfio_intx_handler',
        anchor: name,
        reference: `linux:drivers/vfio/pci/vfio_pci_intrs.c vfio_intx_handler › ${name}`,
        thread: 'Host hard-IRQ',
        context: 'hardirq',
      },
    ],
    truncated: false,
  };
}

function stackAt(steps: readonly StepView[], step: StepView): PositionView['stack'] {
  const stack: { step: number; symbol: string }[] = [];
  let depth = step.depth;
  for (let n = step.n; n >= 0 && depth >= 0; n--) {
    const row = steps[n];
    if (row?.lane !== step.lane || row.kind !== 'enter' || row.depth !== depth) continue;
    stack.push({ step: n, symbol: row.symbol });
    depth--;
  }
  return stack;
}
