import { t } from '@vscode/l10n';
import { textButton } from './controls';
import { h, svg } from './dom';
import type { Host } from './host';

/** What stands there before a flow was opened: one sentence and one button. */
export function createEmptyView(host: Host): HTMLElement {
  return h(
    'main',
    { class: 'empty' },
    drawing(),
    h('h1', {}, t('Follow an interrupt')),
    h('p', {}, t('Pick a flow and step through it, from the device to the guest, beside the kernel and QEMU source that does it.')),
    textButton(t('Explore a Flow'), 'primary', () => host.command('exploreFlow')),
  );
}

/** A pulse on its way through the layers of the stack: the extension's sign, as in media/icon.svg. */
function drawing(): SVGSVGElement {
  return svg(
    'svg',
    { viewBox: '0 0 24 24', class: 'drawing', 'aria-hidden': 'true' },
    svg('path', { class: 'layers', d: 'M2 5 H8.8 M18.8 5 H22 M2 12 H5.2 M18.8 12 H22 M2 19 H5.2 M15.2 19 H22' }),
    svg('path', { class: 'pulse', d: 'M12 1.5 V5 H15.5 V12 H8.5 V19 H12 V22.5' }),
  );
}
