import assert from 'node:assert/strict';
import test from 'node:test';
import { callText } from '../../../src/trace/call';
import { MAX_LINE, parseSymbol } from '../../../src/trace/line';
import { readTrace, type CallTree, type Entry, type Skip, type TraceItem } from '../../../src/trace/read';
import { seen } from '../../../src/trace/recorded';
import { recording } from './support';

const WIDE = ' '.repeat(15);

/** A line of function_graph text. */
const graph = (body: string, depth: number, { task = 'worker-7', cpu = 0, flags = '.....' } = {}): string =>
  `  12.000001 |   ${cpu})  ${task}   |  ${flags} |${WIDE}|  ${'  '.repeat(depth)}${body}`;

function read(...lines: readonly string[]): { readonly items: TraceItem[]; readonly skips: Skip[] } {
  const skips: Skip[] = [];
  return { items: [...readTrace(lines, (skip) => skips.push(skip))], skips };
}

const trees = (items: readonly TraceItem[]): CallTree[] => items.filter((item): item is CallTree => item.kind === 'call');
const entries = (items: readonly TraceItem[]): Entry[] =>
  items.filter((item): item is Entry => item.kind === 'entry' || item.kind === 'note');

test('calls nest by their indentation, for each task by itself', () => {
  const { items, skips } = read(
    graph('outer [mod]() {', 0),
    graph('other();', 0, { task: 'idle-0', flags: 'd.h2.' }),
    graph('/* event: a|b */', 0),
    graph('inner.isra.0();', 1),
    ' ------------------------------------------',
    ' 0)   worker-7   =>   idle-0',
    graph('} /* outer [mod] */', 0),
  );
  assert.deepEqual(skips, []);
  assert.deepEqual(
    trees(items).map(({ task, call }) => [task.pid, call.context, call.at, callText([call])]),
    [
      [0, 'hardirq', 2, 'other\n'],
      [7, 'task', 1, 'outer\n  inner\n'],
    ],
  );
  assert.deepEqual(trees(items)[1]?.call.notes, ['event: a|b']);
});

test('idle tasks of two processors are two tasks', () => {
  const idle = { task: '<idle>-0' };
  const { items } = read(graph('a() {', 0, { ...idle, cpu: 0 }), graph('b();', 0, { ...idle, cpu: 1 }), graph('}', 0, { ...idle, cpu: 0 }));
  assert.deepEqual(
    trees(items).map(({ call }) => callText([call])),
    ['b\n', 'a\n'],
  );
});

test('a part that the compiler split off is the function that it was split from', () => {
  const { items, skips } = read(
    graph('get() {', 0),
    graph('get.part.0.isra.0() {', 1),
    graph('deeper();', 2),
    graph('}', 1),
    graph('}', 0),
    graph('get.part.0();', 0),
  );
  assert.deepEqual(skips, []);
  assert.deepEqual(
    trees(items).map(({ call }) => callText([call])),
    ['get\n  deeper\n', 'get\n'],
  );
});

test('symbols lose what the toolchain added', () => {
  assert.deepEqual(parseSymbol('do_it.constprop.0.cold [some_mod]'), { name: 'do_it', part: false });
  assert.deepEqual(parseSymbol('do_it.part.12'), { name: 'do_it', part: true });
  for (const wrong of ['', '0x1234', 'a b', 'do_it.unheard_of', 'do_it [']) assert.equal(parseSymbol(wrong), undefined);
});

test('a window’s end is the end of what was open in it', () => {
  const { items, skips } = read('## ==== first', graph('outer() {', 0), graph('inner() {', 1), '## ==== second', graph('} /* outer */', 0));
  assert.deepEqual(
    items.map((item) => (item.kind === 'call' ? callText([item.call]) : item.kind)),
    ['window', 'outer\n  inner\n', 'window'],
  );
  assert.deepEqual(skips, [{ at: 5, expected: 'the end of a call whose beginning was recorded' }]);
});

test('entries of the function tracer carry their caller, and the stack that follows them', () => {
  const { items, skips } = read(
    ' qemu-system-x86-5     [001] d.h1.   35.1: called [mod] <-caller',
    ' other-6     [000] .....   35.2: unrelated <-nobody',
    ' qemu-system-x86-5     [001] d.h1.   35.3: <stack trace>',
    ' => ftrace_call',
    ' => called',
    ' => caller',
    ' qemu-system-x86-5     [001] .....   35.4: some_event: value=1',
  );
  assert.deepEqual(skips, []);
  assert.deepEqual(
    entries(items).map(({ kind, name, caller, context, stack, details }) => [kind, name, caller, context, stack, details]),
    [
      ['entry', 'called', 'caller', 'hardirq', ['called', 'caller'], ''],
      ['note', 'some_event', undefined, 'task', [], 'value=1'],
      ['entry', 'unrelated', 'nobody', 'task', [], ''],
    ],
  );
});

test('probes and system calls carry user stacks; addresses without a name are left out', () => {
  const { items, skips } = read(
    'prog-9       0DNZff 1411us+: probed: (0x555)',
    'prog-9       0DNZff 1412us : <user stack trace>',
    ' =>  <0000000000000555> [probed+0x0]',
    ' =>  <0000000000000556>',
    ' =>  <0000000000000557> [main+0x1d]',
    'prog-9       0...1. 1413us!: sys_ioctl(fd: e, cmd: 3b6e)',
  );
  assert.deepEqual(skips, []);
  assert.deepEqual(
    entries(items).map(({ name, stack, details }) => [name, stack, details]),
    [
      ['probed', ['probed', 'main'], ''],
      ['sys_ioctl', [], 'fd: e, cmd: 3b6e'],
    ],
  );
});

test('what is skipped is said, with the line and what was expected there', () => {
  const { items, skips } = read(graph('not a call', 0), 'plain text', ' => lonely_frame', graph('fine();', 0), 'x'.repeat(1 << 20));
  assert.deepEqual(
    skips.map(({ at }) => at),
    [1, 2, 3, 5],
  );
  assert.match(skips[3]?.expected ?? '', new RegExp(`${MAX_LINE}`));
  assert.equal(trees(items).length, 1);
});

test('items come while the lines are still coming', () => {
  function* endless(): Generator<string> {
    for (;;) yield graph('again();', 0);
  }
  let seen = 0;
  for (const item of readTrace(endless())) {
    assert.equal(item.at, ++seen);
    if (seen === 100_000) break;
  }
});

test('a tree without an end stops growing', () => {
  function* deep(): Generator<string> {
    for (let depth = 0; depth < 5000; depth++) yield graph('down() {', depth % 1500);
    yield graph('wide() {', 0);
    for (let n = 0; n < 250_000; n++) yield graph('leaf();', 1);
  }
  let skips = 0;
  const calls = [...readTrace(deep(), () => skips++)];
  assert.ok(skips > 50_000);
  assert.ok(trees(calls).every(({ call }) => callText([call]).length > 0));
});

/** The same numbers every time. */
function* randomNumbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) yield (state = (state * 1103515245 + 12345) & 0x7fffffff);
}

test('no text makes the reader throw or hang', () => {
  const numbers = randomNumbers(1);
  const next = (below: number): number => numbers.next().value % below;
  const seeds = [
    graph('call [mod]() {', 3),
    graph('} /* call */', 3),
    graph('/* note | with: bars */', 1),
    ' task-1-2-3     [001] d..2.   35.1: called <-caller',
    'prog-9       0DNZff 1411us+: probed: (0x555)',
    'prog-9       0DNZff 1412us : <user stack trace>',
    ' =>  <0000000000000555> [probed+0x0]',
    '## ==== window',
    '-1 '.repeat(1300),
    '|'.repeat(4000),
    ' => ' + '['.repeat(4000),
    `a${'-1 ['.repeat(1000)}`,
  ];
  const characters = '|-)(:;{}[]<>=/*.0 aé\0\u2028';
  const mutated = (): string => {
    const line = seeds[next(seeds.length)] ?? '';
    const at = next(line.length + 1);
    switch (next(4)) {
      case 0:
        return line.slice(0, at);
      case 1:
        return line.slice(at);
      case 2:
        return line.slice(0, at) + (characters[next(characters.length)] ?? '') + line.slice(at + 1);
      default:
        return line.slice(0, at) + (seeds[next(seeds.length)] ?? '').slice(at);
    }
  };
  const lines = Array.from({ length: 20_000 }, mutated);
  let skips = 0;
  const began = Date.now();
  const items = [...readTrace(lines, () => skips++)];
  assert.ok(skips > 1000 && items.length > 1000, `${skips} skipped, ${items.length} understood`);
  assert.ok(Date.now() - began < 5000);
});

test('the recordings are understood but for what their cuts and one mark of two lines leave over', () => {
  const expected: Readonly<Record<string, readonly number[]>> = {
    'f1a-intx-kvm-setup.graph.txt': [217, 218, 220, 221, 794, 795, 796, 815],
    'f1b-intx-kvm-delivery.graph.txt': [],
    'f1d-intx-kvm-setup.func-stacks.txt': [],
    'f3a-intx-userspace.graph.txt': [450, 923, 1082],
    'u1-intx-kvm-qemu-side.user.txt': [28, 235, 436, 437, 438, 439],
    'u3-intx-userspace-qemu-side.user.txt': [],
  };
  for (const [file, lines] of Object.entries(expected))
    assert.deepEqual(
      recording(file).skips.map(({ at }) => at),
      lines,
      file,
    );
});

test('a program’s stack that lacks its innermost caller is made whole from the stacks around it', () => {
  const probed = (name: string, ...callers: readonly string[]): string[] => [
    ` qemu-7  [000] .....  1.000001: ${name}: (0x5555)`,
    ' qemu-7  [000] .....  1.000002: <user stack trace>',
    ...[`${name}+0x0`, ...callers.map((caller) => `${caller}+0x12`)].map((frame) => ` =>  <000055555577fd4a> [${frame}]`),
  ];
  const lines = [
    ...probed('vfio_intx_interrupt', 'main_loop_wait'),
    ...probed('pci_set_irq', 'aio_dispatch', 'main_loop_wait'),
    ...probed('pci_irq_handler', 'vfio_intx_interrupt', 'aio_dispatch', 'main_loop_wait'),
    ...probed('vfio_mmap_set_enabled', 'aio_dispatch', 'main_loop_wait'),
  ];
  const entries = [...seen(readTrace(lines))].flatMap((each) => ('window' in each || each.by !== 'entry' ? [] : [each]));
  assert.deepEqual(
    entries.map(({ key, ancestors }) => [key, ...ancestors].map((each) => each.slice('user '.length)).join(' < ')),
    [
      'vfio_intx_interrupt < main_loop_wait',
      'pci_set_irq < vfio_intx_interrupt < aio_dispatch < main_loop_wait',
      'pci_irq_handler < pci_set_irq < vfio_intx_interrupt < aio_dispatch < main_loop_wait',
      'vfio_mmap_set_enabled < vfio_intx_interrupt < aio_dispatch < main_loop_wait',
    ],
  );
});
