import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fakeClock, seededRandom } from '@mail-server-kit/core/testing';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { ownCertificateAuthority } from './own-certificate-authority.ts';
import { handshake, tlsServer } from './handshake.fixture.ts';

const DAY = 86_400_000;
const names = ['mail.example.org', 'localhost', '127.0.0.1', '2001:db8::1'];

describe('ownCertificateAuthority', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'own-ca-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const files = () =>
    Promise.all(
      ['ca.pem', 'ca-key.pem', 'server.pem', 'server-key.pem'].map((name) =>
        readFile(join(directory, name), 'utf8'),
      ),
    );

  it('makes a CA and a certificate that clients which trust the CA accept by DNS name and by address', async () => {
    const own = await ownCertificateAuthority({ directory, names });
    const server = await tlsServer(own);
    const ca = await readFile(own.caFile, 'utf8');
    assert.equal(ca, own.ca());
    for (const host of ['mail.example.org', 'localhost', '127.0.0.1', '2001:db8::1']) {
      const { authorized } = await handshake(server.port, { ca, host });
      assert.equal(authorized, true, host);
    }
    await assert.rejects(handshake(server.port, { ca, host: 'other.example.org' }), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await server.close();
    own.close();
  });

  it('satisfies openssl with strict checks of RFC 5280', async () => {
    (await ownCertificateAuthority({ directory, names })).close();
    const { stdout } = await promisify(execFile)('openssl', [
      ...['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'localhost'],
      ...['-CAfile', join(directory, 'ca.pem'), join(directory, 'server.pem')],
    ]);
    assert.equal(stdout, `${join(directory, 'server.pem')}: OK\n`);
  });

  it('keeps keys to this user and leaves no other files', async () => {
    (await ownCertificateAuthority({ directory, names })).close();
    const found = (await readdir(directory)).sort();
    assert.deepEqual(found, ['ca-key.pem', 'ca.pem', 'server-key.pem', 'server.pem']);
    for (const name of ['ca-key.pem', 'server-key.pem']) {
      assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
    }
  });

  it('changes nothing at a restart, and only the certificate when a name is new', async () => {
    (await ownCertificateAuthority({ directory, names })).close();
    const first = await files();
    (await ownCertificateAuthority({ directory, names })).close();
    assert.deepEqual(await files(), first);
    (await ownCertificateAuthority({ directory, names: [...names, 'Bücher.example'] })).close();
    const [ca, caKey, server, serverKey] = await files();
    assert.deepEqual([ca, caKey, serverKey], [first[0], first[1], first[3]]);
    assert.match(
      new X509Certificate(server!).subjectAltName!,
      /DNS:mail\.example\.org, .*DNS:xn--bcher-kva\.example/,
    );
  });

  it('lasts a year, and is made anew by the daily look when fewer than 30 days are left', async () => {
    const clock = fakeClock();
    const start = clock.now();
    const own = await ownCertificateAuthority({ directory, names, clock, random: seededRandom(1) });
    let reloads = 0;
    own.onReload(() => reloads++);
    assert.equal(own.certificates()[0]!.notAfter, start + 365 * DAY);
    clock.set(start + 334 * DAY);
    assert.equal(await own.renew(), false);
    const before = own.files().cert;
    clock.set(start + 335 * DAY);
    const renewed = new Promise<void>((resolve) => own.onReload(resolve));
    await clock.advance(DAY);
    await renewed;
    assert.equal(reloads, 1);
    assert.notEqual(own.files().cert, before);
    assert.equal(own.certificates()[0]!.notAfter, start + (336 + 365) * DAY);
    own.close();
    assert.equal(clock.pending, 0);
  });

  it('tells the log when the daily look fails, and looks again the next day', async () => {
    const clock = fakeClock();
    const events: string[] = [];
    const own = await ownCertificateAuthority({
      ...{ directory, names, clock },
      log: ({ level, event }) => events.push(`${level} ${event}`),
    });
    const kept = await readFile(join(directory, 'ca-key.pem'), 'utf8');
    await rm(join(directory, 'ca-key.pem'));
    await clock.advance(DAY);
    await assert.rejects(own.renew());
    assert.deepEqual(events, ['error renewal failed']);
    await writeFile(join(directory, 'ca-key.pem'), kept);
    clock.set(clock.now() + 340 * DAY);
    const renewed = new Promise<void>((resolve) => own.onReload(resolve));
    await clock.advance(DAY);
    await renewed;
    await own.renew();
    assert.deepEqual(events, ['error renewal failed', 'info renewed']);
    own.close();
  });

  it('renews the CA with the same key before a server certificate would outlive it: old ca.pem files still verify', async () => {
    const clock = fakeClock();
    const own = await ownCertificateAuthority({ directory, names, clock });
    const old = new X509Certificate(own.ca());
    clock.set(clock.now() + 9 * 365 * DAY);
    assert.equal(await own.renew(), true);
    const fresh = new X509Certificate(own.ca());
    assert.notEqual(own.ca(), old.toString());
    assert.equal(fresh.subject, old.subject);
    assert.ok(new X509Certificate(own.files().cert).checkIssued(old));
    assert.ok(new X509Certificate(own.files().cert).verify(old.publicKey));
    own.close();
  });

  it('mends what a crash left: keys without certificates, a certificate of another key, a torn file', async () => {
    (await ownCertificateAuthority({ directory, names })).close();
    const [ca] = await files();
    for (const damage of ['', 'torn']) {
      await writeFile(join(directory, 'server.pem'), damage);
      (await ownCertificateAuthority({ directory, names })).close();
    }
    await rm(join(directory, 'server-key.pem'));
    (await ownCertificateAuthority({ directory, names })).close();
    assert.equal((await files())[0], ca);
    await rm(join(directory, 'ca.pem'));
    const own = await ownCertificateAuthority({ directory, names });
    assert.ok(
      new X509Certificate(own.files().cert).verify(new X509Certificate(own.ca()).publicKey),
    );
    own.close();
  });

  it('never puts a new CA silently in the place of one that clients trust', async () => {
    (await ownCertificateAuthority({ directory, names })).close();
    await rm(join(directory, 'ca-key.pem'));
    await assert.rejects(ownCertificateAuthority({ directory, names }), {
      message: `${join(directory, 'ca-key.pem')} is missing: bring it back, or remove ca.pem to begin with a new CA`,
    });
    await copyFile(join(directory, 'server-key.pem'), join(directory, 'ca-key.pem'));
    await assert.rejects(
      ownCertificateAuthority({ directory, names }),
      /^Error: the key .*ca-key\.pem does not belong to .*ca\.pem$/,
    );
  });

  it('two processes that start at once agree on one CA', async () => {
    const both = await Promise.all([
      ownCertificateAuthority({ directory, names }),
      ownCertificateAuthority({ directory, names }),
    ]);
    const ca = new X509Certificate(await readFile(join(directory, 'ca.pem')));
    for (const own of both) {
      const server = new X509Certificate(own.files().cert);
      assert.ok(server.checkIssued(ca) && server.verify(ca.publicKey));
      own.close();
    }
  });

  it('refuses names that are none, and names without a DNS name', async () => {
    await assert.rejects(ownCertificateAuthority({ directory, names: ['a b'] }), TypeError);
    await assert.rejects(ownCertificateAuthority({ directory, names: ['127.0.0.1'] }), TypeError);
  });
});
