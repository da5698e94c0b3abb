/**
 * The journal's own thread: takes what waits in the ring as one group, writes it, syncs it once. While nothing waits it
 * writes zeros ahead.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { JournalWriter } from './journal-writer.js';
import { nodeDisk } from './node-disk.js';
import {
  ASLEEP,
  BELL,
  DONE,
  FRAME,
  FULL,
  PAD,
  PRODUCED,
  READY,
  RING,
  STATE,
  STOP,
  SYNC,
  WAKE,
  WANT,
  frameOctets,
} from './ring.js';

/** @type {{ directory: string, control: Int32Array, ring: Uint8Array, octets: number, store: Uint8Array, generation: number, ready: number }} */
const { directory, control, ring, octets, store, generation, ready } = workerData;
const writer = new JournalWriter(nodeDisk(directory), { octets, store, generation, ready });
const view = new DataView(ring.buffer, ring.byteOffset, ring.length);

function ringBell() {
  Atomics.add(control, BELL, 1);
  Atomics.notify(control, BELL);
}

/** Writes everything from `from` up to `end` (counts of octets) and syncs if a frame asks for it. */
function writeGroup(/** @type {number} */ from, /** @type {number} */ end) {
  let sync = false;
  /** @type {Uint8Array[]} */
  let parts = [];
  let segment = 0;
  let start = 0;
  let next = 0;
  const flush = () => {
    if (parts.length > 0) writer.write(parts, segment, start);
    parts = [];
  };
  for (let at = from; at !== end;) {
    const frame = at & (RING - 1);
    const length = view.getUint32(frame, true);
    const flags = view.getUint32(frame + 4, true);
    at = (at + frameOctets(length)) | 0;
    if (flags & PAD) continue;
    if (flags & SYNC) sync = true;
    if (length === 0) continue;
    const inSegment = view.getUint32(frame + 8, true);
    const offset = view.getUint32(frame + 12, true);
    if (inSegment !== segment || offset !== next) {
      flush();
      segment = inSegment;
      start = offset;
    }
    parts.push(ring.subarray(frame + FRAME, frame + FRAME + length));
    next = offset + length;
  }
  flush();
  if (sync) writer.sync();
}

/** Returns when it is told to stop. */
function run() {
  let done = Atomics.load(control, DONE);
  // Zeros were written last: a group goes first, even if more of them are due.
  let prepared = false;
  for (;;) {
    const wake = Atomics.load(control, WAKE);
    const produced = Atomics.load(control, PRODUCED);
    if (produced !== done && (prepared || !writer.late)) {
      writeGroup(done, produced);
      done = produced;
      Atomics.store(control, DONE, done);
      ringBell();
      prepared = false;
      continue;
    }
    writer.want = Atomics.load(control, WANT);
    writer.full = Atomics.load(control, FULL) === 1;
    if (produced === done && Atomics.load(control, STOP) === 1) return;
    if (writer.preparing) {
      prepared = true;
      const error = writer.prepare();
      if (error) parentPort?.postMessage({ event: 'no room for a segment', error });
      const changed = writer.full || writer.ready !== Atomics.load(control, READY);
      Atomics.store(control, READY, writer.ready);
      Atomics.store(control, FULL, writer.full ? 1 : 0);
      if (changed) ringBell();
      continue;
    }
    if (produced !== done) continue;
    Atomics.store(control, ASLEEP, 1);
    // Returns at once if WAKE has changed since it was looked at above.
    Atomics.wait(control, WAKE, wake);
    Atomics.store(control, ASLEEP, 0);
  }
}

parentPort?.postMessage({ event: 'started' });
try {
  run();
  writer.close();
  Atomics.store(control, STATE, 2);
} catch (error) {
  // A sync that failed is never tried again: what it lost cannot be known (the pages may be marked clean).
  parentPort?.postMessage({ event: 'journal failed', error });
  Atomics.store(control, STATE, 1);
}
ringBell();
