import type { ParsedPayload, PayloadParser } from '../contract/payload-schema.js';
import { errorRecord } from '../policy/outcome.js';
import { isThenable } from '../runtime/thenable.js';

/** Parses a payload of an older version, `from`. */
export type OlderPayloadParser = (value: unknown, from: number) => ParsedPayload | Promise<ParsedPayload>;

/** The parser that upgrades a payload first. An upgrade that fails is a payload that does not fit. */
export function upgrading(
  upgrade: (payload: unknown, from: number) => unknown,
  parse: PayloadParser,
): OlderPayloadParser {
  return (value, from) => {
    let upgraded: unknown;
    try {
      upgraded = upgrade(value, from);
    } catch (error) {
      return refusal(from, error);
    }
    if (!isThenable(upgraded)) return parse(upgraded);
    // What the schema throws is not the upgrade's fault: it stays a failure that may pass.
    return Promise.resolve(upgraded).then(parse, (error: unknown) => refusal(from, error));
  };
}

function refusal(from: number, cause: unknown): ParsedPayload {
  const { message } = errorRecord(cause);
  return {
    ok: false,
    issues: [{ path: '', message: `cannot be upgraded from version ${from}: ${message}` }],
    cause,
  };
}
