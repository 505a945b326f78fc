import * as z from 'zod/mini';
import type { Flow } from '../flow';
import { flowShape, notesShape, scenarioShape } from './format';

/** The JSON schemas of the formats, for editors: made of the very shapes that files are read by. */

type Schema = z.core.JSONSchema.BaseSchema;

/** The schema of scenarios of these flows: what a flow's parameters and stimuli may be is said per flow. */
export function scenarioSchema(flows: readonly Flow[]): Schema {
  const { properties, ...rest } = schemaOf(scenarioShape);
  return {
    ...rest,
    title: 'A Virtflow scenario',
    allowTrailingCommas: true,
    properties: {
      ...properties,
      flow: { ...asSchema(properties?.['flow']), enum: flows.map(({ id }) => id), enumDescriptions: flows.map(({ title }) => title) },
    },
    allOf: flows.map((flow) => ({
      if: { properties: { flow: { const: flow.id } }, required: ['flow'] },
      // oxlint-disable-next-line unicorn/no-thenable -- JSON schema's own word
      then: { properties: flowProperties(flow) },
    })),
  };
}

/** The schema of a workspace's notes. */
export const notesSchema = (): Schema => ({ ...schemaOf(notesShape), title: 'Notes on steps of Virtflow', allowTrailingCommas: true });

function flowProperties(flow: Flow): Schema['properties'] {
  const { properties } = schemaOf(flowShape(flow));
  const stimuli = asSchema(asSchema(properties?.['stimuli']).items);
  const described = {
    ...asSchema(stimuli.properties?.['name']),
    enumDescriptions: flow.stimuli.map(({ title, description }) => `${title}. ${description}`),
  };
  return { ...properties, stimuli: { type: 'array', items: { type: 'object', properties: { name: described } } } };
}

const schemaOf = (shape: z.ZodMiniType): Schema => z.toJSONSchema(shape, { target: 'draft-7', io: 'input', reused: 'inline' });

/** A part of a schema that is made here, and so is never just true or false. */
const asSchema = (part: unknown): Schema => (typeof part === 'object' && part !== null ? part : {}) as Schema;
