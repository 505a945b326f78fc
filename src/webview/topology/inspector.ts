import { t } from '@vscode/l10n';
import { h } from '../dom';
import type { Host } from '../host';
import { icon } from '../icons';
import type { PositionView, RunOutline } from '../protocol';
import { contextOfWorld } from './canvas';
import { blockedWords } from './wording';

/** Below the picture: the selected part, or the one that the current step is in, and everything that blocks. */
export interface Inspector {
  readonly element: HTMLElement;
  show(run: RunOutline, position: PositionView, part: number | undefined): void;
}

/** Makes the inspector. */
export function createInspector(host: Host): Inspector {
  const element = h('div', { class: 'inspector', role: 'group', 'aria-label': t('Part') });
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
          ...(state?.components ?? []).map((component) => createInstance(run.components[component])),
          part.file === undefined ? undefined : h('span', { class: 'whence' }, part.file),
          link(host, passed, (step) => t('reached at step {0}', step)),
          link(host, state?.writtenAt, (step) => t('written at step {0}', step)),
        );
      const reasons = blocked.map(({ part: of, text }) =>
        h('li', { class: of === index ? 'here' : '' }, icon('blocked'), h('span', {}, text)),
      );
      element.replaceChildren(
        ...(heading ? [heading] : []),
        ...(reasons.length > 0 ? [h('ul', { class: 'reasons', 'aria-label': t('What blocks') }, ...reasons)] : []),
      );
    },
  };
}

/** The name of an instance, with what it is as its tooltip. */
function createInstance(component: RunOutline['components'][number] | undefined): HTMLElement | undefined {
  return component && h('span', { class: 'whence', title: component.doc }, `${component.struct}(${component.name})`);
}

function link(host: Host, step: number | undefined, words: (step: number) => string): HTMLElement | undefined {
  if (step === undefined) return undefined;
  return h('button', { type: 'button', class: 'origin', click: () => host.seek(step) }, words(step));
}
