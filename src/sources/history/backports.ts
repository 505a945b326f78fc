import type { Fact } from '../history';

/** What holds before a release, except in the stable series (oldest first) that the change was backported to, or from a point release of them on. */
export function before(release: string, backportedTo: readonly string[], fact: Fact): readonly Fact[] {
  const ends = [...backportedTo.map(given), release];
  return ends.map((until, i) => (i === 0 ? { ...fact, until } : { ...fact, since: after(ends[i - 1]!), until }));
}

/** What holds from a release on, and in the stable series that the change was backported to. */
export function from(release: string, backportedTo: readonly string[], fact: Fact): readonly Fact[] {
  return [...backportedTo.map((series) => ({ ...fact, since: given(series), until: after(series) })), { ...fact, since: release }];
}

/** A series was not born with what was backported to it. */
const given = (series: string): string => (/^\d+\.\d+$/.test(series) ? `${series}.1` : series);

/** The series that follows: 6.13 after 6.12. */
function after(series: string): string {
  const [major, minor] = series.split('.').map(Number);
  return `${major}.${minor! + 1}`;
}
