import type { Applied, EventFact, Fact } from '../facts.js';

/** How often something came about, by name. */
export type Counts = Record<string, number>;

/** What must come about now and then, or the simulation looks at too little. */
export const EXPECTED: readonly string[] = [
  ...[
    'crash',
    'freeze',
    'thaw',
    'terminate',
    'stopped',
    'link lost',
    'outage',
    'mark',
    'failover',
    'restart',
  ].map((blow) => `fault: ${blow}`),
  ...['group dropped', 'flush', 'time step', 'foreign entry', 'reconnected', 'boot'].map(
    (blow) => `fault: ${blow}`,
  ),
  ...['request lost', 'reply lost', 'late', 'twice'].map((fate) => `network: ${fate}`),
  ...['accepted', 'duplicate', 'conflict', 'QueueFullError', 'EnqueueOutcomeUnknownError', 'BrokerError'].map(
    (answer) => `told: ${answer}`,
  ),
  'told: DurabilityUnavailableError',
  ...['applied once more', 'lost groups', 'too late', 'offered again'].map((what) => `enqueue: ${what}`),
  ...['applied', 'not applied'].map((what) => `resolve: ${what}`),
  ...['remove', 'schedule', 'dead-letter', 'release started', 'release unstarted', 'refused'].map(
    (what) => `settle: ${what}`,
  ),
  ...['expired', 'released', 'suspect', 'no room'].map((what) => `reclaim: ${what}`),
  'extend: lost',
  'promote: moved',
  'shelf: dead letter deleted',
  'shelf: consumer removed',
  ...[
    'completed',
    'retrying',
    'snoozed',
    'discarded',
    'unhandled',
    'released',
    'reclaimed',
    'stuck',
    'unproven',
    'malformed',
  ].map((event) => `event: task.${event}`),
  ...['outcome', 'lease'].map((what) => `event: task.stale ${what}`),
  ...[
    'attempts-exhausted',
    'non-retryable',
    'invalid-payload',
    'malformed',
    'no-handler',
    'crash-loop',
    'handler',
  ].map((reason) => `dead: ${reason}`),
  'event: queue.recreated',
  ...['rolled-back', 'replaced', 'deleted'].map((how) => `event: data.lost ${how}`),
  'event: data.reoffered',
  ...[
    'complete',
    'throw',
    'give up',
    'snooze',
    'discard',
    'bury',
    'obey',
    'finish late',
    'ignore',
    'block',
  ].map((how) => `handler: ${how}`),
];

/** Counts which faults and which branches of the engine a run came to. */
export class Coverage {
  readonly counts: Counts = {};

  readonly watch = (fact: Fact): void => {
    switch (fact.kind) {
      case 'blow':
        return this.count(`fault: ${fact.blow}`);
      case 'journey':
        return this.count(`network: ${fact.fate}`);
      case 'told':
        return this.count(`told: ${fact.answer instanceof Error ? fact.answer.name : fact.answer.status}`);
      case 'ended':
        return this.count(`handler: ${fact.how}`);
      case 'event':
        return this.event(fact);
      case 'applied':
        return this.applied(fact.call, fact.late);
      default:
    }
  };

  private event({ name, event }: EventFact): void {
    const { reason, what, how } = event as { reason?: string; what?: string; how?: string };
    if (name === 'task.dead') this.count(`dead: ${reason}`);
    else if (name === 'task.stale') this.count(`event: task.stale ${what}`);
    else if (name === 'task.malformed') this.count('dead: malformed');
    else if (name === 'data.lost' || name === 'data.lost.more') this.count(`event: data.lost ${how}`);
    if (name !== 'task.stale') this.count(`event: ${name}`);
  }

  private applied(call: Applied, late: boolean): void {
    if (call.error !== undefined) {
      if (call.verb === 'enqueue' && (call.error as { reason?: string }).reason === 'LATE')
        this.count('enqueue: too late');
      return;
    }
    switch (call.verb) {
      case 'enqueue':
        if (late) this.count('enqueue: applied once more');
        if (call.answer.lostAfter !== undefined) this.count('enqueue: lost groups');
        if (call.request[0].channel.includes('-again-')) this.count('enqueue: offered again');
        break;
      case 'resolveGroup':
        this.count(`resolve: ${call.answer ? 'applied' : 'not applied'}`);
        break;
      case 'settle':
        this.settled(call);
        break;
      case 'reclaim':
        if (call.answer.left > 0) this.count('reclaim: no room');
        for (const { from, delivery } of call.answer.deliveries) {
          this.count(`reclaim: ${from === 'released' ? 'released' : 'expired'}`);
          if (delivery % 1000 > 2) this.count('reclaim: suspect');
        }
        break;
      case 'extend':
        if (call.answer.length > 0) this.count('extend: lost');
        break;
      case 'promote':
        if (call.answer.promoted > 0) this.count('promote: moved');
        break;
      case 'deleteDeadLetters':
        this.count('shelf: dead letter deleted');
        break;
      case 'removeConsumer':
        this.count(call.answer ? 'shelf: consumer removed' : 'shelf: consumer kept');
        break;
      default:
    }
  }

  private settled({ request: [{ outcomes }], answer }: Applied & { verb: 'settle' }): void {
    for (const [i, outcome] of outcomes.entries()) {
      const { kind } = outcome;
      const refused = answer?.stale.includes(i);
      const what = kind === 'release' ? `release ${outcome.started ? 'started' : 'unstarted'}` : kind;
      this.count(`settle: ${refused ? 'refused' : what}`);
    }
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** Adds what one part of the seeds came to. */
export function addUp(sum: Counts, part: Counts): void {
  for (const [what, count] of Object.entries(part)) sum[what] = (sum[what] ?? 0) + count;
}

/** A line for each, the ones that never came about first. */
export function coverageTable(counts: Counts): string {
  const names = [...new Set([...EXPECTED, ...Object.keys(counts)])];
  return names
    .toSorted((a, b) => Number((counts[a] ?? 0) > 0) - Number((counts[b] ?? 0) > 0) || (a < b ? -1 : 1))
    .map((name) => `${String(counts[name] ?? 0).padStart(10)}  ${name}`)
    .join('\n');
}

/** What was expected and never came about. */
export function missing(counts: Counts): readonly string[] {
  return EXPECTED.filter((name) => !counts[name]);
}
