import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
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
