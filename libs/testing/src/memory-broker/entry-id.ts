import { BrokerError } from '@taskq/core';

/** What the id of a stream entry says, `<ms>-<seq>`: when it was added, and its number within that millisecond. */
export interface EntryKey {
  readonly ms: number;
  readonly seq: number;
}

/** Before every entry. */
export const BEFORE_ALL: EntryKey = { ms: 0, seq: 0 };

/** Order of entries. */
export function compareKeys(a: EntryKey, b: EntryKey): number {
  return a.ms - b.ms || a.seq - b.seq;
}

export function entryId({ ms, seq }: EntryKey): string {
  return `${ms}-${seq}`;
}

/** @throws BrokerError `ERR` the text is no entry id, as Redis says it */
export function parseEntryId(text: string): EntryKey {
  const parts = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (!parts)
    throw new BrokerError(
      'ERR',
      'Redis answered: ERR Invalid stream ID specified as stream command argument',
    );
  return { ms: Number(parts[1]), seq: Number(parts[2] ?? 0) };
}
