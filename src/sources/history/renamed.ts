import type { Fact } from '../history';

/**
 * An identifier that has had several names, whichever of them a model uses: `renamed('ack_APIC_irq', '6.10', 'apic_eoi')`
 * says that from 6.10 on it is `apic_eoi`. More versions and names may follow.
 */
export function renamed(first: string, ...then: readonly string[]): Readonly<Record<string, readonly Fact[]>> {
  const names = [first, ...then.filter((_, i) => i % 2 === 1)];
  const versions = then.filter((_, i) => i % 2 === 0);
  const eras = names.map((symbol, i): Fact => ({ symbol, ...bounds(versions[i - 1], versions[i]) }));
  return Object.fromEntries(names.map((name) => [name, eras.filter(({ symbol }) => symbol !== name)]));
}

const bounds = (since: string | undefined, until: string | undefined): Fact => ({
  ...(since === undefined ? {} : { since }),
  ...(until === undefined ? {} : { until }),
});
