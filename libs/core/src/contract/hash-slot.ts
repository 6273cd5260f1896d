/** Slots of a Redis Cluster. */
export const SLOTS = 16_384;

/**
 * The slot of every key with this hash tag: its CRC-16 (XMODEM) in a ring of slots, as
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ defines it.
 */
export function slotOf(hashTag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc % SLOTS;
}
