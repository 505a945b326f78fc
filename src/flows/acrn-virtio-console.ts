import type { Parameters } from '../engine/machine';
import { running } from '../engine/running';
import { causedBy, sleep, until } from '../engine/steps';
import { boundPointer } from '../engine/fn';
import { vm_notify_request_done } from '../models/acrn/devicemodel/core/vmmapi';
import { main } from '../models/acrn/devicemodel/core/main';
import { baseOf, VIRTIO_CAP_NOTIFY_OFFSET, VIRTIO_MODERN_NOTIFY_OFF_MULT } from '../models/acrn/devicemodel/hw/pci/virtio/virtio';
import type { Vmctx } from '../models/acrn/devicemodel/include/dm';
import { VQ_ALLOC } from '../models/acrn/devicemodel/include/virtio';
import { context_switch_in } from '../models/acrn/hypervisor/arch/x86/guest/vcpu';
import { apicv_advanced_ops, apicv_basic_ops } from '../models/acrn/hypervisor/arch/x86/guest/vlapic';
import { vcpu_thread } from '../models/acrn/hypervisor/common/hv_main';
import { acrn_single_vioapic, vioapic_pages } from '../models/acrn/hypervisor/dm/vioapic';
import { acrn_vpic, vpic_ports } from '../models/acrn/hypervisor/dm/vpic';
import { acrn_vcpu, type AcrnVcpu } from '../models/acrn/hypervisor/include/arch/x86/asm/guest/vcpu';
import { acrn_vm } from '../models/acrn/hypervisor/include/arch/x86/asm/guest/vm';
import { pcpu, runs_on } from '../models/acrn/hypervisor/include/arch/x86/asm/per_cpu';
import { ACRN_IOREQ_STATE_COMPLETE, acrn_io_request_buffer } from '../models/acrn/hypervisor/include/public/acrn_common';
import { MOVED_VECTOR, task_wakes } from '../models/guest/console_chores';
import { console_guest, guest_context, type ConsoleGuest } from '../models/guest/console_guest';
import { service_context } from '../models/guest/service_vm';
import { serial_interrupts, vhost_signals } from '../models/hardware/acrn_neighbours';
import { give_iothread, make_modern } from '../models/hardware/console_variant';
import { type_characters } from '../models/hardware/terminal';
import { vmcall, write_EOI } from '../models/hardware/vmx_cpu';
import { ioapic_chip, mp_register_handler } from '../models/linux/arch/x86/kernel/apic/io_apic';
import { msi_ack, msi_handler } from '../models/linux/arch/x86/kernel/apic/msi';
import { lapic_controller } from '../models/linux/arch/x86/kernel/apic/vector';
import { irq_stat } from '../models/linux/arch/x86/kernel/cpu/acrn';
import { init_vqs, type PortsDevice } from '../models/linux/drivers/char/virtio_console';
import { tty_struct, type TtyStruct } from '../models/linux/drivers/tty/tty_io';
import { acrn_vm as hsm_vm, type Hsm } from '../models/linux/drivers/virt/acrn/acrn_drv';
import { ioreq_work_of } from '../models/linux/drivers/virt/acrn/ioreq';
import { virtio_pci_device, vp_find_vqs_intx, vp_find_vqs_msix } from '../models/linux/drivers/virtio/virtio_pci_common';
import { legacy_config_ops, legacy_setup_vq } from '../models/linux/drivers/virtio/virtio_pci_legacy';
import { modern_config_ops, modern_setup_vq } from '../models/linux/drivers/virtio/virtio_pci_modern';
import { virtqueue, type Virtqueue } from '../models/linux/drivers/virtio/virtio_ring';
import { VIRTIO_PCI_ISR, VIRTIO_PCI_QUEUE_NOTIFY } from '../models/linux/include/uapi/linux/virtio_pci';
import { eventfd_ctx } from '../models/linux/fs/eventfd';
import { epoll_create1 } from '../models/linux/fs/eventpoll';
import { irq_desc, STARTED, type IrqDesc } from '../models/linux/kernel/irq/irqdesc';
import { alloc_workqueue } from '../models/linux/kernel/workqueue';
import { io_offset, type IoMem } from '../models/linux/lib/iomap';
import { flow } from './flow';
import { acrnVirtioConsole } from './topologies/acrn-virtio-console';

/** A virtio console under ACRN: what a guest's write goes through until it is on a terminal, and how input comes back. */

interface World {
  readonly guest: ConsoleGuest;
  readonly terminal: TtyStruct;
  readonly ctx: Vmctx;
}

/** Who runs first when several can: a smaller number is more urgent. */
const PRIORITY = { hardirq: 0, hypervisor: 1, kworker: 2, kthread: 3, guest: 4, dm: 5, outside: 6 } as const;

const RING_SIZE = 4;
const INTERVAL_MS = 1000;
const FIRST_VECTOR = 0x41;
/** BARs, where the device model puts them. */
const BAR0_PORT = 0x2000;
const BAR1_MEM = 0x80000000;
const BAR4_MEM = 0x80004000;
/** The input queue’s entry of the MSI-X table: the second. */
const INPUT_ENTRY = BAR1_MEM + 16;
const INTX_GSI = 16;
/** A level-triggered pin that is active low. */
const RTE_LEVEL_LOW = 0xa000;

function setUp(parameters: Parameters): World {
  const advanced = parameters['apicv'] === 'advanced';
  const apicv_ops = advanced ? apicv_advanced_ops : apicv_basic_ops;
  const service_vm = acrn_vm({ vm_id: 0, load_order: 'SERVICE_VM', vpic: acrn_vpic('Service VM'), vioapic_array: [] });
  const user_vm = acrn_vm({
    vm_id: 1,
    load_order: 'POST_LAUNCHED_VM',
    vpic: acrn_vpic('VM1'),
    vioapic_array: [acrn_single_vioapic('VM1')],
    service_vm,
    emul_pio: vpic_ports,
  });
  user_vm.emul_mmio.push(...vioapic_pages(user_vm));
  service_vm.user_vms.push(user_vm);
  const service_cpu0 = acrn_vcpu(service_vm, pcpu(0), apicv_ops);
  const service_cpu1 = acrn_vcpu(service_vm, pcpu(1), apicv_ops);
  const user_cpu = acrn_vcpu(user_vm, pcpu(2), apicv_ops);

  hypervisor_thread('hv-service', 'hypervisor: Service VM vCPU 0', service_cpu0, () => true);
  hypervisor_thread('hv-user', 'hypervisor: User VM vCPU 0', user_cpu, () => user_cpu.launchedBy >= 0);

  const hsm: Hsm = {
    vmcall: (call) => vmcall(service_cpu1, call),
    acrn_vm_list: [],
    ioreq_wq: alloc_workqueue('ioreq_wq', 'ioreq_wq', PRIORITY.kworker),
    ioreq_work: ioreq_work_of(() => hsm),
    acrn_intr_handler: undefined,
    kthread_run: (name, threadfn) => running().thread('ioeventfd', `Service VM: ${name}`, 'kthread', PRIORITY.kthread, threadfn),
  };
  service_context(service_cpu0, hsm, irq_stat('Service VM CPU 0'), PRIORITY.hardirq);

  const terminal = tty_struct('host terminal');
  const ctx = device_model(parameters, hsm, terminal);
  running().thread('dm-main', 'acrn-dm: main thread', 'acrn-dm', PRIORITY.dm, function* () {
    yield* until(() => hsm.acrn_intr_handler !== undefined);
    yield* main(ctx);
  });

  const guest = console_guest(user_cpu, INPUT_ENTRY);
  const line = parameters['interrupt'] === 'intx' ? { pin: INTX_GSI, entry: RTE_LEVEL_LOW | FIRST_VECTOR } : undefined;
  guest_context(guest, driver(parameters, guest, ctx), line, PRIORITY.guest);
  outside(parameters, guest, terminal);
  return { guest, terminal, ctx };
}

/** A vCPU's thread in the hypervisor, from when the VM is started. */
function hypervisor_thread(id: string, title: string, vcpu: AcrnVcpu, launched: () => boolean): void {
  running().thread(id, title, 'hypervisor', PRIORITY.hypervisor, function* () {
    runs_on(vcpu.pcpu);
    yield* until(launched);
    causedBy(vcpu.launchedBy);
    yield* context_switch_in(vcpu);
    causedBy(vcpu.launchedBy);
    yield* vcpu_thread(vcpu);
  });
}

function device_model(parameters: Parameters, hsm: Hsm, terminal: TtyStruct): Vmctx {
  return {
    fd: hsm_vm(hsm),
    ioreq_buf: acrn_io_request_buffer('VM1', 1),
    guest_ncpus: 1,
    is_rtvm: parameters['polling'] === true,
    virtio_msix: true,
    inout_handlers: [],
    mmio_rb_root: [],
    mmio_hint: undefined,
    epoll_fd: epoll_create1('mevent'),
    pci_devices: [],
    stdio: terminal,
    call_fd: eventfd_ctx('vhost call_fd'),
    pci_emul_base: { io: BAR0_PORT, mem32: BAR1_MEM },
    pthread_create: (name, start_routine) =>
      running().thread(name === 'vcpu 0' ? 'dm-vcpu' : 'dm-iothread', `acrn-dm: ${name}`, 'acrn-dm', PRIORITY.dm, start_routine),
    *variant(dev) {
      if (parameters['transport'] === 'modern') yield* make_modern(dev);
      if (parameters['iothread'] === true) yield* give_iothread(dev);
    },
  };
}

/** The guest's driver, as its search for queues leaves it. */
function driver(parameters: Parameters, guest: ConsoleGuest, ctx: Vmctx): PortsDevice {
  const modern = parameters['transport'] === 'modern';
  const msix = parameters['interrupt'] === 'msix';
  const { cpu, vcpu } = guest;
  const bar0: IoMem = { cpu, space: 'port', address: BAR0_PORT };
  const bar4: IoMem = { cpu, space: 'memory', address: BAR4_MEM };
  const vdev = virtio_pci_device(
    'virtio0',
    modern
      ? { config: modern_config_ops, common: bar4, isr: io_offset(bar4, 0x1000) }
      : { config: legacy_config_ops, common: bar0, isr: io_offset(bar0, VIRTIO_PCI_ISR) },
    { msix },
  );
  const queue = (index: number, name: string, callback: keyof typeof init_vqs | undefined): Virtqueue =>
    virtqueue(
      {
        index,
        name,
        notify: (modern ? modern_setup_vq : legacy_setup_vq).notify,
        callback: callback && boundPointer(init_vqs[callback] as typeof init_vqs.in_intr, () => portdev),
        priv: modern
          ? io_offset(bar4, VIRTIO_CAP_NOTIFY_OFFSET + index * VIRTIO_MODERN_NOTIFY_OFF_MULT)
          : io_offset(bar0, VIRTIO_PCI_QUEUE_NOTIFY),
      },
      RING_SIZE,
    );
  const [input, output, control_i, control_o] = [
    queue(0, 'input', 'in_intr'),
    queue(1, 'output', 'out_intr'),
    queue(2, 'control-i', 'control_intr'),
    queue(3, 'control-o', undefined),
  ];
  const queues = [input, output, control_i, control_o];
  vdev.virtqueues.push(...queues.filter(({ callback }) => callback !== undefined));
  const eoi = () => write_EOI(vcpu);
  // Nobody masks these lines.
  const pin = { mask: () => until(() => true), unmask: () => until(() => true), eoi };

  if (msix) {
    for (const [i, vq] of vdev.virtqueues.entries()) {
      const chip = { ...msi_ack, parent: lapic_controller };
      const desc: IrqDesc = irq_desc(`virtio0-${vq.name}`, 24 + i, chip, msi_handler.handle_irq, pin, STARTED);
      desc.action = { handler: boundPointer(vp_find_vqs_msix.vring_interrupt, () => vq), name: vq.name, dev_id: vq };
      guest.vector_irq.set(FIRST_VECTOR + i, desc);
      if (vq === input) guest.vector_irq.set(MOVED_VECTOR, desc);
    }
  } else {
    const desc = irq_desc('virtio0', INTX_GSI, ioapic_chip, mp_register_handler.handle_irq, pin, STARTED);
    desc.action = { handler: boundPointer(vp_find_vqs_intx.vp_interrupt, () => vdev), name: 'virtio0', dev_id: vdev };
    guest.vector_irq.set(FIRST_VECTOR, desc);
  }

  const portdev: PortsDevice = {
    vdev,
    cpu,
    use_multiport: true,
    in_vqs: [input],
    out_vqs: [output],
    c_ivq: control_i,
    c_ovq: control_o,
    ports: [],
    system_wq: guest.system_wq,
    control_work: undefined,
    queues_found() {
      const dev = ctx.pci_devices[0]!;
      const base = baseOf(dev);
      base.negotiated_caps = base.device_caps;
      for (const [index, vq] of queues.entries()) {
        const info = base.queues[index]!;
        info.ring = vq.vring;
        info.flags = VQ_ALLOC;
      }
      if (!msix) return;
      dev['msix.enabled'] = true;
      for (const [i, { index }] of vdev.virtqueues.entries()) {
        base.queues[index]!.msix_idx = i + 1;
        const entry = dev.msix_table[i + 1]!;
        entry.addr = 0xfee00000;
        entry.msg_data = FIRST_VECTOR + i;
        entry.vector_control = 0;
      }
    },
  };
  return portdev;
}

/** What happens from outside: the guest's program wakes up and writes, and then somebody types. */
function outside(parameters: Parameters, guest: ConsoleGuest, terminal: TtyStruct): void {
  running().thread('outside', 'timer and terminal', 'outside', PRIORITY.outside, function* () {
    for (let i = 0; i < Number(parameters['writes']); i++) {
      yield* sleep(INTERVAL_MS);
      yield* task_wakes(guest, 'to_write');
    }
    yield* sleep(INTERVAL_MS);
    yield* type_characters(terminal, 'ls');
  });
  running().thread('other', 'Service VM: another task', 'acrn-dm', PRIORITY.hardirq, () => until(() => false));
}

/** Waits until the vCPU has seen that its request is done, but has not freed the slot yet; then says once more that it is done. */
function* finish_late({ guest: { vcpu }, ctx }: World) {
  const event = vcpu.events.VCPU_EVENT_IOREQ;
  const slot = ctx.ioreq_buf.req_slot[0]!;
  yield* until(() => slot.processed === ACRN_IOREQ_STATE_COMPLETE && !event.set && event.waiting_thread === 0);
  yield* vm_notify_request_done(ctx, 0);
}

/** Waits until the guest rewrites the input queue's entry of the MSI-X table, which it has masked. */
function* type_while_moving({ guest, terminal }: World) {
  yield* until(() => guest.cells.moving && guest.vcpu.req.address === guest.input_entry + 8);
  yield* type_characters(terminal, 'ls');
}

export const acrn_virtio_console = flow<World>({
  id: 'acrn-virtio-console',
  system: 'ACRN',
  title: 'A virtio console under ACRN',
  summary:
    'A guest writes to its console. The hypervisor traps the kick, puts it into a shared page and calls up the Service VM, whose kernel finds out who shall handle it: a device model in user space, or a thread of the kernel. The interrupt goes back by hypercalls.',
  setUp,
  topology: acrnVirtioConsole,
  duration: (parameters) => (Number(parameters['writes']) + 2) * INTERVAL_MS,
  parameters: [
    {
      kind: 'choice',
      name: 'linux',
      title: 'Linux',
      description: 'The kernel of the Service VM and of the guest.',
      default: '6.12',
      choices: [
        { value: '6.1', title: 'Linux 6.1' },
        { value: '6.12', title: 'Linux 6.12' },
      ],
    },
    {
      kind: 'choice',
      name: 'acrn',
      title: 'ACRN',
      description: 'The hypervisor and device model that are modelled.',
      default: '3.4',
      choices: [{ value: '3.4', title: 'ACRN 3.4' }],
    },
    {
      kind: 'choice',
      name: 'transport',
      title: 'The device’s registers',
      description:
        'The console of acrn-dm has ports, as before virtio 1.0. As an experiment it can have the memory layout of virtio 1.0, which other devices of acrn-dm have.',
      default: 'legacy',
      choices: [
        { value: 'legacy', title: 'Legacy: a kick is an OUT instruction' },
        { value: 'modern', title: 'virtio 1.0: a kick is a store to unmapped memory (an experiment)' },
      ],
    },
    {
      kind: 'choice',
      name: 'interrupt',
      title: 'The device’s interrupt',
      description: 'A message per queue, or one line for all, which the driver has to read a register to clear.',
      default: 'msix',
      choices: [
        { value: 'msix', title: 'MSI-X: a message per queue' },
        { value: 'intx', title: 'INTx: one line, level-triggered' },
      ],
    },
    {
      kind: 'choice',
      name: 'apicv',
      title: 'Local APIC virtualization',
      description: 'Whether the CPU takes posted interrupts by itself, or the hypervisor injects them at VM entry.',
      default: 'advanced',
      choices: [
        { value: 'advanced', title: 'Advanced: posted interrupts, EOIs without exit' },
        { value: 'basic', title: 'Basic: kick, inject, exit at EOI' },
      ],
    },
    {
      kind: 'boolean',
      name: 'iothread',
      title: 'I/O thread',
      description:
        'On, as an experiment: the console’s queues are served by an I/O thread that ioeventfds kick. In acrn-dm only virtio-blk has that; the console’s kicks are served by the thread that serves all requests.',
      default: false,
    },
    {
      kind: 'boolean',
      name: 'polling',
      title: 'The hypervisor polls for completion',
      description:
        'On, as for a real-time VM (GUEST_FLAG_IO_COMPLETION_POLLING): a waiting vCPU spins on its slot, and the Service VM makes no hypercall to wake it.',
      default: false,
    },
    {
      kind: 'number',
      name: 'writes',
      title: 'Writes',
      description: 'How often a program of the guest writes to its console.',
      default: 1,
      minimum: 0,
      maximum: 2000,
    },
  ],
  stimuli: [
    {
      name: 'write',
      title: 'A program of the guest writes',
      description: 'A task of the guest wakes up and writes to the console.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_write'),
    },
    {
      name: 'type',
      title: 'Somebody types',
      description: 'Input arrives at the host’s terminal.',
      thread: 'outside',
      body: ({ terminal }) => type_characters(terminal, 'x'),
    },
    {
      name: 'read-config',
      title: 'The guest reads PCI configuration space',
      description:
        'Two accesses to ports: the Service VM’s kernel answers the first itself, and makes a configuration request of the second.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_read_config'),
    },
    {
      name: 'move-interrupt',
      title: 'The guest moves the input queue’s interrupt',
      description: 'It masks the entry of the MSI-X table, rewrites it and unmasks it.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_move_interrupt'),
    },
    {
      name: 'type-while-moving',
      title: 'Somebody types while the interrupt is being moved',
      description: 'Input arrives while the entry of the MSI-X table is masked, as soon as that is so.',
      thread: 'other',
      body: type_while_moving,
    },
    {
      name: 'vhost-call',
      title: 'A vhost worker signals an irqfd',
      description:
        'A device that the Service VM’s kernel serves has given its call eventfd to the HSM, with the message of the input queue: what is signalled becomes an interrupt of the guest without the device model.',
      thread: 'other',
      body: ({ ctx }) => vhost_signals(ctx),
    },
    {
      name: 'use-pic',
      title: 'The guest starts to use the PIC',
      description: 'It initialises the pair and opens the serial port’s pin: accesses that the hypervisor itself answers.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_use_pic'),
    },
    {
      name: 'serial-line',
      title: 'The serial port interrupts',
      description: 'acrn-dm pulses the line of its emulated serial port, pin 4 of both interrupt controllers.',
      thread: 'other',
      body: ({ ctx }) => serial_interrupts(ctx),
    },
    {
      name: 'mask-pic',
      title: 'The guest masks the PIC’s pin for a moment',
      description: 'With interrupts off it masks the serial port’s pin, and opens it again afterwards.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_mask_pic'),
    },
    {
      name: 'serial-line-while-masking',
      title: 'The serial port interrupts just before its pin is masked',
      description: 'While the guest has interrupts off, and before its write that masks the pin.',
      thread: 'other',
      *body({ guest, ctx }) {
        yield* until(() => guest.cells.masking);
        yield* serial_interrupts(ctx);
      },
    },
    {
      name: 'finish',
      title: 'A request is finished that nobody has begun',
      description: 'ACRN_IOCTL_NOTIFY_REQUEST_FINISH for the vCPU, whatever state its slot is in: a mistake of the device model.',
      thread: 'other',
      body: ({ ctx }) => vm_notify_request_done(ctx, 0),
    },
    {
      name: 'finish-late',
      title: 'The next request is finished twice',
      description: 'The second time when the vCPU has woken already, but has not freed its slot yet.',
      thread: 'other',
      body: finish_late,
    },
    {
      name: 'save-chips',
      title: 'The guest saves its interrupt controllers',
      description: 'It reads registers of the PIC, of the I/O APIC and of its local APIC, as before a suspend.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_save_chips'),
    },
    {
      name: 'restart-apic',
      title: 'The guest restarts its local APIC',
      description: 'It switches it off by software and on again, and programs the timer anew.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_restart_apic'),
    },
    {
      name: 'interrupt-itself',
      title: 'The guest interrupts itself',
      description: 'An inter-processor interrupt to its own CPU, twice: by the register for that, and by the command register.',
      thread: 'outside',
      body: ({ guest }) => task_wakes(guest, 'to_interrupt_itself'),
    },
  ],
  presets: [
    {
      id: 'iothread',
      title: 'A kick that stays in the kernel',
      prose: `As an experiment the console gets the **I/O thread** that only virtio-blk has. When the driver sets DRIVER_OK, \`virtio_set_iothread\` makes an eventfd per queue and claims the notification port for them with \`ACRN_IOCTL_IOEVENTFD\`. From then on \`find_ioreq_client\` gives a kick to the kernel’s own client: its thread signals the eventfd and completes the request at once. The vCPU goes on while the I/O thread serves the queue.

The gain is latency of the *access*, not of the write: \`put_chars\` spins until the buffer has come back, and now it really has to.`,
      parameters: { iothread: true },
    },
    {
      id: 'polling',
      title: 'A real-time VM: the vCPU spins on its slot',
      prose: `With **completion polling** the vCPU does not sleep in \`wait_event\`: it watches \`processed\` in the shared page. The Service VM stores COMPLETE and makes no hypercall. \`ioreq_complete_request\` has to read \`completion_polling\` *before* that store: right after it the hypervisor may free the slot and put the next request into it.`,
      parameters: { polling: true },
    },
    {
      id: 'intx',
      title: 'One line: the interrupt costs two more exits',
      prose: `Without MSI-X all queues share the **interrupt line**, which is level-triggered and active low. The handler has to read the ISR register to learn whether it was this device, and that read is an access like any other: out of the guest, into the shared page, up to the device model, and back, all with the guest’s interrupts off. Inside of it the device model lets the line go, by one more hypercall. The EOI exits too, so that the virtual I/O APIC can look whether the line is still active.`,
      parameters: { interrupt: 'intx' },
    },
    {
      id: 'late-finish',
      title: 'Finished twice: the next wait does not wait',
      prose: `Somebody says NOTIFY_REQUEST_FINISH a second time, when the vCPU has woken but not yet freed its slot. The event’s \`set\` stays **true**. The *next* access marks its slot PENDING, \`wait_event\` returns at once, and \`dm_emulate_io_complete\` finds the slot not COMPLETE: it takes nothing out and frees nothing. The guest runs on. A write is only early; a read would have returned an old value.

The access after that finds the slot occupied. \`acrn_insert_request\` returns \`-EINVAL\`, \`vcpu_thread\` makes a general protection fault of it, and the guest’s kernel dies of an OUT instruction. The comment above the store to PENDING asks to clear the signal first; the code does not.`,
      parameters: { writes: 3 },
      stimuli: [{ at: 3600, name: 'finish-late' }],
    },
    {
      id: 'finish-of-a-free-slot',
      title: 'A FREE slot becomes COMPLETE',
      prose: `The Service VM owns a slot only while it is PENDING or PROCESSING, but nothing checks that. \`ioreq_complete_request\` stores COMPLETE whatever was there before. A FREE slot that becomes **COMPLETE** is never freed again: only the vCPU that waits for it would do so, and nobody waits. The guest’s next access gets \`-EINVAL\` and ends in a general protection fault.`,
      parameters: {},
      stimuli: [
        { at: 10_000, name: 'finish' },
        { at: 10_001, name: 'write' },
      ],
    },
    {
      id: 'masked-message',
      title: 'An interrupt that arrives while its entry is masked',
      prose: `The guest moves the input queue’s interrupt: it **masks** the entry of the MSI-X table, rewrites it, and unmasks it. Somebody types just then. \`pci_generate_msix\` finds the entry masked and drops the message: acrn-dm has no pending bit (its reads of the PBA return zero), and \`pci_emul_msix_twrite\` sends nothing when the entry is opened again. PCI asks for both.

The input lies in the used ring, and nobody knows. It is read only when the next key brings the next interrupt.`,
      parameters: { writes: 0 },
      stimuli: [
        { at: 0, name: 'type-while-moving' },
        { at: 1, name: 'move-interrupt' },
      ],
    },
    {
      id: 'pic-latch',
      title: 'The vPIC’s output latch: one request goes, and the chip falls silent',
      prose: `A guest that still uses the PIC has interrupts off. The serial port interrupts: \`vpic_notify_intr\` sets **\`intr_raised\`** and asks the vCPU for an ExtINT, which has to wait. Before the guest opens its interrupts it masks the pin. At the next VM entry \`vcpu_do_pending_extint\` takes the request and asks the vPIC for a vector; there is none, and nothing is injected. Hardware, QEMU and KVM would give the spurious vector 7 here.

\`intr_raised\` is cleared only where a vector is accepted, so it stays set. From now on no pin of this chip notifies anybody, not when the mask is opened, not at the next edge, not after a new initialisation. Only a poll read that finds a pin would release it.`,
      parameters: {},
      stimuli: [
        { at: 0, name: 'use-pic' },
        { at: 0, name: 'serial-line-while-masking' },
        { at: 10_000, name: 'mask-pic' },
        { at: 10_001, name: 'serial-line' },
      ],
    },
    {
      id: 'pic-interrupt',
      title: 'An interrupt through the vPIC',
      prose: `A guest that still uses the PIC: the serial port pulses pin 4, \`vpic_notify_intr\` raises the chip’s output and asks the vCPU for an **ExtINT**. At the next VM entry \`vcpu_do_pending_extint\` asks the chip for its vector, injects it, and tells the chip that it was accepted: only then may the output rise again. The guest’s handler ends the interrupt at the chip with an \`OUT\`, which the hypervisor answers itself. The Service VM sees nothing of all this but the pulse. At last the guest reads what its chips hold.`,
      parameters: {},
      stimuli: [
        { at: 0, name: 'use-pic' },
        { at: 100_000, name: 'serial-line' },
        { at: 100_001, name: 'save-chips' },
      ],
    },
    {
      id: 'interrupt-window',
      title: 'Without posted interrupts: the window',
      prose: `With basic APIC virtualization an interrupt is injected at VM entry, and only if the guest takes any. \`hvc_write\` has interrupts off from before the kick until after it, and the answer arrives meanwhile. So \`acrn_handle_pending_request\` asks for **interrupt-window exiting**: the guest’s STI leaves it at once, and the vector goes in on the way back. Every EOI is an exit as well.`,
      parameters: { apicv: 'basic' },
    },
  ],
  historical: [
    {
      name: 'vhm_intr_handler',
      project: 'linux',
      was: 'ACRN’s own kernel 4.19, drivers/char/vhm/vhm_dev.c: VHM, before it became HSM upstream in 5.12',
      today: ['ioreq_intr_handler'],
      since: 'A workqueue took the place of the tasklet that it scheduled.',
    },
    {
      name: 'io_req_tasklet',
      project: 'linux',
      was: 'VHM, drivers/char/vhm/vhm_dev.c',
      today: ['ioreq_dispatcher'],
      since: 'A work item of the ordered workqueue `ioreq_wq` since Linux 5.12.',
    },
    {
      name: 'acrn_ioreq_distribute_request',
      project: 'linux',
      was: 'VHM, drivers/vhm/vhm_ioreq.c',
      today: ['acrn_ioreq_dispatch'],
      since: 'Renamed when the driver went upstream in 5.12.',
    },
    {
      name: 'acrn_ioreq_create_client',
      project: 'linux',
      was: 'VHM, drivers/vhm/vhm_ioreq.c',
      today: ['acrn_ioreq_client_create'],
      since: 'Renamed when the driver went upstream in 5.12.',
    },
    {
      name: 'acrn_ioreq_add_iorange',
      project: 'linux',
      was: 'VHM, drivers/vhm/vhm_ioreq.c',
      today: ['acrn_ioreq_range_add'],
      since: 'Renamed when the driver went upstream in 5.12.',
    },
    {
      name: 'acrn_io_range_add',
      project: 'linux',
      was: 'only in texts: a misspelling',
      today: ['acrn_ioreq_range_add'],
      since: 'There was never a function of this name.',
    },
    {
      name: 'ioreq_client_thread',
      project: 'linux',
      was: 'VHM, drivers/vhm/vhm_ioreq.c',
      today: ['ioreq_task'],
      since: 'Renamed when the driver went upstream in 5.12.',
    },
    {
      name: 'ioreq_dispatch',
      project: 'linux',
      was: 'only in texts: a misspelling',
      today: ['ioreq_dispatcher', 'acrn_ioreq_dispatch'],
      since: 'The work goes through all VMs, the other function through the slots of one.',
    },
    {
      name: 'acrn_intr_handler',
      project: 'linux',
      was: 'arch/x86/kernel/cpu/acrn.c, still there',
      today: ['sysvec_acrn_hv_callback', 'acrn_setup_intr_handler', 'ioreq_intr_handler'],
      since: 'It is a pointer, not a function: the vector’s entry calls through it, and the HSM sets it.',
    },
    {
      name: 'x86_platform_ipi_callback',
      project: 'linux',
      was: 'a pointer in arch/x86/kernel/irq.c that VHM set to hear of upcalls',
      today: ['sysvec_acrn_hv_callback', 'acrn_setup_intr_handler'],
      since: 'Upstream gives upcalls a vector of their own. The pointer is still there, for others.',
    },
    {
      name: 'ioreq_wq',
      project: 'linux',
      was: 'drivers/virt/acrn/ioreq.c, still there',
      today: ['queue_work_on', 'ioreq_dispatcher'],
      since: 'It is the ordered workqueue that the dispatcher runs on.',
    },
    {
      name: 'get_vhm_notification_vector',
      project: 'acrn',
      was: 'hypervisor/dm/io_req.c, until 2021-07',
      today: ['get_hsm_notification_vector'],
      since: 'Renamed in 2.6, when VHM became HSM.',
    },
    {
      name: 'arch_fire_vhm_interrupt',
      project: 'acrn',
      was: 'hypervisor/arch/x86/guest/vmx_io.c, until 2021-07; before 2019-04 fire_vhm_interrupt',
      today: ['arch_fire_hsm_interrupt'],
      since: 'Renamed in 2.6, when VHM became HSM.',
    },
    {
      name: 'acrn_fire_hsm_interrupt',
      project: 'acrn',
      was: 'only in texts: a misspelling',
      today: ['arch_fire_hsm_interrupt'],
      since: 'There was never a function of this name.',
    },
    {
      name: 'acrn_insert_request_wait',
      project: 'acrn',
      was: 'hypervisor/dm/io_req.c, until 2019-01',
      today: ['acrn_insert_request', 'wait_event'],
      since: 'Renamed in 2019; it still waits.',
    },
    {
      name: 'vdev_bar_write',
      project: 'acrn',
      was: 'only in texts: the member of pci_vdev_ops is spelled vdev_barwrite',
      today: ['virtio_pci_write'],
      since: 'It was spelled so from the start.',
    },
  ],
  chapters: [
    {
      title: 'A VM is made, and a page is shared',
      starts: 'main',
      prose: `ACRN’s hypervisor runs on the bare machine and emulates as little as it can. What it does not emulate it hands to the **Service VM**, a Linux with the HSM driver (\`/dev/acrn_hsm\`) and one process per User VM, the device model \`acrn-dm\`.

\`vm_create\` has the hypervisor make a User VM, and gives it a page of this process’s memory: sixteen **request slots**, one per vCPU, that hypervisor, kernel and device model share. A slot’s \`processed\` says who owns it: the hypervisor while it is FREE or COMPLETE, the Service VM while it is PENDING or PROCESSING.`,
    },
    {
      title: 'Who will handle the accesses',
      starts: 'start_thread',
      prose: `Requests go to **clients**. The HSM made one for itself with the VM, a kernel thread that serves ioeventfds. The device model becomes the *default* client, which gets what nobody else has claimed. Its thread is called “vcpu 0” but runs no vCPU: it starts the VM and sleeps in the ioctl \`ATTACH_IOREQ_CLIENT\` until there is a request, of any vCPU.`,
    },
    {
      title: 'The guest’s driver starts the device',
      starts: 'virtcons_probe',
      prose: `The guest’s virtio-console driver has found its queues, one for input and one for output per port, and two for control. acrn-dm’s console is a **legacy** device: its registers are ports in BAR 0, so the status register is read with IN and written with OUT.

Neither VIRTIO_RING_F_EVENT_IDX nor indirect descriptors are offered, so flags in the rings say who wants to hear of what. (The device means to offer three features, but or-s their bit *numbers* 0, 1 and 2: SIZE and MULTIPORT come out, EMERG_WRITE does not.)`,
    },
    {
      title: 'The access leaves the guest, and the hypervisor has nobody for it',
      starts: 'emulate_io',
      prose: `The I/O instruction exits. \`hv_emulate_pio\` looks among the few devices that the hypervisor emulates itself and returns \`-ENODEV\`. For a post-launched VM this is where \`acrn_insert_request\` comes in: it fills the vCPU’s **slot**, passes a write barrier, marks it PENDING, calls up the Service VM, and the vCPU sleeps in \`wait_event\`. One vCPU has at most one request.

With virtio 1.0 the kick is a store to memory without mapping: an EPT violation, whose instruction has to be decoded to know size and value.`,
    },
    {
      title: 'The upcall: one vector, no message',
      starts: 'sysvec_acrn_hv_callback',
      prose: `The **upcall** is vector 0xF3 on vCPU 0 of the Service VM, edge-triggered. With posted interrupts the CPU takes it without leaving the guest. The entry ends the interrupt first, because a vector this high would hold back all others, then calls through \`acrn_intr_handler\`, which the HSM has set.

The handler only queues a work item. Upcalls may merge, in the IRR bit as in the work item, and none is lost: the item’s pending bit is cleared *before* it runs, and it looks at every slot of every VM.`,
    },
    {
      title: 'The dispatcher finds the client',
      starts: 'acrn_ioreq_dispatch',
      prose: `A PENDING slot is first looked at as an access to **0xCF8/0xCFC**: the address of a PCI configuration access is kept in the kernel, and that request ends here. Otherwise the client with a matching range gets it, or the default client. PENDING becomes PROCESSING, the client’s bit for the slot is set, and the client wakes, all under one lock: were the bit set after somebody had finished the slot already, it would stay set for ever and keep the client awake.`,
    },
    {
      title: 'The device model does it',
      starts: 'handle_vmexit',
      prose: `The ioctl returns, and \`vm_loop\` scans the slots by itself. The request’s type chooses the handler, the port finds the PCI device, the BAR’s number its layout: \`pci_emul_io_handler\`, \`virtio_pci_read\` or \`virtio_pci_write\`. With memory instead of ports it is \`emulate_mem\` and \`pci_emul_mem_handler\`.`,
    },
    {
      title: 'The vCPU goes on',
      starts: 'hcall_notify_ioreq_finish',
      prose: `The ioctl \`NOTIFY_REQUEST_FINISH\` stores COMPLETE, then a hypercall signals the vCPU’s **event**. The event is a flag that is remembered, so a signal before the wait is not lost. The vCPU takes what a read returned out of the slot, frees it, and enters the guest again. From the guest’s point of view an IN instruction took its time.`,
    },
    {
      title: 'DRIVER_OK: kicks get a thread of their own',
      starts: 'virtio_set_iothread',
      prose: `Only with an I/O thread. Each queue gets an **eventfd** that the thread watches with epoll, and an **ioeventfd** in the kernel: writes of the queue’s number to the notification port belong to the kernel’s client from now on. (Since 2025 this hangs on the status write via \`virtio_pci_status_handler\`; before, it stood in the register’s own case.)`,
    },
    {
      title: 'The driver says that it is ready, and hears of a port',
      starts: 'virtio_console_control_tx',
      prose: `The driver’s messages on the control queue end in \`virtio_console_control_tx\`; console output never does. The answers, three at once, go into buffers of the control-input queue. That the guest is told of each by an interrupt of its own makes no difference: the vector is one bit in the IRR, and the driver’s worker reads until the queue is empty.`,
    },
    {
      title: 'An interrupt for the guest',
      starts: 'hcall_inject_msi',
      prose: `\`vq_endchains\` decides whether the guest wants an interrupt. With MSI-X the message’s address and data, which the guest has put into the table, go as they are into \`ACRN_IOCTL_INJECT_MSI\` and a hypercall. The hypervisor takes them apart, finds the vCPU, and its **vLAPIC** accepts the vector. The vCPU is outside of its guest, waiting for this very request, so the vector waits in the posted-interrupt descriptor (or in the IRR) for the next entry.`,
    },
    {
      title: 'An interrupt for the guest: the line',
      starts: 'pci_lintr_assert',
      prose: `Without MSI-X the device sets its ISR register and pulls its line, which is **active low**: \`GSI_SET_LOW\`. acrn-dm gives PCI devices pins from 16 up, so of the two interrupt controllers only the virtual I/O APIC hears of it. The pin’s remote IRR holds further messages back until the guest’s EOI, which exits because the vector is level-triggered.`,
    },
    {
      title: 'The guest’s handler',
      starts: 'vring_interrupt',
      prose: `Right after VM entry, or as soon as its interrupts are on again, the guest takes the vector. An MSI is an edge: it is acknowledged first, then \`vring_interrupt\` looks whether the device has used something and calls the queue’s callback. If nothing is left, somebody was faster, and the interrupt counts as not handled.`,
    },
    {
      title: 'A program writes',
      starts: 'hvc_write',
      prose: `\`/dev/hvc0\` is a tty, and its write may not sleep: \`put_chars\` offers the characters, kicks, and **spins** until the buffer has come back, with interrupts off. While the device model serves the kick inside of the access, the spin ends before it begins.`,
    },
    {
      title: 'The kick ends in the kernel',
      starts: 'acrn_ioeventfd_handler',
      prose: `Only with an I/O thread. The client’s thread matches address and value with its ioeventfds, signals the one it finds, and completes the request whether it found one or not. A read in this range is answered with 0, because drivers only write here. The vCPU is back in its guest after two wake-ups, and no process has run.`,
    },
    {
      title: 'The I/O thread serves the queue',
      starts: 'iothread_handler',
      prose: `epoll is level-triggered: without **reading the eventfd** it would report the kick for ever, as it did until 2022. Several kicks before the read count as one, and one round of \`virtio_console_notify_tx\` takes all that is there.`,
    },
    {
      title: 'On the terminal',
      starts: 'virtio_console_backend_write',
      prose: `The port’s callback writes to the host’s terminal. If that takes nothing more the characters are dropped, because the guest must not hang on a reader that does not come. Then the buffer goes back, and the output queue’s interrupt tells the guest what it has seen already.`,
    },
    {
      title: 'Somebody types',
      starts: 'type_characters',
      prose: `Input takes no detour through the shared page. The terminal wakes acrn-dm’s **main thread** from its epoll loop, \`virtio_console_backend_read\` puts the characters into a buffer that the guest has left in the input queue long ago, and interrupts. The guest sleeps in HLT, and so does its vCPU’s thread: the vLAPIC’s event wakes it.`,
    },
  ],
});
