import { t } from '@vscode/l10n';
import { h, setText } from './dom';
import type { Host } from './host';
import { icon, type IconName } from './icons';
import type { Part } from './part';
import type { PanelCommand, RunOutline } from './protocol';

interface Control {
  readonly command: PanelCommand;
  readonly title: string;
  readonly icon: IconName;
}

const controlsOfRun = (): readonly Control[] => [
  { command: 'restart', title: t('Restart'), icon: 'restart' },
  { command: 'stepBack', title: t('Step Back'), icon: 'stepBack' },
  { command: 'togglePlay', title: t('Play'), icon: 'play' },
  { command: 'step', title: t('Step'), icon: 'step' },
  { command: 'runToNextContext', title: t('Run to Next Context'), icon: 'nextContext' },
  { command: 'revealSource', title: t('Reveal Source'), icon: 'source' },
];

const openPanel = (): Control => ({ command: 'openPanel', title: t('Open Panel'), icon: 'panel' });

/** The buttons that steer the run. The side bar's have one more, which opens the panel. */
export function createControls(host: Host, place: 'panel' | 'state'): Part<RunOutline> {
  const controls = place === 'state' ? [...controlsOfRun(), openPanel()] : controlsOfRun();
  const buttons = new Map(controls.map((control) => [control.command, createButton(host, control)]));
  return {
    element: h('div', { class: 'controls', role: 'group', 'aria-label': t('Controls') }, ...buttons.values()),
    showPosition(run, { step }) {
      const ends: Partial<Record<PanelCommand, boolean>> = {
        restart: step === 0,
        stepBack: step === 0,
        step: step === run.length - 1,
        runToNextContext: step === run.length - 1,
      };
      for (const [command, button] of buttons) button.setAttribute('aria-disabled', String(ends[command] ?? false));
    },
    showPlaying(playing) {
      const button = buttons.get('togglePlay');
      if (!button) return;
      button.replaceChildren(icon(playing ? 'pause' : 'play'));
      name(button, playing ? t('Pause') : t('Play'));
    },
  };
}

/** A button that cannot be used now keeps the keyboard's focus, so that stepping to the end does not lose it. */
function createButton(host: Host, { command, title, icon: picture }: Control): HTMLElement {
  const button = h('vscode-button', { appearance: 'icon' }, icon(picture));
  name(button, title);
  button.addEventListener('click', () => {
    if (button.getAttribute('aria-disabled') !== 'true') host.command(command);
  });
  return button;
}

function name(button: HTMLElement, title: string): void {
  button.setAttribute('aria-label', title);
  button.setAttribute('title', title);
}

/** A button with words. */
export function textButton(title: string, appearance: 'primary' | 'secondary', clicked: () => void): HTMLElement {
  const button = h('vscode-button', { appearance, click: clicked });
  setText(button, title);
  return button;
}
