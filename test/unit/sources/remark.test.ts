import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reference } from '../../../src/engine/reference';
import type { History } from '../../../src/sources/history';
import { remarkOn } from '../../../src/sources/remark';
import { createResolver } from '../../../src/sources/resolver';
import { memoryFiles } from './support';

const HISTORY: History = {
  checked: ['5.10.223', '6.1.192', '6.12.117', '7.1.13'],
  names: { eoi: [{ until: '6.10', symbol: 'ack' }] },
  files: {
    'a.c': {
      '*': [{ until: '5.11', path: 'old.c' }],
      'f call later': [{ until: '6.2', anchor: 'call later after ack' }],
      fresh: [{ until: '6.0', symbol: 'stale' }],
      'fresh call eoi': [{ since: '6.10', symbol: 'f' }],
      unborn: [{ until: '6.0', nowhere: 'nobody needed it' }],
      young: [{ until: '6.0', symbol: 'stale', absent: 'stale did it for all' }],
    },
  },
};
const TEXTS = {
  'old.c': 'int f(void) {} int stale(void) {}',
  'a.c': 'int f(void) { later(); ack(); later(); eoi(); } int fresh(void) {} int young(void) {}',
};
const REFERENCE: Reference = { project: 'linux', path: 'a.c', symbol: 'f' };

describe('of the place of a reference readers are told', () => {
  const cases: readonly (readonly [version: string, reference: Partial<Reference>, remark: string | undefined])[] = [
    ['6.1.192', {}, undefined],
    ['5.10.223', {}, 'info: In Linux 5.10.223 this is in old.c.'],
    ['5.10.223', { symbol: 'fresh' }, 'info: fresh is stale in Linux 5.10.223.'],
    ['6.12.1', { symbol: 'fresh', anchor: { token: 'eoi', as: 'call' } }, 'info: In Linux 6.12.1 this is in f.'],
    ['5.10.223', { symbol: 'young' }, 'info: Not in Linux 5.10.223: stale did it for all.'],
    ['5.10.223', { symbol: 'unborn' }, 'info: linux:a.c unborn: it is not in 5.10.223: nobody needed it'],
    ['6.1.192', { anchor: { token: 'eoi', as: 'call' } }, 'info: eoi is ack in Linux 6.1.192.'],
    ['6.1.192', { anchor: { token: 'later', as: 'call' } }, undefined],
    ['6.5', {}, 'info: Found by its name: Linux 6.5 was not checked, unlike 6.1.192, 6.12.117.'],
    ['6.1.192', { symbol: 'g' }, 'warning: linux:a.c g: a.c does not define g'],
  ];
  for (const [version, partly, expected] of cases) {
    it(expected ?? 'nothing', async () => {
      const tree = { project: 'linux', version } as const;
      const reference = { ...REFERENCE, ...partly };
      const resolution = await createResolver(tree, memoryFiles(TEXTS), HISTORY).resolve(reference);
      const remark = remarkOn(reference, tree, resolution);
      assert.equal(remark && `${remark.kind}: ${remark.text}`, expected);
    });
  }
});
