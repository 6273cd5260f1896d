import { Bounds } from '../bounds.js';
import type { Actor } from '../actors/actor.js';
import type { Fault } from '../fault.js';

/** Deliveries without an outcome after which a task is given up: the default. */
const CAP = 5;

/** A task kills whatever process runs it; each process that dies is replaced, as an orchestrator does. */
export const poisonPill: Fault = {
  id: 'G4',
  title: 'task that kills its process',
  runs: 50,
  short: 2,
  bound: `a dead letter after ≤ ${CAP} starts; neighbours lose 0 attempts`,
  async run(run, stage) {
    const redis = await stage.redis();
    const options = run.options(redis.url);
    const engine = await run.engine(options);
    let over = false;
    let deaths = 0;
    async function replaceForever(actor: Actor): Promise<void> {
      await actor.ended;
      if (over) return;
      deaths += 1;
      await replaceForever(run.actor('worker', options));
    }
    const first = await run.workers(2, options);
    const replaced = first.map(replaceForever);
    const poisoned = run.dice.between(0, 12);
    await run.enqueue(engine, 13, (i) =>
      i === poisoned ? { kill: true } : { ms: run.dice.between(10, 200) },
    );
    await run.untilEmpty(engine, 30_000);
    over = true;
    for (const actor of run.actors) actor.stop();
    await Promise.all(replaced);
    const verdict = await run.verdict(engine);
    const events = run.events();
    const starts = events.filter((event) => event.e === 'start');
    const [poison] = verdict.dead;
    const poisonStarts = starts.filter((start) => start.id === poison).length;
    const spent = starts.filter((start) => start.id !== poison && start.attempt > 1).length;
    const bounds = new Bounds();
    bounds.judge(verdict, {});
    bounds.hold(verdict.dead.length === 1, `${verdict.dead.length} dead letters`);
    bounds.hold(poisonStarts <= CAP, `${poisonStarts} starts of the poison`);
    bounds.hold(spent === 0, `${spent} attempts of neighbours spent`);
    return bounds.observed(verdict, [], { deaths, 'starts of the poison': poisonStarts });
  },
};
