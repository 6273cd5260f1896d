import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { isBroken, type RawMovie, readMovies } from '../demo/movies.js';
import { toMovie } from './movie.js';
import { MovieRecordDto } from './movie-record.dto.js';
import { parseReleaseDate, releaseDateProblem } from './release-date.js';

const movies = readMovies();

function problemsOf(record: RawMovie): string[] {
  const errors = validateSync(plainToInstance(MovieRecordDto, record));
  return errors.map(({ property }) => property);
}

function movieCalled(title: unknown): RawMovie {
  return movies.find((movie) => movie['Title'] === title)!;
}

describe('MovieRecordDto', () => {
  it('refuses the bad records of the data set, and takes the others', () => {
    const refused = movies.filter((movie) => problemsOf(movie).length > 0);

    expect(movies).toHaveLength(3201);
    expect(refused).toHaveLength(39);
    expect(refused).toEqual(movies.filter(isBroken));
  });

  it.each([
    [1776, ['Title']],
    [null, ['Title']],
    ['Gone with the Wind', ['Release Date']], // 2039
    ['Bananas', ['US Gross', 'Worldwide Gross']],
    ['Black Rain', []],
  ])('says what is wrong with %s', (title, properties) => {
    expect(problemsOf(movieCalled(title))).toEqual(properties);
  });
});

describe('toMovie', () => {
  it('makes an entry of a record', () => {
    const record = movieCalled('Avatar') as unknown as MovieRecordDto;

    expect(toMovie('t-1', record)).toEqual({
      id: 't-1',
      title: 'Avatar',
      released: '2009-12-18',
      genre: 'Action',
      director: 'James Cameron',
      minutes: undefined,
      grossDollars: 2767891499,
      budgetDollars: 237000000,
      score: 8.3,
    });
  });

  it('puts articles where they belong, and takes 0 for not known', () => {
    const made = (changes: RawMovie) =>
      toMovie('t', plainToInstance(MovieRecordDto, { ...movieCalled('Avatar'), ...changes }));

    expect(made({ Title: ' Alamo, The ' }).title).toBe('The Alamo');
    expect(made({ 'Worldwide Gross': 0, 'US Gross': 7 }).grossDollars).toBe(7);
    expect(made({ 'Worldwide Gross': 0, 'US Gross': 0 }).grossDollars).toBeUndefined();
  });
});

describe('release dates', () => {
  it('are days that exist', () => {
    expect(parseReleaseDate('Feb 29 2008')?.toISOString()).toContain('2008-02-29');
    for (const text of ['Feb 31 2008', 'Foo 01 2008', '01 Jan 2008', 'Jan 1 2008', '', 7, null, undefined]) {
      expect(parseReleaseDate(text)).toBeUndefined();
    }
  });

  it('lie between the first film and the day the data was collected', () => {
    expect(releaseDateProblem('Dec 31 2011')).toBeUndefined();
    expect(releaseDateProblem('Jan 01 2012')).toContain('before 2012');
    expect(releaseDateProblem('Jan 01 1890')).toContain('older than film');
  });
});
