/** Compares and copies segments beside the journal's own thread, no faster than it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { nodeDisk } from '../node-disk.js';
import { CopyError, jobs } from './compare.js';
import { ABORT, RUNNING, STOP } from './runner-words.js';

/** @type {{ words: Int32Array, octetsPerSecond: number }} */
const { words, octetsPerSecond } = workerData;
const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const stopped = () => Atomics.load(words, STOP) === 1;
const aborted = () => stopped() || Atomics.load(words, ABORT) === 1;

/** A job that is taken back writes nothing any more, not even by a call that hung. @param {string} folder */
function guardedDisk(folder) {
  const disk = nodeDisk(folder);
  return {
    ...disk,
    /** @param {string} name @param {'read' | 'write'} mode */
    open(name, mode) {
      if (mode === 'write' && aborted()) throw new Error('taken back');
      return disk.open(name, mode);
    },
  };
}

/** @param {{ id: number, kind: keyof typeof jobs, folders: string[], options: import('./compare.js').SettleOptions }} job */
function run({ id, kind, folders, options }) {
  const steps = jobs[kind](folders.map(guardedDisk), options);
  const since = performance.now();
  let octets = 0;
  for (;;) {
    if (aborted()) {
      steps.return({ findings: [], end: 0, conflict: undefined });
      return { id, taken: true };
    }
    const step = steps.next();
    if (step.done) return { id, settled: step.value };
    octets += step.value;
    port.postMessage({ id, octets: step.value });
    const wait = (octets / octetsPerSecond) * 1000 - (performance.now() - since);
    if (wait > 0) Atomics.wait(words, ABORT, 0, wait);
  }
}

port.on('message', (job) => {
  if (stopped()) {
    port.close();
    return;
  }
  Atomics.store(words, ABORT, 0);
  Atomics.store(words, RUNNING, 1);
  let answer;
  try {
    answer = run(job);
  } catch (error) {
    const copy = error instanceof CopyError ? error.copy : undefined;
    answer = { id: job.id, copy, error: error instanceof CopyError ? error.cause : error };
    if (aborted()) answer = { id: job.id, taken: true };
  }
  Atomics.store(words, RUNNING, 0);
  Atomics.notify(words, RUNNING);
  port.postMessage(answer);
  if (stopped()) port.close();
});
