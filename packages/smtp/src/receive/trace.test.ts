import { expect, it } from 'vitest';
import { parseAddress } from '@mail-server-kit/core';
import type { Session } from './session.ts';
import { received, returnPath, withProtocol } from './trace.ts';

const session = (about: Partial<Session> & { kind?: string }): Session =>
  ({
    settings: { kind: about.kind ?? 'mx', hostname: 'mx.example.net' },
    remoteAddress: '2001:db8::1',
    helo: { name: 'c', extended: true },
    secure: false,
    ...about,
  }) as unknown as Session;

const account = {
  id: 'anna',
  address: 'anna@example.net',
  protocols: new Set(),
} as unknown as NonNullable<Session['account']>;

it.each([
  [{ helo: { name: 'c', extended: false } }, false, 'SMTP'],
  [{}, false, 'ESMTP'],
  [{ secure: true }, false, 'ESMTPS'],
  [{ account }, false, 'ESMTPA'],
  [{ secure: true, account }, false, 'ESMTPSA'],
  [{ kind: 'lmtp' }, false, 'LMTP'],
  [{ secure: true, account }, true, 'UTF8SMTPSA'],
  [{ kind: 'lmtp', secure: true }, true, 'UTF8LMTPS'],
])('%j is %s %s', (about, smtpUtf8, wanted) => {
  expect(withProtocol(session(about), { smtpUtf8 })).toBe(wanted);
});

it('an IPv6 address is a literal, and a recipient that cannot be written is left out', () => {
  const about = { id: 'id', time: 0, recipient: parseAddress('k\u00e4the@b\u00fccher.example') };
  expect(received(session({}), { ...about, envelope: {} })).toBe(
    'Received: from c ([IPv6:2001:db8::1])\r\n\tby mx.example.net with ESMTP id id;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n',
  );
  expect(received(session({}), { ...about, envelope: { smtpUtf8: true } })).toContain(
    '\r\n\tfor <k\u00e4the@xn--bcher-kva.example>;\r\n',
  );
  expect(returnPath(undefined)).toBe('Return-Path: <>\r\n');
});
