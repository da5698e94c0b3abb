/**
 * The transparency of DATA (RFC 5321 section 4.5.2): takes the dots away that the client put before dots, and finds the
 * end. Only CRLF, dot, CRLF ends a message (section 4.1.1.4 says so with MUST NOT), and only after CRLF a dot is taken
 * away: every reading of LF as a line end is a way to smuggle a second message past a neighbour that reads otherwise.
 */

/** How much of CRLF . CRLF the last octets were. `dotCr`: its CR is not handed on yet, it may belong to the end. */
type State = 'text' | 'cr' | 'lineStart' | 'dot' | 'dotCr';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const lineAndDot = Buffer.from('\r\n.');
const heldCr = Buffer.from('\r');

export class DotDecoder {
  /** The CRLF of the DATA command itself stands before the first line. */
  #state: State = 'lineStart';

  /** Hands decoded octets to `emit`; returns where in `chunk` the octet after the end of data is, or -1 if there is no end in it. */
  feed(chunk: Buffer, emit: (octets: Buffer) => void): number {
    const end = chunk.length;
    let state = this.#state;
    let carried = state === 'dotCr';
    let from = 0;
    let at = 0;
    const flush = (to: number) => {
      if (to > from) emit(from === 0 && to === end ? chunk : chunk.subarray(from, to));
    };

    while (at < end) {
      const octet = chunk[at];
      switch (state) {
        case 'text': {
          // Nearly all octets are passed here, by the native search.
          const found = chunk.indexOf(lineAndDot, at);
          if (found < 0) {
            state = tail(chunk, at);
            at = end;
          } else {
            flush(found + 2);
            from = at = found + 3;
            state = 'dot';
          }
          break;
        }
        case 'cr':
          if (octet === LF) state = 'lineStart';
          else if (octet !== CR) state = 'text';
          at++;
          break;
        case 'lineStart':
          if (octet === DOT) {
            flush(at);
            from = at + 1;
            state = 'dot';
          } else {
            state = octet === CR ? 'cr' : 'text';
          }
          at++;
          break;
        case 'dot':
          state = octet === CR ? 'dotCr' : 'text';
          at++;
          break;
        case 'dotCr':
          if (octet === LF) {
            this.#state = 'lineStart';
            return at + 1;
          }
          if (carried) emit(heldCr);
          carried = false;
          state = 'cr'; // looks at this octet again
          break;
      }
    }
    flush(state === 'dotCr' ? end - 1 : end);
    this.#state = state;
    return -1;
  }
}

/** The state after `chunk`, whose octets from `from` on hold no CRLF-dot and do not follow a CR. */
function tail(chunk: Buffer, from: number): State {
  const last = chunk.length - 1;
  if (chunk[last] === CR) return 'cr';
  return chunk[last] === LF && last > from && chunk[last - 1] === CR ? 'lineStart' : 'text';
}
