import assert from 'node:assert/strict';
import { vfio_intx } from '../../src/flows/vfio-intx';
import { bundleOf } from '../l10n/bundle';
import { manifest } from '../l10n/manifest';
import { eventually } from '../workbench/driver';
import { endToEnd } from './workbench';

/** The whole interface in Simplified Chinese, as a reader has it whose VS Code is. */

interface Manifest {
  readonly contributes: {
    readonly views: { readonly virtflow: readonly { readonly name: string }[] };
    readonly commands: readonly { readonly command: string; readonly title: string }[];
  };
}

const bundle = bundleOf('zh-cn');
const { views, commands } = (manifest('zh-cn') as Manifest).contributes;

const titleOf = (id: string): string => commands.find(({ command }) => command === id)!.title;

/** A text's translation, which must be one. */
function translated(text: string): string {
  const found = bundle[text];
  assert.match(found ?? '', /\p{Script=Han}/u, `“${text}” is not translated`);
  return found!;
}

endToEnd(
  'views, commands, chapters, annotations and the panel are Chinese where VS Code is',
  async (workbench) => {
    const { page } = workbench;
    await workbench.openContainer('Virtflow');
    for (const { name } of views.virtflow) {
      assert.match(name, /\p{Script=Han}/u);
      await page.locator('.pane-header', { hasText: name }).first().waitFor();
    }
    const [chapter] = vfio_intx.chapters;
    await page.locator('.sidebar .monaco-list-row', { hasText: 'VFIO INTx' }).first().click();
    const panel = workbench.webview('panel');
    await panel.locator('body[data-state=ready]').waitFor({ state: 'attached' });
    assert.equal(await panel.locator('html').getAttribute('lang'), 'zh-cn');
    await panel.getByRole('tab', { name: translated('Topology') }).waitFor();
    await page.locator('.sidebar .monaco-list-row', { hasText: translated(chapter!.title) }).click();
    await page.locator('.review-widget', { hasText: translated(chapter!.title) }).waitFor();
    const stepOf = async (): Promise<number> => Number(await panel.locator('body').getAttribute('data-step'));
    const before = await stepOf();
    await workbench.runCommand(`Virtflow: ${titleOf('virtflow.step')}`);
    await eventually(stepOf, (step) => step > before);
    await workbench.screenshot(`chinese-${workbench.host}`);
  },
  { language: 'zh-cn' },
);
