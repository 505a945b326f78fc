import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createCursor } from '../../../src/engine/timeline';
import { resolveParameters, simulate, type FlowRun } from '../../../src/flows/flow';
import { cellName } from '../../../src/flows/text';
import { vfio_probe } from '../../../src/flows/vfio-probe';

/** VFIO's modules from loading to release: what each parameter changes, and what holds whatever happens. */

type Given = Readonly<Record<string, unknown>>;

const run = (given: Given = {}, stimuli: FlowRun['inputs']['stimuli'] = [], seed = 0): FlowRun =>
  simulate(vfio_probe, { parameters: resolveParameters(vfio_probe, given), stimuli, seed });

const preset = (id: string): FlowRun => {
  const found = vfio_probe.presets.find((one) => one.id === id);
  assert.ok(found, `there is no preset ${id}`);
  return run(found.parameters, found.stimuli);
};

const steps = ({ journal }: FlowRun) => Array.from({ length: journal.length }, (_, n) => journal.step(n));
const entered = (of: FlowRun): string[] => steps(of).flatMap(({ kind, site }) => (kind === 'enter' ? [site.fn.name] : []));
const count = (of: FlowRun, name: string): number => entered(of).filter((entry) => entry === name).length;
const results = (of: FlowRun, name: string): (number | undefined)[] =>
  steps(of).flatMap(({ kind, site, result }) => (kind === 'return' && site.fn.name === name ? [result] : []));

function state(of: FlowRun, name: string, at = of.journal.length - 1): number {
  const cell = of.cells.find((candidate) => cellName(candidate) === name);
  assert.ok(cell, `there is no cell ${name}`);
  const cursor = createCursor(of);
  cursor.seek(at);
  return cursor.value(cell.id);
}

/** Asserts that the functions are entered in this order, others in between. */
function inOrder(of: FlowRun, names: readonly string[]): void {
  const all = entered(of);
  let at = -1;
  for (const name of names) {
    at = all.indexOf(name, at + 1);
    assert.notEqual(at, -1, `${name} is not entered after the functions before it in ${names.join(', ')}`);
  }
}

/** The locks that are taken while a function runs, by the calls that take them. */
function locksWithin(of: FlowRun, name: string): string[] {
  const taken: string[] = [];
  let depth = 0;
  for (const { kind, site } of steps(of)) {
    if (site.fn.name === name && kind === 'enter') depth += 1;
    else if (site.fn.name === name && kind === 'return') depth -= 1;
    else if (depth > 0 && site.anchor?.token === 'mutex_lock') taken.push(site.fn.name);
  }
  return taken;
}

const values = (name: string): string[] => {
  const spec = vfio_probe.parameters.find((one) => one.name === name);
  assert.ok(spec?.kind === 'choice');
  return spec.choices.map(({ value }) => value);
};

const everyWay = values('linux').flatMap((linux) =>
  values('user').flatMap((user) =>
    values('device').flatMap((device) =>
      values('isolation').flatMap((isolation) => values('bind').map((bind): Given => ({ linux, user, device, isolation, bind }))),
    ),
  ),
);

test('whatever the parameters, the host has its device back at the end, and nothing is pinned or mapped', () => {
  for (const given of everyWay) {
    const of = run(given);
    const what = JSON.stringify(given);
    assert.equal(of.ending.kind, 'idle', what);
    assert.ok(of.journal.length < 4000, what);
    for (const cell of of.cells) {
      const name = cellName(cell);
      const leftover =
        /^mm_struct\(.*locked_vm$|mapped_pages$|open_count$|container_users$|cdev_device_open_cnt$|^kvm_arch.*assigned_device_count$/.test(
          name,
        );
      if (leftover) assert.equal(state(of, name), 0, `${what}: ${name}`);
    }
  }
});

test('the chain of probing, from sysfs to the group', () => {
  for (const linux of values('linux')) {
    inOrder(run({ linux }), [
      'vfio_init',
      'vfio_iommu_type1_init',
      'vfio_register_iommu_driver',
      'vfio_pci_core_init',
      'vfio_pci_init_perm_bits',
      'vfio_pci_init',
      'unbind_store',
      'iommu_device_unuse_default_domain',
      'driver_override_store',
      'drivers_probe_store',
      'pci_bus_match',
      'really_probe',
      'pci_device_probe',
      'local_pci_probe',
      'vfio_pci_probe',
      '_vfio_alloc_device',
      'vfio_init_device',
      'vfio_pci_core_init_dev',
      'vfio_pci_core_register_device',
      'vfio_assign_device_set',
      'vfio_register_group_dev',
      'vfio_group_find_or_alloc',
      'iommu_group_get',
      'vfio_create_group',
    ]);
  }
});

test('QEMU’s chain: group, container, backend, KVM, memory, device, regions', () => {
  const common = [
    'vfio_realize',
    'vfio_get_group',
    'vfio_group_fops_open',
    'vfio_connect_container',
    'vfio_fops_open',
    'vfio_init_container',
    'vfio_group_ioctl_set_container',
    'vfio_container_attach_group',
    'iommu_group_claim_dma_owner',
    'vfio_ioctl_set_iommu',
    'vfio_iommu_type1_open',
    'vfio_iommu_type1_attach_group',
    'iommu_attach_group',
    'vfio_iommu_replay',
    'vfio_kvm_device_add_group',
    'kvm_vfio_create',
    'kvm_vfio_set_attr',
    'kvm_vfio_file_add',
    'kvm_arch_start_assignment',
    'vfio_file_set_kvm',
    'vfio_listener_region_add',
    'vfio_dma_map',
    'vfio_dma_do_map',
    'vfio_pin_pages_remote',
    'iommu_map',
    'vfio_get_device',
  ];
  const after = ['vfio_pci_open_device', 'vfio_pci_core_enable', 'vfio_config_init', 'vfio_pci_ioctl_get_info', 'vfio_populate_device'];
  const last = ['vfio_region_setup', 'memory_region_init_io', 'vfio_bars_register', 'vfio_region_mmap', 'vfio_intx_enable', 'do_exit'];
  inOrder(run({ linux: '6.1' }), [...common, 'vfio_device_open', ...after, ...last]);
  const df = [
    'vfio_df_group_open',
    'vfio_df_open',
    'vfio_df_device_first_open',
    'vfio_group_use_container',
    'vfio_device_container_register',
  ];
  inOrder(run({ linux: '6.12' }), [...common, ...df, ...after, ...last]);
});

test('6.1 opens the device before it tells the backend, 6.12 after', () => {
  inOrder(run({ linux: '6.1' }), ['vfio_pci_core_enable', 'vfio_iommu_type1_register_device']);
  inOrder(run({ linux: '6.12' }), ['vfio_iommu_type1_register_device', 'vfio_pci_core_enable']);
});

test('the way by the device’s own node needs 6.6, and then no group, no container', () => {
  const new_way = run({ user: 'program-cdev', linux: '6.12' });
  inOrder(new_way, [
    'vfio_device_fops_cdev_open',
    'vfio_df_ioctl_bind_iommufd',
    'vfio_device_block_group',
    'vfio_df_iommufd_bind',
    'vfio_iommufd_physical_bind',
    'iommufd_device_bind',
    'vfio_pci_core_enable',
    'vfio_df_ioctl_attach_pt',
    'vfio_iommufd_physical_attach_ioas',
    'iommufd_device_attach',
    'vfio_df_unbind_iommufd',
  ]);
  for (const name of ['vfio_fops_open', 'vfio_group_fops_open', 'vfio_dma_do_map']) assert.equal(count(new_way, name), 0, name);
  const old = run({ user: 'program-cdev', linux: '6.1' });
  assert.equal(state(old, 'program(driver in user space).error'), 2);
  assert.equal(count(old, 'vfio_pci_core_enable'), 0);
});

test('new_id tries the driver on every free device; an override asks for one', () => {
  const by_id = run({ bind: 'new_id' });
  inOrder(by_id, ['new_id_store', 'do_pci_add_dynid', 'driver_attach', 'bus_for_each_dev', 'vfio_pci_probe']);
  assert.equal(count(by_id, 'driver_override_store'), 1, 'only to clear it');
  assert.equal(count(run(), 'new_id_store'), 0);
});

test('DMA reaches what is mapped, and nothing else', () => {
  for (const linux of values('linux')) {
    const users = ['program', 'program-mediated', ...(linux === '6.12' ? ['program-cdev'] : [])];
    for (const user of users) assert.deepEqual(results(run({ user, linux }), 'device_writes_memory'), [0, -1], `${user} on ${linux}`);
  }
});

test('a device that nobody has writes nowhere', () => {
  const before = run({ user: 'program' }, [{ at: 0, name: 'dma' }]);
  assert.equal(results(before, 'device_writes_memory')[0], -1);
  const after = run({ user: 'program' }, [{ at: run({ user: 'program' }).journal.length, name: 'dma' }]);
  assert.equal(results(after, 'device_writes_memory').at(-1), -1);
});

test('a virtual function has no interrupt pin, so QEMU sets up no INTx', () => {
  assert.ok(count(run({ device: 'physical' }), 'vfio_intx_enable') > 0);
  assert.equal(count(run({ device: 'virtual' }), 'vfio_intx_enable'), 0);
});

test('with the physical function in a user’s hands, SR-IOV is VFIO’s: its virtual function goes to vfio-pci by itself', () => {
  const of = run({ user: 'program', device: 'virtual-by-token' });
  inOrder(of, [
    'sriov_numvfs_store',
    'vfio_pci_core_sriov_configure',
    'pci_enable_sriov',
    'pci_iov_add_virtfn',
    'vfio_pci_bus_notifier',
    'vfio_pci_probe',
  ]);
  assert.equal(count(of, 'vfio_pci_probe'), 2);
  assert.equal(state(of, 'program(driver in user space).error'), 0);
  inOrder(of, ['vfio_pci_remove', 'pci_disable_sriov', 'vfio_pci_remove']);
});

test('preset: unbinding waits for the virtual machine, and asks twice', () => {
  const of = preset('unbind-while-open');
  assert.equal(count(of, 'vfio_pci_core_request'), 2);
  assert.equal(count(of, 'vfio_req_notifier_handler'), 2);
  inOrder(of, [
    'vfio_unregister_group_dev',
    'vfio_pci_core_request',
    'vfio_req_notifier_handler',
    'do_exit',
    'vfio_device_fops_release',
    'vfio_device_remove_group',
  ]);
  assert.deepEqual(locksWithin(of, 'vfio_pci_core_request'), ['vfio_pci_core_request', 'vfio_pci_core_request'], 'igate, each time');
});

test('preset: the program is asked, finishes, and leaves; 6.12 takes no lock to ask', () => {
  const of = preset('asked-by-eventfd');
  assert.equal(count(of, 'vfio_pci_core_request'), 2);
  assert.equal(state(of, 'program(driver in user space).asked'), 1);
  assert.deepEqual(locksWithin(of, 'vfio_pci_core_request'), []);
});

test('preset: a group with a neighbour of the host’s is not viable', () => {
  const of = preset('not-viable');
  assert.equal(count(of, 'vfio_connect_container'), 0);
  assert.equal(count(of, 'vfio_pci_core_enable'), 0);
  const insisting = run({ isolation: 'neighbour', user: 'program-cdev', linux: '6.12' });
  assert.deepEqual(results(insisting, 'iommu_device_claim_dma_owner'), [-1]);
});

test('preset: without interrupt remapping type1 refuses, and the group goes back to the kernel', () => {
  const of = preset('no-isolated-msi');
  assert.deepEqual(results(of, 'vfio_iommu_type1_attach_group'), [-1]);
  assert.equal(count(of, 'vfio_pci_core_enable'), 0);
  assert.equal(state(of, `iommu_group(group 7).owner_cnt`), 1, 'the host’s driver again');
});

test('preset: what is mapped cannot be mapped again', () => {
  const of = preset('overlap');
  assert.deepEqual(results(of, 'vfio_dma_do_map'), [0, -17]);
});

test('preset: with the memory off a mapped BAR faults, and comes back with it', () => {
  const of = preset('memory-off');
  assert.deepEqual(results(of, 'vfio_pci_mmap_fault'), [256, 2, 256]);
  assert.ok(count(of, 'vfio_pci_zap_and_down_write_memory_lock') >= 1);
});

test('presets: the token, asked for by name only', () => {
  assert.ok(results(preset('no-token'), 'vfio_pci_core_match').includes(-13));
  const unasked = preset('token-not-asked-for');
  assert.equal(count(unasked, 'vfio_pci_core_match'), 0);
  assert.equal(state(unasked, 'program(driver in user space).error'), 0);
});

test('preset: a container of mediated devices pins nothing until a real one joins', () => {
  const of = preset('pinned-late');
  const all = entered(of);
  const first = all.indexOf('vfio_pin_pages_remote');
  assert.ok(first > all.indexOf('vfio_dma_do_map'));
  assert.ok(first > all.indexOf('vfio_iommu_replay'));
  assert.equal(count(of, 'vfio_pin_map_dma'), 0);
});

test('preset: a device bound by its node keeps its group closed', () => {
  assert.deepEqual(results(preset('two-ways'), 'vfio_group_fops_open'), [-16]);
});

test('whatever happens and whenever, nothing throws or hangs, and at the end the host has its device', () => {
  const inputs = fc.record({
    given: fc.constantFrom(...everyWay),
    stimuli: fc.array(fc.record({ at: fc.nat(3500), name: fc.constantFrom(...vfio_probe.stimuli.map(({ name }) => name)) }), {
      maxLength: 6,
    }),
    seed: fc.nat(1000),
  });
  fc.assert(
    fc.property(inputs, ({ given, stimuli, seed }) => {
      const of = run(
        given,
        [...stimuli].sort((a, b) => a.at - b.at),
        seed,
      );
      assert.equal(of.ending.kind, 'idle');
      assert.equal(state(of, 'device(0000:01:00.0).driver'), state(of, 'device(0000:01:00.0).driver', 0), 'the driver that it had');
    }),
    { numRuns: 100 },
  );
});
