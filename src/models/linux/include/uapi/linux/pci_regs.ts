/** The PCI configuration registers that the models touch, with the header's names: the kernel's, and QEMU's copy of it. */

export const PCI_VENDOR_ID = 0x00;
export const PCI_DEVICE_ID = 0x02;
export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_BASE_ADDRESS_0 = 0x10;
export const PCI_INTERRUPT_LINE = 0x3c;
export const PCI_ROM_ADDRESS = 0x30;
export const PCI_ROM_ADDRESS_MASK = 0xfffff800;
export const PCI_INTERRUPT_PIN = 0x3d;
export const PCI_COMMAND_MEMORY = 0x2;
export const PCI_COMMAND_MASTER = 0x4;
export const PCI_COMMAND_INTX_DISABLE = 0x400;
export const PCI_STATUS_INTERRUPT = 0x08;

/** The MSI capability, by offset from its start. */
export const PCI_MSI_FLAGS = 0x02;
export const PCI_MSI_ADDRESS_LO = 0x04;
export const PCI_MSI_ADDRESS_HI = 0x08;
export const PCI_MSI_DATA_64 = 0x0c;
export const PCI_MSI_FLAGS_ENABLE = 0x01;
export const PCI_MSI_FLAGS_QMASK = 0x0e;
export const PCI_MSI_FLAGS_QSIZE = 0x70;
export const PCI_MSI_FLAGS_64BIT = 0x80;

/** The MSI-X capability. */
export const PCI_MSIX_FLAGS = 0x02;
export const PCI_MSIX_FLAGS_MASKALL = 0x4000;
export const PCI_MSIX_FLAGS_ENABLE = 0x8000;
export const PCI_MSIX_ENTRY_CTRL_MASKBIT = 1;
