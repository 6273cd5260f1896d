import { createParamDecorator } from '@nestjs/common';
import {
  defineTask,
  type Payload,
  snooze,
  TaskContext,
  TaskHandler,
  TaskPayload,
  type TaskProducer,
  TaskQueueModule,
} from '@taskq/nestjs';
import { z } from 'zod';

class OrderDto {
  id!: number;
  total(): number {
    return this.id;
  }
}

declare module '@taskq/core' {
  interface TaskTypes {
    'order.cancel': { id: number; why?: string };
  }
}

const byClass = defineTask({ type: 'order.place', payload: OrderDto });
const bySchema = defineTask({
  type: 'order.import',
  payload: z.object({ at: z.string().transform((s) => new Date(s)) }),
});
const byNothing = defineTask({ type: 'order.any' });
const Tenant = createParamDecorator(() => 'acme');

export class ClassHandlers {
  @TaskHandler(byClass)
  both(order: OrderDto, context: TaskContext): number {
    return order.total() + context.attempt;
  }
  @TaskHandler(byClass)
  async withoutContext(order: Payload<typeof byClass>): Promise<number> {
    return Promise.resolve(order.total());
  }
  @TaskHandler(byClass)
  withNothing(): void {}
  @TaskHandler(byClass)
  widerPayload(order: { id: number }): number {
    return order.id;
  }
  @TaskHandler(byClass)
  checksItself(order: unknown): unknown {
    return order;
  }
  @TaskHandler(byClass)
  directive(order: OrderDto) {
    return order.id > 0 ? snooze('1m') : undefined;
  }
  @TaskHandler(byClass)
  moreParameters(order: OrderDto, @Tenant() tenant: string, @TaskContext() task: TaskContext): string {
    return `${order.id} ${tenant} ${task.id}`;
  }
  @TaskHandler(byClass, { queue: 'orders', maxAttempts: 3, connection: 'second' })
  @TaskHandler('order.cancel')
  two(@TaskPayload() order: { id: number }): number {
    return order.id;
  }

  // @ts-expect-error -- the payload is an order
  @TaskHandler(byClass)
  wrong(order: { id: string }): string {
    return order.id;
  }
  // @ts-expect-error -- the payload has no `name`
  @TaskHandler(byClass)
  missing(order: { id: number; name: string }): string {
    return order.name;
  }
  // @ts-expect-error -- the payload comes first
  @TaskHandler(byClass)
  swapped(context: TaskContext, order: OrderDto): number {
    return order.id + context.attempt;
  }
  // @ts-expect-error -- maxAttempt is no option
  @TaskHandler(byClass, { maxAttempt: 3 })
  option(order: OrderDto): number {
    return order.id;
  }
  // @ts-expect-error -- a handler is a method
  @TaskHandler(byClass)
  property = 1;
}

export class SchemaHandlers {
  @TaskHandler(bySchema)
  output(payload: { at: Date }): Date {
    return payload.at;
  }
  // @ts-expect-error -- handlers are given what the schema makes, not what it accepts
  @TaskHandler(bySchema)
  input(payload: { at: string }): string {
    return payload.at;
  }
  @TaskHandler(byNothing)
  unknowing(payload: unknown): unknown {
    return payload;
  }
  // @ts-expect-error -- nothing is known of the payload, so nothing may be used unchecked
  @TaskHandler(byNothing)
  careless(payload: { id: number }): number {
    return payload.id;
  }
}

export class NamedHandlers {
  @TaskHandler('order.cancel', { version: 2, upgrade: (payload) => payload })
  listed(payload: { id: number; why?: string }): string | undefined {
    return payload.why;
  }
  // @ts-expect-error -- `id` is a number
  @TaskHandler('order.cancel')
  wrong(payload: { id: string }): string {
    return payload.id;
  }
  @TaskHandler('order.unlisted')
  unlisted(payload: OrderDto): number {
    return payload.total();
  }
  @TaskHandler('order.unlisted')
  unlistedPlain(payload: { anything: boolean }, context: TaskContext): boolean {
    return payload.anything && context.attempt === 1;
  }
}

export async function enqueues(producer: TaskProducer): Promise<void> {
  await producer.enqueue(byClass, { id: 1 });
  await producer.enqueue(byClass, { id: 1 }, { delay: '5m', headers: { tenant: 'acme' } });
  await producer.enqueue(bySchema, { at: '2026-01-01' });
  await producer.enqueue('order.cancel', { id: 1 });
  await producer.enqueue('order.unlisted', { anything: true }, { queue: 'orders' });
  await producer.enqueueMany(byClass, [
    { payload: { id: 1 } },
    { payload: { id: 2 }, options: { delay: 5 } },
  ]);
  // @ts-expect-error -- `id` is a number
  await producer.enqueue(byClass, { id: '1' });
  // @ts-expect-error -- `id` is missing
  await producer.enqueue(byClass, {});
  // @ts-expect-error -- producers give what the schema accepts
  await producer.enqueue(bySchema, { at: new Date() });
  // @ts-expect-error -- `id` is missing
  await producer.enqueue('order.cancel', { why: 'because' });
  await producer.enqueue('order.cancel', { id: 1 }, { version: 2 });
  // @ts-expect-error -- the version belongs to the contract
  await producer.enqueue(byClass, { id: 1 }, { version: 2 });
  // @ts-expect-error -- the queue belongs to the contract
  await producer.enqueue(byClass, { id: 1 }, { queue: 'other' });
  // @ts-expect-error -- `id` is a number
  await producer.enqueueMany(byClass, [{ payload: { id: '1' } }]);
}

TaskQueueModule.forRoot();
TaskQueueModule.forRoot({ name: 'second', role: 'worker', redis: { url: 'redis://localhost' } });
TaskQueueModule.forRootAsync({ name: 'second', useFactory: () => ({ autoStart: false }) });
TaskQueueModule.forRootAsync({
  useFactory: async (prefix: string) => Promise.resolve({ prefix }),
  inject: ['PREFIX'],
});
TaskQueueModule.forFeature({
  queues: { orders: { concurrency: 5 } },
  contracts: [byClass, bySchema, byNothing],
});
// @ts-expect-error -- rol is no option
TaskQueueModule.forRoot({ rol: 'worker' });
// @ts-expect-error -- no such role
TaskQueueModule.forRoot({ role: 'both of them' });
// @ts-expect-error -- the name is needed before the options are there
TaskQueueModule.forRootAsync({ useFactory: () => ({ name: 'second' }) });
// @ts-expect-error -- concurency is no option
TaskQueueModule.forFeature({ queues: { orders: { concurency: 5 } } });
