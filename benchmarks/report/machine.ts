import { cpus, totalmem } from 'node:os';
import { foreignVersions } from '../contenders/install.js';

/** What the figures were measured on, and with what. */
export interface Machine {
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly redis: string;
  /** Versions of what taskq is measured against. */
  readonly contenders: Readonly<Record<string, string>>;
}

/** This machine; `redis` is the version of the server that was measured with. */
export function machine(redis: string): Machine {
  return {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    redis,
    contenders: foreignVersions(),
  };
}
