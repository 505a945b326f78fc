import { t } from '@vscode/l10n';
import { h, setText } from '../dom';
import type { BitFieldView, CellType, ComponentView, RunOutline, StateView } from '../protocol';
import type { Target } from './target';
import { bitsSet, fieldText, fieldValue, formatValue, type Row } from './values';

/** A line of the registers: a cell, or the words of a wide register, with its bits. It touches the document only where it differs. */
export interface RowView {
  readonly element: HTMLElement;
  /** Shows the state; `was` has what cells were before the current step, for those that it changed. */
  update(state: StateView, step: number, was: ReadonlyMap<number, number>): void;
}

/** More bits than this are not drawn one by one: only those that are set. */
const DENSE = 16;

/** Makes a line. `targets` is told what each of its elements stands for. */
export function createRow(run: RunOutline, component: ComponentView, row: Row, targets: WeakMap<Element, Target>): RowView {
  const numbers = Array.from({ length: row.to - row.from }, (_, index) => component.first + row.from + index);
  const types = numbers.map((_, index) => typeOf(run, component, row.from + index));
  const value = h('span', { class: 'value' });
  const origin = h('button', { type: 'button', class: 'origin', tabindex: -1 });
  const chips = createChips(targets);
  const element = h(
    'div',
    { class: 'cell', role: 'treeitem', 'aria-level': 2, tabindex: -1 },
    h('span', { class: 'cell-name' }, ...breakable(row.name)),
    value,
    origin,
    chips.element,
  );
  targets.set(element, { cell: numbers[0] ?? 0 });
  let shown = '';

  return {
    element,
    update(state, step, was) {
      const now = numbers.map((number) => state.values[number] ?? 0);
      const before = numbers.map((number, index) => was.get(number) ?? now[index] ?? 0);
      const writer = Math.max(...numbers.map((number) => state.writers[number] ?? -1));
      const wrote = writer === step;
      const shows = `${now.join()} ${before.join()} ${writer} ${wrote}`;
      if (shows === shown) return;
      shown = shows;
      // Of a wide register the word that was written last is the one to ask about.
      const asked = numbers.findLast((number) => state.writers[number] === writer) ?? numbers[0] ?? 0;
      targets.set(element, { cell: asked });
      element.dataset['vscodeContext'] = JSON.stringify({ webviewSection: 'cell', cell: asked, preventDefaultContextMenuItems: true });
      const said = (values: readonly number[]) => sayValue(run, types, values);
      const changed = now.some((word, index) => word !== before[index]);
      element.classList.toggle('changed', wrote);
      value.replaceChildren(...createValue(said(now), changed ? said(before) : undefined));
      origin.hidden = writer < 0;
      setText(origin, String(writer));
      origin.title = t('Written at step {0}: go there', writer);
      const words = [
        `${row.name}: ${said(now)}`,
        changed ? t('was {0}', said(before)) : undefined,
        writer < 0 ? undefined : t('written at step {0}', writer),
      ];
      element.setAttribute('aria-label', words.filter((word) => word !== undefined).join(', '));
      chips.update(numbers.flatMap((number, index) => chipsOf(number, types[index]!, now[index] ?? 0, before[index] ?? 0)));
    },
  };
}

/** A name that may break behind its dots and underscores. */
const breakable = (name: string): readonly (Node | string)[] => name.split(/(?<=[._\]])/).flatMap((part) => [part, h('wbr', {})]);

const typeOf = ({ types }: RunOutline, { cells }: ComponentView, at: number): CellType => types[cells[at]?.type ?? -1] ?? { kind: 'int' };

/** A wide register is told by its vectors, which stand below it. */
function sayValue(run: RunOutline, types: readonly CellType[], values: readonly number[]): string {
  const [type] = types;
  if (type?.kind !== 'vectors') return formatValue(type ?? { kind: 'int' }, values[0] ?? 0, run.components);
  const count = values.reduce((sum, word) => sum + bitsSet(word).length, 0);
  return count === 0 ? t('none') : count === 1 ? t('1 vector') : t('{0} vectors', count);
}

/** `false → true` where the step changed it. */
function createValue(now: string, was: string | undefined): readonly (Node | string)[] {
  if (was === undefined) return [now];
  return [
    h('del', {}, h('span', { class: 'hidden' }, t('was ')), was),
    h('span', { class: 'becomes', 'aria-hidden': 'true' }, '→'),
    h('ins', {}, h('span', { class: 'hidden' }, t('now ')), now),
  ];
}

/** A bit or a few, as one of the boxes below a word. */
interface Chip {
  readonly cell: number;
  readonly field: BitFieldView;
  readonly now: number;
  readonly was: number;
}

function chipsOf(cell: number, type: CellType, now: number, was: number): readonly Chip[] {
  const chip = (field: BitFieldView): Chip => ({ cell, field, now: fieldValue(now, field), was: fieldValue(was, field) });
  switch (type.kind) {
    case 'bits': {
      const all = type.fields.map(chip).toReversed();
      return all.length > DENSE ? all.filter((one) => one.now !== 0 || one.was !== 0).toReversed() : all;
    }
    case 'vectors':
      return bitsSet(now | was).map((low) => chip(vectorField(type.first + low, low)));
    case 'bool':
    case 'int':
    case 'hex':
    case 'enum':
    case 'pointer':
      return [];
  }
}

const vectorField = (vector: number, low: number): BitFieldView => ({
  name: `0x${vector.toString(16).padStart(2, '0')}`,
  low,
  width: 1,
  means: t('Vector 0x{0}, {1} in decimal.', vector.toString(16), vector),
});

interface Chips {
  readonly element: HTMLElement;
  update(chips: readonly Chip[]): void;
}

function createChips(targets: WeakMap<Element, Target>): Chips {
  const element = h('div', { class: 'bits', role: 'group', hidden: true });
  const known = new Map<string, HTMLElement>();
  const keyOf = ({ cell, field }: Chip) => `${cell}:${field.low}`;

  function elementOf(chip: Chip): HTMLElement {
    const key = keyOf(chip);
    const existing = known.get(key);
    if (existing) return existing;
    const made = h('span', { role: 'treeitem', 'aria-level': 3, tabindex: -1 });
    targets.set(made, { cell: chip.cell, field: chip.field });
    known.set(key, made);
    return made;
  }

  return {
    element,
    update(chips) {
      element.hidden = chips.length === 0;
      const elements = chips.map((chip) => {
        const made = elementOf(chip);
        paint(made, chip);
        return made;
      });
      // What stays is not taken out, so that it keeps the focus.
      if (elements.length === element.children.length && elements.every((made, index) => element.children[index] === made)) return;
      element.replaceChildren(...elements);
    },
  };
}

function paint(element: HTMLElement, { field, now, was }: Chip): void {
  const changed = now !== was;
  const single = field.width === 1;
  element.className = `bit${single ? '' : ' number'}${single && now ? ' set' : ''}${changed ? ' changed' : ''}`;
  const sign = !changed ? '' : !single ? '≠ ' : now ? '▲ ' : '▼ ';
  setText(element, `${sign}${field.name}${single ? '' : ` ${fieldText(field, now)}`}`);
  const words = single ? (now ? t('set') : t('clear')) : fieldText(field, now);
  const name = `${field.name} ${words}`;
  const label = !changed ? name : single ? t('{0}, changed by this step', name) : t('{0}, was {1}', name, fieldText(field, was));
  element.setAttribute('aria-label', label);
}
