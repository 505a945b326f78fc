import { bool, hex, int, struct, type InstanceOf } from '../../../../../engine/cell';
import { source } from '../../../../../engine/fn';
import { atCall } from '../../../../../engine/steps';
import { __kvm_irq_line_state } from '../include/asm/kvm_host';

/** KVM's 8259 pair, as far as a level that arrives there goes. */

const KpicCells = struct('kvm_kpic_state', 'One 8259: what is requested, masked and in service.', {
  last_irr: hex(8),
  irr: hex(8),
  imr: hex(8, 0xff),
  isr: hex(8),
  priority_add: hex(8),
  elcr: hex(8),
});
type Kpic = InstanceOf<typeof KpicCells>;

const PicCells = struct('kvm_pic', 'The 8259 pair and its output to the CPU.', {
  output: bool(),
  wakeup_needed: bool(),
  'irq_states[10]': int(),
});

export type KvmPic = InstanceOf<typeof PicCells> & { readonly pics: readonly [Kpic, Kpic] };

/** Makes the pair; pins that PCI interrupts use are level-triggered in `elcr`, as firmware leaves them. */
export const kvm_pic = (): KvmPic =>
  Object.assign(PicCells('8259 pair'), { pics: [KpicCells('master'), KpicCells('slave', { elcr: 0x0c })] as const });

const { fn } = source('linux', 'arch/x86/kvm/i8259.c');

const get_priority = fn(
  'The highest priority among the requests of a mask, 8 if there is none.',
  function* get_priority(s: Kpic, mask: number) {
    if (mask === 0) return 8;
    let priority = 0;
    while ((mask & (1 << ((priority + s.priority_add) & 7))) === 0) priority++;
    return priority;
  },
);

const pic_set_irq1 = fn(
  'A pin changes: level pins follow the line, edge pins latch its rise. Says -1 if the pin is masked, 0 if the request was pending already.',
  function* pic_set_irq1(s: Kpic, irq: number, level: boolean) {
    const mask = 1 << irq;
    let ret = 1;
    if (s.elcr & mask) {
      if (level) {
        ret = s.irr & mask ? 0 : 1;
        s.irr |= mask;
        s.last_irr |= mask;
      } else {
        s.irr &= ~mask;
        s.last_irr &= ~mask;
      }
    } else if (level) {
      if ((s.last_irr & mask) === 0) {
        ret = s.irr & mask ? 0 : 1;
        s.irr |= mask;
      }
      s.last_irr |= mask;
    } else {
      s.last_irr &= ~mask;
    }
    return s.imr & mask ? -1 : ret;
  },
);

const pic_get_irq = fn(
  'The pin that asks for service: requested, not masked, and of a higher priority than any in service. -1 if there is none.',
  function* pic_get_irq(s: Kpic) {
    const priority = yield* get_priority(s, s.irr & ~s.imr);
    if (priority === 8) return -1;
    const inService = yield* get_priority(s, s.isr);
    return priority < inService ? (priority + s.priority_add) & 7 : -1;
  },
);

const pic_update_irq = fn(
  'Recomputes the output: the slave’s request is pulsed into the master’s pin 2.',
  function* pic_update_irq(s: KvmPic) {
    const [master, slave] = s.pics;
    if ((yield* pic_get_irq(slave)) >= 0) {
      yield* pic_set_irq1(master, 2, true);
      yield* pic_set_irq1(master, 2, false);
    }
    const irq = yield* pic_get_irq(master);
    const output = irq >= 0;
    atCall('pic_irq_request');
    if (s.output !== output) s.output = output;
  },
);

export const kvm_pic_set_irq = fn(
  'A GSI that is routed to the PIC changes.',
  function* kvm_pic_set_irq(s: KvmPic, irq: number, irq_source_id: number, level: number) {
    const state = yield* __kvm_irq_line_state(s['irq_states[10]'], irq_source_id, level);
    if (state !== s['irq_states[10]']) s['irq_states[10]'] = state;
    const ret = yield* pic_set_irq1(s.pics[irq >> 3 ? 1 : 0], irq & 7, state !== 0);
    yield* pic_update_irq(s);
    return ret;
  },
);
