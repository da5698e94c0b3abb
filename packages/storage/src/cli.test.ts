/** The command line, on a store that is open elsewhere. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountId, MailStore, MailboxId } from '@mail-server-kit/core';
import { main } from './cli/main.ts';
import { factsFor, message } from './contract/given.ts';
import { openEmbeddedStore } from './index.ts';

let directory: string;
let mail: string;
let store: MailStore;
const alice = 'alice' as AccountId;
const body = Buffer.concat([Buffer.from('Subject: A\r\n\r\n'), Buffer.alloc(100_000, 'a')]);

beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'cli-'));
  mail = path.join(directory, 'mail');
  store = await openEmbeddedStore(mail, { segmentOctets: 1_048_576 });
  const { results } = await store.commit([
    { op: 'createAccount', account: alice },
    { op: 'createMailbox', account: alice, name: 'Entwürfe/v1.0', subscribed: true },
    { op: 'createAccount', account: 'bob' as AccountId },
  ]);
  const [inbox, drafts] = [results[0]?.mailbox as MailboxId, results[1]?.mailbox as MailboxId];
  const { stage } = await store.stage([body]);
  await store.commit([
    { op: 'append', mailbox: inbox, ...message('Subject: one\r\n\r\nOne\r\n') },
    {
      op: 'append',
      mailbox: inbox,
      ...message([{ stage }], {
        facts: factsFor('a\u001b[31mred'),
        flags: ['\\Seen', '\\Draft', 'work', '$Junk'],
      }),
    },
    { op: 'copy', mailbox: inbox, uids: [[1 as never, 1 as never]], to: drafts },
    { op: 'putRecord', space: 'scripts', key: 'main', value: Buffer.from('keep;'), account: alice },
  ]);
  // What the Directory of package accounts keeps.
  const value = Buffer.from('{"address":"alice@example.test"}');
  await store.commit([{ op: 'putRecord', space: 'account', key: alice, value }]);
});
afterAll(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function run(...argv: string[]) {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const into = (parts: Buffer[]) => ({
    write(text: string | Uint8Array, written?: (error?: Error | null) => void) {
      parts.push(Buffer.from(text as Uint8Array));
      written?.();
      return true;
    },
  });
  const code = await main(argv, { stdout: into(out), stderr: into(err) });
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

describe('the command line', () => {
  it('lists accounts, mailboxes and messages, with nothing that moves the cursor', async () => {
    expect((await run(mail, 'list')).out).toBe(
      [
        'account  mailboxes  messages  octets  address',
        'bob              1         0       0',
        'alice            2         3  100061  alice@example.test',
        '',
      ].join('\n'),
    );
    const boxes = (await run(mail, 'list', 'alice@example.test', '--json')).out.trim().split('\n');
    expect(boxes.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { mailbox: 'Entwürfe/v1.0', messages: 1, uidNext: 2 },
      { mailbox: 'INBOX', messages: 2, unseen: 1, uidNext: 3 },
    ]);
    const { out } = await run(mail, 'list', alice, 'INBOX');
    expect(out).toContain('\\Seen \\Draft work $Junk');
    expect(out).not.toContain('\u001b');
  });

  it('shows a message octet for octet, by uid and by the id of the e-mail', async () => {
    expect((await run(mail, 'cat', alice, 'INBOX', '2')).out).toBe(body.toString());
    expect((await run(mail, 'cat', 'M1')).out).toBe('Subject: one\r\n\r\nOne\r\n');
    expect(await run(mail, 'cat', alice, 'INBOX', '3')).toMatchObject({ code: 3 });
  });

  it('finds that all is well beside a running server', async () => {
    expect(await run(mail, 'check')).toEqual({
      code: 0,
      out: '2 accounts, 3 mailboxes, 3 messages read: all is well\n',
      err: '',
    });
  });

  it('names the messages that damage has hurt, and exits with 1', async () => {
    const copy = path.join(directory, 'copy');
    fs.cpSync(path.join(mail, 'journal'), path.join(copy, 'journal'), { recursive: true });
    const segment = path.join(copy, 'journal/0000000001.journal');
    const octets = fs.readFileSync(segment);
    octets[octets.indexOf('aaaaaaaa') + 50] = 98;
    fs.writeFileSync(segment, octets);
    const { code, out, err } = await run(copy, 'check');
    expect(code).toBe(1);
    expect(out + err).toMatch(/segment 1, offset \d+/);
  });

  it('tells how much there is', async () => {
    const { out, code } = await run(mail, 'stats', '--json');
    expect(code).toBe(0);
    const figures = Object.fromEntries(
      out
        .trim()
        .split('\n')
        .map((line) => {
          const { what, 'how much': value } = JSON.parse(line) as Record<string, unknown>;
          return [what, value];
        }),
    );
    expect(figures).toMatchObject({ accounts: 2, mailboxes: 3, messages: 3, records: 2 });
  });

  it('writes a Maildir++ with flags, dates, uids and subscriptions', async () => {
    const target = path.join(directory, 'maildirs');
    expect((await run(mail, 'export-maildir', target, '--account', alice)).out).toBe(
      '3 messages in 2 mailboxes of 1 accounts\n',
    );
    const maildir = path.join(target, 'alice@example.test');
    const files = fs.readdirSync(path.join(maildir, 'cur')).sort();
    expect(files).toEqual([
      expect.stringMatching(/^1000\.M1V\d+\.kit,S=21,W=21:2,$/),
      expect.stringMatching(/^1000\.M2V\d+\.kit,S=100014,W=100014:2,DSab$/),
    ]);
    expect(fs.readFileSync(path.join(maildir, 'cur', files[1] as string)).equals(body)).toBe(true);
    expect(fs.readFileSync(path.join(maildir, 'dovecot-keywords'), 'utf8')).toBe(
      '0 work\n1 $Junk\n',
    );
    expect(fs.readFileSync(path.join(maildir, 'subscriptions'), 'utf8')).toBe(
      'Entw&APw-rfe.v1\\2e0\nINBOX\n',
    );
    expect(fs.readdirSync(path.join(maildir, '.Entw&APw-rfe.v1\\2e0/cur'))).toHaveLength(1);
    expect((await run(mail, 'export-maildir', target)).code).toBe(2);
  });

  it('leaves the index of a running server alone, and makes it anew when that has stopped', async () => {
    expect(await run(mail, 'rebuild-index')).toMatchObject({
      code: 3,
      err: `${mail} is in use by process ${process.pid}\n`,
    });
    const copy = path.join(directory, 'stopped');
    fs.cpSync(path.join(mail, 'journal'), path.join(copy, 'journal'), { recursive: true });
    fs.mkdirSync(path.join(copy, 'index'));
    fs.writeFileSync(path.join(copy, 'index/CURRENT'), 'nonsense');
    expect((await run(copy, 'rebuild-index')).code).toBe(0);
    expect((await run(copy, 'check')).code).toBe(0);
  });

  it('frees the space of what was expunged', async () => {
    const full = path.join(directory, 'full');
    const owned = await openEmbeddedStore(full, { segmentOctets: 65_536, undeleteMs: 600_000 });
    const { results } = await owned.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    for (let i = 0; i < 40; i++) {
      await owned.commit([{ op: 'append', mailbox: inbox, ...message('a'.repeat(20_000)) }]);
    }
    await owned.commit([{ op: 'destroyAccount', account: alice }]);
    await owned.close();
    const { code, out } = await run(full, 'compact', '--json');
    expect(code).toBe(0);
    const { before, after } = JSON.parse(out) as Record<string, { octets: number }>;
    expect(after?.octets).toBeLessThan((before?.octets ?? 0) / 2);
    expect((await run(full, 'check')).code).toBe(0);
  });

  it('heals one side of a mirror from the other', async () => {
    const [one, two] = [path.join(directory, 'one'), path.join(directory, 'two')];
    const owned = await openEmbeddedStore([one, two], { segmentOctets: 65_536 });
    const { results } = await owned.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    for (let i = 0; i < 8; i++) {
      await owned.commit([{ op: 'append', mailbox: inbox, ...message('a'.repeat(20_000)) }]);
    }
    await owned.close();
    const segment = path.join(two, 'journal/0000000001.journal');
    const octets = fs.readFileSync(segment);
    const at = octets.indexOf('aaaaaaaa') + 50;
    octets[at] = 98;
    fs.writeFileSync(segment, octets);
    // Opening may notice it before the scrub does.
    const { code, out } = await run(one, 'scrub', '--mirror', two);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('compared in') });
    expect(fs.readFileSync(segment)[at]).toBe(97);
    expect((await run(two, 'check')).code).toBe(0);
    expect((await run(one, 'scrub', '--mirror', two)).out).toContain('all is well');
    expect((await run(one, 'rebuild-index', '--mirror', two)).code).toBe(0);
  });

  it('says what is wrong with the command, and with the directory', async () => {
    expect(await run(mail)).toMatchObject({ code: 2 });
    expect(await run(mail, 'destroy')).toMatchObject({ code: 2 });
    expect(await run(mail, 'list', 'carol')).toMatchObject({ code: 2 });
    expect(await run(mail, 'stats', '--verbose')).toMatchObject({ code: 2 });
    const nowhere = path.join(directory, 'nowhere');
    expect(await run(nowhere, 'rebuild-index')).toMatchObject({
      code: 3,
      err: `There is no mail store in ${nowhere}\n`,
    });
    expect(fs.existsSync(nowhere)).toBe(false);
    expect((await run('--help')).out).toContain('export-maildir');
  });
});
