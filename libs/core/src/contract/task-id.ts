/**
 * Task ids are `<producer>.<sequence>`: twelve random characters (72 bits) made once per producer, and a count in
 * base 36. They are short, cost no randomness per task, and let neighbours share one small index hash.
 */
const OWN_ID = /^[A-Za-z0-9_-]{12}\.[0-9a-z]{1,11}$/;

/**
 * Tasks per index bucket. Redis keeps hashes of up to 128 short fields in one flat allocation; half of that leaves
 * room, and keeps the linear search inside it short.
 */
const BUCKET_SIZE = 64;

/** Buckets for ids that are not ours (given by the caller, or entries that another language wrote). */
const FOREIGN_BUCKETS = 1024;

/** The id of the `sequence`-th task of a producer. */
export function taskId(producer: string, sequence: number): string {
  return `${producer}.${sequence.toString(36)}`;
}

/** Where the index keeps a task: the bucket (a suffix of a key) and the field in it. */
export interface IndexPlace {
  readonly bucket: string;
  readonly field: string;
}

/** The place of a task in the index; a function of the id alone, so that every process agrees. */
export function indexPlace(id: string): IndexPlace {
  if (OWN_ID.test(id)) {
    const field = id.slice(13);
    const block = Math.floor(parseInt(field, 36) / BUCKET_SIZE);
    return { bucket: id.slice(0, 13) + block.toString(36), field };
  }
  return { bucket: `x${(fnv1a(id) % FOREIGN_BUCKETS).toString(36)}`, field: id };
}

/** FNV-1a, 32 bit (http://www.isthe.com/chongo/tech/comp/fnv/): spreads foreign ids evenly, no security needed. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash;
}
