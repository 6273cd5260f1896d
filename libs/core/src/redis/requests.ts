import type {
  EnqueueGroup,
  Lease,
  ReclaimRequest,
  SettleRequest,
  Settlement,
  StoredTask,
} from '../broker/broker.js';
import { LANES, type Lane } from '../contract/lane.js';
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
  ]);
  const args: (string | number)[] = [
    group.sequence,
    group.maxReady,
    RECORD_TTL_MS,
    group.after,
    group.tasks.length,
  ];
  for (const task of group.tasks) {
    const { key, field } = keys.index(task.id);
    const letter = LANE_LETTER[task.lane];
    const { due, idempotency, unique, ownId } = task;
    const complex = due !== undefined || idempotency !== undefined || unique !== undefined || ownId === true;
    // One text instead of five: every argument costs this process more than it costs Redis to take it apart.
    const mark = complex ? letter.toUpperCase() : letter;
    args.push(`${mark} ${list.position(key)} ${field} ${task.id} ${task.type}`, task.payload, task.meta);
    if (!complex) continue;
    args.push(due === undefined ? '' : 'at' in due ? `=${due.at}` : `+${due.afterMs}`);
    if (idempotency)
      args.push(list.position(keys.dedupe(idempotency.key)), idempotency.fingerprint, idempotency.windowMs);
    else args.push('', '', '');
    if (unique) args.push(list.position(keys.dedupe(unique.key)), unique.ttlMs);
    else args.push('', '');
    args.push(ownId ? '1' : '');
  }
  return { keys: list.keys, args };
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
  const countAt = args.push(0) - 1;
  // Removals first: they free memory, and after the first write Redis lets the others write even when it is full.
  const others = outcomes
    .map((outcome, position) => ({ outcome, position }))
    .filter(({ outcome }) => !isPlainRemoval(outcome))
    .toSorted((a, b) => Number(b.outcome.kind === 'remove') - Number(a.outcome.kind === 'remove'));
  for (const { outcome, position } of others) pushOther(args, list, keys, outcome, position);
  args[countAt] = others.length;
  return { keys: list.keys, args, done };
}

/** Most tasks just end: they need no more than their place, so they travel without the rest. */
function isPlainRemoval(outcome: Settlement): outcome is Settlement & { kind: 'remove' } {
  return outcome.kind === 'remove' && outcome.uniqueKey === undefined;
}

function pushDone(
  args: (string | number)[],
  list: KeyList,
  keys: QueueKeys,
  outcomes: readonly Settlement[],
  lane: Lane,
  done: number[],
): void {
  let low = '';
  let high = '';
  let settled = 0;
  const headAt = args.push('', '', 0, 0) - 4;
  const before = done.length;
  for (let position = 0; position < outcomes.length; position += 1) {
    const outcome = outcomes[position]!;
    const { lease } = outcome;
    if (lease.lane !== lane) continue;
    settled += 1;
    if (low === '' || entryBefore(lease.entryId, low)) low = lease.entryId;
    if (high === '' || entryBefore(high, lease.entryId)) high = lease.entryId;
    if (!isPlainRemoval(outcome)) continue;
    const { key, field } = keys.index(outcome.id);
    args.push(`${lease.entryId} ${lease.delivery} ${list.position(key)} ${field}`);
    done.push(position);
  }
  args[headAt] = low;
  args[headAt + 1] = high;
  args[headAt + 2] = settled;
  args[headAt + 3] = done.length - before;
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

/** Whether stream id `a` comes before `b`: two numbers joined by a dash, so the shorter number is the smaller. */
export function entryBefore(a: string, b: string): boolean {
  const dash = a.indexOf('-');
  if (dash !== b.indexOf('-')) return dash < b.indexOf('-');
  if (a.length === b.length) return a < b;
  const [aMs, bMs] = [a.slice(0, dash), b.slice(0, dash)];
  return aMs === bMs ? a.length < b.length : aMs < bMs;
}
