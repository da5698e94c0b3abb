// What a user of the published packages does, whatever way they were loaded. Run by pack.test.ts in an empty project, without
// TypeScript, in a process of its own.
const assert = require('node:assert/strict');
const { mkdtempSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const tls = require('node:tls');
const net = require('node:net');

/**
 * @typedef {object} Kit
 * @property {typeof import('@mail-server-kit/core')} core
 * @property {typeof import('@mail-server-kit/core/testing')} testing
 * @property {typeof import('@mail-server-kit/mime')} mime
 * @property {typeof import('@mail-server-kit/storage')} storage
 * @property {typeof import('@mail-server-kit/storage/contract')} contract
 * @property {typeof import('@mail-server-kit/accounts')} accounts
 * @property {typeof import('@mail-server-kit/accounts/contract')} directoryContract
 * @property {typeof import('@mail-server-kit/smtp')} smtp
 * @property {typeof import('imap-server-kit')} imap
 * @property {typeof import('@mail-server-kit/tls')} certificates
 */

/** @param {Kit} kit */
module.exports = async function use({
  core,
  testing,
  mime,
  storage,
  contract,
  accounts,
  directoryContract,
  smtp,
  imap,
  certificates,
}) {
  assert.deepEqual(core.parseAddress('joe@Example.Test'), {
    localPart: 'joe',
    domain: 'example.test',
  });
  assert.equal(typeof contract.mailStoreContract, 'function');
  assert.equal(typeof directoryContract.directoryContract, 'function');
  assert.ok(Object.keys(mime).length > 0);
  assert.equal(testing.fakeClock(1000).now(), 1000);

  const folder = mkdtempSync(join(process.cwd(), 'mail-'));
  try {
    for (const open of [
      async () => storage.createMemoryStore(),
      // Has a worker thread, whose file has to be found beside the one that was loaded.
      () => storage.openEmbeddedStore(join(folder, 'data')),
    ]) {
      const store = await open();
      const directory = accounts.createAccounts({ store });
      await directory.addDomain('example.test');
      await directory.addAccount('joe@example.test', 'secret');
      const own = await certificates.ownCertificateAuthority({
        directory: join(folder, 'tls'),
        names: ['localhost'],
      });
      const host = '127.0.0.1';
      const server = core.createMailServer({
        services: [
          smtp.createSmtpServer({
            kind: 'lmtp',
            store,
            directory,
            tls: own,
            listen: [{ host, port: 0 }],
          }),
          imap.createImapServer({
            store,
            directory,
            tls: own,
            listen: [{ host, port: 0, tls: 'implicit' }],
          }),
        ],
        closeAfter: [directory, store, own],
      });
      const [lmtp, imaps] = await server.start();
      const message = 'From: <a@example.net>\r\nSubject: Packed\r\n\r\nIt works\r\n';
      await talk(net.connect(lmtp?.port ?? 0, host), [
        [/^220 /, 'LHLO client'],
        [/^250 /m, 'MAIL FROM:<a@example.net>'],
        [/^250 /, 'RCPT TO:<joe@example.test>'],
        [/^250 /, 'DATA'],
        [/^354 /, `${message}.`],
        [/^250 /, 'QUIT'],
      ]);
      const socket = tls.connect({
        port: imaps?.port ?? 0,
        host,
        ca: own.ca(),
        servername: 'localhost',
      });
      const seen = await talk(socket, [
        [/^\* OK /, 'a LOGIN joe@example.test secret'],
        [/^a OK /m, 'b SELECT INBOX'],
        [/^b OK /m, 'c FETCH 1 BODY.PEEK[]'],
        [/^c OK /m, 'd LOGOUT'],
      ]);
      assert.ok(seen.includes('Subject: Packed\r\n\r\nIt works\r\n'), seen);
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 'used';
};

/**
 * Says each line once what came since the last one matches.
 * @param {net.Socket} socket
 * @param {readonly (readonly [RegExp, string])[]} turns
 * @returns {Promise<string>} all that came
 */
function talk(socket, turns) {
  return new Promise((resolve, reject) => {
    let all = '';
    let now = '';
    let turn = 0;
    socket.setTimeout(10_000, () =>
      socket.destroy(new Error(`silence after turn ${turn}: ${all}`)),
    );
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
      now += chunk.toString('latin1');
      const next = turns[turn];
      if (next && now.endsWith('\r\n') && next[0].test(now)) {
        now = '';
        turn++;
        socket.write(`${next[1]}\r\n`);
      }
    });
    socket.on('end', () => socket.end());
    socket.on('close', () =>
      turn === turns.length ? resolve(all) : reject(new Error(`ended in turn ${turn}: ${all}`)),
    );
  });
}
