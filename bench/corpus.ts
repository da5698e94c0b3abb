/**
 * Messages for the IMAP scenarios, always the same ones: short notes, HTML with an alternative, attachments; some hold
 * the words that the generator searches for, one in a hundred is larger than 100 KB.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const count = 2000;

/** Writes `0000.eml` and so on and the `manifest.json` that imap-load.mjs reads; returns the folder. */
export function writeCorpus(root: string): string {
  const folder = join(root, 'corpus');
  mkdirSync(folder, { recursive: true });
  const every = (step: number, from: number) =>
    Array.from({ length: count }, (_, i) => i).filter((i) => i % step === from);
  const manifest = {
    needleSubject: every(50, 7),
    needleText: every(100, 13),
    needleCoded: every(200, 2),
  };
  const random = sequence(20261124);
  for (let i = 0; i < count; i++) {
    const file = join(folder, `${String(i).padStart(4, '0')}.eml`);
    writeFileSync(file, message(i, manifest, random));
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

type Next = (below: number) => number;

/** A linear congruential generator: the same corpus on every machine. */
function sequence(seed: number): Next {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const words =
  'time people way water words day part sound work place years number name home give air line set own read last left end along while might next seem open always those both paper often got group until children side feet car mile night walk white sea began grow took river four carry state once book hear stop without second later miss idea enough eat face watch far really almost let above girl sometimes mountain cut young talk soon list song being leave family'.split(
    ' ',
  );

function prose(random: Next, octets: number): string {
  let text = '';
  let line = '';
  while (text.length < octets) {
    line += (line && ' ') + words[random(words.length)]!;
    if (line.length > 66) {
      text += `${line}.\r\n`;
      line = '';
    }
  }
  return text;
}

const base64 = (text: string) =>
  Buffer.from(text)
    .toString('base64')
    .replace(/.{76}/g, (line) => `${line}\r\n`) + '\r\n';

function message(
  index: number,
  needles: Record<'needleSubject' | 'needleText' | 'needleCoded', number[]>,
  random: Next,
): string {
  const has = (name: keyof typeof needles) => needles[name].includes(index);
  const subject = `${words[random(words.length)]} ${words[random(words.length)]} ${index}`;
  const head = [
    `Return-Path: <sender${index % 97}@peer.test>`,
    `Received: from peer.test (peer.test [192.0.2.${index % 250}])`,
    `\tby mx.example.test with ESMTP id ${index}; Tue, 24 Nov 2026 10:00:00 +0000`,
    `From: "Sender ${index % 97}" <sender${index % 97}@peer.test>`,
    `To: bench@example.test, user${index % 20}@example.test`,
    `Subject: ${has('needleSubject') ? `Quartalsbericht ${subject}` : subject}`,
    `Date: Tue, 24 Nov 2026 10:00:${String(index % 60).padStart(2, '0')} +0000`,
    `Message-ID: <bench-${index}@peer.test>`,
    `X-Bench-Index: ${String(index).padStart(4, '0')}`,
    'MIME-Version: 1.0',
  ];
  const text = prose(random, 500 + random(4000)) + (has('needleText') ? 'xyzzyneedle\r\n' : '');
  if (index % 4 === 0) {
    return [...head, 'Content-Type: text/plain; charset=utf-8', '', text].join('\r\n');
  }
  const parts = [
    part('Content-Type: text/plain; charset=utf-8', text),
    part(
      'Content-Type: text/html; charset=utf-8',
      `<html><body><p>${prose(random, text.length)}</p></body></html>\r\n`,
    ),
  ];
  if (has('needleCoded')) {
    const coded = base64(`${prose(random, 900)}plughcoded\r\n${prose(random, 900)}`);
    parts.push(
      part('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64', coded),
    );
  }
  const attached = index % 100 === 51 ? 90_000 : index % 4 === 3 ? 2000 + random(20_000) : 0;
  if (attached > 0) {
    const octets = Buffer.alloc(attached, index).toString('latin1');
    parts.push(
      part(
        `Content-Type: application/octet-stream; name="file-${index}.bin"\r\nContent-Disposition: attachment; filename="file-${index}.bin"\r\nContent-Transfer-Encoding: base64`,
        base64(octets),
      ),
    );
  }
  const kind = attached > 0 || has('needleCoded') ? 'mixed' : 'alternative';
  return [
    ...head,
    `Content-Type: multipart/${kind}; boundary="=-bench-${index}"`,
    '',
    ...parts.map((body) => `--=-bench-${index}\r\n${body}`),
    `--=-bench-${index}--`,
    '',
  ].join('\r\n');
}

const part = (header: string, body: string) => `${header}\r\n\r\n${body}`;
