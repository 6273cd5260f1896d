import { pingRedis } from './redis-ping.js';
import { RedisServerUnavailableError } from './redis-unavailable.error.js';

/** One screen: what was tried, and the exact command for each system. */
export async function noRedisError(tried: readonly string[]): Promise<RedisServerUnavailableError> {
  return new RedisServerUnavailableError(
    [
      'taskq needs a Redis (7.0 or newer) or Valkey server, and found none:',
      ...tried.map((line) => `  - ${line}`),
      '',
      'Install one (no service has to run; it is started when needed):',
      '  Debian, Ubuntu   sudo apt-get install -y --no-install-recommends redis-tools',
      '  Fedora, RHEL 10  sudo dnf install valkey     (older RHEL: sudo dnf install redis)',
      '  Alpine           apk add valkey              (or: apk add redis)',
      '  Arch             sudo pacman -S valkey',
      '  macOS            brew install valkey         (or: brew install redis)',
      '  Windows          WSL2 with the Debian line, or docker',
      'or name the program:',
      '  export REDIS_SERVER_BIN=/path/to/redis-server',
      'or run it in docker and name its address (tests: TEST_REDIS_URL):',
      '  docker run --rm -p 127.0.0.1:6379:6379 valkey/valkey:8',
      '  export REDIS_URL=redis://127.0.0.1:6379',
      ...(await strangerHint()),
    ].join('\n'),
  );
}

/** A server on the usual port is somebody's: unknown data, other consumers. It is mentioned, never used. */
async function strangerHint(): Promise<string[]> {
  const answer = await pingRedis({ host: '127.0.0.1', port: 6379 }, 500);
  if (answer === 'silent') return [];
  return [
    '',
    'A Redis answers on 127.0.0.1:6379. taskq does not use it unasked; to use it:',
    '  export REDIS_URL=redis://127.0.0.1:6379',
  ];
}
