export * from '../../../src/engine/steps';

/** Without the engine nobody stands anywhere. */
export function at(): void {}
export function atCall(): void {}
export function atWrite(): void {}
export function behind(): void {}
