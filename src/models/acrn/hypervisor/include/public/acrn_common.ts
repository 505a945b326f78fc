/** What a caller wants of an interrupt line: a level, or a pulse. */
export type GsiOperation = 'GSI_SET_HIGH' | 'GSI_SET_LOW' | 'GSI_RAISING_PULSE' | 'GSI_FALLING_PULSE';

/** The levels that an operation drives, one after the other. */
export function levelsOf(operation: GsiOperation): readonly (0 | 1)[] {
  switch (operation) {
    case 'GSI_SET_HIGH':
      return [1];
    case 'GSI_SET_LOW':
      return [0];
    case 'GSI_RAISING_PULSE':
      return [1, 0];
    case 'GSI_FALLING_PULSE':
      return [0, 1];
  }
}
