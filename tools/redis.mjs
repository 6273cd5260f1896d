// `npm run redis`: starts (or finds) this project's dev Redis and keeps it running in the foreground.
import { startRedisServer } from '@taskq/testing';

const HELP = `Usage: npm run redis [-- options]

Starts a Redis for development and keeps it running until Ctrl-C. Other terminals (npm run demo, npm start) find
it by themselves. Nothing has to be installed: without a Redis on this system, one is downloaded into .cache/redis
(Debian, Ubuntu; no root needed) or run with docker.

Options:
  --help, -h    this text

Environment:
  REDIS_URL               use this server instead: it is only asked whether it answers
  REDIS_SERVER_BIN        the redis-server or valkey-server program to run (7.0 or newer)
  REDIS_AUTO_DOWNLOAD=0   never download a server
  (Tests ignore REDIS_URL; they use TEST_REDIS_URL, or a private server each.)

Exit codes: 0 stopped, or a server runs already; 1 no server, or it ended by itself; 2 unknown option.
`;

await main(process.argv.slice(2));

async function main(args) {
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(HELP);
  if (args.length > 0) return fail(2, `Unknown option: ${args[0]}\nSee npm run redis -- --help`);
  try {
    const server = await startRedisServer({ mode: 'dev', listen: 'port' });
    report(server);
    if (server.pid !== undefined || server.source === 'docker') keepRunning(server);
  } catch (error) {
    if (error.code !== 'TASKQ_REDIS_SERVER_UNAVAILABLE') throw error;
    fail(1, error.message);
  }
}

function report({ source, version, addresses, dataFolder, pid }) {
  const [address, ...others] = addresses;
  if (source === 'url') return console.log(`REDIS_URL answers: ${address} (version ${version})`);
  if (source === 'running') console.log('The dev Redis of this project runs already:');
  const lines = {
    Redis: `${version}${pid === undefined ? '' : `, pid ${pid}`}`,
    URL: address,
    Socket: others[0],
    Data: dataFolder ?? 'in a docker volume',
    Try: `redis-cli -u ${address} ping`,
    Stop:
      source === 'running'
        ? 'Ctrl-C where it was started'
        : 'Ctrl-C (the data stays; delete the folder to forget it)',
  };
  for (const [name, text] of Object.entries(lines)) {
    if (text !== undefined) console.log(`  ${name.padEnd(8)}${text}`);
  }
}

function keepRunning(server) {
  let stopping = false;
  const stop = async () => {
    // npm passes on a Ctrl-C that the terminal has sent to us already.
    if (stopping) return;
    stopping = true;
    console.log('\nStopping Redis ...');
    await server.stop();
    console.log('Stopped; its data is saved.');
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop());
  // The server's process is all that keeps this one alive: when nothing is left to wait for, it has ended by itself.
  process.on('beforeExit', () => {
    if (stopping) return;
    stopping = true;
    void server.stop().then(() => fail(1, 'Redis ended by itself.'));
  });
}

function fail(code, message) {
  console.error(message);
  process.exitCode = code;
}
