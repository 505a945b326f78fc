import { h } from '../dom';
import type { Host } from '../host';
import { icon } from '../icons';
import type { PositionView, RunView } from '../protocol';
import { contextOfWorld } from './canvas';
import { blockedWords } from './wording';

/** Below the picture: the selected part, or the one that the current step is in, and everything that blocks. */
export interface Inspector {
  readonly element: HTMLElement;
  show(run: RunView, position: PositionView, part: number | undefined): void;
}

/** Makes the inspector. */
export function createInspector(host: Host): Inspector {
  const element = h('div', { class: 'inspector', role: 'group', 'aria-label': 'Part' });
  let shows = '';
  return {
    element,
    show(run, position, index) {
      const { topology } = run;
      const part = index === undefined ? undefined : topology.parts[index];
      const state = index === undefined ? undefined : position.topology.parts[index];
      const passed = position.topology.way.findLast(({ wire }) => topology.wires[wire]?.to === index)?.step;
      const blocked = blockedWords(topology, position.topology);
      const now = JSON.stringify([part, state, passed, blocked]);
      if (now === shows) return;
      shows = now;
      const world = topology.worlds[part?.world ?? -1]?.id;
      const heading =
        part &&
        h(
          'p',
          { class: `inspected ctx-${contextOfWorld(world)}` },
          h('strong', {}, part.title),
          h(
            'span',
            { class: 'whence' },
            [part.struct === part.title ? undefined : part.struct, part.file].filter((text) => text !== undefined).join(' · '),
          ),
          link(host, 'reached at step', passed),
          link(host, 'written at step', state?.writtenAt),
        );
      const reasons = blocked.map(({ part: of, text }) =>
        h('li', { class: of === index ? 'here' : '' }, icon('blocked'), h('span', {}, text)),
      );
      element.replaceChildren(
        ...(heading ? [heading] : []),
        ...(reasons.length > 0 ? [h('ul', { class: 'reasons', 'aria-label': 'What blocks' }, ...reasons)] : []),
      );
    },
  };
}

function link(host: Host, words: string, step: number | undefined): HTMLElement | undefined {
  if (step === undefined) return undefined;
  return h('button', { type: 'button', class: 'origin', click: () => host.seek(step) }, `${words} ${step}`);
}
