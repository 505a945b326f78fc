import { t } from '@vscode/l10n';
import type { Reference } from '../engine/reference';
import { historyOf, neighbours, type Standing } from './history';
import type { Found, Missing } from './resolver';
import { treeName, type Tree } from './tree';

/** What readers should know of the place at which a reference was found in their tree, or of why it was not. */
export interface Remark {
  readonly kind: 'warning' | 'info';
  readonly text: string;
}

/** Undefined where a reference stands as models name it, in a version that was checked. */
export function remarkOn(reference: Reference, tree: Tree, resolution: FoundPlace | Missing): Remark | undefined {
  if (resolution.kind === 'missing') return { kind: resolution.reason === 'not-in-version' ? 'info' : 'warning', text: resolution.message };
  const texts = [whyThere(reference, tree, resolution), howSure(tree, resolution)].filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : { kind: 'info', text: texts.join(' ') };
}

/** A place in a tree, or where upstream has it. */
export type FoundPlace = Pick<Found, 'kind' | 'path' | 'symbol' | 'anchor' | 'confidence'> & { readonly standing: Standing };

/** Why a reference stands elsewhere than models name it, if it does. */
export function whyThere({ symbol, anchor, path }: Reference, tree: Tree, found: FoundPlace): string | undefined {
  const { standing } = found;
  switch (standing.kind) {
    case 'own':
      return undefined;
    case 'other':
      if (found.symbol !== symbol) return t('{0} is {1} in {2}.', symbol, found.symbol, treeName(tree));
      if (found.path !== path) return t('In {0} this is in {1}.', treeName(tree), found.path);
      return anchor && found.anchor && found.anchor.token !== anchor.token
        ? t('{0} is {1} in {2}.', anchor.token, found.anchor.token, treeName(tree))
        : undefined;
    case 'elsewhere':
      return t('In {0} this is in {1}.', treeName(tree), found.symbol);
    case 'stand-in':
    case 'nowhere':
      return t('Not in {0}: {1}.', treeName(tree), t(standing.why));
  }
}

function howSure(tree: Tree, { confidence }: FoundPlace): string | undefined {
  if (confidence === 'checked') return undefined;
  const near = neighbours(historyOf(tree.project).checked, tree.version);
  return t('Found by its name: {0} was not checked, unlike {1}.', treeName(tree), near.join(', '));
}
