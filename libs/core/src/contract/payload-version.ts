/** The bounds of a payload's version: a whole number. */
export const VERSIONS = { min: 1, max: 1000 };

/** What a version must be, for messages. */
export const VERSION_RULE = `a whole number of ${VERSIONS.min} to ${VERSIONS.max}`;

/** The version of whatever says nothing of it. It is never written. */
export const FIRST_VERSION = 1;

/** Whether `value` may be the version of a payload. */
export function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= VERSIONS.min && (value as number) <= VERSIONS.max;
}

/** What is wrong with an upgrade that would never be called: nothing is older than the first version. */
export function idleUpgrade(options: { version?: number; upgrade?: unknown }): string | undefined {
  const { version = FIRST_VERSION, upgrade } = options;
  if (upgrade === undefined || version !== FIRST_VERSION) return undefined;
  return 'upgrade needs a version above 1: the one that it upgrades to';
}
