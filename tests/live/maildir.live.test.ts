/** What `export-maildir` writes, read by Dovecot: the same messages, uids, flags, dates and subscriptions. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { AccountId, MailboxId, Uid } from '@mail-server-kit/core';
import { factsOf } from '@mail-server-kit/mime';
import { openEmbeddedStore } from '@mail-server-kit/storage';
import { itWith, succeed } from './programs.ts';

const messages = Array.from({ length: 30 }, (_, i) =>
  Buffer.from(
    `From: a@example.test\r\nSubject: message ${i}\r\n\r\n${'Grüße.\r\n.\r\n'.repeat(i * 100)}`,
  ),
);
/** Dovecot gives mail to no root: as root it runs as nobody. */
const asRoot = process.getuid?.() === 0;
const person = asRoot ? 65_534 : process.getuid?.();

describe('an exported Maildir, read by Dovecot', () => {
  let folder: string;
  let configuration: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'maildir-'));
    await fill(join(folder, 'mail'));
    configuration = join(folder, 'dovecot.conf');
    writeFileSync(
      configuration,
      `mail_location = maildir:${folder}/out/alice
mail_plugins = listescape
mail_uid = ${person}
mail_gid = ${person}
first_valid_uid = ${person}
first_valid_gid = ${person}
base_dir = ${folder}/run
log_path = /dev/stderr
namespace inbox {
  inbox = yes
  separator = /
}
`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const it = itWith('doveadm');

  const doveadm = (...args: string[]) =>
    succeed('setpriv', [...privileges, 'doveadm', '-c', configuration, '-f', 'tab', ...args], {
      env: { USER: 'alice', HOME: folder },
    });

  const privileges = asRoot
    ? [`--reuid=${person}`, `--regid=${person}`, '--clear-groups']
    : ['--nnp'];

  async function table(...args: string[]): Promise<string[][]> {
    const [, ...lines] = (await doveadm(...args)).trimEnd().split('\n');
    return lines.map((line) => line.split('\t'));
  }

  it('has every message with its uid, flags and date, and every mailbox', async () => {
    const script = fileURLToPath(new URL('../../packages/storage/src/cli/bin.ts', import.meta.url));
    await succeed(process.execPath, [
      ...['--conditions=@mail-server-kit/source', '--import', 'tsx', script],
      ...[join(folder, 'mail'), 'export-maildir', join(folder, 'out')],
    ]);
    if (asRoot) await succeed('chown', ['-R', `${person}`, folder]);
    for (const [name, expected] of there) {
      const fields = 'uid flags date.received.unixtime size.physical';
      const rows = await table('fetch', fields, 'mailbox', name);
      expect(rows).toEqual(
        expected.map(({ uid, flags, i }) => [
          String(uid),
          expect.toSatisfy((text: string) => sameWords(text, flags)),
          String(1_000_000_000 + i),
          String((messages[i] as Buffer).length),
        ]),
      );
      const [last] = expected.slice(-1) as [Expected];
      const text = await doveadm('fetch', 'text', 'mailbox', name, 'uid', String(last.uid));
      expect(text.replace(/^text\n/, '').trimEnd()).toBe(
        (messages[last.i] as Buffer).toString().trimEnd(),
      );
    }
    expect(await table('mailbox', 'list', '-s')).toEqual([[drafts], ['INBOX']]);
    expect(await table('mailbox', 'status', 'uidnext uidvalidity', 'INBOX')).toEqual([
      ['INBOX', '16', String(uidValidity)],
    ]);
  });
});

const sameWords = (text: string, words: readonly string[]) =>
  text.split(' ').sort().join(' ') === [...words].sort().join(' ');

const drafts = 'Entwürfe/v1.0 & mehr';
interface Expected {
  readonly uid: number;
  readonly flags: readonly string[];
  /** Index of the message. */
  readonly i: number;
}
const there = new Map<string, Expected[]>([
  ['INBOX', []],
  [drafts, []],
]);
let uidValidity: number | undefined;

async function fill(directory: string): Promise<void> {
  const store = await openEmbeddedStore(directory, { segmentOctets: 1_048_576 });
  const account = 'alice' as AccountId;
  const made = await store.commit([
    { op: 'createAccount', account },
    { op: 'createMailbox', account, name: drafts, subscribed: true },
  ]);
  const boxes = made.results.map(({ mailbox }) => mailbox as MailboxId);
  uidValidity = (await store.mailboxes(account)).find(({ name }) => name === 'INBOX')?.uidValidity;
  for (const [i, octets] of messages.entries()) {
    const flags = [['\\Seen'], ['\\Flagged', '\\Answered', 'work'], []][i % 3] as string[];
    const mailbox = boxes[i % 2] as MailboxId;
    const { results } = await store.commit([
      {
        op: 'append',
        mailbox,
        content: [octets],
        facts: await factsOf([octets]),
        flags,
        internalDate: 1_000_000_000_000 + i * 1000,
      },
    ]);
    const uid = results[0]?.uid as Uid;
    if (i % 10 === 9) await store.commit([{ op: 'expunge', mailbox, uids: [[uid, uid]] }]);
    else there.get(i % 2 === 0 ? 'INBOX' : drafts)?.push({ uid, flags, i });
  }
  await store.close();
}
