/** The mailboxes that the IMAP scenarios work on, and how they are filled where no scenario does it. */
import { ImapClient } from './imap-client.ts';

export type MailboxName = 'bench' | 'fresh' | 'big';

export interface Mailbox {
  readonly user: string;
  readonly name: string;
  readonly messages: number;
}

export function mailboxes(quick: boolean): Readonly<Record<MailboxName, Mailbox>> {
  return {
    bench: { user: 'bench@example.test', name: 'bench', messages: quick ? 2000 : 10_000 },
    /** The scenario `append` makes it anew in each round: nobody has read in it yet. */
    fresh: { user: 'bench@example.test', name: 'fresh', messages: quick ? 1000 : 5000 },
    big: { user: 'big@example.test', name: 'big', messages: quick ? 10_000 : 100_000 },
  };
}

/** Fills a large mailbox: 1,000 small messages by APPEND, the others as copies of them. */
export async function fillByCopying(port: number, mailbox: Mailbox): Promise<void> {
  const { user, name, messages } = mailbox;
  const client = await ImapClient.login(port, user);
  await client.command(`CREATE ${name}`);
  const body = `From: a@peer.test\r\nTo: ${user}\r\nSubject: one of many\r\n\r\nText.\r\n`;
  const first = Math.min(1000, messages);
  for (let i = 0; i < first; i++) {
    await client.command(`APPEND ${name} {${body.length}+}\r\n${body}`);
  }
  await client.command(`SELECT ${name}`);
  for (let have = first; have < messages;) {
    const more = Math.min(have, messages - have);
    await client.command(`COPY 1:${more} ${name}`);
    have += more;
    await client.command('NOOP');
  }
  const have = await client.messages(name);
  client.close();
  if (have !== messages) throw new Error(`${name} has ${have} messages, not ${messages}`);
}
