import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedisServer } from '@taskq/testing';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleApp } from './sample-app.js';

const ALIEN = {
  Title: 'Alien',
  'Release Date': 'May 25 1979',
  'US Gross': 80931801,
  'Worldwide Gross': 203630630,
  'Production Budget': 9000000,
  'MPAA Rating': 'R',
  Director: 'Ridley Scott',
  'IMDB Rating': 8.5,
  'IMDB Votes': 180387,
};

interface Letter {
  readonly id: string;
  readonly entryId: string;
  readonly reason: string;
  readonly detail: string;
}

let server: RedisServer;
let sample: SampleApp;

beforeAll(async () => {
  server = await startRedisServer();
  sample = await SampleApp.start(server);
});
afterAll(async () => {
  await sample?.close();
  await server?.stop();
});

async function deadLetter(queue: string, id: string): Promise<Letter> {
  const answer = await sample.get(`/dead-letters/${queue}`).expect(200);
  return (answer.body as Letter[]).find((letter) => letter.id === id)!;
}

describe('POST /catalogue/imports', () => {
  it('makes films of good records and dead letters of bad ones', async () => {
    const records = [ALIEN, { ...ALIEN, Title: 1776, 'Release Date': 'Dec 15 2039' }, 'no record'];
    const { body } = await sample.post('/catalogue/imports', records).expect(202);
    expect(body).toMatchObject({ accepted: 3, duplicates: 0, conflicts: 0 });
    const [good, bad, none] = (body as { tasks: { id: string }[] }).tasks.map(({ id }) => id) as [
      string,
      string,
      string,
    ];

    await sample.until('task.completed', good);
    const film = await sample.get(`/catalogue/${good}`).expect(200);
    expect(film.body).toEqual({
      id: good,
      title: 'Alien',
      released: '1979-05-25',
      director: 'Ridley Scott',
      grossDollars: 203630630,
      budgetDollars: 9000000,
      score: 8.5,
    });

    await sample.until('task.dead', bad);
    await sample.until('task.dead', none);
    const letter = await deadLetter('catalogue', bad);
    expect(letter.reason).toBe('invalid-payload');
    expect(letter.detail).toContain('Title: must be a string');
    expect(letter.detail).toContain('Release Date: must be before 2012');
    await sample.get(`/catalogue/${bad}`).expect(404);
    const task = await sample.get(`/tasks/catalogue/${bad}`).expect(200);
    expect(task.body).toMatchObject({ state: 'dead', reason: 'invalid-payload' });
  });

  it('is done once per key, record by record', async () => {
    const first = await sample.post('/catalogue/imports', [ALIEN, ALIEN], 'import-1').expect(202);
    const again = await sample.post('/catalogue/imports', [ALIEN, ALIEN], 'import-1').expect(202);
    const other = await sample.post('/catalogue/imports', [{ Title: 'Aliens' }], 'import-1').expect(202);

    expect(again.body).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(other.body).toMatchObject({ accepted: 0, conflicts: 1 });
    const ids = (answer: { body: unknown }) => (answer.body as { tasks: { id: string }[] }).tasks;
    expect(ids(again).map(({ id }) => id)).toEqual(ids(first).map(({ id }) => id));
  });

  it('takes 1 to 1000 records', async () => {
    for (const body of [{}, [], Array.from({ length: 1001 }, () => ALIEN)]) {
      const { body: answer } = await sample.post('/catalogue/imports', body).expect(400);
      expect((answer as { message: string }).message).toContain('1 to 1000 records');
    }
    await sample
      .post(
        '/catalogue/imports',
        Array.from({ length: 1000 }, () => ALIEN),
      )
      .expect(202);
  });
});

describe('POST /thumbnails', () => {
  it('makes every size', async () => {
    const { body } = await sample.post('/thumbnails', { image: 'ffox.png', sizes: [64, 32] }).expect(202);
    const { id, href } = body as { id: string; href: string };
    expect(href).toBe(`/tasks/thumbnails/${id}`);

    await sample.until('task.completed', id);
    for (const size of [64, 32]) {
      const file = join(sample.dataFolder, 'thumbnails', `${id}-${size}.webp`);
      expect(await sharp(file).metadata()).toMatchObject({ format: 'webp', width: size });
    }
    await sample.get(href).expect(404);
  });

  it('refuses what the contract refuses, with every issue', async () => {
    const { body } = await sample
      .post('/thumbnails', { image: '../../etc/passwd', sizes: [9999] })
      .expect(400);

    expect(body).toMatchObject({ statusCode: 400, code: 'TASKQ_INVALID_PAYLOAD' });
    expect((body as { issues: { path: string }[] }).issues.map(({ path }) => path)).toEqual([
      'image',
      'sizes',
    ]);
  });

  it('gives up at once when there is no such image', async () => {
    const { body } = await sample.post('/thumbnails', { image: 'nobody.png', sizes: [32] }).expect(202);
    const { id } = body as { id: string };

    await sample.until('task.dead', id);
    expect(await deadLetter('thumbnails', id)).toMatchObject({ reason: 'non-retryable' });
    expect(existsSync(join(sample.dataFolder, 'thumbnails', `${id}-32.webp`))).toBe(false);
  });
});

describe('Idempotency-Key', () => {
  const order = { image: 'gimp.png', sizes: [32] };

  it('makes two requests one task', async () => {
    const first = await sample.post('/thumbnails', order, 'k-1').expect(202);
    const again = await sample.post('/thumbnails', order, 'k-1').expect(202);

    expect(again.body).toEqual({ ...(first.body as object), status: 'duplicate' });
  });

  it('is refused with another body', async () => {
    const first = await sample.post('/thumbnails', order, 'k-2').expect(202);
    const { body } = await sample.post('/thumbnails', { ...order, sizes: [16] }, 'k-2').expect(409);

    expect(body).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', id: (first.body as { id: string }).id });
  });

  it('has 1 to 512 characters', async () => {
    const { body } = await sample.post('/thumbnails', order, 'k'.repeat(513)).expect(400);

    expect(body).toMatchObject({ code: 'TASKQ_CONFIGURATION' });
    expect((body as { problems: string[] }).problems[0]).toContain('1 to 512 characters');
  });
});

describe('queues', () => {
  it('are counted, and unknown ones are not looked up', async () => {
    const { body } = await sample.get('/queues/webhooks').expect(200);
    expect(body).toMatchObject({ active: 0, scheduled: 0, dead: 0 });

    const unknown = await sample.get('/queues/nonsense').expect(404);
    expect((unknown.body as { message: string }).message).toContain('catalogue, thumbnails, webhooks');
  });

  it('give back dead letters: one, and the rest', async () => {
    const { body } = await sample.post('/catalogue/imports', [{}, {}, {}]).expect(202);
    const ids = (body as { tasks: { id: string }[] }).tasks.map(({ id }) => id);
    await Promise.all(ids.map((id) => sample.until('task.dead', id)));
    const [first] = (await sample.get('/dead-letters/catalogue?limit=1').expect(200)).body as Letter[];

    await sample.post('/dead-letters/catalogue/replay', { id: first!.id }).expect(200, { replayed: 1 });
    await sample.post('/dead-letters/catalogue/replay', { id: 'nobody' }).expect(404);
    const rest = await sample.post('/dead-letters/catalogue/replay', undefined).expect(200);
    expect((rest.body as { replayed: number }).replayed).toBeGreaterThanOrEqual(2);
  });

  it('are paged within bounds', async () => {
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'after=nonsense']) {
      expect((await sample.get(`/dead-letters/catalogue?${query}`)).status).toBe(400);
    }
  });
});

describe('a full queue', () => {
  it('is answered with 503 and when to come again', async () => {
    const producer = await SampleApp.start(server, {
      TASKQ_ROLE: 'producer',
      TASKQ_QUEUES__THUMBNAILS__MAX_READY: '1',
      TASKQ_QUEUES__CATALOGUE__MAX_READY: '2',
    });
    try {
      const order = { image: 'ffox.png', sizes: [32] };
      await producer.post('/thumbnails', order).expect(202);
      const full = await producer.post('/thumbnails', order).expect(503);
      expect(full.body).toMatchObject({ code: 'TASKQ_QUEUE_FULL' });
      expect(full.get('Retry-After')).toBe('1');

      // Of many, the caller learns which were taken.
      const many = await producer.post('/catalogue/imports', [ALIEN, ALIEN, ALIEN]).expect(503);
      const { tasks } = many.body as { tasks: { status: string }[] };
      expect(tasks.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'failed']);
    } finally {
      await producer.close();
    }
  });
});
