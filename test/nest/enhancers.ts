import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { TaskContext } from '@taskq/nestjs';

/** What handlers were called with. */
export class Calls {
  readonly all: unknown[][] = [];
  add(...args: unknown[]): void {
    this.all.push(args);
  }
}

@Injectable()
export class Answers {
  allowed = true;
}

@Injectable()
export class SwitchGuard implements CanActivate {
  constructor(private readonly answers: Answers) {}
  canActivate(): boolean {
    return this.answers.allowed;
  }
}

export const Tenant = createParamDecorator((_: unknown, host: ExecutionContext) => {
  const [payload, task] = host.getArgs<[{ tenant?: string }, TaskContext]>();
  return `${payload.tenant ?? 'none'} of ${task.type}`;
});
