import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import {
  addressKey,
  needsSmtpUtf8,
  parseAddress,
  parseDomain,
  parseForwardPath,
  parseReversePath,
  printAddress,
  sameDomain,
} from './address.ts';

const longLabel = 'x'.repeat(63);

describe('parseAddress', () => {
  const good: [text: string, localPart: string, domain: string][] = [
    ['jones@example.com', 'jones', 'example.com'],
    ['Jones.Smith@EXAMPLE.Com', 'Jones.Smith', 'example.com'],
    ["!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", 'example.com'],
    ['root@localhost', 'root', 'localhost'],
    ['"Joe\\,Smith"@example.com', 'Joe,Smith', 'example.com'],
    ['"a@b c"@example.com', 'a@b c', 'example.com'],
    ['"\\"\\\\"@example.com', '"\\', 'example.com'],
    ['"jones"@example.com', 'jones', 'example.com'],
    ['""@example.com', '', 'example.com'],
    // Addresses that exist, whatever RFC 5321 says.
    ['a..b.@example.com', 'a..b.', 'example.com'],
    ['.a@example.com', '.a', 'example.com'],
    ['a@[192.0.2.1]', 'a', '[192.0.2.1]'],
    ['a@[192.000.002.001]', 'a', '[192.0.2.1]'],
    ['a@[IPv6:2001:DB8:0:0::1]', 'a', '[IPv6:2001:db8::1]'],
    ['a@[ipv6:::ffff:192.0.2.1]', 'a', '[IPv6:::ffff:c000:201]'],
    ['jörg@bücher.example', 'jörg', 'xn--bcher-kva.example'],
    ['a@BÜCHER.example', 'a', 'xn--bcher-kva.example'],
    ['a@xn--bcher-kva.example', 'a', 'xn--bcher-kva.example'],
    ['a@straße.example', 'a', 'xn--strae-oqa.example'],
    ['用户@例子.广告', '用户', 'xn--fsqu00a.xn--4rr70v'],
    // e and a combining acute accent are é.
    ['e\u0301@example.com', 'é', 'example.com'],
    [`${'l'.repeat(64)}@example.com`, 'l'.repeat(64), 'example.com'],
    [`a@${longLabel}.example`, 'a', `${longLabel}.example`],
  ];
  it.each(good)('%s', (text, localPart, domain) => {
    assert.deepEqual(parseAddress(text), { localPart, domain });
  });

  const bad = [
    '',
    'jones',
    '@example.com',
    'jones@',
    'a b@example.com',
    'a@b@example.com',
    '"a"b@example.com',
    '"a@example.com',
    '"a\tb"@example.com',
    '"a\r\nb"@example.com',
    'a\0@example.com',
    'a\u0085b@example.com',
    'a\ud800@example.com',
    'a\ufffd@example.com',
    'a@example.com.',
    'a@example..com',
    'a@-example.com',
    'a@example-.com',
    'a@exam_ple.com',
    'a@exa%6dple.com',
    'a@é%2e.example',
    'a@é。example',
    'a@ｅxample.com',
    'a@b\u00ad\u00e9.example',
    `a@x${longLabel}.example`,
    'a@[192.0.2]',
    'a@[192.0.2.256]',
    'a@[192.0.2.1',
    'a@[0x7f.0.0.1]',
    'a@[IPv6:1:2]',
    'a@[IPv6:fe80::1%eth0]',
    'a@[2001:db8::1]',
    'a@[tag:content]',
    `${'l'.repeat(65)}@example.com`,
    `${'é'.repeat(33)}@example.com`,
    `a@${`${longLabel}.`.repeat(3)}${'x'.repeat(63)}`,
  ];
  it.each(bad)('refuses %j', (text) => {
    assert.equal(parseAddress(text), undefined);
  });

  it('takes no time for long nonsense', () => {
    for (const text of ['"'.repeat(1e6), '\\'.repeat(1e6), '.a'.repeat(1e6), '@'.repeat(1e6)]) {
      assert.equal(parseAddress(text), undefined);
      assert.equal(parseForwardPath(`<${text}>`), undefined);
    }
  });
});

describe('paths', () => {
  it('the null reverse-path has no address', () => {
    assert.deepEqual(parseReversePath('<>'), { address: undefined });
    assert.equal(parseForwardPath('<>'), undefined);
  });

  it('Postmaster needs no domain as recipient, only there', () => {
    assert.deepEqual(parseForwardPath('<PostMaster>'), { localPart: 'PostMaster', domain: '' });
    assert.equal(parseReversePath('<postmaster>'), undefined);
    assert.equal(printAddress({ localPart: 'PostMaster', domain: '' }), 'PostMaster');
  });

  it('a source route is accepted and ignored (RFC 5321 appendix C)', () => {
    const address = { localPart: 'joe', domain: 'd.example' };
    assert.deepEqual(parseForwardPath('<@a.example,@b.example:joe@d.example>'), address);
    assert.deepEqual(parseReversePath('<@a.example:joe@d.example>'), { address });
  });

  it.each([
    'joe@d.example',
    '<joe@d.example',
    '<joe@d.example>>',
    '<joe@d.example> ',
    '<@a.example joe@d.example>',
    '<@a.example,b.example:joe@d.example>',
    '<@[192.0.2.1]:joe@d.example>',
    '<@:joe@d.example>',
    '<joe>',
  ])('refuses %s', (text) => {
    assert.equal(parseForwardPath(text), undefined);
    assert.equal(parseReversePath(text), undefined);
  });
});

describe('printAddress', () => {
  it.each([
    ['jones', 'jones@example.com'],
    ['Joe Smith', '"Joe Smith"@example.com'],
    ['a"b\\', '"a\\"b\\\\"@example.com'],
    ['.a', '".a"@example.com'],
    ['', '""@example.com'],
    ['jörg', 'jörg@example.com'],
  ])('quotes only what has to be: %s', (localPart, text) => {
    assert.equal(printAddress({ localPart, domain: 'example.com' }), text);
  });

  it('shows U-labels to people, A-labels to machines', () => {
    const address = parseAddress('a@bücher.example')!;
    assert.equal(printAddress(address), 'a@xn--bcher-kva.example');
    assert.equal(printAddress(address, { utf8: true }), 'a@bücher.example');
  });

  it('leaves alone what only looks like an A-label', () => {
    const address = { localPart: 'a', domain: 'xn--a.xn--e1afmkfd.xn--cafe-' };
    assert.equal(printAddress(address, { utf8: true }), 'a@xn--a.пример.xn--cafe-');
  });

  const localPart = fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
    )
    .map((text) => text.normalize('NFC'))
    .filter(
      (text) => !/[\0-\x1f\x7f-\x9f\ufffd\p{Cs}]/u.test(text) && Buffer.byteLength(text) <= 64,
    );
  const domain = fc
    .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), {
      minLength: 1,
      maxLength: 4,
    })
    .map((labels) => parseDomain(labels.join('.')))
    .filter((parsed) => parsed !== undefined);
  const named = fc.oneof(
    domain,
    fc.domain(),
    fc.ipV4().map((ip) => `[${ip}]`),
  );

  it('print then parse gives the same address', () => {
    fc.assert(
      fc.property(localPart, named, fc.boolean(), (local, domain, utf8) => {
        const address = { localPart: local, domain };
        fc.pre(Buffer.byteLength(local) + 1 + domain.length <= 254);
        assert.deepEqual(parseAddress(printAddress(address, { utf8 })), address);
        assert.deepEqual(parseForwardPath(`<${printAddress(address)}>`), address);
      }),
    );
  });

  it('parse then print then parse gives the same address, whatever the text', () => {
    const text = fc.string({ unit: fc.constantFrom(...'a.@"\\ é\u0301ß[]:,1-%'), maxLength: 20 });
    fc.assert(
      fc.property(text, (text) => {
        const address = parseAddress(text);
        if (address) assert.deepEqual(parseAddress(printAddress(address)), address);
      }),
      { numRuns: 2000 },
    );
  });
});

it('only a local part asks for SMTPUTF8', () => {
  assert.equal(needsSmtpUtf8(parseAddress('jörg@example.com')!), true);
  assert.equal(needsSmtpUtf8(parseAddress('a@bücher.example')!), false);
});

it('addresses that differ in letter case, quoting or composition have one key', () => {
  const keys = [
    'Jörg@Bücher.example',
    'JO\u0308RG@xn--bcher-kva.example',
    '"jörg"@BÜCHER.EXAMPLE',
  ].map((text) => addressKey(parseAddress(text)!));
  assert.deepEqual(new Set(keys), new Set(['jörg@xn--bcher-kva.example']));
});

it('sameDomain compares domains only', () => {
  const of = (text: string) => parseAddress(text)!;
  assert.equal(sameDomain(of('a@EXAMPLE.com'), of('b@example.com')), true);
  assert.equal(sameDomain(of('a@example.com'), of('a@mx.example.com')), false);
});
