import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { boundPointer, source } from '../../../../engine/fn';
import { at, atCall, atWrite, behind } from '../../../../engine/steps';
import { ptirq_intx_ack, ptirq_intx_pin_remap } from '../arch/x86/guest/assign';
import { vlapic_receive_intr } from '../arch/x86/guest/vlapic';
import { ioapic_rte, REMOTE_IRR, rteBits, type IoapicRte } from '../include/arch/x86/asm/apicreg';
import type { IoRequest } from '../include/arch/x86/asm/guest/vcpu';
import { VPIC_WIRE_MODES, type AcrnVm, type MemIoNode } from '../include/arch/x86/asm/guest/vm';
import { ACRN_IOREQ_DIR_WRITE, levelsOf, type GsiOperation } from '../include/public/acrn_common';
import * as ioapic_registers from '../../../hardware/registers/ioapic';

/** The hypervisor's I/O APIC. It remembers its pins' lines and honours their polarity. */

const RTBL_RO_BITS = 0x5000;
const ACRN_IOAPIC_VERSION = 0x11;
const IOAPIC_ID = 0x00;
const IOAPIC_VER = 0x01;
const IOAPIC_ARB = 0x02;
const IOAPIC_REDTBL = 0x10;
const IOAPIC_REGSEL = 0x00;
const IOAPIC_WINDOW = 0x10;
const VIOAPIC_RTE_NUM = 48;
/** Where a VM's I/O APIC is, unless it is the Service VM. */
export const VIOAPIC_BASE = 0xfec00000;
const VIOAPIC_SIZE = 4096;
const EINVAL = 22;

const VioapicCells = struct('acrn_single_vioapic', 'A virtual I/O APIC: the selected register, and the level of every pin’s line.', {
  'chipinfo.id': hex(8),
  ioregsel: ioapic_registers.ioregsel(),
  // uint64_t pin_state[], in 32-bit words.
  'pin_state[0]': ioapic_registers.pins('The level of each pin’s line.', 0, 32),
  'pin_state[1]': ioapic_registers.pins('The level of each pin’s line.', 32, 32),
});

export type AcrnSingleVioapic = InstanceOf<typeof VioapicCells> & {
  readonly rtbl: readonly IoapicRte[];
  readonly chipinfo: { readonly addr: number; readonly nr_pins: number; readonly gsi_base: number };
};

/** Makes an I/O APIC as vioapic_init() does: 48 masked pins, where a VM expects it. */
export function acrn_single_vioapic(name: string): AcrnSingleVioapic {
  const rtbl = Array.from({ length: VIOAPIC_RTE_NUM }, (_, pin) => ioapic_rte(`${name} rtbl[${pin}]`));
  return Object.assign(VioapicCells(name), { rtbl, chipinfo: { addr: VIOAPIC_BASE, nr_pins: VIOAPIC_RTE_NUM, gsi_base: 0 } });
}

const word = (pin: number) => `pin_state[${(pin >>> 5) as 0 | 1}]` as const;
const isHigh = (vioapic: AcrnSingleVioapic, pin: number): boolean => ((vioapic[word(pin)] >>> (pin & 31)) & 1) === 1;

const { fn, ops } = source('acrn', 'hypervisor/dm/vioapic.c');

const vioapic_generate_intr = fn(
  'Sends the pin’s interrupt, unless it is masked or, for a level, the previous one has not ended. Remote IRR is set before anybody accepted the message.',
  function* vioapic_generate_intr(vm: AcrnVm, vioapic: AcrnSingleVioapic, pin: number) {
    const rte = vioapic.rtbl[pin]!;
    const { masked, phys, delivery_mode, level, remote_irr, vector, dest_field } = rteBits(rte);
    at('intr_mask');
    if (masked || (level && remote_irr)) return;
    if (level) {
      atWrite('remote_irr', 'level');
      rte['u.lo_32'] |= REMOTE_IRR;
    }
    yield* vlapic_receive_intr(vm, level, dest_field, phys, delivery_mode, vector, false);
  },
);

const vioapic_set_pinstate = fn(
  'A pin is driven. It interrupts when its line changes to the level that its entry calls active.',
  function* vioapic_set_pinstate(vm: AcrnVm, vioapic: AcrnSingleVioapic, pin: number, level: 0 | 1) {
    const rte = vioapic.rtbl[pin];
    if (rte === undefined) return;
    const changes = isHigh(vioapic, pin) !== (level === 1);
    const change = level === 0 ? 'bitmap_clear_nolock' : 'bitmap_set_nolock';
    atCall(change);
    if (changes) vioapic[word(pin)] ^= 1 << (pin & 31);
    if (changes && rteBits(rte).activeLow === (level === 0)) {
      behind(change);
      yield* vioapic_generate_intr(vm, vioapic, pin);
    }
  },
);

const vgsi_to_vioapic_and_vpin = fn(
  'Finds the I/O APIC and the pin of a GSI. Only the Service VM, which has the platform’s, may have several.',
  function* vgsi_to_vioapic_and_vpin(vm: AcrnVm, vgsi: number) {
    at('vioapic_index');
    const vioapic = vm.vioapic_array.findLast(({ chipinfo }) => vgsi >= chipinfo.gsi_base);
    return vioapic && { vioapic, pin: vgsi - vioapic.chipinfo.gsi_base };
  },
);

export const vioapic_set_irqline_nolock = fn(
  'Drives a line: one level after the other for a pulse.',
  function* vioapic_set_irqline_nolock(vm: AcrnVm, vgsi: number, operation: GsiOperation) {
    const found = yield* vgsi_to_vioapic_and_vpin(vm, vgsi);
    if (found === undefined) return;
    for (const level of levelsOf(operation)) yield* vioapic_set_pinstate(vm, found.vioapic, found.pin, level);
  },
);

export const vioapic_set_irqline_lock = fn(
  'A device drives a line of the I/O APIC.',
  function* vioapic_set_irqline_lock(vm: AcrnVm, vgsi: number, operation: GsiOperation) {
    yield* vgsi_to_vioapic_and_vpin(vm, vgsi);
    yield* vioapic_set_irqline_nolock(vm, vgsi, operation);
  },
);

const vioapic_indirect_read = fn('The selected register.', function* vioapic_indirect_read(vioapic: AcrnSingleVioapic, addr: number) {
  const regnum = addr & 0xff;
  at('regnum');
  switch (regnum) {
    case IOAPIC_ID:
    case IOAPIC_ARB:
      return (vioapic['chipinfo.id'] << 24) >>> 0;
    case IOAPIC_VER:
      return ((vioapic.chipinfo.nr_pins - 1) << 16) | ACRN_IOAPIC_VERSION;
    default: {
      const rte = regnum < IOAPIC_REDTBL ? undefined : vioapic.rtbl[(regnum - IOAPIC_REDTBL) >> 1];
      return rte === undefined ? 0 : rte[regnum & 1 ? 'u.hi_32' : 'u.lo_32'];
    }
  }
});

const vioapic_need_intr = fn(
  'Whether the pin’s line is at its active level.',
  function* vioapic_need_intr(vioapic: AcrnSingleVioapic, pin: number) {
    at('intr_polarity');
    return rteBits(vioapic.rtbl[pin]!).activeLow !== isHigh(vioapic, pin);
  },
);

/** What an RTE write makes of the vPIC’s wiring; `undefined` for a change that there cannot be. */
function rewire(vm: AcrnVm, wasMasked: boolean): AcrnVm['wire_mode'] | undefined {
  const { VPIC_WIRE_INTR, VPIC_WIRE_IOAPIC, VPIC_WIRE_NULL } = VPIC_WIRE_MODES;
  if (!wasMasked) return vm.wire_mode === VPIC_WIRE_IOAPIC ? VPIC_WIRE_INTR : vm.wire_mode;
  return vm.wire_mode === VPIC_WIRE_NULL || vm.wire_mode === VPIC_WIRE_INTR ? VPIC_WIRE_IOAPIC : undefined;
}

const vioapic_indirect_write = fn(
  'The guest writes the selected register. Remote IRR and the delivery status survive, but a pin that becomes an edge pin forgets remote IRR. An open pin whose line is active interrupts at once, an edge pin too.',
  function* vioapic_indirect_write(vm: AcrnVm, vioapic: AcrnSingleVioapic, addr: number, data: number) {
    const regnum = addr & 0xff;
    if (regnum === IOAPIC_ID) vioapic['chipinfo.id'] = (data >>> 24) & 0xf;
    const pin = (regnum - IOAPIC_REDTBL) >> 1;
    const rte = regnum < IOAPIC_REDTBL ? undefined : vioapic.rtbl[pin];
    if (rte === undefined) return;

    const last = rteBits(rte);
    const half = regnum & 1 ? 'u.hi_32' : 'u.lo_32';
    const written = half === 'u.hi_32' ? data : (rte['u.lo_32'] & RTBL_RO_BITS) | (data & ~RTBL_RO_BITS);
    const next = { 'u.lo_32': rte['u.lo_32'], 'u.hi_32': rte['u.hi_32'], [half]: written >>> 0 };
    if (!rteBits(next).level) next['u.lo_32'] &= ~REMOTE_IRR;
    const { masked } = rteBits(next);

    if (pin === 0 && masked !== last.masked) {
      const mode = rewire(vm, last.masked);
      if (mode === undefined) return;
      if (mode !== vm.wire_mode) vm.wire_mode = mode;
    }
    atWrite('rtbl', 'wire_mode_valid');
    rte['u.lo_32'] = next['u.lo_32'];
    rte['u.hi_32'] = next['u.hi_32'];
    if (!masked || !last.masked) yield* ptirq_intx_pin_remap(vm, vioapic.chipinfo.gsi_base + pin, 'INTX_CTLR_IOAPIC');
    if (!masked && !rteBits(rte).remote_irr && (yield* vioapic_need_intr(vioapic, pin))) yield* vioapic_generate_intr(vm, vioapic, pin);
  },
);

const vioapic_mmio_rw = fn(
  'An access to the I/O APIC’s page: the register select, or the window onto the selected register.',
  function* vioapic_mmio_rw(vm: AcrnVm, vioapic: AcrnSingleVioapic, gpa: number, data: number | undefined) {
    at('offset');
    switch (gpa - vioapic.chipinfo.addr) {
      case IOAPIC_REGSEL:
        if (data === undefined) return vioapic.ioregsel;
        vioapic.ioregsel = data & 0xff;
        return 0;
      case IOAPIC_WINDOW:
        if (data === undefined) return yield* vioapic_indirect_read(vioapic, vioapic.ioregsel);
        yield* vioapic_indirect_write(vm, vioapic, vioapic.ioregsel, data);
        return 0;
      default:
        return data === undefined ? 0xffffffff : 0;
    }
  },
);

const vioapic_process_eoi = fn(
  'The guest has ended a vector: passed-through devices are told first, so that their lines are down; then every pin that sends it may interrupt again, and does if its line is still active.',
  function* vioapic_process_eoi(vm: AcrnVm, vioapic: AcrnSingleVioapic, vector: number) {
    const inService = (): readonly number[] =>
      vioapic.rtbl.flatMap((rte, pin) => (rteBits(rte).vector === vector && rteBits(rte).remote_irr ? [pin] : []));
    for (const pin of inService()) yield* ptirq_intx_ack(vm, vioapic.chipinfo.gsi_base + pin, 'INTX_CTLR_IOAPIC');
    for (const pin of inService()) {
      behind('ptirq_intx_ack remote_irr');
      at('remote_irr');
      vioapic.rtbl[pin]!['u.lo_32'] &= ~REMOTE_IRR;
      if (yield* vioapic_need_intr(vioapic, pin)) yield* vioapic_generate_intr(vm, vioapic, pin);
    }
  },
);

export const vioapic_broadcast_eoi = fn(
  'The end of a level interrupt, told to every I/O APIC as a local APIC does.',
  function* vioapic_broadcast_eoi(vm: AcrnVm, vector: number) {
    for (const vioapic of vm.vioapic_array) yield* vioapic_process_eoi(vm, vioapic, vector);
  },
);

export const vioapic_mmio_access_handler = fn(
  'The guest accesses the I/O APIC’s page: 32 bits at a time, or not at all.',
  function* vioapic_mmio_access_handler(
    vm: AcrnVm,
    vioapic: AcrnSingleVioapic,
    mmio: Pick<IoRequest, 'direction' | 'address' | 'size' | 'value'>,
  ) {
    at('size');
    if (mmio.size !== 4) return -EINVAL;
    const write = mmio.direction === ACRN_IOREQ_DIR_WRITE;
    const value = yield* vioapic_mmio_rw(vm, vioapic, mmio.address, write ? mmio.value >>> 0 : undefined);
    if (!write) mmio.value = value;
    return 0;
  },
);

const vioapic_init = ops('vioapic_init', { read_write: vioapic_mmio_access_handler });

/** The pages that a VM's I/O APICs answer for. */
export const vioapic_pages = (vm: AcrnVm): readonly MemIoNode[] =>
  vm.vioapic_array.map((vioapic) => ({
    range_start: vioapic.chipinfo.addr,
    range_end: vioapic.chipinfo.addr + VIOAPIC_SIZE,
    read_write: boundPointer(
      boundPointer(vioapic_init.read_write, () => vm),
      () => vioapic,
    ),
  }));
