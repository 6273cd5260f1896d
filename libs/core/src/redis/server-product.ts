/** Which product a server is. */
export type ServerProduct = 'redis' | 'valkey' | Imitator;

/** Products of others that speak as Redis does, with a version of Redis that they name beside their own. */
const IMITATORS = ['dragonfly', 'garnet', 'keydb', 'kvrocks'] as const;
type Imitator = (typeof IMITATORS)[number];

/** What taskq is tested with, and the oldest version of each that has all it needs. */
const OLDEST: Partial<Record<ServerProduct, string>> = { redis: '7.0', valkey: '7.2' };

/** A product and its own version. */
export interface NamedProduct {
  readonly product: ServerProduct;
  readonly version: string;
}

/** By what a server says of itself (`INFO server`); one that names no other product is taken for Redis. */
export function productOf(said: Readonly<Record<string, string>>): NamedProduct {
  const product = IMITATORS.find((name) => said[`${name}_version`]) ?? byExecutable(said.executable);
  if (product) return { product, version: said[`${product}_version`] ?? said.redis_version ?? 'unknown' };
  if (said.valkey_version) return { product: 'valkey', version: said.valkey_version };
  return { product: 'redis', version: said.redis_version ?? 'unknown' };
}

/** Why a product is none that taskq is known to work with, and what to do; nothing when it is one. */
export function strangeness({ product, version }: NamedProduct): string | undefined {
  const oldest = OLDEST[product];
  if (oldest === undefined) {
    return (
      `it is ${product} ${version}, which is not known to keep what taskq promises: ` +
      'taskq is tested with Redis 7.0 or newer and Valkey 7.2 or newer only; use one of these'
    );
  }
  if (version === 'unknown' || !older(version, oldest)) return undefined;
  return `it is ${product} ${version}; taskq needs Redis 7.0 or Valkey 7.2 or newer`;
}

/** KeyDB gives its own version as that of Redis, and itself away by the file it runs from alone. */
function byExecutable(path = ''): Imitator | undefined {
  return /(^|\/)keydb-[^/]*$/.test(path) ? 'keydb' : undefined;
}

function older(version: string, minimum: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = minimum.split('.').map(Number);
  return major < minMajor || (major === minMajor && minor < minMinor);
}
