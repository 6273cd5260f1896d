import { runSample } from './boot/run-sample.js';

await runSample('worker');
