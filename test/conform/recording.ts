import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';

/** Recordings of real interrupt controllers: one scenario per line of JSON, each operation with the state after it. */

/** A value that is compared as a whole. */
export type Leaf = string | number | boolean | null | readonly (string | number)[];

/** Registers by name, nested by chip. In an operation only what changed since the one before. */
export interface State {
  readonly [name: string]: Leaf | State;
}

/** An operation: its name, its arguments and results by their names, and what changed. */
export interface Op {
  readonly op: string;
  readonly state: State;
  readonly [field: string]: unknown;
}

/** A scenario: the complete state at its beginning and what was done then. */
export interface Scenario {
  readonly family: string;
  readonly profile: string;
  readonly seed: number;
  readonly initial: State;
  readonly ops: readonly Op[];
  readonly [field: string]: unknown;
}

/** A line of a recording: its scenario, or why it is none. */
export type Line = { readonly line: number } & ({ readonly scenario: Scenario } | { readonly malformed: string });

/**
 * Reads a recording line by line, so that its size does not matter; empty lines are passed over. A file whose name ends in
 * .gz is unpacked. Throws if the file cannot be read.
 */
export async function* readRecording(file: string): AsyncGenerator<Line> {
  const packed = createReadStream(file);
  const stream = file.endsWith('.gz') ? packed.pipe(createGunzip()) : packed;
  // readline does not pass on what goes wrong in the stream below it.
  let failure: Error | undefined;
  const note = (error: Error): void => {
    failure ??= error;
    lines.close();
  };
  const lines = createInterface({ input: stream, crlfDelay: Infinity });
  packed.on('error', note);
  stream.on('error', note);
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() !== '') yield { line, ...parseScenario(text) };
  }
  if (failure) throw failure;
}

/** Reads one line. */
export function parseScenario(text: string): { readonly scenario: Scenario } | { readonly malformed: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { malformed: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const malformed = problemOf(value);
  return malformed === undefined ? { scenario: value as Scenario } : { malformed };
}

/** What keeps a value from being a scenario. */
function problemOf(value: unknown): string | undefined {
  if (!isObject(value)) return 'expected an object';
  for (const name of ['family', 'profile']) if (typeof value[name] !== 'string') return `"${name}": expected a string`;
  if (typeof value['seed'] !== 'number') return '"seed": expected a number';
  if (!isState(value['initial'])) return '"initial": expected registers by name';
  const ops = value['ops'];
  if (!Array.isArray(ops)) return '"ops": expected a list';
  for (const [index, op] of ops.entries()) {
    if (!isObject(op) || typeof op['op'] !== 'string') return `"ops"[${index}]: expected an operation with its name in "op"`;
    if (!isState(op['state'])) return `"ops"[${index}] (${op['op']}): "state": expected registers by name`;
  }
  return undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isState = (value: unknown): value is State => isObject(value) && Object.values(value).every((part) => isLeaf(part) || isState(part));

const isLeaf = (value: unknown): value is Leaf =>
  value === null ||
  ['string', 'number', 'boolean'].includes(typeof value) ||
  (Array.isArray(value) && value.every((one) => !isObject(one)));
