import type { Op, Scenario, State } from './recording';

/** What stands between a recording and the models of one implementation. */

/** What an operation gave, by the names that the recording has for it. */
export type Results = Readonly<Record<string, unknown>>;

/** The models of one scenario. */
export interface Subject {
  /** Performs an operation, or says that it does not know it. Throws if the models do, or an argument makes no sense. */
  readonly perform: (op: Op) => Results | undefined;
  /** All registers, by the names that the recording has for them. What a recording does not mention may be there as well. */
  readonly state: () => State;
}

/** How the recordings of one implementation are replayed. */
export interface Adapter {
  /** The fields of an operation that are results; all others are arguments. */
  readonly results: readonly string[];
  /** Operations that are passed over on purpose, and why. */
  readonly skips: ReadonlyMap<string, string>;
  /** Builds the models as the scenario finds them. */
  readonly build: (scenario: Scenario) => Subject;
}
