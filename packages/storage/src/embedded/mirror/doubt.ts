/**
 * Whether an index is to be trusted enough to be opened. LevelDB does not return an error for every damage: some make it end
 * the process, and the next start would end in the same way. So what is begun with an index is noted beside it, and an index
 * with which starts keep ending badly is made anew. The note is not synced: it has to survive the process, not the system.
 */
import fs from 'node:fs';

interface Note {
  /** Starts in a row of which none ended well. */
  readonly starts: number;
  /** The last of them, milliseconds since 1970. */
  readonly at: number;
  /** All of the index was being read. */
  readonly reading: boolean;
}

/** After so many starts that did not end well, each soon after the other, the index is made anew. */
const STARTS = 3;
const SOON_MS = 600_000;

export class Doubt {
  readonly #file: string;
  #note: Note = { starts: 0, at: 0, reading: false };

  constructor(index: string) {
    this.#file = `${index}.doubt`;
  }

  /** Notes a start, in which all of the index is read. True: it must not be opened as it is. */
  begin(now: number): boolean {
    const last = this.#read();
    const soon = Math.abs(now - last.at) < SOON_MS;
    const doubtful = last.reading || (soon && last.starts >= STARTS);
    const starts = soon && !doubtful ? last.starts + 1 : 1;
    this.#write({ starts, at: now, reading: true });
    return doubtful;
  }

  /** All of it is being read, or that went well. */
  reading(reading: boolean): void {
    this.#write({ ...this.#note, reading });
  }

  /** It was closed. */
  end(): void {
    try {
      fs.rmSync(this.#file, { force: true });
    } catch {
      // Of a disk that fails: then the index is made anew too often.
    }
  }

  #read(): Note {
    try {
      const [starts, at, reading] = fs.readFileSync(this.#file, 'utf8').split(' ').map(Number);
      return { starts: starts || 0, at: at || 0, reading: reading === 1 };
    } catch {
      return this.#note;
    }
  }

  #write(note: Note): void {
    this.#note = note;
    const { starts, at, reading } = note;
    try {
      fs.writeFileSync(this.#file, `${starts} ${at} ${reading ? 1 : 0}`, { mode: 0o600 });
    } catch {
      // A full disk must not keep the store from opening.
    }
  }
}
