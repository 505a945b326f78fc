import { h } from '../dom';

/** The colours of the picture. A canvas cannot read variables, so each is read from an element that styles paint with them. */
export interface Palette {
  /** Red, green and blue as the bytes of a pixel, the first in the lowest bits. */
  readonly lanes: readonly number[];
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
      return {
        lanes: lanes.map((lane) => pixelOf(colourOf(lane))),
        text,
        faint,
        line,
        cursor,
        match,
        write,
        font: fontFamily,
        highContrast,
      };
    },
  };
}

/** A colour in any of CSS's ways to write one, as a canvas paints it. */
function pixelOf(colour: string): number {
  const context = new OffscreenCanvas(1, 1).getContext('2d')!;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  return red | (green << 8) | (blue << 16);
}

/** Calls when the theme has changed: VS Code puts its variables on the root and its kind on the body. */
export function onThemeChange(changed: () => void): void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributeFilter: ['class', 'data-vscode-theme-id'] });
}
