import { IsIn, IsInt, IsNumber, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { IsReleaseDate } from './is-release-date.decorator.js';

const RATINGS = ['G', 'PG', 'PG-13', 'R', 'NC-17', 'Not Rated'];
const MOST_DOLLARS = 10_000_000_000;

/**
 * A film as the data set has it, names and all. What may be unknown may be null; what is there must make sense: a
 * title that a spreadsheet took for a number, a rating that does not exist, a film from 2046 are not imported.
 */
export class MovieRecordDto {
  @IsString()
  @Length(1, 200)
  Title: string;

  @IsReleaseDate()
  'Release Date': string;

  /** 0 where it is not known. */
  @IsInt()
  @Min(0)
  @Max(MOST_DOLLARS)
  'US Gross': number;

  /** 0 where it is not known. */
  @IsInt()
  @Min(0)
  @Max(MOST_DOLLARS)
  'Worldwide Gross': number;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_DOLLARS)
  'US DVD Sales'?: number | null;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_DOLLARS)
  'Production Budget'?: number | null;

  @IsOptional()
  @IsIn(RATINGS)
  'MPAA Rating'?: string | null;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  'Running Time min'?: number | null;

  @IsOptional()
  @IsString()
  @Length(1, 200)
  Distributor?: string | null;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  Source?: string | null;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  'Major Genre'?: string | null;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  'Creative Type'?: string | null;

  @IsOptional()
  @IsString()
  @Length(1, 200)
  Director?: string | null;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(100)
  'Rotten Tomatoes Rating'?: number | null;

  @IsOptional()
  @IsNumber()
  @Min(1)
  @Max(10)
  'IMDB Rating'?: number | null;

  @IsOptional()
  @IsInt()
  @Min(1)
  'IMDB Votes'?: number | null;
}
