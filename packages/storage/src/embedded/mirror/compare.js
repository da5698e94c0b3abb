/**
 * Copies of a segment, compared record by record: what is whole in one of them is written over what is not in the others. Also
 * makes copies. Each function gives way after about a megabyte (it is a generator of octets) so that a thread can keep to a
 * rate, and a test can stop it anywhere. Plain JavaScript, because the mirror's thread uses it without a build.
 */
import {
  ALIGN,
  MARK,
  RECORD_HEADER,
  SEGMENT_HEADER,
  aligned,
  isWhole,
  readRecordHeader,
  readSegmentHeader,
  segmentName,
} from '../layout.js';
import { partsOf } from './compacted.js';

/** @typedef {import('@mail-server-kit/core').Disk} Disk */
/** @typedef {import('@mail-server-kit/core').DiskFile} DiskFile */
/** @typedef {import('./compacted.js').Part} Part */

/**
 * @typedef {object} Finding
 * @property {number} copy which of the copies was not as it should be; -1: none is
 * @property {number} segment
 * @property {number} offset
 * @property {number} octets
 * @property {boolean} healed
 */

/**
 * @typedef {object} SettleOptions
 * @property {number} segment
 * @property {number} seed of the store's checksums
 * @property {number} [start] offset of a record; absent: the first
 * @property {number} [end] offset behind the last record that is to be looked at; absent: the whole file
 * @property {boolean} [lead] the first copy is right wherever it is whole. Absent: they are equals
 * @property {boolean} [sealed] nothing is written here any more, so that what follows the last record has to be zero
 */

/**
 * @typedef {object} Settled
 * @property {Finding[]} findings
 * @property {number} end offset behind the last record
 * @property {number | undefined} conflict offset at which two copies are whole and differ
 */

const WINDOW = 1_048_576;
const PAGE = 4096;
const zeros = Buffer.alloc(WINDOW);

/** What went wrong on one of the copies, so that whoever called knows which disk is to blame. */
export class CopyError extends Error {
  /** @param {number} copy @param {unknown} cause */
  constructor(copy, cause) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'CopyError';
    this.copy = copy;
  }
}

class Copy {
  /** @type {DiskFile | undefined} */
  #file;
  #writable = false;
  #dirty = false;
  #window = Buffer.alloc(0);
  #start = 0;

  /** @param {Disk} disk @param {string} name @param {number} index */
  constructor(disk, name, index) {
    this.disk = disk;
    this.name = name;
    this.index = index;
    try {
      this.#file = disk.open(name, 'read');
    } catch {
      // Reads as if it were empty.
    }
  }

  /** Octets from `at` on, fewer at the end of the file. What the disk refuses to give is no zero. @param {number} at @param {number} octets */
  bytes(at, octets) {
    if (at < this.#start || at + octets > this.#start + this.#window.length) {
      const window = Buffer.allocUnsafeSlow(Math.max(WINDOW, octets));
      this.#window = window.subarray(0, this.#read(window, at));
      this.#start = at;
    }
    return this.#window.subarray(at - this.#start, at - this.#start + octets);
  }

  /** @param {Buffer} into @param {number} at */
  #read(into, at) {
    if (!this.#file) return 0;
    try {
      return this.#file.read(into, at);
    } catch {
      return this.#readPages(this.#file, into, at);
    }
  }

  /** @param {DiskFile} file @param {Buffer} into @param {number} at */
  #readPages(file, into, at) {
    for (let from = 0; from < into.length; from += PAGE) {
      const page = into.subarray(from, from + PAGE);
      try {
        const octets = file.read(page, at + from);
        if (octets < page.length) return from + octets;
      } catch {
        page.fill(0xff);
      }
    }
    return into.length;
  }

  /** Octets of the record at `at`, with its header; 0: there is none. @param {number} at @param {number} segment @param {number} limit @param {number} seed */
  whole(at, segment, limit, seed) {
    const head = this.bytes(at, RECORD_HEADER);
    if (head.length < RECORD_HEADER || head.readUInt32LE(0) !== segment) return 0;
    const octets = RECORD_HEADER + readRecordHeader(head, 0).octets;
    if (at + octets > limit) return 0;
    const record = this.bytes(at, octets);
    return record.length === octets && isWhole(record, seed) ? octets : 0;
  }

  /** Of a compacted segment. @param {number} segment */
  parts(segment) {
    return partsOf((at, octets) => this.bytes(at, octets), segment);
  }

  /** After the file was replaced. */
  reopen() {
    this.#file?.close();
    this.#window = Buffer.alloc(0);
    this.#writable = false;
    this.#file = this.disk.open(this.name, 'read');
  }

  /** @param {number} at @param {number} end */
  isZero(at, end) {
    for (; at < end; at += WINDOW) {
      const octets = Math.min(WINDOW, end - at);
      const bytes = this.bytes(at, octets);
      if (bytes.length < octets || bytes.compare(zeros, 0, octets) !== 0) return false;
    }
    return true;
  }

  /** @param {Uint8Array} bytes @param {number} at */
  write(bytes, at) {
    try {
      if (!this.#writable) {
        this.#file?.close();
        this.#file = this.disk.open(this.name, 'write');
        this.#writable = true;
      }
      /** @type {DiskFile} */ (this.#file).write([bytes], at);
      this.#dirty = true;
      this.#window = Buffer.alloc(0);
    } catch (error) {
      throw new CopyError(this.index, error);
    }
  }

  close() {
    try {
      if (this.#dirty) this.#file?.sync();
    } catch (error) {
      throw new CopyError(this.index, error);
    } finally {
      this.#file?.close();
      this.#file = undefined;
    }
  }
}

/**
 * Makes copies of one segment equal. Two that are whole and differ are not settled unless one leads: that is `conflict`.
 *
 * @param {readonly Disk[]} disks
 * @param {SettleOptions} options
 * @returns {Generator<number, Settled>}
 * @throws {CopyError} one of them cannot be written
 */
export function* settle(disks, options) {
  const { segment } = options;
  const copies = disks.map((disk, index) => new Copy(disk, segmentName(segment), index));
  /** @type {Finding[]} */
  const findings = [];
  try {
    const forms = copies.map((copy) => copy.parts(segment));
    if (forms.every((parts) => parts === undefined)) {
      return { findings, ...(yield* settleRecords(copies, options, findings)) };
    }
    yield* settleCompacted(copies, forms, options, findings);
    return { findings, end: SEGMENT_HEADER, conflict: undefined };
  } finally {
    /** @type {unknown} */
    let failed;
    for (const copy of copies) {
      try {
        copy.close();
      } catch (error) {
        failed ??= error;
      }
    }
    if (failed) throw failed;
  }
}

/**
 * Compacted segments are made anew as a whole: copies are alike, or one is of an earlier form and is replaced.
 *
 * @param {readonly Copy[]} copies
 * @param {readonly (Part[] | undefined)[]} forms
 * @param {SettleOptions} options
 * @param {Finding[]} findings
 * @returns {Generator<number, void>}
 */
function* settleCompacted(copies, forms, { segment }, findings) {
  // A whole one, or else the one that has most of it.
  const damage = forms.map((parts) => parts?.filter(({ whole }) => !whole).length ?? Infinity);
  const best = damage.indexOf(Math.min(...damage));
  const source = /** @type {Copy} */ (copies[best]);
  const parts = /** @type {Part[]} */ (forms[best]);
  for (const [i, copy] of copies.entries()) {
    const own = forms[i];
    const alike = own?.length === parts.length && own.every(({ at }, n) => at === parts[n]?.at);
    if (copy === source || alike) continue;
    yield* copyWhole(source.disk, copy.disk, copy.name, i);
    findings.push({ copy: i, segment, offset: 0, octets: parts.at(-1)?.at ?? 0, healed: true });
    copy.reopen();
  }
  for (const [n, { at, octets }] of parts.entries()) {
    const good = copies.findIndex((copy, i) =>
      copy === source ? parts[n]?.whole : (forms[i]?.[n]?.whole ?? parts[n]?.whole),
    );
    yield octets;
    if (good < 0) {
      findings.push({ copy: -1, segment, offset: at, octets, healed: false });
      continue;
    }
    const bytes = Buffer.from(/** @type {Copy} */ (copies[good]).bytes(at, octets));
    for (const [i, copy] of copies.entries()) {
      if (i === good || bytes.equals(copy.bytes(at, octets))) continue;
      copy.write(bytes, at);
      findings.push({ copy: i, segment, offset: at, octets, healed: true });
    }
  }
}

/**
 * @param {readonly Copy[]} copies
 * @param {SettleOptions} options
 * @param {Finding[]} findings
 * @returns {Generator<number, Pick<Settled, 'end' | 'conflict'>>}
 */
function* settleRecords(copies, options, findings) {
  const { segment, seed, start = SEGMENT_HEADER, end, lead = false, sealed = false } = options;
  const limit = settleHeader(copies, segment, findings);
  if (limit === 0) return { end: 0, conflict: undefined };
  const stop = Math.min(end ?? limit, limit);
  let at = start;
  let told = at;
  // The last record says that the store was closed, on every side: nothing can follow.
  let marked = false;
  while (at < stop) {
    const lengths = copies.map((copy) => copy.whole(at, segment, limit, seed));
    let good = lengths.findIndex((octets) => octets > 0);
    // Where the one that leads has ended, what the others have was never acknowledged.
    if (lead && good > 0 && /** @type {Copy} */ (copies[0]).isZero(at, limit)) good = -1;
    if (good < 0) {
      const next = nextWhole(lead ? copies.slice(0, 1) : copies, at + ALIGN, stop, (copy, place) =>
        copy.whole(place, segment, limit, seed),
      );
      if (next === undefined) break;
      findings.push({ copy: -1, segment, offset: at, octets: next - at, healed: false });
      at = next;
      continue;
    }
    const octets = Math.min(aligned(/** @type {number} */ (lengths[good])), limit - at);
    const source = /** @type {Copy} */ (copies[good]);
    const record = Buffer.from(source.bytes(at, octets));
    marked = record[14] === MARK;
    for (const [i, copy] of copies.entries()) {
      if (copy === source || record.equals(copy.bytes(at, octets))) continue;
      if (lengths[i] !== 0 && !lead && differ(record, copy, at, lengths[i])) {
        return { end: at, conflict: at };
      }
      copy.write(record, at);
      findings.push({ copy: i, segment, offset: at, octets, healed: true });
      marked = false;
    }
    at += octets;
    if (at - told >= WINDOW) {
      yield at - told;
      told = at;
    }
  }
  if (end === undefined && !(marked && !sealed)) {
    yield at - told;
    yield* settleRest(copies, { segment, at, limit, lead, sealed }, findings);
  } else yield at - told;
  return { end: at, conflict: undefined };
}

/** Padding does not count. @param {Buffer} record @param {Copy} copy @param {number} at @param {number} [octets] */
const differ = (record, copy, at, octets = 0) =>
  !record.subarray(0, octets).equals(copy.bytes(at, octets));

/** Octets of the segment; 0: no copy has a header. @param {readonly Copy[]} copies @param {number} segment @param {Finding[]} findings */
function settleHeader(copies, segment, findings) {
  const headers = copies.map((copy) => readSegmentHeader(copy.bytes(0, SEGMENT_HEADER)));
  const good = headers.findIndex(
    (header) => typeof header === 'object' && header.segment === segment,
  );
  const found = headers[good];
  if (typeof found !== 'object') {
    findings.push({ copy: -1, segment, offset: 0, octets: SEGMENT_HEADER, healed: false });
    return 0;
  }
  const bytes = Buffer.from(/** @type {Copy} */ (copies[good]).bytes(0, SEGMENT_HEADER));
  for (const [i, copy] of copies.entries()) {
    if (i === good || bytes.equals(copy.bytes(0, SEGMENT_HEADER))) continue;
    copy.write(bytes, 0);
    findings.push({ copy: i, segment, offset: 0, octets: SEGMENT_HEADER, healed: true });
  }
  return found.octets;
}

/**
 * The next place at which one of them has a record.
 *
 * @param {readonly Copy[]} copies
 * @param {number} from
 * @param {number} end
 * @param {(copy: Copy, at: number) => number} whole
 * @returns {number | undefined}
 */
function nextWhole(copies, from, end, whole) {
  for (let at = from; at < end;) {
    const window = Math.min(end, at + WINDOW);
    if (copies.every((copy) => copy.isZero(at, window))) {
      at = window;
      continue;
    }
    for (; at < window; at += ALIGN) {
      if (copies.some((copy) => whole(copy, at) > 0)) return at;
    }
  }
  return undefined;
}

/**
 * What follows the last record: zeros, or the rest of a torn group that nobody was told of.
 *
 * @param {readonly Copy[]} copies
 * @param {{ segment: number, at: number, limit: number, lead: boolean, sealed: boolean }} where
 * @param {Finding[]} findings
 * @returns {Generator<number, void>}
 */
function* settleRest(copies, { segment, at, limit, lead, sealed }, findings) {
  const clean = copies.findIndex((copy) => copy.isZero(at, limit));
  const source = /** @type {Copy} */ (copies[lead || clean < 0 ? 0 : clean]);
  if (sealed && clean < 0) {
    findings.push({ copy: -1, segment, offset: at, octets: limit - at, healed: false });
  }
  const before = findings.length;
  for (; at < limit; at += WINDOW) {
    const octets = Math.min(WINDOW, limit - at);
    const bytes = source.bytes(at, octets);
    for (const [i, copy] of copies.entries()) {
      if (copy === source || bytes.equals(copy.bytes(at, octets))) continue;
      copy.write(bytes, at);
      const known = findings.slice(before).some((finding) => finding.copy === i);
      if (sealed && !known) findings.push({ copy: i, segment, offset: at, octets, healed: true });
    }
    yield octets;
  }
}

/**
 * Makes the second disk's copy of a segment, and looks at both again. A copy that is there already, of the same length, is
 * kept as far as it is right: an old one may be whole where the first is damaged.
 *
 * @param {readonly Disk[]} disks from, to
 * @param {SettleOptions} options
 * @returns {Generator<number, Settled>}
 */
export function* fill(disks, options) {
  const [from, to] = /** @type {[Disk, Disk]} */ (disks);
  const name = segmentName(options.segment);
  if (!isAlike(from, to, name)) yield* copyWhole(from, to, name);
  return yield* settle(disks, { ...options, lead: true });
}

/** Of one form and length. @param {Disk} from @param {Disk} to @param {string} name */
function isAlike(from, to, name) {
  if (!to.list().includes(name)) return false;
  const [a, b] = [from, to].map((disk) => {
    const file = disk.open(name, 'read');
    try {
      const head = Buffer.alloc(SEGMENT_HEADER);
      file.read(head, 0);
      return { head, size: file.size() };
    } catch {
      return undefined;
    } finally {
      file.close();
    }
  });
  return a !== undefined && b !== undefined && a.size === b.size && a.head.equals(b.head);
}

/** @param {Disk} from @param {Disk} to @param {string} name @param {number} [copy] which one `to` is @returns {Generator<number, void>} */
function* copyWhole(from, to, name, copy = 1) {
  const source = new Copy(from, name, 0);
  try {
    yield* writeWhole(to, name, copy, (at) => source.bytes(at, WINDOW));
  } finally {
    source.close();
  }
}

/** Only a whole file gets the name. @param {Disk} to @param {string} name @param {number} copy @param {(at: number) => Uint8Array} bytesAt @returns {Generator<number, void>} */
function* writeWhole(to, name, copy, bytesAt) {
  try {
    const file = to.open(`${name}.copy`, 'write');
    try {
      file.truncate(0);
      for (let at = 0; ;) {
        const bytes = bytesAt(at);
        if (bytes.length === 0) break;
        file.write([bytes], at);
        at += bytes.length;
        yield bytes.length;
      }
      file.sync();
    } finally {
      file.close();
    }
    to.rename(`${name}.copy`, name);
    to.syncDirectory();
  } catch (error) {
    throw new CopyError(copy, error);
  }
}

/**
 * A segment with the header that the first disk has, and nothing in it yet, in place of whatever the second one has.
 *
 * @param {readonly Disk[]} disks from, to
 * @param {{ segment: number }} options
 * @returns {Generator<number, Settled>}
 */
export function* blank([from, to], { segment }) {
  const name = segmentName(segment);
  const source = new Copy(/** @type {Disk} */ (from), name, 0);
  const head = Buffer.from(source.bytes(0, SEGMENT_HEADER));
  source.close();
  const header = readSegmentHeader(head);
  if (typeof header !== 'object') throw new CopyError(0, new Error(`${name} has no header`));
  yield* writeWhole(/** @type {Disk} */ (to), name, 1, (at) => {
    const bytes = Buffer.alloc(Math.min(WINDOW, header.octets - at));
    if (at === 0) head.copy(bytes);
    return bytes;
  });
  return { findings: [], end: SEGMENT_HEADER, conflict: undefined };
}

/** By the name that a job asks for. */
export const jobs = { settle, fill, blank };
