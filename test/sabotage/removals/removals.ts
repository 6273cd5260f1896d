import type { Removal } from '../removal.js';
import { scriptRemovals } from './scripts.js';

/** Every defence that is taken away to see whether anybody notices. */
export const removals: readonly Removal[] = [...scriptRemovals];
