import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agrees, replayFile, reportText } from '../../../conform/report';

/** Recordings of the real chips, made with qtest: every operation and every register after it. */

for (const chip of ['pic', 'ioapic']) {
  test(`QEMU’s ${chip} does what the recorded one did`, async () => {
    const report = await replayFile(`test/fixtures/oracle/qemu/${chip}.jsonl.gz`);
    assert.ok(agrees(report), reportText(report));
    assert.ok(report.operations > 7000, reportText(report));
  });
}
