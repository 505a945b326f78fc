import { t } from '@vscode/l10n';
import { textButton } from './controls';
import { h } from './dom';
import type { Host } from './host';
import { icon } from './icons';
import type { Part } from './part';
import type { ParameterView, RunOutline } from './protocol';
import { checkbox, dropdown, numberField } from './toolkit';

/** What a reader may change about the run: its parameters, and what else may happen at the current step. */
export function createExperiment(host: Host): Part<RunOutline> {
  const parameters = h('div', { class: 'parameters', role: 'group', 'aria-label': t('Parameters') });
  const stimuli = h('div', { class: 'stimuli', role: 'group', 'aria-label': t('Stimuli') });
  const injected = h('ol', { class: 'injected', 'aria-label': t('Injected') });
  const body = h('div', { class: 'experiment-body', id: 'experiment' }, parameters, stimuli, injected);
  return {
    element: h('section', { class: 'experiment', 'aria-label': t('Experiment') }, createFold(host, body), body),
    showRun(run) {
      parameters.replaceChildren(...run.parameters.map((parameter) => createParameter(host, parameter)));
      stimuli.replaceChildren(
        ...run.stimuli.map((stimulus) => {
          const button = textButton(stimulus.title, 'secondary', () => host.send({ type: 'inject', stimulus: stimulus.name }));
          button.title = stimulus.description;
          return button;
        }),
      );
      stimuli.hidden = run.stimuli.length === 0;
      injected.replaceChildren(...run.injected.map((injection) => createInjection(host, injection)));
      injected.hidden = run.injected.length === 0;
    },
    showPosition: () => undefined,
  };
}

/** The heading, which opens and closes the section. */
function createFold(host: Host, body: HTMLElement): HTMLElement {
  const open = host.recall().experiment;
  const button = h(
    'button',
    { type: 'button', class: 'fold', 'aria-expanded': String(open), 'aria-controls': body.id },
    icon('chevron'),
    t('Experiment'),
  );
  body.hidden = !open;
  button.addEventListener('click', () => {
    body.hidden = !body.hidden;
    button.setAttribute('aria-expanded', String(!body.hidden));
    host.remember({ experiment: !body.hidden });
  });
  return h('h2', { class: 'section-bar' }, button);
}

function createParameter(host: Host, parameter: ParameterView): HTMLElement {
  const { name, title, description } = parameter;
  const set = (value: string | number | boolean) => host.send({ type: 'setParameter', name, value });
  switch (parameter.kind) {
    case 'boolean':
      return h('div', { class: 'parameter boolean', title: description }, checkbox(title, parameter.value, set));
    case 'choice':
      return labelled(title, description, dropdown(title, parameter.choices, parameter.value, set));
    case 'number':
      return labelled(title, description, numberField(title, parameter, set));
  }
}

function labelled(title: string, description: string, control: HTMLElement): HTMLElement {
  return h(
    'div',
    { class: 'parameter', title: description },
    h('span', { class: 'parameter-title', 'aria-hidden': 'true' }, title),
    control,
  );
}

function createInjection(host: Host, { title, at }: RunOutline['injected'][number]): HTMLElement {
  const button = h('button', { type: 'button', class: 'link', click: () => host.seek(at) }, t('at step {0}', at));
  return h('li', {}, h('span', {}, title), ' ', button);
}
