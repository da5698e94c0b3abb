import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ImapFlow } from 'imapflow';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { systemClock } from '@mail-server-kit/core';
import { transcript } from '@mail-server-kit/core/testing';
import { certificate, secure, type Certificate } from './fixtures/certificate.ts';
import { answerOf, plain, setting, type Mailboxes } from './fixtures/clients.ts';
import { createImapServer, type ImapServer, type ImapServerOptions } from './server.ts';

let tls: Certificate;
let running: ImapServer | undefined;
beforeAll(async () => {
  tls = await certificate();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});
afterAll(() => tls.remove());

async function listening(
  mailboxes: Mailboxes = { INBOX: [plain] },
  options: Partial<ImapServerOptions> = {},
) {
  const made = await setting({ mailboxes });
  running = createImapServer({
    store: made.store,
    directory: made.directory,
    tls,
    listen: [
      { port: 0, host: '127.0.0.1', tls: 'implicit' },
      { port: 0, host: '127.0.0.1', tls: 'starttls' },
    ],
    clock: systemClock,
    ...options,
  });
  const addresses = await running.start();
  assert.deepEqual(
    addresses.map(({ service }) => service),
    ['imaps', 'imap'],
  );
  const [imaps, imap] = addresses.map(({ port }) => port) as [number, number];
  return { ...made, server: running, imaps, imap };
}

async function over(port: number): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: tls.ca() });
  await once(socket, 'secureConnect');
  return socket;
}

function plaintext(port: number): Socket {
  return connectTcp(port, '127.0.0.1');
}

describe('the server on sockets', () => {
  it('speaks TLS from the first octet on one port, and after STARTTLS on the other', async () => {
    const { imaps, imap } = await listening();
    const implicit = await over(imaps);
    assert.match(await answerOf(implicit, '*'), /AUTH=SCRAM-SHA-256-PLUS/);
    implicit.destroy();
    const socket = plaintext(imap);
    assert.match(await answerOf(socket, '*'), /STARTTLS LOGINDISABLED/);
    socket.write('a STARTTLS\r\nb LOGIN mallory x\r\n');
    await answerOf(socket, 'a');
    const upgraded = await secure(socket, tls.ca());
    upgraded.write('c LOGIN alice@example.com secret\r\n');
    assert.match(await answerOf(upgraded, 'c'), /^c OK /);
  });

  it('works with imapflow: list, append, fetch, search, store, move, idle', async () => {
    const { imaps, append } = await listening({ INBOX: [plain, plain], Archive: [] });
    const client = new ImapFlow({
      host: '127.0.0.1',
      port: imaps,
      secure: true,
      servername: 'localhost',
      tls: { ca: tls.ca() },
      auth: { user: 'alice@example.com', pass: 'secret' },
      logger: false,
    });
    await client.connect();
    assert.deepEqual(
      (await client.list({ statusQuery: { messages: true } })).map(({ path }) => path).sort(),
      ['Archive', 'INBOX'],
    );
    await client.mailboxOpen('INBOX');
    const subjects: (string | undefined)[] = [];
    for await (const message of client.fetch('1:*', {
      envelope: true,
      bodyStructure: true,
      source: true,
    })) {
      subjects.push(message.envelope?.subject);
      assert.deepEqual(message.source, Buffer.from(plain));
    }
    assert.deepEqual(subjects, ['Lunch', 'Lunch']);
    const appended = await client.append('INBOX', 'Subject: x\n\nbare', ['\\Seen']);
    assert.equal(appended && appended.uid, 3);
    assert.deepEqual(await client.search({ subject: 'lunch' }, { uid: true }), [1, 2]);
    await client.messageFlagsAdd('1', ['\\Flagged']);
    const moved = await client.messageMove('1:2', 'Archive');
    assert.deepEqual(moved && [...(moved.uidMap ?? [])], [
      [1, 1],
      [2, 2],
    ]);
    const news = once(client, 'exists');
    const idle = client.idle();
    await append('INBOX', plain);
    assert.equal(((await news)[0] as { count: number }).count, 2);
    await client.noop();
    await idle;
    const { content = [] } = await client.download('2', undefined, { uid: false });
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(part as Buffer);
    assert.deepEqual(Buffer.concat(parts), Buffer.from(plain));
    await client.logout();
  });

  it('tells its clients when it goes down, and lets the command under way finish', async () => {
    const { imaps, server } = await listening();
    const [idler, other] = [await over(imaps), await over(imaps)];
    await answerOf(idler, '*');
    await answerOf(other, '*');
    idler.write('a LOGIN alice@example.com secret\r\nb SELECT INBOX\r\nc IDLE\r\n');
    await answerOf(idler, '+');
    const [left, gone] = [answerOf(idler, '*'), answerOf(other, '*')];
    await server.drain();
    assert.equal(await left, '* BYE [UNAVAILABLE] The server is going down\r\n');
    assert.equal(await gone, '* BYE [UNAVAILABLE] The server is going down\r\n');
    assert.equal(server.connections, 0);
    await assert.rejects(over(imaps));
  });

  it('has room for so many, and so many from one address', async () => {
    const { imap } = await listening({}, { limits: { connectionsPerAddress: 2 } });
    const first = plaintext(imap);
    const second = plaintext(imap);
    await answerOf(first, '*');
    await answerOf(second, '*');
    const third = plaintext(imap);
    assert.equal(await answerOf(third, '*'), '* BYE [UNAVAILABLE] Too many connections\r\n');
    first.end();
    await once(first.resume(), 'close');
    const fourth = plaintext(imap);
    assert.match(await answerOf(fourth, '*'), /^\* OK/);
  });

  it('two that want the same port: the second says so and listens nowhere', async () => {
    const { imap, store, directory } = await listening();
    const second = createImapServer({
      store,
      directory,
      listen: [
        { port: 0, host: '127.0.0.1', tls: 'starttls' },
        { port: imap, host: '127.0.0.1', tls: 'starttls' },
      ],
    });
    await assert.rejects(second.start(), { code: 'EADDRINUSE' });
    assert.throws(
      () => createImapServer({ store, directory, listen: [{ port: 0, tls: 'implicit' }] }),
      TypeError,
    );
  });

  it('a client that leaves in the middle of anything does no harm', async () => {
    const { imaps, imap, server } = await listening();
    for (const words of [
      '',
      'a LOGIN alice@example.com {6}\r\n',
      'a LOGIN alice@example.com secret\r\nb APPEND INBOX {100+}\r\nabc',
    ]) {
      const socket = await over(imaps);
      socket.write(words);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    const half = plaintext(imap);
    await answerOf(half, '*');
    half.write('a STARTTLS\r\n');
    await answerOf(half, 'a');
    half.end('no handshake');
    const raw = plaintext(imaps);
    raw.end('no handshake');
    for (let i = 0; i < 100 && server.connections > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(server.connections, 0);
    const talk = transcript(await over(imaps));
    await talk.send('', 'a LOGOUT\r\n');
  });
});
