import { SinkClient } from '../history/sink.js';
import { chaosHandlers, keepFacts } from './handler.js';
import type { Running } from './running.js';

/** Runs tasks until told to stop. */
export async function work({ engine, history, config, stopped, pass }: Running): Promise<void> {
  const sink = new SinkClient(config.sink!);
  keepFacts(engine.events, history);
  const worker = engine.createWorker(chaosHandlers(history, sink, pass, config.queues));
  pass('before-start');
  await worker.start();
  process.send?.({ fact: 'ready', detail: worker.consumer });
  await stopped;
  // Told again while it stops, it must not begin anew.
  process.on('SIGTERM', () => void worker.stop());
  const report = await worker.stop();
  history.add({ e: 'fact', name: 'stopped', detail: report });
  process.send?.({ fact: 'stopped', detail: report });
  sink.close();
}
