import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_SETS } from '../thumbnails/image-library.js';

/** A record of the data set, of which nothing is believed. */
export type RawMovie = Readonly<Record<string, unknown>>;

const RATINGS = new Set([null, 'G', 'PG', 'PG-13', 'R', 'NC-17', 'Not Rated']);

/** The films of vega-datasets, as they are. */
export function readMovies(): readonly RawMovie[] {
  return JSON.parse(readFileSync(join(DATA_SETS, 'movies.json'), 'utf8')) as RawMovie[];
}

/**
 * Whether a record is one of the bad ones of this data set, found by looking at it rather than by the importer's own
 * rules: titles that are numbers (or missing), years up to 2046, two ratings that do not exist, sums that are missing.
 */
export function isBroken(movie: RawMovie): boolean {
  return (
    typeof movie['Title'] !== 'string' ||
    Number(String(movie['Release Date']).slice(-4)) > 2011 ||
    !RATINGS.has(movie['MPAA Rating'] as string | null) ||
    movie['US Gross'] === null ||
    movie['Worldwide Gross'] === null
  );
}
