import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Run } from '../../../../src/engine/machine';
import { host_ioapic_pin } from '../../../../src/models/hardware/host_irq';
import { pci_function, type PciFunction } from '../../../../src/models/hardware/pci_function';
import { ioapic_ir_chip, mp_register_handler } from '../../../../src/models/linux/arch/x86/kernel/apic/io_apic';
import { pci_dev } from '../../../../src/models/linux/drivers/pci/pci';
import { vfio_pci_ops } from '../../../../src/models/linux/drivers/vfio/pci/vfio_pci';
import { vfio_config_init } from '../../../../src/models/linux/drivers/vfio/pci/vfio_pci_config';
import { vfio_pci_core_device, type VfioPciCoreDevice } from '../../../../src/models/linux/drivers/vfio/pci/vfio_pci_priv';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_VENDOR_ID,
} from '../../../../src/models/linux/include/uapi/linux/pci_regs';
import { VFIO_PCI_CONFIG_REGION_INDEX } from '../../../../src/models/linux/include/uapi/linux/vfio';
import { irq_desc } from '../../../../src/models/linux/kernel/irq/irqdesc';
import { onMachine } from '../support';

/** Laws of the virtual configuration space: what a user writes is his as far as it is virtual, and the device's as far as he may. */

const host = { system_wq: undefined, vfio_irqfd_cleanup_wq: undefined } as never;

/** Runs with a device whose virtual configuration space has just been made. */
function withDevice(linux: string, body: (vdev: VfioPciCoreDevice, device: PciFunction) => Run): void {
  onMachine(
    function* () {
      const header = new Map([
        [PCI_VENDOR_ID, 0x8086],
        [PCI_DEVICE_ID, 0x10c9],
        [PCI_INTERRUPT_PIN, 1],
      ]);
      const device = pci_function('device', true, undefined, header);
      const desc = irq_desc('irq', 1, ioapic_ir_chip, mp_register_handler.handle_irq, host_ioapic_pin().pin);
      const vdev = vfio_pci_core_device(pci_dev(device, desc, 'device'), host, vfio_pci_ops);
      yield* vfio_config_init(vdev);
      yield* body(vdev, device);
    },
    { linux },
  );
}

const read = ({ vdev }: VfioPciCoreDevice, where: number, size: number) => vdev.ops.read.target(VFIO_PCI_CONFIG_REGION_INDEX, where, size);
const write = ({ vdev }: VfioPciCoreDevice, where: number, size: number, value: number) =>
  vdev.ops.write.target(VFIO_PCI_CONFIG_REGION_INDEX, where, size, value);

const linux = fc.constantFrom('6.1', '6.12');
const register = fc.constantFrom(PCI_VENDOR_ID, PCI_DEVICE_ID, PCI_COMMAND, PCI_BASE_ADDRESS_0, PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN);
const writes = fc.array(fc.record({ where: register, value: fc.nat(0xffffffff) }), { maxLength: 20 });

test('whatever a user writes: who made the device and its interrupt pin stay', () => {
  fc.assert(
    fc.property(linux, writes, (version, ops) => {
      withDevice(version, function* (vdev) {
        for (const { where, value } of ops) {
          yield* write(vdev, where, where === PCI_BASE_ADDRESS_0 ? 4 : where >= PCI_INTERRUPT_LINE ? 1 : 2, value);
          assert.equal(yield* read(vdev, PCI_VENDOR_ID, 2), 0x8086);
          assert.equal(yield* read(vdev, PCI_DEVICE_ID, 2), 0x10c9);
          assert.equal(yield* read(vdev, PCI_INTERRUPT_PIN, 1), 1);
        }
      });
    }),
    { numRuns: 100 },
  );
});

test('PCI_COMMAND: the user reads back what he wrote; memory and mastering reach the device, and DisINTx by way of masking it', () => {
  fc.assert(
    fc.property(linux, fc.nat(0xffff), (version, value) => {
      withDevice(version, function* (vdev, device) {
        yield* write(vdev, PCI_COMMAND, 2, value);
        const seen = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE;
        assert.equal((yield* read(vdev, PCI_COMMAND, 2)) & seen, value & seen);
        assert.equal(device.PCI_COMMAND & seen, value & seen);
      });
    }),
  );
});

test('a BAR holds any address that suits its size, and says that size', () => {
  fc.assert(
    fc.property(linux, fc.nat(0xffffffff), (version, value) => {
      withDevice(version, function* (vdev) {
        yield* write(vdev, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
        const size = (yield* read(vdev, PCI_BASE_ADDRESS_0, 4)) >>> 0;
        yield* write(vdev, PCI_BASE_ADDRESS_0, 4, value);
        assert.equal((yield* read(vdev, PCI_BASE_ADDRESS_0, 4)) >>> 0, (value & size) >>> 0);
        assert.equal(size, 0xfffff000, '4 KiB');
      });
    }),
  );
});

test('no sequence of accesses to any region throws', () => {
  const access = fc.record({
    region: fc.nat(9),
    where: fc.nat(0x120),
    size: fc.constantFrom(1, 2, 4, 8),
    value: fc.nat(0xffffffff),
    is_write: fc.boolean(),
  });
  fc.assert(
    fc.property(linux, fc.array(access, { maxLength: 20 }), (version, ops) => {
      withDevice(version, function* ({ vdev }) {
        for (const { region, where, size, value, is_write } of ops) {
          const ret = is_write
            ? yield* vdev.ops.write.target(region, where, size, value)
            : yield* vdev.ops.read.target(region, where, size);
          assert.equal(typeof ret, 'number');
        }
      });
    }),
    { numRuns: 100 },
  );
});
