import type { Cell, Component, Instance } from '../../../src/engine/cell';
import { NO_STEP } from '../../../src/engine/journal';
import type { Machine, Parameters } from '../../../src/engine/machine';
import { within } from '../../../src/engine/running';

/** Cells without threads, frames and a journal: what is left of a machine when only the models' registers are wanted. */
export function bareMachine(parameters: Parameters): <T>(body: () => T) => T {
  const components: Component[] = [];
  const instances: Instance[] = [];
  const values: number[] = [];
  const none = (): never => {
    throw new Error('there is no machine around bare models');
  };
  const machine = {
    parameters,
    currentThread: 0,
    mustYield: false,
    lastStep: NO_STEP,
    at() {},
    signal: () => NO_STEP,
    causedBy() {},
    here: () => ({ name: '', home: { world: 'hardware', path: '', formerly: [] }, does: '', formerly: [] }) as const,
    allocate(struct: string, name: string, doc: string): Component {
      const component: Component = { id: components.length, struct, name, doc, born: NO_STEP, cells: [] };
      components.push(component);
      return component;
    },
    addCell(component: Component, name: string, type: Cell['type'], initial: number, means?: string): Cell {
      const cell: Cell = { id: values.length, component, name, type, means, initial, token: name };
      component.cells.push(cell);
      values.push(initial);
      return cell;
    },
    adopt: (instance: Instance) => void instances.push(instance),
    instance: (component: number) => instances[component]!,
    peek: (cell: number) => values[cell]!,
    write(cell: Cell, value: number) {
      values[cell.id] = value;
    },
    thread: none,
  };
  return (body) => within(machine as unknown as Machine, body);
}
