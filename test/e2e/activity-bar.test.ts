import assert from 'node:assert/strict';
import { manifest } from '../l10n/manifest';
import { endToEnd } from './workbench';
import { eventually } from '../workbench/driver';

interface Manifest {
  readonly contributes?: { readonly viewsContainers?: { readonly activitybar?: readonly { readonly title: string }[] } };
}

const containers = (manifest() as Manifest).contributes?.viewsContainers?.activitybar ?? [];

endToEnd('the workbench opens the welcome folder', async ({ page }) => {
  const names = await eventually(
    () => page.locator('.explorer-folders-view .monaco-list-row').allInnerTexts(),
    (rows) => rows.length > 0,
  );
  assert.deepEqual(
    names.map((name) => name.trim()),
    ['README.md'],
  );
});

for (const { title } of containers) {
  endToEnd(`the activity bar opens ${title}`, (workbench) => workbench.openContainer(title));
}
