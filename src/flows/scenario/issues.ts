import { t } from '@vscode/l10n';
import type * as z from 'zod/mini';
import type { Path } from './json';

/** What zod finds wrong, in words: what was expected, and what there is instead. */

type Issue = z.core.$ZodIssue;

/** A mistake at a place of a value. */
interface Placed {
  readonly path: Path;
  readonly message: string;
}

/** What zod is to say of an issue: of names that an object does not have, which it has, for the issue itself does not tell. */
export function issueMessage({ code, inst }: z.core.$ZodRawIssue): string | undefined {
  const names = code === 'unrecognized_keys' && inst !== undefined && 'shape' in inst._zod.def ? inst._zod.def.shape : undefined;
  return names === undefined ? undefined : Object.keys(names as object).join(', ');
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
      return say(t('at least {0}', measure(issue.minimum, issue.origin)));
    case 'too_big':
      return say(t('at most {0}', measure(issue.maximum, issue.origin)));
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: t('“{0}” is not known here: expected one of {1}', shown(key), issue.message),
      }));
    case 'invalid_union': {
      if ('options' in issue && issue.options !== undefined) return say(listed(issue.options));
      const types = issue.errors.map(([first]) =>
        first?.code === 'invalid_type' && first.path.length === 0 ? noun(first.expected) : undefined,
      );
      if (!types.includes(undefined)) return say([...new Set(types)].join(t(' or ')));
      const [closest = []] = issue.errors.filter((_, index) => types[index] === undefined).toSorted((a, b) => a.length - b.length);
      return closest.flatMap((each) => placed(each, path, value));
    }
    // None of the shapes asks for these.
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return say(t('another value'));
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
  value === undefined ? t('“{0}” is missing: expected {1}', path.at(-1) ?? '', what) : t('expected {0}, not {1}', what, valueText(value));

function listed(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value));
  return texts.length === 1 ? texts[0]! : t('one of {0}', texts.join(', '));
}

function noun(type: string): string {
  switch (type) {
    case 'object':
    case 'record':
      return t('an object');
    case 'array':
      return t('an array');
    case 'int':
    case 'number':
      return t('a whole number');
    case 'boolean':
      return t('true or false');
    default:
      return t('a string');
  }
}

/** `8`, `1 character`, `2 items`. */
function measure(size: number | bigint, origin: string): string {
  const count = Number(size);
  switch (origin) {
    case 'string':
      return count === 1 ? t('1 character') : t('{0} characters', count);
    case 'array':
      return count === 1 ? t('1 item') : t('{0} items', count);
    default:
      return String(count);
  }
}

/** What there is, shortly. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return t('an array of {0}', value.length);
  if (typeof value === 'object' && value !== null) return t('an object');
  return shown(JSON.stringify(value));
}

const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
