import { source } from '../../../../src/engine/fn';
import { kvm_pic_read_irq, savePic } from '../../../../src/models/linux/arch/x86/kvm/i8259';
import type { KvmX86Ops } from '../../../../src/models/linux/arch/x86/kvm/x86';
import { alloc_workqueue } from '../../../../src/models/linux/kernel/workqueue';
import { kvm_io_bus_read, kvm_io_bus_write, kvm_vcpu, kvm_vm, type KvmVm } from '../../../../src/models/linux/virt/kvm/kvm_main';
import type { Kvm, KvmVcpu } from '../../../../src/models/linux/virt/kvm/kvm_types';
import { createBench, type Bench } from '../../../conform/bench';
import { pvm_x86_ops } from '../../../conform/pvm';

/** A virtual machine of KVM on a bench, for tests of its interrupt chips. */

export interface TestVm {
  readonly bench: Bench;
  readonly kvm: Kvm;
  readonly vcpus: readonly KvmVcpu[];
  /** How often somebody was told that a GSI's interrupt has ended. */
  readonly acked: () => number;
  /** The messages that local APICs accepted, oldest first. */
  readonly sent: readonly { readonly vector: number; readonly level: boolean }[];
}

interface Options extends Partial<Omit<KvmVm, 'system_wq' | 'irqfd_cleanup_wq' | 'x86_ops'>> {
  readonly linux?: '6.1' | '6.12' | '6.18';
  readonly vcpus?: number;
  /** Whether local APICs are as a guest sets them up; else as a reset leaves them, the first open for the PIC. */
  readonly booted?: boolean;
  readonly recording?: boolean;
}

const { fn, ops } = source('hardware', 'test');

/** Makes a virtual machine in which every GSI's end of interrupt is counted and every accepted message noted. */
export function testVm({ linux = '6.12', vcpus = 1, booted = false, recording = false, ...vm }: Options = {}): TestVm {
  let acked = 0;
  const sent: { vector: number; level: boolean }[] = [];
  const count_ack = fn('Counts the ends of interrupts.', function* count_ack() {
    acked++;
  });
  const note_message = fn(
    'Notes a message on its way into a local APIC.',
    function* note_message(...[apic, delivery_mode, trig_mode, vector]: Parameters<KvmX86Ops['deliver_interrupt']['target']>) {
      sent.push({ vector, level: trig_mode });
      yield* pvm_x86_ops.deliver_interrupt.target(apic, delivery_mode, trig_mode, vector);
    },
  );
  const table = ops('test', { count_ack, note_message });
  const { bench, made } = createBench(
    { linux },
    () => {
      const kvm = kvm_vm({
        ...vm,
        system_wq: alloc_workqueue('events', 'kworker', 1),
        irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', 1),
        x86_ops: { ...pvm_x86_ops, deliver_interrupt: table.note_message },
      });
      for (const gsi of kvm.irq_routing.map.keys()) kvm.irq_ack_notifier_list.push({ gsi, irq_acked: table.count_ack });
      return { kvm, vcpus: Array.from({ length: vcpus }, () => kvm_vcpu(kvm, 'vmx-xapic', { setup: booted ? 'booted' : 'reset' })) };
    },
    recording,
  );
  return { ...made, bench, sent, acked: () => acked };
}

/** A guest's OUT of a byte; whether a device in the kernel took it. */
export const outb = ({ bench, vcpus }: TestVm, port: number, val: number): boolean =>
  bench.perform(() => kvm_io_bus_write(vcpus[0]!, 'KVM_PIO_BUS', port, 1, val)) === 0;

/** A guest's IN of a byte. */
export function inb({ bench, vcpus }: TestVm, port: number): number {
  const val = { value: NaN };
  bench.perform(() => kvm_io_bus_read(vcpus[0]!, 'KVM_PIO_BUS', port, 1, val));
  return val.value;
}

/** An acknowledge cycle of the PIC, whether or not its output is high. */
export const acknowledge = ({ bench, kvm }: TestVm): number => bench.perform(() => kvm_pic_read_irq(kvm));

/** The registers of the two 8259s. */
export const chips = ({ kvm }: TestVm) => kvm.arch.vpic!.pics.map(savePic);

/** ICW1 to ICW4 of both chips, nothing masked: vectors 0x30 and 0x38. */
export function initializePics(vm: TestVm): void {
  for (const [command, data, base, wiring] of [
    [0x20, 0x21, 0x30, 0x04],
    [0xa0, 0xa1, 0x38, 0x02],
  ] as const) {
    outb(vm, command, 0x11);
    for (const val of [base, wiring, 0x01, 0x00]) outb(vm, data, val);
  }
}

/** How often a function was entered; the bench must be recording. */
export function entered({ bench }: TestVm, name: string): number {
  const { journal } = bench.machine;
  let found = 0;
  for (let n = 0; n < journal.length; n++) if (journal.kind(n) === 'enter' && journal.step(n).site.fn.name === name) found++;
  return found;
}
