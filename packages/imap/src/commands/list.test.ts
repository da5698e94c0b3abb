import { describe, it } from 'vitest';
import { clients } from '../fixtures/clients.ts';

const mailboxes = {
  INBOX: [],
  'INBOX/Lists': [],
  Fruit: [],
  'Fruit/Apple': [],
  'Fruit/Apple/Red': [],
  Tofu: [],
};

describe('LIST', () => {
  it('matches with * and %, after the reference', async () => {
    const talk = await clients(1, mailboxes);
    await talk`
      C: a LIST "" %
      S: * LIST (\HasChildren) "/" Fruit
      S: * LIST (\HasChildren) "/" INBOX
      S: * LIST (\HasNoChildren) "/" Tofu
      S: a OK LIST completed
      C: b LIST Fruit/ %
      S: * LIST (\HasChildren) "/" Fruit/Apple
      S: b OK LIST completed
      C: c LIST "" inbox
      S: * LIST (\HasChildren) "/" INBOX
      S: c OK LIST completed
      C: d LIST "" "F*d"
      S: * LIST (\HasNoChildren) "/" Fruit/Apple/Red
      S: d OK LIST completed
      C: e LIST "" nope
      S: e OK LIST completed
      C: f LIST "" ""
      S: * LIST (\Noselect) "/" ""
      S: f OK LIST completed`;
  });

  it('several patterns show each name once (RFC 5258 section 5, example 2)', async () => {
    const talk = await clients(1, mailboxes);
    await talk`
      C: a LIST "" ("INBOX" "Fruit/%" Tof% T*)
      S: * LIST (\HasChildren) "/" Fruit/Apple
      S: * LIST (\HasChildren) "/" INBOX
      S: * LIST (\HasNoChildren) "/" Tofu
      S: a OK LIST completed`;
  });

  it('SUBSCRIBED selects, also names without a mailbox; RECURSIVEMATCH tells of what is below', async () => {
    const talk = await clients(1, mailboxes);
    await talk`
      C: a SUBSCRIBE Fruit/Apple/Red
      S: a OK SUBSCRIBE completed
      C: b SUBSCRIBE Gone/Away
      S: b OK SUBSCRIBE completed
      C: c LIST (SUBSCRIBED) "" *
      S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Apple/Red
      S: * LIST (\Noselect \NonExistent \HasNoChildren \Subscribed) "/" Gone/Away
      S: * LIST (\HasChildren \Subscribed) "/" INBOX
      S: c OK LIST completed
      C: d LIST (RECURSIVEMATCH SUBSCRIBED) "" %
      S: * LIST (\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
      S: * LIST (\Noselect \NonExistent \HasNoChildren) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))
      S: * LIST (\HasChildren \Subscribed) "/" INBOX
      S: d OK LIST completed
      C: e LIST "" Fruit/* RETURN (SUBSCRIBED CHILDREN)
      S: * LIST (\HasChildren) "/" Fruit/Apple
      S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Apple/Red
      S: e OK LIST completed
      C: f LIST (RECURSIVEMATCH) "" *
      S: f BAD RECURSIVEMATCH needs an option that selects (RFC 9051 section 6.3.9.1)
      C: g UNSUBSCRIBE Gone/Away
      S: g OK UNSUBSCRIBE completed
      C: h LSUB "" "%"
      S: * LSUB (\Noselect) "/" Fruit
      S: * LSUB () "/" INBOX
      S: h OK LSUB completed
      C: i LIST (SUBSCRIBED REMOTE) "" INBOX
      S: * LIST (\HasChildren \Subscribed) "/" INBOX
      S: i OK LIST completed
      C: j LIST () "" INBOX RETURN ()
      S: * LIST (\HasChildren) "/" INBOX
      S: j OK LIST completed`;
  });

  it('CHILDINFO and STATUS follow what is selected, not what is shown (RFC 9051 section 6.3.9.8, example 11)', async () => {
    const talk = await clients(1, mailboxes);
    await talk.send(
      '',
      'a SUBSCRIBE Fruit/Apple\r\nb SUBSCRIBE Fruit/Apple/Red\r\nc UNSUBSCRIBE INBOX\r\n',
    );
    await talk`
      S: a OK SUBSCRIBE completed
      S: b OK SUBSCRIBE completed
      S: c OK UNSUBSCRIBE completed
      C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" *
      S: * LIST (\HasChildren \Subscribed) "/" Fruit/Apple ("CHILDINFO" ("SUBSCRIBED"))
      S: * LIST (\HasNoChildren \Subscribed) "/" Fruit/Apple/Red
      S: d OK LIST completed
      C: e LIST (SUBSCRIBED RECURSIVEMATCH SUBSCRIBED) "" (% Fruit/%) RETURN (STATUS (MESSAGES))
      S: * LIST (\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
      S: * LIST (\HasChildren \Subscribed) "/" Fruit/Apple ("CHILDINFO" ("SUBSCRIBED"))
      S: * STATUS Fruit/Apple (MESSAGES 0)
      S: e OK LIST completed
      C: f LIST "" Tofu RETURN (STATUS (MESSAGES) STATUS (MESSAGES))
      S: * LIST (\HasNoChildren) "/" Tofu
      S: * STATUS Tofu (MESSAGES 0)
      S: f OK LIST completed`;
  });

  it('REMOTE adds nothing and takes nothing away', async () => {
    const talk = await clients(1, { INBOX: [] });
    await talk`
      C: a SUBSCRIBE Gone/Away
      S: a OK SUBSCRIBE completed
      C: b LIST (REMOTE) "" *
      S: * LIST (\HasNoChildren) "/" INBOX
      S: b OK LIST completed`;
  });

  it('RETURN (STATUS ...) puts STATUS behind each mailbox (RFC 5819, iOS wants that order)', async () => {
    const talk = await clients(1, { INBOX: [], 'a/b': [] });
    await talk`
      C: a LIST "" * RETURN (STATUS (MESSAGES UNSEEN))
      S: * LIST (\HasNoChildren) "/" INBOX
      S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
      S: * LIST (\Noselect \NonExistent \HasChildren) "/" a
      S: * LIST (\HasNoChildren) "/" a/b
      S: * STATUS a/b (MESSAGES 0 UNSEEN 0)
      S: a OK LIST completed
      C: b LIST "" * RETURN (FOO)
      S: b BAD Unknown return option FOO`;
  });

  it('names are modified UTF-7 until UTF-8 is enabled', async () => {
    const talk = await clients(1, { INBOX: [], 'Entwürfe & mehr': [] });
    await talk`
      C: a LIST "" E*
      S: * LIST (\HasNoChildren) "/" "Entw&APw-rfe &- mehr"
      S: a OK LIST completed
      C: b ENABLE IMAP4rev2
      S: * ENABLED IMAP4rev2
      S: b OK ENABLE completed
      C: c LIST "" "Entwü*"
      S: * LIST (\HasNoChildren) "/" "Entwürfe & mehr"
      S: c OK LIST completed`;
  });
});
