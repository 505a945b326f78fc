import { t } from '@vscode/l10n';
import { h } from '../dom';
import type { BitFieldView, CellType } from '../protocol';
import { formatValue, readTyped } from './values';

/** What if it were another value? A field in place of the value, checked while one types. */
export interface Edit {
  readonly label: string;
  readonly type: CellType;
  readonly value: number;
}

/** Bits of a word, as something to type. */
export const typeOfField = ({ width, values }: BitFieldView): CellType =>
  values === undefined
    ? { kind: 'hex', bits: width }
    : { kind: 'enum', names: values.flatMap((name, value) => (name === '' ? [] : [{ value, name }])) };

/** The editor that is open, for the line that it stands in. */
const OPEN = '.editor';

/**
 * Opens an editor in a line; one that is open there already stays.
 * @param done is told the new value, or undefined if nothing is to change
 */
export function openEditor(line: HTMLElement, { label, type, value }: Edit, done: (value: number | undefined) => void): void {
  if (line.querySelector(OPEN)) return;
  const control = createControl(type, value);
  control.setAttribute('aria-label', t('New value of {0}', label));
  const problem = h('span', { class: 'problem', role: 'alert' });
  const editor = h('form', { class: 'editor' }, control, problem);
  line.classList.add('editing');
  line.querySelector('.value')?.after(editor);
  control.focus();
  if (control instanceof HTMLInputElement) control.select();

  let closed = false;
  const close = (result: number | undefined): void => {
    if (closed) return;
    closed = true;
    line.classList.remove('editing');
    editor.remove();
    done(result);
  };
  const check = (): number | undefined => {
    const typed = readTyped(type, control.value);
    problem.textContent = 'problem' in typed ? typed.problem : '';
    control.setAttribute('aria-invalid', String('problem' in typed));
    return 'problem' in typed ? undefined : typed.value;
  };
  control.addEventListener('input', check);
  control.addEventListener('blur', () => close(undefined));
  editor.addEventListener('submit', (event) => event.preventDefault());
  // The keys are the editor's own while it is open: the tree must not move.
  editor.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') close(undefined);
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const checked = check();
    if (checked !== undefined) close(checked === value ? undefined : checked);
  });
  editor.addEventListener('click', (event) => event.stopPropagation());
}

function createControl(type: CellType, value: number): HTMLInputElement | HTMLSelectElement {
  const text = formatValue(type, value, []);
  const choices = type.kind === 'bool' ? ['false', 'true'] : type.kind === 'enum' ? type.names.map(({ name }) => name) : undefined;
  if (choices === undefined) return h('input', { type: 'text', value: text, spellcheck: 'false', autocomplete: 'off' });
  return h('select', {}, ...choices.map((choice) => h('option', { value: choice, selected: choice === text }, choice)));
}
