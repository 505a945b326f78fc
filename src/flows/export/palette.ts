import type { ContextKind } from '../contexts';

/** The colours of a drawing that brings its own: those of the panel in VS Code's default themes. */
export interface Palette {
  readonly background: string;
  readonly text: string;
  readonly dim: string;
  readonly line: string;
  readonly band: string;
  readonly contexts: Readonly<Record<ContextKind, string>>;
}

export const LIGHT: Palette = {
  background: '#ffffff',
  text: '#1f1f1f',
  dim: '#5f5f5f',
  line: '#d8d8d8',
  band: '#f3f3f3',
  contexts: {
    device: '#a87400',
    hardirq: '#e51400',
    kworker: '#c45200',
    qemu: '#652d90',
    vcpu: '#0063d3',
    guest: '#388a34',
    other: '#5f5f5f',
  },
};

export const DARK: Palette = {
  background: '#1f1f1f',
  text: '#e4e4e4',
  dim: '#a0a0a0',
  line: '#404040',
  band: '#2a2a2a',
  contexts: {
    device: '#cca700',
    hardirq: '#f14c4c',
    kworker: '#df7a26',
    qemu: '#b180d7',
    vcpu: '#59a4f9',
    guest: '#89d185',
    other: '#a0a0a0',
  },
};
