import type { Project } from '../engine/reference';
import { running } from '../engine/running';

/** Whether the run's tree of `project` is at least `version`; both are dotted numbers. */
export function since(project: Project, version: string): boolean {
  const own = String(running().parameters[project] ?? '').split('.');
  const asked = version.split('.');
  for (const [index, part] of asked.entries()) {
    const difference = Number(own[index] ?? 0) - Number(part);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
