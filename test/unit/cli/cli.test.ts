import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, closeSync, ftruncateSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

/** The terminal as a person or a script meets it: what it prints, its exit status, and what it says to bad input. */

const scratch = mkdtempSync(path.join(os.tmpdir(), 'virtflow-cli-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function virtflow(...args: string[]): { readonly status: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', ...args], {
    encoding: 'utf8',
    // Against hanging; a busy machine is slow.
    timeout: 300_000,
    maxBuffer: 1 << 28,
  });
  return { status, out: stdout, err: stderr };
}

/** A folder that shows itself as Linux 6.12.1 and holds nothing else. */
function emptyKernel(name: string): string {
  const root = path.join(scratch, name);
  mkdirSync(path.join(root, 'drivers/vfio/pci'), { recursive: true });
  writeFileSync(path.join(root, 'Makefile'), 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n');
  return root;
}

interface Printed {
  readonly flow: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly steps: readonly {
    readonly n: number;
    readonly thread: string;
    readonly context: string;
    readonly kind: string;
    readonly project: string;
    readonly path: string;
    readonly symbol: string;
    readonly writes: readonly { readonly cell: string; readonly old: string; readonly new: string }[];
  }[];
  readonly state: Readonly<Record<string, string>>;
}

interface Tour {
  readonly title: string;
  readonly steps: readonly { readonly file?: string; readonly description: string }[];
}

test('flows lists what can be run, in both forms', () => {
  assert.match(virtflow('flows').out, /^vfio-intx: VFIO INTx$/m);
  const flows = JSON.parse(virtflow('flows', '--json').out) as readonly {
    readonly id: string;
    readonly stimuli: readonly { readonly name: string }[];
  }[];
  const flow = flows.find(({ id }) => id === 'vfio-intx');
  assert.ok(flow);
  assert.ok(flow.stimuli.some(({ name }) => name === 'raise'));
});

test('run prints one object whose writes add up to its state', () => {
  const run = JSON.parse(virtflow('run', 'vfio-intx', '--set', 'interrupts=1', '--set', 'linux=6.1', '--format', 'json').out) as Printed;
  assert.equal(run.flow, 'vfio-intx');
  assert.equal(run.parameters['interrupts'], 1);
  assert.deepEqual(
    run.steps.map(({ n }) => n),
    run.steps.map((_, index) => index),
  );
  const state = new Map<string, string>();
  for (const { writes } of run.steps) {
    for (const write of writes) {
      if (state.has(write.cell)) assert.equal(write.old, state.get(write.cell));
      state.set(write.cell, write.new);
    }
  }
  for (const [cell, value] of state) assert.equal(run.state[cell], value, cell);
  const moved = run.steps.find(({ symbol }) => symbol === 'pci_check_and_mask_intx');
  assert.equal(moved?.path, 'drivers/pci/pci.c', 'a place is named as the modelled version has it');
});

test('run prints text for people', () => {
  const { status, out } = virtflow('run', 'vfio-intx', '--set', 'interrupts=1');
  assert.equal(status, 0);
  assert.match(out, /── host hard-IRQ {2}\(from step \d+\)/);
  assert.match(out, /\d+ +vfio_intx_handler\(\) {2}\[function pointer]/);
  assert.match(out, /masked {2}vfio_pci_irq_ctx\(ctx\[0]\)\.masked: false → true/);
});

const REFUSED: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['walk'], /there is no command "walk"/],
  [['run'], /run needs a flow: .*vfio-intx/],
  [['run', 'vfio-outx'], /there is no flow "vfio-outx"; the flows are .*vfio-intx/],
  [['run', 'vfio-intx', '--set', 'interrupts'], /--set is "interrupts", expected name=value/],
  [['run', 'vfio-intx', '--set', 'interrupts=many'], /parameter interrupts is "many", expected a whole number from 0 to 5000/],
  [['run', 'vfio-intx', '--set', 'interrupts=5001'], /expected a whole number from 0 to 5000/],
  [['run', 'vfio-intx', '--set', 'linux=2.4'], /parameter linux is "2\.4", expected one of 6\.1, 6\.12/],
  [['run', 'vfio-intx', '--set', 'colour=red'], /has no parameter "colour"; it has kvm-intx/],
  [['run', 'vfio-intx', '--inject', 'raise'], /--inject is "raise", expected STIMULUS@STEP/],
  [['run', 'vfio-intx', '--inject', 'explode@1'], /has no stimulus "explode"; it has raise/],
  [['run', 'vfio-intx', '--format', 'yaml'], /--format is "yaml", expected one of text, json/],
  [['run', 'vfio-intx', '--seed', '-1'], /seed/],
  [['run', 'vfio-intx', '--fast'], /fast/],
  [['run', 'vfio-intx', '--format'], /--format has no value: expected text\|json/],
  [['flows', '--format', 'json'], /flows has no option --format; expected virtflow flows \[--json]/],
  [['align', 'vfio-intx'], /align needs --trace FILE/],
  [['align', '--trace', 'x'], /align needs a flow: .*vfio-intx/],
  [['align', 'vfio-intx', '--trace', '/nowhere'], /--trace \/nowhere: there is no such file or directory/],
  [['align', 'vfio-intx', '--trace', scratch], /--trace \S+: this is a directory, expected a file/],
  [
    ['align', 'vfio-intx', '--trace', '/dev/null'],
    /--trace \/dev\/null: no function that vfio-intx knows occurs there; expected ftrace’s text/,
  ],
  [['check-sources'], /give at least one source tree/],
  [['check-sources', '--linux', 'README.md'], /--linux README\.md: this is no directory, expected the root of a source tree/],
  [['index', '--qemu', '/nowhere'], /--qemu \/nowhere: there is no directory \/nowhere$/m],
];

for (const [args, message] of REFUSED) {
  test(`"${args.join(' ')}" is refused by name`, () => {
    const { status, out, err } = virtflow(...args);
    assert.equal(status, 2);
    assert.equal(out, '');
    assert.match(err, message);
  });
}

test('without a command, what there is; and where that was asked for, no error', () => {
  const [nothing, help] = [virtflow(), virtflow('--help')];
  assert.deepEqual([nothing.status, nothing.out, help.status, help.err], [2, '', 0, '']);
  assert.equal(nothing.err, help.out);
});

test('a stimulus behind the end of the run is told, with when it happens, and where it never does', () => {
  const usual = virtflow('run', 'vfio-intx');
  const length = Number(/(\d+) steps; every context waits\.\n$/.exec(usual.out)?.[1]);
  assert.equal(usual.err, '');
  assert.equal(virtflow('run', 'vfio-intx', '--inject', `raise@${length}`).err, '');
  assert.equal(virtflow('run', 'ioapic', '--preset', 'masked-edge').err, '', 'a preset says so when it means that all has come to rest');
  const late = virtflow('run', 'vfio-intx', '--inject', `raise@${length + 1}`);
  assert.equal(late.status, 0);
  assert.equal(
    late.err,
    `virtflow: --inject raise@${length + 1}: the run has no such step; it happens after ${length} steps, when all has come to rest\n`,
  );
  assert.equal(late.out, virtflow('run', 'vfio-intx', '--inject', `raise@${length}`).out);
});

test('a folder that is not a kernel is refused, with what was expected and found', () => {
  const root = path.join(scratch, 'no-kernel');
  mkdirSync(root);
  writeFileSync(path.join(root, 'Makefile'), 'all:\n\techo hello\n');
  const { status, err } = virtflow('check-sources', 'vfio-intx', '--linux', root);
  assert.equal(status, 2);
  assert.match(err, /VERSION = 6/);
});

test('a tree of another project is refused', () => {
  const { status, err } = virtflow('check-sources', '--qemu', emptyKernel('linux-as-qemu'));
  assert.equal(status, 2);
  assert.match(err, /this is a tree of linux 6\.12\.1/);
});

test('a symlink loop in the place of a source file is named, and nothing hangs', () => {
  const root = emptyKernel('looping');
  const file = path.join(root, 'drivers/vfio/pci/vfio_pci_intrs.c');
  symlinkSync('vfio_pci_intrs.c', file);
  const { status, out } = virtflow('check-sources', 'vfio-intx', '--linux', root);
  assert.equal(status, 1);
  assert.match(out, /vfio_pci_intrs\.c/);
});

test('a file of 2 GB in the place of a source file is refused with its size', () => {
  const root = emptyKernel('huge');
  const file = openSync(path.join(root, 'drivers/vfio/pci/vfio_pci_intrs.c'), 'w');
  ftruncateSync(file, 2 ** 31);
  closeSync(file);
  const { status, out } = virtflow('check-sources', 'vfio-intx', '--linux', root);
  assert.equal(status, 1);
  assert.match(out, /vfio_pci_intrs\.c.*(2147483648|2048|2 GiB|2\.0)/);
});

test('a tree where a function has another name fails and names it; only that one', () => {
  const rename = (name: string): { readonly failures: readonly { readonly kind: string; readonly message: string }[] } => {
    const root = emptyKernel(`renamed-${name}`);
    writeFileSync(path.join(root, 'drivers/vfio/pci/vfio_pci_intrs.c'), `int ${name}(int n)\n{\n\treturn pci_2_3 + n;\n}\n`);
    const { status, out } = virtflow('check-sources', 'vfio-intx', '--linux', root, '--json');
    assert.equal(status, 1);
    return (JSON.parse(out) as readonly ReturnType<typeof rename>[])[0]!;
  };
  const named = (report: ReturnType<typeof rename>): boolean =>
    report.failures.some(
      ({ kind, message }) =>
        kind === 'reference' &&
        /no (definition|symbol).*vfio_intx_handler|vfio_intx_handler.*(is not defined|does not define|no definition)/.test(message),
    );
  assert.ok(named(rename('vfio_intx_handler_v2')));
  assert.ok(!named(rename('vfio_intx_handler')));
});

test('export writes each format to a file or the terminal', () => {
  assert.match(virtflow('export', 'vfio-intx', '--format', 'mermaid', '--chapter', 'The guest handles it').out, /^sequenceDiagram\n/);
  const file = path.join(scratch, 'run.svg');
  assert.equal(virtflow('export', 'pic', '--format', 'svg', '--theme', 'dark', '--from', '100', '--to', '200', '-o', file).out, '');
  assert.match(readFileSync(file, 'utf8'), /^<svg [\s\S]*steps 100 to 200 of [\s\S]*<\/svg>\n$/);
  const trace = JSON.parse(virtflow('export', 'virtio-kvm', '--format', 'perfetto').out) as { readonly traceEvents: readonly unknown[] };
  assert.ok(trace.traceEvents.length > 1000);
  const chapter = 'The guest handles it';
  const tour = JSON.parse(virtflow('export', 'vfio-intx', '--format', 'tour', '--project', 'qemu', '--chapter', chapter).out) as Tour;
  assert.equal(tour.title, `VFIO INTx: ${chapter}`);
  assert.ok(tour.steps.length > 10);
  assert.match(
    virtflow('export', 'vfio-intx', '--format', 'markdown', '--chapter', chapter).out,
    /^# VFIO INTx: The guest handles it\n[^]*\]\(https:/,
  );
  const [flow, preset] = ['vfio-msi', 'teardown'];
  const link = virtflow('export', flow, '--preset', preset, '--format', 'link', '--from', '42').out;
  assert.match(link, /^vscode:\/\/virtflow\.virtflow\/step\?v=1&flow=vfio-msi&step=42&\S*inject=remove@\d+\n$/);
});

test('a scenario is exported with its own chapters and notes', () => {
  const file = path.join(scratch, 'told.virtflow.json');
  const at = { function: 'vfio_intx_handler' };
  const scenario = {
    version: 1,
    flow: 'vfio-intx',
    title: 'Told',
    chapters: [{ title: 'Here', prose: 'It fires.', at }],
    notes: [{ at, text: 'Look.' }],
  };
  writeFileSync(file, JSON.stringify(scenario));
  const { out } = virtflow('export', file, '--format', 'markdown', '--chapter', 'Here');
  assert.match(out, /\n## Here\n\nIt fires\.\n[^]*vfio_intx_handler[^\n]*Look\./);
  writeFileSync(file, JSON.stringify({ ...scenario, flow: 'none' }));
  const { status, err } = virtflow('export', file, '--format', 'markdown');
  assert.equal(status, 2);
  assert.match(err, /told\.virtflow\.json:1:\d+: /);
});

test('a tour for a tree that lacks a function tells of it without a place there', () => {
  const tree = emptyKernel('for-a-tour');
  const { out } = virtflow('export', 'vfio-intx', '--format', 'tour', '--project', 'linux', '--linux', tree, '--from', '0', '--to', '60');
  const { steps } = JSON.parse(out) as Tour;
  assert.ok(steps.every(({ file }) => file === undefined));
  assert.ok(steps.some(({ description }) => /there is no fs\/read_write\.c/.test(description)));
});

const EXPORT_MISTAKES: readonly (readonly [RegExp, ...string[]])[] = [
  [/export needs --format mermaid\|svg\|perfetto\|tour\|markdown\|link/, 'pic'],
  [/--format is "x", expected one of mermaid, svg, perfetto, tour, markdown, link/, 'pic', '--format', 'x'],
  [/--output \/nowhere\/x: there is no such file or directory/, 'pic', '--format', 'link', '-o', '/nowhere/x'],
  [/--output \S+: this is a directory, expected a file/, 'pic', '--format', 'link', '-o', scratch],
  [/none\.json: there is no such file or directory/, 'none.json', '--format', 'link'],
  [/there is no flow "pci"/, 'pci', '--format', 'svg'],
  [/export needs a flow: /, '--format', 'svg'],
  [/this run has no chapter "x"; it has "/, 'pic', '--format', 'svg', '--chapter', 'x'],
  [/--from is "x", expected the number of a step/, 'pic', '--format', 'svg', '--from', 'x'],
  [/--from 5 is behind --to 3/, 'pic', '--format', 'svg', '--from', '5', '--to', '3'],
  [/--from is 999999, but the run has/, 'pic', '--format', 'svg', '--from', '999999', '--to', '9999999'],
  [/not both/, 'pic', '--format', 'svg', '--from', '5', '--chapter', 'x'],
  [/--theme is "blue", expected one of auto, light, dark/, 'pic', '--format', 'svg', '--theme', 'blue'],
  [/--project is "bsd", expected one of linux, qemu, acrn/, 'pic', '--format', 'tour', '--project', 'bsd'],
  [/--qemu \/nowhere: there is no directory \/nowhere$/m, 'pic', '--format', 'tour', '--qemu', '/nowhere'],
];

test('what export cannot do it says, and writes nothing', () => {
  for (const [message, ...args] of EXPORT_MISTAKES) {
    const { status, out, err } = virtflow('export', ...args);
    assert.equal(status, 2);
    assert.match(err, message);
    assert.equal(out, '');
  }
});

test('a compressed recording is refused, with what to do', () => {
  const { status, err } = virtflow('align', 'vfio-intx', '--trace', 'test/fixtures/traces/f1a-intx-kvm-setup.graph.txt.gz');
  assert.notEqual(status, 0);
  assert.match(err, /f1a-intx-kvm-setup\.graph\.txt\.gz: compressed, expected text: gunzip it first/);
});
