import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TaskEvents, type TaskEventMap, type TaskEventName } from '@taskq/nestjs';
import { type RedisServer, waitFor } from '@taskq/testing';
import request from 'supertest';
import { createSample } from '../../apps/sample/src/boot/create-sample.js';
import { loadSampleConfig } from '../../apps/sample/src/config/sample-config.js';

/** The sample in this process, under keys and a folder of its own. */
export class SampleApp {
  readonly facts: { name: TaskEventName; event: TaskEventMap[TaskEventName] }[] = [];

  private constructor(
    readonly app: NestExpressApplication,
    readonly dataFolder: string,
  ) {
    const events = app.get(TaskEvents, { strict: false });
    for (const name of ['task.completed', 'task.retrying', 'task.dead'] as const) {
      events.on(name, (event) => void this.facts.push({ name, event }));
    }
  }

  /** Starts it with these variables over its file of settings. */
  static async start(server: RedisServer, environment: NodeJS.ProcessEnv = {}): Promise<SampleApp> {
    const dataFolder = mkdtempSync(join(tmpdir(), 'taskq-sample-'));
    const config = loadSampleConfig({
      REDIS_URL: server.url,
      TASKQ_PREFIX: `t-${randomBytes(6).toString('hex')}`,
      TASKQ_DATA_FOLDER: dataFolder,
      ...environment,
    });
    const app = await createSample(config, new QuietLogger());
    await app.listen(0, '127.0.0.1');
    return new SampleApp(app, dataFolder);
  }

  get(path: string): request.Test {
    return request(this.app.getHttpServer()).get(path);
  }

  post(path: string, body: string | object | undefined, key?: string): request.Test {
    const test = request(this.app.getHttpServer()).post(path);
    if (key !== undefined) test.set('Idempotency-Key', key);
    return test.send(body);
  }

  /** Waits for a fact about a task, and answers it. */
  async until<Name extends TaskEventName>(name: Name, id: string): Promise<TaskEventMap[Name]> {
    const found = await waitFor(
      () => this.facts.find((fact) => fact.name === name && (fact.event as { id?: string }).id === id),
      { what: `${name} of ${id}`, timeoutMs: 10_000 },
    );
    return found.event as TaskEventMap[Name];
  }

  /** How often a task failed and is tried again. */
  retries(id: string): number {
    return this.facts.filter(
      ({ name, event }) => name === 'task.retrying' && (event as { id?: string }).id === id,
    ).length;
  }

  async close(): Promise<void> {
    await this.app.close();
    rmSync(this.dataFolder, { recursive: true, force: true });
    Logger.overrideLogger(false);
  }
}

class QuietLogger {
  log(): void {}
  error(): void {}
  warn(): void {}
}
