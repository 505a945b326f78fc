import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { MountedFolder } from '../workbench/folders';
import { eventually } from '../workbench/driver';
import { endToEnd } from './workbench';

const box = mkdtempSync(path.join(os.tmpdir(), 'virtflow-trees-'));
const linux = tree('linux', 'virt/kvm/eventfd.c', 'int answer(void)\n{\n\treturn 42;\n}\n');
const qemu = tree('qemu', 'VERSION', '7.2.0\n');
after(() => rmSync(box, { recursive: true }));

endToEnd(
  'trees are folders side by side, and their files open',
  async (workbench) => {
    const { page } = workbench;
    const folders = await eventually(
      () => page.locator('.explorer-folders-view .monaco-list-row').allInnerTexts(),
      (rows) => rows.length >= 2,
    );
    assert.deepEqual(
      folders
        .slice(0, 2)
        .map((name) => name.trim())
        .toSorted(),
      ['linux', 'qemu'],
    );

    await workbench.openFile(workbench.pathOf(linux, 'virt/kvm/eventfd.c'));
    await page.locator('.view-line').filter({ hasText: 'return 42;' }).waitFor();
    // C is coloured: its grammar and the WebAssembly that reads it were found.
    await page
      .locator('.view-line span[class*="mtk"]')
      .filter({ hasText: /^return$/ })
      .waitFor();
  },
  { folders: [linux, qemu] },
);

function tree(name: string, file: string, content: string): MountedFolder {
  const folder = path.join(box, name);
  mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
  writeFileSync(path.join(folder, file), content);
  return { name, path: folder };
}
