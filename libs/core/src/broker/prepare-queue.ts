import { ConfigurationError } from '../contract/errors.js';
import { partitionNames } from '../contract/partition-names.js';
import type { Broker, PartitionsRecord, QueueCounts } from './broker.js';

/**
 * Makes what a queue of so many partitions needs, where it is missing, and records the number: it is the same for every
 * process, and changes only while nothing is kept of the queue. What was kept otherwise before is closed first, so that
 * a process that still believes in it is refused instead of putting tasks where nobody looks.
 *
 * @throws ConfigurationError when tasks are kept in another number of partitions; nothing was lost, and it says what to do
 * @throws BrokerError when Redis refuses or does not answer
 */
export async function prepareQueue(broker: Broker, queue: string, partitions: number): Promise<void> {
  const known = (await broker.recordedPartitions(queue)) ?? 1;
  if (known !== partitions) await close(broker, queue, known, partitions);
  const names = partitionNames(queue, partitions);
  if (known !== partitions || partitions > 1) {
    for (const name of names) await record(broker, queue, { queue: name, partitions, otherwise: partitions });
    await record(broker, queue, { queue, partitions, otherwise: 1, known });
  }
  for (const name of names) await broker.ensureQueue(name);
}

/** Sees to it that nobody puts tasks any more where they were kept so far, if none are there. */
async function close(broker: Broker, queue: string, known: number, partitions: number): Promise<void> {
  const former = partitionNames(queue, known);
  // First a look at all of them: whoever is refused must not have closed what others use.
  for (const name of former) {
    if (tasksIn(await broker.counts(name)) > 0) throw refusal(queue, partitions, name, known);
  }
  for (const name of former) await record(broker, queue, { queue: name, partitions, otherwise: known });
}

async function record(broker: Broker, queue: string, what: PartitionsRecord): Promise<void> {
  const recorded = await broker.recordPartitions(what);
  if (recorded !== what.partitions) throw refusal(queue, what.partitions, what.queue, recorded);
}

function tasksIn({ ready, active, scheduled, dead }: QueueCounts): number {
  return ready.high + ready.normal + ready.low + active + scheduled + dead;
}

function refusal(queue: string, partitions: number, name: string, recorded: number): ConfigurationError {
  return new ConfigurationError(`queue "${queue}"`, [
    `partitions is ${partitions} here, but "${name}" holds tasks of a queue with ${recorded}: ` +
      `set queues.${queue}.partitions to ${recorded} in every process, or let workers with ${recorded} finish all its tasks ` +
      'and replay or delete its dead letters, then start every process with the new number',
  ]);
}
