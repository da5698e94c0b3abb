/** On loopback, with real sockets and a real client. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import nodemailer from 'nodemailer';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '@mail-server-kit/core';
import { certificate } from './fixtures/certificate.ts';
import { anna, bert, lines, world } from './fixtures/world.ts';

let tls: Awaited<ReturnType<typeof certificate>>;
beforeAll(async () => {
  tls = await certificate();
});
afterAll(() => tls.remove());

const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.stop()));
});

async function listening(options: Parameters<typeof world>[0]) {
  const made = await world({ tls, clock: systemClock, ...options });
  opened.push(made.server);
  const addresses = await made.server.start();
  return { ...made, ports: addresses.map(({ port }) => port) };
}

async function said(socket: Socket, until: string): Promise<string> {
  let text = '';
  while (!text.includes(until)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    text += chunk.toString();
  }
  return text;
}

const loopback = '127.0.0.1';
const trust = { ca: () => tls.ca(), servername: 'mx.example.net' };

describe('a submission server', () => {
  it('takes mail of nodemailer over STARTTLS and over implicit TLS, with a pool and an attachment', async () => {
    const { ports, mail } = await listening({
      kind: 'submission',
      listen: [
        { port: 0, host: loopback, tls: 'starttls' },
        { port: 0, host: loopback, tls: 'implicit' },
      ],
    });
    for (const [index, port] of ports.entries()) {
      const transport = nodemailer.createTransport({
        host: loopback,
        port,
        secure: index === 1,
        requireTLS: index === 0,
        pool: true,
        auth: { user: anna, pass: 'secret' },
        tls: { ca: trust.ca(), servername: trust.servername },
      });
      await Promise.all(
        Array.from({ length: 10 }, (_, number) =>
          transport.sendMail({
            from: anna,
            to: bert,
            subject: `Nr. ${number} – grüße`,
            text: '.\n..\nText',
            attachments: [{ filename: 'a.bin', content: Buffer.alloc(100_000, number) }],
            dsn: { id: `id${number}`, return: 'headers', notify: ['failure'], recipient: bert },
          }),
        ),
      );
      transport.close();
    }
    const received = await mail(bert);
    expect(received).toHaveLength(20);
    expect(received.filter((message) => message.includes('with ESMTPSA (TLSv1.3 '))).toHaveLength(
      20,
    );
  });

  it('tells nodemailer of recipients that it refuses, and takes the message for the others', async () => {
    const { ports } = await listening({
      kind: 'submission',
      listen: [{ port: 0, host: loopback }],
    });
    const transport = nodemailer.createTransport({
      host: loopback,
      port: ports[0]!,
      auth: { user: anna, pass: 'secret' },
      tls: { ca: trust.ca(), servername: trust.servername },
    });
    const info = await transport.sendMail({
      from: anna,
      to: [bert, 'dora@example.com'],
      subject: 'a',
      text: 'b',
    });
    expect(info.accepted).toEqual([bert]);
    expect(info.rejected).toEqual(['dora@example.com']);
    transport.close();
  });

  it('offers no client an old protocol', async () => {
    const { ports } = await listening({
      kind: 'submission',
      listen: [{ port: 0, host: loopback, tls: 'implicit' }],
    });
    const old = connectTls({
      host: loopback,
      port: ports[0]!,
      ca: trust.ca(),
      servername: trust.servername,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    });
    const [error] = (await once(old, 'error')) as [Error];
    expect(error.message).toMatch(/alert|protocol|version/i);
    const socket = connectTls({
      host: loopback,
      port: ports[0]!,
      ca: trust.ca(),
      servername: trust.servername,
    });
    expect(await said(socket, '\r\n')).toBe('220 mx.example.net ESMTP\r\n');
    socket.destroy();
  });

  it('shows a new certificate to the next client after a reload, and drops none', async () => {
    const next = await certificate();
    const reloads = new Set<() => void>();
    let active = tls;
    const { ports } = await listening({
      kind: 'submission',
      listen: [{ port: 0, host: loopback, tls: 'implicit' }],
      tls: {
        current: () => active.current(),
        files: () => active.files(),
        onReload(listener) {
          reloads.add(listener);
          return () => reloads.delete(listener);
        },
      },
    });
    const dial = (ca: string) =>
      connectTls({ host: loopback, port: ports[0]!, ca, servername: 'mx.example.net' });
    const before = dial(tls.ca());
    await said(before, '220 ');
    active = next;
    for (const reload of reloads) reload();
    const after = dial(next.ca());
    expect(await said(after, '\r\n')).toBe('220 mx.example.net ESMTP\r\n');
    before.write('NOOP\r\n');
    expect(await said(before, '\r\n')).toBe('250 2.0.0 OK\r\n');
    before.destroy();
    after.destroy();
    await next.remove();
  });

  it('survives garbage instead of a handshake', async () => {
    const { ports } = await listening({
      kind: 'submission',
      listen: [{ port: 0, host: loopback, tls: 'implicit' }],
    });
    const socket = connectTcp(ports[0]!, loopback);
    socket.on('error', () => {});
    socket.write('EHLO not tls\r\n');
    await once(socket, 'close');
    const good = connectTls({
      host: loopback,
      port: ports[0]!,
      ca: trust.ca(),
      servername: trust.servername,
    });
    expect(await said(good, '\r\n')).toBe('220 mx.example.net ESMTP\r\n');
    good.destroy();
  });

  it('lets one address have no more unfinished handshakes than connections', async () => {
    const { ports } = await listening({
      kind: 'submission',
      limits: { connectionsPerAddress: 2 },
      listen: [{ port: 0, host: loopback, tls: 'implicit' }],
    });
    const [first, second, third] = [1, 2, 3].map(() =>
      connectTcp(ports[0]!, loopback).on('error', () => {}),
    );
    await once(third!.resume(), 'close');
    // Those who came before are served as soon as they speak.
    const good = connectTls({ socket: first!, ca: trust.ca(), servername: trust.servername });
    expect(await said(good, '\r\n')).toBe('220 mx.example.net ESMTP\r\n');
    for (const socket of [second!, good]) socket.destroy();
  });
});

describe('an MX', () => {
  it('lets a client speak only after its 100 ms', async () => {
    const { ports } = await listening({
      kind: 'mx',
      greetingDelay: 100,
      listen: [{ port: 0, host: loopback }],
    });
    const early = connectTcp(ports[0]!, loopback);
    early.write('EHLO c\r\n');
    expect(await said(early, '\r\n')).toBe('421 4.7.0 You talk too soon\r\n');
    const before = performance.now();
    const patient = connectTcp(ports[0]!, loopback);
    expect(await said(patient, '\r\n')).toBe('220 mx.example.net ESMTP\r\n');
    expect(performance.now() - before).toBeGreaterThan(90);
    patient.destroy();
  });

  it('takes the pipelined session of a relay, 50 messages in one connection', async () => {
    const { ports, mail } = await listening({ kind: 'mx', listen: [{ port: 0, host: loopback }] });
    const socket = connectTcp(ports[0]!, loopback);
    await said(socket, '220 ');
    socket.write('EHLO relay\r\n');
    await said(socket, '250 CHUNKING');
    for (let i = 0; i < 50; i++) {
      socket.write(lines('MAIL FROM:<carl@example.org>', 'RCPT TO:<anna@example.net>', 'DATA'));
      await said(socket, '354 ');
      socket.write(lines(`Subject: ${i}`, '', 'text'.repeat(100), '.'));
      await said(socket, 'Accepted as');
    }
    socket.destroy();
    expect(await mail(anna)).toHaveLength(50);
  });

  it('drains: the transaction under way ends, the idle are told, new ones are not taken', async () => {
    const { ports, server, mail } = await listening({
      kind: 'mx',
      listen: [{ port: 0, host: loopback }],
    });
    const [idle, busy] = [connectTcp(ports[0]!, loopback), connectTcp(ports[0]!, loopback)];
    await Promise.all([said(idle, '220 '), said(busy, '220 ')]);
    busy.write(
      lines('HELO c', 'MAIL FROM:<carl@example.org>', 'RCPT TO:<anna@example.net>', 'DATA'),
    );
    await said(busy, '354 ');
    const drained = server.drain();
    expect(await said(idle, '\r\n')).toBe('421 4.3.2 The server is shutting down\r\n');
    const late = connectTcp(ports[0]!, loopback);
    await once(late, 'error');
    busy.write(lines('Subject: last', '.'));
    expect(await said(busy, '421')).toMatch(/^250 2\.0\.0 Accepted as \w+\r\n421 4\.3\.2 /);
    await drained;
    expect(await mail(anna)).toHaveLength(1);
  });

  it('a port that is taken is an error, and the other listener is closed again', async () => {
    const { ports } = await listening({ kind: 'mx', listen: [{ port: 0, host: loopback }] });
    const second = await world({
      kind: 'mx',
      listen: [
        { port: 0, host: loopback },
        { port: ports[0]!, host: loopback },
      ],
    });
    await expect(second.server.start()).rejects.toMatchObject({
      code: 'EADDRINUSE',
      port: ports[0],
    });
    await second.server.stop();
  });
});
