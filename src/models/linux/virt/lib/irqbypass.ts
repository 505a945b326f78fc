import { pointer, struct, type InstanceOf } from '../../../../engine/cell';
import { source, through, type Pointer } from '../../../../engine/fn';
import type { Machine } from '../../../../engine/machine';
import { running } from '../../../../engine/running';
import { at, atCall, behind } from '../../../../engine/steps';
import { EBUSY, EINVAL } from '../../errno';
import type { EventfdCtx } from '../../fs/eventfd';
import type { IrqDesc } from '../../kernel/irq/irqdesc';

/**
 * The IRQ bypass manager: whoever has a hardware interrupt and whoever wants it meet here, by a token that both know. For
 * VFIO and KVM that is the eventfd between them. Once they have met, the interrupt need not pass the eventfd any more.
 */

const ProducerCells = struct('irq_bypass_producer', 'Somebody who has a hardware interrupt to give: VFIO.', {
  token: pointer<EventfdCtx>(),
});

export type IrqBypassProducer = InstanceOf<typeof ProducerCells> & {
  /** The host's interrupt. */
  irq: IrqDesc | undefined;
};

/** Makes a producer that has not been registered. */
export const irq_bypass_producer = (name: string): IrqBypassProducer => Object.assign(ProducerCells(name), { irq: undefined });

const ConsumerCells = struct('irq_bypass_consumer', 'Somebody who can take a hardware interrupt directly: KVM.', {
  token: pointer<EventfdCtx>(),
});

/** What a consumer does when a producer comes and goes. */
export interface ConsumerOps {
  readonly add_producer: Pointer<[prod: IrqBypassProducer], number>;
  readonly del_producer: Pointer<[prod: IrqBypassProducer], void>;
  readonly stop: Pointer<[], void>;
  readonly start: Pointer<[], void>;
}

export type IrqBypassConsumer = InstanceOf<typeof ConsumerCells> & { ops: ConsumerOps | undefined };

/** Makes a consumer that has not been registered. */
export const irq_bypass_consumer = (name: string): IrqBypassConsumer => Object.assign(ConsumerCells(name), { ops: undefined });

interface Lists {
  readonly producers: IrqBypassProducer[];
  readonly consumers: IrqBypassConsumer[];
}

/** Upstream's two file-level lists, of each simulated machine. */
const machines = new WeakMap<Machine, Lists>();

function lists(): Lists {
  const machine = running();
  const known = machines.get(machine) ?? { producers: [], consumers: [] };
  machines.set(machine, known);
  return known;
}

const { fn } = source('linux', 'virt/lib/irqbypass.c');

/** Calls one of the consumer's two halves of a pause, in the function that is executing. */
function* pause(cons: IrqBypassConsumer, which: 'stop' | 'start') {
  if (cons.ops !== undefined) yield* through('function pointer', which, cons.ops[which])();
}

const __connect = fn(
  'The two have met: with both sides at rest, the consumer is given the producer’s interrupt. Whether that worked or not, both go on: the way through the eventfd is still there.',
  function* __connect(prod: IrqBypassProducer, cons: IrqBypassConsumer) {
    yield* pause(cons, 'stop');
    const ret = cons.ops === undefined ? -EINVAL : yield* through('function pointer', 'add_producer', cons.ops.add_producer)(prod);
    yield* pause(cons, 'start');
    return ret;
  },
);

const __disconnect = fn(
  'They part: the consumer gives the interrupt back before the producer may free it.',
  function* __disconnect(prod: IrqBypassProducer, cons: IrqBypassConsumer) {
    yield* pause(cons, 'stop');
    if (cons.ops !== undefined) yield* through('function pointer', 'del_producer', cons.ops.del_producer)(prod);
    yield* pause(cons, 'start');
  },
);

export const irq_bypass_register_producer = fn(
  'VFIO announces an interrupt. If somebody waits for this token, the two are connected at once.',
  function* irq_bypass_register_producer(producer: IrqBypassProducer) {
    const { producers, consumers } = lists();
    atCall('mutex_lock');
    if (producers.some(({ token }) => token === producer.token)) return -EBUSY;
    const consumer = consumers.find(({ token }) => token === producer.token);
    behind('consumers');
    at('token', consumer === undefined ? 'Nobody waits for this eventfd: the interrupt will go through it.' : undefined);
    if (consumer !== undefined) {
      const ret = yield* __connect(producer, consumer);
      if (ret !== 0) return ret;
    }
    atCall('list_add');
    producers.unshift(producer);
    return 0;
  },
);

export const irq_bypass_unregister_producer = fn(
  'VFIO is about to give an interrupt up: it must be nobody’s but the host’s when it is freed.',
  function* irq_bypass_unregister_producer(producer: IrqBypassProducer) {
    const { producers, consumers } = lists();
    if (producer.token === undefined) return;
    atCall('mutex_lock');
    const index = producers.findIndex(({ token }) => token === producer.token);
    if (index < 0) return;
    const consumer = consumers.find(({ token }) => token === producer.token);
    if (consumer !== undefined) yield* __disconnect(producer, consumer);
    atCall('list_del');
    producers.splice(index, 1);
  },
);

export const irq_bypass_register_consumer = fn(
  'KVM announces that it would take the interrupt behind a token. With QEMU it comes first and is only noted down.',
  function* irq_bypass_register_consumer(consumer: IrqBypassConsumer) {
    const { producers, consumers } = lists();
    atCall('mutex_lock');
    if (consumers.some(({ token }) => token === consumer.token)) return -EBUSY;
    const producer = producers.find(({ token }) => token === consumer.token);
    if (producer !== undefined) {
      const ret = yield* __connect(producer, consumer);
      if (ret !== 0) return ret;
    }
    atCall('list_add');
    consumers.unshift(consumer);
    return 0;
  },
);

export const irq_bypass_unregister_consumer = fn(
  'KVM does not want the interrupt any more.',
  function* irq_bypass_unregister_consumer(consumer: IrqBypassConsumer) {
    const { producers, consumers } = lists();
    if (consumer.token === undefined) return;
    atCall('mutex_lock');
    const index = consumers.indexOf(consumer);
    if (index < 0) return;
    const producer = producers.find(({ token }) => token === consumer.token);
    if (producer !== undefined) yield* __disconnect(producer, consumer);
    atCall('list_del');
    consumers.splice(index, 1);
  },
);
