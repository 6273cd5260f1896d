const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The day before which every film of the data set was in the cinema: it was collected in 2010 and announces 2011. */
export const COLLECTED_BEFORE = Date.UTC(2012, 0, 1);

/** The first public showing of a film. Nothing is older. */
const FIRST_FILM = Date.UTC(1895, 11, 28);

/** The day that `Jun 12 1998` means, or `undefined` when it means none. */
export function parseReleaseDate(text: unknown): Date | undefined {
  const match = typeof text === 'string' ? /^([A-Z][a-z]{2}) (\d{2}) (\d{4})$/.exec(text) : null;
  const month = MONTHS.indexOf(match?.[1] ?? '');
  if (!match || month < 0) return undefined;
  const date = new Date(Date.UTC(Number(match[3]), month, Number(match[2])));
  // Feb 31 would roll over into March.
  return date.getUTCDate() === Number(match[2]) ? date : undefined;
}

/** Why `text` is no release date, or `undefined` when it is one. Two-digit years read as 20xx put films into 2046. */
export function releaseDateProblem(text: unknown): string | undefined {
  const date = parseReleaseDate(text);
  if (!date) return 'must be a date such as "Jun 12 1998"';
  if (date.getTime() >= COLLECTED_BEFORE) return 'must be before 2012, when the data was collected';
  return date.getTime() < FIRST_FILM ? 'must not be older than film itself' : undefined;
}
