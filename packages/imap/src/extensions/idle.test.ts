import { describe, it } from 'vitest';
import { clients, plain } from '../fixtures/clients.ts';

describe('IDLE', () => {
  it('tells what happens when it happens', async () => {
    const talk = await clients(2, { INBOX: [plain] });
    await talk`
      C1: a IDLE
      S1: + idling
      C2: b STORE 1 +FLAGS (\Deleted)
      S2: * 1 FETCH (FLAGS (\Deleted))
      S2: b OK STORE completed
      S1: * 1 FETCH (FLAGS (\Deleted))
      C2: c EXPUNGE
      S2: * 1 EXPUNGE
      S2: c OK EXPUNGE completed
      S1: * 1 EXPUNGE`;
    await talk.setting.append('INBOX', plain, plain);
    await talk`
      S1: * 2 EXISTS
      S1: * 2 RECENT
      C1: DONE
      S1: a OK IDLE completed`;
  });

  it('takes the next command from the packet that DONE came in (iOS 18)', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a IDLE
      S: + idling`;
    await talk.send('', 'DONE\r\nb NOOP\r\nc IDLE\r\ndone\r\nd NOOP\r\n');
    await talk`
      S: a OK IDLE completed
      S: b OK NOOP completed
      S: + idling
      S: c OK IDLE completed
      S: d OK NOOP completed`;
  });

  it('says a word now and then, and ends what sleeps for half an hour', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a IDLE
      S: + idling`;
    await talk.setting.clock.advance(9 * 60_000);
    await talk`
      S: * OK Still here
      S: * OK Still here`;
    await talk.setting.clock.advance(18 * 60_000);
    await talk`
      S: * OK Still here
      S: * OK Still here
      S: * OK Still here
      S: * OK Still here`;
    await talk.setting.clock.advance(3 * 60_000);
    await talk`
      S: * OK Still here
      S: * BYE Idle for too long`;
    await talk.closed();
  });

  it('is ended by nothing but DONE', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a IDLE
      S: + idling
      C: b NOOP
      S: a BAD Expected DONE
      C: c NOOP
      S: c OK NOOP completed`;
  });

  it('without a mailbox there is no news, but it may be done', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a UNSELECT
      S: a OK UNSELECT completed
      C: b IDLE
      S: + idling
      C: DONE
      S: b OK IDLE completed`;
  });
});
