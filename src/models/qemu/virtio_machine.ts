import type { Run } from '../../engine/machine';
import { default_routing } from '../linux/arch/x86/kvm/irq_comm';
import type { Vring } from '../linux/include/uapi/linux/virtio_ring';
import type { Kvm } from '../linux/virt/kvm/kvm_main';
import { kvm_init } from './accel/kvm/kvm-all';
import { fd_chardev, type FDChardev } from './chardev/char-fd';
import { virtconsole, virtconsole_realize, type VirtConsole } from './hw/char/virtio-console';
import { virtio_serial, virtio_serial_class } from './hw/char/virtio-serial-bus';
import { virtio_blk, virtio_blk_class, type VirtIOBlock } from './hw/block/virtio-blk';
import { APIC_SPACE, kvm_apic_io_ops } from './hw/i386/kvm/apic';
import { gsis } from './hw/i386/pc';
import { piix3_bus_irqs, piix3_state } from './hw/isa/piix3';
import { virtio_device, VIRTIO_NO_VECTOR, type VirtioDeviceClass, type VirtIODevice } from './hw/virtio/virtio';
import { virtio_pci_proxy, type VirtIOPCIProxy } from './hw/virtio/virtio-pci';
import { io_region, memory_region_add_subregion } from './include/exec/memory';
import { x86_cpu } from './include/hw/core/cpu';
import type { MSIMessage } from './include/hw/pci/msi';
import { pci_bus, PCI_DEVFN, type PCIBus } from './include/hw/pci/pci';
import { new_kvm_state, type KVMState } from './include/sysemu/kvm_int';
import { iothread, type IOThread } from './iothread';
import { ioeventfds, qemu_process, root_bus, type Globals } from './machine';
import { qemu_init_subsystems, qemu_main_loop } from './softmmu/runstate';

/** A QEMU process that runs a machine with one virtio device. */

/** A board, as far as interrupt pins go: where the device is plugged in, and which GSI its INTA arrives at. */
interface BoardLayout {
  readonly devfn: number;
  readonly gsi: number;
  readonly bus: (kvm_state: KVMState) => PCIBus;
}

export const BOARDS = {
  /** 00:01.0, whose INTA is PIRQ F, an input of the I/O APIC of its own. */
  q35: { devfn: PCI_DEVFN(1, 0), gsi: 21, bus: root_bus },
  /** 00:04.0, whose INTA is PIRQ D, which firmware has routed to IRQ 11: of the PIC, and of the I/O APIC. */
  pc: { devfn: PCI_DEVFN(4, 0), gsi: 11, bus: pc_bus },
} as const satisfies Readonly<Record<string, BoardLayout>>;

/** The bus of the older PC, with the bridge that routes its interrupts. */
function pc_bus(kvm_state: KVMState): PCIBus {
  const piix3 = piix3_state(gsis(kvm_state));
  return pci_bus(
    'pci.0',
    piix3_bus_irqs(() => piix3),
  );
}

/** The board, without the device. */
function board(kvm: Kvm, layout: BoardLayout): Globals {
  const kvm_state = new_kvm_state(kvm, 'on', [...default_routing()]);
  const memory = { root: [], listeners: [ioeventfds(kvm_init, kvm_state)], current_map: [] };
  const q: Globals = { ...qemu_process(kvm_state, memory), kvm_state, pci_bus: layout.bus(kvm_state) };
  for (const [index, vcpu] of kvm.vcpus.entries()) x86_cpu(q.board, index, { kvm: vcpu });
  memory_region_add_subregion(
    q.address_space_memory,
    io_region(APIC_SPACE, kvm_apic_io_ops, () => kvm_state),
  );
  return q;
}

/** What a virtio device is made with. */
export interface VirtioOptions {
  readonly board: keyof typeof BOARDS;
  readonly layout: VirtIOPCIProxy['layout'];
  /** The property `ioeventfd`. */
  readonly ioeventfd: boolean;
  readonly event_idx: boolean;
  /** The message of the vector that the queues share, as the guest has written it; undefined while it uses the pin. */
  readonly message: MSIMessage | undefined;
  /** The rings that the driver has set up, in the order of the queues; undefined for those that it does not use. */
  readonly rings: readonly (Vring | undefined)[];
}

/** The vector of all queues; 0 is that of configuration changes. */
const QUEUE_VECTOR = 1;

/** The vector of a queue: the driver assigns one if it uses messages. */
const vectorOf = ({ message }: Pick<VirtioOptions, 'message'>): number => (message === undefined ? VIRTIO_NO_VECTOR : QUEUE_VECTOR);

/** The PCI and virtio halves of a device. */
function device(q: Globals, name: string, options: Omit<VirtioOptions, 'rings'>, klass: VirtioDeviceClass) {
  const { layout, ioeventfd, event_idx, message } = options;
  const proxy = virtio_pci_proxy(q, () => vdev, {
    name,
    devfn: BOARDS[options.board].devfn,
    layout,
    ioeventfd,
    message,
    vector: QUEUE_VECTOR,
  });
  const vdev: VirtIODevice = virtio_device({ name, q, bus: proxy.bus, klass, event_idx });
  return { proxy, vdev };
}

/** The process with a console. */
export interface ConsoleMachine {
  readonly q: Globals;
  readonly proxy: VirtIOPCIProxy;
  readonly console: VirtConsole;
  readonly terminal: FDChardev;
}

/** Makes the process with a virtio console: `-device virtio-serial-pci,max_ports=… -device virtconsole,chardev=…`. */
export function console_machine(kvm: Kvm, { rings, ...options }: VirtioOptions): ConsoleMachine {
  const q = board(kvm, BOARDS[options.board]);
  const { vdev, proxy } = device(
    q,
    'virtio-serial-pci',
    options,
    virtio_serial_class(() => vser),
  );
  const vser = virtio_serial(vdev, { rings, vector: vectorOf(options) });
  const terminal = fd_chardev('stdio');
  return { q, proxy, terminal, console: virtconsole(vser, { chr: terminal }) };
}

/** The process with a disk. */
export interface DiskMachine {
  readonly q: Globals;
  readonly proxy: VirtIOPCIProxy;
  readonly blk: VirtIOBlock;
  readonly iothread: IOThread | undefined;
}

/** Makes the process with a virtio disk: `-object iothread,… -device virtio-blk-pci,iothread=…`. QEMU refuses an I/O thread where notifications cannot go through eventfds. */
export function disk_machine(kvm: Kvm, { rings, ...options }: VirtioOptions): DiskMachine {
  const q = board(kvm, BOARDS[options.board]);
  const { vdev, proxy } = device(
    q,
    'virtio-blk-pci',
    options,
    virtio_blk_class(() => blk),
  );
  const made = options.ioeventfd ? iothread('iothread0') : undefined;
  const blk = virtio_blk(vdev, { ring: rings[0], vector: vectorOf(options), iothread: made });
  return { q, proxy, blk, iothread: made };
}

/** The main thread of the process with a disk. */
export function* disk_main({ q }: DiskMachine): Run {
  yield* qemu_init_subsystems(q);
  yield* qemu_main_loop(q);
}

/** The main thread: starts QEMU, opens the console, and serves events for ever. */
export function* console_main({ q, console }: ConsoleMachine): Run {
  yield* qemu_init_subsystems(q);
  yield* virtconsole_realize(console);
  yield* qemu_main_loop(q);
}
