/** Wishes for {@link startRedisServer}. Every one has a default; `startRedisServer()` alone is a private test server. */
export interface StartRedisOptions {
  /**
   * `'test'` (default): a private throw-away server without persistence. `TEST_REDIS_URL` is honoured; `REDIS_URL`
   * and a running dev instance are ignored, so a production URL in the shell can never become a test target.
   *
   * `'dev'`: `REDIS_URL` is honoured, a running dev instance of this project is reused, and a server started here
   * keeps its data (AOF, fsync every second) in `<cacheFolder>/data`.
   */
  mode?: 'test' | 'dev';
  /**
   * Which address `url` and `connection` name. `'socket'` (default): a unix socket in a private temporary folder.
   * `'port'`: a free port on 127.0.0.1. A dev instance listens on both; a server in docker has a port only.
   */
  listen?: 'socket' | 'port';
  /**
   * Extra redis-server arguments, given last so that they win: `['--appendonly', 'yes']` or `['--appendonly yes']`.
   * They need a server of our own, so with `args` the test mode spawns one even when `TEST_REDIS_URL` is set. They
   * have no effect on a server that runs already (`REDIS_URL`, running dev instance).
   */
  args?: readonly string[];
  /**
   * Where a downloaded server and the dev data live. Default: `<project root>/.cache/redis`, where the project root
   * is the nearest folder upward from the working directory whose package.json has `workspaces`, else the nearest
   * one with a package.json, else the working directory. The folder ignores itself for git.
   */
  cacheFolder?: string;
  /** Receives the line that says what is being downloaded, and warnings. Default: a line on standard error. */
  log?: (line: string) => void;
}

/** What the ioredis constructor takes as its options object. */
export type RedisConnection =
  | { path: string; username?: string; password?: string; db?: number }
  | { host: string; port: number; username?: string; password?: string; db?: number; tls?: object };

/**
 * How the server was come by: `url` and `running` are somebody else's (never stopped by us); `binary` was found on
 * this system, `cache` was downloaded by an earlier start, `apt` by this one, `docker` runs in a container of ours.
 */
export type RedisSource = 'url' | 'running' | 'binary' | 'cache' | 'apt' | 'docker';

/** A Redis that answers, and the handle to end it when it is ours. */
export interface RedisServer {
  /** For `new Redis(url)`: `redis://...`, or the absolute path of a unix socket. May hold a password: do not print. */
  readonly url: string;
  /** The same address as an object, for `new Redis({ ...connection, ...yourOptions })`. */
  readonly connection: RedisConnection;
  /** Every address the server is known to listen on, in the form of `url`. Passwords are left out: fit to print. */
  readonly addresses: readonly string[];
  readonly source: RedisSource;
  /** For example `7.0.15`; the Valkey version when it is a Valkey; `unknown` when the server does not tell. */
  readonly version: string;
  /** Process id of the server; undefined when it is not ours, runs in docker, or is down at the moment. */
  readonly pid: number | undefined;
  /** True from `freeze()` until `thaw()`, or until the server ends. */
  readonly frozen: boolean;
  /** Where the server keeps its data; undefined when it is not on this file system or not known. */
  readonly dataFolder: string | undefined;
  /**
   * Ends a server that we started: SIGTERM, SIGKILL after 5 seconds, temporary folder removed. May be called again,
   * also when the server is dead already. Does nothing for `url` and `running`.
   */
  stop(): Promise<void>;
  /**
   * SIGKILL at once, for fault tests; resolves when the process is gone. Folder and address stay for `restart()`.
   * Rejects with an Error when the server is not ours.
   */
  kill(): Promise<void>;
  /**
   * SIGSTOP, for fault tests: the server keeps its data, its addresses and its connections and answers nothing, as
   * one that hangs or is cut off. `stop()`, `kill()` and `restart()` work on a frozen server. In test mode it ends with
   * this process all the same; a frozen dev instance outlives a SIGKILL of this process. Rejects with an Error when
   * the server is not ours, runs in docker, or is down.
   */
  freeze(): Promise<void>;
  /**
   * SIGCONT: the server goes on where it was frozen, first with what was sent to it meanwhile. Does nothing when it
   * is not frozen. Rejects with an Error when the server is not ours.
   */
  thaw(): Promise<void>;
  /**
   * Starts the server again on the same address and data folder (after `kill()`, or after a clean stop when it
   * still runs). Rejects with an Error when the server is not ours or was stopped, and with
   * {@link RedisServerUnavailableError} when it does not come up again.
   */
  restart(): Promise<void>;
}

/** The options after defaults: what the launcher's own files hand each other. */
export type LaunchSettings = Required<StartRedisOptions>;
