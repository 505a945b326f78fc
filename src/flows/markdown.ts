/**
 * Text as Markdown that shows just that: no link, no markup, no icon of VS Code’s, nothing that a reader of tours would run. It stays
 * on one line; square brackets become entities, as CodeTour looks for them before it reads Markdown.
 */
export const plain = (text: string): string =>
  text
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*~<>&|$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\$&')
    .replace(/^(?:[#+=-]|\d+(?=[.)]))/, (mark) => (/\d/.test(mark) ? `${mark}\\` : `\\${mark}`))
    .replaceAll('[', '&#91;')
    .replaceAll(']', '&#93;');
