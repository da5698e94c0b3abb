import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { isMailError } from '@mail-server-kit/core';
import { afterAll, describe, it } from 'vitest';
import { lockDirectory } from './embedded/lock.ts';
import { openEmbeddedStore } from './embedded/store.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-lock-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
const fresh = () => fs.mkdtempSync(path.join(root, 'd'));

describe('the lock of a data directory', () => {
  it('names the process that has it', async () => {
    const directory = fresh();
    const store = await openEmbeddedStore(directory, { segmentOctets: 65_536 });
    await assert.rejects(openEmbeddedStore(directory), (error: unknown) => {
      assert.ok(isMailError(error, 'UNAVAILABLE'));
      assert.ok(error.message.includes(`process ${process.pid}`), error.message);
      return true;
    });
    await store.close();
    await (await openEmbeddedStore(directory, { segmentOctets: 65_536 })).close();
  });

  it('of a process that lives is respected', async () => {
    const directory = fresh();
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    fs.writeFileSync(path.join(directory, 'lock'), JSON.stringify({ pid: child.pid, started: '' }));
    assert.throws(() => lockDirectory(directory), new RegExp(`process ${child.pid}`));
    child.kill('SIGKILL');
    await once(child, 'exit');
    // Now nobody has it.
    lockDirectory(directory)();
    assert.deepEqual(fs.readdirSync(directory), []);
  });

  it(
    'of a process whose number another one has now is taken over',
    { skip: !fs.existsSync('/proc/self/stat') },
    () => {
      const directory = fresh();
      const owner = { pid: process.pid, started: 'another-boot 1' };
      fs.writeFileSync(path.join(directory, 'lock'), JSON.stringify(owner));
      const unlock = lockDirectory(directory);
      const now = JSON.parse(fs.readFileSync(path.join(directory, 'lock'), 'utf8')) as typeof owner;
      assert.equal(now.pid, process.pid);
      assert.notEqual(now.started, owner.started);
      unlock();
    },
  );

  it('that makes no sense is taken over', () => {
    const directory = fresh();
    fs.writeFileSync(path.join(directory, 'lock'), 'garbage');
    lockDirectory(directory)();
  });
});

describe('a stale lock that many find at once', () => {
  it('is taken over by one of them, whichever directory it is in', async () => {
    const module = new URL('./embedded/lock.ts', import.meta.url).href;
    const directories = [fresh(), fresh()];
    const code = `
      import { lockDirectory } from ${JSON.stringify(module)};
      const held = [];
      for (const directory of ${JSON.stringify(directories)}) {
        try {
          lockDirectory(directory);
          held.push(directory);
        } catch {}
      }
      console.log(JSON.stringify(held));
      process.stdin.resume().on('end', () => process.exit());`;
    const children: ChildProcessByStdio<Writable, Readable, null>[] = [];
    for (const directory of directories) {
      fs.writeFileSync(
        path.join(directory, 'lock'),
        JSON.stringify({ pid: 2 ** 22 + 1, started: '' }),
      );
    }
    for (let i = 0; i < 4; i++) {
      const args = ['--conditions=@mail-server-kit/source', '--import', 'tsx'];
      children.push(
        spawn(process.execPath, [...args, '--input-type=module', '-e', code], {
          stdio: ['pipe', 'pipe', 'inherit'],
        }),
      );
    }
    const held = await Promise.all(
      children.map(async ({ stdout }) => {
        const [line] = (await once(stdout, 'data')) as [Buffer];
        return JSON.parse(line.toString()) as string[];
      }),
    );
    // All of them live until everybody has tried.
    for (const child of children) child.stdin.end();
    assert.deepEqual(held.flat().sort(), [...directories].sort());
  });
});

describe('closing', () => {
  it('answers commits under way, and tells a body that is still arriving', async () => {
    const directory = fresh();
    const store = await openEmbeddedStore(directory, { segmentOctets: 1_048_576 });
    let go = () => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    async function* slow() {
      yield Buffer.alloc(300_000);
      await gate;
      yield Buffer.alloc(2_000_000);
    }
    const staged = store.stage(slow());
    const commits = Array.from({ length: 100 }, (_, i) =>
      store.commit([{ op: 'putRecord', space: 's', key: `${i}`, value: Buffer.alloc(5000) }]),
    );
    await store.close();
    go();
    await assert.rejects(staged, (error: unknown) => isMailError(error, 'UNAVAILABLE'));
    await Promise.all(commits);
    const again = await openEmbeddedStore(directory, { segmentOctets: 1_048_576 });
    let count = 0;
    for await (const _ of again.records('s')) count++;
    assert.equal(count, 100);
    await again.close();
  });

  it('at once ends the process well, and a store without work that is left open lets it end', async () => {
    const module = new URL('./embedded/store.ts', import.meta.url).href;
    for (const then of ['await store.close();', '']) {
      const code = `
        import { openEmbeddedStore } from ${JSON.stringify(module)};
        const store = await openEmbeddedStore(${JSON.stringify(fresh())}, { segmentOctets: 65_536 });
        ${then}
        console.log('end');`;
      const child = spawn(process.execPath, [
        ...['--conditions=@mail-server-kit/source', '--import', 'tsx', '--input-type=module'],
        ...['-e', code],
      ]);
      let said = '';
      child.stdout.on('data', (octets: Buffer) => (said += octets.toString()));
      // Node says 13 where an await at the top is still waiting and nothing is left that could answer it.
      assert.deepEqual(await once(child, 'close'), [0, null]);
      assert.equal(said, 'end\n');
    }
  });
});
