/**
 * The way to the journal thread: a ring of octets in shared memory, and a few words beside it. A message port costs more
 * than the disk here: 310 us for a commit of 20 KB against 245 us by this way and 180 us for the bare write and sync.
 */

/** Words of the control array. */
export const PRODUCED = 0;
/** Octets of the ring that are written, and synced where that was asked for. */
export const DONE = 1;
/** Changes whenever the thread has something to look at. */
export const WAKE = 2;
/** Changes whenever the main thread has. */
export const BELL = 3;
/** JournalWriter's `ready`, `want` and `full`. */
export const READY = 4;
export const WANT = 5;
export const FULL = 6;
/** 0: at work, 1: failed, 2: ended. */
export const STATE = 7;
export const STOP = 8;
/** 1: the thread sleeps and has to be woken. */
export const ASLEEP = 9;
export const WORDS = 16;

/** Octets; a power of two. */
export const RING = 4 * 1_048_576;

/** Header of a frame: octets, flags, segment, offset. */
export const FRAME = 16;
/** Octets that one frame carries at most. */
export const MAX_FRAME = RING / 8;
/** The frame's group ends with a sync. */
export const SYNC = 1;
/** Nothing but a way to the beginning of the ring. */
export const PAD = 2;

/** @param {number} octets of a frame's contents */
export const frameOctets = (octets) => FRAME + Math.ceil(octets / FRAME) * FRAME;
