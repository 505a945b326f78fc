import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** What the real code did, run outside of its project: see test/fixtures/golden/README.md. */

export interface GoldenScenario<Step> {
  readonly ops: readonly string[];
  /** One per operation: QEMU 7.2, Linux 6.1, Linux 6.12, and for the 8259 ACRN 3.4. */
  readonly q72: readonly Step[];
  readonly kvm61: readonly Step[];
  readonly kvm612: readonly Step[];
  readonly acrn34?: readonly Step[];
}

type Scenarios<Step> = Readonly<Record<string, GoldenScenario<Step>>>;

/** One 8259 after an operation; registers are hexadecimal. */
export interface GoldenChip {
  readonly irr: string;
  readonly last_irr: string;
  readonly imr: string;
  readonly isr: string;
  readonly priority_add: number;
}

/** A pair of 8259s after an operation. */
export interface GoldenPicStep {
  readonly m: GoldenChip;
  readonly s: GoldenChip;
  readonly int: number;
  readonly rises?: number;
  readonly kicks?: number;
  readonly acks?: number;
  readonly ret?: number;
  /** The vector of an acknowledge cycle, hexadecimal. */
  readonly vec?: string;
  /** What a port read gave, hexadecimal. */
  readonly read?: string;
}

/** An I/O APIC after an operation, and what it sent: vector and `E` or `L`. */
export interface GoldenIoapicStep {
  readonly irr: string;
  readonly remote_irr: readonly number[];
  readonly sent?: readonly string[];
  readonly irq_eoi?: string;
  readonly inta?: boolean;
  readonly acks?: number;
  readonly ret?: number;
}

/** Priority arithmetic of a local APIC. */
export interface GoldenLapicRow {
  readonly tpr: number;
  readonly isr: number;
  readonly irr: number;
  readonly ppr: number;
  readonly kvm: number;
  readonly qemu: number;
  readonly acrn: number;
}

const read = (file: string): unknown => {
  const bytes = readFileSync(`test/fixtures/golden/${file}`);
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString());
};

export const goldenPic = (): Scenarios<GoldenPicStep> => (read('pic.json.gz') as { scenarios: Scenarios<GoldenPicStep> }).scenarios;
export const goldenIoapic = (): Scenarios<GoldenIoapicStep> =>
  (read('ioapic.json') as { scenarios: Scenarios<GoldenIoapicStep> }).scenarios;
export const goldenLapic = (): readonly GoldenLapicRow[] => (read('lapic.json') as { rows: readonly GoldenLapicRow[] }).rows;
