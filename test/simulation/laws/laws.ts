import { Answers } from './answers.js';
import { Keys } from './keys.js';
import type { Law } from './law.js';
import { Losses } from './losses.js';
import { OnePlace } from './one-place.js';
import { Owners } from './owners.js';
import { Rest } from './rest.js';
import { Room } from './room.js';
import { Starts } from './starts.js';

/** Every law, for one run. */
export function laws(): { readonly all: readonly Law[]; readonly losses: Losses } {
  const losses = new Losses();
  return {
    losses,
    all: [
      new Owners(),
      new Starts(),
      new Keys(),
      new Room(),
      new Answers(),
      losses,
      new OnePlace(),
      new Rest(),
    ],
  };
}
