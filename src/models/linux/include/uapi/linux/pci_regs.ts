/** The PCI configuration registers that the models touch, with the header's names: the kernel's, and QEMU's copy of it. */

export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_COMMAND_INTX_DISABLE = 0x400;
export const PCI_STATUS_INTERRUPT = 0x08;

/** The names of PCI_COMMAND's bits, without their prefix. */
export const PCI_COMMAND_BITS = [
  'IO',
  'MEMORY',
  'MASTER',
  undefined,
  undefined,
  undefined,
  'PARITY',
  undefined,
  'SERR',
  undefined,
  'INTX_DISABLE',
] as const;
/** The names of PCI_STATUS's bits, without their prefix. */
export const PCI_STATUS_BITS = [undefined, undefined, undefined, 'INTERRUPT', 'CAP_LIST'] as const;
