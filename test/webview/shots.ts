import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { requireFlow } from '../../src/flows/catalogue';
import { createSession, type Session } from '../../src/flows/session';
import { startBrowser } from '../workbench/browser';
import { ROOT } from '../workbench/paths';
import type { Theme } from './harness';
import { openReal } from './real';

/** `npm run shots`: the pictures of docs/panel.md, of real runs in the real panel. Names of files are chosen with arguments. */

interface Shot {
  readonly flow: string;
  /** Parameters that make the run a fork of the flow as it is by default. */
  readonly fork?: Readonly<Record<string, unknown>>;
  /** The function at which the run stands, when it is entered for the last time. */
  readonly at: string;
  readonly tab: 'sequence' | 'topology' | 'compare';
  /** Whether one sees what may be changed about the run. */
  readonly experiment?: true;
}

const SHOTS: readonly Shot[] = [
  { flow: 'mdev-mtty', at: 'mtty_trigger_interrupt', tab: 'sequence' },
  { flow: 'vfio-probe', at: 'vfio_pci_core_register_device', tab: 'sequence' },
  { flow: 'vfio-msi', at: 'post_by_hardware', tab: 'topology' },
  { flow: 'vfio-intx', at: 'irqfd_inject', tab: 'sequence', experiment: true },
  { flow: 'pic', at: 'pic_read_irq', tab: 'sequence' },
  { flow: 'ioapic', at: 'ioapic_service', tab: 'topology' },
  { flow: 'acrn-virtio-console', at: 'acrn_ioreq_dispatch', tab: 'topology' },
  { flow: 'virtio-kvm', fork: { ioeventfd: false }, at: 'virtio_pci_notify', tab: 'compare' },
];
const THEMES: readonly Theme[] = ['light', 'dark'];

await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<void> {
  const folder = path.join(ROOT, 'docs', 'pictures');
  mkdirSync(folder, { recursive: true });
  const browser = await startBrowser();
  try {
    for (const shot of SHOTS.filter(({ flow }) => names.length === 0 || names.includes(flow))) {
      const session = sessionFor(shot);
      for (const theme of THEMES) {
        const file = path.join(folder, `${shot.flow}-${theme}.webp`);
        const picture = await take(browser, shot, session, theme);
        writeFileSync(file, picture);
        console.log(`${path.relative(ROOT, file)}: step ${session.position}, ${Math.ceil(picture.length / 1024)} KB`);
      }
    }
  } finally {
    await browser.close();
  }
}

function sessionFor({ flow: id, fork, at }: Shot): Session {
  const flow = requireFlow(id);
  const session = createSession();
  session.explore(flow);
  if (fork !== undefined) session.setParameters(fork);
  const { journal } = session.run!;
  const found = Array.from({ length: journal.length }, (_, n) => n).findLast(
    (n) => journal.kind(n) === 'enter' && journal.step(n).site.fn.name === at,
  );
  if (found === undefined) throw new Error(`${id} does not enter ${at}`);
  session.seek(found);
  return session;
}

async function take(browser: Browser, { tab, experiment }: Shot, session: Session, theme: Theme): Promise<Buffer> {
  const webview = await openReal(
    browser,
    { view: 'panel', theme, width: 1440, height: 900, memory: { tab, experiment: experiment === true } },
    session,
  );
  try {
    await webview.show();
    await webview.page.waitForTimeout(300);
    await webview.settle();
    if (webview.complaints.length > 0) throw new Error(webview.complaints.join('\n'));
    // Chromium's screenshots are PNG or JPEG only by way of Playwright; its protocol has WebP too, a third of the size.
    const protocol = await webview.page.context().newCDPSession(webview.page);
    const { data } = await protocol.send('Page.captureScreenshot', { format: 'webp', quality: 72 });
    return Buffer.from(data, 'base64');
  } finally {
    await webview.close();
  }
}
