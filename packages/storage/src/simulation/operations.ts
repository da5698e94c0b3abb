/** What clients ask for: by chance, mostly sensible, of the world as it will be when what is under way is done. */
import type {
  AccountId,
  Content,
  EmailId,
  MailboxId,
  ModSeq,
  NewMessage,
  StageId,
  Uid,
  UidRanges,
  UidValidity,
  Write,
} from '@mail-server-kit/core';
import type { SeededRandom } from '@mail-server-kit/core/testing';
import { factsFor } from '../contract/given.ts';
import { isThere, recordName, type ModelMailbox, type ModelWorld } from './model-world.ts';
import { spaces } from './view.ts';

const flags = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', 'work', 'k1', 'k2'];
const names = ['A', 'B', 'A/x', 'A/y', 'B/x', 'INBOX/c', 'Ä', 'B/x/deep'];
const accounts = ['anna', 'ben', 'cleo', 'dora'] as AccountId[];

export interface Scene {
  readonly random: SeededRandom;
  readonly world: ModelWorld;
  readonly now: number;
  /** Counts on, so that all octets and names differ. */
  readonly next: () => number;
  /** Octets of a message, at most. */
  readonly largest: number;
}

/** Bytes that only this number has, of a prime period so that no two sectors are alike. */
export function bodyOf(random: SeededRandom, number: number, size: number): Buffer {
  const pattern = Buffer.from(random.bytes(61));
  const body = Buffer.alloc(size, pattern);
  body.write(`body ${number}\r\n`, 0, 'latin1');
  return body;
}

function sizeOf({ random, largest }: Scene): number {
  const roll = random.integer(100);
  if (roll < 3) return 0;
  return 1 + random.integer(roll < 85 ? Math.min(600, largest) : largest);
}

export const pickMailbox = ({ random, world }: Scene): ModelMailbox | undefined =>
  world.mailboxes.size === 0 ? undefined : random.pick([...world.mailboxes.values()]);

function someMailbox(scene: Scene): MailboxId {
  if (scene.random.chance(0.02)) return `B${1 + scene.random.integer(50)}` as MailboxId;
  return pickMailbox(scene)?.id ?? ('B0' as MailboxId);
}

export function someUids({ random, world }: Scene, id: MailboxId): UidRanges {
  const there = world.mailboxes.get(id)?.messages.map(({ uid }) => uid) ?? [];
  if (there.length === 0 || random.chance(0.05)) return [[1 as Uid, random.integer(9) as Uid]];
  if (random.chance(0.1)) return [[1 as Uid, 0xffff_ffff as Uid]];
  const first = random.pick(there);
  const last = random.chance(0.5) ? first : ((first + random.integer(6)) as Uid);
  if (random.chance(0.3)) {
    const far = (last + 2 + random.integer(8)) as Uid;
    return [
      [first, last],
      [far, far],
    ];
  }
  return [[first, last]];
}

const someFlags = ({ random }: Scene): string[] =>
  flags.filter(() => random.chance(random.chance(0.5) ? 0.1 : 0.4));

function someContent(scene: Scene, stage: StageId | undefined): Content {
  const { random, world } = scene;
  const own = bodyOf(random, scene.next(), sizeOf(scene));
  if (stage !== undefined) {
    return random.chance(0.5) ? [{ stage }] : [own.subarray(0, 40), { stage, start: 3 }];
  }
  const mailbox = random.chance(0.1) ? pickMailbox(scene) : undefined;
  const message =
    mailbox && mailbox.messages.length > 0 ? random.pick(mailbox.messages) : undefined;
  if (!mailbox || !message || !world.mailboxes.has(mailbox.id)) return [own];
  const start = random.integer(message.body.length + 1);
  const quoted = { mailbox: mailbox.id, uid: message.uid, start, end: start + 50 };
  return [own.subarray(0, 100), quoted];
}

function someMessage(scene: Scene, stage?: StageId): NewMessage {
  const { random } = scene;
  const number = scene.next();
  return {
    content: someContent(scene, stage),
    facts: factsFor(`m${number}`),
    flags: someFlags(scene),
    internalDate: 1_000_000 + number,
    ...(random.chance(0.2) ? { internalZone: 60 * (random.integer(25) - 12) } : {}),
    ...(random.chance(0.1) ? { saveDate: number } : {}),
    ...(random.chance(0.05) ? { emailId: `given-${random.integer(20)}` as EmailId } : {}),
    ...(random.chance(0.01) ? { emailId: `M${random.integer(3000) + 1}` as EmailId } : {}),
  };
}

const someAccount = ({ random, world }: Scene): AccountId => {
  const there = [...world.accounts.values()].filter(({ destroyed }) => !destroyed);
  if (there.length === 0 || random.chance(0.03)) return random.pick(accounts);
  return random.pick(there).id;
};

const someName = ({ random, next }: Scene): string =>
  random.chance(0.8) ? random.pick(names) : `N${next()}`;

type Make = (scene: Scene, stage: StageId | undefined) => Write;

const append: Make = (scene, stage) => ({
  ...{ op: 'append', mailbox: someMailbox(scene) },
  ...someMessage(scene, stage),
});

const store: Make = (scene) => {
  const { random } = scene;
  const mailbox = someMailbox(scene);
  const change = random.chance(0.3)
    ? { set: someFlags(scene) }
    : { add: someFlags(scene), remove: someFlags(scene) };
  const highest = scene.world.mailboxes.get(mailbox)?.highestModSeq ?? 0;
  const unchangedSince = Math.max(0, highest - random.integer(6)) as ModSeq;
  return {
    ...{ op: 'store', mailbox, uids: someUids(scene, mailbox), ...change },
    ...(random.chance(0.2) ? { unchangedSince } : {}),
  };
};

const transfer =
  (op: 'copy' | 'move'): Make =>
  (scene) => {
    const mailbox = someMailbox(scene);
    return { op, mailbox, uids: someUids(scene, mailbox), to: someMailbox(scene) };
  };

const someExpunged = ({ random, world }: Scene): ModelMailbox | undefined =>
  world.expunged.size > 0 ? random.pick([...world.expunged.values()]) : undefined;

const undelete: Make = (scene) => {
  const { random } = scene;
  const hidden = someExpunged(scene);
  const there = hidden && hidden.messages.length > 0 ? random.pick(hidden.messages).uid : 1;
  const uids: UidRanges = [[there as Uid, (there + random.integer(4)) as Uid]];
  const mailbox = hidden?.id ?? someMailbox(scene);
  return {
    op: 'undelete',
    mailbox,
    uids,
    ...(random.chance(0.5) ? { to: someMailbox(scene) } : {}),
  };
};

const expunge: Make = (scene) => {
  const hidden = scene.random.chance(0.05) ? someExpunged(scene) : undefined;
  if (hidden) return { op: 'expunge', mailbox: hidden.id, uids: [[1 as Uid, hidden.uidNext]] };
  const mailbox = someMailbox(scene);
  const onlyDeleted = scene.random.chance(0.5);
  return { op: 'expunge', mailbox, uids: someUids(scene, mailbox), onlyDeleted };
};

const replace: Make = (scene, stage) => {
  const mailbox = someMailbox(scene);
  const uid = someUids(scene, mailbox)[0]?.[0] ?? (1 as Uid);
  const to = scene.random.chance(0.5) ? mailbox : someMailbox(scene);
  return { op: 'replace', mailbox, uid, to, ...someMessage(scene, stage) };
};

const createMailbox: Make = (scene) => {
  const { random } = scene;
  return {
    ...{ op: 'createMailbox', account: someAccount(scene), name: someName(scene) },
    ...(random.chance(0.3) ? { specialUse: '\\Archive' } : {}),
    ...(random.chance(0.5) ? { subscribed: random.chance(0.5) } : {}),
    ...(random.chance(0.1) ? { mailboxId: `given-${random.integer(9)}` as MailboxId } : {}),
    ...(random.chance(0.1) ? { uidValidity: (1 + random.integer(99)) as UidValidity } : {}),
  };
};

const setMailbox: Make = (scene) => {
  const { random } = scene;
  const limit = () => (random.chance(0.4) ? null : random.integer(6000));
  const value = random.chance(0.3) ? null : Buffer.from(`value ${scene.next()}`);
  return {
    ...{ op: 'setMailbox', mailbox: someMailbox(scene) },
    ...(random.chance(0.3) ? { subscribed: random.chance(0.5) } : {}),
    ...(random.chance(0.2) ? { specialUse: random.pick([null, '\\Sent', '\\Trash']) } : {}),
    ...(random.chance(0.3)
      ? { acl: [[random.pick(accounts), random.pick([null, 'lr', 'r'])]] as const }
      : {}),
    ...(random.chance(0.3)
      ? { metadata: [[random.pick(['/shared/comment', '/private/x']), value]] as const }
      : {}),
    ...(random.chance(0.2)
      ? { limits: { octets: limit(), messages: random.chance(0.5) ? null : random.integer(20) } }
      : {}),
  };
};

const putRecord: Make = (scene, stage) => {
  const { random } = scene;
  return {
    ...{ op: 'putRecord', space: random.pick(spaces), key: `k${random.integer(12)}` },
    value: bodyOf(random, scene.next(), sizeOf({ ...scene, largest: 300 })),
    ...(random.chance(0.2) || stage ? { content: someContent(scene, stage) } : {}),
    ...(random.chance(0.3) ? { expires: scene.now + random.integer(2_000_000) } : {}),
    ...(random.chance(0.5) ? { account: someAccount(scene) } : {}),
  };
};

const someKey = ({ random }: Scene) => ({
  space: random.pick(spaces),
  key: `k${random.integer(12)}`,
});

const expectRecord: Make = (scene) => {
  const { space, key } = someKey(scene);
  const record = scene.world.records.get(recordName(space, key));
  const version = isThere(record, scene.now) ? record.version : 0;
  return { op: 'expectRecord', space, key, version: scene.random.chance(0.8) ? version : 999 };
};

const expectMailbox: Make = (scene) => {
  const mailbox = someMailbox(scene);
  const modSeq = scene.world.mailboxes.get(mailbox)?.highestModSeq ?? 0;
  const behind = scene.random.chance(0.2) ? 1 : 0;
  return { op: 'expectMailbox', mailbox, modSeq: (modSeq - behind) as ModSeq };
};

/** Copies of copies would grow beyond all measure. */
const bounds = { octets: 400_000, messages: 150, mailboxes: 9 };

const createAccount = (account: AccountId): Write => ({
  op: 'createAccount',
  account,
  limits: bounds,
});

/** The larger the number the more often. */
const makers: readonly (readonly [number, Make])[] = [
  [30, append],
  [16, store],
  [6, transfer('copy')],
  [7, transfer('move')],
  [8, expunge],
  [3, undelete],
  [3, replace],
  [4, createMailbox],
  [2, (scene) => ({ op: 'renameMailbox', mailbox: someMailbox(scene), name: someName(scene) })],
  [1, (scene) => ({ op: 'deleteMailbox', mailbox: someMailbox(scene) })],
  [3, setMailbox],
  [1, (scene) => createAccount(scene.random.pick(accounts))],
  [
    1,
    (scene) => ({
      op: 'setAccount',
      account: someAccount(scene),
      limits: scene.random.chance(0.5)
        ? { ...bounds, messageOctets: Infinity }
        : { octets: 20_000 + scene.random.integer(90_000), messages: 90, messageOctets: 90_000 },
    }),
  ],
  [
    2,
    (scene) => ({
      op: 'subscribeName',
      account: someAccount(scene),
      name: someName(scene),
      subscribed: scene.random.chance(0.6),
    }),
  ],
  [8, putRecord],
  [2, (scene) => ({ op: 'deleteRecord', ...someKey(scene) })],
  [1, expectRecord],
  [1, expectMailbox],
];

const total = makers.reduce((sum, [weight]) => sum + weight, 0);

function oneWrite(scene: Scene, stage: StageId | undefined): Write {
  // Accounts are few, and seldom go.
  if (scene.random.chance(0.002)) return { op: 'destroyAccount', account: someAccount(scene) };
  let roll = scene.random.integer(total);
  for (const [weight, make] of makers) {
    roll -= weight;
    if (roll < 0) return make(scene, stage);
  }
  return append(scene, stage);
}

/** `stage`: to be used by the first that can. */
export function someWrites(scene: Scene, stage?: StageId): Write[] {
  const { random, world } = scene;
  const isEmpty = [...world.accounts.values()].every(({ destroyed }) => destroyed);
  if (isEmpty) return [createAccount(freshAccount(scene))];
  if (stage !== undefined) {
    const maker = random.pick([append, append, replace, putRecord]);
    const first = maker(scene, stage);
    return random.chance(0.7) ? [first] : [first, oneWrite(scene, undefined), append(scene, stage)];
  }
  const count = random.chance(0.75) ? 1 : 1 + random.integer(4);
  return Array.from({ length: count }, () => oneWrite(scene, undefined));
}

function freshAccount({ random, world, next }: Scene): AccountId {
  const free = accounts.filter((id) => !world.accounts.has(id));
  return free.length > 0 ? random.pick(free) : (`u${next()}` as AccountId);
}
