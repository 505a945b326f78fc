import { source, through, type Pointer } from '../../../../engine/fn';

const { fn } = source('qemu', 'hw/core/qdev.c');

export const device_set_realized = fn(
  'A device is complete: its class brings it to life.',
  function* device_set_realized(realize: Pointer<[], void>) {
    yield* through('function pointer', 'realize', realize)();
  },
);
