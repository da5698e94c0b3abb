/**
 * What line ends a message may have. Lines end with CRLF, and CR and LF occur nowhere else (RFC 5321 section 2.3.8 and
 * RFC 5322 section 2.3). Where a message with a bare CR or LF goes on to a server that reads it as a line end, one
 * message becomes two ("SMTP smuggling"), so strangers are refused. Scripts and curl send LF by honest mistake: for
 * authenticated submission it is turned into CRLF.
 */
import { Refused, reply } from './reply.ts';

const CR = 0x0d;
const LF = 0x0a;
const crlf = Buffer.from('\r\n');

const bare = reply(
  550,
  '5.6.11',
  'Bare CR or LF in the message; lines end with CRLF (RFC 5321 section 2.3.8)',
);
/**
 * NUL is in no form of a text message: neither 7bit nor 8bit data may hold it (RFC 2045 sections 2.7 and 2.8), only
 * `binary`, which needs BINARYMIME (RFC 3030 section 3), which is not offered. 5.6.1 says just that: this medium is not
 * supported by the delivery protocol (RFC 3463 section 3.7). To take NUL away would change a message silently, and what
 * stays behind it is read by some programs and not by others.
 */
const nul = reply(550, '5.6.1', 'NUL in the message; only text is accepted (RFC 2045 section 2.8)');

export interface LineEnds {
  /** Checks the next octets and returns them, in the normal case untouched. @throws Refused */
  pass(chunk: Buffer): Buffer;
  /** What is still to come behind the last octet: a CRLF, if the last line had none. @throws Refused */
  end(): Buffer | undefined;
}

export function createLineEnds(policy: 'refuse' | 'normalize'): LineEnds {
  let afterCr = false;
  let lineStart = true;

  return {
    pass(chunk) {
      if (chunk.length === 0) return chunk;
      if (chunk.includes(0)) throw new Refused(nul);
      const start = afterCr && chunk[0] === LF ? 1 : 0;
      const clean = (start === 1 || !afterCr) && isClean(chunk, start);
      if (!clean && policy === 'refuse') throw new Refused(bare);
      const last = chunk[chunk.length - 1];
      const octets = clean ? chunk : normalize(chunk, afterCr);
      afterCr = last === CR;
      lineStart = last === LF;
      return octets;
    },
    end() {
      if (afterCr && policy === 'refuse') throw new Refused(bare);
      if (afterCr) return crlf.subarray(1);
      // A last line without line end can come with BDAT only. Hashes of DKIM treat it as if it had one (RFC 6376 section 3.4.3).
      return lineStart ? undefined : crlf;
    },
  };
}

/** Whether CR and LF stand together everywhere from `from` on; a CR as the last octet may still get its LF. */
function isClean(chunk: Buffer, from: number): boolean {
  for (let at = from; ;) {
    const cr = chunk.indexOf(CR, at);
    const lf = chunk.indexOf(LF, at);
    if (cr < 0) return lf < 0;
    if (lf !== cr + 1) return lf < 0 && cr === chunk.length - 1;
    at = lf + 1;
  }
}

/** `afterCr`: the octet before `chunk` was a CR, and its LF is not handed on yet. */
function normalize(chunk: Buffer, afterCr: boolean): Buffer {
  const parts: Buffer[] = [];
  if (afterCr && chunk[0] !== LF) parts.push(crlf.subarray(1));
  let from = 0;
  const skip = afterCr && chunk[0] === LF ? 1 : 0;
  let cr = chunk.indexOf(CR, skip);
  let lf = chunk.indexOf(LF, skip);
  const lineEndsAt = (at: number) => {
    parts.push(chunk.subarray(from, at), crlf);
    from = at + 1;
  };
  while (cr >= 0 || lf >= 0) {
    if (cr >= 0 && (lf < 0 || cr < lf)) {
      if (lf === cr + 1) lf = chunk.indexOf(LF, lf + 1);
      else if (cr === chunk.length - 1) break;
      else lineEndsAt(cr);
      cr = chunk.indexOf(CR, cr + 1);
    } else {
      lineEndsAt(lf);
      lf = chunk.indexOf(LF, lf + 1);
    }
  }
  parts.push(chunk.subarray(from));
  return Buffer.concat(parts);
}
