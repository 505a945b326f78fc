import { findNodeAtLocation, getLocation, getNodeValue, parseTree, type Node } from 'jsonc-parser';
import type * as z from 'zod/mini';
import { allFunctions, functionsNamed } from '../../engine/fn';
import { anchorsIn } from '../anchors';
import { CATALOGUE } from '../catalogue';
import type { Path, Span } from './json';
import { scenarioSchema } from './schema';

/** What may be written at a place of a scenario. */

export interface Suggestion {
  readonly kind: 'property' | 'value';
  /** As it stands in the file: a name with its quotes, a property with its colon. */
  readonly text: string;
  /** What it is, in English; undefined if it speaks for itself. */
  readonly detail: string | undefined;
}

/** The suggestions for a place, and the part of the text that each of them takes the place of. */
export interface Suggestions extends Span {
  readonly suggestions: readonly Suggestion[];
}

type Schema = z.core.JSONSchema.BaseSchema;

let schema: Schema | undefined;

/**
 * Completes the text of a scenario, however broken it is.
 * @param from `models` suggests the names that the models know, of functions, files and identifiers, which no schema lists; `schema` also all that one does
 */
export function suggestionsAt(text: string, offset: number, from: 'models' | 'schema'): Suggestions {
  const { path, isAtPropertyKey, previousNode } = getLocation(text, offset);
  const span = spanAt(text, offset, previousNode);
  const root = parseTree(text);
  const holder = valueAt(root, path.slice(0, -1));
  const listed = (): readonly Schema[] => schemasAround((schema ??= scenarioSchema(CATALOGUE)), path, root && getNodeValue(root));
  if (isAtPropertyKey)
    return { ...span, suggestions: from === 'schema' ? properties(listed(), holder, text.slice(span.offset + span.length)) : [] };
  const names = namesFor(String(path.at(-1)), holder);
  if (names.length > 0 || from === 'models') return { ...span, suggestions: names };
  return {
    ...span,
    suggestions: listed()
      .flatMap((of) => inside(of, path.at(-1)))
      .flatMap(values),
  };
}

/** The value that is being written, or the word where there is none yet. */
function spanAt(text: string, offset: number, node: Node | undefined): Span {
  if (node !== undefined && node.offset <= offset && offset <= node.offset + node.length) return node;
  const word = /[\w-]*$/.exec(text.slice(0, offset))![0];
  return { offset: offset - word.length, length: word.length };
}

function valueAt(root: Node | undefined, path: Path): unknown {
  const node = root && findNodeAtLocation(root, [...path]);
  return node && getNodeValue(node);
}

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;

/** The names that the models know for a property of a place. */
function namesFor(property: string, place: unknown): readonly Suggestion[] {
  const name = String(propertyOf(place, 'function'));
  switch (property) {
    case 'function':
      return distinct(allFunctions().map((fn) => value(fn.name, fn.does)));
    case 'file':
      return distinct(functionsNamed(name).map(({ home }) => value(home.path)));
    case 'anchor': {
      const file = propertyOf(place, 'file');
      return distinct(anchorsIn(name, typeof file === 'string' ? file : undefined).map(({ token }) => value(token)));
    }
    default:
      return [];
  }
}

const value = (of: unknown, detail?: string): Suggestion => ({ kind: 'value', text: JSON.stringify(of), detail });

const distinct = (suggestions: readonly Suggestion[]): readonly Suggestion[] => [
  ...new Map(suggestions.map((suggestion) => [suggestion.text, suggestion])).values(),
];

/** The schemas that hold for what is around a path of a value, whatever is written there. */
function schemasAround(of: Schema, [first, ...rest]: Path, whole: unknown): readonly Schema[] {
  if (rest.length === 0) return alternatives(of, without(whole, first));
  const next = propertyOf(whole, String(first));
  return alternatives(of, whole)
    .flatMap((each) => inside(each, first))
    .flatMap((each) => schemasAround(each, rest, next));
}

const without = (whole: unknown, property: string | number | undefined): unknown =>
  Object.fromEntries(Object.entries(whole ?? {}).filter(([name]) => name !== property));

/** A schema with those that it asks for too, and those of its variants that the value may become. */
function alternatives(of: Schema, whole: unknown): readonly Schema[] {
  const { oneOf = [], anyOf = [], allOf = [] } = of as { readonly [of in 'oneOf' | 'anyOf' | 'allOf']?: readonly Schema[] };
  const others = [
    ...oneOf,
    ...anyOf,
    ...allOf.map((each) => (mayBe(each.if as Schema | undefined, whole) ? (each.then as Schema | undefined) : undefined)),
  ];
  return [of, ...others.flatMap((each) => (each !== undefined && mayBe(each, whole) ? alternatives(each, whole) : []))];
}

/** Whether a value has no property that a schema says is another constant. */
function mayBe(of: Schema | undefined, whole: unknown): boolean {
  return Object.entries(of?.properties ?? {}).every(([name, each]) => {
    const constant = typeof each === 'object' ? each.const : undefined;
    const own = propertyOf(whole, name);
    return constant === undefined || own === undefined || own === constant;
  });
}

function inside(of: Schema, step: string | number | undefined): readonly Schema[] {
  const found = typeof step === 'number' ? of.items : step === undefined ? undefined : of.properties?.[step];
  return typeof found === 'object' && !Array.isArray(found) ? [found] : [];
}

/** The properties that an object may have and has not. */
function properties(of: readonly Schema[], holder: unknown, behind: string): readonly Suggestion[] {
  const colon = /^\s*:/.test(behind) ? '' : ': ';
  return distinct(
    of
      .flatMap((each) => Object.entries(each.properties ?? {}))
      .filter(([name]) => propertyOf(holder, name) === undefined)
      .map(([name, each]) => ({
        kind: 'property' as const,
        text: JSON.stringify(name) + colon,
        detail: typeof each === 'object' ? each.description : undefined,
      })),
  );
}

/** The values that a schema lists. */
function values(of: Schema): readonly Suggestion[] {
  const each = alternatives(of, undefined);
  return distinct(
    each.flatMap(({ const: constant, enum: choices, enumDescriptions, type }) => {
      if (constant !== undefined) return [value(constant)];
      if (choices !== undefined)
        return choices.map((choice, index) => value(choice, (enumDescriptions as readonly string[] | undefined)?.[index]));
      return type === 'boolean' ? [value(true), value(false)] : [];
    }),
  );
}
