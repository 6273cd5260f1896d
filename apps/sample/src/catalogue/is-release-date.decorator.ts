import { ValidateBy } from 'class-validator';
import { releaseDateProblem } from './release-date.js';

/** Checks that a property is a day on which a film of the data set can have been released. */
export function IsReleaseDate(): PropertyDecorator {
  return ValidateBy({
    name: 'isReleaseDate',
    validator: {
      validate: (value: unknown) => releaseDateProblem(value) === undefined,
      defaultMessage: (args) => `${args?.property} ${releaseDateProblem(args?.value)}`,
    },
  });
}
