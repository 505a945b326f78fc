import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import type { Board } from '../../board';
import {
  CPU_INTERRUPT_HARD,
  CPU_INTERRUPT_INIT,
  CPU_INTERRUPT_NMI,
  CPU_INTERRUPT_POLL,
  CPU_INTERRUPT_SIPI,
  CPU_INTERRUPT_SMI,
} from '../../include/hw/core/cpu';
import {
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWPRI,
  APIC_DM_NMI,
  APIC_DM_SIPI,
  APIC_DM_SMI,
  APIC_ESR_ILLEGAL_ADDRESS,
  APIC_LVT_LEVEL_TRIGGER,
  APIC_LVT_LINT0,
  APIC_LVT_LINT1,
  APIC_LVT_MASKED,
  APIC_LVT_NB,
  APIC_SV_DIRECTED_IO,
  APIC_SV_ENABLE,
  MSR_IA32_APICBASE_ENABLE,
  apic_get_bit,
  apic_reset_bit,
  apic_set_bit,
  get_highest_priority_int,
  type APICCommonState,
} from '../../include/hw/i386/apic_internal';
import { cpu_interrupt, qemu_cpu_is_self } from '../../softmmu/cpus';
import { cpu_reset_interrupt } from '../core/cpu-common';
import { cpu_get_current_apic } from '../i386/x86';
import { apic_report_irq_delivered } from './apic_common';
import { pic_get_output } from './i8259';
import { ioapic_eoi_broadcast } from './ioapic';

/** The local APIC as QEMU emulates it. Its timer is not modelled. */

const { fn, ops } = source('qemu', 'hw/intc/apic.c');

const apic_local_deliver = fn(
  'One of the local sources asserts, and its entry in the local vector table says what that means. ExtINT: the PIC has the vector.',
  function* apic_local_deliver(s: APICCommonState, vector: number) {
    const lvt = s.lvt[vector]!.value;
    if (lvt & APIC_LVT_MASKED) return at('APIC_LVT_MASKED', 'the guest has masked this pin');
    switch ((lvt >>> 8) & 7) {
      case APIC_DM_SMI:
        return yield* cpu_interrupt(s.cpu, CPU_INTERRUPT_SMI);
      case APIC_DM_NMI:
        return yield* cpu_interrupt(s.cpu, CPU_INTERRUPT_NMI);
      case APIC_DM_EXTINT:
        return yield* cpu_interrupt(s.cpu, CPU_INTERRUPT_HARD);
      case APIC_DM_FIXED: {
        const level = (vector === APIC_LVT_LINT0 || vector === APIC_LVT_LINT1) && (lvt & APIC_LVT_LEVEL_TRIGGER) !== 0;
        return yield* apic_set_irq(s, lvt & 0xff, level);
      }
    }
  },
);

export const apic_deliver_pic_intr = fn(
  'The PIC’s output has changed, which is this CPU’s pin LINT0. When it falls, a request that only it had made is withdrawn.',
  function* apic_deliver_pic_intr(s: APICCommonState, level: 0 | 1) {
    if (level) return yield* apic_local_deliver(s, APIC_LVT_LINT0);
    const lvt = s.lvt[APIC_LVT_LINT0]!.value;
    switch ((lvt >>> 8) & 7) {
      case APIC_DM_FIXED:
        if (!(lvt & APIC_LVT_LEVEL_TRIGGER)) return;
        atCall('apic_reset_bit');
        apic_reset_bit(s.irr, lvt & 0xff);
        return yield* apic_update_irq(s);
      case APIC_DM_EXTINT:
        return yield* apic_update_irq(s);
    }
  },
);

/** What apic_get_delivery_bitmask() makes a bitmask of: the local APICs that a destination means, in their order. */
type Destinations = readonly APICCommonState[];

const apic_find_dest = fn('The local APIC with a physical ID.', function* apic_find_dest(board: Board, dest: number) {
  return board.local_apics.find(({ id }) => id === dest);
});

const apic_get_delivery_bitmask = fn(
  'Whom a destination means: one by its physical ID, or several by the bits of a logical one.',
  function* apic_get_delivery_bitmask(board: Board, dest: number, dest_mode: number): Run<Destinations> {
    const { local_apics } = board;
    if (dest_mode === 0) {
      if (dest === 0xff) return local_apics;
      const found = yield* apic_find_dest(board, dest);
      return found === undefined ? [] : [found];
    }
    at('log_dest');
    return local_apics.filter((apic) => {
      if (apic.dest_mode === 0xf) return (dest & apic.log_dest) !== 0;
      return apic.dest_mode === 0 && (dest & 0xf0) === (apic.log_dest & 0xf0) && (dest & apic.log_dest & 0x0f) !== 0;
    });
  },
);

const apic_bus_deliver = fn(
  'Hands a message to its destinations. Lowest priority is simply the first of them.',
  function* apic_bus_deliver(destinations: Destinations, delivery_mode: number, vector_num: number, level: boolean) {
    switch (delivery_mode) {
      case APIC_DM_LOWPRI: {
        const [first] = destinations;
        if (first !== undefined) yield* apic_set_irq(first, vector_num, level);
        return;
      }
      case APIC_DM_SMI:
        for (const { cpu } of destinations) yield* cpu_interrupt(cpu, CPU_INTERRUPT_SMI);
        return;
      case APIC_DM_NMI:
        for (const { cpu } of destinations) yield* cpu_interrupt(cpu, CPU_INTERRUPT_NMI);
        return;
      case APIC_DM_INIT:
        for (const { cpu } of destinations) yield* cpu_interrupt(cpu, CPU_INTERRUPT_INIT);
        return;
      case APIC_DM_FIXED:
      case APIC_DM_EXTINT:
        for (const apic of destinations) yield* apic_set_irq(apic, vector_num, level);
    }
  },
);

const apic_deliver_irq = fn(
  'A message from an I/O APIC or a device.',
  function* apic_deliver_irq(board: Board, dest: number, dest_mode: number, delivery_mode: number, vector_num: number, level: boolean) {
    const destinations = yield* apic_get_delivery_bitmask(board, dest, dest_mode);
    yield* apic_bus_deliver(destinations, delivery_mode, vector_num, level);
  },
);

const apic_set_tpr = fn('The guest has set its task priority through CR8.', function* apic_set_tpr(s: APICCommonState, val: number) {
  at('vapic_paddr');
  s.tpr = val << 4;
  yield* apic_update_irq(s);
});

const apic_get_tpr = fn('The task priority as CR8 shows it.', function* apic_get_tpr(s: APICCommonState) {
  at('tpr');
  return s.tpr >> 4;
});

export const apic_get_ppr = fn(
  'The processor priority: the higher of the task’s and of what is in service.',
  function* apic_get_ppr(s: APICCommonState) {
    const isrv = Math.max(get_highest_priority_int(s.isr), 0);
    return s.tpr >> 4 >= isrv >> 4 ? s.tpr : isrv & 0xf0;
  },
);

export const apic_irq_pending = fn(
  'What this local APIC has for its CPU: a vector, 0 for nothing, -1 if what it has is not urgent enough.',
  function* apic_irq_pending(s: APICCommonState) {
    if (!(s.spurious_vec & APIC_SV_ENABLE)) return 0;
    atCall('get_highest_priority_int');
    const irrv = get_highest_priority_int(s.irr);
    if (irrv < 0) return 0;
    const ppr = yield* apic_get_ppr(s);
    return ppr !== 0 && (irrv & 0xf0) <= (ppr & 0xf0) ? -1 : irrv;
  },
);

const apic_update_irq = fn(
  'Raises or withdraws the CPU’s interrupt request. Another thread must leave that to the CPU’s own, which alone knows the task priority as it is now.',
  function* apic_update_irq(s: APICCommonState) {
    const { cpu } = s;
    atCall('qemu_cpu_is_self');
    if (!qemu_cpu_is_self(cpu)) return yield* cpu_interrupt(cpu, CPU_INTERRUPT_POLL);
    if ((yield* apic_irq_pending(s)) > 0) {
      behind('apic_irq_pending');
      return yield* cpu_interrupt(cpu, CPU_INTERRUPT_HARD);
    }
    if (!(yield* apic_accept_pic_intr(s)) || !(yield* pic_get_output(cpu.board))) yield* cpu_reset_interrupt(cpu, CPU_INTERRUPT_HARD);
  },
);

export const apic_poll_irq = fn(
  'Another thread has changed something: now its CPU looks itself.',
  function* apic_poll_irq(s: APICCommonState) {
    yield* apic_update_irq(s);
  },
);

const apic_set_irq = fn(
  'Accepts a message: its vector is requested. The trigger mode is remembered for the end of the interrupt, which an I/O APIC waits for.',
  function* apic_set_irq(s: APICCommonState, vector_num: number, level: boolean) {
    yield* apic_report_irq_delivered(apic_get_bit(s.irr, vector_num) ? 0 : 1);
    atCall('apic_set_bit');
    apic_set_bit(s.irr, vector_num);
    at('tmr');
    if (level) apic_set_bit(s.tmr, vector_num);
    else apic_reset_bit(s.tmr, vector_num);
    yield* apic_update_irq(s);
  },
);

const apic_eoi = fn(
  'The end of the interrupt: always of the highest vector in service. If it was level-triggered, the I/O APICs are told.',
  function* apic_eoi(s: APICCommonState) {
    atCall('get_highest_priority_int');
    const isrv = get_highest_priority_int(s.isr);
    if (isrv < 0) return;
    atCall('apic_reset_bit');
    apic_reset_bit(s.isr, isrv);
    if (!(s.spurious_vec & APIC_SV_DIRECTED_IO) && apic_get_bit(s.tmr, isrv)) yield* ioapic_eoi_broadcast(s.cpu.board, isrv);
    yield* apic_update_irq(s);
  },
);

const apic_startup = fn('A start-up message.', function* apic_startup(s: APICCommonState, _vector_num: number) {
  at('sipi_vector');
  yield* cpu_interrupt(s.cpu, CPU_INTERRUPT_SIPI);
});

const apic_deliver = fn(
  'The guest sends a message to other CPUs: an inter-processor interrupt.',
  function* apic_deliver(s: APICCommonState, dest: number, dest_mode: number, delivery_mode: number, vector_num: number, level: boolean) {
    const { board } = s.cpu;
    const others = board.local_apics.filter((apic) => apic !== s);
    const shorthand = (s['icr[0]'] >>> 18) & 3;
    const destinations =
      shorthand === 0 ? yield* apic_get_delivery_bitmask(board, dest, dest_mode) : [[s], board.local_apics, others][shorthand - 1]!;
    if (delivery_mode === APIC_DM_INIT && !(s['icr[0]'] & (1 << 14)) && level)
      return at('arb_id', 'an INIT de-assert only sets arbitration IDs');
    if (delivery_mode === APIC_DM_SIPI) {
      for (const apic of destinations) yield* apic_startup(apic, vector_num);
      return;
    }
    yield* apic_bus_deliver(destinations, delivery_mode, vector_num, level);
  },
);

const apic_check_pic = fn('Whether the PIC asserts LINT0. If so, it is delivered once more.', function* apic_check_pic(s: APICCommonState) {
  if (!(yield* apic_accept_pic_intr(s)) || !(yield* pic_get_output(s.cpu.board))) return false;
  yield* apic_deliver_pic_intr(s, 1);
  return true;
});

export const apic_get_interrupt = fn(
  'The acknowledge cycle, local APIC first: a vector, or -1 if the PIC shall give it. The PIC goes before any vector, whatever its priority.',
  function* apic_get_interrupt(s: APICCommonState | undefined) {
    if (s === undefined || !(s.spurious_vec & APIC_SV_ENABLE)) return -1;
    const intno = yield* apic_irq_pending(s);
    if (intno === 0 || (yield* apic_check_pic(s))) return -1;
    if (intno < 0) return s.spurious_vec & 0xff;
    atCall('apic_reset_bit');
    apic_reset_bit(s.irr, intno);
    atCall('apic_set_bit');
    apic_set_bit(s.isr, intno);
    yield* apic_update_irq(s);
    return intno;
  },
);

export const apic_accept_pic_intr = fn(
  'Whether this CPU takes interrupts from the PIC: its local APIC is off, or leaves LINT0 open.',
  function* apic_accept_pic_intr(s: APICCommonState | undefined) {
    if (s === undefined) return true;
    const open = (s.apicbase & MSR_IA32_APICBASE_ENABLE) === 0 || !(s.lvt[APIC_LVT_LINT0]!.value & APIC_LVT_MASKED);
    at('isa_pic');
    return open && s.cpu.board.isa_pic !== undefined;
  },
);

/** The register number of an offset into the page. */
const registerAt = (addr: number): number => (addr >>> 4) & 0xff;

const apic_mem_read = fn(
  'The guest reads a register of its own local APIC.',
  function* apic_mem_read(board: Board, addr: number, size: number) {
    if (size < 4) return 0;
    const s = yield* cpu_get_current_apic(board);
    if (s === undefined) return 0;
    const index = registerAt(addr);
    switch (index) {
      case 0x02:
        return (s.id << 24) >>> 0;
      case 0x03:
        return s.version | ((APIC_LVT_NB - 1) << 16);
      case 0x08:
        return s.tpr;
      case 0x09:
      case 0x0b:
        return 0;
      case 0x0a:
        return yield* apic_get_ppr(s);
      case 0x0d:
        return (s.log_dest << 24) >>> 0;
      case 0x0e:
        return ((s.dest_mode << 28) | 0xfffffff) >>> 0;
      case 0x0f:
        return s.spurious_vec;
      case 0x28:
        return s.esr;
      case 0x30:
        return s['icr[0]'];
      case 0x31:
        return s['icr[1]'];
    }
    const register =
      (within(index, 0x10, 8) && s.isr[index & 7]) ||
      (within(index, 0x18, 8) && s.tmr[index & 7]) ||
      (within(index, 0x20, 8) && s.irr[index & 7]) ||
      (within(index, 0x32, APIC_LVT_NB) && s.lvt[index - 0x32]);
    if (register) return register.value;
    s.esr |= APIC_ESR_ILLEGAL_ADDRESS;
    return 0;
  },
);

const within = (index: number, first: number, count: number): boolean => index >= first && index < first + count;

const apic_send_msi = fn(
  'Decodes a message: who, how, which vector. Its level bit and its redirection hint are ignored.',
  function* apic_send_msi(board: Board, address: number, data: number) {
    const dest = (address >>> 12) & 0xff;
    const dest_mode = (address >>> 2) & 1;
    yield* apic_deliver_irq(board, dest, dest_mode, (data >>> 8) & 7, data & 0xff, (data & (1 << 15)) !== 0);
  },
);

const apic_mem_write = fn(
  'The guest writes a register of its own local APIC; or anybody sends a message, for messages arrive at the same addresses.',
  function* apic_mem_write(board: Board, addr: number, val: number, size: number) {
    if (size < 4) return;
    const index = registerAt(addr);
    if (addr > 0xfff || index === 0) return yield* apic_send_msi(board, addr, val);
    const s = yield* cpu_get_current_apic(board);
    if (s !== undefined) yield* write_register(s, index, val);
  },
);

function* write_register(s: APICCommonState, index: number, val: number) {
  switch (index) {
    case 0x02:
      s.id = val >>> 24;
      return;
    case 0x08:
      s.tpr = val;
      return yield* apic_update_irq(s);
    case 0x0b:
      return yield* apic_eoi(s);
    case 0x0d:
      s.log_dest = val >>> 24;
      return;
    case 0x0e:
      s.dest_mode = val >>> 28;
      return;
    case 0x0f:
      s.spurious_vec = val & 0x1ff;
      behind('spurious_vec');
      return yield* apic_update_irq(s);
    case 0x30:
      s['icr[0]'] = val;
      return yield* apic_deliver(s, s['icr[1]'] >>> 24, (val >>> 11) & 1, (val >>> 8) & 7, val & 0xff, (val & (1 << 15)) !== 0);
    case 0x31:
      atWrite('icr', 'apic_deliver');
      s['icr[1]'] = val;
      return;
  }
  if (within(index, 0x32, APIC_LVT_NB)) {
    at('lvt');
    s.lvt[index - 0x32]!.value = val;
    if (index - 0x32 === APIC_LVT_LINT0 && (yield* apic_check_pic(s))) {
      behind('apic_check_pic');
      yield* apic_update_irq(s);
    }
  } else if (!READ_ONLY_OR_TIMER.has(index) && !within(index, 0x10, 0x19)) s.esr |= APIC_ESR_ILLEGAL_ADDRESS;
}

/** Registers that ignore writes, and those of the timer, which has no model. */
const READ_ONLY_OR_TIMER: ReadonlySet<number> = new Set([0x03, 0x09, 0x0a, 0x38, 0x39, 0x3e]);

export const apic_io_ops = ops('apic_io_ops', { read: apic_mem_read, write: apic_mem_write });

/** What apic_class_init() gives to the class. */
export const apic_class_init = ops('apic_class_init', { set_tpr: apic_set_tpr, get_tpr: apic_get_tpr });
