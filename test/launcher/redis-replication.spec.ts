import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RedisServerUnavailableError, startRedisReplication, waitFor } from '@taskq/testing';
import { forgetRedisVariables, TestFolders } from './bare-machine.js';
import { leftAfterStop, Opened, replicationField } from './redis-group.js';

const NOTHING = { processes: [], folders: [] };
const opened = new Opened();
const folders = new TestFolders();

beforeEach(forgetRedisVariables);
afterEach(async () => {
  await opened.closeAll();
  vi.unstubAllEnvs();
});
afterAll(() => folders.removeAll());

it('gives a primary whose writes are at every replica, and ignores a named server', async () => {
  vi.stubEnv('TEST_REDIS_URL', 'redis://127.0.0.1:1');
  const { primary, replicas } = await opened.group(startRedisReplication({ replicas: 2 }));
  const writer = opened.connect(primary);
  await writer.set('key', 'value');

  expect(await writer.wait(2, 5_000)).toBe(2);
  expect(replicas).toHaveLength(2);
  for (const replica of replicas) {
    expect(await opened.connect(replica).get('key')).toBe('value');
    await expect(opened.connect(replica).set('key', 'other')).rejects.toThrow('READONLY');
  }
  expect(primary).toMatchObject({ host: '127.0.0.1', connection: { port: primary.port } });
  expect(primary.url).toBe(`redis://127.0.0.1:${primary.port}`);
});

it('has one replica unless told otherwise, which keeps its port, role and data over a restart', async () => {
  const args = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const group = await opened.group(startRedisReplication({ args }));
  const [replica] = group.replicas;
  expect(group.replicas).toHaveLength(1);
  const writer = opened.connect(group.primary);
  await writer.set('kept', 'yes');
  await writer.wait(1, 5_000);

  await Promise.all([group.primary.kill(), replica!.kill()]);
  await Promise.all([group.primary.restart(), replica!.restart()]);
  await group.untilLinked();

  expect(await opened.connect(replica!).get('kept')).toBe('yes');
  expect(await replicationField(opened.connect(replica!), 'role')).toBe('slave');
  expect(await opened.connect(group.primary).get('kept')).toBe('yes');
});

it('keeps the role that a command gave and CONFIG REWRITE wrote down', async () => {
  const { replicas } = await opened.group(startRedisReplication());
  const replica = replicas[0]!;
  const client = opened.connect(replica);
  await client.call('REPLICAOF', 'NO', 'ONE');
  await client.config('REWRITE');
  await replica.kill();
  await replica.restart();

  expect(await replicationField(opened.connect(replica), 'role')).toBe('master');
});

it('lets writes wait for a frozen replica, until it is thawed', async () => {
  const { primary, replicas } = await opened.group(startRedisReplication());
  await replicas[0]!.freeze();
  const writer = opened.connect(primary);
  await writer.set('key', 'value');

  expect(await writer.wait(1, 100)).toBe(0);
  await replicas[0]!.thaw();
  expect(await writer.wait(1, 5_000)).toBe(1);
});

it('untilLinked waits for a link that is down', async () => {
  const group = await opened.group(startRedisReplication());
  await group.primary.kill();
  const replica = opened.connect(group.replicas[0]!);
  await waitFor(async () => (await replicationField(replica, 'master_link_status')) === 'down', {
    what: 'the replica to miss its primary',
  });

  await expect(group.untilLinked(100)).rejects.toThrow(/replicas to be linked/);
  await group.primary.restart();
  await group.untilLinked();
  expect(await replicationField(replica, 'master_link_status')).toBe('up');
});

it('leaves no process and no folder, whatever became of its members', async () => {
  const group = await opened.group(startRedisReplication({ replicas: 3 }));
  await group.replicas[0]!.freeze();
  await group.replicas[1]!.kill();
  await group.replicas[2]!.stop();

  expect(await leftAfterStop(group, [group.primary, group.replicas[0]!, group.replicas[1]!])).toEqual(
    NOTHING,
  );
});

it('leaves nothing when it does not start, and says why', async () => {
  const place = folders.make();
  vi.stubEnv('TMPDIR', place);
  const failing = startRedisReplication({ args: ['--no-such-option', '1'] });

  await expect(failing).rejects.toThrow(RedisServerUnavailableError);
  await expect(failing).rejects.toThrow(/no-such-option/);
  expect(readdirSync(place)).toEqual([]);
});

it('says what is missing on a machine without a server', async () => {
  vi.stubEnv('REDIS_AUTO_DOWNLOAD', '0');
  vi.stubEnv('PATH', folders.make());
  const failing = startRedisReplication({ cacheFolder: folders.make() });

  await expect(failing).rejects.toThrow(RedisServerUnavailableError);
  await expect(failing).rejects.toThrow(/docker: cannot run servers in a group/);
});

it.each([0, 1.5, Number.NaN])('refuses %d replicas', async (replicas) => {
  await expect(startRedisReplication({ replicas })).rejects.toThrow(RangeError);
});
