/** The parts of a compacted segment's file (segments.ts), with their checksums, for whoever compares copies of it. */
import { crc32 } from 'node:zlib';
import { SEGMENT_HEADER, readSegmentHeader } from '../layout.js';

/** Octets of length and checksum in front of a framed part. */
const FRAME = 8;

/** @typedef {{ at: number, octets: number, whole: boolean }} Part */

/**
 * Undefined: this is no compacted segment, or so damaged that its parts cannot be told.
 *
 * @param {(at: number, octets: number) => Buffer} bytes fewer at the end of the file
 * @param {number} segment
 * @returns {Part[] | undefined}
 */
export function partsOf(bytes, segment) {
  const header = readSegmentHeader(bytes(0, SEGMENT_HEADER));
  if (typeof header !== 'object' || !header.compacted || header.segment !== segment)
    return undefined;
  /** @type {Part[]} */
  const parts = [{ at: 0, octets: SEGMENT_HEADER, whole: true }];
  /** @type {Buffer | undefined} */
  let table;
  for (let at = SEGMENT_HEADER; at < header.data;) {
    const frame = bytes(at, FRAME);
    const length = frame.length < FRAME ? Infinity : frame.readUInt32LE(0);
    if (at + FRAME + length > header.data) return undefined;
    const sum = frame.readUInt32LE(4);
    const contents = bytes(at + FRAME, length);
    const whole = contents.length === length && crc32(contents) === sum;
    if (!table) {
      if (!whole) return undefined;
      table = Buffer.from(contents);
    }
    parts.push({ at, octets: FRAME + length, whole });
    at += FRAME + length;
  }
  if (!table) return undefined;
  let at = header.data;
  for (const { octets, sum } of rangesOf(table)) {
    const range = bytes(at, octets);
    parts.push({ at, octets, whole: range.length === octets && crc32(range) === sum });
    at += octets;
  }
  return parts;
}

/** @param {Buffer} table */
function* rangesOf(table) {
  let at = 28;
  const varint = () => {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const octet = /** @type {number} */ (table[at++]);
      value += (octet & 127) * unit;
      if (octet < 128) return value;
    }
  };
  for (let left = varint(); left > 0; left--) {
    varint();
    const octets = varint();
    const sum = table.readUInt32LE(at);
    at += 4;
    yield { octets, sum };
  }
}
