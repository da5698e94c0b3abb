import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, it } from 'vitest';
import { isMailError, silent, type AccountId, type Disk } from '@mail-server-kit/core';
import { fakeDisk } from '@mail-server-kit/core/testing';
import { Packer } from '../pack.ts';
import { openBody, sealBody } from './body.ts';
import { createKeyFile, keyFile, passphrase, type MasterKey } from './master-key.ts';
import { FRONT_OCTETS, sealed } from './sealer.ts';
import { Vault } from './vault.ts';

const anna = 'anna' as AccountId;
const ben = 'ben' as AccountId;
const random = { bytes: (count: number) => randomBytes(count) };
const cheap = { cost: 16 };
const master = passphrase('correct horse', cheap);

const open = (store: Uint8Array | undefined, masterKey: MasterKey, ...disks: Disk[]) =>
  Vault.open(store, { masterKey, disks, random, log: silent });

function seal(vault: Vault, account: AccountId, text: string): Uint8Array {
  const to = new Packer();
  const at = to.zeros(FRONT_OCTETS);
  to.raw(Buffer.from(text));
  vault.seal(to, at, account, sealed.section);
  return Buffer.from(to.bytes);
}
const read = (vault: Vault, account: AccountId, octets: Uint8Array) =>
  vault.open(octets, account, sealed.section)?.toString();
const corruption = (error: unknown) => isMailError(error, 'CORRUPTION');

describe('the keys of a store', () => {
  it('open what they have sealed, after a restart too, and nothing else', async () => {
    const disk = fakeDisk();
    const vault = await open(undefined, master, disk);
    vault.create(anna);
    vault.create(ben);
    const octets = seal(vault, anna, 'a secret');
    assert.ok(!Buffer.from(octets).includes('secret'));
    const again = await open(vault.store, master, disk);
    assert.equal(read(again, anna, octets), 'a secret');
    assert.throws(() => read(again, ben, octets), corruption);
    assert.throws(() => again.open(octets, anna, sealed.message), corruption);
    for (let at = 0; at < octets.length; at++) {
      const flipped = Uint8Array.from(octets);
      flipped[at] = (flipped[at] as number) ^ 1;
      assert.throws(() => read(again, anna, flipped), corruption);
    }
  });

  it('never use a nonce twice, though a crash takes back what was sealed last', async () => {
    const disk = fakeDisk();
    const first = await open(undefined, master, disk);
    first.create(anna);
    const seen = new Set<string>();
    for (let start = 0; start < 20; start++) {
      const vault = await open(first.store, master, disk);
      for (let i = 0; i < 20; i++) {
        seen.add(Buffer.from(seal(vault, anna, 'x').subarray(0, FRONT_OCTETS)).toString('hex'));
      }
    }
    assert.equal(seen.size, 400);
  });

  it('are gone once destroyed: no octet of the wrapped key stays in the files', async () => {
    const disk = fakeDisk();
    const vault = await open(undefined, master, disk);
    for (const account of [anna, ben]) vault.create(account);
    const octets = seal(vault, anna, 'a secret');
    const before = wrappedKeys(disk);
    vault.destroy([anna]);
    assert.equal(read(vault, anna, octets), undefined);
    const files = Buffer.concat(disk.list().map((name) => contentsOf(disk, name)));
    assert.equal(before.filter((key) => files.includes(key)).length, 1);
    const again = await open(vault.store, master, disk);
    assert.ok(again.has(ben) && !again.has(anna));
    assert.equal(read(again, anna, octets), undefined);
    assert.deepEqual([...again.missing], [anna]);
  });

  it('are all there whenever the power goes while one is made, destroyed, or the master key changes', async () => {
    const next = passphrase('another', cheap);
    for (let seed = 1; seed <= 150; seed++) {
      const disk = fakeDisk({ seed });
      const vault = await open(undefined, master, disk);
      vault.create(ben);
      const octets = seal(vault, ben, 'mail');
      const calls = ['write', 'sync', 'truncate', 'syncDirectory'] as const;
      const call = calls[seed % 4] as (typeof calls)[number];
      if (call !== 'syncDirectory') disk.fail(call, 'EIO', Math.floor(seed / 4) % 3);
      else disk.fail(call, 'EIO');
      let rotated = false;
      try {
        if (seed % 3 === 0) vault.create(anna);
        else if (seed % 3 === 1) vault.destroy([anna]);
        else {
          await vault.rotate(next);
          rotated = true;
        }
      } catch (error) {
        assert.ok(isMailError(error, 'UNAVAILABLE'), String(error));
      }
      disk.crash();
      const again = await open(vault.store, master, disk).catch((error: unknown) => {
        assert.ok(isMailError(error, 'NOPERM'), String(error));
        return open(vault.store, next, disk);
      });
      if (rotated) await assert.rejects(open(vault.store, master, disk));
      assert.equal(read(again, ben, octets), 'mail', `seed ${seed}`);
    }
  });

  it('tell which master key they need, and leave everything as it is', async () => {
    const disk = fakeDisk();
    const vault = await open(undefined, master, disk);
    const before = disk.list().map((name) => contentsOf(disk, name));
    await assert.rejects(open(vault.store, passphrase('wrong', cheap), disk), (error: unknown) =>
      isMailError(error, 'NOPERM'),
    );
    assert.deepEqual(
      disk.list().map((name) => contentsOf(disk, name)),
      before,
    );
    await assert.rejects(open(randomBytes(16), master, disk), /another store/);
    await assert.rejects(open(vault.store, master, fakeDisk()), /no keys/);
  });

  it('that are damaged or cut are refused', async () => {
    const disk = fakeDisk();
    const vault = await open(undefined, master, disk);
    vault.create(anna);
    await vault.rotate(master);
    const name = disk.list().find((each) => contentsOf(disk, each).length > 0) as string;
    const whole = contentsOf(disk, name);
    for (let octets = 1; octets < whole.length; octets += 7) {
      const cut = fakeDisk();
      const file = cut.open(name, 'write');
      file.write([whole.subarray(0, octets)], 0);
      file.close();
      await assert.rejects(open(vault.store, master, cut), corruption);
    }
  });

  it('are wrapped anew for another master key, and the old one opens nothing more', async () => {
    const disk = fakeDisk();
    const vault = await open(undefined, master, disk);
    vault.create(anna);
    const octets = seal(vault, anna, 'a secret');
    const next = passphrase('another', cheap);
    await vault.rotate(next);
    vault.create(ben);
    await assert.rejects(open(vault.store, master, disk), /another one/);
    const again = await open(vault.store, next, disk);
    assert.equal(read(again, anna, octets), 'a secret');
    assert.ok(again.has(ben));
  });

  it('are on both sides of a mirror, and either side alone opens', async () => {
    const [left, right] = [fakeDisk(), fakeDisk()];
    const vault = await open(undefined, master, left, right);
    vault.create(anna);
    right.fail('write', 'EIO');
    vault.create(ben);
    vault.destroy([anna]);
    // The right side was away, and comes back with an old key.
    const again = await open(vault.store, master, left, right);
    assert.ok(again.has(ben) && !again.has(anna));
    for (const side of [left, right]) {
      const alone = await open(vault.store, master, side);
      assert.ok(alone.has(ben) && !alone.has(anna));
    }
    assert.ok((await open(vault.store, master, fakeDisk(), right)).has(ben));
  });
});

describe('a master key', () => {
  it('from a file opens what it has wrapped, and tells itself from another', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-key-'));
    try {
      const [one, two] = [path.join(directory, 'one'), path.join(directory, 'two')];
      await createKeyFile(one);
      await createKeyFile(two);
      assert.equal(fs.statSync(one).mode & 0o777, 0o600);
      await assert.rejects(createKeyFile(one), (e: unknown) => isMailError(e, 'ALREADYEXISTS'));
      const key = randomBytes(32);
      const wrapped = await (await keyFile(one)).wrap(key);
      assert.deepEqual(await (await keyFile(one)).unwrap(wrapped), key);
      await assert.rejects((await keyFile(two)).unwrap(wrapped));
      assert.notEqual((await keyFile(one)).id, (await keyFile(two)).id);
      fs.writeFileSync(two, 'not a key');
      await assert.rejects(keyFile(two), (e: unknown) => isMailError(e, 'CANNOT'));
      await assert.rejects(keyFile(`${two}.no`), (e: unknown) => isMailError(e, 'NONEXISTENT'));
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });

  it('from a passphrase keeps its parameters, and refuses some that would fill the memory', async () => {
    const key = randomBytes(32);
    const wrapped = await passphrase('pä', { cost: 32, blockSize: 4 }).wrap(key);
    assert.deepEqual(await passphrase('pa\u0308', cheap).unwrap(wrapped), key);
    const huge = Uint8Array.from(wrapped);
    huge[32] = 40;
    await assert.rejects(passphrase('pä', cheap).unwrap(huge), corruption);
    assert.throws(() => passphrase('x', { cost: 1000 }), TypeError);
  });
});

describe('a sealed body', () => {
  it('gives any range, and no other octets when it was touched, cut or turned round', () => {
    const plain = randomBytes(150_000);
    const body = joined(plain);
    for (const [skip, take] of [
      [0, 150_000],
      [0, 1],
      [65_535, 2],
      [65_536, 65_536],
      [149_999, 1],
      [70_000, 0],
    ] as const) {
      assert.deepEqual(Buffer.from(openBody(body, skip, take)), plain.subarray(skip, skip + take));
    }
    const part = 65_552;
    const { key, bytes } = body;
    const turned = Buffer.concat([
      bytes.subarray(part, 2 * part),
      bytes.subarray(0, part),
      bytes.subarray(2 * part),
    ]);
    assert.throws(() => openBody({ key, bytes: turned }, 0, 10), corruption);
    assert.throws(() => openBody({ key, bytes: bytes.subarray(0, part) }, 0, 10), corruption);
    assert.throws(() => openBody(body, 149_999, 2), corruption);
    const small = joined(Buffer.from('hello'));
    for (let at = 0; at < small.bytes.length; at++) {
      const flipped = Uint8Array.from(small.bytes);
      flipped[at] = (flipped[at] as number) ^ 128;
      assert.throws(() => openBody({ key: small.key, bytes: flipped }, 0, 5), corruption);
    }
  });
});

function joined(plain: Uint8Array) {
  const { key, parts, octets, crc } = sealBody(plain);
  const bytes = Buffer.concat(parts.map((part) => part.bytes));
  assert.deepEqual([bytes.length, crc32(bytes)], [octets, crc]);
  return { key, bytes };
}

function contentsOf(disk: Disk, name: string): Buffer {
  const file = disk.open(name, 'read');
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0);
  file.close();
  return bytes;
}

/** The last octets of the wrapped keys of the two accounts, as they lie in the files. */
function wrappedKeys(disk: Disk): Buffer[] {
  const files = disk.list().map((name) => contentsOf(disk, name));
  return [anna, ben].map((account) => {
    const file = files.find((each) => each.includes(account)) as Buffer;
    const at = file.indexOf(account) + account.length + 1;
    return file.subarray(at + FRONT_OCTETS, at + 70);
  });
}
