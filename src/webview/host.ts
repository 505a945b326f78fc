import type { PanelCommand, ToHost } from './protocol';

/** What VS Code gives a webview. It may be asked for once, so it is asked for here and passed on to nobody. */
interface VsCodeApi {
  postMessage(message: ToHost): void;
  getState(): unknown;
  setState(state: Memory): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

/** How much of a run the sequence shows. */
export const DETAILS = ['contexts', 'functions', 'everything'] as const;
export type Detail = (typeof DETAILS)[number];

/** Which part of the state is shown. */
export const SHOWN_STATE = ['all', 'touched', 'changed'] as const;
export type ShownState = (typeof SHOWN_STATE)[number];

/** What a view remembers while it is hidden, and what VS Code gives back to a restored panel. */
export interface Memory {
  /** The flow that was shown: with it the extension can bring a restored panel back to life. */
  readonly flow?: string;
  /** The tab that is shown in the middle of the panel; the first one unless somebody chose. */
  readonly tab?: string | undefined;
  readonly detail: Detail;
  readonly returns: boolean;
  readonly shownState: ShownState;
  /** The components that stand first, as `struct(name)`. */
  readonly pins: readonly string[];
  /** Whether the topology is shown in words. */
  readonly topologyText: boolean;
  readonly experiment: boolean;
  readonly stack: boolean;
  /** How far the list of state was scrolled, in pixels. */
  readonly scroll: number;
}

const FRESH: Memory = {
  detail: 'everything',
  returns: false,
  shownState: 'touched',
  pins: [],
  topologyText: false,
  experiment: true,
  stack: false,
  scroll: 0,
};

/** The extension, as a view sees it. */
export interface Host {
  send(message: ToHost): void;
  command(command: PanelCommand): void;
  seek(step: number): void;
  recall(): Memory;
  remember(changes: Partial<Memory>): void;
}

/** Connects to the extension. Throws when called twice: VS Code allows one connection. */
export function connect(): Host {
  const api = acquireVsCodeApi();
  let memory = readMemory(api.getState());
  return {
    send: (message) => api.postMessage(message),
    command: (command) => api.postMessage({ type: 'command', command }),
    seek: (step) => api.postMessage({ type: 'seek', step }),
    recall: () => memory,
    remember(changes) {
      memory = { ...memory, ...changes };
      api.setState(memory);
    },
  };
}

/** An older version of the views may have written the state, so each part is taken only if it fits. */
function readMemory(state: unknown): Memory {
  if (typeof state !== 'object' || state === null) return FRESH;
  const { flow, tab, detail, scroll, shownState, pins } = state as Readonly<Record<string, unknown>>;
  const flag = (name: 'returns' | 'topologyText' | 'experiment' | 'stack') => {
    const value = (state as Readonly<Record<string, unknown>>)[name];
    return typeof value === 'boolean' ? value : FRESH[name];
  };
  return {
    ...(typeof flow === 'string' ? { flow } : {}),
    ...(typeof tab === 'string' ? { tab } : {}),
    detail: DETAILS.find((known) => known === detail) ?? FRESH.detail,
    returns: flag('returns'),
    shownState: SHOWN_STATE.find((known) => known === shownState) ?? FRESH.shownState,
    pins: Array.isArray(pins) ? pins.filter((pin) => typeof pin === 'string') : FRESH.pins,
    topologyText: flag('topologyText'),
    experiment: flag('experiment'),
    stack: flag('stack'),
    scroll: typeof scroll === 'number' && Number.isFinite(scroll) ? scroll : FRESH.scroll,
  };
}
