import type { ParameterSpec } from './flow';

/** Parameters that several flows have. */

/** Which QEMU. */
export const qemuVersion: ParameterSpec = {
  kind: 'choice',
  name: 'qemu',
  title: 'QEMU',
  description: 'The QEMU that is modelled.',
  default: '7.2',
  choices: [{ value: '7.2', title: 'QEMU 7.2' }],
};

/** Whether the device that is passed through is a PCI Express one. */
export const pciExpress: ParameterSpec = {
  kind: 'boolean',
  name: 'pci-express',
  title: 'PCI Express',
  description:
    'On: the device can report errors (AER), and QEMU listens to them by an eventfd of its own: an error will stop the machine. Off: a conventional PCI device.',
  default: false,
};
