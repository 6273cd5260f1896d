import type {
  EnqueueGroup,
  Lease,
  NewTask,
  ReclaimRequest,
  SettleRequest,
  Settlement,
  StoredTask,
} from '../broker/broker.js';
import { isPlainTask } from '../broker/plain-task.js';
import { LANES, type Lane } from '../contract/lane.js';
import { isOwnId } from '../contract/task-id.js';
import { KeyList, LANE_LETTER, LANE_NUMBER, type QueueKeys } from './keys.js';

/** Keys and arguments of one script call. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/**
 * How long Redis remembers the last group of a producer's channel: far longer than a producer goes on repeating one
 * (`producer.timeout` is at most 5 minutes).
 */
export const RECORD_TTL_MS = 15 * 60_000;

/** Call of the `enqueue` script; its header says what stands where. */
export function enqueueCall(keys: QueueKeys, group: EnqueueGroup): ScriptCall {
  const list = new KeyList([
    ...keys.laneList,
    keys.scheduled,
    keys.scheduledData,
    keys.wake,
    keys.producer(group.channel),
    keys.dead,
    keys.control,
  ]);
  const { tasks, partitions = 1 } = group;
  const args: (string | number)[] = [
    group.sequence,
    group.maxReady,
    RECORD_TTL_MS,
    group.after,
    partitions,
    tasks.length,
  ];
  for (let i = 0; i < tasks.length;) {
    const end = endOfRun(tasks, i);
    if (end > i) pushRun(args, list, keys, tasks, i, end);
    else pushTask(args, list, keys, tasks[i]!);
    i = Math.max(end, i + 1);
  }
  return { keys: list.keys, args };
}

/** Where the run ends that begins here: plain tasks of one lane that are neighbours in the index. */
function endOfRun(tasks: readonly NewTask[], from: number): number {
  const { id, lane } = tasks[from]!;
  const begin = id.slice(0, -1);
  let end = from;
  for (; end < tasks.length; end += 1) {
    const task = tasks[end]!;
    if (task.lane !== lane || !isOwnId(task.id) || !isPlainTask(task)) break;
    if (end > from && (task.id.length !== id.length || !task.id.startsWith(begin))) break;
  }
  return end;
}

/** One text for all of them: every argument costs this process more than it costs Redis to take a text apart. */
function pushRun(
  args: (string | number)[],
  list: KeyList,
  keys: QueueKeys,
  tasks: readonly NewTask[],
  from: number,
  to: number,
): void {
  const { id, lane } = tasks[from]!;
  const texts: string[] = [];
  for (let i = from; i < to; i += 1) {
    const task = tasks[i]!;
    texts.push(task.id.slice(-1), task.type, task.payload, task.meta);
  }
  texts.push('');
  const head = `${LANE_LETTER[lane]} ${list.position(keys.index(id).key)} ${to - from} ${id.slice(0, -1)}`;
  args.push(head, texts.join('\n'));
}

function pushTask(args: (string | number)[], list: KeyList, keys: QueueKeys, task: NewTask): void {
  const { id, type, lane, due, idempotency, unique, ownId } = task;
  const { key, field } = keys.index(id);
  args.push(`${LANE_LETTER[lane].toUpperCase()} ${list.position(key)} ${field} ${id} ${type}`);
  args.push(task.payload, task.meta);
  args.push(due === undefined ? '' : 'at' in due ? `=${due.at}` : `+${due.afterMs}`);
  if (idempotency)
    args.push(list.position(keys.dedupe(idempotency.key)), idempotency.fingerprint, idempotency.windowMs);
  else args.push('', '', '');
  if (unique) args.push(list.position(keys.dedupe(unique.key)), unique.ttlMs);
  else args.push('', '');
  args.push(ownId ? '1' : '');
}

/** Call of the `settle` script; its header says what stands where. `done`: outcomes that are plain removals, in order. */
export function settleCall(
  keys: QueueKeys,
  request: SettleRequest,
): ScriptCall & { readonly done: readonly number[] } {
  const { want, outcomes } = request;
  const { laneList, dead, scheduled, scheduledData, wake, control } = keys;
  const list = new KeyList([...laneList, dead, scheduled, scheduledData, wake, control]);
  const args: (string | number)[] = [
    request.consumer,
    request.leaseMs,
    want.total,
    want.high,
    want.normal,
    want.low,
  ];
  const done: number[] = [];
  for (const lane of LANES) pushDone(args, list, keys, outcomes, lane, done);
  // Removals first: they free memory, and after the first write Redis lets the others write even when it is full.
  const others =
    done.length === outcomes.length
      ? []
      : outcomes
          .map((outcome, position) => ({ outcome, position }))
          .filter(({ outcome }) => !isPlainRemoval(outcome))
          .toSorted((a, b) => weight(a.outcome) - weight(b.outcome));
  args.push(others.length);
  for (const { outcome, position } of others) pushOther(args, list, keys, outcome, position);
  return { keys: list.keys, args, done };
}

/** What goes first among outcomes that travel by themselves. */
function weight(outcome: Settlement): number {
  if (outcome.kind !== 'remove') return 2;
  return outcome.uniqueKey === undefined ? 0 : 1;
}

/**
 * Most tasks just end, and need no more than their place: all of them whose place in the index is the one that they were
 * given when they were enqueued, or that never had one.
 */
function isPlainRemoval(outcome: Settlement): outcome is Settlement & { kind: 'remove' } {
  if (outcome.kind !== 'remove' || outcome.uniqueKey !== undefined) return false;
  return isOwnId(outcome.id) || isUnlisted(outcome);
}

/** Whoever wrote the entry gave it no id, and nobody has written it anew since: the index does not know it. */
function isUnlisted({ id, lease }: Settlement & { kind: 'remove' }): boolean {
  return id === lease.entryId;
}

/** Entries that are done in one lane, as Redis sorts them, and the index buckets of their tasks in the same order. */
function pushDone(
  args: (string | number)[],
  list: KeyList,
  keys: QueueKeys,
  outcomes: readonly Settlement[],
  lane: Lane,
  done: number[],
): void {
  const first = done.length;
  let low = '';
  let high = '';
  let settled = 0;
  let sorted = true;
  for (let position = 0; position < outcomes.length; position += 1) {
    const outcome = outcomes[position]!;
    const { entryId } = outcome.lease;
    if (outcome.lease.lane !== lane) continue;
    settled += 1;
    if (settled === 1) low = high = entryId;
    else if (entryBefore(high, entryId)) high = entryId;
    else {
      sorted = false;
      if (entryBefore(entryId, low)) low = entryId;
    }
    if (isPlainRemoval(outcome)) done.push(position);
  }
  args.push(settled);
  if (settled === 0) return;
  const plain = done.splice(first);
  if (!sorted) plain.sort((a, b) => compareEntries(outcomes[a]!.lease.entryId, outcomes[b]!.lease.entryId));
  done.push(...plain);
  args.push(low, high, plain.length);
  if (plain.length === 0) return;
  const removals = plain.map((position) => outcomes[position] as Settlement & { kind: 'remove' });
  args.push(deliveriesOf(removals), bucketsOf(list, keys, removals));
  for (const { lease } of removals) args.push(lease.entryId);
}

/** The delivery of each, or nothing when it was the first of all of them, as nearly always. */
function deliveriesOf(removals: readonly Settlement[]): string {
  if (removals.every(({ lease }) => lease.delivery === 1)) return '';
  return removals.map(({ lease }) => lease.delivery).join(' ');
}

/** Bucket and how many in a row: neighbours were enqueued together, and most are done together. 0: not in the index. */
function bucketsOf(
  list: KeyList,
  keys: QueueKeys,
  removals: readonly (Settlement & { kind: 'remove' })[],
): string {
  const texts: (string | number)[] = [];
  let begin: string | undefined;
  let count = 0;
  for (const removal of removals) {
    const { id } = removal;
    const bucket = isUnlisted(removal) ? '' : id.slice(0, -1);
    if (bucket === begin) count += 1;
    else {
      if (count > 0) texts.push(count);
      texts.push(bucket === '' ? 0 : list.position(keys.index(id).key));
      begin = bucket;
      count = 1;
    }
  }
  texts.push(count);
  return texts.join(' ');
}

function pushOther(
  args: (string | number)[],
  list: KeyList,
  keys: QueueKeys,
  outcome: Settlement,
  position: number,
): void {
  const { lease } = outcome;
  const at = indexOf(list, keys, outcome);
  const details = detailsOf(list, keys, outcome);
  const op = outcome.kind === 'dead-letter' ? 'dead' : outcome.kind;
  args.push(op, position, LANE_NUMBER[lease.lane], lease.entryId, lease.delivery, at.position, at.field);
  args.push(details.length, ...details);
}

function detailsOf(list: KeyList, keys: QueueKeys, outcome: Settlement): (string | number)[] {
  const place = (key: string | undefined): string =>
    key === undefined ? '' : list.position(keys.dedupe(key));
  switch (outcome.kind) {
    case 'remove':
      return [place(outcome.uniqueKey), outcome.id];
    case 'schedule':
      return [
        outcome.id,
        outcome.delayMs,
        storedText(outcome.task),
        place(outcome.unique?.key),
        outcome.unique?.ttlMs ?? 0,
      ];
    case 'dead-letter':
      return [place(outcome.uniqueKey), outcome.id, ...letterFields(outcome)];
    case 'release':
      return [outcome.started ? '1' : '0'];
  }
}

/** A released task stays where it is, so it names no place; position 1 is never read then. */
function indexOf(list: KeyList, keys: QueueKeys, outcome: Settlement): { position: string; field: string } {
  if (outcome.kind === 'release') return { position: '1', field: '' };
  const { key, field } = keys.index(outcome.id);
  return { position: list.position(key), field };
}

function letterFields(outcome: Settlement & { kind: 'dead-letter' }): string[] {
  const { task } = outcome;
  const fields = [
    'id',
    outcome.id,
    'type',
    task.type,
    'payload',
    task.payload,
    'attempt',
    String(task.attempt),
  ];
  fields.push('enqueuedAt', task.enqueuedAt === undefined ? '' : String(task.enqueuedAt), 'meta', task.meta);
  fields.push(
    'reason',
    outcome.reason,
    'detail',
    outcome.detail,
    'lane',
    LANE_LETTER[outcome.lease.lane],
    'replayMeta',
    outcome.replayMeta,
  );
  if (outcome.raw !== undefined) fields.push('raw', outcome.raw);
  return fields;
}

/** A waiting task without its lane, which the script puts in front; see `scheduledTask` for the whole. */
function storedText(task: StoredTask): string {
  return `${task.attempt}\n${task.enqueuedAt ?? ''}\n${task.type}\n${task.meta}\n${task.payload}`;
}

/** Call of the `reclaim` script; its header says what stands where. */
export function reclaimCall({ laneList, control, wake }: QueueKeys, request: ReclaimRequest): ScriptCall {
  const { strays, cursor, notAfter } = request;
  const args = [
    request.consumer,
    request.leaseMs,
    request.limit,
    request.suspects ? 1 : 0,
    strays ? 'strays' : request.releasedOnly ? 'released' : 'sweep',
    request.everyMs,
    notAfter === undefined ? '' : Math.ceil(notAfter),
    cursor ? LANE_NUMBER[cursor.lane] : 1,
    cursor?.consumer ?? '',
    cursor?.after ?? '',
    request.wakeEntryId ?? '',
    ...(strays ?? []).flatMap(({ lane, entryId }) => [LANE_NUMBER[lane], entryId]),
  ];
  return { keys: [...laneList, control, wake], args };
}

/** Arguments that name leases for the `extend` script. */
export function leaseArgs(leases: readonly Lease[]): (string | number)[] {
  return leases.flatMap((lease) => [LANE_NUMBER[lease.lane], lease.entryId, lease.delivery]);
}

/** How Redis sorts stream ids. */
function compareEntries(a: string, b: string): number {
  return a === b ? 0 : entryBefore(a, b) ? -1 : 1;
}

/** Whether stream id `a` comes before `b`: two numbers joined by a dash, so the shorter number is the smaller. */
export function entryBefore(a: string, b: string): boolean {
  const dash = a.indexOf('-');
  if (dash !== b.indexOf('-')) return dash < b.indexOf('-');
  if (a.length === b.length) return a < b;
  const [aMs, bMs] = [a.slice(0, dash), b.slice(0, dash)];
  return aMs === bMs ? a.length < b.length : aMs < bMs;
}
