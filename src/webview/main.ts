import './panel.css';
import { h, setText } from './dom';
import { createEmptyView } from './empty_view';
import { connect, type Host } from './host';
import { contextKind } from './icons';
import { createPanelView } from './panel_view';
import type { Part } from './part';
import { isComparisonOf, isPositionIn, parseToWebview, type PositionView, type RunOutline, type RunView, type ToWebview } from './protocol';
import { createStateView } from './state_view';
import { takeTexts } from './texts';
import { registerControls } from './toolkit';
import { announce } from './words';

/**
 * The script of both webviews. `<body data-view="panel">` or `"state"` says which one this is. Once something is shown the body
 * has `data-state="ready"`, and at each position `data-step`.
 */
start();

function start(): void {
  takeTexts();
  registerControls();
  const host = connect();
  const spoken = h('div', { class: 'hidden', role: 'status', 'aria-live': 'polite' });
  const stage = h('div', { class: 'stage' });
  document.body.append(stage, spoken);
  const speak = (words: string): void => setText(spoken, words);
  const show =
    document.body.dataset['view'] === 'state'
      ? createStage(host, stage, speak, createStateView, beginsWithOutline)
      : createStage(host, stage, speak, createPanelView, beginsWithRun);
  window.addEventListener('message', ({ data }) => {
    const message = parseToWebview(data);
    if (message.type === 'malformed') return console.warn(`Virtflow: a message was ignored: ${message.problem}`);
    show(message);
    document.body.dataset['state'] = 'ready';
  });
  host.send({ type: 'ready' });
}

/** A run, as much of it as a view needs, and where it stands. */
interface Beginning<R extends RunOutline> {
  readonly run: R;
  readonly position: PositionView;
}

function beginsWithRun(message: ToWebview): Beginning<RunView> | undefined {
  return message.type === 'run' ? message : undefined;
}

function beginsWithOutline(message: ToWebview): Beginning<RunOutline> | undefined {
  return message.type === 'outline' ? message : undefined;
}

/** What is on the stage besides the invitation: a view of a run. */
interface Scene<R extends RunOutline> extends Beginning<R> {
  readonly view: Part<R>;
  readonly playing: boolean;
}

function createStage<R extends RunOutline>(
  host: Host,
  stage: HTMLElement,
  speak: (words: string) => void,
  createView: (host: Host) => Part<R>,
  beginning: (message: ToWebview) => Beginning<R> | undefined,
): (message: ToWebview) => void {
  let scene: Scene<R> | undefined;

  function showPosition(shown: Scene<R>): void {
    scene = shown;
    const { run, position, view, playing } = shown;
    view.showPosition(run, position);
    document.body.dataset['step'] = String(position.step);
    document.body.dataset['context'] = contextKind(run.lanes[position.here.lane]?.context ?? '');
    // While it plays, words would never catch up.
    if (!playing) speak(announce(run, position));
  }

  return (message) => {
    switch (message.type) {
      case 'empty':
        scene = undefined;
        delete document.body.dataset['step'];
        delete document.body.dataset['context'];
        stage.replaceChildren(createEmptyView(host));
        return;
      case 'run':
      case 'outline': {
        const begun = beginning(message);
        if (begun === undefined) return console.warn(`Virtflow: this view does not begin with ${message.type}`);
        const { run, position } = begun;
        const [view, playing] = scene ? [scene.view, scene.playing] : [createView(host), false];
        if (scene === undefined) stage.replaceChildren(view.element);
        host.remember({ flow: run.flow });
        view.showRun?.(run);
        return showPosition({ run, view, position, playing });
      }
      case 'position':
        if (scene === undefined) return;
        if (!isPositionIn(scene.run, message.position)) return console.warn('Virtflow: a position that is not in the run was ignored');
        return showPosition({ ...scene, position: message.position });
      case 'history':
        scene?.view.showHistory?.(message.history);
        return;
      case 'comparison': {
        const { comparison, chosen } = message;
        if (scene === undefined) return;
        if (comparison && !isComparisonOf(scene.run, comparison)) return console.warn('Virtflow: a comparison of another run was ignored');
        return scene.view.showComparison?.(comparison, chosen);
      }
      case 'stateComparison':
        scene?.view.showStateComparison?.(message.state);
        return;
      case 'playing':
        if (scene === undefined) return;
        scene.view.showPlaying?.(message.playing);
        return showPosition({ ...scene, playing: message.playing });
    }
  };
}
