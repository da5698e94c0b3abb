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
});
