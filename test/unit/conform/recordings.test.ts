import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { agrees, replayFile, reportText } from '../../conform/report';

/** The models against what real interrupt controllers did. */

const FOLDER = 'test/fixtures/recordings';

describe('the models agree with the recording', () => {
  for (const name of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (!name.endsWith('.jsonl.gz')) continue;
    it(name, async () => {
      const report = await replayFile(`${FOLDER}/${name}`);
      assert.ok(report.operations > 0 && agrees(report), reportText(report));
    });
  }
});
