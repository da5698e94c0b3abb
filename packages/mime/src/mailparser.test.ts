import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeCharset } from './charset.ts';
import { corpusFiles, storedForm, hasCorpus } from './corpus.fixture.ts';
import { collapse } from './header.ts';
import { parameterValue } from './parameters.ts';
import { createScanner } from './scan.ts';
import { decodeStructure, mediaType, type PartTree } from './structure.ts';
import { canDecode, createTransferDecoder } from './transfer-encoding.ts';

/** Attachments and texts by the second opinion, and by us. */
interface Opinion {
  /** Hashes of the decoded contents, in order. */
  readonly attachments: readonly string[];
  /** White space collapsed. */
  readonly text: string;
}

const hash = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex').slice(0, 16);

function* leaves(part: PartTree): Generator<PartTree> {
  if (part.children) for (const child of part.children) yield* leaves(child);
  else yield part;
}

function ours(octets: Buffer): Opinion {
  const scanner = createScanner();
  scanner.write(octets);
  const tree = decodeStructure(scanner.finish().structure);
  const attachments: string[] = [];
  let text = '';
  for (const part of leaves(tree)) {
    const encoding = part.encoding ?? '7bit';
    const decoder = createTransferDecoder(canDecode(encoding) ? encoding : '7bit');
    const body = octets.subarray(part.body.start, part.body.end);
    const content = Buffer.concat([decoder.write(body), decoder.finish()]);
    const type = mediaType(part);
    const isAttachment = part.disposition && part.disposition.type.toLowerCase() !== 'inline';
    // mailparser shows a delivery status to its reader whatever its disposition.
    if (type === 'message/delivery-status' || (type === 'text/plain' && !isAttachment)) {
      text += ` ${decodeCharset(content, parameterValue(part.parameters, 'charset') ?? '')}`;
    } else if (type !== 'text/html' || isAttachment) attachments.push(hash(content));
  }
  return { attachments, text: collapse(text) };
}

/**
 * Run in a process of its own: mailparser loads CommonJS and throws out of its own timers, and neither is to depend on the
 * test runner. Takes messages as lines of base64, gives a line of JSON for each.
 */
const program = `
  import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
  import { createInterface } from 'node:readline';
  import { simpleParser } from 'mailparser';
    const options = { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true };
  for await (const line of createInterface({ input: process.stdin })) {
    const { attachments, text } = await simpleParser(Buffer.from(line, 'base64'), options);
    const hash = ({ content }) => createHash('sha256').update(content).digest('hex').slice(0, 16);
    console.log(JSON.stringify({ attachments: attachments.map(hash), text: text ?? '' }));
  }
`;

function theirs(messages: readonly Buffer[]): Opinion[] {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    input: messages.map((octets) => `${octets.toString('base64')}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { attachments, text } = JSON.parse(line) as Opinion;
    return { attachments, text: collapse(text) };
  });
}

/** Where the two opinions differ, and why. */
const explained: readonly (readonly [why: string, files: Readonly<Record<string, string>>])[] = [
  [
    'a nested message is one part to us, as its BODYSTRUCTURE says; mailparser mixes its From, Subject and text into the text',
    {
      'cpython-msg_30.eml': 'attachments, text',
      'cpython-msg_34.eml': 'attachments, text',
      'flanker-yahoo.eml': 'attachments, text',
      'mime4j-ak-0696.eml': 'attachments, text',
      'mime4j-frag.eml': 'attachments, text',
      'mime4j-jt-0498.eml': 'attachments, text',
      'mime4j-multi-digest.eml': 'attachments, text',
      'mimekit-feedback-report.eml': 'attachments, text',
      'phpimap-pec.eml': 'attachments, text',
      'stalwart-rfc-002.eml': 'attachments, text',
      'stalwart-rfc-004.eml': 'attachments, text',
      'stalwart-thirdparty-007.eml': 'attachments, text',
    },
  ],
  [
    'a Content-Type without subtype is text/plain (RFC 2045 section 5.2)',
    {
      'cpython-msg_14.eml': 'attachments, text',
      'mimekit-missing-subtype.eml': 'attachments, text',
    },
  ],
  [
    'of two Content-Disposition fields the last counts, as for Dovecot',
    {
      'enmime-inlinemultipart.eml': 'attachments, text',
      'enmime-malformed-multiple-address-header-values.eml': 'attachments, text',
    },
  ],
  [
    'octets above 127 without a charset that fits are windows-1252 or Shift_JIS if they are not UTF-8, instead of U+FFFD',
    {
      'enmime-mime-bad-content-transfer-encoding.eml': 'text',
      'mailmimeparser-m0009.eml': 'text',
      'mailmimeparser-m1010.eml': 'text',
      'mime4j-infinite.eml': 'text',
      'sisimai-bsd-lhost-x2-04.eml': 'text',
      'spamassassin-obscuredemail-fp_bug6149_thomas_4481.eml': 'text',
      'spamassassin-plingquery-fp_bug6149_thomas_4478.eml': 'text',
    },
  ],
  [
    'mailparser does not read UTF-7 (RFC 2152)',
    { 'stalwart-legacy-001.eml': 'text', 'stalwart-legacy-034.eml': 'text' },
  ],
  [
    'a delimiter line begins with the boundary, whatever follows (RFC 2046 section 5.1.1); mailparser wants the whole line to be it, with a line end',
    {
      'mime4j-ending-boundaries.eml': 'text',
      'mime4j-very-long-boundary.eml': 'text',
      'mime4j-very-very-long-boundary.eml': 'text',
      'mime4j-weird-boundary.eml': 'text',
      'rspamd-badboundary.eml': 'attachments',
      'stalwart-malformed-004.eml': 'text',
      'stalwart-malformed-016.eml': 'text',
    },
  ],
  [
    'a missing semicolon in front of the boundary is forgiven, as in BODYSTRUCTURE',
    { 'stalwart-malformed-017.eml': 'attachments' },
  ],
  [
    'mailparser joins lines of format=flowed (RFC 3676), and loses a space',
    { 'mimekit-issue1130.eml': 'text' },
  ],
  [
    'a delivery status that is marked as attachment is text in this comparison, and an attachment to mailparser if nothing else is text',
    { 'sisimai-bsd-lhost-mcafee-05.eml': 'attachments, text' },
  ],
];

describe.skipIf(!hasCorpus)('mailparser, as a second opinion over shared/mail,', () => {
  it('finds the same attachments and texts, with reasons where not', () => {
    const messages = corpusFiles.map(storedForm);
    const differ: Record<string, string> = {};
    for (const [index, them] of theirs(messages).entries()) {
      const us = ours(messages[index] as Buffer);
      const what: string[] = [];
      if (us.attachments.join() !== them.attachments.join()) what.push('attachments');
      if (us.text !== them.text) what.push('text');
      if (what.length > 0) differ[corpusFiles[index] as string] = what.join(', ');
    }
    expect(differ).toEqual(Object.assign({}, ...explained.map(([, files]) => files)));
  }, 60_000);
});
