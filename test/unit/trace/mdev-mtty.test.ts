import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { mdev_mtty } from '../../../src/flows/mdev-mtty';
import { alignBest } from '../../../src/trace/fit';

/** Runs of the flow mdev-mtty against recordings of a real host: an AMD machine with Linux 6.1 and mtty. */

const HOST = { linux: '6.1', user: 'qemu', type: 'mtty-2', lapic: 'svm-x2apic', 'kvm-intx': true };

/** What each recording agrees to at least. The last one has stacks that lack a caller, and leaves out some accesses of the guest’s driver. */
const SCORES = {
  'f4a-mtty-mdev-create.graph.txt': 0.95,
  'f4b-mtty-setup-delivery.graph.txt': 0.9,
  'u4-mtty-qemu-side.user.txt': 0.85,
};

for (const [file, least] of Object.entries(SCORES)) {
  test(`${file} agrees with the run`, () => {
    const lines = gunzipSync(readFileSync(`test/fixtures/traces/${file}.gz`))
      .toString()
      .split('\n');
    const { score } = alignBest(mdev_mtty, HOST, () => lines).alignment;
    assert.ok(score >= least, `${score}`);
  });
}
