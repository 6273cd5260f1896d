import { Worker } from 'node:worker_threads';

/**
 * How often the thread looks at the clock, and from which lateness on the core must have stood still: it is 0.07 ms late
 * on average, and less than 0.2 ms 98 times of 100.
 */
const LOOK_MS = 1;
const LATE_MS = 0.5;

/**
 * A thread that asks to be woken each millisecond on one core, before everybody else, and adds up how much later it was
 * woken. `/proc/thread-self` names the thread that reads it.
 */
const THREAD = `
const { spawnSync } = require('node:child_process');
const { readlinkSync } = require('node:fs');
const { workerData: { shared, core } } = require('node:worker_threads');
const total = new Float64Array(shared, 0, 1);
const word = new Int32Array(shared, 8, 1);
if (core !== undefined) {
  const thread = readlinkSync('/proc/thread-self').split('/').pop();
  spawnSync('taskset', ['--cpu-list', '--pid', core, thread]);
  spawnSync('chrt', ['--fifo', '--pid', '2', thread]);
}
let last = performance.now();
while (Atomics.load(word, 0) === 0) {
  Atomics.wait(word, 0, 0, ${LOOK_MS});
  const now = performance.now();
  const late = now - last - ${LOOK_MS};
  if (late > ${LATE_MS}) total[0] += late;
  last = now;
}
`;

/**
 * Knows for how long a core stood still: those of a virtual machine do now and then, for 1 to 30 ms, each by itself or
 * all at once, and it does not always count as stolen. What Redis had begun there seems to take as much longer.
 */
export class MachineWatch {
  private readonly total: Float64Array;
  private readonly word: Int32Array;
  private readonly thread: Worker;

  /**
   * `core`: the one that is watched. Without it nothing is known, as where this process may not go before all others: a
   * busy core would seem to stand still.
   */
  constructor(private readonly core?: number) {
    const shared = new SharedArrayBuffer(16);
    this.total = new Float64Array(shared, 0, 1);
    this.word = new Int32Array(shared, 8, 1);
    this.thread = new Worker(THREAD, { eval: true, workerData: { shared, core: core?.toString() } });
  }

  /** Milliseconds since it began; 0 where nobody could tell. */
  get stoodStillMs(): number {
    return this.core === undefined ? 0 : this.total[0]!;
  }

  async end(): Promise<void> {
    Atomics.store(this.word, 0, 1);
    Atomics.notify(this.word, 0);
    await this.thread.terminate();
  }
}
