import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { World } from '../../../src/engine/fn';
import type { FlowRun } from '../../../src/flows/flow';
import { everyCall, type Call } from '../../../src/trace/call';
import { readTrace, type Entry, type Skip, type TraceItem } from '../../../src/trace/read';

/** Recordings and runs in one form: calls of an outermost caller, with the kind of thread that made them. */

/** The kinds of thread that both sides know. */
export type ThreadKind = 'hardirq' | 'kworker' | 'qemu' | 'vcpu' | 'guest' | 'device' | 'other';

/** A call that nothing known called, with everything below it. */
export interface Root {
  readonly kind: ThreadKind;
  readonly call: Call;
}

/** One cut of a recording. */
export interface Cut {
  readonly title: string;
  readonly roots: readonly Root[];
  readonly entries: readonly RecordedEntry[];
}

/** An entry of a recording, or a note, with the kind of thread that made it. */
export type RecordedEntry = Entry & { readonly thread: ThreadKind };

/** Reads a recording of test/fixtures/traces, and what its lines were skipped for. */
export function recording(file: string): {
  readonly cuts: readonly Cut[];
  readonly names: ReadonlySet<string>;
  readonly skips: readonly Skip[];
} {
  const text = gunzipSync(readFileSync(`test/fixtures/traces/${file}.gz`)).toString();
  const skips: Skip[] = [];
  const items = [...readTrace(text.split('\n'), (skip) => skips.push(skip))];
  const vcpu = items.find(entersGuest);
  const names = new Set<string>();
  const cuts: { title: string; roots: Root[]; entries: RecordedEntry[] }[] = [];
  for (const item of items) {
    if (item.kind === 'window') {
      cuts.push({ title: item.title, roots: [], entries: [] });
    } else if (item.kind === 'call') {
      for (const { name } of everyCall(item.call)) names.add(name);
      cuts.at(-1)?.roots.push({ kind: kindOf(item, vcpu?.task.pid), call: item.call });
    } else {
      if (item.kind === 'entry') names.add(item.name);
      cuts.at(-1)?.entries.push({ ...item, thread: kindOf(item, vcpu?.task.pid) });
    }
  }
  for (const { roots, entries } of cuts) {
    roots.sort((a, b) => a.call.at - b.call.at);
    entries.sort((a, b) => a.at - b.at);
  }
  return { cuts, names, skips };
}

/** The thread that these events come from is the vCPU's; each recording has one. */
const entersGuest = (item: TraceItem): item is Traced =>
  (item.kind === 'note' && /^kvm_(entry|exit|inj_virq)$/.test(item.name)) ||
  (item.kind === 'call' && item.call.name === 'kvm_arch_vcpu_ioctl_run');

type Traced = Exclude<TraceItem, { readonly kind: 'window' }>;

function kindOf(item: Traced, vcpu: number | undefined): ThreadKind {
  if ((item.kind === 'call' ? item.call.context : item.context) === 'hardirq') return 'hardirq';
  const { comm, pid } = item.task;
  if (comm.startsWith('kworker')) return 'kworker';
  if (comm.startsWith('qemu')) return pid === vcpu ? 'vcpu' : 'qemu';
  return 'other';
}

/** The outermost calls of a run, on the host, of one project's functions; those of others are left out and what they called moves up. */
export function rootsOf(run: FlowRun, world: World): Root[] {
  const roots: Root[] = [];
  /** By `enter` step: the list that what is called in that frame goes to. */
  const into = new Map<number, Call[] | ThreadKind>();
  for (let n = 0; n < run.journal.length; n++) {
    const step = run.journal.step(n);
    const kind = run.threads[step.thread]?.context as ThreadKind;
    if (step.kind !== 'enter' || kind === 'guest' || kind === 'device') continue;
    const outer = into.get(step.parent) ?? kind;
    if (step.site.fn.home.world !== world) {
      into.set(n, outer);
      continue;
    }
    const calls: Call[] = [];
    const call: Call = { name: step.site.fn.name, at: n, context: kind === 'hardirq' ? 'hardirq' : 'task', part: false, notes: [], calls };
    into.set(n, calls);
    if (typeof outer === 'string') roots.push({ kind: outer, call });
    else outer.push(call);
  }
  return roots;
}
