import type { Removal } from '../removal.js';

const PRODUCER = 'libs/core/src/producer';
const CHANNEL = `${PRODUCER}/enqueue-channel.ts`;
const COMMITTER = `${PRODUCER}/enqueue-committer.ts`;
const COMMITTERS = `${PRODUCER}/committers.ts`;
const ACCEPTED = `${PRODUCER}/accepted-tasks.ts`;
const UNRESOLVED = `${PRODUCER}/unresolved-tasks.ts`;
const REOFFER = `${PRODUCER}/reoffer.ts`;
const PREPARATION = 'libs/core/src/producer/preparation.ts';
const TASK_PRODUCER = `${PRODUCER}/task-producer.ts`;

const DOUBT = [`${PRODUCER}/unresolved-tasks.spec.ts`];
const KEPT = [`${PRODUCER}/accepted-tasks.spec.ts`];
const OFFERED = [`${PRODUCER}/reoffer.spec.ts`];
const SILENCE = ['test/integration/lost-reply.spec.ts'];
const LOSS = ['test/integration/data-loss.spec.ts'];
const REMEMBERED = ['test/producer/memory-of-redis.spec.ts'];
const REFUSED = ['test/producer/refused-after-loss.spec.ts'];
const ENQUEUE = ['test/integration/enqueue.spec.ts'];

/** Defences of a call of `enqueue`, from the payload to the answer, and of what Redis loses after that. */
export const producerRemovals: readonly Removal[] = [
  {
    name: 'a-group-is-repeated-under-its-sequence',
    defence: 'Without it every lost reply makes a second task.',
    file: CHANNEL,
    take: '() => broker.enqueue(group),',
    by: '() => broker.enqueue({ ...group, sequence: this.sequence++ }),',
    witnesses: SILENCE,
    only: 'never makes a second task',
  },
  {
    name: 'an-unknown-outcome-is-called-so',
    defence: 'Without it a caller is told that nothing was written though the task may be there.',
    file: CHANNEL,
    take: 'throw maybeApplied && error instanceof BrokerError ? new UnknownOutcome(error) : error;',
    by: 'throw error;',
    witnesses: DOUBT,
  },
  {
    name: 'a-group-in-doubt-is-asked-about-before-the-next',
    defence: 'Without it the next group takes the place of the record that says what became of the last.',
    file: CHANNEL,
    take: '      if (this.unresolved) await this.resolveLast(this.unresolved, time);\n',
    witnesses: DOUBT,
  },
  {
    name: 'an-answer-comes-in-time',
    defence: 'Without it a call waits for a Redis that hangs for as long as that hangs.',
    file: CHANNEL,
    take: 'await within(clock, deadline - clock.monotonicMs(), ask())',
    by: 'await ask()',
    witnesses: SILENCE,
    only: 'within producer.timeout',
  },
  {
    name: 'a-record-that-has-expired-is-no-loss',
    defence: 'Without it a producer that was idle for a while calls it a loss, and offers old tasks again.',
    file: CHANNEL,
    take: 'const after = this.remembered ? this.answered : 0;',
    by: 'const after = this.answered;',
    witnesses: REMEMBERED,
  },
  {
    name: 'what-is-gone-is-told-before-what-is-new-is-kept',
    defence: 'Without it the group that finds out about a loss pushes out what was lost.',
    file: CHANNEL,
    take: '    // First what is gone',
    by: '    this.parts.answered(this.name, this.sequence, tasks, reply);\n    // First what is gone',
    witnesses: [...LOSS, ...KEPT],
  },
  {
    name: 'what-cannot-be-found-out-any-more-is-not-denied',
    defence: 'Without it a task in doubt for longer than Redis remembers it is written again.',
    file: CHANNEL,
    take: "(this.mayKnow(sentAt) ? notThere : 'forgotten')",
    by: 'notThere',
    witnesses: DOUBT,
  },
  {
    name: 'nothing-is-repeated-that-may-be-forgotten',
    defence: 'Without it a machine that slept repeats a group that Redis has applied and forgotten.',
    file: CHANNEL,
    take: ' || !this.mayKnow(begun)',
    witnesses: REMEMBERED,
  },
  {
    name: 'an-id-in-doubt-is-not-enqueued-before-it-is-known',
    defence: 'Without it a task whose first copy is completed by now is made once more.',
    file: COMMITTER,
    take: 'if (ownId && this.parts.unresolved.has(id)) void this.addAgain(pending);\n    else ',
    witnesses: DOUBT,
  },
  {
    name: 'whoever-waits-for-an-id-in-doubt-has-it-asked-about',
    defence: 'Without it the second call waits until somebody else enqueues, and times out.',
    file: COMMITTER,
    take: '    resolveAll();\n',
    witnesses: DOUBT,
  },
  {
    name: 'only-what-was-accepted-is-kept',
    defence:
      'Without it a task that a full queue had refused is offered after a loss, behind its caller’s back.',
    file: COMMITTER,
    take: "return tasks.filter((_, position) => answers[position]?.status === 'accepted');",
    by: 'return tasks;',
    witnesses: REMEMBERED,
  },
  {
    name: 'a-duplicate-of-what-was-accepted-is-as-safe-as-asked',
    defence: 'Without it a call that asks for a disk is answered by a first copy that asked for none.',
    file: COMMITTER,
    take: 'accepted ? await Promise.race([this.doubtOfDurability(id), late.then(unknown)]) : unknown()',
    by: 'accepted ? undefined : unknown()',
    witnesses: ['test/integration/durability.spec.ts', ...DOUBT],
  },
  {
    name: 'each-durability-has-its-own-groups',
    defence:
      'Without it a call that asks for a disk travels with those that do not, and is answered as they are.',
    file: COMMITTERS,
    take: "durability === 'accepted' ? queue : `${queue} ${durabilityName(durability)}`",
    by: 'queue',
    witnesses: ['test/integration/durability.spec.ts', 'test/integration/wait-aof.spec.ts'],
  },
  {
    name: 'a-producer-asks-when-the-link-is-back',
    defence: 'Without it a loss is found when somebody enqueues again, which may be never.',
    file: COMMITTERS,
    take: '    for (const committer of this.committers.values()) committer.probe(awayMs);\n',
    witnesses: LOSS,
    only: 'comes back with nothing',
  },
  {
    name: 'what-was-accepted-once-finds-room',
    defence: 'Without it a queue that is full again refuses what it had accepted before the loss.',
    file: COMMITTERS,
    take: 'this.create(key, queue, durability, 0, AGAIN)',
    by: 'this.create(key, queue, durability, this.parts.partitions.optionsOf(queue).maxReady, AGAIN)',
    witnesses: LOSS,
    only: 'goes on being full',
  },
  {
    name: 'closing-waits-for-what-is-offered-again',
    defence: 'Without it an application that ends after a loss leaves the loss as it is.',
    file: COMMITTERS,
    take: '    await Promise.all(this.offering);\n',
    witnesses: REMEMBERED,
  },
  {
    name: 'time-stands-still-while-redis-is-away',
    defence: 'Without it an outage longer than the window makes a producer forget what Redis may have lost.',
    file: ACCEPTED,
    take: '    this.awayMs += awayMs;\n',
    witnesses: KEPT,
  },
  {
    name: 'nothing-is-too-old-before-it-was-asked-about',
    defence: 'Without it a busy channel makes another forget its tasks before that has found them gone.',
    file: ACCEPTED,
    take: 'this.unasked.has(channel) ? this.backAt : this.clock',
    by: 'this.clock',
    witnesses: KEPT,
  },
  {
    name: 'what-is-kept-is-bounded-by-bytes',
    defence: 'Without it a busy producer holds all that it enqueued in its window in memory.',
    file: ACCEPTED,
    take: ' && this.size <= this.maxBytes',
    witnesses: KEPT,
  },
  {
    name: 'what-is-kept-is-bounded-by-time',
    defence: 'Without it tasks that are long done run again after a loss.',
    file: ACCEPTED,
    take: '      .filter((group) => !this.tooOld(group));\n',
    by: ';\n',
    witnesses: KEPT,
  },
  {
    name: 'an-id-is-accepted-when-one-of-its-tasks-was',
    defence:
      'Without it a task that was accepted beside one with the same id that was not is enqueued again.',
    file: UNRESOLVED,
    take: 'if (other === undefined || !stands(other)) ids.set(id, answer);',
    by: 'if (other === undefined) ids.set(id, answer);',
    witnesses: DOUBT,
  },
  {
    name: 'an-id-is-in-doubt-until-every-group-with-it-is-known',
    defence: 'Without it a task is enqueued again while it may have been accepted in another group.',
    file: UNRESOLVED,
    take: 'accepted || doubt.groups === 0 ? doubt.waiting.splice(0) : []',
    by: 'doubt.waiting.splice(0)',
    witnesses: DOUBT,
  },
  {
    name: 'what-is-remembered-of-ids-is-bounded',
    defence: 'Without it every outage leaves ids behind in a process that lives for months.',
    file: UNRESOLVED,
    take: 'if (this.known.size <= MOST_KNOWN) break;',
    by: 'break;',
    witnesses: DOUBT,
  },
  {
    name: 'a-task-is-offered-again-under-its-own-id',
    defence: 'Without it what Redis had kept after all is written twice.',
    file: REOFFER,
    take: ', ownId: true };',
    by: ' };',
    witnesses: OFFERED,
  },
  {
    name: 'a-task-that-is-offered-again-has-greater-fences',
    defence: 'Without it the second life of a task has the fences of its first.',
    file: REOFFER,
    take: 'Math.max(known, Math.min(known + STARTS_FORGOTTEN.each, STARTS_FORGOTTEN.most))',
    by: 'known',
    witnesses: OFFERED,
  },
  {
    name: 'what-was-deleted-stays-deleted',
    defence: 'Without it a producer undoes what somebody has deleted on purpose.',
    file: REOFFER,
    take: 'if (deleted || lost.tasks.length === 0) {',
    by: 'if (lost.tasks.length === 0) {',
    witnesses: OFFERED,
  },
  {
    name: 'a-delay-counts-from-the-first-time',
    defence: 'Without it a task that was offered again is late by what had passed of its delay.',
    file: REOFFER,
    take: 'due.afterMs - elapsedMs',
    by: 'due.afterMs',
    witnesses: OFFERED,
  },
  {
    name: 'a-queue-is-made-before-tasks-are-offered-again',
    defence: 'Without it they are written to streams without a group.',
    file: REOFFER,
    take: '    if (!(await this.isMade(queue))) {',
    by: '    if (this.parts.closing.aborted) {',
    witnesses: OFFERED,
  },
  {
    name: 'a-queue-is-made-however-often-that-fails',
    defence: 'Without it a task that was started in other data is started again under a lesser fence.',
    file: REOFFER,
    take: '      if (closing.aborted) return false;\n',
    by: '      return true;\n',
    witnesses: OFFERED,
  },
  {
    name: 'no-two-producers-have-one-name',
    defence:
      'Without it the first group of one is answered with what became of the other’s, and is never written.',
    file: TASK_PRODUCER,
    take: "(parts.randomBytes ?? randomBytes)(9).toString('base64url')",
    by: "'A'.repeat(12)",
    witnesses: ['test/integration/deduplication.spec.ts'],
  },
  {
    name: 'a-payload-is-held-against-its-schema-at-the-call',
    defence: 'Without it a wrong payload is found by a worker, when the caller is long gone.',
    file: PREPARATION,
    take: 'if (!parsed.ok) throw new InvalidPayloadError(type, parsed.issues);',
    witnesses: ENQUEUE,
  },
  {
    name: 'a-schema-that-answers-later-is-waited-for',
    defence: 'Without it a payload is written before anybody knows whether it is valid.',
    file: TASK_PRODUCER,
    take: 'checked instanceof Promise ? checked.then(() => this.ensure(queue)) : this.ensure(queue);',
    by: 'this.ensure(queue);',
    witnesses: REMEMBERED,
  },
  {
    name: 'a-task-type-is-a-name',
    defence: 'Without it a type with a newline breaks the text in which a waiting task is stored.',
    file: PREPARATION,
    take: '    if (!isName(type)) {\n',
    by: '    if (false) {\n',
    witnesses: ENQUEUE,
  },
  {
    name: 'a-version-travels-with-its-task',
    defence:
      'Without it every payload counts as one of the first version, and is misread or upgraded once more.',
    file: `${PRODUCER}/new-task.ts`,
    take: '...(version !== FIRST_VERSION && { version }), ',
    witnesses: [`${PRODUCER}/new-task.spec.ts`],
  },
  {
    name: 'a-call-has-the-version-of-its-contract',
    defence: 'Without it a call says one version in silence, and the contract’s is written.',
    file: PREPARATION,
    take: "    if (options?.version !== undefined) throw belongsToContract(contract, 'version');\n",
    witnesses: ['test/integration/versions.spec.ts'],
    only: 'what the contract says',
  },
  {
    name: 'a-closed-producer-refuses',
    defence: 'Without it a call after the end waits for a connection that never comes back.',
    file: TASK_PRODUCER,
    take: "    if (this.closed) throw new LifecycleError('the producer is closed');\n",
    witnesses: ENQUEUE,
  },
  {
    name: 'closing-waits-for-what-is-under-way',
    defence: 'Without it the connection is closed under calls that were made before.',
    file: TASK_PRODUCER,
    take: '    if (this.underWay > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));\n',
    witnesses: ENQUEUE,
  },
  {
    name: 'waiting-for-room-ends',
    defence: 'Without it callers of a queue that stays full wait for ever, and pile up.',
    file: TASK_PRODUCER,
    take: '      if (left <= 0) throw full();\n',
    witnesses: ['test/integration/backpressure.spec.ts'],
  },
  {
    name: 'what-may-have-run-is-not-refused',
    defence: 'Without it a task that ran before Redis lost it is told to have never been written.',
    file: TASK_PRODUCER,
    take: 'if (error instanceof EnqueueOutcomeUnknownError || !this.committers.mayHaveRun(partition, id))\n      return error;\n    return new EnqueueOutcomeUnknownError(id, queue, error);',
    by: 'return error;',
    witnesses: REFUSED,
  },
  {
    name: 'another-server-may-not-have-what-the-last-was-sent',
    defence: 'Without it a replica that was behind says of what never reached it that it was never written.',
    file: COMMITTERS,
    take: '      if (elsewhere) for (const committer of this.committers.values()) committer.otherData();\n',
    witnesses: REFUSED,
    only: 'is gone since',
  },
  {
    name: 'a-repeat-that-is-refused-by-other-data-proves-nothing',
    defence:
      'Without it the replica that was behind is believed when it refuses what the primary had taken in.',
    file: CHANNEL,
    take: "      if (repeated && line !== this.line) this.parts.resolved(refusedOf(tasks, reply), 'gone');\n",
    witnesses: REFUSED,
    only: 'within a call',
  },
  {
    name: 'what-was-known-and-is-lost-may-have-run',
    defence:
      'Without it a task that was known to be accepted, and is lost, is refused like one that never was.',
    file: UNRESOLVED,
    take: "this.known.set(id, 'gone');",
    by: 'this.known.delete(id);',
    witnesses: DOUBT,
  },
  {
    name: 'what-is-accepted-again-is-in-no-doubt',
    defence: 'Without it whoever enqueues the id anew is told for ever that nobody knows.',
    file: TASK_PRODUCER,
    take: '    if (task.ownId) this.committers.accepted(partition, task.id);\n',
    witnesses: REFUSED,
    only: 'like any other',
  },
];
