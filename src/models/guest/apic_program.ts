import { architecturally, source } from '../../engine/fn';
import {
  APIC_DEFAULT_PHYS_BASE,
  APIC_DEST_LOGICAL,
  APIC_DEST_SELF,
  APIC_DFR,
  APIC_DFR_FLAT,
  APIC_DM_EXTINT,
  APIC_EOI,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_INT_ASSERT,
  APIC_LDR,
  APIC_LVT0,
  APIC_PROCPRI,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_TASKPRI,
} from '../linux/arch/x86/include/asm/apicdef';
import { ISA_IRQ_VECTOR } from '../linux/arch/x86/kernel/i8259';
import type { PcGuest } from './pc';
import { nested, type PicProgram } from './pic_programs';

/** A small program that uses its local APIC beside the 8259 pair: “virtual wire” mode, in which the pair is the local APIC's LINT0. */

/** The vectors of what it sends to itself, each in a class of its own. */
const BY_SHORTHAND = 0x60;
const BY_ID = 0x70;
const BY_LOGICAL_ID = 0x80;
const BY_MESSAGE = 0x90;

const LOGICAL_ID = 1 << 24;
const SPURIOUS_VECTOR = 0xff;

const { fn } = source('guest', 'apic_program');

const ELCR2 = 0x4d1;

const apic_store = fn(
  'A store to a register of the local APIC. Without a virtualized one it leaves the guest like any other.',
  function* apic_store({ cpu }: PcGuest, register: number, value: number) {
    yield* cpu.store(APIC_DEFAULT_PHYS_BASE + register, 4, value);
  },
);

const enable_apic = fn(
  'Switches the local APIC on by software, gives it a logical ID, and lets the pair through by LINT0. It asks first which inputs are level-triggered, as a kernel does that goes on to use an I/O APIC.',
  function* enable_apic(guest: PcGuest) {
    yield* guest.cpu.in(ELCR2, 1);
    yield* guest.cpu.load(APIC_DEFAULT_PHYS_BASE + APIC_ID, 4);
    yield* apic_store(guest, APIC_DFR, APIC_DFR_FLAT);
    yield* apic_store(guest, APIC_LDR, LOGICAL_ID);
    yield* apic_store(guest, APIC_TASKPRI, 0);
    yield* apic_store(guest, APIC_SPIV, APIC_SPIV_APIC_ENABLED | SPURIOUS_VECTOR);
    yield* apic_store(guest, APIC_LVT0, APIC_DM_EXTINT);
  },
);

const interrupt_itself = fn(
  'With interrupts off, sends itself four: by a shorthand, by its ID, by its logical ID, and by a store that is a device’s message to QEMU and nothing to KVM.',
  function* interrupt_itself(guest: PcGuest) {
    yield* apic_store(guest, APIC_ICR, APIC_DEST_SELF | APIC_INT_ASSERT | BY_SHORTHAND);
    yield* apic_store(guest, APIC_ICR2, 0);
    yield* apic_store(guest, APIC_ICR, APIC_INT_ASSERT | BY_ID);
    yield* apic_store(guest, APIC_ICR2, LOGICAL_ID);
    yield* apic_store(guest, APIC_ICR, APIC_DEST_LOGICAL | APIC_INT_ASSERT | BY_LOGICAL_ID);
    yield* apic_store(guest, 0, BY_MESSAGE);
  },
);

const apic_interrupt = fn(
  'An interrupt of the local APIC: looks at the processor priority, which is the vector’s class now, and ends it.',
  function* apic_interrupt(guest: PcGuest) {
    yield* guest.cpu.load(APIC_DEFAULT_PHYS_BASE + APIC_PROCPRI, 4);
    yield* apic_store(guest, APIC_EOI, 0);
  },
);

/** Virtual wire: the pair's interrupts come through the local APIC, which has vectors of its own. */
export const virtual_wire: PicProgram = {
  ...nested,
  *initialize(guest) {
    yield* nested.initialize(guest);
    yield* enable_apic(guest);
    yield* interrupt_itself(guest);
  },
  interrupt: (guest, irq) =>
    irq + ISA_IRQ_VECTOR(0) >= BY_SHORTHAND ? architecturally('hardirq', apic_interrupt)(guest) : nested.interrupt(guest, irq),
};
