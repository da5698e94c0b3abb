import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { fakeDisk, type FakeDisk } from './disk.ts';

function content(disk: FakeDisk, name: string): Buffer {
  const file = disk.open(name, 'read');
  const into = Buffer.alloc(file.size());
  assert.equal(file.read(into, 0), into.length);
  file.close();
  return into;
}

const text = (disk: FakeDisk, name: string) => String(content(disk, name));

function put(disk: FakeDisk, name: string, octets: string | Uint8Array, position = 0) {
  const file = disk.open(name, 'write');
  file.write([Buffer.from(octets as Uint8Array)], position);
  return file;
}

describe('a fake disk', () => {
  it('is a directory of files', () => {
    const disk = fakeDisk();
    const file = put(disk, 'b', 'hello world');
    file.write([Buffer.from('W'), Buffer.from('ORLD!')], 6);
    put(disk, 'a', 'x', 3);
    assert.equal(text(disk, 'b'), 'hello WORLD!');
    assert.deepEqual(content(disk, 'a'), Buffer.from('\0\0\0x'));
    file.truncate(5);
    file.truncate(7);
    assert.equal(text(disk, 'b'), 'hello\0\0');
    assert.equal(file.read(Buffer.alloc(9), 5), 2);
    assert.equal(file.read(Buffer.alloc(9), 50), 0);
    disk.rename('b', 'a');
    assert.deepEqual(disk.list(), ['a']);
    disk.remove('a');
    assert.deepEqual(disk.list(), []);
    // An open file outlives its name.
    assert.equal(file.size(), 7);
  });

  it('says no as the system does', () => {
    const disk = fakeDisk();
    for (const call of [
      () => disk.open('a', 'read'),
      () => disk.remove('a'),
      () => disk.rename('a', 'b'),
    ]) {
      assert.throws(call, { code: 'ENOENT' });
    }
    assert.throws(() => disk.open('../a', 'write'), { code: 'EINVAL' });
    put(disk, 'a', 'x').close();
    const readOnly = disk.open('a', 'read');
    assert.throws(() => readOnly.write([Buffer.from('y')], 0), { code: 'EBADF' });
    readOnly.close();
    assert.throws(() => readOnly.size(), { code: 'EBADF' });
  });
});

describe('a crash', () => {
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);

  it('leaves what was synced, name and octets', () => {
    for (const seed of seeds) {
      const disk = fakeDisk({ seed });
      const file = put(disk, 'a', 'durable');
      file.sync();
      disk.syncDirectory();
      disk.crash();
      assert.equal(text(disk, 'a'), 'durable');
      assert.throws(() => file.size(), { code: 'EBADF' });
    }
  });

  it('loses, keeps or tears what was not, sector by sector', () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const disk = fakeDisk({ seed });
      const file = put(disk, 'a', Buffer.alloc(1536, 'a'));
      file.sync();
      disk.syncDirectory();
      file.write([Buffer.alloc(1536, 'b')], 0);
      disk.crash();
      const octets = content(disk, 'a');
      assert.equal(octets.length, 1536);
      const sectors = [0, 512, 1024].map((at) => String(octets.subarray(at, at + 512)));
      for (const sector of sectors) assert.match(sector, /^(a+|b+)$/);
      outcomes.add(sectors.map((sector) => sector[0]).join(''));
    }
    assert.deepEqual([...outcomes].sort(), [
      'aaa',
      'aab',
      'aba',
      'abb',
      'baa',
      'bab',
      'bba',
      'bbb',
    ]);
  });

  it('may bring the size without the octets, which are then zero, or not the size', () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const disk = fakeDisk({ seed });
      const file = put(disk, 'a', 'x');
      file.sync();
      disk.syncDirectory();
      file.write([Buffer.from('yz')], 1);
      disk.crash();
      outcomes.add(text(disk, 'a'));
    }
    assert.deepEqual([...outcomes].sort(), ['x', 'x\0\0', 'xyz']);
  });

  it('keeps no later write to a sector without the earlier one', () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const disk = fakeDisk({ seed });
      const file = put(disk, 'a', '....');
      file.sync();
      disk.syncDirectory();
      file.write([Buffer.from('1')], 1);
      file.write([Buffer.from('2')], 2);
      disk.crash();
      outcomes.add(text(disk, 'a'));
    }
    assert.deepEqual([...outcomes].sort(), ['....', '.1..', '.12.']);
  });

  it('makes names come and go until the directory is synced, but never half a rename', () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const disk = fakeDisk({ seed });
      put(disk, 'old', '').sync();
      disk.syncDirectory();
      disk.rename('old', 'new');
      put(disk, 'created', '').sync();
      disk.crash();
      outcomes.add(disk.list().join(' '));
    }
    assert.deepEqual([...outcomes].sort(), ['created new', 'created old', 'new', 'old']);
  });

  it('is the same for the same seed', () => {
    const run = (seed: number) => {
      const disk = fakeDisk({ seed });
      for (let i = 0; i < 20; i++) put(disk, `f${i}`, Buffer.alloc(2000, i), i * 100);
      disk.crash();
      return disk.list().map((name) => [name, content(disk, name).toString('hex')]);
    };
    assert.deepEqual(run(5), run(5));
    assert.notDeepEqual(run(5), run(6));
  });

  it('never touches what was synced, whatever was done', () => {
    const write = fc.record({ at: fc.nat(3000), length: fc.nat(1500), sync: fc.boolean() });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), fc.nat(), (writes, seed) => {
        const disk = fakeDisk({ seed });
        const file = disk.open('a', 'write');
        disk.syncDirectory();
        let synced: Buffer = Buffer.alloc(0);
        let dirty = new Set<number>();
        writes.forEach(({ at, length, sync }, index) => {
          file.write([Buffer.alloc(length, index + 1)], at);
          for (let i = at; i < at + length; i++) dirty.add(i);
          if (!sync) return;
          file.sync();
          synced = content(disk, 'a');
          dirty = new Set();
        });
        disk.crash();
        const found = content(disk, 'a');
        synced.forEach((octet, i) => {
          if (!dirty.has(i)) assert.equal(found[i], octet);
        });
      }),
    );
  });
});

describe('a bad disk', () => {
  it('fails the call that it is told to', () => {
    const disk = fakeDisk();
    const file = put(disk, 'a', 'x');
    disk.fail('write', 'EIO', 1);
    file.write([Buffer.from('y')], 0);
    assert.throws(() => file.write([Buffer.from('zzzz')], 0), { code: 'EIO' });
    file.write([Buffer.from('w')], 0);
    disk.fail('syncDirectory', 'EIO');
    assert.throws(() => disk.syncDirectory(), { code: 'EIO' });
    disk.syncDirectory();
    assert.deepEqual(disk.calls, { sync: 0, write: 4, syncDirectory: 2 });
  });

  it('after a failed sync the next one succeeds without the octets', () => {
    const lost = Array.from({ length: 50 }, (_, seed) => {
      const disk = fakeDisk({ seed });
      const file = put(disk, 'a', 'old');
      file.sync();
      disk.syncDirectory();
      file.write([Buffer.from('new')], 0);
      disk.fail('sync', 'EIO');
      assert.throws(() => file.sync(), { code: 'EIO' });
      assert.equal(text(disk, 'a'), 'new');
      file.sync();
      disk.crash();
      return text(disk, 'a') === 'old';
    });
    assert.ok(lost.includes(true) && lost.includes(false));
  });

  it('is full at its capacity, and has room again after a remove', () => {
    const disk = fakeDisk({ capacity: 10 });
    const file = put(disk, 'a', '12345678');
    assert.throws(() => file.write([Buffer.from('abc')], 8), { code: 'ENOSPC' });
    assert.ok(disk.used <= 10);
    file.truncate(8);
    assert.throws(() => file.truncate(11), { code: 'ENOSPC' });
    file.write([Buffer.from('ABCDEFGH')], 0);
    disk.remove('a');
    put(disk, 'b', '1234567890');
    disk.capacity = 12;
    put(disk, 'b', 'xy', 10);
    assert.equal(disk.used, 12);
  });

  it('rots', () => {
    const disk = fakeDisk();
    put(disk, 'a', 'abc').sync();
    disk.syncDirectory();
    disk.flip('a', 1, 5);
    assert.equal(text(disk, 'a'), 'aBc');
    disk.crash();
    assert.equal(text(disk, 'a'), 'aBc');
    assert.throws(() => disk.flip('a', 3), { name: 'TypeError' });
  });
});
