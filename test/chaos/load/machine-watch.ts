import { Worker } from 'node:worker_threads';

/** How often the thread looks at the clock, and from which lateness on the machine must have stood still. */
const LOOK_MS = 1;
const LATE_MS = 2;

/**
 * A thread that asks to be woken each millisecond, before everybody else on this machine, and adds up how much later it
 * was woken. `/proc/thread-self` names the thread that reads it.
 */
const THREAD = `
const { spawnSync } = require('node:child_process');
const { readlinkSync } = require('node:fs');
const { workerData: { shared, foremost } } = require('node:worker_threads');
const total = new Float64Array(shared, 0, 1);
const word = new Int32Array(shared, 8, 1);
if (foremost) spawnSync('chrt', ['--fifo', '--pid', '2', readlinkSync('/proc/thread-self').split('/').pop()]);
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
 * Knows for how long this machine stood still: a virtual one does now and then, for 5 to 30 ms and with all its cores,
 * and does not always count it as stolen. What Redis had begun seems to take as much longer.
 */
export class MachineWatch {
  private readonly total: Float64Array;
  private readonly word: Int32Array;
  private readonly thread: Worker;

  /** `foremost`: whether this process may go before all others. Without that a busy machine seems to stand still. */
  constructor(private readonly foremost: boolean) {
    const shared = new SharedArrayBuffer(16);
    this.total = new Float64Array(shared, 0, 1);
    this.word = new Int32Array(shared, 8, 1);
    this.thread = new Worker(THREAD, { eval: true, workerData: { shared, foremost } });
  }

  /** Milliseconds since it began; 0 where nobody could tell. */
  get stoodStillMs(): number {
    return this.foremost ? this.total[0]! : 0;
  }

  async end(): Promise<void> {
    Atomics.store(this.word, 0, 1);
    Atomics.notify(this.word, 0);
    await this.thread.terminate();
  }
}
