import type { Run } from '../../src/engine/machine';
import { EAGAIN } from '../../src/models/linux/errno';
import type { ApicRegister } from '../../src/models/linux/arch/x86/kvm/lapic_state';
import { kvm_apic_get_state, kvm_apic_set_state, type KvmLapicState } from '../../src/models/linux/arch/x86/kvm/lapic';
import { savePic } from '../../src/models/linux/arch/x86/kvm/i8259';
import {
  check_request,
  kvm_get_msr_common,
  kvm_vcpu_ioctl_interrupt,
  kvm_vm_ioctl_get_irqchip,
  kvm_vm_ioctl_irq_line,
  kvm_vm_ioctl_set_irqchip,
  process_nmi,
} from '../../src/models/linux/arch/x86/kvm/x86';
import { eventfd_ctx, eventfd_read, eventfd_write, type EventfdCtx } from '../../src/models/linux/fs/eventfd';
import { alloc_workqueue } from '../../src/models/linux/kernel/workqueue';
import {
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  kvm_ioeventfd,
  kvm_irqfd,
} from '../../src/models/linux/virt/kvm/eventfd';
import { kvm_send_userspace_msi, kvm_set_irq_routing } from '../../src/models/linux/virt/kvm/irqchip';
import { kvm_vcpu, kvm_vm } from '../../src/models/linux/virt/kvm/kvm_main';
import {
  KVM_EXIT_IO,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type Kvm,
  type KvmIrqRoutingEntry,
  type KvmVcpu,
} from '../../src/models/linux/virt/kvm/kvm_types';
import type { Adapter, Results, Subject } from './adapter';
import { createBench, type Bench } from './bench';
import { pvm_x86_ops, run_guest } from './pvm';
import type { Op, Scenario, State } from './recording';

/** Recordings of a real KVM, of Linux 6.18, replayed on the models of KVM. */

/** What a scenario's operations act on. */
interface Target {
  readonly kvm: Kvm;
  readonly vcpus: readonly KvmVcpu[];
  readonly eventfds: ReadonlyMap<number, EventfdCtx>;
  routing: readonly KvmIrqRoutingEntry[];
}

export const kvm: Adapter = {
  results: ['ret', 'errno', 'vector', 'exit', 'eoi_exits', 'reason'],
  skips: new Map(),
  build(scenario): Subject {
    const { bench, made } = createBench({ linux: '6.18' }, () => target(scenario));
    return { perform: (op) => perform(bench, made, op), state: () => bench.perform(() => stateOf(made)) };
  },
};

/** As many as the models' sets of vCPUs have bits. */
const MAX_CPUS = 32;

function target(scenario: Scenario): Target {
  const routing = routingOf(scenario);
  const vm = kvm_vm({
    routing,
    irqchip_mode: scenario['irqchip'] === 'split' ? 'KVM_IRQCHIP_SPLIT' : 'KVM_IRQCHIP_KERNEL',
    system_wq: alloc_workqueue('events', 'kworker', 1),
    irqfd_cleanup_wq: alloc_workqueue('kvm-irqfd-cleanup', 'kvm-irqfd-cleanup', 1),
    x86_ops: pvm_x86_ops,
  });
  const ncpu = number(scenario, 'ncpu');
  if (!Number.isInteger(ncpu) || ncpu < 1 || ncpu > MAX_CPUS) throw new Error(`"ncpu" is ${ncpu}, expected 1 to ${MAX_CPUS}`);
  const vcpus = Array.from({ length: ncpu }, () => kvm_vcpu(vm, 'vmx-xapic', { setup: 'reset' }));
  const fds = Object.keys((scenario.initial['efd'] as State | undefined) ?? {}).map(Number);
  return { kvm: vm, vcpus, eventfds: new Map(fds.map((fd) => [fd, eventfd_ctx(`eventfd ${fd}`)])), routing };
}

/** Performs one operation, and everything that it sets off. */
function perform(bench: Bench, made: Target, op: Op): Results | undefined {
  const operation = Object.hasOwn(OPERATIONS, op.op) ? OPERATIONS[op.op] : undefined;
  return operation && bench.perform(() => operation(made, op));
}

type Operation = (made: Target, op: Op) => Run<Results>;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  *irq_line({ kvm: vm }, op) {
    yield* kvm_vm_ioctl_irq_line(vm, { irq: number(op, 'gsi'), level: number(op, 'level') }, false);
    return {};
  },
  *irq_line_status({ kvm: vm }, op) {
    const irq_event = { irq: number(op, 'gsi'), level: number(op, 'level'), status: 0 };
    yield* kvm_vm_ioctl_irq_line(vm, irq_event, true);
    return { ret: irq_event.status };
  },
  *outb(made, op) {
    const vcpu = cpuOf(made, op);
    const seen = yield* run_guest(vcpu, { kind: 'io', port: number(op, 'port'), size: 1, in: false, value: number(op, 'val') });
    return { ...seen, ...(vcpu.run.exit_reason === KVM_EXIT_IO ? { exit: 'io' } : {}) };
  },
  *inb(made, op) {
    const vcpu = cpuOf(made, op);
    const seen = yield* run_guest(vcpu, { kind: 'io', port: number(op, 'port'), size: 1, in: true, value: 0 });
    return { ...seen, ...(vcpu.run.exit_reason === KVM_EXIT_IO ? { exit: 'io' } : { ret: vcpu['arch.regs[VCPU_REGS_RAX]'] }) };
  },
  *mmio_write(made, op) {
    return yield* run_guest(cpuOf(made, op), { kind: 'mmio', phys_addr: number(op, 'addr'), is_write: true, value: number(op, 'val') });
  },
  *mmio_read(made, op) {
    const vcpu = cpuOf(made, op);
    const seen = yield* run_guest(vcpu, { kind: 'mmio', phys_addr: number(op, 'addr'), is_write: false, value: 0 });
    return { ...seen, ret: vcpu.run.mmio.data };
  },
  *wrmsr(made, op) {
    return yield* run_guest(cpuOf(made, op), { kind: 'wrmsr', msr: number(op, 'msr'), value: BigInt(String(op['val'])) });
  },
  *rdmsr(made, op) {
    const vcpu = cpuOf(made, op);
    const seen = yield* run_guest(vcpu, undefined);
    const value = yield* kvm_get_msr_common(vcpu, number(op, 'msr'));
    return { ...seen, ret: value === undefined ? undefined : `0x${value.toString(16)}` };
  },
  *intack(made, op) {
    return yield* run_guest(cpuOf(made, op), undefined, true);
  },
  *sw_intack(made, op) {
    const vcpu = cpuOf(made, op);
    const page = kvm_apic_get_state(vcpu);
    const vector = Math.max(...vectorsIn(page, 'APIC_IRR'), -1);
    const priority = Math.max(page.APIC_TASKPRI & 0xf0, Math.max(...vectorsIn(page, 'APIC_ISR'), 0) & 0xf0);
    if ((vector & 0xf0) <= priority || vector < 0) return {};
    yield* kvm_apic_set_state(vcpu, toggled(toggled(page, 'APIC_IRR', vector), 'APIC_ISR', vector));
    return { vector };
  },
  *set_pic({ kvm: vm }, op) {
    const chip_id = number(op, 'chip') === 1 ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER;
    const pic = savePic(vm.arch.vpic!.pics[chip_id]);
    yield* kvm_vm_ioctl_set_irqchip(vm, { chip_id, pic: withFields(pic, record(op, 'fields')) });
    return {};
  },
  *set_ioapic({ kvm: vm }, op) {
    const saved = yield* kvm_vm_ioctl_get_irqchip(vm, KVM_IRQCHIP_IOAPIC);
    if (saved.chip_id !== KVM_IRQCHIP_IOAPIC) throw new Error('KVM_GET_IRQCHIP gave another chip');
    const { redir, ...fields } = record(op, 'fields');
    const entries = new Map(Object.entries((redir ?? {}) as State));
    const redirtbl = saved.ioapic.redirtbl.map((entry, pin) => halves(entries.get(String(pin))) ?? entry);
    yield* kvm_vm_ioctl_set_irqchip(vm, { ...saved, ioapic: { ...withFields(saved.ioapic, fields), redirtbl } });
    return {};
  },
  *set_lapic(made, op) {
    const vcpu = cpuOf(made, op);
    let page = kvm_apic_get_state(vcpu);
    for (const [field, value] of Object.entries(record(op, 'fields'))) {
      if (field === 'toggle_irr') page = toggled(page, 'APIC_IRR', Number(value));
      else if (field === 'toggle_isr') page = toggled(page, 'APIC_ISR', Number(value));
      else page = { ...page, [lapicRegister(field)]: Number(value) };
    }
    yield* kvm_apic_set_state(vcpu, page);
    return {};
  },
  *set_routing(made, op) {
    const routing = [...made.routing];
    for (const change of op['changed'] as readonly Readonly<Record<string, unknown>>[])
      routing[number(change, 'index')] = routingEntry(change);
    const ret = yield* kvm_set_irq_routing(made.kvm, routing);
    if (ret === 0) made.routing = routing;
    return ret < 0 ? { errno: -ret } : {};
  },
  *signal_msi({ kvm: vm }, op) {
    const ret = yield* kvm_send_userspace_msi(vm, {
      address_lo: number(op, 'addr_lo'),
      address_hi: number(op, 'addr_hi'),
      data: number(op, 'data'),
    });
    return ret < 0 ? { ret: -1, errno: -ret } : { ret };
  },
  *irqfd_assign({ kvm: vm, eventfds }, op) {
    const resamplefd = op['resamplefd'] === undefined ? undefined : eventfdOf(eventfds, number(op, 'resamplefd'));
    const flags = resamplefd === undefined ? 0 : KVM_IRQFD_FLAG_RESAMPLE;
    return status(yield* kvm_irqfd(vm, { fd: eventfdOf(eventfds, number(op, 'fd')), gsi: number(op, 'gsi'), flags, resamplefd }));
  },
  *irqfd_deassign({ kvm: vm, eventfds }, op) {
    const args = { fd: eventfdOf(eventfds, number(op, 'fd')), gsi: number(op, 'gsi'), flags: KVM_IRQFD_FLAG_DEASSIGN };
    return status(yield* kvm_irqfd(vm, args));
  },
  *ioeventfd_assign({ kvm: vm, eventfds }, op) {
    const args = {
      fd: eventfdOf(eventfds, number(op, 'fd')),
      addr: number(op, 'port'),
      len: number(op, 'len'),
      flags: KVM_IOEVENTFD_FLAG_PIO,
    };
    if (op['datamatch'] === undefined) return status(yield* kvm_ioeventfd(vm, args));
    const flags = args.flags | KVM_IOEVENTFD_FLAG_DATAMATCH;
    return status(yield* kvm_ioeventfd(vm, { ...args, flags, datamatch: number(op, 'datamatch') }));
  },
  *efd_write({ eventfds }, op) {
    yield* eventfd_write(eventfdOf(eventfds, number(op, 'fd')), number(op, 'val'));
    return {};
  },
  *efd_read({ eventfds }, op) {
    const count = yield* eventfd_read(eventfdOf(eventfds, number(op, 'fd')));
    return count === 0 ? { errno: EAGAIN } : { ret: count };
  },
  *kvm_interrupt(made, op) {
    return status(yield* kvm_vcpu_ioctl_interrupt(cpuOf(made, op), number(op, 'irq')));
  },
  *clear_nmi(made, op) {
    cpuOf(made, op)['arch.nmi_pending'] = 0;
    return {};
  },
};

/** What an ioctl gave: its result, or the error number. */
const status = (ret: number): Results => (ret < 0 ? { errno: -ret } : { ret });

/** A chip's saved registers with some of them replaced. */
function withFields<T extends object>(saved: T, fields: Readonly<Record<string, unknown>>): T {
  const replaced = { ...saved } as Record<string, unknown>;
  for (const [field, value] of Object.entries(fields)) {
    if (!(field in saved)) throw new Error(`the chip has no register ${field}`);
    replaced[field] = typeof replaced[field] === 'boolean' ? value !== 0 : value;
  }
  return replaced as T;
}

/** An I/O APIC's entry, written as a 64-bit hexadecimal number. */
function halves(bits: unknown): { readonly low: number; readonly high: number } | undefined {
  if (bits === undefined) return undefined;
  const value = BigInt(String(bits));
  return { low: Number(value & 0xffffffffn), high: Number(value >> 32n) };
}

type VectorSet = 'APIC_ISR' | 'APIC_TMR' | 'APIC_IRR';
const wordOf = (set: VectorSet, vector: number): ApicRegister => `${set}[${(vector >>> 5) as 0}]`;

/** The vectors of a set, ascending. */
const vectorsIn = (page: KvmLapicState, set: VectorSet): readonly number[] =>
  Array.from({ length: 256 }, (_, vector) => vector).filter((vector) => (page[wordOf(set, vector)] >>> (vector & 31)) & 1);

const toggled = (page: KvmLapicState, set: VectorSet, vector: number): KvmLapicState => {
  const word = wordOf(set, vector);
  return { ...page, [word]: (page[word] ^ (1 << (vector & 31))) >>> 0 };
};

/** A local APIC's registers, by the names that recordings have for them. */
const LAPIC: Readonly<Record<string, ApicRegister>> = {
  id: 'APIC_ID',
  ver: 'APIC_LVR',
  tpr: 'APIC_TASKPRI',
  ppr: 'APIC_PROCPRI',
  ldr: 'APIC_LDR',
  dfr: 'APIC_DFR',
  svr: 'APIC_SPIV',
  esr: 'APIC_ESR',
  icr: 'APIC_ICR',
  icr2: 'APIC_ICR2',
  lvt_timer: 'APIC_LVTT',
  lvt_thermal: 'APIC_LVTTHMR',
  lvt_pc: 'APIC_LVTPC',
  lvt0: 'APIC_LVT0',
  lvt1: 'APIC_LVT1',
  lvt_err: 'APIC_LVTERR',
};

function lapicRegister(name: string): ApicRegister {
  const register = Object.hasOwn(LAPIC, name) ? LAPIC[name] : undefined;
  if (register === undefined) throw new Error(`the local APIC has no register ${name}`);
  return register;
}

function* stateOf({ kvm: vm, vcpus, eventfds }: Target): Run<State> {
  const { vpic } = vm.arch;
  const lapic: Record<string, State> = {};
  for (const vcpu of vcpus) lapic[vcpu.vcpu_id] = yield* lapicState(vcpu);
  return {
    ...(vpic === undefined ? {} : { pic0: numbers(savePic(vpic.pics[0])), pic1: numbers(savePic(vpic.pics[1])) }),
    ...(vpic === undefined ? {} : { ioapic: yield* ioapicState(vm) }),
    lapic,
    efd: Object.fromEntries([...eventfds].map(([fd, { count }]) => [fd, count])),
  };
}

function* lapicState(vcpu: KvmVcpu): Run<State> {
  // KVM_GET_VCPU_EVENTS takes queued NMIs in.
  if (check_request(vcpu, 'KVM_REQ_NMI')) yield* process_nmi(vcpu);
  const page = kvm_apic_get_state(vcpu);
  return {
    ...Object.fromEntries(Object.entries(LAPIC).map(([name, register]) => [name, page[register]])),
    // The arbitration priority is never computed.
    apr: 0,
    isr: vectorsIn(page, 'APIC_ISR'),
    tmr: vectorsIn(page, 'APIC_TMR'),
    irr: vectorsIn(page, 'APIC_IRR'),
    nmi_pending: vcpu['arch.nmi_pending'],
  };
}

function* ioapicState(vm: Kvm): Run<State> {
  const saved = yield* kvm_vm_ioctl_get_irqchip(vm, KVM_IRQCHIP_IOAPIC);
  if (saved.chip_id !== KVM_IRQCHIP_IOAPIC) throw new Error('KVM_GET_IRQCHIP gave another chip');
  const { irr, redirtbl, ioregsel, id } = saved.ioapic;
  const redir = Object.fromEntries(redirtbl.map(({ low, high }, pin) => [pin, `0x${hex8(high)}${hex8(low)}`]));
  return { id, ioregsel, irr, redir };
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');
const numbers = (registers: object): State => Object.fromEntries(Object.entries(registers).map(([name, value]) => [name, Number(value)]));

const CHIPS: Readonly<Record<string, number>> = { pic0: KVM_IRQCHIP_PIC_MASTER, pic1: KVM_IRQCHIP_PIC_SLAVE, ioapic: KVM_IRQCHIP_IOAPIC };

/** The routing that a scenario begins with. */
function routingOf({ routing, routing_table }: Scenario): readonly KvmIrqRoutingEntry[] {
  const pin = (gsi: number, irqchip: number, of: number): KvmIrqRoutingEntry => ({
    gsi,
    type: 'KVM_IRQ_ROUTING_IRQCHIP',
    irqchip: { irqchip, pin: of },
  });
  const pics = Array.from({ length: 16 }, (_, gsi) => pin(gsi, gsi >> 3, gsi & 7));
  const ioapic = Array.from({ length: 24 }, (_, gsi) => pin(gsi, KVM_IRQCHIP_IOAPIC, gsi));
  switch (routing) {
    case 'default':
      return [...ioapic, ...pics];
    case 'pic_only':
      return pics;
    case 'ioapic_only':
      return ioapic;
    default:
      return (routing_table as { readonly routing: readonly Readonly<Record<string, unknown>>[] }).routing.map(routingEntry);
  }
}

/** A routing entry as recordings write it. */
function routingEntry(entry: Readonly<Record<string, unknown>>): KvmIrqRoutingEntry {
  const gsi = number(entry, 'gsi');
  switch (entry['type']) {
    case 'irqchip':
      return {
        gsi,
        type: 'KVM_IRQ_ROUTING_IRQCHIP',
        irqchip: { irqchip: CHIPS[String(entry['chip'])] ?? NaN, pin: number(entry, 'pin') },
      };
    case 'msi':
      return {
        gsi,
        type: 'KVM_IRQ_ROUTING_MSI',
        msi: { address_lo: number(entry, 'addr_lo'), address_hi: number(entry, 'addr_hi'), data: number(entry, 'data') },
      };
    default:
      throw new Error(`a route of type ${JSON.stringify(entry['type'])} is none that is known`);
  }
}

/** A field that must be an object. */
function record(of: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = of[name];
  if (typeof value !== 'object' || value === null) throw new Error(`"${name}" is ${JSON.stringify(value)}, expected registers by name`);
  return value as Readonly<Record<string, unknown>>;
}

/** A field that must be a number. */
function number(of: Readonly<Record<string, unknown>>, name: string): number {
  const value = of[name];
  if (typeof value !== 'number') throw new Error(`"${name}" is ${JSON.stringify(value)}, expected a number`);
  return value;
}

function cpuOf({ vcpus }: Target, op: Op): KvmVcpu {
  const vcpu = vcpus[op['cpu'] === undefined ? 0 : number(op, 'cpu')];
  if (vcpu === undefined) throw new Error(`there is no CPU ${String(op['cpu'])}`);
  return vcpu;
}

function eventfdOf(eventfds: Target['eventfds'], fd: number): EventfdCtx {
  const found = eventfds.get(fd);
  if (found === undefined) throw new Error(`there is no eventfd ${fd}`);
  return found;
}
