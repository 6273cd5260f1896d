import 'reflect-metadata';
import {
  type CallHandler,
  type CanActivate,
  Inject,
  Injectable,
  type INestApplicationContext,
  Module,
  type NestInterceptor,
  type Type,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Inspector,
  TaskContext,
  TaskHandler,
  TaskPayload,
  TaskProducer,
  TaskQueueModule,
  TaskWorkerHost,
} from '@taskq/nestjs';
import { IsEmail, IsInt, IsOptional, IsString } from 'class-validator';
import { map, type Observable } from 'rxjs';
import type { Handler, Rig, Site } from './contender.js';
import { engineOptions, leftIn } from './taskq.js';

/** The queue of a trial has this name wherever there is one. */
const QUEUE = 'bench';
const TYPE = 'bench.task';

/** What the handlers call: the handler of the case, which comes after the application. */
class Work {
  handler: Handler = () => Promise.resolve();
}

class BenchDto {
  @IsInt()
  n: number;
  @IsEmail()
  to: string;
  @IsString()
  template: string;
  @IsOptional()
  @IsString()
  text?: string;
}

/** A handler that is given payload and context, and nothing else. */
@Injectable()
class Plain {
  constructor(@Inject(Work) private readonly work: Work) {}

  @TaskHandler(TYPE, { queue: QUEUE })
  handle(@TaskPayload() payload: BenchDto, @TaskContext() _task: TaskContext): Promise<void> {
    return this.work.handler(payload);
  }
}

class Allow implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

class Passing implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => value));
  }
}

/** A handler with everything around it that applications have. */
@Injectable()
class Full {
  constructor(@Inject(Work) private readonly work: Work) {}

  @TaskHandler(TYPE, { queue: QUEUE })
  @UseGuards(new Allow())
  @UseInterceptors(new Passing())
  // The type is said, because not every bundler keeps it for the pipe to find.
  @UsePipes(new ValidationPipe({ transform: true, expectedType: BenchDto }))
  handle(@TaskPayload() payload: BenchDto): Promise<void> {
    return this.work.handler(payload);
  }
}

const HANDLERS: Readonly<Record<'plain' | 'full', Type>> = { plain: Plain, full: Full };

/** An application with one handler. */
export async function openApplication(site: Site, which: 'plain' | 'full'): Promise<Rig> {
  @Module({
    imports: [TaskQueueModule.forRoot({ ...engineOptions(site), autoStart: false })],
    providers: [Work, HANDLERS[which]],
  })
  class BenchModule {}
  const options = { logger: ['error' as const], abortOnError: false };
  return rigOf(await NestFactory.createApplicationContext(BenchModule, options));
}

function rigOf(application: INestApplicationContext): Rig {
  const producer = application.get(TaskProducer);
  const target = { queue: QUEUE };
  return {
    enqueue: (payload) => producer.enqueue(TYPE, payload, target),
    enqueueMany: (payloads) =>
      producer.enqueueMany(
        TYPE,
        payloads.map((payload) => ({ payload, options: target })),
      ),
    work: async (handler) => {
      application.get(Work).handler = handler;
      await application.get(TaskWorkerHost).start();
    },
    left: () => leftIn(application.get(Inspector), QUEUE),
  };
}
