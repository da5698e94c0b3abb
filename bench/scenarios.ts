/** What is measured: one table row per figure, each a number of the generators' lines that has to be better or at par. */
import type { Line } from './load.ts';

export interface Row {
  readonly title: string;
  /** `scenario` of the generator's lines it is taken from. */
  readonly line: string;
  readonly unit: string;
  readonly figure: (line: Line) => number;
  /** The other side's figure where it is another one, such as the time until a queue is empty. */
  readonly peerFigure?: (line: Line) => number;
  /** Memory and latency. Default: higher is better. */
  readonly lowerIsBetter?: true;
  /** The least ratio (with `lowerIsBetter` the greatest) that satisfies. Default 1: at par. */
  readonly floor?: number;
}

export interface Scenario {
  readonly name: string;
  readonly kind: 'smtp' | 'lmtp' | 'imap' | 'big mailbox';
  /** The peer is a Dovecot that syncs flags too, as ours does; by default it does not. */
  readonly syncedFlags?: true;
  /** Ours is started anew before, so that what it uses is not hidden behind garbage of the scenarios before. */
  readonly fresh?: true;
  /** Options of the generator; for `imap` the name of its scenario. */
  readonly load: Readonly<Record<string, string | number | true>>;
  readonly rows: readonly Row[];
}

const field = (name: string) => (line: Line) => Number(line[name]);
const perSecond = field('perSecond');

const rate = (line: string, unit: string, title = line): Row => ({
  title,
  line,
  unit,
  figure: perSecond,
});

const smtp = (line: string, title: string, floor: number): Row => ({
  title,
  line,
  unit: 'messages/s',
  figure: perSecond,
  peerFigure: field('drainedPerSecond'),
  floor,
});

const searches = ['header exact', 'subject', 'body', 'body base64', 'text', 'unseen', 'larger'];

export function scenarios(quick: boolean): readonly Scenario[] {
  const messages = quick ? 500 : 3000;
  return [
    {
      name: 'smtp',
      kind: 'smtp',
      load: { conns: 10, messages, size: 20_000 },
      rows: [smtp('smtp', 'SMTP to mailbox, 20 KB, 10 connections', 3)],
    },
    {
      name: 'smtp-short',
      kind: 'smtp',
      load: { conns: 16, messages: quick ? 160 : 1000, size: 20_000, 'per-conn-messages': 1 },
      rows: [smtp('smtp-short', 'SMTP to mailbox, a connection per message', 1)],
    },
    {
      name: 'lmtp',
      kind: 'lmtp',
      load: { conns: 10, messages, size: 20_000 },
      rows: [rate('lmtp', 'messages/s', 'LMTP, 20 KB, 10 connections')],
    },
    {
      name: 'append',
      kind: 'imap',
      load: { scenario: 'append' },
      rows: [
        rate('append 1 conn', 'messages/s', 'APPEND, 1 connection'),
        rate('append 1 conn pipelined', 'messages/s', 'APPEND, 1 connection, pipelined'),
        rate('append 8 conns', 'messages/s', 'APPEND, 8 connections'),
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
      name: 'flags',
      kind: 'imap',
      load: { scenario: 'flags' },
      rows: [rate('fetch flags uid', 'messages/s', 'FETCH 1:* (UID FLAGS)')],
    },
    {
      name: 'envelope',
      kind: 'imap',
      load: { scenario: 'envelope' },
      rows: [
        rate('fetch envelope first', 'messages/s', 'FETCH 1:* ENVELOPE and so on, first'),
        rate('fetch envelope warm', 'messages/s', 'FETCH 1:* ENVELOPE and so on, again'),
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
      load: { scenario: 'search' },
      rows: searches.flatMap((name) => [
        rate(`search ${name} first`, '/s', `SEARCH ${name}, first`),
        rate(`search ${name} again`, '/s', `SEARCH ${name}, again`),
      ]),
    },
    {
      name: 'store',
      kind: 'imap',
      syncedFlags: true,
      load: { scenario: 'store' },
      rows: [
        rate('store silent 1:*', 'messages/s', 'STORE 1:* +FLAGS.SILENT'),
        rate('store 1:* with responses', 'messages/s', 'STORE 1:* -FLAGS'),
        rate('store one by one', '/s', 'STORE n +FLAGS.SILENT'),
      ],
    },
    {
      name: 'idle',
      kind: 'imap',
      load: { scenario: 'idle' },
      rows: [
        {
          title: 'IDLE: from APPEND to EXISTS',
          line: 'idle push',
          unit: 'ms',
          figure: field('ms'),
          lowerIsBetter: true,
        },
      ],
    },
    {
      name: 'idleconns',
      kind: 'imap',
      fresh: true,
      load: { scenario: 'idleconns' },
      rows: [
        {
          title: 'memory of an idle connection',
          line: 'idle connections',
          unit: 'KiB',
          figure: field('pssKiBPer'),
          lowerIsBetter: true,
        },
      ],
    },
    {
      name: 'big',
      kind: 'big mailbox',
      fresh: true,
      load: {},
      rows: [
        {
          title: `memory of a selected mailbox of ${quick ? '10k' : '100k'}`,
          line: 'big mailbox',
          unit: 'KiB',
          figure: field('mailboxKiB'),
          lowerIsBetter: true,
        },
        {
          title: 'memory of the server, that mailbox selected',
          line: 'big mailbox',
          unit: 'KiB',
          figure: field('serverKiB'),
          lowerIsBetter: true,
        },
        rate('big mailbox', 'messages/s', 'first SELECT and FETCH 1:* (UID FLAGS) of it'),
      ],
    },
  ];
}
