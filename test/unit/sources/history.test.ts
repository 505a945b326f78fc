import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { anchorKey, anchorOfKey, PROJECTS, type Reference } from '../../../src/engine/reference';
import { CATALOGUE } from '../../../src/flows/catalogue';
import { claimsOf, everyRun } from '../../../src/flows/places';
import { claimsOfUnpassed } from '../../../src/flows/unpassed';
import { historyOf, placesInTree, placesOf, type History, type Place } from '../../../src/sources/history';
import { before, from } from '../../../src/sources/history/backports';
import { renamed } from '../../../src/sources/history/renamed';
import { compareVersions } from '../../../src/sources/versions';

const REFERENCE: Reference = { project: 'linux', path: 'a.c', symbol: 'f' };
const anchored = (key: string): Reference => ({ ...REFERENCE, anchor: anchorOfKey(key) });

const HISTORY: History = {
  checked: ['5.10', '6.1.5', '6.12'],
  names: { ...renamed('ack', '6.10', 'eoi'), field: [{ until: '6.1', symbol: 'member' }] },
  files: {
    'a.c': {
      '*': [{ until: '6.0', path: 'old/a.c' }],
      'f call special': [{ until: '6.1', symbol: 'g', anchor: 'call other', absent: 'g does it' }],
      'f call lent': [{ since: '6.1', symbol: 'h' }],
      unborn: [{ until: '6.1', nowhere: 'nobody needed it' }],
      gone: [{ until: '6.1', path: 'b.c', symbol: 'before', absent: 'before did it' }],
      'gone write y': [{ until: '6.1', anchor: 'write z' }],
      inlined: [{ until: '6.1', symbol: 'f', anchor: 'write member', absent: 'f did it itself' }],
    },
    'b.c': { callee: [{ until: '6.1', symbol: 'called' }], called: [{ until: '6.1', symbol: 'elder' }] },
    'new.c': { '*': [{ until: '6.1', nowhere: 'the driver came later' }] },
  },
};

describe('upstream’s history', () => {
  const cases: readonly (readonly [reference: Reference, version: string, expected: readonly string[]])[] = [
    [REFERENCE, '6.1.5', ['own a.c f']],
    [REFERENCE, '5.10.223', ['other old/a.c f', 'own a.c f']],
    [REFERENCE, '6.0-rc3', ['own a.c f', 'other old/a.c f']],
    [anchored('call eoi'), '6.1.5', ['other a.c f call ack', 'own a.c f call eoi']],
    [anchored('call ack'), '6.12', ['other a.c f call eoi', 'own a.c f call ack']],
    [anchored('write x after ack'), '6.12', ['own a.c f write x after eoi']],
    [anchored('write field'), '5.10', ['other old/a.c f write member', 'other old/a.c f write field']],
    [anchored('call callee'), '5.10', ['other old/a.c f call called', 'other old/a.c f call callee']],
    [anchored('call special'), '5.10', ['stand-in old/a.c g call other']],
    [anchored('call gone'), '5.10', ['other old/a.c f call gone', 'stand-in old/a.c f call before', 'stand-in old/a.c f']],
    [anchored('call inlined'), '5.10', ['other old/a.c f call inlined', 'stand-in old/a.c f write member', 'stand-in old/a.c f']],
    [{ ...REFERENCE, symbol: 'gone' }, '5.10', ['stand-in b.c before']],
    [{ ...anchored('call x'), symbol: 'gone' }, '5.10', ['stand-in b.c before']],
    [{ ...anchored('write y'), symbol: 'gone' }, '5.10', ['stand-in b.c before write z']],
    [anchored('call lent'), '6.1.5', ['elsewhere a.c h call lent']],
    [{ ...REFERENCE, symbol: 'unborn' }, '5.10', ['nowhere old/a.c unborn']],
    [anchored('call unborn'), '5.10', ['other old/a.c f call unborn', 'stand-in old/a.c f']],
    [{ ...anchored('call x'), path: 'new.c' }, '5.10', ['nowhere new.c f']],
    [{ ...REFERENCE, path: 'new.c' }, '5.11', ['nowhere new.c f', 'own new.c f']],
    [REFERENCE, '6.0-rc1', ['own a.c f', 'other old/a.c f']],
    [REFERENCE, '5.15', ['other old/a.c f', 'own a.c f']],
    [REFERENCE, '6.0-rc2', ['own a.c f', 'other old/a.c f']],
    [anchored('call ack'), '6.12-rc1', ['other a.c f call eoi', 'own a.c f call ack']],
    [anchored('call ack'), '99.0', ['other a.c f call eoi', 'own a.c f call ack']],
  ];
  for (const [reference, version, expected] of cases) {
    it(`says of ${reference.symbol} ${reference.anchor ? anchorKey(reference.anchor) : ''} in ${version}: ${expected.join(', ')}`, () => {
      assert.deepEqual(placesOf(reference, version, HISTORY).map(describePlace), expected);
    });
  }

  const describePlace = ({ standing, path, symbol, anchor }: Place): string =>
    [standing.kind, path, symbol, ...(anchor ? [anchorKey(anchor)] : [])].join(' ');

  it('lets a tree be ahead of its version, unless a name was another’s then', () => {
    const inTree = (symbol: string, path: string, version: string) =>
      placesInTree({ ...REFERENCE, path, symbol }, version, HISTORY).map(describePlace);
    assert.deepEqual(inTree('gone', 'a.c', '5.10'), ['stand-in b.c before']);
    assert.deepEqual(inTree('gone', 'a.c', '5.14'), ['own a.c gone', 'stand-in b.c before']);
    assert.deepEqual(inTree('callee', 'b.c', '5.14'), ['own b.c callee', 'other b.c called']);
    assert.deepEqual(inTree('called', 'b.c', '5.14'), ['other b.c elder', 'own b.c called']);
  });

  it('is as sure of what holds in all releases of a series that was checked, and less of what only a neighbour has', () => {
    const sure = (version: string): readonly string[] => placesOf(REFERENCE, version, HISTORY).map(({ confidence }) => confidence);
    assert.deepEqual(sure('5.10'), ['checked']);
    assert.deepEqual(sure('5.10.223'), ['checked', 'inferred']);
    assert.deepEqual(sure('5.15'), ['inferred', 'inferred']);
  });

  it('gives an identifier one name per version, by whichever it is asked', () => {
    const versions = ['6.1', '6.5', '6.12'];
    const facts = renamed('a', '6.2', 'b', '6.10', 'c');
    const history: History = { checked: ['6.0'], names: facts, files: {} };
    const name = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(name, name, fc.constantFrom(...versions), (one, other, version) => {
        const first = (token: string) => placesOf(anchored(`call ${token}`), version, history)[0]?.anchor?.token;
        assert.equal(first(one), first(other));
        assert.equal(first(one), ['a', 'b', 'c'][versions.indexOf(version)]);
      }),
    );
  });
});

describe('a change that was backported', () => {
  const history: History = {
    checked: [],
    names: {},
    files: {
      'a.c': {
        f: before('6.14', ['5.10', '6.1', '6.12.108'], { symbol: 'old' }),
        g: from('6.14', ['5.10', '6.1', '6.12.108'], { symbol: 'new' }),
      },
    },
  };
  const symbolIn = (symbol: string, version: string) => placesOf({ ...REFERENCE, symbol }, version, history)[0]?.symbol;

  for (const version of ['5.4', '5.11', '5.15.3', '6.0', '6.1', '6.2', '6.12.107', '6.13.9'])
    it(`is not in ${version}`, () => assert.deepEqual([symbolIn('f', version), symbolIn('g', version)], ['old', 'g']));
  for (const version of ['5.10.223', '6.1.1', '6.12.108', '6.14-rc1', '6.14', '7.1'])
    it(`is in ${version}`, () => assert.deepEqual([symbolIn('f', version), symbolIn('g', version)], ['f', 'new']));
});

describe('the history of Linux', () => {
  const reference = (path: string, symbol: string): Reference => ({ project: 'linux', path, symbol });
  const register = reference('drivers/vfio/vfio_main.c', 'vfio_register_group_dev');
  const token = reference('drivers/vfio/pci/vfio_pci_core.c', 'vfio_pci_vf_init');
  const signal = reference('fs/eventfd.c', 'eventfd_signal_mask');
  const map = reference('drivers/iommu/iommu.c', '_iommu_map');
  const post = reference('arch/x86/kvm/vmx/posted_intr.c', 'vmx_can_use_vtd_pi');
  const start = reference('kernel/rcu/srcutree.c', 'srcu_gp_start_if_needed');
  const pin = reference('drivers/vfio/vfio_iommu_type1.c', 'vaddr_get_pfns');

  const cases: readonly (readonly [reference: Reference, formerly: string, before: readonly string[], from: readonly string[]])[] = [
    [register, 'vfio_add_group_dev', ['5.10', '5.10.136', '5.11.22', '5.12.9'], ['5.10.137', '5.13', '5.15.85']],
    [token, 'vfio_pci_probe', ['5.10.36', '5.11', '5.11.20', '5.12.3'], ['5.10.37', '5.11.21', '5.12.4', '5.13']],
    [signal, 'eventfd_signal', ['5.10.161', '5.15.85', '6.0', '6.1'], ['5.10.162', '5.15.90', '6.0.17', '6.1.3', '6.5']],
    [map, 'iommu_map', ['5.10.13', '5.11'], ['5.10.20', '5.11.3', '5.12.9']],
    [post, 'vmx_vcpu_pi_put', ['5.10.83', '5.12.9', '5.15'], ['5.10.84', '5.15.7', '5.16']],
    [start, '__call_srcu', ['5.10.61', '5.11.22'], ['5.10.62', '5.12']],
    [pin, 'vaddr_get_pfn', ['5.10.145', '5.11'], ['5.10.146', '5.12']],
  ];
  for (const [each, formerly, before, from] of cases)
    it(`knows which stable releases were given ${each.symbol}`, () => {
      const symbolIn = (version: string) => placesOf(each, version)[0]?.symbol;
      assert.deepEqual(
        before.map(symbolIn),
        before.map(() => formerly),
      );
      assert.deepEqual(
        from.map(symbolIn),
        from.map(() => each.symbol),
      );
    });
});

describe('each fact of upstream’s history', () => {
  const [runs, others] = [claimsOf(CATALOGUE.flatMap((flow) => [...everyRun(flow, {})])), claimsOfUnpassed()];
  const [references, edges] = [
    [...runs.references, ...others.references],
    [...runs.edges, ...others.edges],
  ];
  const claimed = new Set<string>();
  const claim = ({ project, path, symbol, anchor }: Reference): void => {
    for (const key of ['*', symbol, ...(anchor ? [`${symbol} ${anchorKey(anchor)}`] : [])]) claimed.add(`${project} ${path} ${key}`);
    for (const word of [anchor?.token, ...(anchor?.after?.split(' ') ?? [])]) claimed.add(`${project} ${word}`);
  };
  references.forEach(claim);
  for (const edge of edges) {
    claim({ ...edge.caller, anchor: { as: 'call', token: edge.kind === 'direct' ? (edge.via ?? edge.callee) : edge.dispatch } });
    claim({ ...edge.caller, anchor: { as: 'name', token: edge.kind === 'direct' ? edge.callee : edge.dispatch } });
    if (edge.kind === 'indirect') claim({ ...edge.registration.reference, anchor: { as: 'name', token: edge.registration.token } });
  }

  for (const project of PROJECTS) {
    const { names, files } = historyOf(project);
    const all = [
      ...Object.entries(names).map(([name, facts]) => ({ place: `${project} ${name}`, facts })),
      ...Object.entries(files).flatMap(([path, keys]) =>
        Object.entries(keys).map(([key, facts]) => ({ place: `${project} ${path} ${key}`, facts })),
      ),
    ];

    it(`is of something that models name (${project})`, () => {
      assert.deepEqual(
        all.filter(({ place }) => !claimed.has(place)).map(({ place }) => place),
        [],
      );
    });

    it(`holds for some version, and names anchors as they are written (${project})`, () => {
      for (const { place, facts } of all)
        for (const { since, until, anchor } of facts) {
          assert.ok(since !== undefined || until !== undefined, place);
          if (since !== undefined && until !== undefined) assert.ok(compareVersions(since, until) < 0, place);
          if (anchor !== undefined) assert.equal(anchorKey(anchorOfKey(anchor)), anchor, place);
        }
    });
  }
});
