import { RedisBroker, resolveEngineOptions, TaskQueue } from '@taskq/core';
import { HistoryWriter } from '../history/history.js';
import { crowd } from '../load/crowd.js';
import { filler } from '../load/filler.js';
import type { ActorConfig, CrashPoint } from './actor-config.js';
import { crashing } from './crashing-broker.js';
import { ENGINE_FACTS } from './handler.js';
import { produce } from './produce.js';
import type { Running } from './running.js';
import { work } from './work.js';

/** What each role does until it is told to stop. */
const ROLES: Record<ActorConfig['role'], (running: Running) => Promise<void>> = {
  worker: work,
  producer: produce,
  crowd,
  filler,
};

/** A process of the laboratory. Writes its history, obeys its parent, dies where it is told. */
const config = JSON.parse(process.argv[2] ?? '{}') as ActorConfig;
const history = new HistoryWriter(config.folder, config.name);

if (config.clockShiftMs) shiftClock(config.clockShiftMs);

let passed = 0;
function pass(point: CrashPoint): void {
  if (point !== config.crash?.point || ++passed !== config.crash.nth) return;
  const { signal = 'SIGKILL' } = config.crash;
  history.add({ e: 'fault', name: `${signal} at ${point}`, target: config.name });
  process.send?.({ fact: 'passed', detail: point });
  process.kill(process.pid, signal);
  // It may take a moment to arrive, and nothing may happen in it.
  if (signal === 'SIGKILL') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** A parent that is gone takes its actors along, so that no test leaves processes behind. */
process.on('disconnect', () => process.exit(1));
const stopped = new Promise<void>((stop) => {
  process.on('message', (message) => message === 'stop' && stop());
  process.on('SIGTERM', () => stop());
});

const options = resolveEngineOptions(config.engine);
const warn = (message: string): void => history.add({ e: 'fact', name: 'log', detail: message });
const broker = await RedisBroker.connect(options, { random: Math.random, warn });
const logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
const engine = TaskQueue.over(crashing(broker, pass), config.engine, { logger });
for (const name of ENGINE_FACTS) {
  engine.events.on(name, (detail) => {
    history.add({ e: 'fact', name, detail });
    process.send?.({ fact: name, detail });
  });
}
await ROLES[config.role]({ engine, history, config, stopped, pass });
await engine.close();
history.close();
process.removeAllListeners('disconnect');
process.disconnect?.();

/** Moves this process' idea of the date; its steady clock stays as it is, as it does when an operator sets the time. */
function shiftClock(ms: number): void {
  const now = Date.now.bind(Date);
  Date.now = () => now() + ms;
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: unknown[]) =>
      Reflect.construct(target, args.length === 0 ? [now() + ms] : args) as object,
  });
}
