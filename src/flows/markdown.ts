/**
 * Text as Markdown that shows just that: no link, no markup, no icon of VS Code’s, nothing that a reader of tours would run. Square
 * brackets become entities, as some readers look for them before they read Markdown.
 */
export const plain = (text: string): string =>
  text
    .replaceAll(/[\\`*_{}()#+\-.!~|<>&$]/g, '\\$&')
    .replaceAll('[', '&#91;')
    .replaceAll(']', '&#93;');
