import './panel.css';
import { h, setText } from './dom';
import { createEmptyView } from './empty_view';
import { connect, type Host } from './host';
import { contextKind } from './icons';
import { createPanelView } from './panel_view';
import type { Part } from './part';
import { isPositionIn, parseToWebview, type PositionView, type RunView, type ToWebview } from './protocol';
import { createStateView } from './state_view';
import { registerControls } from './toolkit';
import { announce } from './words';

/**
 * The script of both webviews. `<body data-view="panel">` or `"state"` says which one this is. Once something is shown the body
 * has `data-state="ready"`, and at each position `data-step`.
 */
start();

function start(): void {
  registerControls();
  const host = connect();
  const spoken = h('div', { class: 'hidden', role: 'status', 'aria-live': 'polite' });
  const stage = h('div', { class: 'stage' });
  document.body.append(stage, spoken);
  const show = createStage(host, stage, (words) => setText(spoken, words));
  window.addEventListener('message', ({ data }) => {
    const message = parseToWebview(data);
    if (message.type === 'malformed') return console.warn(`Virtflow: a message was ignored: ${message.problem}`);
    show(message);
    document.body.dataset['state'] = 'ready';
  });
  host.send({ type: 'ready' });
}

/** What is on the stage: the invitation, or a view of a run. */
type Scene =
  | { readonly kind: 'empty' }
  | { readonly kind: 'run'; readonly run: RunView; readonly view: Part; readonly position: PositionView; readonly playing: boolean };

function createStage(host: Host, stage: HTMLElement, speak: (words: string) => void): (message: ToWebview) => void {
  let scene: Scene = { kind: 'empty' };

  function showPosition(shown: Extract<Scene, { readonly kind: 'run' }>): void {
    scene = shown;
    shown.view.showPosition(shown.run, shown.position);
    const lane = shown.run.steps[shown.position.step]?.lane ?? -1;
    document.body.dataset['step'] = String(shown.position.step);
    document.body.dataset['context'] = contextKind(shown.run.lanes[lane]?.context ?? '');
    // While it plays, words would never catch up.
    if (!shown.playing) speak(announce(shown.run, shown.position));
  }

  return (message) => {
    switch (message.type) {
      case 'empty':
        scene = { kind: 'empty' };
        delete document.body.dataset['step'];
        delete document.body.dataset['context'];
        stage.replaceChildren(createEmptyView(host));
        return;
      case 'run': {
        const { run, position } = message;
        const [view, playing] = scene.kind === 'run' ? [scene.view, scene.playing] : [createView(host), false];
        if (scene.kind === 'empty') stage.replaceChildren(view.element);
        host.remember({ flow: run.flow });
        view.showRun?.(run);
        return showPosition({ kind: 'run', run, view, position, playing });
      }
      case 'position':
        if (scene.kind === 'empty') return;
        if (!isPositionIn(scene.run, message.position)) return console.warn('Virtflow: a position that is not in the run was ignored');
        return showPosition({ ...scene, position: message.position });
      case 'history':
        if (scene.kind === 'run') scene.view.showHistory?.(message.history);
        return;
      case 'playing':
        if (scene.kind === 'empty') return;
        scene.view.showPlaying?.(message.playing);
        return showPosition({ ...scene, playing: message.playing });
    }
  };
}

function createView(host: Host): Part {
  return document.body.dataset['view'] === 'state' ? createStateView(host) : createPanelView(host);
}
