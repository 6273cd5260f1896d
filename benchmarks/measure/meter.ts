import type { Redis } from 'ioredis';
import type { Figures } from './figures.js';
import { redisCpuMicros } from './redis-facts.js';

interface Reading {
  readonly at: number;
  readonly nodeMicros: number;
  /** Redis is asked at this moment and answers a little later; at both ends of the window alike. */
  readonly redisMicros: Promise<number>;
}

/** Measures a window of work: time, and processor time here and in Redis. */
export class Meter {
  private first: Reading | undefined;
  private last: Reading | undefined;

  constructor(private readonly admin: Redis) {}

  begin(): void {
    this.first = this.read();
  }

  end(): void {
    this.last = this.read();
  }

  /** The rate and the cost of so many tasks that were done in the window. */
  async figures(tasks: number): Promise<Figures> {
    const { first, last } = this;
    if (!first || !last) throw new Error('the window was not measured');
    const redisMicros = (await last.redisMicros) - (await first.redisMicros);
    return perTask({
      tasks,
      ms: last.at - first.at,
      nodeMicros: last.nodeMicros - first.nodeMicros,
      redisMicros,
    });
  }

  private read(): Reading {
    const { user, system } = process.cpuUsage();
    return { at: performance.now(), nodeMicros: user + system, redisMicros: redisCpuMicros(this.admin) };
  }
}

/** Figures of a window in which so many tasks took so long and cost so much. */
export function perTask(window: {
  readonly tasks: number;
  readonly ms: number;
  readonly nodeMicros: number;
  readonly redisMicros: number;
}): Figures {
  const { tasks, ms, nodeMicros, redisMicros } = window;
  return {
    tasksPerSecond: (tasks / ms) * 1000,
    cpuMicros: (nodeMicros + redisMicros) / tasks,
    nodeCpuMicros: nodeMicros / tasks,
    redisCpuMicros: redisMicros / tasks,
  };
}
