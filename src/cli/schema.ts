import { t } from '@vscode/l10n';
import { CATALOGUE } from '../flows/catalogue';
import { ParameterError } from '../flows/flow';
import { notesSchema, scenarioSchema } from '../flows/scenario/schema';

const SCHEMAS = { scenario: () => scenarioSchema(CATALOGUE), notes: notesSchema };

/** `virtflow schema [scenario|notes]`: the JSON schema of a format, for editors. */
export function schemaCommand([name = 'scenario']: readonly string[]): number {
  if (name !== 'scenario' && name !== 'notes')
    throw new ParameterError(t('there is no schema of "{0}", expected {1}', name, Object.keys(SCHEMAS).join(' or ')));
  process.stdout.write(`${JSON.stringify(SCHEMAS[name](), undefined, 2)}\n`);
  return 0;
}
