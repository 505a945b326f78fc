/** Text on one line. */
export const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

/** What Markdown, VS Code’s or CodeTour’s, takes for something else than itself. */
const MARKS = /[\\`*~<>&|${}[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g;

/**
 * Text as Markdown that shows just that: no link, no markup, no icon of VS Code’s, nothing that a reader of tours would run. It stays
 * on one line; square brackets become entities, as CodeTour looks for them before it reads Markdown.
 */
export const plain = (text: string): string =>
  oneLine(text)
    .replaceAll(MARKS, (mark) => (mark === '[' ? '&#91;' : mark === ']' ? '&#93;' : `\\${mark}`))
    .replace(/^(?:[#+=-]|\d+(?=[.)]))/, (mark) => (/\d/.test(mark) ? `${mark}\\` : `\\${mark}`));

/**
 * The same for text that is shown as mere text in one place and as Markdown in another, where an escape would show or a mark would work: what is a
 * mark becomes the wide form of the letter.
 */
export const unmarked = (text: string): string =>
  oneLine(text).replaceAll(MARKS, (mark) => String.fromCodePoint(mark.codePointAt(0)! + TO_WIDE));

/** Markdown of anybody's with its pictures as links: one is fetched from wherever it is as soon as it is shown, and whoever is there knows. */
export const withoutPictures = (markdown: string): string => markdown.replaceAll('![', '&#33;[');

/** From an ASCII character to its full-width form. */
const TO_WIDE = 0xfee0;
