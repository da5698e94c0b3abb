import { sampleMessages } from '@mail-server-kit/core/testing';
import { describe, it } from 'vitest';
import { clients } from '../fixtures/clients.ts';

const { multipart } = sampleMessages;

describe('BINARY', () => {
  it('undoes the transfer encoding of a part (RFC 9051 section 6.4.5)', async () => {
    const talk = await clients(1, { INBOX: [multipart] });
    await talk`
      C: a FETCH 1 (BINARY.SIZE[1.1] BINARY.PEEK[1.1] BINARY.PEEK[1.1]<9.3> BINARY.PEEK[9])
      S: * 1 FETCH (BINARY.SIZE[1.1] 25 BINARY[1.1] {25}
      S: The café has a new menu. BINARY[1.1]<9> {3}
      S:  ha BINARY[9] NIL)
      S: a OK FETCH completed`;
  });

  it('uses a literal8 for what holds NUL, and sets \\Seen unless it peeks', async () => {
    const octets =
      'Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiYw==\r\n';
    const talk = await clients(1, { INBOX: [octets] });
    await talk`
      C: a FETCH 1 (UID BINARY[1] BINARY[1]<2.9> BINARY.SIZE[1] BINARY[1]<4.1>)
      S: * 1 FETCH (UID 1 BINARY[1] ~{4}
      S: a${'\0'}bc BINARY[1]<2> {2}
      S: bc BINARY.SIZE[1] 4 BINARY[1]<4> "" FLAGS (\Seen))
      S: a OK FETCH completed
      C: b FETCH 1 BINARY[1.MIME]
      S: b BAD BINARY takes part numbers only`;
  });

  it('does not guess what an unknown encoding means; other messages are shown', async () => {
    const octets = 'Content-Transfer-Encoding: x-zip\r\n\r\nabc';
    const talk = await clients(1, { INBOX: [octets, 'a: b\r\n\r\nabc'] });
    await talk`
      C: a FETCH 1:2 (FLAGS BINARY.PEEK[1])
      S: * 2 FETCH (FLAGS () BINARY[1] {3}
      S: abc)
      S: a NO [UNKNOWN-CTE] The transfer encoding of the part is not known
      C: b FETCH 1 BINARY.SIZE[1]
      S: b NO [UNKNOWN-CTE] The transfer encoding of the part is not known`;
  });

  it('a part that nobody can decode is read all the same, which the client hears of (RFC 9051 section 6.4.5)', async () => {
    const strange = 'Content-Transfer-Encoding: x-strange\r\n\r\nx';
    const talk = await clients(1, { INBOX: [strange, 'a: b\r\n\r\nx'] });
    await talk`
      C: a UID FETCH 1:2 BINARY[1]
      S: * 1 FETCH (UID 1 FLAGS (\Seen))
      S: * 2 FETCH (UID 2 BINARY[1] {1}
      S: x FLAGS (\Seen))
      S: a NO [UNKNOWN-CTE] The transfer encoding of the part is not known`;
  });
});
