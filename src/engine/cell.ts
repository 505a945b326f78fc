import type { Machine } from './machine';
import { running } from './running';

/**
 * State is cells. A cell is named as the upstream field, holds one number, and is written only through the
 * machine, which journals the write with the step that made it.
 */

/** How a cell's number is read and shown. */
export type CellType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int' }
  | { readonly kind: 'hex'; readonly bits: 8 | 16 | 32 }
  /** A word whose bits have names: `names` of the single ones, least significant first, `fields` of all. */
  | {
      readonly kind: 'bits';
      readonly bits: 8 | 16 | 32;
      readonly names: readonly (string | undefined)[];
      readonly fields: readonly BitField[];
    }
  /** 32 of the vectors of a wide register: bit 0 stands for vector `first`. */
  | { readonly kind: 'vectors'; readonly bits: 32; readonly first: number }
  /** A C enumeration or a set of constants: number to name. */
  | { readonly kind: 'enum'; readonly names: ReadonlyMap<number, string> }
  /** A pointer: 0 is NULL, anything else the number of an object of this machine. */
  | { readonly kind: 'pointer' };

/** A bit of a word, or several side by side, that has a name. */
export interface BitField {
  readonly name: string;
  /** Its lowest bit. */
  readonly low: number;
  readonly width: number;
  /** What it says, in a sentence. */
  readonly means?: string;
  /** What its values are called. */
  readonly values?: readonly (string | undefined)[];
}

/** One cell as a machine knows it. `id` is its index in the machine's state. */
export interface Cell {
  readonly id: number;
  readonly component: Component;
  /** The field's name within its component, as C spells it: `masked`, `redirtbl[21].remote_irr`. */
  readonly name: string;
  readonly type: CellType;
  /** What it holds, in a sentence, where that is not plain from its name. */
  readonly means: string | undefined;
  readonly initial: number;
  /** The identifier that stands in upstream source where this cell is written. */
  readonly token: string;
}

/** A structure instance: a `vfio_pci_irq_ctx`, an eventfd, an I/O APIC. */
export interface Component {
  readonly id: number;
  /** The C structure's name. */
  readonly struct: string;
  /** This instance among others of its structure: `intx.interrupt`, `vCPU 0`. */
  readonly name: string;
  readonly doc: string;
  /** The step at which it was allocated; -1 when it was there from the start. */
  readonly born: number;
  readonly cells: Cell[];
}

interface AnyField {
  readonly type: CellType;
  readonly means?: string;
}

/** A field of a structure: how its value looks to the models (`V`) and how it is held (a number). */
export interface Field<V> extends AnyField {
  readonly initial: V;
  readonly encode: (value: V, machine: Machine) => number;
  readonly decode: (held: number, machine: Machine) => V;
}

const asIs = { encode: (value: number) => value, decode: (held: number) => held };

/** A C `bool` or a one-bit field that is used as one. */
export const bool = (initial = false): Field<boolean> => ({
  type: { kind: 'bool' },
  initial,
  encode: Number,
  decode: (held) => held !== 0,
});

/** A decimal number: a count, a depth, a time. */
export const int = (initial = 0): Field<number> => ({ type: { kind: 'int' }, initial, ...asIs });

/** An unsigned word of 8, 16 or 32 bits, shown in hexadecimal. Values are truncated to its width as C would. */
export const hex = (bits: 8 | 16 | 32, initial = 0): Field<number> => ({
  type: { kind: 'hex', bits },
  initial,
  encode: (value) => (value & (bits === 32 ? -1 : (1 << bits) - 1)) >>> 0,
  decode: (held) => held,
});

/** A word with named bits, least significant first. */
export const bits = (width: 8 | 16 | 32, names: readonly (string | undefined)[], initial = 0): Field<number> =>
  register(
    width,
    names.flatMap((name, low) => (name === undefined ? [] : [{ name, low, width: 1 }])),
    initial,
  );

/** A word as a data sheet draws it: bits, and runs of bits, with names and meanings. */
export const register = (width: 8 | 16 | 32, fields: readonly BitField[], initial = 0): Field<number> => {
  const names = Array.from({ length: width }, (_, bit) => fields.find((field) => field.low === bit && field.width === 1)?.name);
  return { ...hex(width, initial), type: { kind: 'bits', bits: width, names, fields: fields.toSorted((a, b) => a.low - b.low) } };
};

/** A bit of a register. */
export const bit = (low: number, name: string, means?: string): BitField => ({ name, low, width: 1, ...(means ? { means } : {}) });

/** Bits `high` down to `low` of a register, which are a number together. */
export const bitsOf = (high: number, low: number, name: string, means: string, values?: BitField['values']): BitField => ({
  name,
  low,
  width: high - low + 1,
  means,
  ...(values ? { values } : {}),
});

/** Word `n` of a 256-bit register that has one bit per vector. */
export const vectors = (n: number): Field<number> => ({ ...hex(32), type: { kind: 'vectors', bits: 32, first: 32 * n } });

/** Says what a field holds, in a sentence. */
export const means = <V>(sentence: string, field: Field<V>): Field<V> => ({ ...field, means: sentence });

/** One of a set of named constants. */
export const oneOf = <const T extends Readonly<Record<string, number>>>(constants: T, initial: T[keyof T]): Field<T[keyof T]> => ({
  type: { kind: 'enum', names: new Map(Object.entries(constants).map(([name, value]) => [value, name])) },
  initial,
  encode: (value) => value,
  decode: (held) => held as T[keyof T],
});

/** A pointer to another structure instance; `undefined` is NULL. */
export const pointer = <T extends Instance>(): Field<T | undefined> => ({
  type: { kind: 'pointer' },
  initial: undefined,
  encode: (value) => (value === undefined ? 0 : value[COMPONENT].id + 1),
  decode: (held, machine) => (held === 0 ? undefined : (machine.instance(held - 1) as T)),
});

export const COMPONENT = Symbol('component');

/** What every structure instance has besides its fields. */
export interface Instance {
  readonly [COMPONENT]: Component;
}

type ValueOf<F> = F extends Field<infer V> ? V : never;

/** An instance of a structure with fields `F`: its cells read and written as plain properties. */
export type Struct<F> = { -readonly [K in keyof F]: ValueOf<F[K]> } & Instance;

/** The instance type that a structure definition makes. */
export type InstanceOf<D> = D extends (...args: never[]) => infer S ? S : never;

/**
 * Defines a C structure: calling the result allocates an instance in the running machine. Assigning to one of
 * its properties is a journaled write; reading is free. A key such as `redirtbl[3].mask` names a nested field.
 * @param name the structure's name, as C spells it
 * @param doc what it is, in a sentence
 */
export function struct<F extends Readonly<Record<string, AnyField>>>(
  name: string,
  doc: string,
  fields: F,
): (instance: string, initial?: Partial<{ [K in keyof F]: ValueOf<F[K]> }>) => Struct<F> {
  const entries = Object.entries(fields as unknown as Readonly<Record<string, Field<unknown>>>);
  // All instances share their accessors: what they are is then plain to the engine that runs this.
  const shape = Object.create(
    Object.prototype,
    Object.fromEntries(entries.map(([key, field], index) => [key, accessor(field, index)])),
  ) as object;
  return (instanceName, initial = {}) => {
    const machine = running();
    const component = machine.allocate(name, instanceName, doc);
    for (const [key, field] of entries) {
      const given = (initial as Record<string, unknown>)[key];
      machine.addCell(component, key, field.type, field.encode(given === undefined ? field.initial : given, machine), field.means);
    }
    const instance: Held = Object.assign(Object.create(shape) as object, { [COMPONENT]: component, [MACHINE]: machine });
    machine.adopt(instance);
    return instance as unknown as Struct<F>;
  };
}

const MACHINE = Symbol('machine');

/** What an instance's accessors need. */
interface Held extends Instance {
  readonly [MACHINE]: Machine;
}

const accessor = (field: Field<unknown>, index: number): PropertyDescriptor & ThisType<Held> => ({
  enumerable: true,
  get() {
    const machine = this[MACHINE];
    return field.decode(machine.peek(this[COMPONENT].cells[index]!.id), machine);
  },
  set(value: unknown) {
    const machine = this[MACHINE];
    machine.write(this[COMPONENT].cells[index]!, field.encode(value, machine));
  },
});

/** The last identifier of a cell's name: what stands in source where the field is written. */
export function fieldToken(name: string): string {
  return /([A-Za-z_]\w*)(\[[^\]]*\])*$/.exec(name)?.[1] ?? name;
}

/** A cell's number as people read it: `true`, `0x26`, `PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE`, `KVM_MP_STATE_RUNNABLE`. */
export function formatValue(type: CellType, value: number, nameOf: (component: number) => string): string {
  switch (type.kind) {
    case 'bool':
      return value === 0 ? 'false' : 'true';
    case 'int':
      return String(value);
    case 'hex':
    case 'vectors':
      return `0x${value.toString(16).padStart(type.bits / 4, '0')}`;
    case 'bits': {
      const set = type.names.filter((name, bit) => name !== undefined && (value >>> bit) & 1);
      const plain = `0x${value.toString(16).padStart(type.bits / 4, '0')}`;
      return set.length === 0 ? plain : `${plain} ${set.join(' | ')}`;
    }
    case 'enum':
      return type.names.get(value) ?? String(value);
    case 'pointer':
      return value === 0 ? 'NULL' : `&${nameOf(value - 1)}`;
  }
}
