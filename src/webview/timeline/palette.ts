import { h } from '../dom';

/** The colours of the picture. A canvas cannot read variables, so each is read from an element that styles paint with them. */
export interface Palette {
  readonly lanes: readonly string[];
  readonly text: string;
  readonly faint: string;
  readonly line: string;
  readonly cursor: string;
  readonly match: string;
  readonly write: string;
  readonly font: string;
  /** Tints do not show: what is yet to come is an outline. */
  readonly highContrast: boolean;
}

const SWATCHES = ['text', 'faint', 'line', 'cursor', 'match', 'write'] as const;

/** Elements that are never seen, one for each colour that nothing else wears. */
export function createSwatches(): { readonly element: HTMLElement; read(lanes: readonly Element[]): Palette } {
  const swatches = SWATCHES.map((name) => h('span', { class: `swatch-${name}` }));
  const element = h('div', { class: 'swatches', hidden: true }, ...swatches);
  const colourOf = (painted: Element | undefined): string => (painted ? getComputedStyle(painted).color : '');
  return {
    element,
    read(lanes) {
      const [text = '', faint = '', line = '', cursor = '', match = '', write = ''] = swatches.map(colourOf);
      const { fontFamily } = getComputedStyle(element);
      const highContrast = document.body.classList.contains('vscode-high-contrast');
      return { lanes: lanes.map(colourOf), text, faint, line, cursor, match, write, font: fontFamily, highContrast };
    },
  };
}

/** Calls when the theme has changed: VS Code puts its variables on the root and its kind on the body. */
export function onThemeChange(changed: () => void): void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributeFilter: ['class', 'data-vscode-theme-id'] });
}
