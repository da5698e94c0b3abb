/** Clients that come in crowds, never read, or write an octet at a time. Others are served meanwhile, and memory stays bounded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './raw-client.ts';
import { messagesOf, startServer, user, type LiveServer } from './server.ts';

const MiB = 1024 * 1024;

/** Octets in buffers and on the heap; the garbage is whatever was not collected yet, so limits leave room for it. */
function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function inChunks<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) {
    const some = Array.from({ length: Math.min(25, count - made.length) }, make);
    made.push(...(await Promise.all(some)));
  }
  return made;
}

describe('crowds', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer({ imapLimits: { connectionsPerAddress: 600 } });
  });
  afterAll(() => server.stop());

  it('500 idle clients all hear of what one other client does, and do not hold it up', async () => {
    const { ports, caFile } = server;
    const worker = await server.imap();
    const before = memory();
    const idlers = await inChunks(500, async () => {
      const client = await RawClient.imap(ports.imaps, caFile);
      client.send('s SELECT INBOX\r\ni IDLE\r\n');
      await client.until(/^\+ .*\r\n/m);
      return client;
    });
    // Both ends of each connection are in this process.
    expect(memory() - before).toBeLessThan(500 * 0.3 * MiB);

    const heard = Promise.all(idlers.map((client) => client.until(/^\* 20 EXISTS\r\n/m)));
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) {
      const started = performance.now();
      await worker.append('INBOX', `From: ${user}\r\nSubject: ${i}\r\n\r\nText\r\n`);
      waits.push(performance.now() - started);
    }
    await heard;
    expect(waits.sort((a, b) => a - b)[10]).toBeLessThan(1000);
    for (const client of idlers) client.send('DONE\r\n');
    await Promise.all(idlers.map((client) => client.until(/^i OK .*\r\n/m)));
    for (const client of idlers) client.close();
    expect(await messagesOf(worker, 'INBOX')).toHaveLength(20);
  }, 60_000);
});

describe('slowness', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer({
      imapLimits: { stallTimeout: 2500, loginTimeout: 1500 },
      smtpLimits: { idleTime: 1500, messageTime: 3000 },
    });
  });
  afterAll(() => server.stop());

  it('who never reads a FETCH of 100 MB costs little memory and is let go', async () => {
    const worker = await server.imap();
    const line = `${'x'.repeat(76)}\r\n`;
    const large = `From: ${user}\r\nSubject: large\r\n\r\n${line.repeat(Math.ceil((5 * MiB) / line.length))}`;
    await worker.append('Archive', large);
    let lock = await worker.getMailboxLock('Archive');
    for (let i = 1; i < 20; i++) await worker.messageCopy('1', 'Archive');
    lock.release();

    const reader = await RawClient.imap(server.ports.imaps, server.caFile);
    reader.send('s SELECT Archive\r\n');
    await reader.until(/^s OK .*\r\n/m);
    reader.socket.pause();
    const before = memory();
    reader.send('f FETCH 1:* BODY.PEEK[]\r\n');
    let most = 0;
    const rounds = 20;
    for (let i = 0; i < rounds; i++) {
      await sleep(75);
      most = Math.max(most, memory() - before);
      if (i % 5 !== 0) continue;
      // Others notice nothing.
      await worker.noop();
      await worker.append('INBOX', `From: ${user}\r\nSubject: meanwhile\r\n\r\nText\r\n`);
    }
    expect(most).toBeLessThan(40 * MiB);
    lock = await worker.getMailboxLock('INBOX');
    await worker.noop();
    expect(worker.mailbox && worker.mailbox.exists).toBe(rounds / 5);
    lock.release();
    // A stalled client is cut off; it learns of it when it reads on.
    await sleep(2500);
    reader.socket.resume();
    const end = await reader.end();
    expect(end.length).toBeLessThan(100 * MiB);
    expect(end).not.toContain('f OK');
  }, 40_000);

  it('an octet at a time is as good as a packet', async () => {
    const imap = await RawClient.imap(server.ports.imaps, server.caFile);
    for (const octet of 'a APPEND INBOX {20}\r\n') {
      imap.send(octet);
      await sleep(1);
    }
    await imap.until(/^\+ .*\r\n/m);
    for (const octet of 'Subject: slow\r\n\r\nx\r\n\r\nb NOOP\r\n') {
      imap.send(octet);
      await sleep(1);
    }
    await imap.until(/^a OK .*\r\n/m);
    await imap.until(/^b OK .*\r\n/m);
    imap.close();

    const smtp = await RawClient.plain(server.ports.mx);
    await smtp.until(/^220 .*\r\n/m);
    const text = `EHLO slow.test\r\nMAIL FROM:<${user}>\r\nRCPT TO:<${user}>\r\nDATA\r\nSubject: slow\r\n\r\nx\r\n.\r\n`;
    for (const octet of text) {
      smtp.send(octet);
      await sleep(1);
    }
    await smtp.until(/^354 .*\r\n/m);
    await smtp.until(/^250 2\.0\.0 .*\r\n/m);
    smtp.close();
  });

  /** Sends one octet every 50 ms until the server has had enough; returns how long it took, in milliseconds. */
  async function trickle(client: RawClient, octet: string): Promise<number> {
    const started = performance.now();
    while (!client.closed && performance.now() - started < 10_000) {
      client.send(octet);
      await sleep(50);
    }
    return performance.now() - started;
  }

  it('a line before login, a command or a message that never ends is not waited for', async () => {
    const imap = await RawClient.plain(server.ports.imap);
    await imap.until(/^\* OK .*\r\n/);
    const command = await RawClient.plain(server.ports.mx);
    await command.until(/^220 .*\r\n/m);
    const message = await RawClient.plain(server.ports.mx);
    await message.until(/^220 .*\r\n/m);
    message.send(`EHLO slow.test\r\nMAIL FROM:<${user}>\r\nRCPT TO:<${user}>\r\nDATA\r\n`);
    await message.until(/^354 .*\r\n/m);
    const times = await Promise.all([imap, command, message].map((one) => trickle(one, 'x')));
    expect(times[0]).toBeLessThan(5000);
    expect(times[1]).toBeLessThan(5000);
    expect(times[2]).toBeLessThan(7000);
    expect(await imap.end()).toMatch(/^\* BYE /m);
    expect(await command.end()).toMatch(/^421 4\.4\.2 /m);
    expect(await message.end()).toMatch(/^421 4\.4\.2 /m);
  });
});

describe('floods', () => {
  let server: LiveServer;
  beforeAll(async () => {
    server = await startServer({
      imapLimits: { connectionsPerAddress: 20 },
      smtpLimits: { connectionsPerAddress: 20 },
    });
  });
  afterAll(() => server.stop());

  for (const [service, served, refused] of [
    ['mx', /^220 /, /^421 4\.7\.0 /],
    ['submission', /^220 /, /^421 4\.7\.0 /],
    ['imap', /^\* OK /, /^\* BYE /],
  ] as const) {
    it(`of connections to ${service}: what is above the limit of one address is told so and closed`, async () => {
      const port = server.ports[service];
      const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.plain(port)));
      const greetings = await Promise.all(clients.map((client) => client.until(/\r\n/)));
      expect(greetings.filter((line) => served.test(line))).toHaveLength(20);
      const turnedAway = clients.filter((_, i) => refused.test(greetings[i]!));
      expect(turnedAway).toHaveLength(40);
      await Promise.all(turnedAway.map((client) => client.end()));
      for (const client of clients) client.close();
      await sleep(100);
      const next = await RawClient.plain(port);
      expect(await next.until(/\r\n/)).toMatch(served);
      next.close();
    });
  }

  it('of TLS connections: what is above the limit gets no handshake', async () => {
    const port = server.ports.imaps;
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, async () => {
        try {
          return await RawClient.secure(port, server.caFile);
        } catch {
          return undefined;
        }
      }),
    );
    const clients = outcomes.filter((client) => client !== undefined);
    expect(clients.length).toBe(20);
    for (const client of clients) client.close();
  });
});
