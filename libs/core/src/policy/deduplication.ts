import { createHash } from 'node:crypto';
import { FIRST_VERSION } from '../contract/payload-version.js';

/**
 * Name of a deduplication or idempotency key in Redis: its hash (SHA-256, first 132 bits), so that a key of any length
 * and content costs 23 bytes and keeps what it says, such as an e-mail address, out of key names.
 */
export function dedupeName(kind: 'idempotency' | 'unique', key: string): string {
  return (kind === 'idempotency' ? 'i' : 'u') + digest(key, 22);
}

/**
 * Fingerprint of a type and a payload: equal for equal data, whatever the order in which keys were written. The same
 * text in another version of the payload is other data: an amount in cents is none in euros.
 */
export function fingerprint(type: string, payload: unknown, version = FIRST_VERSION): string {
  const name = version === FIRST_VERSION ? type : `${type}@${version}`;
  return digest(`${name}\n${canonical(payload)}`, 16);
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, length);
}

/** JSON text with the keys of every object sorted. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
