import { runSample } from './boot/run-sample.js';

// Both roles, or the one that the settings say.
await runSample();
