declare module 'markdown-it' {
  export default class MarkdownIt {
    constructor(preset: 'default', options: { readonly html: boolean; readonly linkify: boolean });
    render(markdown: string): string;
    renderInline(markdown: string): string;
  }
}
