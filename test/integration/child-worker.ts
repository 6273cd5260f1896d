import { type EngineOptions, HandlerRegistry, TaskQueue } from '@taskq/core';
import { Facts } from './facts.js';
import { performer } from './performer.js';

/** A worker process: runs `do` tasks, tells its parent every fact, drains on SIGTERM and then has nothing left to do. */
const options = JSON.parse(process.argv[2] ?? '{}') as EngineOptions;

function tell(name: string, fact: object): void {
  process.send?.({ name, ...fact });
}

let asked = false;
let stopNow = (): void => undefined;
process.on('SIGTERM', () => {
  asked = true;
  stopNow();
});

const engine = await TaskQueue.open(options);
const facts = new Facts(engine.events, tell);
const registry = new HandlerRegistry();
registry.add(performer(engine.producer, (aborted) => tell('aborted', aborted)));
const worker = engine.createWorker(registry);
async function stop(): Promise<void> {
  const report = await worker.stop();
  await engine.close();
  tell('stopped', { ...report, started: facts.of('task.started').length });
  process.removeAllListeners('SIGTERM');
  process.disconnect?.();
}
stopNow = () => void stop();
if (asked) await stop();
else {
  await worker.start().catch((error: unknown) => {
    if (!asked) throw error; // told to stop while it started
  });
  tell('ready', { consumer: worker.consumer });
}
