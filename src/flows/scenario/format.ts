import * as z from 'zod/mini';
import type { Flow, ParameterSpec } from '../flow';

/**
 * The format of scenarios and of notes, once: what files are read by, what the types are made of, and what the JSON schema is made of.
 */

/** The version of the format that is written. */
export const VERSION = 1;

/** More of anything than anybody writes by hand. */
const MOST = 256;
const MOST_NOTES = 4096;
const LONGEST_TEXT = 20_000;

/** Says what a value is for: editors show it. */
function means<T extends z.ZodMiniType>(description: string, shape: T): T {
  z.globalRegistry.add(shape, { description });
  return shape;
}

const text = (longest = LONGEST_TEXT) => z.string().check(z.minLength(1), z.maxLength(longest));
const title = () => text(200);
const count = () => z.int().check(z.minimum(0));
const several = <T extends z.ZodMiniType>(shape: T) => z.array(shape).check(z.maxLength(MOST));

const placeFields = {
  function: means('The function, by its upstream name.', title()),
  file: z.optional(means('Its file, as `virt/kvm/eventfd.c`: only needed where functions of two files have this name.', title())),
  anchor: z.optional(
    means('The identifier in the function’s body that the step stands on. Without it, the step that enters the function.', title()),
  ),
};

/** A place in source that steps stand on. */
const place = z.strictObject(placeFields);

const occurrence = means('Which of the steps at this place, counted from 1 over the whole run.', z.int().check(z.minimum(1)));

const momentFields = { ...placeFields, occurrence: z.optional(occurrence) };

/** A step of a run, by what happens there, which changes of the models leave right, or by its number, which they do not. */
const moment = () =>
  z.union([
    z.strictObject(momentFields),
    z.strictObject({
      step: means('The number of the step: another one as soon as anything before it changes.', z.int().check(z.minimum(-1))),
    }),
  ]);

const because = z.optional(means('Why this should be so: told when it is not.', text()));
const at = () => z.optional(means('The step after which this is looked at; without it, the end of the run.', moment()));
const atLeast = z.optional(means('No fewer than these.', count()));
const atMost = z.optional(means('No more than these.', count()));

const expectation = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: means('Steps at a place: so many, or at least one.', z.literal('reached')),
    ...placeFields,
    times: z.optional(means('Exactly so often.', count())),
    atLeast,
    atMost,
    because,
  }),
  z.strictObject({ kind: means('No step at a place.', z.literal('never-reached')), ...placeFields, because }),
  z.strictObject({
    kind: means('Places, each reached after the one before.', z.literal('order')),
    places: means('The places, in their order.', several(place).check(z.minLength(2))),
    because,
  }),
  z.strictObject({
    kind: means('A value at a step.', z.literal('value')),
    of: means('A cell as the views name it, `kvm_ioapic(ioapic).irr`, or an expression over cells.', title()),
    is: means('The value: a number, true or false, or an expression such as `0x20` or `NULL`.', z.union([z.int(), z.boolean(), title()])),
    at: at(),
    because,
  }),
  z.strictObject({
    kind: means('An expression that is not 0 at a step.', z.literal('holds')),
    expression: means('An expression over cells, as in conditions of breakpoints.', title()),
    at: at(),
    because,
  }),
  z.strictObject({
    kind: means('Why the run ends.', z.literal('ending')),
    is: means(
      '`idle`: every context waits. `time`: only timers are left. `limit`: it goes on and on, as in an interrupt storm. `fault`: a model could not go on.',
      z.enum(['idle', 'time', 'limit', 'fault']),
    ),
    because,
  }),
  z.strictObject({ kind: means('The number of steps of the run.', z.literal('steps')), atLeast, atMost, because }),
]);

const note = z.strictObject({
  at: means('The step. Without an occurrence, all that stand there.', moment()),
  text: means('The note, in Markdown.', text()),
});

const after = z.optional(means('The step after which it happens; without it, when all has come to rest.', moment()));

const header = {
  $schema: z.optional(z.string()),
  version: means('The version of the format.', z.literal(VERSION)),
};

/** A scenario, whatever its flow. */
export const scenarioShape = z.strictObject({
  ...header,
  title: means('What this scenario shows.', title()),
  description: z.optional(means('What to look at, in Markdown.', text())),
  flow: means('The flow that is run.', title()),
  parameters: z.optional(means('Values of the flow’s parameters; the others are as by default.', z.record(z.string(), z.unknown()))),
  stimuli: z.optional(
    means(
      'What happens to the machine from outside.',
      several(
        z.strictObject({
          name: means('A stimulus of the flow.', title()),
          after,
        }),
      ),
    ),
  ),
  edits: z.optional(
    means(
      'Values that are set by hand: what if they were others?',
      several(
        z.strictObject({
          cell: means('The cell, as the views name it.', title()),
          value: means('Its new value: a number, true or false, or an expression over cells.', z.union([z.int(), z.boolean(), title()])),
          after,
        }),
      ),
    ),
  ),
  seed: z.optional(means('Decides among contexts that could run next; 0 unless given.', count().check(z.maximum(999_999_999)))),
  chapters: z.optional(
    means(
      'The parts of the walkthrough, instead of the flow’s own.',
      several(
        z.strictObject({
          title: means('The chapter’s title, which no other has.', title()),
          prose: means('What happens in it, in Markdown.', text()),
          at: means('The step at which it begins.', moment()),
        }),
      ),
    ),
  ),
  notes: z.optional(means('Remarks on steps.', several(note))),
  expectations: z.optional(means('What must be so: `virtflow run` fails if it is not.', several(expectation))),
});

/** What a flow makes of a scenario besides: which parameters and stimuli there are. */
export const flowShape = ({ parameters, stimuli }: Flow) =>
  z.looseObject({
    parameters: z.optional(z.strictObject(Object.fromEntries(parameters.map((spec) => [spec.name, z.optional(parameterShape(spec))])))),
    stimuli: z.optional(z.array(z.looseObject({ name: z.enum(stimuli.map(({ name }) => name)) }))),
  });

function parameterShape(spec: ParameterSpec): z.ZodMiniType {
  const description = `${spec.title}. ${spec.description}`;
  switch (spec.kind) {
    case 'boolean':
      return means(description, z.boolean());
    case 'choice':
      return means(description, z.enum(spec.choices.map(({ value }) => value)));
    case 'number':
      return means(description, z.int().check(z.minimum(spec.minimum), z.maximum(spec.maximum)));
  }
}

/** A reader's notes of a workspace. */
export const notesShape = z.strictObject({ ...header, notes: z.array(note).check(z.maxLength(MOST_NOTES)) });

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** A scenario as its file has it. */
export type ScenarioFile = DeepReadonly<z.infer<typeof scenarioShape>>;
export type Place = DeepReadonly<z.infer<typeof place>>;
export type Moment = DeepReadonly<z.infer<ReturnType<typeof moment>>>;
export type Expectation = DeepReadonly<z.infer<typeof expectation>>;
/** A remark on a step. */
export type Note = DeepReadonly<z.infer<typeof note>>;
