import { defineTask } from '@taskq/nestjs';
import { MovieRecordDto } from './movie-record.dto.js';

/** One record of the data set goes into the catalogue. */
export const importMovie = defineTask({
  type: 'catalogue.import',
  queue: 'catalogue',
  payload: MovieRecordDto,
  maxAttempts: 3,
  timeout: '30s',
});
