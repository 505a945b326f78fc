import { t } from '@vscode/l10n';
import { flowById } from '../catalogue';
import type { Edit } from '../edits';
import { resolveParameters, type Flow, type FlowStimuli, type Inputs } from '../flow';

/**
 * A place in a run as text: what determines the run, and the step. Links carry it, and a panel is saved as it.
 *
 *     v=1&flow=vfio-intx&step=412&set.interrupts=2&inject=raise@380&edit=irr@400@3
 *
 * Whatever is not a letter, a digit or one of `_.-` is written as its code point between tildes, which no layer that handles
 * URIs changes.
 */

export interface Place {
  readonly flow: Flow;
  readonly inputs: Inputs;
  readonly step: number;
}

/** What was read: a place, or why there is none, to follow "This link cannot be opened:". */
export type ReadPlace = ({ readonly kind: 'place' } & Place) | { readonly kind: 'malformed'; readonly problem: string };

const VERSION = '1';
/** Longer than any place that the views make. */
const LONGEST = 16_384;
/** More stimuli, or more edits, than anybody makes by hand. */
const MOST = 256;

/** The text of a place: `readPlace` gives the same place back. */
export function writePlace({ flow, inputs, step }: Place): string {
  const fields: [string, string][] = [
    ['v', VERSION],
    ['flow', escape(flow.id)],
    ['step', String(step)],
    ...(inputs.seed === 0 ? [] : [['seed', String(inputs.seed)] as [string, string]]),
    ...Object.entries(inputs.parameters).map(([name, value]): [string, string] => [`set.${escape(name)}`, escape(String(value))]),
    ...inputs.stimuli.map(({ name, at }): [string, string] => ['inject', `${escape(name)}@${at}`]),
    ...(inputs.edits ?? []).map(({ cell, at, value }): [string, string] => ['edit', `${escape(cell)}@${at}@${value}`]),
  ];
  return fields.map(([key, value]) => `${key}=${value}`).join('&');
}

/** Reads the text of a place, from wherever it comes: each part is checked, and refused by name. Never throws. */
export function readPlace(text: string): ReadPlace {
  try {
    return { kind: 'place', ...read(text) };
  } catch (error) {
    return { kind: 'malformed', problem: error instanceof Error ? error.message : String(error) };
  }
}

function read(text: string): Place {
  if (text.length > LONGEST) throw new Error(t('it is longer than {0} characters', LONGEST));
  const single = new Map<string, string>();
  const parameters: Record<string, string> = {};
  const stimuli: FlowStimuli[number][] = [];
  const edits: Edit[] = [];
  for (const field of text.split('&')) {
    const at = field.indexOf('=');
    if (at < 0) throw new Error(t('"{0}" is not of the form NAME=VALUE', shown(field)));
    const [key, value] = [field.slice(0, at), field.slice(at + 1)];
    if (key === 'inject') stimuli.push(readStimulus(value));
    else if (key === 'edit') edits.push(readEdit(value));
    else if (key.startsWith('set.')) define(parameters, unescape(key.slice(4)), unescape(value));
    else if (!['v', 'flow', 'step', 'seed'].includes(key))
      throw new Error(t('it has a part "{0}", which Virtflow does not know', shown(key)));
    else if (single.has(key)) throw new Error(t('it says {0} twice', key));
    else single.set(key, value);
  }
  if (single.get('v') !== VERSION) throw new Error(t('it was made by another version of Virtflow'));
  if (stimuli.length > MOST || edits.length > MOST) throw new Error(t('it has more than {0} stimuli or edits', MOST));
  const id = unescape(single.get('flow') ?? '');
  const flow = flowById(id);
  if (flow === undefined) throw new Error(t('there is no flow "{0}"', shown(id)));
  const strange = stimuli.find(({ name }) => !flow.stimuli.some((stimulus) => stimulus.name === name));
  if (strange !== undefined) throw new Error(t('flow {0} has no stimulus "{1}"', flow.id, shown(strange.name)));
  const seed = readNumber('seed', single.get('seed') ?? '0');
  return {
    flow,
    inputs: { parameters: resolveParameters(flow, parameters), stimuli, ...(edits.length > 0 ? { edits } : {}), seed },
    step: readNumber('step', single.get('step') ?? '0'),
  };
}

function define(parameters: Record<string, string>, name: string, value: string): void {
  if (!/^[\w.-]{1,64}$/.test(name) || name === '__proto__') throw new Error(t('"{0}" is no name of a parameter', shown(name)));
  if (value.length > 64) throw new Error(t('it sets {0} to more than 64 characters', name));
  if (Object.hasOwn(parameters, name)) throw new Error(t('it sets {0} twice', name));
  parameters[name] = value;
}

function readStimulus(text: string): FlowStimuli[number] {
  const [name = '', at = ''] = text.split('@', 2);
  return { at: readNumber(t('the step of stimulus {0}', shown(name)), at), name: unescape(name) };
}

function readEdit(text: string): Edit {
  const [cell = '', at = '', value = ''] = text.split('@', 3);
  if (!/^(0|-?[1-9]\d{0,15})$/.test(value) || !Number.isSafeInteger(Number(value)))
    throw new Error(t('the value of cell {0} is no whole number', shown(cell)));
  return { at: readNumber(t('the step of cell {0}', shown(cell)), at), cell: unescape(cell), value: Number(value) };
}

function readNumber(what: string, digits: string): number {
  if (!/^\d{1,9}$/.test(digits)) throw new Error(t('{0} is "{1}", expected a whole number', what, shown(digits)));
  return Number(digits);
}

const escape = (text: string): string => text.replaceAll(/[^\w.-]/gu, (character) => `~${character.codePointAt(0)!.toString(16)}~`);

function unescape(text: string): string {
  const plain = text.replaceAll(/~([0-9a-f]{1,6})~/g, (_, code: string) => {
    const point = Number.parseInt(code, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  });
  if (text.replaceAll(/~[0-9a-f]{1,6}~/g, '').match(/[^\w.-]/) !== null)
    throw new Error(t('"{0}" is not written as Virtflow writes it', shown(text)));
  return plain;
}

/** The beginning of a text from outside, for a message. */
const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
