import { t } from '@vscode/l10n';
/** What arrives with a request or a launch configuration is anybody's: each attribute is read by one of these, or refused by its name. */

export type Attributes = Readonly<Record<string, unknown>>;

/** An attribute that is missing or is not what was expected. The message names it and says what would be right. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

const MAX_SHOWN = 60;

function refuse(name: string, value: unknown, expected: string): never {
  const shown = value === undefined ? 'missing' : (JSON.stringify(value) ?? typeof value);
  throw new ArgumentError(
    t('"{0}" is {1}, expected {2}', name, shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown, expected),
  );
}

const isRecord = (value: unknown): value is Attributes => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The attributes of an object that may have none at all. */
export const attributesOf = (value: unknown): Attributes => (isRecord(value) ? value : {});

/** @throws ArgumentError unless the attribute is text */
export function text(args: Attributes, name: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : refuse(name, value, 'text');
}

/** Text, or undefined where the attribute is absent or empty, which clients take for the same. */
export const optionalText = (args: Attributes, name: string): string | undefined =>
  args[name] === undefined || args[name] === '' ? undefined : text(args, name);

/** @throws ArgumentError unless the attribute is a whole number from 0 up */
export function whole(args: Attributes, name: string): number {
  const value = args[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(name, value, t('a whole number from 0 up'));
}

export const optionalWhole = (args: Attributes, name: string): number | undefined =>
  args[name] === undefined ? undefined : whole(args, name);

/** @throws ArgumentError unless the attribute is absent or true or false */
export function optionalFlag(args: Attributes, name: string): boolean | undefined {
  const value = args[name];
  return value === undefined || typeof value === 'boolean' ? value : refuse(name, value, t('true or false'));
}

/** @throws ArgumentError unless the attribute is an object */
export function record(args: Attributes, name: string): Attributes {
  const value = args[name];
  return isRecord(value) ? value : refuse(name, value, t('an object'));
}

export const optionalRecord = (args: Attributes, name: string): Attributes | undefined =>
  args[name] === undefined ? undefined : record(args, name);

/** No client has more breakpoints or stimuli than this; a longer list is refused, not cut. */
const MAX_ITEMS = 10_000;

/** A list of objects; absent is empty. @throws ArgumentError unless it is one, and not endless */
export function records(args: Attributes, name: string): readonly Attributes[] {
  const value = args[name] ?? [];
  if (!Array.isArray(value) || value.length > MAX_ITEMS) return refuse(name, value, t('a list of at most {0} objects', MAX_ITEMS));
  return value.map((item: unknown, index) => (isRecord(item) ? item : refuse(`${name}[${index}]`, item, t('an object'))));
}
