import assert from 'node:assert/strict';
import type * as Bare from './bare/chips';
import { atMost, figure, ratios, type Figure } from './figure';
import { modelledApics, modelledPics } from './modelled';
import { apicOperations, perform, picOperations, setUpApics, setUpPics, type Operation } from './operations';
import { v86Apics, v86Pics } from './v86';

/** The register models against v86's, driven by the same operations, to which both give the same answers. */

const INTERRUPTS = 2000;
/** How often a sample performs them: once takes no longer than what else a busy machine does between. */
const REPEATS = 20;

/** What ours does, as QEMU’s, and v86’s does not. It explains little: each left out for a trial, the figure changed by less than a tenth. */
const SENDS =
  ' (ours looks at all 24 pins and sends through address space, regions and lock; v86’s does neither, which is only a small part of the difference)';

type Perform = (operations: readonly Operation[]) => number[];

export async function* registerFigures(): AsyncGenerator<Figure> {
  // Built apart: see bareModels in esbuild.mjs.
  const bareModule = './bare/chips.mjs';
  const { bareApics, barePics } = (await import(bareModule)) as typeof Bare;
  const [pics, apics] = [await v86Pics(), await v86Apics()];
  yield* against('8259', '', setUpPics, picOperations(INTERRUPTS), barePics(), modelledPics(), (operations) => perform(pics, operations));
  yield* against('I/O APIC', SENDS, setUpApics, apicOperations(INTERRUPTS), bareApics(), modelledApics(), (operations) =>
    perform(apics, operations),
  );
}

function* against(
  chip: string,
  note: string,
  setUp: readonly Operation[],
  operations: readonly Operation[],
  bare: Perform,
  modelled: Perform,
  v86: Perform,
): Generator<Figure> {
  for (const one of [bare, modelled, v86]) one(setUp);
  const expected = v86(operations);
  assert.deepEqual(bare(operations), expected, `the ${chip} alone and v86's answer otherwise`);
  assert.deepEqual(modelled(operations), expected, `the ${chip} and v86's answer otherwise`);
  const work = `${operations.length} operations (registers, lines, acknowledge cycles), the same ${expected.length} answers`;
  yield figure(
    `${chip} alone`,
    `our model without the engine to v86’s, in WebAssembly: ${work}${note}`,
    '×',
    ratios(
      () => repeat(bare, operations),
      () => repeat(v86, operations),
    ),
    atMost(1),
  );
  yield figure(
    `${chip} on a machine`,
    `our model with frames and threads, the journal off, to v86’s: the same`,
    '×',
    ratios(
      () => modelled(operations),
      () => v86(operations),
    ),
  );
}

function repeat(one: Perform, operations: readonly Operation[]): void {
  for (let n = 0; n < REPEATS; n++) one(operations);
}
