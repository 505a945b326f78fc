/** The highest element that every browser still lays out, in pixels, with room to spare: the strictest stops below 18 million. */
const HIGHEST = 16_000_000;

/** How the place of a scroll bar becomes a height in what it scrolls. */
export interface ScrollMap {
  /** The height of the element that stands for the content. */
  readonly height: number;
  toContent(scrollTop: number): number;
  toScrollTop(y: number): number;
}

/** Maps one to one as long as the content may be as high as it is, and in proportion where it may not. */
export function mapScroll(contentHeight: number, viewport: number): ScrollMap {
  const height = Math.min(contentHeight, HIGHEST);
  const ratio = height === contentHeight ? 1 : (contentHeight - viewport) / (height - viewport);
  return { height, toContent: (scrollTop) => scrollTop * ratio, toScrollTop: (y) => y / ratio };
}
