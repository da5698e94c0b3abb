/** Octets on their way in, cut to even chunks. */
import { MailError, type StageOptions } from '@mail-server-kit/core';
import type { Share } from './room.ts';

export const CHUNK_OCTETS = 262_144;

/**
 * Hands the octets on in own copies of `chunkOctets`, the last one shorter. Whoever gave them may use their buffers again.
 * `share` is charged as they arrive, before they fill a chunk.
 * @throws MailError TOOBIG beyond the limit, LIMIT; whatever `take` or the source throws
 */
export async function collect(
  octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { sizeHint = 0, limit = Infinity }: StageOptions,
  share: Share,
  take: (chunk: Uint8Array) => void | Promise<void>,
  chunkOctets = CHUNK_OCTETS,
): Promise<number> {
  if (sizeHint > limit) throw new MailError('TOOBIG', 'Message too big');
  share.expect(sizeHint);
  let parts: Uint8Array[] = [];
  let waiting = 0;
  let size = 0;
  for await (const part of octets) {
    size += part.length;
    if (size > limit) throw new MailError('TOOBIG', 'Message too big');
    share.take(part.length);
    for (let at = 0; at < part.length;) {
      const end = Math.min(part.length, at + chunkOctets - waiting);
      // Not `part.slice`: that of a Buffer is no copy.
      parts.push(new Uint8Array(part.subarray(at, end)));
      waiting += end - at;
      at = end;
      if (waiting < chunkOctets) continue;
      await take(join(parts, waiting));
      parts = [];
      waiting = 0;
    }
  }
  if (waiting > 0) await take(join(parts, waiting));
  return size;
}

function join(parts: readonly Uint8Array[], octets: number): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, octets);
}
