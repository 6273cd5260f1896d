import type { Removal } from '../removal.js';

const CHOICE = 'libs/core/src/policy/partition-choice.ts';
const PARTITIONS = 'libs/core/src/policy/partitions.ts';
const OPTIONS = 'libs/core/src/policy/engine-options.ts';
const PLACEMENT = 'libs/core/src/producer/placement.ts';
const TURNS = 'libs/core/src/producer/partition-turns.ts';
const IDS = 'libs/core/src/producer/task-ids.ts';
const NAMES = 'libs/core/src/contract/partition-names.ts';
const PREPARE = 'libs/core/src/broker/prepare-queue.ts';
const PRODUCER = 'libs/core/src/producer/task-producer.ts';
const EXECUTOR = 'libs/core/src/worker/executor.ts';
const WORKER = 'libs/core/src/worker/task-worker.ts';
const EVENTS = 'libs/core/src/telemetry/task-events.ts';
const INSPECTED = 'libs/core/src/inspector/parts.ts';
const SCRIPTS = 'libs/core/src/redis/scripts';

const CHOSEN = ['libs/core/src/policy/partition-choice.spec.ts'];
const PLACED = ['libs/core/src/producer/placement.spec.ts'];
const TAKEN_IN_TURN = ['libs/core/src/producer/partition-turns.spec.ts'];
const DIVIDED = ['libs/core/src/policy/partitions.spec.ts'];
const NAMED = ['libs/core/src/contract/partition-names.spec.ts'];
const LAYOUT = ['test/partitions/layout.spec.ts'];
const SPREAD = ['test/partitions/spread.spec.ts'];
const PORT = ['test/broker/conformance.spec.ts'];

/** Defences of a queue that is kept in parts: that it is one queue, and that all agree on the parts. */
export const partitionRemovals: readonly Removal[] = [
  {
    name: 'a-repeated-call-comes-to-the-same-partition',
    defence: 'Without it a call that is repeated with the id it was given makes a second task.',
    file: CHOICE,
    take: 'id === undefined || block !== undefined ? uniqueKeys',
    by: 'id === undefined ? uniqueKeys',
    witnesses: CHOSEN,
  },
  {
    name: 'keys-of-two-partitions-are-refused',
    defence:
      'Without it one of two keys is held against tasks of another partition, and lets a second task in.',
    file: CHOICE,
    take: "  if (keys.length > 1) return 'several';\n",
    witnesses: [...CHOSEN, ...SPREAD],
  },
  {
    name: 'equal-keys-come-to-one-partition',
    defence: 'Without it two calls with one idempotency key are two tasks.',
    file: CHOICE,
    take: '  if (keys.length === 1) return fnv1a(keys[0]!) % count;\n',
    witnesses: CHOSEN,
  },
  {
    name: 'producers-begin-in-different-partitions',
    defence: 'Without it the first tasks of every process are the work of one primary.',
    file: PLACEMENT,
    take: 'fnv1a(producer) % names.length',
    by: '0 * names.length',
    witnesses: PLACED,
  },
  {
    name: 'a-few-tasks-are-work-for-all-partitions',
    defence:
      'Without it a burst of tasks waits for the slots of one partition while those of the others are free.',
    file: TURNS,
    take: 'if (!this.together) this.current = (this.current + 1) % this.parts.count;\n    else ',
    witnesses: TAKEN_IN_TURN,
  },
  {
    name: 'each-partition-gets-as-much-as-the-others',
    defence: 'Without it turns of different sizes give one partition most of the work.',
    file: TURNS,
    take: ' || this.given[position]! < this.given[best]!',
    witnesses: TAKEN_IN_TURN,
  },
  {
    name: 'a-partition-that-does-not-answer-gets-no-more-than-the-others',
    defence: 'Without it two partitions whose primary is down are given everything, and the others nothing.',
    file: TURNS,
    take: ' && this.given[position]! <= most',
    witnesses: TAKEN_IN_TURN,
  },
  {
    name: 'a-partition-gets-no-more-than-a-group-at-once',
    defence: 'Without it thousands of tasks of one turn are the work of one partition.',
    file: TURNS,
    take: 'this.tasks % TOGETHER === 0',
    by: 'this.tasks === 0',
    witnesses: TAKEN_IN_TURN,
  },
  {
    name: 'an-id-leads-to-its-partition',
    defence: 'Without it a call that is repeated with the id it was given makes a second task.',
    file: IDS,
    take: 'const ahead = (position - (this.blocks % count) + count) % count;',
    by: 'const ahead = 0 * position * count;',
    witnesses: PLACED,
  },
  {
    name: 'partitions-lie-in-equal-parts-of-the-slots',
    defence: 'Without it two of three partitions may be the work of one primary.',
    file: NAMES,
    take: '=== i;',
    by: '>= 0;',
    witnesses: NAMED,
  },
  {
    name: 'every-slot-belongs-to-a-partition',
    defence: 'Without it a remainder of the slots of a queue is never used.',
    file: PARTITIONS,
    take: ' + (place.position < concurrency % partitions ? 1 : 0)',
    witnesses: DIVIDED,
  },
  {
    name: 'a-partition-is-nobodys-queue',
    defence: 'Without it tasks that are enqueued by the name of a partition mix with those of its queue.',
    file: PARTITIONS,
    take: '    if (!place) return;\n',
    by: '    return;\n',
    witnesses: [...DIVIDED, ...LAYOUT],
  },
  {
    name: 'every-partition-has-a-slot',
    defence: 'Without it a partition without a slot is never read.',
    file: OPTIONS,
    take: 'if (rest.concurrency < rest.partitions)',
    by: 'if (false)',
    witnesses: LAYOUT,
  },
  {
    name: 'tasks-of-another-layout-are-seen-before-it-changes',
    defence: 'Without it a number that changes too early leaves tasks where no worker looks.',
    file: PREPARE,
    take: '    if (tasksIn(await broker.counts(name)) > 0) throw refusal(queue, partitions, name, known);\n',
    witnesses: LAYOUT,
  },
  {
    name: 'what-was-there-before-is-closed',
    defence: 'Without it a process that believes in the former number puts tasks where no worker looks.',
    file: PREPARE,
    take: '  for (const name of former) await record(broker, queue, { queue: name, partitions, otherwise: known });\n',
    witnesses: LAYOUT,
  },
  {
    name: 'the-number-of-partitions-is-recorded',
    defence: 'Without it nobody hears that another process believes in another number.',
    file: PREPARE,
    take: '    await record(broker, queue, { queue, partitions, otherwise: 1, known });\n',
    witnesses: LAYOUT,
  },
  {
    name: 'a-group-of-another-layout-is-refused',
    defence: 'Without it a process that believes in the former number puts tasks where no worker looks.',
    file: `${SCRIPTS}/enqueue.lua`,
    take: 'if layout and layout ~= ARGV[5] then',
    by: 'if false then',
    witnesses: PORT,
  },
  {
    name: 'a-layout-changes-only-while-nothing-is-kept',
    defence: 'Without it a number that changes too early leaves tasks where no worker looks.',
    file: `${SCRIPTS}/record-partitions.lua`,
    take: ' or not empty()',
    witnesses: PORT,
  },
  {
    name: 'what-waits-and-what-is-dead-is-kept',
    defence: 'Without it a number changes while tasks wait for their time, and nobody promotes them.',
    file: `${SCRIPTS}/record-partitions.lua`,
    take: "  if redis.call('ZCARD', KEYS[5]) > 0 then return false end\n",
    witnesses: PORT,
  },
  {
    name: 'a-layout-changes-only-from-what-it-was-known-to-be',
    defence: 'Without it two processes with different numbers both believe that theirs was taken.',
    file: `${SCRIPTS}/record-partitions.lua`,
    take: "(ARGV[3] ~= '' and ARGV[3] ~= counts) or ",
    witnesses: PORT,
  },
  {
    name: 'a-wrong-layout-is-told-to-the-caller',
    defence: 'Without it a producer of another number goes on, and every call fails without saying why.',
    file: PRODUCER,
    take: '        if (error instanceof ConfigurationError) throw error;\n',
    witnesses: LAYOUT,
  },
  {
    name: 'the-layout-is-asked-for-anew-when-it-was-wrong',
    defence: 'Without it a producer that was refused once never says what is wrong, and never recovers.',
    file: PRODUCER,
    take: "    if (error instanceof BrokerError && error.reason === 'LAYOUT') this.ensured.delete(queue);\n",
    witnesses: LAYOUT,
  },
  {
    name: 'a-partition-runs-the-handlers-of-its-queue',
    defence: 'Without it no task of a queue with partitions finds its handler.',
    file: EXECUTOR,
    take: 'queue: partitions.queueOf(partition), worker',
    by: 'queue: partition, worker',
    witnesses: SPREAD,
  },
  {
    name: 'a-worker-reads-every-partition',
    defence: 'Without it tasks of all partitions but one are never run.',
    file: WORKER,
    take: 'registry.queues.flatMap((queue) => partitions.of(queue))',
    by: 'registry.queues.flatMap((queue) => partitions.of(queue).slice(0, 1))',
    witnesses: SPREAD,
  },
  {
    name: 'events-speak-of-queues',
    defence: 'Without it metrics and logs count queues that nobody has declared.',
    file: EVENTS,
    take: 'return queue === event.queue ? event : { ...event, queue };',
    by: 'return event;',
    witnesses: SPREAD,
  },
  {
    name: 'a-page-of-dead-letters-leaves-none-out',
    defence: 'Without it dead letters of two partitions with the same entry id are shown once.',
    file: INSPECTED,
    take: 'i <= Number(position) ? entryId : entryBefore(entryId)',
    by: 'entryId',
    witnesses: ['libs/core/src/inspector/parts.spec.ts'],
  },
];
