import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls';
import { describe, it } from 'vitest';
import { channelBindings, serverEndPoint } from './channel-bindings.ts';

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const der = (name: string) => new X509Certificate(fixture(`${name}.pem`)).raw;

describe('tls-server-end-point', () => {
  it.each([
    ['rsa-sha256', 'sha256'],
    ['rsa-sha384', 'sha384'],
    ['ecdsa-sha384', 'sha384'],
    ['pss-sha512', 'sha512'],
    // RFC 5929 section 4.1.
    ['rsa-sha1', 'sha256'],
    ['pss-sha1', 'sha256'],
  ])('of a certificate signed with %s is its hash by %s', (name, algorithm) => {
    const expected = createHash(algorithm).update(der(name)).digest();
    assert.deepEqual(serverEndPoint(der(name)), expected);
  });

  it('is not defined for a signature without one hash', () => {
    assert.equal(serverEndPoint(der('ed25519')), undefined);
  });

  it('is not found in what is no certificate, wherever it is cut', () => {
    const certificate = der('pss-sha512');
    for (let length = 0; length < certificate.length; length++) {
      assert.equal(serverEndPoint(certificate.subarray(0, length)), undefined);
    }
    for (const octets of [
      [0x30, 0x80],
      [0x30, 0x85, 1, 1, 1, 1, 1],
      [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
      [0x31, 0],
    ]) {
      assert.equal(serverEndPoint(Uint8Array.from(octets)), undefined);
    }
  });
});

describe('of a connection', () => {
  async function bothSides(version: SecureVersion, key: string, cert: string) {
    const server = createServer({ key: fixture(key), cert: fixture(`${cert}.pem`) }).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    });
    const [[accepted]] = (await Promise.all([
      once(server, 'secureConnection'),
      once(client, 'secureConnect'),
    ])) as [[TLSSocket], unknown];
    try {
      return { server: channelBindings(accepted), client: channelBindings(client, 'client') };
    } finally {
      client.destroy();
      accepted.destroy();
      server.close();
    }
  }

  it('both sides find the same, and it is of this connection', async () => {
    const one = await bothSides('TLSv1.3', 'rsa.key', 'rsa-sha384');
    assert.deepEqual(one.server, one.client);
    assert.equal(one.server['tls-exporter']?.length, 32);
    assert.equal(one.server['tls-server-end-point']?.length, 48);
    const two = await bothSides('TLSv1.3', 'rsa.key', 'rsa-sha384');
    assert.notDeepEqual(one.server['tls-exporter'], two.server['tls-exporter']);
    assert.deepEqual(one.server['tls-server-end-point'], two.server['tls-server-end-point']);
  });

  it('TLS 1.2 has the end point only', async () => {
    const { server, client } = await bothSides('TLSv1.2', 'ec.key', 'ecdsa-sha384');
    assert.deepEqual(Object.keys(server), ['tls-server-end-point']);
    assert.deepEqual(server, client);
  });
});
