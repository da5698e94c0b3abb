/** A mirror on simulated disks that fail in every way. SEED repeats the seeded rounds. */
import assert from 'node:assert/strict';
import { isMailError, type MailboxId, type MailStore, type Uid } from '@mail-server-kit/core';
import { describe, it } from 'vitest';
import { alice, fails, message, readText, uidsOf } from './contract/given.ts';
import { bodyOf, seeded } from './fixtures/kill-ops.ts';
import { SimulatedSide, openOnSides, type OnDisks } from './fixtures/mirror-disks.ts';

const seed = Number(process.env['SEED'] ?? 1);

interface Begun extends OnDisks {
  readonly a: SimulatedSide;
  readonly b: SimulatedSide;
  readonly inbox: MailboxId;
}

async function begin(options: { readonly watchMs?: number } = {}): Promise<Begun> {
  const a = new SimulatedSide('a', seed);
  const b = new SimulatedSide('b', seed + 1);
  const on = await openOnSides([a, b], options);
  const { results } = await on.store.commit([{ op: 'createAccount', account: alice }]);
  return { ...on, a, b, inbox: results[0]?.mailbox as MailboxId };
}

async function append(store: MailStore, inbox: MailboxId, text: string): Promise<Uid> {
  const { results } = await store.commit([{ op: 'append', mailbox: inbox, ...message(text) }]);
  return results[0]?.uid as Uid;
}

const bodyText = (name: string, size: number): string =>
  `${name} ${bodyOf(name, size).toString('base64')}`.slice(0, size);

/** Whole texts would say little when they differ. */
function same(found: readonly string[], expected: readonly string[]): void {
  const names = (texts: readonly string[]) => texts.map((text) => text.slice(0, 20));
  assert.deepEqual(names(found), names(expected));
  for (const [i, text] of expected.entries()) assert.ok(found[i] === text, `text ${i} differs`);
}

/** So much that it goes over several segments. */
async function appendMany(store: MailStore, inbox: MailboxId, name: string, count = 40) {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    texts.push(bodyText(`${name}${i}`, 5000));
    await append(store, inbox, texts.at(-1) as string);
  }
  return texts;
}

async function textsOf(store: MailStore, inbox: MailboxId): Promise<string[]> {
  const snapshot = await store.open(inbox);
  const texts: string[] = [];
  for (const uid of uidsOf(snapshot)) {
    texts.push(await readText(store, { snapshot, uid: uid as Uid }));
  }
  return texts;
}

/** What one side alone holds, from its octets after a crash. */
async function alone(side: SimulatedSide, inbox: MailboxId): Promise<string[]> {
  side.crash();
  const { store } = await openOnSides([side]);
  const texts = await textsOf(store, inbox);
  await store.close();
  return texts;
}

const stateOf = ({ store }: OnDisks) => store.health().sides.map(({ state }) => state);
const kindsOf = ({ events }: OnDisks) => events.map(({ kind }) => kind);

async function isFilling(on: OnDisks): Promise<void> {
  while (stateOf(on)[1] !== 'filling') await new Promise(setImmediate);
}

function findOctets(side: SimulatedSide, text: string): { name: string; position: number } {
  for (const name of side.disk.list()) {
    const file = side.disk.open(name, 'read');
    const bytes = Buffer.alloc(file.size());
    file.read(bytes, 0);
    const position = bytes.indexOf(text, 0, 'latin1');
    if (position >= 0) return { name, position };
  }
  return assert.fail('the text is nowhere');
}

describe('a mirror', () => {
  it('holds everything on both sides: each opens alone', async () => {
    for (const which of [0, 1] as const) {
      const { store, a, b, inbox, events } = await begin();
      assert.deepEqual(events, []);
      const texts = await appendMany(store, inbox, 'both');
      assert.deepEqual(store.health().state, 'ok');
      // Not closed: a crash.
      same(await alone([a, b][which] as SimulatedSide, inbox), texts);
    }
  });

  for (const [how, hurt, reason] of [
    ['a sync fails', (side: SimulatedSide) => side.disk.fail('sync', 'EIO'), 'failed'],
    ['a write fails', (side: SimulatedSide) => side.disk.fail('write', 'EIO'), 'failed'],
    ['the disk is gone', (side: SimulatedSide) => side.takeOut(), 'failed'],
    ['there is no room', (side: SimulatedSide) => (side.disk.capacity = side.disk.used), 'full'],
  ] as const) {
    for (const which of [0, 1] as const) {
      it(`goes on when on side ${which} ${how}, and the other holds everything`, async () => {
        const on = await begin();
        const { store, inbox } = on;
        const sides = [on.a, on.b];
        const before = await appendMany(store, inbox, 'before', 5);
        hurt(sides[which] as SimulatedSide);
        const after = await appendMany(store, inbox, 'after', 60);
        assert.equal(stateOf(on)[which], 'out');
        const health = store.health();
        assert.equal(health.state, 'degraded');
        assert.equal(health.sides[which]?.reason, reason);
        assert.equal(health.sides[which]?.since, on.clock.now());
        assert.deepEqual(kindsOf(on), ['degraded']);
        same(await textsOf(store, inbox), [...before, ...after]);
        const survivor = sides[1 - which] as SimulatedSide;
        same(await alone(survivor, inbox), [...before, ...after]);
      });
    }
  }

  it('fails when both sides fail, and nothing acknowledged is lost', async () => {
    const { store, a, b, inbox } = await begin();
    await append(store, inbox, 'kept');
    a.disk.fail('sync', 'EIO');
    b.disk.fail('sync', 'EIO');
    await fails(append(store, inbox, 'unknown'), 'UNKNOWN');
    await fails(append(store, inbox, 'refused'), 'UNAVAILABLE');
    assert.equal(store.health().state, 'read-only');
    await store.close();
    const { store: again } = await openOnSides([a, b]);
    assert.equal((await textsOf(again, inbox))[0], 'kept');
    await append(again, inbox, 'after');
    await again.close();
  });

  it('notices that a side was replaced by an empty one, and fills it while mail comes in', async () => {
    const on = await begin();
    const { store, mirror, a, b, inbox } = on;
    const texts = await appendMany(store, inbox, 'old');
    b.replace();
    const looked = mirror.look();
    await isFilling(on);
    texts.push(...(await appendMany(store, inbox, 'while', 30)));
    await looked;
    assert.deepEqual(stateOf(on), ['whole', 'whole']);
    assert.equal(store.health().state, 'ok');
    assert.equal(kindsOf(on)[0], 'degraded');
    assert.equal(kindsOf(on).at(-1), 'whole');
    texts.push(...(await appendMany(store, inbox, 'after', 3)));
    a.takeOut();
    texts.push(...(await appendMany(store, inbox, 'without a', 3)));
    same(await alone(b, inbox), texts);
  });

  it('brings a side that comes back up to date, at a start and while it serves', async () => {
    const { store, a, b, inbox } = await begin();
    const texts = await appendMany(store, inbox, 'one', 30);
    b.takeOut();
    texts.push(...(await appendMany(store, inbox, 'two', 30)));
    await store.close();
    b.putBack();
    const second = await openOnSides([a, b]);
    assert.equal(second.store.health().sides[1]?.reason, 'behind');
    await second.mirror.look();
    assert.deepEqual(stateOf(second), ['whole', 'whole']);
    // A disk that failed is tried again a minute later.
    while (stateOf(second)[0] !== 'out') {
      a.disk.fail('sync', 'EIO');
      texts.push(...(await appendMany(second.store, inbox, `three${texts.length}`, 10)));
    }
    await second.mirror.look();
    assert.equal(stateOf(second)[0], 'out');
    await second.clock.advance(61_000);
    await second.mirror.look();
    assert.deepEqual(stateOf(second), ['whole', 'whole']);
    same(await alone(a, inbox), texts);
  });

  it('that was used apart is refused, naming both', async () => {
    const { store, a, b, inbox } = await begin();
    await append(store, inbox, 'both');
    await store.close();
    for (const side of [a, b]) {
      const { store: single } = await openOnSides([side]);
      await append(single, inbox, side.directory);
      await single.close();
    }
    await assert.rejects(openOnSides([a, b]), (error: unknown) => {
      assert.ok(isMailError(error, 'CANNOT'));
      assert.match(error.message, /^a and b were both used alone and now differ/);
      return true;
    });
    // One of them may still be used alone, or with an empty one.
    b.replace();
    const again = await openOnSides([a, b]);
    await again.mirror.look();
    same(await textsOf(again.store, inbox), ['both', 'a']);
    assert.deepEqual(stateOf(again), ['whole', 'whole']);
    await again.store.close();
  });

  it('of two stores is refused, and so is a copy that nobody knows of', async () => {
    const first = await begin();
    const second = await begin();
    await first.store.close();
    await second.store.close();
    await assert.rejects(
      openOnSides([first.a, second.b]),
      (error: unknown) => isMailError(error, 'CANNOT') && /different stores/.test(error.message),
    );
    const other = new SimulatedSide('c');
    const { store } = await openOnSides([other]);
    await store.commit([{ op: 'createAccount', account: alice }]);
    await store.close();
    await assert.rejects(openOnSides([first.a, other]), /different stores/);
  });

  it('of which one side is away and the other empty is not taken for a new store', async () => {
    const { store, a } = await begin();
    await store.close();
    a.takeOut();
    await assert.rejects(openOnSides([a, new SimulatedSide('b')]), (error: unknown) => {
      assert.ok(isMailError(error, 'UNAVAILABLE'));
      assert.match(error.message, /^b is empty and a does not exist/);
      return true;
    });
  });

  it('that was being filled does not open alone', async () => {
    const on = await begin();
    await appendMany(on.store, on.inbox, 'x');
    on.b.replace();
    void on.mirror.look();
    await isFilling(on);
    await assert.rejects(openOnSides([on.b]), (error: unknown) => {
      assert.ok(isMailError(error, 'UNAVAILABLE'));
      assert.match(error.message, /^b does not hold everything/);
      return true;
    });
    await on.store.close();
  });

  it('is made of a store that had none', async () => {
    const a = new SimulatedSide('a');
    const b = new SimulatedSide('b');
    const single = await openOnSides([a]);
    const { results } = await single.store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    const texts = await appendMany(single.store, inbox, 'single');
    await single.store.close();
    const on = await openOnSides([a, b]);
    assert.equal(on.store.health().sides[1]?.reason, 'new');
    await on.mirror.look();
    assert.deepEqual(stateOf(on), ['whole', 'whole']);
    same(await alone(b, inbox), texts);
  });
});

describe('rot on one side', () => {
  it('is not seen by who reads, and is healed', async () => {
    for (const which of [0, 1] as const) {
      const on = await begin();
      const { store, mirror, inbox } = on;
      const texts = await appendMany(store, inbox, 'rot');
      const side = [on.a, on.b][which] as SimulatedSide;
      const { name, position } = findOctets(side, texts[3] as string);
      side.disk.flip(name, position + 100);
      same(await textsOf(store, inbox), texts);
      await mirror.look();
      if (which === 1) await store.scrub();
      const found = on.events.flatMap((event) => (event.kind === 'damage' ? [event] : []));
      assert.equal(found.length, 1);
      assert.equal(found[0]?.healed, true);
      assert.equal(found[0]?.directory, side.directory);
      same(await alone(side, inbox), texts);
    }
  });

  it('is healed by a scrub wherever it is, each side from the other', async () => {
    const random = seeded(seed);
    for (let round = 0; round < 8; round++) {
      const on = await begin();
      const texts = await appendMany(on.store, on.inbox, `s${round}-`, 30);
      const spots = new Set<number>();
      for (const side of [on.a, on.b]) {
        const names = side.disk.list().filter((name) => name.endsWith('.journal'));
        for (let i = 0; i < 3; i++) {
          const index = Math.floor(random() * (names.length - 2));
          const spot = Math.floor(random() * 60_000);
          // Not in one record on both.
          if ([...spots].some((other) => Math.abs(other - (index * 65_536 + spot)) < 12_000))
            continue;
          spots.add(index * 65_536 + spot);
          side.disk.flip(names[index] as string, spot);
        }
      }
      const report = await on.store.scrub();
      assert.ok(report.damage.length > 0);
      assert.ok(
        report.damage.every(({ healed }) => healed),
        JSON.stringify(report.damage),
      );
      assert.equal((await on.store.scrub()).damage.length, 0);
      same(await alone(on.a, on.inbox), texts);
      same(await alone(on.b, on.inbox), texts);
    }
  });

  it('that both have at one place is told with that place', async () => {
    const on = await begin();
    const texts = await appendMany(on.store, on.inbox, 'x', 10);
    for (const side of [on.a, on.b]) {
      const { name, position } = findOctets(side, texts[2] as string);
      side.disk.flip(name, position + 7);
    }
    const { damage } = await on.store.scrub();
    assert.equal(damage.length, 1);
    assert.equal(damage[0]?.healed, false);
    assert.equal(damage[0]?.directory, undefined);
    assert.equal(damage[0]?.segment, 1);
    assert.deepEqual(on.store.health().damage, damage);
    await on.store.close();
  });

  it('without a mirror is told with its place', async () => {
    const a = new SimulatedSide('a');
    const on = await openOnSides([a]);
    const { results } = await on.store.commit([{ op: 'createAccount', account: alice }]);
    const inbox = results[0]?.mailbox as MailboxId;
    const texts = await appendMany(on.store, inbox, 'x', 30);
    assert.equal((await on.store.scrub()).damage.length, 0);
    const { name, position } = findOctets(a, texts[2] as string);
    a.disk.flip(name, position + 7);
    const { damage } = await on.store.scrub();
    assert.deepEqual(
      damage.map(({ directory, segment, healed }) => ({ directory, segment, healed })),
      [{ directory: 'a', segment: 1, healed: false }],
    );
    const offset = damage[0]?.offset as number;
    assert.ok(offset <= position && position - offset < 1000);
    await on.store.close();
  });

  it('in a store that is closed is healed at the start, and a segment that is missing is copied', async () => {
    const { store, a, b, inbox } = await begin();
    const texts = await appendMany(store, inbox, 'x');
    await store.close();
    const { name, position } = findOctets(a, texts[30] as string);
    a.disk.flip(name, position + 9);
    a.disk.flip('0000000001.journal', 5);
    b.disk.remove('0000000002.journal');
    const on = await openOnSides([a, b]);
    same(await textsOf(on.store, inbox), texts);
    assert.deepEqual(stateOf(on), ['whole', 'whole']);
    await on.mirror.look();
    await on.store.scrub();
    same(await alone(a, inbox), texts);
    same(await alone(b, inbox), texts);
  });

  it('is looked for every week, over restarts', async () => {
    const on = await begin({ watchMs: 3_600_000 });
    await on.clock.advance(3_600_000);
    await on.clock.advance(6 * 86_400_000);
    assert.equal(on.store.health().lastScrub, undefined);
    await on.store.close();
    const again = await openOnSides([on.a, on.b], { watchMs: 3_600_000 });
    again.clock.set(on.clock.now());
    await again.clock.advance(86_400_000 + 3_600_000);
    await again.mirror.look();
    assert.ok(again.store.health().lastScrub);
    await again.store.close();
  });
});

describe('a mirror that loses power', () => {
  const rounds = process.env['SEED'] ? 1 : 12;

  for (let round = seed; round < seed + rounds; round++) {
    it(`keeps what was acknowledged, on either side, whatever each disk has lost (SEED=${round})`, async () => {
      const random = seeded(round);
      const a = new SimulatedSide('a', round);
      const b = new SimulatedSide('b', round + 1000);
      let on = await openOnSides([a, b]);
      const made = await on.store.commit([{ op: 'createAccount', account: alice }]);
      const inbox = made.results[0]?.mailbox as MailboxId;
      const sure = new Set<string>();
      for (let life = 0; life < 6; life++) {
        const attempts: Promise<unknown>[] = [];
        for (let i = 0; i < 10; i++) {
          const body = bodyText(`r${round}-${life}-${i}`, 40 + Math.floor(random() * 9000));
          attempts.push(
            append(on.store, inbox, body).then(
              () => sure.add(body),
              () => {},
            ),
          );
          if (random() < 0.5) await new Promise(setImmediate);
        }
        // At any moment of a filling too.
        if (random() < 0.5) (random() < 0.5 ? a : b).disk.fail('sync', 'EIO');
        const turns = Math.floor(random() * 30);
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
        if (random() < 0.3) await on.clock.advance(61_000);
        a.crash();
        b.crash();
        await Promise.all(attempts);
        on = await openOnSides([a, b]);
        const texts = await textsOf(on.store, inbox);
        for (const text of sure) assert.ok(texts.includes(text), 'an acknowledged message is gone');
        if (random() < 0.6) await on.mirror.look();
      }
      await on.mirror.look();
      assert.deepEqual(stateOf(on), ['whole', 'whole']);
      const texts = await textsOf(on.store, inbox);
      same(await alone(a, inbox), texts);
      same(await alone(b, inbox), texts);
    });
  }

  it('in the middle of a filling, at every step, fills it again and loses nothing', async () => {
    for (let step = 0; ; step++) {
      const on = await begin();
      const texts = await appendMany(on.store, on.inbox, 'x', 30);
      on.b.replace();
      let over = false;
      void on.mirror.look().then(() => (over = true));
      let turns = 0;
      for (; turns < step && !over; turns++) await new Promise(setImmediate);
      on.a.crash();
      on.b.crash();
      const again = await openOnSides([on.a, on.b]);
      await again.mirror.look();
      assert.deepEqual(stateOf(again), ['whole', 'whole'], `step ${step}`);
      same(await alone(on.b, on.inbox), texts);
      if (over) break;
    }
  });

  it('in the middle of making a store leaves one that can be opened', async () => {
    for (let call = 0; call < 30; call++) {
      const a = new SimulatedSide('a', call + 1);
      const b = new SimulatedSide('b', call + 100);
      const which = call % 2 === 0 ? a : b;
      which.disk.fail('sync', 'EIO', Math.floor(call / 2));
      await openOnSides([a, b]).catch(() => {});
      a.crash();
      b.crash();
      const on = await openOnSides([a, b]);
      await on.mirror.look();
      assert.deepEqual(stateOf(on), ['whole', 'whole'], `call ${call}`);
      await on.store.commit([{ op: 'createAccount', account: alice }]);
      await on.store.close();
    }
  });
});

describe('a disk that does not answer', () => {
  it('is left behind after a while', async () => {
    const on = await begin();
    const { store, clock, b, inbox } = on;
    b.hold();
    const sent = append(store, inbox, 'waits');
    await clock.advance(10_000);
    assert.deepEqual(stateOf(on), ['whole', 'whole']);
    await clock.advance(15_000);
    await sent;
    assert.equal(store.health().sides[1]?.reason, 'slow');
    same(await textsOf(store, inbox), ['waits']);
    await store.close();
  });
});
