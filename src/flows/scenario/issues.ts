import type * as z from 'zod/mini';
import type { Path } from './json';

/** What zod finds wrong, in words: what was expected, and what there is instead. */

type Issue = z.core.$ZodIssue;

/** A mistake at a place of a value. */
interface Placed {
  readonly path: Path;
  readonly message: string;
}

/** The issues of a value as mistakes: of alternatives, what is wrong with the one that was probably meant. */
export function describeIssues(issues: readonly Issue[], value: unknown): readonly Placed[] {
  return issues.flatMap((issue) => placed(issue, [], value));
}

function placed(issue: Issue, within: Path, value: unknown): readonly Placed[] {
  const path = [...within, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  const say = (what: string): readonly Placed[] => [{ path, message: expected(what, path, valueAt(value, path)) }];
  switch (issue.code) {
    case 'invalid_type':
      return say(noun(issue.expected));
    case 'invalid_value':
      return say(listed(issue.values));
    case 'too_small':
      return say(`at least ${measure(issue.minimum, issue.origin)}`);
    case 'too_big':
      return say(`at most ${measure(issue.maximum, issue.origin)}`);
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: `“${shown(key)}” is not known here` }));
    case 'invalid_union': {
      if ('options' in issue && issue.options !== undefined) return say(listed(issue.options));
      const types = issue.errors.map(([first]) =>
        first?.code === 'invalid_type' && first.path.length === 0 ? noun(first.expected) : undefined,
      );
      if (!types.includes(undefined)) return say([...new Set(types)].join(' or '));
      const [closest = []] = issue.errors.filter((_, index) => types[index] === undefined).toSorted((a, b) => a.length - b.length);
      return closest.flatMap((each) => placed(each, path, value));
    }
    // None of the shapes asks for these.
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return say('another value');
  }
}

/** The value at a path, or undefined if there is none. */
function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (held, part) => (typeof held === 'object' && held !== null ? (held as Record<string, unknown>)[part] : undefined),
    value,
  );
}

const expected = (what: string, path: Path, value: unknown): string =>
  value === undefined ? `“${path.at(-1) ?? ''}” is missing: expected ${what}` : `expected ${what}, not ${valueText(value)}`;

function listed(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length === 1 ? texts[0]! : `one of ${texts.join(', ')}`;
}

const NOUNS: ReadonlyMap<string, string> = new Map([
  ['object', 'an object'],
  ['record', 'an object'],
  ['array', 'an array'],
  ['int', 'a whole number'],
  ['number', 'a whole number'],
  ['boolean', 'true or false'],
]);

const noun = (type: string): string => NOUNS.get(type) ?? `a ${type}`;

const UNITS: ReadonlyMap<string, string> = new Map([
  ['string', 'character'],
  ['array', 'item'],
]);

/** `8`, `1 character`, `2 items`. */
function measure(size: number | bigint, origin: string): string {
  const unit = UNITS.get(origin);
  return unit === undefined ? String(size) : `${size} ${unit}${Number(size) === 1 ? '' : 's'}`;
}

/** What there is, shortly. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return shown(JSON.stringify(value));
}

const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
