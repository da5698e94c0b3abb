/**
 * The outer form of the journal: segment files, their headers, and the headers of records. Described byte by byte in
 * docs/implement/store-format.md. Plain JavaScript, because the journal thread uses it without a build.
 */
import { crc32 } from 'node:zlib';
import { crcAfter } from './crc.js';

/** Raised when a change makes older readers misunderstand; a reader refuses what asks for a later one. */
export const FORMAT = 2;

/** Of the payloads that are written. Those of version 1 are read too. */
export const PAYLOAD = 2;

export const SEGMENT_HEADER = 64;
export const RECORD_HEADER = 32;
/** Records begin at multiples of this. */
export const ALIGN = 16;

const MAGIC = Buffer.from('MSKJRNL\n', 'latin1');
/** Of a segment that holds only what is still needed (segments.ts). */
const COMPACTED = Buffer.from('MSKCMPC\n', 'latin1');

/** Types of records. */
export const COMMIT = 1;
export const CHUNK = 2;
/** Says only up to where everything was durable; written when a store is closed. */
export const MARK = 3;
/** The whole state of one thing (fold.ts): changes of it before that are dead. */
export const FOLD = 4;

/**
 * @typedef {object} SegmentHeader
 * @property {number} segment counts from 1
 * @property {number} octets of the whole segment as it was written
 * @property {number} generation one more with each start of a mirror without its other half
 * @property {Uint8Array} store 16 octets that tell one store from another
 * @property {boolean} compacted
 * @property {number} data of a compacted segment: where its octets begin in the file
 */

/** @param {number} segment */
export const segmentName = (segment) => `${String(segment).padStart(10, '0')}.journal`;

/** @param {string} name @returns {number | undefined} */
export function segmentOf(name) {
  const match = /^(\d{10})\.journal$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * @param {Omit<SegmentHeader, 'compacted' | 'data'> & { data?: number }} header with `data`: of a compacted segment
 * @returns {Uint8Array}
 */
export function segmentHeader({ segment, octets, generation, store, data }) {
  const bytes = Buffer.alloc(SEGMENT_HEADER);
  (data === undefined ? MAGIC : COMPACTED).copy(bytes, 0);
  bytes.writeUInt16LE(FORMAT, 8);
  bytes.writeUInt16LE(FORMAT, 10);
  bytes.writeUInt32LE(segment, 12);
  bytes.set(store, 16);
  bytes.writeUInt32LE(generation, 32);
  bytes.writeUInt32LE(octets, 36);
  bytes.writeUInt32LE(data ?? 0, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/**
 * @param {Uint8Array} octets
 * @returns {SegmentHeader | 'damaged' | 'too new'}
 */
export function readSegmentHeader(octets) {
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  if (bytes.length < SEGMENT_HEADER) return 'damaged';
  const compacted = bytes.subarray(0, 8).equals(COMPACTED);
  if (!compacted && !bytes.subarray(0, 8).equals(MAGIC)) return 'damaged';
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return 'damaged';
  // The second number is the oldest reader that understands the file.
  if (bytes.readUInt16LE(10) > FORMAT) return 'too new';
  return {
    segment: bytes.readUInt32LE(12),
    store: Uint8Array.from(bytes.subarray(16, 32)),
    generation: bytes.readUInt32LE(32),
    octets: bytes.readUInt32LE(36),
    compacted,
    data: bytes.readUInt32LE(40),
  };
}

/**
 * @typedef {object} RecordHeader
 * @property {number} segment
 * @property {number} octets of the payload
 * @property {number} lsn
 * @property {number} type
 * @property {number} version of the payload's form
 * @property {number} algorithm 0: not encrypted
 * @property {number} durable everything up to this LSN was on disk when the record was written
 * @property {number} bodies octets of message records and bodies in front of the changes of a commit
 */

/**
 * What checksums of records begin with. It comes from the store's own random id, so that nobody can send mail whose octets
 * would pass for a record of this journal.
 *
 * @param {Uint8Array} store
 */
export const seedOf = (store) => crc32(store);

/**
 * @typedef {object} RecordPart octets of a record's payload
 * @property {Uint8Array} bytes
 * @property {number} [crc] their checksum, if it need not be computed again
 */

/**
 * Writes the header of a record whose payload consists of `parts`.
 *
 * @param {Buffer} bytes RECORD_HEADER octets
 * @param {readonly RecordPart[]} parts
 * @param {Omit<RecordHeader, 'octets' | 'version' | 'algorithm'>} header
 * @param {number} seed
 */
export function sealRecord(bytes, parts, header, seed) {
  let payload = 0;
  let sum = seed;
  for (const { bytes: part, crc } of parts) {
    payload += part.length;
    sum = crc === undefined ? crc32(part, sum) : crcAfter(sum, crc, part.length);
  }
  bytes.writeUInt32LE(header.segment, 0);
  bytes.writeUInt32LE(payload, 4);
  bytes.writeUIntLE(header.lsn, 8, 6);
  bytes[14] = header.type;
  bytes[15] = PAYLOAD;
  bytes[16] = 0;
  bytes[17] = 0;
  bytes.writeUIntLE(header.durable, 18, 6);
  bytes.writeUInt32LE(header.bodies, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28), sum), 28);
}

/** Over the payload, then the header up to the sum itself. @param {Buffer} record @param {number} seed */
const recordSum = (record, seed) =>
  crc32(record.subarray(0, 28), crc32(record.subarray(RECORD_HEADER), seed));

/**
 * The header alone; whether the record is whole, `isWhole` tells.
 *
 * @param {Buffer} bytes
 * @param {number} at
 * @returns {RecordHeader}
 */
export function readRecordHeader(bytes, at) {
  return {
    segment: bytes.readUInt32LE(at),
    octets: bytes.readUInt32LE(at + 4),
    lsn: bytes.readUIntLE(at + 8, 6),
    type: /** @type {number} */ (bytes[at + 14]),
    version: /** @type {number} */ (bytes[at + 15]),
    algorithm: /** @type {number} */ (bytes[at + 16]),
    durable: bytes.readUIntLE(at + 18, 6),
    bodies: bytes.readUInt32LE(at + 24),
  };
}

/** @param {Buffer} record header and payload, nothing else @param {number} seed */
export const isWhole = (record, seed) => recordSum(record, seed) === record.readUInt32LE(28);

/** @param {number} octets */
export const aligned = (octets) => Math.ceil(octets / ALIGN) * ALIGN;

/** A place in the journal as one number. @param {number} segment @param {number} offset */
export const placeOf = (segment, offset) => segment * 0x1_0000_0000 + offset;
/** @param {number} place */
export const segmentAt = (place) => Math.floor(place / 0x1_0000_0000);
/** @param {number} place */
export const offsetAt = (place) => place % 0x1_0000_0000;
