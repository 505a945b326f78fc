import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface Manifest {
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly supported: unknown; readonly restrictedConfigurations: readonly string[] };
  };
  readonly contributes: { readonly configuration: { readonly properties: Readonly<Record<string, unknown>> } };
}

test('a workspace that its reader does not trust names no folder or share that is then read', () => {
  const { capabilities, contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const { supported, restrictedConfigurations } = capabilities.untrustedWorkspaces;
  // VS Code heeds the list only then.
  assert.equal(supported, 'limited');
  const folders = Object.keys(contributes.configuration.properties).filter((name) => name.startsWith('virtflow.sources.'));
  assert.deepEqual(restrictedConfigurations, folders);
});
