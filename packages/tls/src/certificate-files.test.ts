import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecureVersion } from 'node:tls';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { certificateFiles } from './certificate-files.ts';
import { handshake, open, tlsServer } from './handshake.fixture.ts';
import { ownCertificateAuthority } from './own-certificate-authority.ts';

describe('certificateFiles', () => {
  let directory: string;
  /** A pair of files for these names. */
  async function pair(name: string, names: readonly string[]) {
    const made = join(directory, `${name}-ca`);
    (await ownCertificateAuthority({ directory: made, names })).close();
    const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}-key.pem`)];
    await copyFile(join(made, 'server.pem'), cert);
    await copyFile(join(made, 'server-key.pem'), key);
    return { cert, key, ca: await readFile(join(made, 'ca.pem'), 'utf8') };
  }
  type Pair = Awaited<ReturnType<typeof pair>>;
  let first: Pair;
  let second: Pair;
  let wild: Pair;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'certificates-'));
    first = await pair('first', ['mail.example.org']);
    second = await pair('second', ['imap.example.net', 'smtp.example.net']);
    wild = await pair('wild', ['*.example.net']);
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('chooses by server name: exact before wildcard, any letter case, trailing dot; else the first', async () => {
    const provider = await certificateFiles({ ...first, more: [wild, second] });
    const server = await tlsServer(provider);
    const table: readonly (readonly [serverName: string, names: string])[] = [
      ['mail.example.org', 'DNS:mail.example.org'],
      ['IMAP.Example.NET', 'DNS:imap.example.net, DNS:smtp.example.net'],
      ['imap.example.net.', 'DNS:imap.example.net, DNS:smtp.example.net'],
      ['pop.example.net', 'DNS:*.example.net'],
      // One label only (RFC 9525 section 6.3).
      ['a.pop.example.net', 'DNS:mail.example.org'],
      ['example.net', 'DNS:mail.example.org'],
      ['unknown.example', 'DNS:mail.example.org'],
      ['', 'DNS:mail.example.org'],
    ];
    for (const [servername, names] of table) {
      const shown = await handshake(server.port, { servername, rejectUnauthorized: false });
      assert.equal(shown.names, names, servername);
    }
    await server.close();
  });

  describe('agrees', () => {
    const only = (version: SecureVersion, ciphers = 'DEFAULT:@SECLEVEL=0') => ({
      ...{ minVersion: version, maxVersion: version, ciphers },
      ...{ rejectUnauthorized: false, host: 'mail.example.org' },
    });

    it('on TLS 1.2 and 1.3, and on nothing older (RFC 8996)', async () => {
      const server = await tlsServer(await certificateFiles(first));
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        assert.equal((await handshake(server.port, only(version))).protocol, version);
      }
      for (const version of ['TLSv1', 'TLSv1.1'] as const) {
        await assert.rejects(handshake(server.port, only(version)), {
          code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
        });
      }
      await server.close();
    });

    it('on the same when SNI chose another certificate', async () => {
      const server = await tlsServer(await certificateFiles({ ...first, more: [second] }));
      await assert.rejects(
        handshake(server.port, { ...only('TLSv1.1'), host: 'imap.example.net' }),
        { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' },
      );
      await server.close();
    });

    it('within 1.2 on forward secrecy and AEAD, in the order of the server', async () => {
      const server = await tlsServer(await certificateFiles(first));
      const offer = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256';
      const { cipher } = await handshake(server.port, only('TLSv1.2', offer));
      assert.equal(cipher, 'ECDHE-ECDSA-AES128-GCM-SHA256');
      for (const weak of [
        'ECDHE-ECDSA-AES128-SHA',
        'AES128-GCM-SHA256',
        'ECDHE-RSA-AES128-SHA256',
      ]) {
        await assert.rejects(handshake(server.port, only('TLSv1.2', `${weak}:@SECLEVEL=0`)), {
          code: 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
        });
      }
      await server.close();
    });
  });

  it('gives what reload read to the next handshake and drops no connection', async () => {
    const live = { cert: join(directory, 'live.pem'), key: join(directory, 'live-key.pem') };
    const put = (from: Pair) =>
      Promise.all([copyFile(from.cert, live.cert), copyFile(from.key, live.key)]);
    await put(first);
    const provider = await certificateFiles(live);
    const server = await tlsServer(provider);
    const kept = provider.current();
    let reloads = 0;
    const cancel = provider.onReload(() => reloads++);

    const options = { rejectUnauthorized: false };
    const standing = await open(server.port, options);
    await put(second);
    await provider.reload();
    assert.equal(reloads, 1);
    assert.match((await handshake(server.port, options)).names!, /imap\.example\.net/);
    standing.write('still here');
    assert.equal(String((await once(standing, 'data'))[0]), 'still here');
    standing.destroy();

    // A library that asked once and kept the answer is not left with the old certificate.
    kept.SNICallback('imap.example.net', (error, context) => {
      assert.equal(error, null);
      assert.equal(context, provider.current().secureContext);
    });
    assert.equal(provider.files().cert, await readFile(second.cert, 'utf8'));
    cancel();
    await provider.reload();
    assert.equal(reloads, 1);
    await server.close();
  });

  it('stays as it was when a reload fails', async () => {
    const live = { cert: join(directory, 'half.pem'), key: join(directory, 'half-key.pem') };
    await copyFile(first.cert, live.cert);
    await copyFile(first.key, live.key);
    const provider = await certificateFiles(live);
    const before = provider.current().secureContext;
    await copyFile(second.cert, live.cert);
    await assert.rejects(provider.reload(), {
      message: `the key ${live.key} does not belong to the first certificate of ${live.cert}`,
    });
    assert.equal(provider.current().secureContext, before);
    await copyFile(second.key, live.key);
    await provider.reload();
    assert.deepEqual(provider.certificates()[0]!.names, ['imap.example.net', 'smtp.example.net']);
  });

  it('says in one line which file is missing, unreadable or of the wrong kind', async () => {
    const missing = join(directory, 'nobody.pem');
    const empty = join(directory, 'empty.pem');
    const locked = join(directory, 'locked.pem');
    await writeFile(empty, '');
    await writeFile(locked, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n');
    const table: readonly (readonly [object, RegExp])[] = [
      [
        { cert: missing },
        /^Error: cannot read the certificate \S+nobody\.pem: there is no such file$/,
      ],
      [{ key: missing }, /^Error: cannot read the key \S+nobody\.pem: there is no such file$/],
      [{ key: directory }, /^Error: cannot read the key \S+: it is a directory$/],
      [{ cert: empty }, /^Error: \S+empty\.pem holds no certificate in PEM form \(.*\)$/],
      [{ key: first.cert }, /^Error: \S+first\.pem holds no private key in PEM form \(.*\)$/],
      [{ key: locked }, /^Error: the key \S+locked\.pem is encrypted, and nobody is there/],
      [{ more: [{ cert: second.cert, key: missing }] }, /^Error: cannot read the key \S+nobody/],
    ];
    for (const [wrong, message] of table) {
      await assert.rejects(certificateFiles({ ...first, ...wrong }), message);
    }
  });
});
