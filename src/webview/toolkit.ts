import { t } from '@vscode/l10n';

/**
 * The controls of @vscode/webview-ui-toolkit that the views use. Its owner has sunset it, so it is named in this file only:
 * whoever replaces it defines elements of these names, with these attributes and events, here.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { h } from './dom';

/** What the views use of the toolkit's elements that hold a value. */
export interface ValueControl extends HTMLElement {
  value: string;
}
export interface CheckControl extends HTMLElement {
  checked: boolean;
}

/** Registers the elements. Before this they are empty boxes. */
export function registerControls(): void {
  provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeDropdown(), vsCodeOption(), vsCodeTextField());
}

/** A check box that says what it became when a person changes it. */
export function checkbox(label: string, checked: boolean, changed: (checked: boolean) => void): CheckControl {
  const control = h('vscode-checkbox', {}, label) as CheckControl;
  control.checked = checked;
  // Setting `checked` from outside fires `change` too, so only what differs from the last known state counts.
  let known = checked;
  control.addEventListener('change', () => {
    if (control.checked === known) return;
    known = control.checked;
    changed(known);
  });
  return control;
}

/** A choice of one. */
export function dropdown(
  label: string,
  options: readonly { readonly value: string; readonly title: string }[],
  value: string,
  changed: (value: string) => void,
): ValueControl {
  const items = options.map((option) => h('vscode-option', { value: option.value, selected: option.value === value }, option.title));
  const control = h('vscode-dropdown', { 'aria-label': label }, ...items) as ValueControl;
  let known = value;
  control.addEventListener('change', () => {
    if (control.value === known) return;
    known = control.value;
    changed(known);
  });
  return control;
}

// A text field takes its accessible name from its text, and only from there; styles hide the label that it makes of it.

/** A whole number within limits. What does not fit is marked and not passed on. */
export function numberField(
  label: string,
  { value, minimum, maximum }: { readonly value: number; readonly minimum: number; readonly maximum: number },
  changed: (value: number) => void,
): ValueControl {
  const control = h('vscode-text-field', { value: String(value), title: t('{0} to {1}', minimum, maximum) }, label) as ValueControl;
  let known = value;
  control.addEventListener('change', () => {
    const given = control.value.trim() === '' ? Number.NaN : Number(control.value);
    const fits = Number.isInteger(given) && given >= minimum && given <= maximum;
    control.classList.toggle('invalid', !fits);
    control.setAttribute('aria-invalid', String(!fits));
    if (!fits || given === known) return;
    known = given;
    changed(given);
  });
  return control;
}

/** A field that says at every key what stands in it. */
export function searchField(label: string, typed: (text: string) => void): ValueControl {
  const control = h('vscode-text-field', { placeholder: label }, label) as ValueControl;
  control.addEventListener('input', () => typed(control.value));
  return control;
}
