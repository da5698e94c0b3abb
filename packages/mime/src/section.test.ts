import { describe, expect, it } from 'vitest';
import { renderBodyStructure } from './body-structure.ts';
import { createScanner } from './scan.ts';
import { sectionOf, type SectionText } from './section.ts';
import { decodeStructure } from './structure.ts';

const crlf = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');

const treeOf = (octets: Buffer) => {
  const scanner = createScanner();
  scanner.write(octets);
  return decodeStructure(scanner.finish().structure);
};

/** The message of the example in RFC 9051 section 6.4.5.1, with its part numbers as contents. */
const example = crlf(
  'Subject: top\nContent-Type: multipart/mixed; boundary=a\n\n' +
    '--a\nContent-Type: text/plain\n\n1\n' +
    '--a\nContent-Type: application/octet-stream\n\n2\n' +
    '--a\nContent-Type: message/rfc822\n\nSubject: three\nContent-Type: multipart/mixed; boundary=b\n\n' +
    '--b\nContent-Type: text/plain\n\n3.1\n--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\n' +
    '--a\nContent-Type: multipart/mixed; boundary=c\n\n' +
    '--c\nContent-Type: image/gif\n\n4.1\n' +
    '--c\nContent-Type: message/rfc822\n\nSubject: four two\nContent-Type: multipart/mixed; boundary=d\n\n' +
    '--d\nContent-Type: text/plain\n\n4.2.1\n' +
    '--d\nContent-Type: multipart/alternative; boundary=e\n\n' +
    '--e\nContent-Type: text/plain\n\n4.2.2.1\n--e\nContent-Type: text/richtext\n\n4.2.2.2\n--e--\n--d--\n--c--\n--a--\n',
);

describe('sectionOf', () => {
  const tree = treeOf(example);
  const read = (path: string, what?: SectionText) => {
    const numbers = path === '' ? [] : path.split('.').map(Number);
    const span = sectionOf(tree, numbers, what);
    return span && example.toString('latin1', span.start, span.end);
  };

  it.each(['1', '2', '3.1', '3.2', '4.1', '4.2.1', '4.2.2.1', '4.2.2.2'])(
    'finds part %s of the example',
    (path) => {
      expect(read(path)).toBe(path);
      expect(read(path, 'MIME')).toMatch(/^Content-Type: .*\r\n\r\n$/);
    },
  );

  it('gives HEADER and TEXT of the message and of nested messages only', () => {
    expect(read('')).toBe(example.toString('latin1'));
    expect(read('', 'HEADER')).toMatch(/^Subject: top\r\n[^]*\r\n\r\n$/);
    expect(read('', 'TEXT')).toMatch(/^--a\r\n[^]*--a--\r\n$/);
    expect(read('3', 'HEADER')).toMatch(/^Subject: three\r\n/);
    expect(read('3', 'TEXT')).toMatch(/^--b\r\n[^]*--b--$/);
    expect(read('3', 'MIME')).toBe('Content-Type: message/rfc822\r\n\r\n');
    expect(read('4.2', 'HEADER')).toMatch(/^Subject: four two\r\n/);
    for (const path of ['1', '2', '3.1', '4', '4.2.2']) {
      expect(read(path, 'HEADER')).toBeUndefined();
      expect(read(path, 'TEXT')).toBeUndefined();
    }
    expect(read('', 'MIME')).toBeUndefined();
  });

  it.each(['0', '5', '1.1', '3.3', '3.1.1', '4.2.2.3', '4.2.2.1.1'])('knows no part %s', (path) => {
    expect(read(path)).toBeUndefined();
  });

  it('counts the only part of a message as 1, once', () => {
    const octets = crlf('Subject: x\n\nbody');
    const single = treeOf(octets);
    expect(sectionOf(single, [1])).toEqual(single.body);
    expect(sectionOf(single, [1], 'MIME')).toEqual(single.header);
    expect(sectionOf(single, [1, 1])).toBeUndefined();
    const forwarded = treeOf(crlf('Content-Type: message/rfc822\n\nSubject: in\n\ndeep'));
    expect(sectionOf(forwarded, [1], 'HEADER')).toEqual(forwarded.message?.part.header);
    expect(sectionOf(forwarded, [1, 1])).toEqual(forwarded.message?.part.body);
    expect(sectionOf(forwarded, [1, 1, 1])).toBeUndefined();
  });
});

describe('renderBodyStructure', () => {
  it('gives BODY without and BODYSTRUCTURE with extension data (RFC 9051 section 7.5.2)', () => {
    const tree = treeOf(
      crlf(
        'Content-Type: multipart/mixed; boundary=x\nContent-Language: en, de\n\n--x\nContent-Type: TEXT/html; charset="utf-8"\nContent-ID: <a@b>\nContent-Disposition: attachment; filename="a\\"b"\nContent-Location: x\nContent-MD5: m\n\nhi\n\n--x--\n',
      ),
    );
    expect(Buffer.from(renderBodyStructure(tree, false)).toString()).toBe(
      '(("TEXT" "html" ("charset" "utf-8") "<a@b>" NIL "7bit" 4 1) "mixed")',
    );
    expect(Buffer.from(renderBodyStructure(tree, true)).toString()).toBe(
      '(("TEXT" "html" ("charset" "utf-8") "<a@b>" NIL "7bit" 4 1 "m" ("attachment" ("filename" "a\\"b")) NIL "x") "mixed" ("boundary" "x") NIL ("en" "de") NIL)',
    );
  });

  it('writes octets above 127 as literals', () => {
    const tree = treeOf(crlf('Content-Type: image/png; name="\xe4"\n\n'));
    expect(Buffer.from(renderBodyStructure(tree, false)).toString('latin1')).toBe(
      '("image" "png" ("name" {1}\r\n\xe4) NIL NIL "7bit" 0)',
    );
  });

  it('shows a multipart without parts with one empty part', () => {
    const tree = treeOf(crlf('Content-Type: multipart/mixed\n\nnothing'));
    expect(Buffer.from(renderBodyStructure(tree, false)).toString()).toBe(
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
    );
  });
});

describe('decodeStructure', () => {
  it('refuses what is damaged, with CORRUPTION and nothing else', () => {
    const scanner = createScanner();
    scanner.write(example);
    const { structure } = scanner.finish();
    for (let at = 0; at < structure.length; at++) {
      for (const damaged of [
        structure.subarray(0, at),
        structure.with(at, (structure[at] ?? 0) ^ 0xff),
      ]) {
        try {
          decodeStructure(damaged);
        } catch (error) {
          expect(error).toMatchObject({ name: 'MailError', code: 'CORRUPTION' });
        }
      }
    }
    expect(() => decodeStructure(new Uint8Array())).toThrow('damaged');
  });
});
