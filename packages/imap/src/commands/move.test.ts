import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('MOVE', () => {
  it('names the copies before the originals go, and the other client hears of it', async () => {
    const talk = await clients(2, { INBOX: [plain, plain, plain], Archive: [] }); // both have selected INBOX
    const { uidValidity } = await talk.setting.mailbox('Archive');
    await talk`
      C1: a MOVE 2:3 Archive
      S1: * OK [COPYUID ${uidValidity} 2:3 1:2] Moved
      S1: * 3 EXPUNGE
      S1: * 2 EXPUNGE
      S1: a OK MOVE completed
      C2: b NOOP
      S2: * 3 EXPUNGE
      S2: * 2 EXPUNGE
      S2: b OK NOOP completed`;
  });
});
