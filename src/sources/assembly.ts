import { createLiveLexer } from './directives';
import type { Text } from './lexer';
import type { Definition } from './scanner';

/**
 * Finds the routines of an x86 assembly file (.S) by the kernel's linkage macros: `SYM_FUNC_START(name)` up to
 * the next `SYM_FUNC_END(name)`, and labels such as `SYM_INNER_LABEL(name, …)` up to the end of what they are in.
 */
export function scanAssembly(text: Text): readonly Definition[] {
  const definitions: Definition[] = [];
  const next = createLiveLexer(text);
  let open: { name: string; nameStart: number; start: number }[] = [];
  let macro = '';

  for (let token = next(); token.kind !== 'end'; token = next()) {
    if (token.kind !== 'word') {
      if (token.kind !== 'punctuator' || token.sign !== '(') macro = '';
      continue;
    }
    const word = text.slice(token.start, token.end);
    if (isLinkage(macro, '_START') || isLinkage(macro, '_LABEL')) {
      open.push({ name: word, nameStart: token.start, start: token.end });
    }
    if (isLinkage(macro, '_END')) {
      const end = token.start;
      for (const { name, nameStart, start } of open) definitions.push(routine(name, nameStart, { start, end }));
      open = [];
    }
    macro = word;
  }
  return definitions.concat(open.map(({ name, nameStart }) => routine(name, nameStart, undefined)));
}

function isLinkage(macro: string, part: string): boolean {
  return macro.startsWith('SYM_') && macro.includes(part);
}

function routine(name: string, nameStart: number, body: Definition['body']): Definition {
  return { name, kind: 'routine', nameStart, body };
}
