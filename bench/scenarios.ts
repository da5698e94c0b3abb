/** What is measured: one table row per figure, each a number of the generators' lines that has to be better or at par. */
import type { Line } from './load.ts';
import type { MailboxName } from './mailboxes.ts';

export interface Row {
  readonly title: string;
  /** `scenario` of the generator's lines it is taken from. */
  readonly line: string;
  readonly unit: string;
  readonly figure: (line: Line) => number;
  /** The other side's figure where it is another one, such as the time until a queue is empty. */
  readonly peerFigure?: (line: Line) => number;
  /** CPU time of the server for one unit, where it is long enough to be told. */
  readonly cpu?: (line: Line) => number;
  /** Memory, latency and CPU. Default: higher is better. */
  readonly lowerIsBetter?: true;
  /** The least ratio (with `lowerIsBetter` the greatest) that satisfies. Default 1: at par. */
  readonly floor?: number;
}

export interface Scenario {
  readonly name: string;
  readonly kind: 'delivery' | 'imap' | 'big mailbox';
  /** Default `bench`. */
  readonly mailbox?: MailboxName;
  /** The mailbox that it fills anew; those that read it come after. */
  readonly makes?: MailboxName;
  /** The peer is a Dovecot that syncs all changes, as ours does; by default it syncs messages only. */
  readonly syncedFlags?: true;
  /** Ours is started anew before, so that what it uses is not hidden behind garbage of the scenarios before. */
  readonly fresh?: true;
  /** Options of the generator; for `imap` the names of its scenarios. */
  readonly load: Readonly<Record<string, string | number | true>>;
  readonly rows: readonly Row[];
}

const field = (name: string) => (line: Line) => Number(line[name]);
const perSecond = field('perSecond');
/** Microseconds of the server for each message or command of a line of imap-load.mjs. */
const cpu = (line: Line) => (Number(line['serverCpu']) * 1e6) / Number(line['n']);
const cpuOfMessage = field('cpuMsPerMessage');

/** `line`: what the generator calls it. */
const rate = (line: string, unit: string, title: string, floor = 1): Row => ({
  title,
  line,
  unit,
  figure: perSecond,
  cpu,
  floor,
});

const smtp = (title: string, floor: number): Row => ({
  title,
  line: 'smtp',
  unit: 'messages/s',
  figure: perSecond,
  peerFigure: field('drainedPerSecond'),
  cpu: cpuOfMessage,
  floor,
});

const lower = (row: Omit<Row, 'lowerIsBetter'>): Row => ({ ...row, lowerIsBetter: true });

const searches = ['header exact', 'subject', 'body', 'body base64', 'text', 'unseen', 'larger'];

export function scenarios(quick: boolean): readonly Scenario[] {
  const messages = quick ? 500 : 2000;
  const thousands = quick ? '10k' : '100k';
  return [
    {
      name: 'smtp',
      kind: 'delivery',
      load: { conns: 10, messages, size: 20_000 },
      rows: [
        smtp('SMTP to mailbox, 20 KB, 10 connections', 7),
        lower({
          title: 'CPU of a message that comes by SMTP',
          line: 'smtp',
          unit: 'ms',
          figure: cpuOfMessage,
        }),
      ],
    },
    {
      name: 'smtp-short',
      kind: 'delivery',
      load: { conns: 16, messages: quick ? 160 : 500, size: 20_000, 'per-conn-messages': 1 },
      rows: [smtp('SMTP to mailbox, a connection per message', 1)],
    },
    {
      name: 'lmtp',
      kind: 'delivery',
      load: { conns: 10, messages, size: 20_000, lmtp: true },
      rows: [
        { ...rate('lmtp', 'messages/s', 'LMTP, 20 KB, 10 connections', 3), cpu: cpuOfMessage },
      ],
    },
    {
      name: 'append',
      kind: 'imap',
      mailbox: 'fresh',
      makes: 'fresh',
      load: { scenario: 'append' },
      rows: [
        rate('append 1 conn', 'messages/s', 'APPEND, 1 connection', 3),
        rate('append 1 conn pipelined', 'messages/s', 'APPEND, 1 connection, pipelined', 3),
        rate('append 8 conns', 'messages/s', 'APPEND, 8 connections', 3),
      ],
    },
    {
      name: 'select',
      kind: 'imap',
      load: { scenario: 'select' },
      rows: [
        rate('select warm', '/s', 'SELECT after login'),
        rate('select warm x100 one connection', '/s', 'SELECT again and again'),
      ],
    },
    {
      name: 'select-big',
      kind: 'imap',
      mailbox: 'big',
      load: { scenario: 'select' },
      rows: [
        rate('select warm', '/s', `SELECT of ${thousands} after login`, 3),
        rate('select warm x100 one connection', '/s', `SELECT of ${thousands} again and again`, 3),
      ],
    },
    {
      name: 'flags',
      kind: 'imap',
      load: { scenario: 'flags' },
      rows: [rate('fetch flags uid', 'messages/s', 'FETCH 1:* (UID FLAGS)', 1.5)],
    },
    {
      name: 'envelope-fresh',
      kind: 'imap',
      mailbox: 'fresh',
      load: { scenario: 'envelope', reps: 0 },
      rows: [
        rate('fetch envelope first', 'messages/s', 'FETCH 1:* ENVELOPE and so on, first', 1.5),
      ],
    },
    {
      name: 'envelope',
      kind: 'imap',
      load: { scenario: 'envelope' },
      rows: [
        rate('fetch envelope warm', 'messages/s', 'FETCH 1:* ENVELOPE and so on, again', 1.5),
        rate('fetch envelope one by one', '/s', 'FETCH n ENVELOPE and so on'),
      ],
    },
    {
      name: 'headers',
      kind: 'imap',
      load: { scenario: 'headers' },
      rows: [
        rate('fetch header fields first', 'messages/s', 'FETCH 1:* HEADER.FIELDS, first'),
        rate('fetch header fields again', 'messages/s', 'FETCH 1:* HEADER.FIELDS, again'),
      ],
    },
    {
      name: 'body',
      kind: 'imap',
      load: { scenario: 'body' },
      rows: [
        rate('fetch body', 'messages/s', 'FETCH 1:* BODY.PEEK[]'),
        rate('fetch body one by one', '/s', 'FETCH n BODY.PEEK[]'),
      ],
    },
    {
      name: 'search',
      kind: 'imap',
      load: { scenario: 'search', reps: 1 },
      rows: searches.flatMap((name) => {
        // A rare word: one message in a hundred holds it.
        const floor = name === 'text' ? 30 : 1;
        return [
          rate(`search ${name} first`, '/s', `SEARCH ${name}, first`, floor),
          rate(`search ${name} again`, '/s', `SEARCH ${name}, again`, floor),
        ];
      }),
    },
    {
      name: 'store',
      kind: 'imap',
      syncedFlags: true,
      load: { scenario: 'store' },
      rows: [
        rate('store silent 1:*', 'messages/s', 'STORE 1:* +FLAGS.SILENT', 2),
        rate('store 1:* with responses', 'messages/s', 'STORE 1:* -FLAGS', 2),
        rate('store one by one', '/s', 'STORE n +FLAGS.SILENT'),
      ],
    },
    {
      name: 'copy',
      kind: 'imap',
      mailbox: 'fresh',
      syncedFlags: true,
      // In one run: what is moved is what was copied.
      load: { scenario: 'copy,move,expunge' },
      rows: [
        rate('uid copy 1:*', 'messages/s', 'UID COPY 1:*', 2),
        rate('uid move 1:*', 'messages/s', 'UID MOVE 1:*', 2),
        rate('expunge all', 'messages/s', 'EXPUNGE of all', 2),
      ],
    },
    {
      name: 'idle',
      kind: 'imap',
      load: { scenario: 'idle' },
      rows: [
        lower({
          title: 'IDLE: from APPEND to EXISTS',
          line: 'idle push',
          unit: 'ms',
          figure: field('ms'),
        }),
      ],
    },
    {
      name: 'idleconns',
      kind: 'imap',
      fresh: true,
      load: { scenario: 'idleconns' },
      rows: [
        lower({
          title: 'memory of an idle connection',
          line: 'idle connections',
          unit: 'KiB',
          figure: field('pssKiBPer'),
        }),
      ],
    },
    {
      name: 'big',
      kind: 'big mailbox',
      mailbox: 'big',
      fresh: true,
      load: {},
      rows: [
        lower({
          title: `memory of a selected mailbox of ${thousands}`,
          line: 'big mailbox',
          unit: 'KiB',
          figure: field('mailboxKiB'),
        }),
        lower({
          title: 'memory of the server, that mailbox selected',
          line: 'big mailbox',
          unit: 'KiB',
          figure: field('serverKiB'),
        }),
        {
          title: 'first SELECT and FETCH 1:* (UID FLAGS) of it',
          line: 'big mailbox',
          unit: 'messages/s',
          figure: perSecond,
        },
      ],
    },
  ];
}
