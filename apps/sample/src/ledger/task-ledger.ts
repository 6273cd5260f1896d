import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { TaskEvents, type TaskFact } from '@taskq/nestjs';
import type { SampleConfig } from '../config/sample-config.js';
import type { Fact } from './fact.js';

/**
 * Writes down what this process saw happen to tasks, outside Redis, so that what Redis says can be checked against
 * it. One file per process, written line by line without a buffer: a kill -9 takes nothing back.
 */
@Injectable()
export class TaskLedger implements OnApplicationShutdown {
  private file: number | undefined;

  constructor(config: ConfigService<SampleConfig, true>, events: TaskEvents) {
    const name = config.get('ledgerFile', { infer: true });
    if (name === undefined) return;
    mkdirSync(dirname(name), { recursive: true });
    this.file = openSync(name, 'a');
    this.listen(events);
  }

  /** After every module was destroyed, the worker among them: facts come until the last task is settled. */
  onApplicationShutdown(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private listen(events: TaskEvents): void {
    events.on('task.started', (task) => this.note('started', task, { waitMs: task.waitMs }));
    events.on('task.completed', (task) => this.note('completed', task));
    events.on('task.retrying', (task) => this.note('retrying', task, { detail: messageOf(task.error) }));
    events.on('task.snoozed', (task) => this.note('snoozed', task));
    events.on('task.discarded', (task) => this.note('discarded', task, { reason: task.reason }));
    events.on('task.dead', (task) => this.note('dead', task, { reason: task.reason, detail: task.detail }));
    events.on('task.released', (task) => this.note('released', task));
    events.on('task.reclaimed', (task) => this.note('reclaimed', task, { from: task.from }));
    events.on('task.stale', (task) => this.note('stale', task));
  }

  private note(fact: Fact['fact'], { id, queue, attempt }: TaskFact, more: Partial<Fact> = {}): void {
    if (this.file === undefined) return;
    const line: Fact = { at: Date.now(), pid: process.pid, fact, id, queue, attempt, ...more };
    writeSync(this.file, `${JSON.stringify(line)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
