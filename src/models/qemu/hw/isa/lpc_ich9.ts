import { hex, struct, type InstanceOf } from '../../../../engine/cell';
import { source } from '../../../../engine/fn';
import type { Run } from '../../../../engine/machine';
import { at, atCall } from '../../../../engine/steps';
import { element, type Element } from '../../element';
import { PCI_INTX_ENABLED, pci_bus_get_irq_level, type PCIBus, type PCIDevice, type PCIINTxRoute } from '../../include/hw/pci/pci';
import { withOpaque } from '../../opaque';
import { qemu_set_irq, type IRQState } from '../core/irq';
import { pci_bus_fire_intx_routing_notifier, do_pci_register_device, pci_default_write_config } from '../pci/pci';

/** The ICH9's LPC bridge: routes PIRQ A to H to GSI 16 to 23, and to the PIC where the guest asks for it. */

export const ICH9_LPC_PIRQA_ROUT = 0x60;
export const ICH9_LPC_PIRQE_ROUT = 0x68;
/** In a PIRQx_ROUT register: not routed to the PIC. */
export const ICH9_LPC_PIRQ_ROUT_IRQEN = 0x80;
const ICH9_LPC_PIRQ_ROUT_MASK = 0xf;
const ICH9_LPC_PIC_NUM_PINS = 16;

const PIRQS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'] as const;

// As a guest that uses the I/O APIC leaves them: firmware's choice of PIC inputs, switched off.
const [IRQ10, IRQ11] = [hex(8, ICH9_LPC_PIRQ_ROUT_IRQEN | 10), hex(8, ICH9_LPC_PIRQ_ROUT_IRQEN | 11)];

const ICH9LPCStateCells = struct(
  'ICH9LPCState',
  'The LPC bridge of the q35 board: which PIC input each PIRQ is routed to, with bit 7 set where it is not.',
  {
    'd.config[PIRQA_ROUT]': IRQ10,
    'd.config[PIRQB_ROUT]': IRQ10,
    'd.config[PIRQC_ROUT]': IRQ11,
    'd.config[PIRQD_ROUT]': IRQ11,
    'd.config[PIRQE_ROUT]': IRQ10,
    'd.config[PIRQF_ROUT]': IRQ10,
    'd.config[PIRQG_ROUT]': IRQ11,
    'd.config[PIRQH_ROUT]': IRQ11,
  },
);

export type ICH9LPCState = InstanceOf<typeof ICH9LPCStateCells> & {
  /** The bridge as a device on the bus whose interrupts it routes. */
  readonly d: PCIDevice;
  readonly gsi: readonly IRQState[];
};

/** As firmware leaves the routes for a guest that uses the 8259. */
const ROUTED_TO_PIC = { 'd.config[PIRQE_ROUT]': 10, 'd.config[PIRQF_ROUT]': 10, 'd.config[PIRQG_ROUT]': 11, 'd.config[PIRQH_ROUT]': 11 };

/**
 * Makes the bridge and puts it on the bus.
 * @param to_pic whether the PIRQs of PCI slots are routed to the 8259
 */
export function ich9_lpc(bus: PCIBus, devfn: number, gsi: readonly IRQState[], to_pic: boolean): ICH9LPCState {
  const cells = ICH9LPCStateCells('ICH9-LPC', to_pic ? ROUTED_TO_PIC : {});
  const d: PCIDevice = {
    name: 'ICH9-LPC',
    devfn,
    bus,
    irq_state: 0,
    config: new Map<number, Element>(PIRQS.map((pirq, n) => [routRegister(n), element(cells, `d.config[PIRQ${pirq}_ROUT]`)])),
    config_read: withOpaque(do_pci_register_device.config_read, () => d),
    config_write: withOpaque(ich9_lpc_class_init.config_write, () => d),
    intx_routing_notifier: undefined,
  };
  bus.devices.push(d);
  return Object.assign(cells, { d, gsi });
}

const routRegister = (pirq: number): number => (pirq < 4 ? ICH9_LPC_PIRQA_ROUT + pirq : ICH9_LPC_PIRQE_ROUT + pirq - 4);

const { fn, ops } = source('qemu', 'hw/isa/lpc_ich9.c');

/** ich9_lpc_pic_irq(): the PIC input of a PIRQ, and whether that route is off. */
function ich9_lpc_pic_irq({ d }: ICH9LPCState, pirq_num: number): { readonly pic_irq: number; readonly pic_dis: boolean } {
  const rout = d.config.get(routRegister(pirq_num))?.value ?? ICH9_LPC_PIRQ_ROUT_IRQEN;
  return { pic_irq: rout & ICH9_LPC_PIRQ_ROUT_MASK, pic_dis: (rout & ICH9_LPC_PIRQ_ROUT_IRQEN) !== 0 };
}

const ich9_lpc_update_pic = fn(
  'Drives a PIC input to what the PIRQs that are routed to it have together: 0 where none is.',
  function* ich9_lpc_update_pic(lpc: ICH9LPCState, gsi: number) {
    atCall('pci_bus_get_irq_level');
    const routed = PIRQS.some((_, pirq) => {
      const { pic_irq, pic_dis } = ich9_lpc_pic_irq(lpc, pirq);
      return !pic_dis && pic_irq === gsi && pci_bus_get_irq_level(lpc.d.bus, pirq) === 1;
    });
    yield* qemu_set_irq(lpc.gsi[gsi], routed ? 1 : 0);
  },
);

const ich9_lpc_update_apic = fn(
  'Drives the I/O APIC’s input of a PIRQ, which no other PIRQ shares.',
  function* ich9_lpc_update_apic(lpc: ICH9LPCState, gsi: number) {
    atCall('pci_bus_get_irq_level');
    yield* qemu_set_irq(lpc.gsi[gsi], pci_bus_get_irq_level(lpc.d.bus, gsi - ICH9_LPC_PIC_NUM_PINS));
  },
);

export const ich9_lpc_set_irq = fn(
  'A PIRQ has changed: drives its I/O APIC input, and its PIC input too, even where that route is off.',
  function* ich9_lpc_set_irq(lpc: ICH9LPCState, pirq: number, _level: 0 | 1) {
    yield* ich9_lpc_update_apic(lpc, pirq + ICH9_LPC_PIC_NUM_PINS);
    atCall('ich9_lpc_pic_irq');
    yield* ich9_lpc_update_pic(lpc, ich9_lpc_pic_irq(lpc, pirq).pic_irq);
  },
);

export const ich9_lpc_map_irq = fn(
  'The PIRQ that a device’s pin is wired to.',
  function* ich9_lpc_map_irq(_lpc: ICH9LPCState, devfn: number, intx: number) {
    at('irr');
    return (((devfn >> 3) + intx) % 4) + 4;
  },
);

export const ich9_route_intx_pin_to_irq = fn(
  'The GSI that a PIRQ arrives at: the PIC’s where the guest routes it there, else the I/O APIC’s.',
  function* ich9_route_intx_pin_to_irq(lpc: ICH9LPCState, pirq_pin: number): Run<PCIINTxRoute> {
    atCall('ich9_lpc_pic_irq');
    const { pic_irq, pic_dis } = ich9_lpc_pic_irq(lpc, pirq_pin);
    return { mode: PCI_INTX_ENABLED, irq: pic_dis ? pirq_pin + ICH9_LPC_PIC_NUM_PINS : pic_irq };
  },
);

const ich9_lpc_config_write = fn(
  'The guest configures the bridge; a write to a PIRQx_ROUT register changes the interrupt routing.',
  function* ich9_lpc_config_write(d: PCIDevice, addr: number, val: number, len: number) {
    yield* pci_default_write_config(d, addr, val, len);
    at('ranges_overlap');
    yield* pci_bus_fire_intx_routing_notifier(d.bus);
  },
);

const ich9_lpc_class_init = ops('ich9_lpc_class_init', { config_write: ich9_lpc_config_write });
