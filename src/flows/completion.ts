import { t } from '@vscode/l10n';
import { constantsOf, VARIABLES } from './expressions';
import type { FlowRun } from './flow';
import { instanceName } from './names';
import { MAX_LENGTH } from './syntax';

/** What may be written at some place of an expression. */
export interface Completion {
  /** What replaces the text from `start` on, `length` characters long. */
  readonly text: string;
  readonly kind: 'component' | 'cell' | 'constant' | 'variable';
  /** What it is, in a few words. */
  readonly detail: string;
  readonly start: number;
  readonly length: number;
}

const MAX_COMPLETIONS = 200;

/** A name, from its beginning up to where somebody is writing. */
const BEGUN = /(?:\$\w*|[A-Za-z_]\w*(?:\.\w*|->\w*|\[[^[\]]*\]|\([^()]*\))*(?:[[(][^[\]()]*)?)$/;

/** Completes the name that ends at `offset` of an expression: a structure first, then its fields; constants; variables. */
export function complete(run: FlowRun, text: string, offset: number): readonly Completion[] {
  const begun = BEGUN.exec(text.slice(Math.max(0, offset - MAX_LENGTH), offset))?.[0] ?? '';
  const fits = ({ text: candidate }: Candidate): boolean => candidate.toLowerCase().startsWith(begun.toLowerCase());
  const fields = fieldsOf(run, begun).filter(fits);
  const candidates = fields.length > 0 ? fields : [...components(run), ...constants(run), ...variables].filter(fits);
  return candidates
    .slice(0, MAX_COMPLETIONS)
    .map((each) => ({ ...each, detail: t(each.detail), start: offset - begun.length, length: begun.length }));
}

type Candidate = Omit<Completion, 'start' | 'length'>;

const variables: readonly Candidate[] = VARIABLES.map(({ name, means }) => ({ text: name, kind: 'variable', detail: means }));

/** Structures, by their own name where there is but one of them. */
function components(run: FlowRun): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { struct, name, doc, cells } of run.components) {
    if (cells.length === 0) continue;
    const alone = run.components.every((other) => other.struct !== struct || other.name === name);
    const text = alone ? struct : instanceName({ struct, name });
    found.set(text, { text, kind: 'component', detail: doc });
  }
  return [...found.values()];
}

/** The fields of the structure or instance that a name begins with. */
function fieldsOf(run: FlowRun, begun: string): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const component of run.components) {
    const { struct, name } = component;
    const whole = [instanceName(component), struct, name].find((each) => begun.startsWith(`${each}.`));
    if (whole === undefined) continue;
    for (const cell of component.cells)
      found.set(cell.name, { text: `${whole}.${cell.name}`, kind: 'cell', detail: cell.means ?? instanceName(component) });
  }
  return [...found.values()];
}

function constants(run: FlowRun): readonly Candidate[] {
  const named = [...constantsOf(run)].filter(([name]) => /^[A-Za-z_]\w*$/.test(name));
  const hex = (value: number): string => (value < 0 ? String(value) : `0x${value.toString(16)}`);
  return named.map(([name, values]) => ({ text: name, kind: 'constant', detail: [...values].map(hex).join(', ') }));
}
