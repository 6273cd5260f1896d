import type { MovieRecordDto } from './movie-record.dto.js';
import { parseReleaseDate } from './release-date.js';

/** A film as the catalogue keeps it. */
export interface Movie {
  /** Id of the task that imported it: importing it again is the same film. */
  readonly id: string;
  readonly title: string;
  /** `YYYY-MM-DD`. */
  readonly released: string;
  readonly genre: string | undefined;
  readonly director: string | undefined;
  readonly minutes: number | undefined;
  readonly grossDollars: number | undefined;
  readonly budgetDollars: number | undefined;
  /** Of 10. */
  readonly score: number | undefined;
}

/** Makes a catalogue entry of a record that passed its checks. */
export function toMovie(id: string, record: MovieRecordDto): Movie {
  return {
    id,
    title: titleOf(record.Title),
    released: parseReleaseDate(record['Release Date'])!.toISOString().slice(0, 10),
    genre: record['Major Genre'] ?? undefined,
    director: record.Director ?? undefined,
    minutes: record['Running Time min'] ?? undefined,
    // The data set writes 0 for sums that nobody knows.
    grossDollars: record['Worldwide Gross'] || record['US Gross'] || undefined,
    budgetDollars: record['Production Budget'] || undefined,
    score: record['IMDB Rating'] ?? undefined,
  };
}

/** "Charge of the Light Brigade, The" is sorted by hand in the data set; the catalogue sorts by itself. */
function titleOf(title: string): string {
  const [, rest, article] = /^(.+), (The|A|An)$/.exec(title.trim()) ?? [];
  return rest ? `${article} ${rest}` : title.trim();
}
