import { t } from '@vscode/l10n';
import type { Context } from './call';

/** One line of ftrace text, understood by itself. */

/** Who ran. */
export interface Task {
  readonly comm: string;
  readonly pid: number;
  readonly cpu: number;
}

/** A symbol without what the toolchain added to it. */
export interface FunctionName {
  readonly name: string;
  /** The compiler split this off the function that has the name: it is not a call that source shows. */
  readonly part: boolean;
}

/** Whether a function is the kernel's or a program's: QEMU has some with the same names. */
export type TracedWorld = 'kernel' | 'user';

interface Traced {
  readonly task: Task;
  readonly context: Context;
}

export type Line =
  /** Blank, a comment, a task switch: nothing to say. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'window'; readonly title: string }
  | ({ readonly kind: 'open' | 'leaf'; readonly depth: number; readonly symbol: FunctionName } & Traced)
  | ({ readonly kind: 'close'; readonly depth: number } & Traced)
  /** A function tracer's or probe's entry; `caller` as the machine saw it, `details` a system call's arguments. */
  | ({
      readonly kind: 'entry';
      readonly symbol: FunctionName;
      readonly caller: FunctionName | undefined;
      readonly details: string;
      readonly world: TracedWorld;
    } & Traced)
  /** A trace event, a kprobe's values, a program's mark. In function_graph text it is a comment inside of a call. */
  | ({ readonly kind: 'note'; readonly text: string } & Traced)
  | ({ readonly kind: 'stack'; readonly world: TracedWorld } & Traced)
  | { readonly kind: 'frame'; readonly symbol: FunctionName | undefined }
  | { readonly kind: 'malformed'; readonly expected: string };

/** A longer line is none of a tracer's. */
export const MAX_LINE = 4096;

const NOTHING: Line = { kind: 'nothing' };
const malformed = (expected: string): Line => ({ kind: 'malformed', expected });

/**
 * Understands a line of function_graph text (funcgraph-abstime, funcgraph-proc, latency-format), of the function tracer,
 * or of probes. Never throws.
 */
export function parseLine(raw: string): Line {
  if (raw.length > MAX_LINE) return malformed(t('at most {0} characters', MAX_LINE));
  if (raw.startsWith('## ====')) return { kind: 'window', title: raw.slice(7).trim() };
  const text = raw.trim();
  if (text === '' || text.startsWith('#') || text.startsWith('-----') || isSwitch(text)) return NOTHING;
  if (text.startsWith('=>')) return { kind: 'frame', symbol: frameSymbol(text.slice(2).trim()) };
  return graphLine(raw) ?? functionLine(text) ?? malformed(t('a line of function_graph, of the function tracer or of a probe'));
}

/** `vfio_intx_handler [vfio_pci_core]`, `fileget.part.0.isra.0`: the function's own name. */
export function parseSymbol(text: string): FunctionName | undefined {
  const match = /^([A-Za-z_]\w*)((?:\.(?:part|isra|constprop|cold)(?:\.\d+)?)*)(?:\s*\[[\w.-]+\])?$/.exec(text.trim());
  return match?.[1] === undefined ? undefined : { name: match[1], part: match[2]?.includes('.part') === true };
}

/** ` 1)    <idle>-0    =>   kworker-29`: another task goes on. */
const isSwitch = (text: string): boolean => /^\d+\)\s.*-\d+\s+=>\s/.test(text);

/** The third flag: `h` in a hard interrupt, `H` in one that hit a soft interrupt, `s` in a soft one. */
function contextOf(flags: string): Context {
  const flag = flags[2];
  if (flag === 'h' || flag === 'H') return 'hardirq';
  return flag === 's' ? 'softirq' : 'task';
}

/** `292.882549 |   1)    <idle>-0    |  d.h3. | + 16.2 us |    fn [module]() {`. A comment may itself contain bars. */
function graphLine(raw: string): Line | undefined {
  const columns = raw.split('|', 4);
  const [time, who, flags, duration] = columns;
  if (time === undefined || who === undefined || flags === undefined || duration === undefined || !/^\s*\d+\.\d+\s*$/.test(time))
    return undefined;
  const body = raw.slice(columns.join('|').length + 1).trimEnd();
  const task = /^\s*(\d+)\)\s+(\S.*)-(\d+)\s*$/.exec(who);
  if (task?.[2] === undefined) return undefined;
  const traced: Traced = { task: { cpu: Number(task[1]), comm: task[2], pid: Number(task[3]) }, context: contextOf(flags.trim()) };
  const what = body.trimStart();
  const depth = (body.length - what.length) >> 1;
  if (what.startsWith('/*')) return { kind: 'note', text: what.replace(/^\/\*|\*\/$/g, '').trim(), ...traced };
  if (what.startsWith('}')) return { kind: 'close', depth, ...traced };
  const call = /^(.+)\(\)( \{|;)$/.exec(what);
  const symbol = call?.[1] === undefined ? undefined : parseSymbol(call[1]);
  if (symbol === undefined) return malformed(t('`function() {`, `function();`, `}` or a comment after the last bar'));
  return { kind: call?.[2] === ';' ? 'leaf' : 'open', depth, symbol, ...traced };
}

const FUNCTION_LINE = /^(\S.*?)-(\d+)\s+\[(\d+)\]\s+(\S+)\s+\d+\.\d+: (.*)$/;
const LATENCY_LINE = /^(\S.*?)-(\d+)\s+(\d+)(\D\S*)\s+\d+us.?: (.*)$/;

/** `task-1 [001] d..2.  355.9: fn <-caller`, and with `latency-format` `task-1  1d..2. 3559us+: fn: (0x…)`. */
function functionLine(text: string): Line | undefined {
  const match = FUNCTION_LINE.exec(text) ?? LATENCY_LINE.exec(text);
  const [, comm, pid, cpu, flags, what] = match ?? [];
  if (comm === undefined || flags === undefined || what === undefined) return undefined;
  const traced: Traced = { task: { cpu: Number(cpu), comm, pid: Number(pid) }, context: contextOf(flags) };
  if (what === '<stack trace>') return { kind: 'stack', world: 'kernel', ...traced };
  if (what === '<user stack trace>') return { kind: 'stack', world: 'user', ...traced };
  const called = /^(\S+(?: \[\S+\])?) <-(\S+(?: \[\S+\])?)$/.exec(what);
  if (called) return entry(parseSymbol(called[1] ?? ''), parseSymbol(called[2] ?? ''), '', 'kernel', traced);
  const probed = /^(\S+): \(0x[0-9a-f]+\)/.exec(what);
  if (probed) return entry(parseSymbol(probed[1] ?? ''), undefined, '', 'user', traced);
  const syscall = /^(sys_\w+)\((.*)\)$/.exec(what);
  if (syscall) return entry(parseSymbol(syscall[1] ?? ''), undefined, syscall[2] ?? '', 'kernel', traced);
  return { kind: 'note', text: what, ...traced };
}

function entry(
  symbol: FunctionName | undefined,
  caller: FunctionName | undefined,
  details: string,
  world: TracedWorld,
  traced: Traced,
): Line {
  return symbol === undefined ? malformed('a symbol') : { kind: 'entry', symbol, caller, details, world, ...traced };
}

/** `vfs_read`, or `<0000555555568c88> [vfio_realize+0x315]`; undefined where nobody knew the address. */
function frameSymbol(text: string): FunctionName | undefined {
  const resolved = /^<[0-9a-f]+>\s*\[([^\]+]+)\+0x[0-9a-f]+\]$/.exec(text);
  return parseSymbol(resolved?.[1] ?? text);
}
