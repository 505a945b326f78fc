import { t } from '@vscode/l10n';
import type { BitFieldView, CellType, CellView, ComponentView, RunOutline } from '../protocol';

/** What cells' numbers mean to people, and back: pure, so that each is tested by itself. */

const hexadecimal = (value: number, bits: number): string => `0x${value.toString(16).padStart(Math.ceil(bits / 4), '0')}`;

/** A cell's number as people read it; of a word with named bits only the number, as its bits stand beside it. */
export function formatValue(type: CellType, value: number, components: readonly ComponentView[]): string {
  switch (type.kind) {
    case 'bool':
      return value === 0 ? 'false' : 'true';
    case 'int':
      return String(value);
    case 'hex':
    case 'bits':
      return hexadecimal(value, type.bits);
    case 'vectors':
      return hexadecimal(value, 32);
    case 'enum':
      return type.names.find((named) => named.value === value)?.name ?? String(value);
    case 'pointer':
      return value === 0 ? 'NULL' : `&${components[value - 1]?.name ?? '?'}`;
  }
}

/** The number that some of a word's bits are. */
export const fieldValue = (word: number, { low, width }: Pick<BitFieldView, 'low' | 'width'>): number =>
  width === 32 ? word >>> 0 : (word >>> low) & (2 ** width - 1);

/** A word with some of its bits replaced. */
export function withField(word: number, { low, width }: Pick<BitFieldView, 'low' | 'width'>, value: number): number {
  const mask = width === 32 ? -1 : (2 ** width - 1) << low;
  return ((word & ~mask) | ((value << low) & mask)) >>> 0;
}

/** A field's number by its name, where it has one: `delivery mode Fixed`, else in hexadecimal. */
export const fieldText = (field: BitFieldView, value: number): string => field.values?.[value] || `0x${value.toString(16)}`;

/** The bits of a word that are set, lowest first. */
export const bitsSet = (word: number): readonly number[] => Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (word >>> bit) & 1);

/** A value that somebody typed, or why it cannot be one. */
export type Typed = { readonly value: number } | { readonly problem: string };

/** Reads what somebody typed as the value of a cell: decimal or 0x…, within the cell's width. */
export function readTyped(type: CellType, text: string): Typed {
  const trimmed = text.trim();
  const isNumber = /^(-?\d{1,15}|0x[\da-f]{1,8})$/i.test(trimmed);
  switch (type.kind) {
    case 'bool':
      return /^(true|1)$/i.test(trimmed)
        ? { value: 1 }
        : /^(false|0)$/i.test(trimmed)
          ? { value: 0 }
          : { problem: t('Expected true or false') };
    case 'int':
      return isNumber ? { value: Number(trimmed) } : { problem: t('Expected a whole number') };
    case 'hex':
    case 'bits':
      return within(isNumber ? Number(trimmed) : NaN, type.bits);
    case 'vectors':
      return within(isNumber ? Number(trimmed) : NaN, 32);
    case 'enum': {
      const named = type.names.find(({ name, value }) => name === trimmed || String(value) === trimmed);
      return named ? { value: named.value } : { problem: t('Expected one of {0}', type.names.map(({ name }) => name).join(', ')) };
    }
    case 'pointer':
      return { problem: t('A pointer cannot be set here') };
  }
}

const within = (value: number, bits: number): Typed =>
  value >= 0 && value < 2 ** bits ? { value } : { problem: t('Expected a number from 0 to {0}', hexadecimal(2 ** bits - 1, bits)) };

/** A cell by its number, with its type and the number of its component. */
export function cellAt(
  { components, types }: RunOutline,
  number: number,
): { readonly component: number; readonly cell: CellView; readonly type: CellType } | undefined {
  const component = components.findIndex(({ first, cells }) => number >= first && number < first + cells.length);
  const cell = components[component]?.cells[number - (components[component]?.first ?? 0)];
  const type = types[cell?.type ?? -1];
  return cell && type && { component, cell, type };
}

/** One line of a component: a cell, or the words of a wide register together. */
export interface Row {
  readonly name: string;
  /** Offsets into the component's cells. */
  readonly from: number;
  readonly to: number;
}

/** The lines of a component: words of vectors that follow one another, `irr[0]` to `irr[7]`, are one. */
export function rowsOf({ cells }: ComponentView, types: readonly CellType[]): readonly Row[] {
  const rows: Row[] = [];
  cells.forEach(({ name, type }, at) => {
    const wide = types[type]?.kind === 'vectors' ? name.replace(/\[\d+\]$/, '') : undefined;
    const last = rows.at(-1);
    if (wide !== undefined && last?.name === wide) rows[rows.length - 1] = { ...last, to: at + 1 };
    else rows.push({ name: wide ?? name, from: at, to: at + 1 });
  });
  return rows;
}
